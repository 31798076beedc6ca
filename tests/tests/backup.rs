//! The cluster database to a file and back, with real processes: what came after is gone, no message is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hamq_core::ErrorKind;
use hamq_core::api::backup::{BackupCluster, RestoreCluster};
use hamq_core::api::cluster::{StartCluster, StopCluster};
use hamq_core::api::group::{AddClusterGroup, GetClusterGroup, MoveClusterGroup};
use hamq_core::api::value::Millis;
use hamq_tests::etcd::Members;
use hamq_tests::lab::Lab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn add_group(lab: &Lab, name: &str) {
    let group = AddClusterGroup {
        name: name.into(),
        preferred_owners: Vec::new(),
        auto_failback_type: None,
        failover_threshold: None,
        failover_period: None,
    };
    lab.client.run(group).unwrap();
}

fn story(lab: &Lab) {
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    lab.new_queue("orders", true).unwrap();
    lab.send("orders", "before the backup").unwrap();
    let path = lab.folder.path().join("lab.backup").display().to_string();
    let back_up = || BackupCluster {
        path: path.clone(),
        name: Some(lab.name.clone()),
        quorum: Vec::new(),
    };
    let backup = lab.client.run(back_up()).unwrap();
    assert_eq!((backup.groups, backup.resources), (1, 4));
    let again = lab.client.run(back_up()).unwrap_err();
    assert_eq!(again.kind, ErrorKind::ObjectAlreadyExists);

    // Life goes on: a group, failovers, messages that the backup knows nothing of.
    add_group(lab, "later");
    for node in ["n2", "n3", "n2"] {
        let wish = MoveClusterGroup {
            name: "VS1".into(),
            node: Some(node.into()),
            wait: Some(Millis(60_000)),
        };
        lab.client.run(wish).unwrap();
    }
    lab.send("orders", "after the backup").unwrap();
    let epoch = lab.group("VS1").unwrap().epoch;

    let restore = || {
        lab.client.run(RestoreCluster {
            path: path.clone(),
            name: Some(lab.name.clone()),
            quorum: Vec::new(),
            force: true,
        })
    };
    let refused = restore().unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidState, "it is up");
    let name = Some(lab.name.clone());
    lab.client.run(StopCluster { name }).unwrap();
    std::fs::write(format!("{path}.cut"), &std::fs::read(&path).unwrap()[..100]).unwrap();
    let cut = RestoreCluster {
        path: format!("{path}.cut"),
        name: Some(lab.name.clone()),
        quorum: Vec::new(),
        force: true,
    };
    let refused = lab.client.run(cut).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::StoreDamaged);
    restore().unwrap();

    let start = StartCluster {
        name: lab.name.clone(),
        detach: false,
    };
    lab.client.run(start).unwrap();
    lab.wait_online("VS1", "!"); // on whichever node is there first
    let groups = lab.client.run(GetClusterGroup { name: None }).unwrap();
    assert_eq!(groups.len(), 1, "the group that came later is gone");
    assert!(
        groups[0].epoch > epoch + 1000,
        "no epoch of before is believed"
    );
    let all = ["before the backup", "after the backup"];
    assert_eq!(lab.receive_all("orders").unwrap(), all);
}

#[test]
fn a_restored_database_is_believed_over_everything_that_came_after_it() {
    let lab = Lab::new(PROGRAM).unwrap();
    story(&lab);
}

#[test]
#[ignore = "needs etcd: tests/run etcd"]
fn on_etcd_a_restored_database_is_believed_over_everything_that_came_after_it() {
    let members = Members::start(3);
    let quorum = members.location("");
    let lab = Lab::with(PROGRAM, |command| command.quorum = vec![quorum]).unwrap();
    story(&lab);
}
