//! Test-Cluster on a cluster of processes: the mistakes of the deployment guide are made on purpose, and found.

use hamq_core::api::validation::{TestCluster, ValidationInfo};
use hamq_tests::lab::Lab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn result<'a>(all: &'a [ValidationInfo], check: &str, object: &str) -> &'a ValidationInfo {
    let found = all
        .iter()
        .find(|r| r.name == check && r.object.contains(object));
    found.unwrap_or_else(|| panic!("{check} says nothing of {object}: {all:#?}"))
}

#[test]
fn mistakes_of_the_deployment_guide_are_found_with_what_to_do_and_nothing_is_disturbed() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    let command = |include: &[&str]| TestCluster {
        include: include.iter().map(ToString::to_string).collect(),
        ..TestCluster::default()
    };

    // All nodes answer, the virtual server is sound, and its disk does what it promises.
    let all = lab.client.run(command(&[])).unwrap();
    for (check, object) in [
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
    ] {
        let record = result(&all, check, object);
        assert_eq!(record.result, "Passed", "{record:?}");
    }
    assert_eq!(all.last().unwrap().category, "Summary");
    let left = std::fs::read_dir(lab.disk("vs1")).unwrap().flatten();
    let names: Vec<_> = left
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!names.iter().any(|n| n.contains("validation")), "{names:?}");

    // An application beside Message Queuing: without the network name, without the MSMQ resource.
    let line = ["CommandLine=sleep 600", "CurrentDirectory=/"];
    lab.add_resource("App", "VS1", "Generic Application", &line, &[])
        .unwrap();
    lab.add_resource(
        "App2",
        "VS1",
        "Generic Application",
        &[line[0], line[1], "UseNetworkName=1"],
        &[],
    )
    .unwrap();
    // A group that may not fail over, with an address that no node can have.
    lab.client
        .run(hamq_core::api::group::AddClusterGroup {
            name: "VS2".into(),
            preferred_owners: vec!["n1".into()],
            auto_failback_type: None,
            failover_threshold: Some(0),
            failover_period: None,
        })
        .unwrap();
    lab.add_resource(
        "VS2-IP",
        "VS2",
        "IP Address",
        &["Address=10.255.255.1"],
        &[],
    )
    .unwrap();

    let report = lab.folder.path().join("lab.json");
    let mut again = command(&["Cluster Configuration", "Network"]);
    again.report_path = Some(report.display().to_string());
    let all = lab.client.run(again).unwrap();
    for (check, object, expected) in [
        ("Validate Application Network Name", "App", "Failed"),
        (
            "Validate Application Depends on Message Queuing",
            "App",
            "Failed",
        ),
        (
            "Validate Application Depends on Network Name",
            "App2",
            "Failed",
        ),
        ("Validate Failover Thresholds", "VS2", "Warning"),
        ("Validate Address Subnets", "VS2-IP", "Failed"),
    ] {
        let record = result(&all, check, object);
        assert_eq!(record.result, expected, "{record:?}");
        assert!(!record.advice.is_empty(), "{record:?}");
    }
    assert!(!all.iter().any(|r| r.category == "Storage"));
    let summary = all.last().unwrap();
    assert_eq!(
        (&*summary.category, &*summary.result),
        ("Summary", "Failed")
    );
    let text = std::fs::read_to_string(report).unwrap();
    assert!(text.contains("\"Validate Application Network Name\""));

    // What cannot be meant is refused before anything is asked.
    let error = lab.client.run(command(&["Storag"])).unwrap_err();
    assert_eq!(error.hint.unwrap(), "did you mean \"Storage\"?");
}
