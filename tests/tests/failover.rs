//! Every way an owner can be lost, with real processes: nothing acknowledged is lost.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hamq_core::api::drill::InvokeFault;
use hamq_core::api::group::MoveClusterGroup;
use hamq_core::api::node::StartClusterNode;
use hamq_core::api::parameter::SetClusterOwnerNode;
use hamq_core::api::value::Millis;
use hamq_core::sys::process;
use hamq_tests::lab::Lab;
use hamq_tests::process::{queue_managers, signal, wait_until};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn lab_with_queue() -> Lab {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    lab.new_queue("orders", true).unwrap();
    lab
}

#[test]
fn a_killed_node_loses_the_group_to_the_next_and_no_message() {
    let lab = lab_with_queue();
    lab.send("orders", "before").unwrap();
    let agent = lab.agent("n1");
    let managers = queue_managers(agent);
    assert_eq!(managers.len(), 1);
    signal(agent, Signal::KILL);
    // The queue manager dies with its agent, without being hit itself.
    wait_until("the queue manager is gone", || {
        managers.iter().all(|pid| process::is_gone(*pid))
    });
    lab.send("orders", "after").unwrap();
    lab.wait_online("VS1", "n2");
    assert_eq!(lab.receive_all("orders").unwrap(), ["before", "after"]);

    // It comes back as a node, and the group stays: failback is not allowed here.
    lab.client
        .run(StartClusterNode {
            name: "n1".into(),
            ..StartClusterNode::default()
        })
        .unwrap();
    assert_eq!(lab.group("VS1").unwrap().owner_node.as_deref(), Some("n2"));
}

#[test]
fn a_killed_queue_manager_is_restarted_in_place_until_the_threshold_then_the_group_moves() {
    let lab = lab_with_queue();
    let agent = lab.agent("n1");
    for round in 1..=3 {
        let manager = queue_managers(agent)[0];
        signal(manager, Signal::KILL);
        lab.send("orders", &format!("round {round}")).unwrap();
        lab.wait_online("VS1", "n1");
        wait_until("another queue manager runs", || {
            queue_managers(agent)
                .first()
                .is_some_and(|pid| *pid != manager)
        });
    }
    signal(queue_managers(agent)[0], Signal::KILL);
    lab.wait_online("VS1", "!n1");
    assert_eq!(
        lab.receive_all("orders").unwrap(),
        ["round 1", "round 2", "round 3"]
    );
}

/// A drill strikes where the queue manager is being started again, or the group is on its way to another node.
#[test]
fn a_drill_waits_for_the_queue_manager_that_it_is_to_kill() {
    let lab = lab_with_queue();
    let kill = || InvokeFault {
        kind: "KillQueueManager".into(),
        group: "VS1".into(),
        duration: None,
    };
    let agent = lab.agent("n1");
    signal(queue_managers(agent)[0], Signal::KILL);
    lab.client.run(kill()).unwrap();
    lab.send("orders", "it is back").unwrap();
    assert_eq!(lab.receive_all("orders").unwrap(), ["it is back"]);
}

#[test]
fn a_frozen_node_is_fenced_and_its_group_served_elsewhere() {
    let lab = lab_with_queue();
    lab.send("orders", "before").unwrap();
    let agent = lab.agent("n1");
    let manager = queue_managers(agent)[0];
    signal(agent, Signal::STOP);
    signal(manager, Signal::STOP);
    lab.send("orders", "after").unwrap();
    lab.wait_online("VS1", "n2");
    assert!(
        process::is_gone(manager),
        "its address and its store are the new owner's alone"
    );
    assert_eq!(lab.receive_all("orders").unwrap(), ["before", "after"]);
}

#[test]
fn a_planned_move_goes_there_and_leaves_nothing_behind_and_failback_returns() {
    let lab = lab_with_queue();
    lab.send("orders", "one").unwrap();
    let there = MoveClusterGroup {
        name: "VS1".into(),
        node: Some("n3".into()),
        wait: None,
    };
    let moved = lab.client.run(there).unwrap();
    assert_eq!(
        (moved.owner_node.as_deref(), moved.state.as_str()),
        (Some("n3"), "Online")
    );
    lab.send("orders", "two").unwrap();

    // The owner dies: the group goes to the first of its preferred nodes.
    signal(lab.agent("n3"), Signal::KILL);
    lab.wait_online("VS1", "n1");
    assert_eq!(lab.receive_all("orders").unwrap(), ["one", "two"]);
}

#[test]
fn a_group_that_may_fail_back_returns_to_its_preferred_node_when_that_is_up_again() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.client
        .run(hamq_core::api::group::AddClusterGroup {
            name: "G".into(),
            preferred_owners: vec!["n2".into()],
            auto_failback_type: Some(1),
            failover_threshold: None,
            failover_period: None,
        })
        .unwrap();
    let disk = format!("DiskPath={}", lab.disk("g").display());
    lab.add_resource("G-Disk", "G", "Physical Disk", &[&disk], &[])
        .unwrap();
    lab.client
        .run(hamq_core::api::group::StartClusterGroup {
            name: "G".into(),
            wait: Some(Millis(30_000)),
        })
        .unwrap();
    lab.wait_online("G", "n2");
    signal(lab.agent("n2"), Signal::KILL);
    lab.wait_online("G", "!n2");
    lab.client
        .run(StartClusterNode {
            name: "n2".into(),
            ..StartClusterNode::default()
        })
        .unwrap();
    lab.wait_online("G", "n2");
    // Preferences can be changed while it runs.
    let owners = vec!["n3".into(), "n2".into()];
    let set = SetClusterOwnerNode {
        group: Some("G".into()),
        resource: None,
        owners: owners.clone(),
    };
    assert_eq!(lab.client.run(set).unwrap().owner_nodes, owners);
}
