//! What happens in a cluster is told as structured events too, for who collects them: by agents and queue managers alike.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use hamq_core::api::explain::GetClusterLog;
use hamq_core::api::value::Value;
use hamq_tests::lab::Lab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

/// Every file of this name below a folder, joined.
fn gather(folder: &Path, name: &str) -> String {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let texts = entries.map(|path| match path.is_dir() {
        true => gather(&path, name),
        false if path.ends_with(name) => std::fs::read_to_string(path).unwrap(),
        false => String::new(),
    });
    texts.collect()
}

#[test]
fn the_log_of_the_cluster_says_who_gave_a_command_why_and_what_came_of_it() {
    let lab = Lab::new(PROGRAM).unwrap();
    let group = |name: &str| Value::Map(vec![("Name".into(), name.into())]);
    let why = Some("ticket 7");
    lab.client
        .invoke_because("Add-ClusterGroup", group("G"), why)
        .unwrap();
    lab.client.invoke("Get-ClusterGroup", group("G")).unwrap();
    lab.client
        .invoke("Add-ClusterGroup", group("G"))
        .unwrap_err();
    lab.client
        .what_if("Remove-ClusterGroup", group("G"))
        .unwrap();
    let lines = lab.client.run(GetClusterLog::default()).unwrap();
    let audited = lines.iter().filter(|line| line.component == "[AUD]");
    let audited: Vec<&str> = audited.map(|line| line.text.as_str()).collect();
    let user = hamq_core::sys::network::own_user().name;
    assert_eq!(
        audited,
        [
            format!("{user}: Add-ClusterGroup -Name G because \"ticket 7\": done"),
            format!(
                "{user}: Add-ClusterGroup -Name G: ObjectAlreadyExists: a group named G exists already"
            ),
        ]
    );
}

#[test]
fn an_agent_tells_its_events_as_its_environment_asks() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new(PROGRAM)
        .env("HAMQ_HOME", folder.path())
        .env("HAMQ_LOG", "info,json")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let name = format!("events-{}", std::process::id());
    let mut input = shell.stdin.take().unwrap();
    let script = format!(
        "New-Cluster -Name {name} -Node n1,n2 -Local\nAdd-ClusterGroup G\nStart-ClusterGroup G -Wait 30s\n"
    );
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    assert!(shell.wait().unwrap().success());

    let log = gather(&folder.path().join("clusters"), "node.log");
    let events: Vec<serde_json::Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let of_group = |event: &&serde_json::Value| {
        event["component"] == "FM" && event["event"].to_string().contains('G')
    };
    let claim = events
        .iter()
        .find(of_group)
        .unwrap_or_else(|| panic!("{log}"));
    assert_eq!(claim["level"], "INFO");
    assert!(claim["node"] == "n1" || claim["node"] == "n2", "{claim}");
}
