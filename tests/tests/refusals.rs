//! What an operator does wrong is refused with what, which one and what to do, and nothing is half done.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hamq_core::api::dependency::AddClusterResourceDependency;
use hamq_core::api::feature::{InstallMsmqFeature, UninstallMsmqFeature};
use hamq_core::api::group::{AddClusterGroup, MoveClusterGroup};
use hamq_core::api::resource::{GetClusterResource, StartClusterResource};
use hamq_core::api::value::Millis;
use hamq_core::{Error, ErrorKind};
use hamq_tests::lab::{Lab, client};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn install(node: &str) -> InstallMsmqFeature {
    InstallMsmqFeature {
        nodes: vec![node.into()],
        features: Vec::new(),
    }
}

#[test]
fn message_queuing_is_not_installed_before_the_cluster_exists() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(PROGRAM, folder.path()).unwrap();
    let error = client.run(install("n1")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::ClusterNotFound, "{error}");
    assert!(error.hint.unwrap().contains("New-Cluster"));
}

#[test]
fn wrong_configurations_are_refused_and_leave_nothing() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    let count = |lab: &Lab| {
        lab.client
            .run(GetClusterResource {
                name: None,
                group: None,
            })
            .unwrap()
            .len()
    };
    let before = count(&lab);

    let error = lab.client.run(install("n9")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NodeNotFound, "{error}");

    let error = lab
        .add_resource("VS1-MSMQ2", "VS1", "MSMQ", &[], &[])
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest, "{error}");
    assert!(
        error.message.contains("VS1-MSMQ"),
        "it names the one there is: {error}"
    );

    let error = lab
        .add_resource("X", "VS1", "Phisical Disk", &[], &[])
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::ResourceTypeNotFound, "{error}");
    assert!(error.hint.unwrap().contains("Physical Disk"));

    let cycle = AddClusterResourceDependency {
        resource: "VS1-Disk".into(),
        provider: "VS1-MSMQ".into(),
    };
    assert_eq!(
        lab.client.run(cycle).unwrap_err().kind,
        ErrorKind::CircularDependency
    );

    let nowhere = MoveClusterGroup {
        name: "VS1".into(),
        node: Some("n7".into()),
        wait: None,
    };
    assert_eq!(
        lab.client.run(nowhere).unwrap_err().kind,
        ErrorKind::NodeNotFound
    );

    let uninstall = UninstallMsmqFeature {
        node: "n1".into(),
        force: true,
    };
    let error = lab.client.run(uninstall).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest, "{error}");

    assert_eq!(count(&lab), before);
    assert_eq!(lab.group("VS1").unwrap().state, "Online");
}

/// A laboratory with VS1 online and an empty group VS2.
fn lab_with_two_groups() -> Lab {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    add_group(&lab, "VS2");
    lab
}

fn add_group(lab: &Lab, name: &str) {
    lab.client
        .run(AddClusterGroup {
            name: name.into(),
            preferred_owners: Vec::new(),
            auto_failback_type: None,
            failover_threshold: None,
            failover_period: None,
        })
        .unwrap();
}

/// Why a resource does not come online.
fn refusal(lab: &Lab, name: &str) -> Error {
    let wait = Some(Millis(20_000));
    let start = StartClusterResource {
        name: name.into(),
        wait,
    };
    lab.client.run(start).unwrap_err()
}

#[test]
fn a_missing_dependency_is_named_with_the_command_that_adds_it() {
    let lab = lab_with_two_groups();
    lab.add_resource("VS2-MSMQ", "VS2", "MSMQ", &[], &[])
        .unwrap();
    let error = refusal(&lab, "VS2-MSMQ");
    assert_eq!(error.kind, ErrorKind::DependencyNotFound, "{error}");
    assert!(error.hint.unwrap().contains("Add-ClusterResource"));
}

#[test]
fn an_address_and_a_disk_of_another_virtual_server_are_refused_before_anything_starts() {
    let lab = lab_with_two_groups();
    let taken = format!("Address={}", lab.address(101).unwrap());
    let error = lab
        .add_resource("VS2-IP", "VS2", "IP Address", &[&taken], &[])
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::AddressInUse, "{error}");
    assert!(
        error.message.contains("VS1-IP"),
        "it names the user: {error}"
    );
    let taken = format!("DiskPath={}", lab.disk("vs1").display());
    let error = lab
        .add_resource("VS2-Disk", "VS2", "Physical Disk", &[&taken], &[])
        .unwrap_err();
    assert!(
        error.message.contains("VS1-Disk"),
        "it names the holder: {error}"
    );
}

#[test]
fn an_address_and_a_path_that_are_none_are_refused_when_they_are_typed() {
    let lab = lab_with_two_groups();
    for (resource_type, parameter) in [
        ("IP Address", "Address=127.0.9"),
        ("IP Address", "Address=224.0.0.1"),
        ("Physical Disk", "DiskPath=srv/vs1"),
    ] {
        let error = lab
            .add_resource("X", "VS2", resource_type, &[parameter], &[])
            .unwrap_err();
        assert_eq!(
            error.kind,
            ErrorKind::InvalidParameter,
            "{parameter}: {error}"
        );
        assert!(error.hint.is_some(), "{parameter}");
    }
}

#[test]
fn an_address_that_a_foreign_process_listens_at_is_refused_with_its_number() {
    let lab = lab_with_two_groups();
    let address = lab.address(102).unwrap();
    let _foreign = std::net::TcpListener::bind((address.as_str(), 7803)).unwrap();
    let parameter = format!("Address={address}");
    lab.add_resource("VS2-IP", "VS2", "IP Address", &[&parameter], &[])
        .unwrap();
    let error = refusal(&lab, "VS2-IP");
    assert!(error.message.contains(&address), "{error}");
    let me = std::process::id().to_string();
    assert!(error.message.contains(&me), "it names the process: {error}");
}

#[test]
fn a_disk_that_another_cluster_holds_is_refused_and_its_holder_not_disturbed() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    let other = Lab::new(PROGRAM).unwrap();
    add_group(&other, "G");
    let disk = format!("DiskPath={}", lab.disk("vs1").display());
    other
        .add_resource("G-Disk", "G", "Physical Disk", &[&disk], &[])
        .unwrap();
    let error = refusal(&other, "G-Disk");
    assert!(
        error.message.contains("VS1-Disk"),
        "it names the holder: {error}"
    );
    assert_eq!(lab.group("VS1").unwrap().state, "Online");
}

#[test]
fn a_start_after_the_cause_is_gone_is_not_refused_with_what_was() {
    let lab = Lab::new(PROGRAM).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let parent = folder.path().join("later");
    let group = AddClusterGroup {
        name: "G".into(),
        ..AddClusterGroup::default()
    };
    lab.client.run(group).unwrap();
    let disk = format!("DiskPath={}", parent.join("disk").display());
    lab.add_resource("G-Disk", "G", "Physical Disk", &[&disk], &[])
        .unwrap();
    let start = || StartClusterResource {
        name: "G-Disk".into(),
        wait: Some(Millis(60_000)),
    };
    for _ in 0..2 {
        let refused = lab.client.run(start()).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::ResourceOnlineFailed, "{refused}");
    }
    std::fs::create_dir(&parent).unwrap();
    assert_eq!(lab.client.run(start()).unwrap().state, "Online");
}
