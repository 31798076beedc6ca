//! A cluster of real processes on this machine, from New-Cluster to Remove-Cluster.
//!
//! This program is its own `hamq`: started with the words of a role it plays that role, so that the test
//! needs no other binary.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test with a main of its own: it says what it found, and a panic is a failure"
)]

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use hamq_core::api::client::{Client, ClientOptions};
use hamq_core::api::value::Value;
use hamq_core::queue::request::{Reply, Request, Transaction};
use hamq_core::sys::process::ProcessIdentity;
use hamq_core::{ErrorKind, Result};
use rustix::process::{Pid, Signal, kill_process};

type Story = fn();

/// The word that makes this program a shell which makes a cluster, says the process numbers of its nodes
/// and waits for ever.
const HOLD: &str = "hold-a-cluster";

const STORIES: &[(&str, Story)] = &[
    (
        "a_node_that_does_not_start_leaves_nothing_behind",
        a_node_that_does_not_start_leaves_nothing_behind,
    ),
    (
        "a_shell_that_is_killed_leaves_no_node_behind",
        a_shell_that_is_killed_leaves_no_node_behind,
    ),
    (
        "a_queue_survives_the_death_of_its_node",
        a_queue_survives_the_death_of_its_node,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(code) = hamq_shell::role::run(&arguments) {
        return code;
    }
    if arguments.first().is_some_and(|word| word == HOLD) {
        return hold_a_cluster();
    }
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in STORIES {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let chosen =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let mut failed = 0;
    let mut passed = 0;
    for (name, story) in STORIES.iter().filter(|(name, _)| chosen(name)) {
        let began = Instant::now();
        match std::panic::catch_unwind(story) {
            Ok(()) => passed += 1,
            Err(_) => failed += 1,
        }
        println!("test {name} ended after {:?}", began.elapsed());
    }
    println!("\ntest result: {passed} passed; {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

/// A client with a home of its own; it is closed and the home removed at the end.
struct Shell {
    client: Client,
    home: tempfile::TempDir,
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.client.close();
        if std::thread::panicking() {
            for node in ["n1", "n2", "n3"] {
                for log in ["node.log", "cluster.log"] {
                    let path = self.home.path().join("clusters/lab").join(node).join(log);
                    let text = std::fs::read_to_string(path).unwrap_or_default();
                    println!("--- {node} {log}\n{text}");
                }
            }
        }
    }
}

impl Shell {
    fn new(program: Vec<PathBuf>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let options = ClientOptions {
            home: home.path().into(),
            program,
            failover_timeout: Duration::from_secs(60),
        };
        Self {
            client: Client::new(options).unwrap(),
            home,
        }
    }

    fn run(&self, command: &str, arguments: &[(&str, Value)]) -> Result<Vec<Value>> {
        let pairs = arguments.iter().map(|(k, v)| ((*k).into(), v.clone()));
        self.client.invoke(command, Value::Map(pairs.collect()))
    }

    fn must(&self, command: &str, arguments: &[(&str, Value)]) -> Vec<Value> {
        self.run(command, arguments)
            .unwrap_or_else(|error| panic!("{command}: {error:?}"))
    }
}

fn text(value: &Value, field: &str) -> String {
    let entries = value.as_map().unwrap();
    let found = entries
        .iter()
        .find(|(name, _)| name.as_text() == Some(field));
    match &found.unwrap_or_else(|| panic!("no {field}")).1 {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => i128::from(*number).to_string(),
        other => format!("{other:?}"),
    }
}

fn new_cluster() -> [(&'static str, Value); 3] {
    [
        ("Name", "lab".into()),
        ("Node", "n1,n2,n3".into()),
        ("Local", true.into()),
    ]
}

fn a_node_that_does_not_start_leaves_nothing_behind() {
    let script = "echo this node has no legs; exit 9";
    let shell = Shell::new(vec!["sh".into(), "-c".into(), script.into()]);
    let error = shell.run("New-Cluster", &new_cluster()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NodeDown);
    assert!(error.message.contains("this node has no legs"), "{error}");
    let left = std::fs::read_dir(shell.home.path().join("clusters")).unwrap();
    assert_eq!(left.count(), 0);
}

fn hold_a_cluster() -> ExitCode {
    let shell = Shell::new(vec![std::env::current_exe().unwrap()]);
    shell.must("New-Cluster", &new_cluster());
    for node in shell.must("Get-ClusterNode", &[]) {
        println!("{}", text(&node, "ProcessId"));
    }
    loop {
        std::thread::park();
    }
}

fn a_shell_that_is_killed_leaves_no_node_behind() {
    let mut shell = Command::new(std::env::current_exe().unwrap())
        .arg(HOLD)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(shell.stdout.take().unwrap()).lines();
    let pids: Vec<Pid> = lines.take(3).map(|line| pid(&line.unwrap())).collect();
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    shell.kill().unwrap();
    shell.wait().unwrap();
    let killed = Instant::now();
    while pids.iter().any(|pid| is_alive(*pid)) {
        assert!(
            killed.elapsed() < Duration::from_secs(20),
            "a node outlived its shell"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("all nodes gone {:?} after their shell", killed.elapsed());
}

/// The group VS1 of the README with all its resources.
fn virtual_server(shell: &Shell, address: &str) {
    shell.must("Install-MsmqFeature", &[("Node", "n1,n2,n3".into())]);
    shell.must("Add-ClusterGroup", &[("Name", "VS1".into())]);
    let disk = shell.home.path().join("disk");
    let disk = format!("DiskPath={}", disk.display());
    let address = format!("Address={address}");
    let resources = [
        ("VS1-Disk", "Physical Disk", disk.as_str(), ""),
        ("VS1-IP", "IP Address", address.as_str(), ""),
        ("VS1-Name", "Network Name", "Name=VS1", "VS1-IP"),
        ("VS1-MSMQ", "MSMQ", "", "VS1-Disk,VS1-Name"),
    ];
    for (name, kind, parameter, providers) in resources {
        let mut arguments: Vec<(&str, Value)> = vec![
            ("Name", name.into()),
            ("Group", "VS1".into()),
            ("ResourceType", kind.into()),
        ];
        arguments.extend((!parameter.is_empty()).then(|| ("Parameters", parameter.into())));
        arguments.extend((!providers.is_empty()).then(|| ("DependsOn", providers.into())));
        shell.must("Add-ClusterResource", &arguments);
    }
    shell.must("Start-ClusterGroup", &[("Name", "VS1".into())]);
}

fn a_queue_survives_the_death_of_its_node() {
    let shell = Shell::new(vec![std::env::current_exe().unwrap()]);
    let info = shell.must("New-Cluster", &new_cluster());
    assert_eq!(text(&info[0], "State"), "Up");
    let nodes = shell.must("Get-ClusterNode", &[]);
    let pids: Vec<_> = nodes
        .iter()
        .map(|node| pid(&text(node, "ProcessId")))
        .collect();
    let subnet = text(&nodes[0], "Address");
    let subnet = subnet
        .split(':')
        .next()
        .unwrap()
        .rsplit_once('.')
        .unwrap()
        .0;
    virtual_server(&shell, &format!("{subnet}.101"));

    let queue = "VS1/private$/orders";
    shell.must(
        "New-MsmqQueue",
        &[("Name", queue.into()), ("Transactional", true.into())],
    );
    shell.must(
        "Send-MsmqQueue",
        &[("Name", queue.into()), ("Body", "0".into())],
    );
    let group = shell.must("Get-ClusterGroup", &[("Name", "VS1".into())]);
    let owner = text(&group[0], "OwnerNode");
    let victim = nodes
        .iter()
        .position(|node| text(node, "Name") == owner)
        .unwrap();

    let session = shell.client.session("VS1").unwrap();
    kill_process(pids[victim], Signal::KILL).unwrap();
    let killed = Instant::now();
    let tickets: Vec<_> = (1..500)
        .map(|number: u32| {
            session.submit(Request::Send {
                queue: "orders".into(),
                message: hamq_core::queue::message::Message::new(number.to_string()).encode(),
                body: None,
                transaction: Transaction::Single,
            })
        })
        .collect();
    for (index, ticket) in tickets.into_iter().enumerate() {
        assert!(matches!(ticket.wait(), Ok(Reply::Sent { .. })));
        if index == 0 {
            println!("first send {:?} after the owner's death", killed.elapsed());
        }
    }
    let all = shell.must(
        "Receive-MsmqQueue",
        &[("Name", queue.into()), ("Count", 1000.into())],
    );
    let bodies: Vec<_> = all.iter().map(|message| text(message, "Body")).collect();
    let expected: Vec<_> = (0..500).map(|number| number.to_string()).collect();
    assert!(
        bodies == expected,
        "lost, twice or out of order: {bodies:?}"
    );

    shell.must("Start-ClusterNode", &[("Name", owner.into())]);
    assert!(!shell.must("Get-ClusterLog", &[]).is_empty());
    let info = shell.must("Stop-Cluster", &[]);
    assert_eq!(text(&info[0], "State"), "Down");
    for pid in pids {
        assert!(!is_alive(pid), "{pid:?} still runs");
    }
    let remove = [("Name", "lab".into()), ("Force", true.into())];
    shell.must("Remove-Cluster", &remove);
    let left = std::fs::read_dir(shell.home.path().join("clusters")).unwrap();
    assert_eq!(left.count(), 0);
    assert!(
        shell.home.path().join("disk").exists(),
        "the disk is not the cluster's to delete"
    );
}

/// Whether it still acts: one that has ended and was not collected by its parent yet does not.
fn is_alive(pid: Pid) -> bool {
    ProcessIdentity::of(pid.as_raw_nonzero().get().unsigned_abs()).is_ok()
}

fn pid(text: &str) -> Pid {
    Pid::from_raw(text.parse().unwrap()).unwrap()
}
