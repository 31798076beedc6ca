//! A rolling upgrade, with real processes: nodes whose programs know different functional levels work together, and one that
//! knows too low a level does not join.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use hamq_core::ErrorKind;
use hamq_core::api::checkpoint::AddClusterCheckpoint;
use hamq_core::api::cluster::{GetCluster, NewCluster, UpdateClusterFunctionalLevel};
use hamq_core::api::node::{GetClusterNode, NodeInfo, StartClusterNode, StopClusterNode};
use hamq_tests::lab::Lab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

/// A program that plays nodes as the file beside it says: `--level 1` for the old one, nothing for the new one.
fn program(folder: &Path) -> String {
    let (script, level) = (folder.join("hamq"), folder.join("level"));
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = node ]; then exec {PROGRAM} \"$@\" $(cat {}); fi\nexec {PROGRAM} \"$@\"\n",
        level.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script.display().to_string()
}

fn install(folder: &Path, arguments: &str) {
    std::fs::write(folder.join("level"), arguments).unwrap();
}

fn level(lab: &Lab) -> u64 {
    let clusters = lab.client.run(GetCluster { name: None }).unwrap();
    clusters[0].functional_level
}

fn nodes(lab: &Lab) -> Vec<NodeInfo> {
    lab.client.run(GetClusterNode { name: None }).unwrap()
}

fn restart(lab: &Lab, node: &str) -> hamq_core::Result<NodeInfo> {
    let name = node.to_owned();
    lab.client.run(StopClusterNode { name }).unwrap();
    lab.client.run(StartClusterNode {
        name: node.into(),
        ..StartClusterNode::default()
    })
}

fn checkpoint(lab: &Lab) -> hamq_core::Result<()> {
    let add = AddClusterCheckpoint {
        resource: "VS1-MSMQ".into(),
        settings_key: Some("msmq/x".into()),
        ..AddClusterCheckpoint::default()
    };
    lab.client.run(add).map(drop)
}

#[test]
fn three_nodes_are_upgraded_one_after_the_other_under_load_and_no_message_is_lost() {
    let bin = tempfile::tempdir().unwrap();
    let program = program(bin.path());
    install(bin.path(), "--level 1");
    let lab = Lab::with(&program, |_: &mut NewCluster| {}).unwrap();
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    lab.new_queue("orders", true).unwrap();
    assert_eq!(level(&lab), 1);
    assert_eq!(checkpoint(&lab).unwrap_err().kind, ErrorKind::InvalidState);

    let stop = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut sent = Vec::new();
            while !stop.load(Ordering::Relaxed) && sent.len() < 900 {
                let body = format!("message {}", sent.len());
                lab.send("orders", &body).unwrap();
                sent.push(body);
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            sent
        });
        install(bin.path(), "");
        for (index, node) in ["n3", "n2", "n1"].into_iter().enumerate() {
            restart(&lab, node).unwrap();
            let new = nodes(&lab).iter().filter(|n| n.highest == 2).count();
            assert_eq!(new, index + 1);
            assert_eq!(level(&lab), 1, "only an operator raises it");
            if index < 2 {
                let refused = lab.client.run(UpdateClusterFunctionalLevel {}).unwrap_err();
                assert!(refused.message.contains("n1"), "{refused}");
            }
        }
        stop.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    assert_eq!(
        lab.client
            .run(UpdateClusterFunctionalLevel {})
            .unwrap()
            .functional_level,
        2
    );
    checkpoint(&lab).unwrap();
    assert!(!sent.is_empty());
    assert_eq!(lab.receive_all("orders").unwrap(), sent);

    // There is no way back.
    install(bin.path(), "--level 1");
    let refused = restart(&lab, "n3").unwrap_err();
    assert!(refused.message.contains("functional level"), "{refused}");
    install(bin.path(), "");
    let name = "n3".to_owned();
    let start = StartClusterNode {
        name,
        ..StartClusterNode::default()
    };
    lab.client.run(start).unwrap();
}
