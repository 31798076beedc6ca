//! Contexts, read-only sessions, the profile and NO_COLOR, as a person outside the prompt sees them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

fn hamq(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hamq"));
    command.env("HAMQ_HOME", home).env_remove("HAMQ_CONTEXT");
    command.args(arguments).output().unwrap()
}

fn out(ran: &Output) -> String {
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

fn err(ran: &Output) -> String {
    String::from_utf8_lossy(&ran.stderr).into_owned()
}

/// A cluster that is known here and answers nobody.
fn know(home: &Path, name: &str) {
    let folder = home.join("clusters");
    std::fs::create_dir_all(&folder).unwrap();
    let entry = format!(
        r#"{{"name":"{name}","path":"/nowhere","database":"sqlite:///nowhere/db","nodes":[],
        "same_subnet_delay":1000,"same_subnet_threshold":5,"lease_ttl":10000,"fencing":"Kill","detached":false,"created_ms":0}}"#
    );
    std::fs::write(folder.join(format!("{name}.json")), entry).unwrap();
}

#[test]
fn contexts_are_kept_and_used() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    know(home, "lab");
    let made = hamq(
        home,
        &[
            "-c",
            "New-HamqContext north lab -ReadOnly -Description 'the old one'",
        ],
    );
    assert!(made.status.success(), "{}", err(&made));
    let again = hamq(home, &["-c", "New-HamqContext north lab"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        err(&again).contains("-Force replaces it"),
        "{}",
        err(&again)
    );
    let used = hamq(home, &["-c", "Set-HamqContext north"]);
    assert!(used.status.success(), "{}", err(&used));
    let shown = hamq(home, &["-c", "Get-HamqContext -As csv"]);
    assert_eq!(
        out(&shown),
        "Current,Name,Cluster,ReadOnly,Description\n*,north,lab,true,the old one\n"
    );
    let gone = hamq(home, &["-c", "Remove-HamqContext nort"]);
    assert!(err(&gone).contains("did you mean north?"), "{}", err(&gone));
    assert!(
        hamq(home, &["-c", "Remove-HamqContext north"])
            .status
            .success()
    );
    assert_eq!(out(&hamq(home, &["-c", "Get-HamqContext"])), "");
}

#[test]
fn a_context_that_is_asked_for_must_be_there() {
    let home = tempfile::tempdir().unwrap();
    let ran = hamq(home.path(), &["--context", "south", "-c", "Get-Date"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(
        err(&ran).contains("there is no context 'south'"),
        "{}",
        err(&ran)
    );
}

#[test]
fn a_read_only_session_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    know(home, "lab");
    let refused = hamq(
        home,
        &["--read-only", "-c", "Move-ClusterGroup VS1 -Node n2"],
    );
    assert_eq!(refused.status.code(), Some(4), "{}", err(&refused));
    assert!(
        err(&refused).contains("this session is read-only"),
        "{}",
        err(&refused)
    );
    let as_function = "move_cluster_group(#{ Name: 'VS1', Node: 'n2' })";
    assert_eq!(
        hamq(home, &["--read-only", "-c", as_function])
            .status
            .code(),
        Some(4)
    );
    let lifted = "$global:ReadOnly = false; Start-ClusterGroup VS1";
    assert_eq!(
        hamq(home, &["--read-only", "-c", lifted]).status.code(),
        Some(4)
    );
    // By a context as well.
    assert!(
        hamq(home, &["-c", "New-HamqContext look lab -ReadOnly"])
            .status
            .success()
    );
    let refused = hamq(home, &["--context", "look", "-c", "Start-ClusterGroup VS1"]);
    assert_eq!(refused.status.code(), Some(4), "{}", err(&refused));
    // Nothing was asked of the cluster: nothing is audited.
    assert_eq!(out(&hamq(home, &["-c", "Get-ClusterAudit"])), "");
}

#[test]
fn a_change_is_audited_with_why_and_what_came_of_it() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    know(home, "lab");
    let failed = hamq(home, &["-c", "Start-ClusterGroup VS1 -Reason 'ticket 12'"]);
    assert!(!failed.status.success());
    let shown = hamq(
        home,
        &[
            "-c",
            "Get-ClusterAudit | select User,Cluster,Command,Reason,Outcome -As json",
        ],
    );
    let rows: serde_json::Value = serde_json::from_str(&out(&shown)).unwrap();
    assert_eq!(rows[0]["Cluster"], "lab");
    assert_eq!(rows[0]["Command"], "Start-ClusterGroup -Name VS1");
    assert_eq!(rows[0]["Reason"], "ticket 12");
    assert_ne!(rows[0]["User"], "");
    let outcome = rows[0]["Outcome"].as_str().unwrap();
    assert!(
        outcome != "Done" && !outcome.starts_with("Unknown"),
        "{outcome}"
    );
}

#[test]
fn a_change_whose_shell_died_has_an_unknown_outcome() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let lines = "{\"id\":\"1\",\"time\":\"2026-01-01T00:00:00.000Z\",\"command\":\"Move-ClusterGroup -Name VS1\"}\ntorn {\n";
    std::fs::write(home.join("audit-2026-01.jsonl"), lines).unwrap();
    let shown = hamq(
        home,
        &["-c", "Get-ClusterAudit | select Command,Outcome -As csv"],
    );
    assert_eq!(
        out(&shown),
        "Command,Outcome\nMove-ClusterGroup -Name VS1,Unknown: its end was not written\n"
    );
}

#[test]
fn topics_are_found_and_guessed() {
    let home = tempfile::tempdir().unwrap();
    let listed = out(&hamq(home.path(), &["-c", "Get-Help about"]));
    for topic in listed.lines() {
        let page = hamq(home.path(), &["-c", &format!("Get-Help {topic}")]);
        assert!(out(&page).starts_with(topic), "{topic}");
        assert!(
            out(&page).lines().all(|line| line.chars().count() <= 80),
            "{topic}"
        );
    }
    let near = hamq(home.path(), &["-c", "Get-Help about_contxts"]);
    assert!(
        err(&near).contains("did you mean about_contexts?"),
        "{}",
        err(&near)
    );
}
