//! Resources come into groups: as a role, made at once, and out of another group with their messages.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hamq_core::ErrorKind;
use hamq_core::api::clustered_role::AddClusterGenericApplicationRole;
use hamq_core::api::group::{
    AddClusterGroup, MoveClusterGroup, RemoveClusterGroup, StartClusterGroup, StopClusterGroup,
};
use hamq_core::api::resource::{GetClusterResource, MoveClusterResource};
use hamq_core::api::value::Millis;
use hamq_tests::lab::Lab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");
const QUEUE: &str = "orders";

#[test]
fn a_store_moves_into_a_younger_group_with_its_messages() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    lab.new_queue(QUEUE, true).unwrap();
    for body in ["one", "two"] {
        lab.send(QUEUE, body).unwrap();
        let name = "VS1".to_owned();
        let (node, wait) = (None, Some(Millis(60_000)));
        lab.client
            .run(MoveClusterGroup { name, node, wait })
            .unwrap();
    }
    let epoch = lab.group("VS1").unwrap().epoch;
    let name = "Young".to_owned();
    let young = AddClusterGroup {
        name,
        ..AddClusterGroup::default()
    };
    assert!(lab.client.run(young).unwrap().epoch < epoch);

    let relocate = || MoveClusterResource {
        name: "VS1-Disk".into(),
        group: "Young".into(),
    };
    let refused = lab.client.run(relocate()).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::ResourceOnline, "{refused}");
    let name = "VS1".to_owned();
    lab.client
        .run(StopClusterGroup { name, wait: None })
        .unwrap();
    let moved = lab.client.run(relocate()).unwrap();
    let names: Vec<&str> = moved.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["VS1-Disk", "VS1-IP", "VS1-MSMQ", "VS1-Name"]);
    let start = StartClusterGroup {
        name: "Young".into(),
        wait: Some(Millis(60_000)),
    };
    let young = lab.client.run(start).unwrap();
    assert!(young.epoch > epoch, "the store has seen {epoch}: {young:?}");
    assert_eq!(lab.receive_all(QUEUE).unwrap(), ["one", "two"]);
    // What was moved does not come back in its former group.
    let name = "VS1".to_owned();
    let wait = Some(Millis(10_000));
    assert_eq!(
        lab.client
            .run(StartClusterGroup { name, wait })
            .unwrap()
            .state,
        "Offline"
    );
    assert_eq!(lab.group("Young").unwrap().state, "Online");
}

#[test]
fn a_store_whose_group_was_deleted_opens_in_another_group() {
    let lab = Lab::new(PROGRAM).unwrap();
    let name = "Young".to_owned();
    let young = AddClusterGroup {
        name,
        ..AddClusterGroup::default()
    };
    lab.client.run(young).unwrap();
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    lab.new_queue(QUEUE, true).unwrap();
    lab.send(QUEUE, "one").unwrap();
    let name = "VS1".to_owned();
    let (node, wait) = (None, Some(Millis(60_000)));
    let moved = MoveClusterGroup { name, node, wait };
    let epoch = lab.client.run(moved).unwrap().epoch;
    assert!(lab.group("Young").unwrap().epoch < epoch);
    let remove = RemoveClusterGroup {
        name: "VS1".into(),
        remove_resources: true,
        force: true,
    };
    lab.client.run(remove).unwrap();

    let disk = format!("DiskPath={}", lab.disk("vs1").display());
    let address = format!("Address={}", lab.address(101).unwrap());
    for (name, kind, parameters, on) in [
        ("Disk", "Physical Disk", vec![disk.as_str()], vec![]),
        ("IP", "IP Address", vec![address.as_str()], vec![]),
        ("Name", "Network Name", vec!["Name=VS1"], vec!["IP"]),
        ("MSMQ", "MSMQ", vec![], vec!["Disk", "Name"]),
    ] {
        lab.add_resource(name, "Young", kind, &parameters, &on)
            .unwrap();
    }
    let start = StartClusterGroup {
        name: "Young".into(),
        wait: Some(Millis(60_000)),
    };
    let young = lab.client.run(start).unwrap();
    assert_eq!(young.state, "Online", "{young:?}");
    assert!(young.epoch > epoch, "the store has seen {epoch}: {young:?}");
    assert_eq!(lab.receive_all(QUEUE).unwrap(), ["one"]);
}

#[test]
fn a_role_is_made_at_once_or_not_at_all() {
    let lab = Lab::new(PROGRAM).unwrap();
    let address = lab.address(140).unwrap();
    let role = |storage: &str| AddClusterGenericApplicationRole {
        command_line: "/bin/sleep 600".into(),
        address: Some(address.clone()),
        storage: vec![storage.into()],
        ..AddClusterGenericApplicationRole::default()
    };
    let refused = lab.client.run(role("NoDisk")).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::ResourceNotFound, "{refused}");
    assert!(lab.group("sleep").is_err(), "nothing is left of it");
    let disk = lab.disk("app");
    let made = lab.client.run(role(disk.to_str().unwrap())).unwrap();
    assert_eq!(
        (made.name.as_str(), made.state.as_str()),
        ("sleep", "Online")
    );
    let all = lab.client.run(GetClusterResource::default()).unwrap();
    assert!(
        all.iter()
            .all(|r| r.group == "sleep" && r.state == "Online"),
        "{all:?}"
    );
    let names: Vec<&str> = all.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(
        names,
        ["sleep-Application", "sleep-Disk", "sleep-IP", "sleep-Name"]
    );
}
