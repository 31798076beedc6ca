//! An agent becomes a newer program under its resources, with real processes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::atomic::{AtomicBool, Ordering};

use hamq_core::ErrorKind;
use hamq_core::api::node::RestartClusterNode;
use hamq_core::sys::process;
use hamq_tests::lab::Lab;
use hamq_tests::process::{queue_managers, signal, wait_until};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn lab(fencing: &str) -> Lab {
    let lab = Lab::with(PROGRAM, |command| command.fencing = Some(fencing.into())).unwrap();
    lab.add_virtual_server().unwrap();
    let command = ["CommandLine=sleep 100000"];
    lab.add_resource(
        "VS1-App",
        "VS1",
        "Generic Application",
        &command,
        &["VS1-MSMQ"],
    )
    .unwrap();
    lab.client
        .run(hamq_core::api::resource::StartClusterResource {
            name: "VS1-App".into(),
            wait: None,
        })
        .unwrap();
    lab.wait_online("VS1", "n1");
    lab.new_queue("orders", true).unwrap();
    lab
}

fn restart(lab: &Lab, node: &str) -> hamq_core::Result<()> {
    let name = node.to_owned();
    lab.client.run(RestartClusterNode { name }).map(drop)
}

#[test]
fn an_agent_is_restarted_under_load_and_its_queue_manager_and_application_go_on() {
    let lab = lab("Kill");
    let before = lab.group("VS1").unwrap();
    let agent = lab.agent("n1");
    let children = process::children(agent);
    assert_eq!(
        children.len(),
        2,
        "a queue manager, and the supervisor of an application"
    );
    let stop = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut sent = Vec::new();
            while !stop.load(Ordering::Relaxed) && sent.len() < 900 {
                let body = format!("message {}", sent.len());
                lab.send("orders", &body).unwrap();
                sent.push(body);
            }
            sent
        });
        // In a row: each waits until what the one before has taken over is online again.
        for _ in 0..3 {
            restart(&lab, "n1").unwrap();
        }
        lab.wait_online("VS1", "n1");
        stop.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    assert_eq!(lab.agent("n1"), agent, "the same process");
    assert_eq!(process::children(agent), children, "the same children");
    let after = lab.group("VS1").unwrap();
    assert_eq!(
        (after.epoch, after.owner_node),
        (before.epoch, before.owner_node)
    );
    assert_eq!(lab.receive_all("orders").unwrap(), sent);

    // What was adopted is watched, and ends with its agent, as before.
    let manager = queue_managers(agent)[0];
    signal(manager, Signal::KILL);
    wait_until("another queue manager runs", || {
        queue_managers(agent)
            .first()
            .is_some_and(|pid| *pid != manager)
    });
    lab.wait_online("VS1", "n1");
    restart(&lab, "n1").unwrap();
    lab.wait_online("VS1", "n1");
    let children = process::children(agent);
    signal(agent, Signal::KILL);
    wait_until("the children are gone", || {
        children.iter().all(|pid| process::is_gone(*pid))
    });
    lab.wait_online("VS1", "!n1");
}

#[test]
fn a_session_that_has_run_out_meanwhile_keeps_nothing() {
    // Nobody ends the frozen agent: it comes back, and finds its session gone.
    let lab = lab("Storage");
    let agent = lab.agent("n1");
    let children = process::children(agent);
    // It is frozen as soon as it has become the new program, for longer than its lease: others claim.
    let asked = std::thread::scope(|scope| {
        let asked = scope.spawn(|| restart(&lab, "n1"));
        std::thread::sleep(std::time::Duration::from_millis(150));
        signal(agent, Signal::STOP);
        // Online it comes when the frozen one has let go of its address: they share a machine.
        wait_until("another node owns it", || {
            lab.group("VS1")
                .is_ok_and(|info| info.owner_node.is_some_and(|owner| owner != "n1"))
        });
        signal(agent, Signal::CONT);
        asked.join().unwrap()
    });
    drop(asked); // it was fenced: whether it still answered does not matter
    wait_until("nothing of it is left", || {
        children.iter().all(|pid| process::is_gone(*pid))
    });
    lab.send("orders", "elsewhere").unwrap();
}

#[test]
fn what_cannot_be_kept_is_named() {
    let lab = lab("Kill");
    let script = lab.folder.path().join("script");
    std::fs::write(&script, "#!/bin/sh\nexit 0\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    let path = format!("ScriptFilePath={}", script.display());
    lab.add_resource("VS1-Script", "VS1", "Generic Script", &[&path], &[])
        .unwrap();
    lab.client
        .run(hamq_core::api::resource::StartClusterResource {
            name: "VS1-Script".into(),
            wait: None,
        })
        .unwrap();
    let refused = restart(&lab, "n1").unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidState);
    assert!(refused.message.contains("VS1-Script"), "{refused}");
    assert!(refused.hint.unwrap().contains("Move-ClusterGroup VS1"));
}
