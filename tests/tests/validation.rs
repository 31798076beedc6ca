//! Test-Cluster on a cluster of processes: the mistakes of the deployment guide are made on purpose, and found.

#![expect(clippy::unwrap_used, reason = "a test")]

use hamq_core::api::group::AddClusterGroup;
use hamq_core::api::validation::{TestCluster, ValidationInfo};
use hamq_tests::lab::Lab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn result<'a>(all: &'a [ValidationInfo], check: &str, object: &str) -> &'a ValidationInfo {
    let found = all
        .iter()
        .find(|r| r.name == check && r.object.contains(object));
    found.unwrap_or_else(|| panic!("{check} says nothing of {object}: {all:#?}"))
}

fn expect(all: &[ValidationInfo], cases: &[(&str, &str, &str)]) {
    for (check, object, expected) in cases {
        let record = result(all, check, object);
        assert_eq!(record.result, *expected, "{record:?}");
        assert!(
            *expected == "Passed" || !record.advice.is_empty(),
            "{record:?}"
        );
    }
}

fn including(names: &[&str]) -> TestCluster {
    TestCluster {
        include: names.iter().map(ToString::to_string).collect(),
        ..TestCluster::default()
    }
}

/// An application beside Message Queuing without the network name and without the MSMQ resource, one with
/// the property but without the dependency, and a group that may not fail over, with an address that no node can have.
fn make_mistakes(lab: &Lab) {
    let line = ["CommandLine=sleep 600", "CurrentDirectory=/"];
    let named = [line[0], line[1], "UseNetworkName=1"];
    lab.add_resource("App", "VS1", "Generic Application", &line, &[])
        .unwrap();
    lab.add_resource("App2", "VS1", "Generic Application", &named, &[])
        .unwrap();
    lab.client
        .run(AddClusterGroup {
            name: "VS2".into(),
            preferred_owners: vec!["n1".into()],
            failover_threshold: Some(0),
            ..AddClusterGroup::default()
        })
        .unwrap();
    let address = ["Address=10.255.255.1"];
    lab.add_resource("VS2-IP", "VS2", "IP Address", &address, &[])
        .unwrap();
}

#[test]
fn mistakes_of_the_deployment_guide_are_found_with_what_to_do_and_nothing_is_disturbed() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();

    // All nodes answer, the virtual server is sound, and its disk does what it promises.
    let all = lab.client.run(including(&[])).unwrap();
    let sound = [
        ("Validate Node Membership", "n3"),
        ("Validate Required Dependencies", "VS1-MSMQ"),
        ("Validate Disk Holders", "VS1-Disk"),
        ("Validate Disk Epochs", "VS1-Disk"),
        ("Validate Storage Access", "VS1-Disk"),
        ("Validate Rename Durability", "VS1-Disk"),
        ("Validate File System Locks", "VS1-Disk"),
        ("Validate Agent Processes", "n1"),
        ("Validate Agent Ports", "n1"),
        ("Validate Orphaned Processes", "process"),
        ("Validate Clock Skew", "n2"),
    ];
    expect(
        &all,
        &sound.map(|(check, object)| (check, object, "Passed")),
    );
    assert_eq!(all.last().unwrap().category, "Summary");
    let left = std::fs::read_dir(lab.disk("vs1")).unwrap().flatten();
    let names: Vec<_> = left
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!names.iter().any(|n| n.contains("validation")), "{names:?}");

    make_mistakes(&lab);
    let report = lab.folder.path().join("lab.json");
    let mut again = including(&["Cluster Configuration", "Network"]);
    again.report_path = Some(report.display().to_string());
    let all = lab.client.run(again).unwrap();
    let depends_on_queuing = "Validate Application Depends on Message Queuing";
    let depends_on_name = "Validate Application Depends on Network Name";
    let found = [
        ("Validate Application Network Name", "App", "Failed"),
        (depends_on_queuing, "App", "Failed"),
        (depends_on_name, "App2", "Failed"),
        ("Validate Failover Thresholds", "VS2", "Warning"),
        ("Validate Address Subnets", "VS2-IP", "Failed"),
    ];
    expect(&all, &found);
    assert!(!all.iter().any(|r| r.category == "Storage"));
    let summary = all.last().unwrap();
    assert_eq!(
        (&*summary.category, &*summary.result),
        ("Summary", "Failed")
    );
    let text = std::fs::read_to_string(report).unwrap();
    assert!(text.contains("\"Validate Application Network Name\""));

    // What cannot be meant is refused before anything is asked.
    let error = lab.client.run(including(&["Storag"])).unwrap_err();
    assert_eq!(error.hint.unwrap(), "did you mean \"Storage\"?");
}
