//! A session that ends, however it ends, leaves no process and no lock behind.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use hamq_core::api::cluster::{GetCluster, StartCluster};
use hamq_core::sys::process;
use hamq_tests::lab::{Lab, client};
use hamq_tests::process::{mentioning, signal, wait_until};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

#[test]
fn a_killed_shell_takes_its_cluster_with_it_and_the_cluster_can_be_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let mut shell = Command::new(PROGRAM)
        .env("HAMQ_HOME", &home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .args([
            "-c",
            "New-Cluster -Name orphan -Node n1,n2 -Local; print('made'); Start-Sleep 600s",
        ])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap().contains("made")),
        "the shell ended early"
    );
    let marker = home.to_str().unwrap().to_owned();
    assert_eq!(mentioning(&marker).len(), 2, "two nodes run");

    shell.kill().unwrap();
    shell.wait().unwrap();
    wait_until("both nodes are gone", || mentioning(&marker).is_empty());

    let client = client(PROGRAM, &home).unwrap();
    let found = client
        .run(GetCluster {
            name: Some("orphan".into()),
        })
        .unwrap();
    assert_eq!(found[0].state, "Down");
    let started = client
        .run(StartCluster {
            name: "orphan".into(),
            detach: false,
        })
        .unwrap();
    assert_eq!(started.state, "Up");
    client.close();
    wait_until("both nodes are gone again", || {
        mentioning(&marker).is_empty()
    });
}

#[test]
fn a_closed_standard_input_ends_a_supervised_queue_manager() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let process = std::process::id();
    let listen = format!(
        "127.{}.{}.9:7801",
        1 + process % 250,
        1 + process / 250 % 250
    );
    let mut manager = Command::new(PROGRAM)
        .args([
            "queue-manager",
            "--name",
            "VS9",
            "--listen",
            &listen,
            "--supervised",
            "--store",
        ])
        .arg(&store)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(manager.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("ready"));
    manager.stdin.take().unwrap().flush().unwrap();
    let pid = manager.id();
    wait_until("it is gone", || process::is_gone(pid));
    manager.wait().unwrap();
}

#[test]
fn an_agent_that_dies_takes_its_queue_manager_and_applications_with_it() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    let marker = format!("{}-app", lab.name);
    let line = format!("CommandLine=sh -c 'exec sleep 987 # {marker}'");
    lab.add_resource(
        "App",
        "VS1",
        "Generic Application",
        &[&line, "CurrentDirectory=/"],
        &["VS1-MSMQ"],
    )
    .unwrap();
    let start = hamq_core::api::resource::StartClusterResource {
        name: "App".into(),
        wait: None,
    };
    assert_eq!(lab.client.run(start).unwrap().state, "Online");
    let agent = lab.agent("n1");
    let on_n1 = descendants(agent);
    assert!(on_n1.len() >= 2, "queue manager and application: {on_n1:?}");
    signal(agent, Signal::KILL);
    wait_until("all are gone", || {
        on_n1.iter().all(|pid| process::is_gone(*pid))
    });
}

fn descendants(pid: u32) -> Vec<u32> {
    let children = process::children(pid);
    let deeper: Vec<u32> = children
        .iter()
        .flat_map(|child| descendants(*child))
        .collect();
    children.into_iter().chain(deeper).collect()
}
