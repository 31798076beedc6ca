//! The nodes' own queue managers, with real processes: beside the virtual servers, started by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use hamq_core::ErrorKind;
use hamq_core::api::checkpoint::SetClusterNodeSetting;
use hamq_core::api::client::{Client, ClientOptions};
use hamq_core::api::feature::{InstallMsmqFeature, SetMsmqMemoryPool, UninstallMsmqFeature};
use hamq_core::api::message_service::{
    GetMsmqService, MsmqServiceInfo, RestartMsmqService, StartMsmqService, StopMsmqService,
};
use hamq_core::api::node::{RestartClusterNode, StartClusterNode, StopClusterNode};
use hamq_core::api::queue::NewMsmqQueue;
use hamq_core::sys::process;
use hamq_tests::lab::{Lab, receive_all, send};
use hamq_tests::process::{queue_managers, signal, wait_until};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");
const QUEUE: &str = r"n1\private$\orders";

fn start(lab: &Lab, node: &str) -> hamq_core::Result<MsmqServiceInfo> {
    lab.client.run(StartMsmqService { node: node.into() })
}

fn stop(lab: &Lab, node: &str) -> MsmqServiceInfo {
    let command = StopMsmqService { node: node.into() };
    lab.client.run(command).unwrap()
}

fn status(lab: &Lab, node: &str) -> String {
    let command = GetMsmqService {
        node: Some(node.into()),
    };
    lab.client.run(command).unwrap().remove(0).status
}

fn new_queue(lab: &Lab) {
    let command = NewMsmqQueue {
        name: QUEUE.into(),
        ..NewMsmqQueue::default()
    };
    lab.client.run(command).unwrap();
}

#[test]
fn a_node_has_queues_of_its_own_and_starts_its_service_by_hand_only() {
    let lab = Lab::new(PROGRAM).unwrap();
    assert_eq!(status(&lab, "n1"), "NotInstalled");
    let error = start(&lab, "n1").unwrap_err();
    assert_eq!(error.kind, ErrorKind::DeviceNotReady, "{error}");
    lab.add_virtual_server().unwrap();
    lab.new_queue("orders", false).unwrap();
    lab.send("orders", "for the virtual server").unwrap();
    assert_eq!(status(&lab, "n1"), "Stopped");

    let started = start(&lab, "N1").unwrap();
    let told = [started.status, started.start_type];
    assert_eq!(told, ["Running", "Manual"]);
    let place = format!("{}:7801", lab.address(1).unwrap());
    let chosen = (started.address, started.rule);
    assert_eq!(chosen, (Some(place), Some("OnlyAddress".to_owned())));
    assert_eq!(start(&lab, "n1").unwrap().status, "Running", "it goes on");
    new_queue(&lab);
    send(&lab.client, QUEUE, "for the node").unwrap();
    assert_eq!(
        lab.receive_all("orders").unwrap(),
        ["for the virtual server"]
    );

    // The Cluster service stops and starts: the virtual server returns, the node's own queue manager does not.
    let name = || "n1".to_owned();
    lab.client.run(StopClusterNode { name: name() }).unwrap();
    lab.wait_online("VS1", "!n1");
    let again = StartClusterNode {
        name: name(),
        ..StartClusterNode::default()
    };
    lab.client.run(again).unwrap();
    assert_eq!(status(&lab, "n1"), "Stopped");
    // Who did not know it is told at once; a session that knew it waits as for a failover, and says the same.
    let client = |seconds| {
        Client::new(ClientOptions {
            home: lab.folder.path().join("home"),
            program: vec![PROGRAM.into()],
            failover_timeout: Duration::from_secs(seconds),
        })
        .unwrap()
    };
    let stranger = client(30);
    let error = send(&stranger, QUEUE, "too early").unwrap_err();
    assert_eq!(error.kind, ErrorKind::ResolveAddress, "{error}");
    assert!(
        error.to_string().contains("not running on node n1"),
        "{error}"
    );
    start(&lab, "n1").unwrap();
    assert_eq!(receive_all(&lab.client, QUEUE).unwrap(), ["for the node"]);
    let known = client(2);
    send(&known, QUEUE, "known").unwrap();
    assert_eq!(stop(&lab, "n1").status, "Stopped");
    let error = send(&known, QUEUE, "too late").unwrap_err();
    assert!(
        error.to_string().contains("not running on node n1"),
        "{error}"
    );
    assert_eq!(stop(&lab, "n1").status, "Stopped", "once more is no error");
}

#[test]
fn it_goes_on_when_the_agent_is_replaced_and_its_end_is_told() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.client.run(InstallMsmqFeature::default()).unwrap();
    start(&lab, "n1").unwrap();
    new_queue(&lab);
    send(&lab.client, QUEUE, "kept").unwrap();
    let agent = lab.agent("n1");
    let manager = queue_managers(agent);
    assert_eq!(manager.len(), 1);
    let name = "n1".to_owned();
    lab.client.run(RestartClusterNode { name }).unwrap();
    // What nobody adopts is ended after half of a lease: it has to outlive more than that.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(queue_managers(agent), manager, "the same process");
    assert_eq!(status(&lab, "n1"), "Running");
    send(&lab.client, QUEUE, "and more").unwrap();

    signal(manager[0], Signal::KILL);
    wait_until("its end is told", || status(&lab, "n1") == "Stopped");
    start(&lab, "n1").unwrap();
    assert_eq!(
        receive_all(&lab.client, QUEUE).unwrap(),
        ["kept", "and more"]
    );
    let manager = queue_managers(agent);
    signal(agent, Signal::KILL);
    wait_until("it ends with its agent", || process::is_gone(manager[0]));
}

#[test]
fn it_takes_its_share_of_the_message_memory_and_its_settings_with_the_next_start() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    let pool = |megabytes| {
        let node = "n1".into();
        lab.client.run(SetMsmqMemoryPool { node, megabytes })
    };
    pool(4).unwrap();
    let error = start(&lab, "n1").unwrap_err();
    assert!(
        error.to_string().contains("pool of message memory"),
        "{error}"
    );
    pool(8).unwrap();
    start(&lab, "n1").unwrap();
    // The only address is used, whatever is set (the order of the rules).
    let setting = SetClusterNodeSetting {
        node: "n1".into(),
        key: "MSMQ/Parameters".into(),
        name: "MulticastBindIP".into(),
        value: Some("10.9.9.9".into()),
        delete: false,
    };
    lab.client.run(setting).unwrap();
    let command = RestartMsmqService { node: "n1".into() };
    let restarted = lab.client.run(command).unwrap();
    assert_eq!(restarted.multicast_address, lab.address(1).ok());
    let log = std::fs::read_to_string(lab.data("n1").join("cluster.log")).unwrap();
    let line = "WARN  [MSMQ] MulticastBindIP 10.9.9.9 is not found on the node, and is ignored";
    assert!(log.contains(line), "{log}");
}

#[test]
fn uninstalling_stops_first_and_deletes_the_queues_of_the_node() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.client.run(InstallMsmqFeature::default()).unwrap();
    start(&lab, "n1").unwrap();
    new_queue(&lab);
    let uninstall = || {
        let command = UninstallMsmqFeature {
            node: "n1".into(),
            force: true,
        };
        lab.client.run(command)
    };
    let error = uninstall().unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest, "{error}");
    stop(&lab, "n1");
    let store = lab.data("n1").join("msmq");
    assert!(store.is_dir());
    uninstall().unwrap();
    wait_until("the store is deleted", || !store.exists());
    wait_until("it can be installed and started again", || {
        let nodes = vec!["n1".to_owned()];
        let command = InstallMsmqFeature {
            nodes,
            ..InstallMsmqFeature::default()
        };
        lab.client.run(command).is_ok() && start(&lab, "n1").is_ok()
    });
    new_queue(&lab); // it is not there any more
}
