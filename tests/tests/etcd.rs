//! Clusters whose database lies in etcd: real nodes, real members, and both die. `tests/run etcd`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hamq_core::ErrorKind;
use hamq_core::api::cluster::{
    GetCluster, GetClusterQuorum, RemoveCluster, SetClusterQuorum, StartCluster, StopCluster,
};
use hamq_core::api::group::AddClusterGroup;
use hamq_tests::etcd::Members;
use hamq_tests::lab::Lab;
use hamq_tests::process::signal;
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn lab_on(members: &Members) -> Lab {
    let quorum = members.location("");
    let lab = Lab::with(PROGRAM, |command| command.quorum = vec![quorum]).unwrap();
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    lab.new_queue("orders", true).unwrap();
    lab
}

/// A change that goes through the cluster database.
fn change(lab: &Lab, group: &str) {
    let added = lab.client.run(AddClusterGroup {
        name: group.into(),
        preferred_owners: Vec::new(),
        auto_failback_type: None,
        failover_threshold: None,
        failover_period: None,
    });
    added.unwrap();
}

#[test]
#[ignore = "needs etcd: tests/run etcd"]
fn on_etcd_a_cluster_survives_its_nodes_and_etcds_leader() {
    let mut members = Members::start(3);
    let lab = lab_on(&members);
    lab.send("orders", "before").unwrap();

    let leader = members.leader();
    members.kill(leader);
    change(&lab, "after-the-leader");
    assert_eq!(lab.group("VS1").unwrap().owner_node.as_deref(), Some("n1"));
    lab.send("orders", "without the leader").unwrap();
    members.launch(leader);

    signal(lab.agent("n1"), Signal::KILL);
    lab.wait_online("VS1", "n2");
    lab.send("orders", "without n1").unwrap();
    let all = ["before", "without the leader", "without n1"];
    assert_eq!(lab.receive_all("orders").unwrap(), all);
}

#[test]
#[ignore = "needs etcd: tests/run etcd"]
fn on_etcd_the_database_of_a_stopped_cluster_moves_there_and_back() {
    let members = Members::start(3);
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    lab.new_queue("orders", true).unwrap();
    lab.send("orders", "moved").unwrap();
    let target = members.location("hamq/moved");
    let to = |quorum: &str| {
        lab.client.run(SetClusterQuorum {
            quorum: vec![quorum.into()],
            name: Some(lab.name.clone()),
            force: true,
        })
    };
    assert_eq!(
        to(&target).unwrap_err().kind,
        ErrorKind::InvalidState,
        "it is up"
    );
    let stop = || {
        let name = Some(lab.name.clone());
        lab.client.run(StopCluster { name }).unwrap();
    };
    let start = || {
        let name = lab.name.clone();
        let detach = false;
        lab.client.run(StartCluster { name, detach }).unwrap();
        // On whichever node is there first.
        lab.wait_online("VS1", "!");
    };

    stop();
    let moved = to(&target).unwrap();
    assert_eq!((moved.state.as_str(), moved.quorum), ("Online", target));
    start();
    assert_eq!(lab.receive_all("orders").unwrap(), ["moved"]);
    lab.send("orders", "and back").unwrap();

    stop();
    let back = lab.folder.path().join("back.db").display().to_string();
    assert_eq!(to(&back).unwrap().quorum, format!("sqlite://{back}"));
    start();
    assert_eq!(lab.receive_all("orders").unwrap(), ["and back"]);

    stop();
    let name = lab.name.clone();
    lab.client.run(RemoveCluster { name, force: true }).unwrap();
    assert!(!std::path::Path::new(&back).exists());
}

#[test]
#[ignore = "needs etcd: tests/run etcd"]
fn on_etcd_a_cluster_is_removed_with_its_keys_and_none_is_made_without_etcd() {
    let mut members = Members::start(1);
    let lab = lab_on(&members);
    let clusters = || lab.client.run(GetCluster { name: None }).unwrap();
    let info = clusters().remove(0);
    assert_eq!(
        info.quorum,
        members.location(&format!("hamq/{}", lab.name.to_lowercase()))
    );
    let cluster = Some(lab.name.clone());
    let quorum = lab
        .client
        .run(GetClusterQuorum {
            name: cluster.clone(),
        })
        .unwrap();
    assert_eq!(quorum.state, "Online");
    assert!(
        quorum
            .notices
            .iter()
            .any(|text| text.contains("fewer than three"))
    );

    lab.client.run(StopCluster { name: cluster }).unwrap();
    let name = lab.name.clone();
    lab.client.run(RemoveCluster { name, force: true }).unwrap();
    // The same place again: nothing of the former one is in the way.
    let again = Lab::with(PROGRAM, |command| {
        command.quorum = vec![info.quorum.clone()];
    })
    .unwrap();
    drop(again);

    members.kill(0);
    let refused = Lab::with(PROGRAM, |command| {
        command.quorum = vec![members.location("p")];
    });
    let error = refused.err().unwrap();
    assert!(error.message.contains("no etcd member"), "{error}");
}
