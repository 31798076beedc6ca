//! Addresses of a network, on machines of their own: asked for before, announced after, gone with their owner.
//!
//! ```text
//!   observer 10.77.0.9      n1 10.77.0.1      n2 10.77.0.2      G's 10.77.0.100
//!        └───────────────────┴─── a switch ────┘
//! ```
//!
//! The agents meet in the database alone, as in `namespaces.rs`; what crosses the switch is ARP and neighbor discovery.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::ErrorKind as Io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use hamq_core::api::cluster::{ClusterInfo, GetCluster, StopCluster};
use hamq_core::api::group::{
    AddClusterGroup, MoveClusterGroup, StartClusterGroup, StopClusterGroup,
};
use hamq_core::api::value::Millis;
use hamq_core::{Error, ErrorKind, Result};
use hamq_tests::lab::Lab;
use hamq_tests::machine::Machine;
use hamq_tests::namespace::{self, Namespace, Switch};
use hamq_tests::process::{freeze, signal, wait_until};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");
const ADDRESS: &str = "10.77.0.100";
const ADDRESS_6: &str = "fd77::100";

/// A stopped cluster with a group G of one address, a switch, and who looks on.
struct Scene {
    lab: Lab,
    cluster: ClusterInfo,
    switch: Switch,
    observer: Namespace,
}

impl Scene {
    fn new(parameters: &[&str]) -> Self {
        let lab = Lab::with(PROGRAM, |command| command.fencing = Some("Storage".into())).unwrap();
        lab.client
            .run(AddClusterGroup {
                name: "G".into(),
                preferred_owners: vec!["n1".into(), "n2".into()],
                auto_failback_type: Some(0),
                failover_threshold: None,
                failover_period: None,
            })
            .unwrap();
        lab.add_resource("G-IP", "G", "IP Address", parameters, &[])
            .unwrap();
        let name = Some(lab.name.clone());
        let found = lab.client.run(GetCluster { name: name.clone() }).unwrap();
        lab.client.run(StopCluster { name }).unwrap();
        let (switch, observer) = (Switch::new(), Namespace::new());
        switch.connect(&observer, "eth0", &["10.77.0.9/24", "fd77::9/64"]);
        Self {
            lab,
            cluster: found.into_iter().next().unwrap(),
            switch,
            observer,
        }
    }

    /// A machine at the switch.
    fn machine(&self, number: u8) -> Machine {
        self.machine_by(&[PROGRAM], number)
    }

    fn machine_by(&self, program: &[&str], number: u8) -> Machine {
        let network = Namespace::new();
        let addresses = [format!("10.77.0.{number}/24"), format!("fd77::{number}/64")];
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        self.switch.connect(&network, "eth0", &addresses);
        let home = self.lab.folder.path().join("machines");
        Machine::start(program, &self.cluster, number, &home, network)
    }

    /// Whether a machine answers at the address for the observer: nobody listens, and its kernel says so.
    fn is_answered(&self, address: &str) -> bool {
        let at = SocketAddr::new(address.parse().unwrap(), 9);
        let tried = self
            .observer
            .run(|| TcpStream::connect_timeout(&at, Duration::from_millis(500)));
        tried.is_err_and(|e| e.kind() == Io::ConnectionRefused)
    }

    /// Whether the observer would send what is for the address to that machine.
    fn leads_to(&self, address: &str, machine: &Machine) -> bool {
        self.observer.neighbor(address) == Some(machine.namespace.hardware("eth0"))
    }
}

fn start(machine: &Machine) -> Result<()> {
    let command = StartClusterGroup {
        name: "G".into(),
        wait: Some(Millis(60_000)),
    };
    machine.inside(|client| client.run(command)).map(drop)
}

fn move_to(machine: &Machine, node: &str) {
    let command = MoveClusterGroup {
        name: "G".into(),
        node: Some(node.into()),
        wait: Some(Millis(60_000)),
    };
    machine.inside(|client| client.run(command)).unwrap();
    machine.wait_for_owner("G", node);
}

fn wait_for_both(one: &Machine, two: &Machine) {
    wait_until("n1 sees n2", || one.state_of("n2").as_deref() == Some("Up"));
    wait_until("n2 sees n1", || two.state_of("n1").as_deref() == Some("Up"));
}

#[test]
#[ignore = "needs root: it makes network namespaces"]
fn as_root_an_address_moves_and_its_neighbors_learn_where_it_is() {
    if !namespace::can_be_made() {
        return;
    }
    for address in [ADDRESS, ADDRESS_6] {
        let scene = Scene::new(&[&format!("Address={address}")]);
        let (one, two) = (scene.machine(1), scene.machine(2));
        wait_for_both(&one, &two);
        start(&one).unwrap();
        one.wait_for_owner("G", "n1");
        assert!(one.namespace.has_address(address));
        assert!(scene.is_answered(address) && scene.leads_to(address, &one));

        move_to(&one, "n2");
        // The observer sends nothing meanwhile: it was told.
        wait_until("the observer has learned it", || {
            scene.leads_to(address, &two)
        });
        assert!(!one.namespace.has_address(address) && two.namespace.has_address(address));
        assert!(scene.is_answered(address));

        let stop = StopClusterGroup {
            name: "G".into(),
            wait: Some(Millis(60_000)),
        };
        two.inside(|client| client.run(stop)).unwrap();
        assert!(!two.namespace.has_address(address) && !scene.is_answered(address));
    }
}

#[test]
#[ignore = "needs root: it makes network namespaces"]
fn as_root_an_address_that_somebody_has_is_refused_with_who_has_it() {
    if !namespace::can_be_made() {
        return;
    }
    for (address, prefix) in [(ADDRESS, 24), (ADDRESS_6, 64)] {
        let scene = Scene::new(&[&format!("Address={address}")]);
        let one = scene.machine(1);
        scene
            .observer
            .ip(&format!("address add {address}/{prefix} dev eth0"));
        wait_until("the observer may use it", || {
            !scene
                .observer
                .ip("address show tentative")
                .contains(address)
        });
        let refused = start(&one).unwrap_err();
        let log = std::fs::read_to_string(log_of(&scene, "n1")).unwrap();
        assert!(
            log.contains("is in use on the network of eth0"),
            "{refused}\n{log}"
        );
        if address == ADDRESS {
            assert!(log.contains(&scene.observer.hardware("eth0")), "{log}");
        }
        assert!(!one.namespace.has_address(address));

        scene
            .observer
            .ip(&format!("address del {address}/{prefix} dev eth0"));
        // The restarts of the first try may still be reporting.
        wait_until("it comes online now", || start(&one).is_ok());
        assert!(one.namespace.has_address(address));
    }
}

fn log_of(scene: &Scene, node: &str) -> std::path::PathBuf {
    std::path::Path::new(&scene.cluster.path)
        .join(node)
        .join("cluster.log")
}

#[test]
#[ignore = "needs root: it makes network namespaces"]
fn as_root_the_address_of_a_dead_agent_and_of_a_frozen_one_goes_by_itself() {
    if !namespace::can_be_made() {
        return;
    }
    let scene = Scene::new(&[&format!("Address={ADDRESS}")]);
    let (mut one, two) = (scene.machine(1), scene.machine(2));
    wait_for_both(&one, &two);
    start(&one).unwrap();
    one.wait_for_owner("G", "n1");
    let lifetime = one.namespace.ip("address show dev eth0");
    assert!(
        lifetime.contains("valid_lft 2sec") || lifetime.contains("valid_lft 1sec"),
        "{lifetime}"
    );

    // Nobody cleans up behind it: n1's kernel still has the address.
    one.agent.kill().unwrap();
    one.agent.wait().unwrap();
    two.wait_for_owner("G", "n2");
    wait_until("n1's kernel has removed it", || {
        !one.namespace.has_address(ADDRESS)
    });
    wait_until("it leads to n2", || {
        scene.is_answered(ADDRESS) && scene.leads_to(ADDRESS, &two)
    });

    let home = scene.lab.folder.path().join("machines");
    drop(one);
    let one = scene.machine(1);
    wait_for_both(&one, &two);
    let frozen = two.agent.id();
    freeze(frozen);
    one.wait_for_owner("G", "n1");
    wait_until("n2's kernel has removed it", || {
        !two.namespace.has_address(ADDRESS)
    });
    assert!(one.namespace.has_address(ADDRESS), "see {}", home.display());
    // Thawed, it does not take it back.
    signal(frozen, Signal::CONT);
    wait_for_both(&one, &two);
    two.wait_for_owner("G", "n1");
    assert!(one.namespace.has_address(ADDRESS) && !two.namespace.has_address(ADDRESS));
}

#[test]
#[ignore = "needs root: it makes network namespaces"]
fn as_root_an_interface_that_goes_down_takes_its_groups_elsewhere() {
    if !namespace::can_be_made() {
        return;
    }
    let scene = Scene::new(&[&format!("Address={ADDRESS}")]);
    let (one, two) = (scene.machine(1), scene.machine(2));
    wait_for_both(&one, &two);
    start(&one).unwrap();
    one.wait_for_owner("G", "n1");
    one.namespace.ip("link set eth0 down");
    two.wait_for_owner("G", "n2");
    assert!(two.namespace.has_address(ADDRESS));
    let log = std::fs::read_to_string(log_of(&scene, "n1")).unwrap();
    assert!(
        log.contains("interface eth0 of address 10.77.0.100 is down"),
        "{log}"
    );
}

#[test]
#[ignore = "needs root: it makes network namespaces"]
fn as_root_an_agent_without_rights_says_which_it_needs() {
    if !namespace::can_be_made() {
        return;
    }
    let scene = Scene::new(&[&format!("Address={ADDRESS}")]);
    let program = ["setpriv", "--bounding-set=-net_admin,-net_raw", PROGRAM];
    let one = scene.machine_by(&program, 1);
    let error: Error = start(&one).unwrap_err();
    let log = std::fs::read_to_string(log_of(&scene, "n1")).unwrap();
    assert!(log.contains("CAP_NET_ADMIN"), "{error}\n{log}");
    assert_ne!(error.kind, ErrorKind::Timeout);
}
