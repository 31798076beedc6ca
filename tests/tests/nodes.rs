//! Nodes come and go, with real processes: added, drained, stopped, evicted; and what was written about it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hamq_core::ErrorKind;
use hamq_core::api::explain::{GetClusterLog, GetClusterWhy};
use hamq_core::api::node::{
    AddClusterNode, GetClusterNode, NodeInfo, RemoveClusterNode, ResumeClusterNode,
    StartClusterNode, StopClusterNode, SuspendClusterNode,
};
use hamq_core::api::parameter::GetClusterOwnerNode;
use hamq_core::api::value::Millis;
use hamq_tests::lab::Lab;
use hamq_tests::process::{signal, wait_until};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn node(lab: &Lab, name: &str) -> NodeInfo {
    let nodes = lab.client.run(GetClusterNode {
        name: Some(name.to_owned()),
    });
    nodes.unwrap().remove(0)
}

fn lab() -> Lab {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    lab
}

#[test]
fn a_node_is_added_drained_stopped_and_evicted_and_its_group_is_served_all_along() {
    let lab = lab();
    let added = lab
        .client
        .run(AddClusterNode { name: "n4".into() })
        .unwrap();
    assert_eq!((added.id, added.state.as_str()), (4, "Up"));
    let again = lab.client.run(AddClusterNode { name: "N4".into() });
    assert_eq!(again.unwrap_err().kind, ErrorKind::ObjectAlreadyExists);

    let drained = lab
        .client
        .run(SuspendClusterNode {
            name: "n1".into(),
            drain: true,
            wait: Some(Millis(60_000)),
            ..SuspendClusterNode::default()
        })
        .unwrap();
    assert_eq!(drained.state, "Paused");
    lab.wait_online("VS1", "n2");
    lab.client
        .run(ResumeClusterNode {
            name: "n1".into(),
            failback: Some("Immediate".into()),
        })
        .unwrap();
    lab.wait_online("VS1", "n1");
    let twice = lab.client.run(ResumeClusterNode {
        name: "n1".into(),
        failback: None,
    });
    assert_eq!(twice.unwrap_err().kind, ErrorKind::NodeNotPaused);

    let stopped = lab
        .client
        .run(StopClusterNode { name: "n1".into() })
        .unwrap();
    assert_eq!(stopped.state, "Down");
    lab.wait_online("VS1", "n2");
    let up = lab.client.run(RemoveClusterNode {
        name: "n2".into(),
        force: false,
    });
    assert_eq!(up.unwrap_err().kind, ErrorKind::InvalidState);
    for name in ["n1", "n2"] {
        let evict = RemoveClusterNode {
            name: name.into(),
            force: name == "n2", // it is up: stopped first
        };
        assert_eq!(lab.client.run(evict).unwrap().name, name);
    }
    lab.wait_online("VS1", "n3");
    let left = lab.client.run(GetClusterNode { name: None }).unwrap();
    let names: Vec<_> = left.iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["n3", "n4"]);
    let owners = lab.client.run(GetClusterOwnerNode {
        group: Some("VS1".into()),
        resource: None,
    });
    assert_eq!(owners.unwrap()[0].owner_nodes, ["n3"]);
    let gone = lab.client.run(StartClusterNode {
        name: "n1".into(),
        ..StartClusterNode::default()
    });
    assert_eq!(gone.unwrap_err().kind, ErrorKind::NodeNotFound);
}

#[test]
fn what_a_dead_node_wrote_about_a_group_is_on_the_one_time_line() {
    let lab = lab();
    let agent = lab.agent("n1");
    signal(agent, Signal::KILL);
    lab.wait_online("VS1", "n2");
    wait_until("n1 is down", || node(&lab, "n1").state == "Down");
    let file = lab.folder.path().join("all.log");
    let lines = lab
        .client
        .run(GetClusterLog {
            group: Some("VS1".into()),
            destination: Some(file.display().to_string()),
            ..GetClusterLog::default()
        })
        .unwrap();
    for name in ["n1", "n2"] {
        assert!(
            lines.iter().any(|l| l.node == name),
            "no line of {name}: {lines:?}"
        );
    }
    let dead = lines.iter().filter(|l| l.node == "n1");
    assert!(dead.clone().any(|l| l.text.contains("claiming VS1")));
    assert!(dead.clone().all(|l| l.process_id == Some(u64::from(agent))));
    assert!(lines.is_sorted_by_key(|l| l.time));
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), lines.len());
    let first = text.lines().next().unwrap();
    assert!(
        first.starts_with(&format!("{agent:08x}.{agent:08x}::")),
        "{first}"
    );
    assert!(first.contains("] [n1] "), "{first}");

    // Each decision that is stored follows from what it was made on.
    let replayed = lab
        .client
        .run(GetClusterWhy {
            name: "VS1".into(),
            replay: true,
            ..GetClusterWhy::default()
        })
        .unwrap();
    assert!(
        replayed.iter().any(|w| w.cause == "claimed: n2"),
        "{replayed:?}"
    );
    assert!(
        replayed.iter().all(|w| w.event == "same plan"),
        "{replayed:?}"
    );
}

#[test]
fn an_operator_who_knows_that_a_node_is_dead_need_not_wait() {
    let lab = Lab::with(PROGRAM, |new| new.fencing = Some("Storage".into())).unwrap();
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    lab.client
        .run(StopClusterNode { name: "n3".into() })
        .unwrap();
    signal(lab.agent("n1"), Signal::KILL);
    lab.client
        .run(StartClusterNode {
            name: "n3".into(),
            force_quorum: true,
            ..StartClusterNode::default()
        })
        .unwrap();
    assert_eq!(node(&lab, "n1").state, "Down");
    lab.wait_online("VS1", "!n1");
}
