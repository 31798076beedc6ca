//! Three hosts with real addresses: they join by tokens, prove themselves, and lose networks and each other.
//!
//! ```text
//!   n1 ── 10.78.0.1 ── n2 ── 10.78.0.2 ── n3 ── 10.78.0.3     operator 10.78.0.9     the public switch
//!    └─── 10.79.0.1 ────┘── 10.79.0.2 ────┘── 10.79.0.3                               the private switch
//! ```
//!
//! They share the file system, and so a quorum disk on it: then what is cut off is their network alone. With the cluster
//! database in etcd, on a host of its own at the public switch, whoever is cut off has no database either; there the agents
//! are in process-number namespaces of their own too, so that none can end another as on one machine.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hamq_core::ErrorKind;
use hamq_core::api::access::{BlockClusterAccess, GrantClusterAccess, RemoveClusterAccess};
use hamq_core::api::checkpoint::SetClusterNodeSetting;
use hamq_core::api::client::Client;
use hamq_core::api::feature::InstallMsmqFeature;
use hamq_core::api::group::{
    AddClusterGroup, GetClusterGroup, StartClusterGroup, StopClusterGroup,
};
use hamq_core::api::message_service::RestartMsmqService;
use hamq_core::api::network::{GetClusterNetwork, GetClusterNetworkInterface, SetClusterNetwork};
use hamq_core::api::node::GetClusterNode;
use hamq_core::api::queue::{GetMsmqQueue, NewMsmqQueue};
use hamq_core::api::queue_manager::SetMsmqQueueManager;
use hamq_core::api::resource::AddClusterResource;
use hamq_core::api::trust::{NewClusterClientCertificate, NewClusterJoinToken};
use hamq_core::api::value::{Millis, to_value};
use hamq_tests::lab;
use hamq_tests::namespace::{self, Namespace};
use hamq_tests::process::wait_until;
use hamq_tests::site::{Host, Site, give, text};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn network_states(host: &Host, client: &Client) -> Vec<String> {
    let networks = give(host, client, GetClusterNetwork { name: None }).unwrap();
    networks
        .iter()
        .map(|n| format!("{} {}", n.subnet, n.state))
        .collect()
}

fn interface_state(host: &Host, client: &Client, node: &str, interface: &str) -> String {
    let command = GetClusterNetworkInterface {
        network: None,
        node: Some(node.into()),
    };
    let found = give(host, client, command).unwrap();
    let found = found.into_iter().find(|i| i.name == interface);
    found.map(|i| i.state).unwrap_or_default()
}

fn add_group(host: &Host, client: &Client, address: &str) {
    let group = AddClusterGroup {
        name: "G".into(),
        preferred_owners: vec!["n2".into(), "n3".into(), "n1".into()],
        auto_failback_type: Some(0),
        failover_threshold: None,
        failover_period: None,
    };
    give(host, client, group).unwrap();
    let resource = AddClusterResource {
        name: "G-IP".into(),
        group: Some("G".into()),
        resource_type: "IP Address".into(),
        parameters: vec![format!("Address={address}")],
        depends_on: Vec::new(),
        restart_threshold: None,
        restart_period: None,
        restart_delay: Some(Millis(0)),
    };
    give(host, client, resource).unwrap();
}

fn owner(host: &Host, client: &Client) -> Option<String> {
    let name = Some("G".into());
    let found = give(host, client, GetClusterGroup { name }).ok()?;
    let group = found.into_iter().next()?;
    group.owner_node.filter(|_| group.state == "Online")
}

#[test]
#[ignore = "needs root: it makes network namespaces"]
#[expect(
    clippy::too_many_lines,
    reason = "one story of one cluster, told to its end"
)]
fn as_root_hosts_join_by_tokens_and_nothing_is_accepted_without_proof() {
    if !namespace::can_be_made() {
        return;
    }
    let site = Site::new(PROGRAM);
    let (hosts, client) = site.three();
    let [one, _, _] = &hosts;

    // A token is used once, expires, and is of one cluster.
    let fourth = site.host(4);
    let token = give(one, &client, NewClusterJoinToken::default())
        .unwrap()
        .token;
    let fifth = site.host(5);
    assert!(site.join(&fourth, &token).status.success());
    let again = text(&site.join(&fifth, &token));
    assert!(again.contains("used already"), "{again}");
    let lifetime = Some(Millis(1));
    let short = give(one, &client, NewClusterJoinToken { lifetime })
        .unwrap()
        .token;
    std::thread::sleep(Duration::from_millis(5)); // by the wall clock, as people count
    let late = text(&site.join(&fifth, &short));
    assert!(late.contains("expired"), "{late}");
    let good = give(one, &client, NewClusterJoinToken::default())
        .unwrap()
        .token;
    let mut ticket = hamq_core::api::trust::Ticket::read(&good).unwrap();
    ticket.authority = "00".repeat(32);
    let wrong = text(&site.join(&fifth, &ticket.text().unwrap()));
    assert!(wrong.contains("no node of this cluster"), "{wrong}");
    assert!(!site.data(&fifth).join("node.json").exists());
    assert!(
        site.join(&fifth, &good).status.success(),
        "the refusals cost nothing"
    );

    // A client needs a file of this cluster.
    let outside = Namespace::new();
    site.public.connect(&outside, "eth0", &["10.78.0.9/24"]);
    let refused = site.operator(&outside, "nobody", "10.78.0.1").unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AccessDenied, "{refused}");
    let name = "alice".into();
    let file = give(one, &client, NewClusterClientCertificate { name }).unwrap();
    let path = site.folder.path().join("alice/clusters");
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("prod.pem"), &file.text).unwrap();
    let alice = site.operator(&outside, "alice", "prod").unwrap();
    let nodes = outside
        .run(|| alice.run(GetClusterNode { name: None }))
        .unwrap();
    assert_eq!(nodes.len(), 5);
    let by_address = site.operator(&outside, "alice", "10.78.0.2").unwrap();
    assert_eq!(by_address.cluster().as_deref(), Some("prod"));

    // Another cluster of the same name has another authority.
    let other = Site::new(PROGRAM);
    let foreign = other.host(1);
    other.create(&foreign);
    let foreign = other.data(&foreign).join("tls/client.pem");
    let foreign = std::fs::read_to_string(foreign).unwrap();
    std::fs::create_dir_all(site.folder.path().join("mallory/clusters")).unwrap();
    std::fs::write(
        site.folder.path().join("mallory/clusters/prod.pem"),
        foreign,
    )
    .unwrap();
    let refused = site.operator(&outside, "mallory", "prod").unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AccessDenied, "{refused}");

    // Whoever speaks without TLS hears an alert and the end, at both ports.
    for port in [7800, 7802] {
        let at: SocketAddr = format!("10.78.0.1:{port}").parse().unwrap();
        let answer = outside.run(|| {
            let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(10)).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(30)))
                .unwrap();
            let hello = b"{\"cluster\":\"prod\",\"node\":\"n2\",\"incarnation\":\"x\"}\n";
            stream.write_all(&hello.repeat(10)).unwrap();
            let mut answer = Vec::new();
            drop(stream.read_to_end(&mut answer));
            answer
        });
        assert!(answer.len() < 20, "port {port} said {answer:?}");
    }

    // And without certificates a node does not listen there at all.
    let naked = site.host(6);
    let words = [
        "--cluster",
        "x",
        "--name",
        "x",
        "--listen",
        "10.78.0.6",
        "--database",
        "/x",
    ];
    let said = text(&site.run(&naked, &words));
    assert!(
        said.contains("AccessDenied") && said.contains("hamq node create"),
        "{said}"
    );
}

#[test]
#[ignore = "needs root: it makes network namespaces"]
fn as_root_heartbeats_go_over_every_network_and_a_group_leaves_a_host_that_is_cut_off() {
    if !namespace::can_be_made() {
        return;
    }
    let site = Site::new(PROGRAM);
    let (hosts, client) = site.three();
    let [one, two, three] = &hosts;
    wait_until("both networks are up", || {
        network_states(one, &client) == ["10.78.0.0/24 Up", "10.79.0.0/24 Up"]
    });
    add_group(one, &client, "10.78.0.100");
    let start = || StartClusterGroup {
        name: "G".into(),
        wait: Some(Millis(60_000)),
    };
    give(one, &client, start()).unwrap();
    wait_until("G is on n2", || {
        owner(one, &client).as_deref() == Some("n2")
    });
    assert!(two.namespace.has_address("10.78.0.100"));

    // The private network of n3 is cut: the public one carries the heartbeats, so nobody suspects it.
    site.private.set(&three.private, false);
    wait_until("n3's private interface has failed", || {
        interface_state(one, &client, "n3", "eth1") == "Failed"
    });
    assert_eq!(
        network_states(one, &client),
        ["10.78.0.0/24 Up", "10.79.0.0/24 Partitioned"]
    );
    assert_eq!(interface_state(one, &client, "n1", "eth1"), "Up");
    let log = std::fs::read_to_string(site.data(one).join("cluster.log")).unwrap();
    assert!(!log.contains("node n3 may be dead"), "{log}");
    site.private.set(&three.private, true);
    wait_until("it is up again", || {
        network_states(one, &client) == ["10.78.0.0/24 Up", "10.79.0.0/24 Up"]
    });

    // The public network of n2 is cut: clients cannot reach G there.
    site.public.set(&two.public, false);
    wait_until("G is on n3", || {
        owner(one, &client).as_deref() == Some("n3")
    });
    assert!(three.namespace.has_address("10.78.0.100"));
    wait_until("n2 has it no more", || {
        !two.namespace.has_address("10.78.0.100")
    });

    // A network that is not for clients takes no address of a group.
    let role = SetClusterNetwork {
        name: "Cluster Network 1".into(),
        role: Some(1),
        new_name: Some("Public".into()),
    };
    let changed = give(one, &client, role).unwrap();
    assert_eq!((changed.name.as_str(), changed.role), ("Public", 1));
}

#[test]
#[ignore = "needs root: it makes network namespaces"]
fn as_root_a_node_chooses_its_address_for_messaging_by_the_rules_of_the_guide() {
    if !namespace::can_be_made() {
        return;
    }
    let site = Site::new(PROGRAM);
    let (hosts, client) = site.three();
    let one = &hosts[0];
    wait_until("both networks are up", || {
        network_states(one, &client) == ["10.78.0.0/24 Up", "10.79.0.0/24 Up"]
    });
    add_virtual_server(&site, one, &client);
    let set = |name: &str, value: &str| {
        let setting = SetClusterNodeSetting {
            node: "n1".into(),
            key: r"MSMQ\Parameters".into(),
            name: name.into(),
            value: Some(value.into()),
            delete: false,
        };
        give(one, &client, setting).unwrap();
    };
    let chosen = || {
        let node = "n1".to_owned();
        let found = give(one, &client, RestartMsmqService { node }).unwrap();
        let texts = [found.address, found.rule, found.multicast_address];
        texts.map(Option::unwrap_or_default).join(" ")
    };
    assert_eq!(chosen(), "10.78.0.1:7801 NotPrivate 10.78.0.1");
    let role = SetClusterNetwork {
        name: "Cluster Network 1".into(),
        role: Some(1),
        new_name: None,
    };
    give(one, &client, role).unwrap();
    assert_eq!(chosen(), "10.79.0.1:7801 NotPrivate 10.79.0.1");
    set("BindInterfaceIP", "10.78.0.1");
    assert_eq!(chosen(), "10.78.0.1:7801 BindInterfaceIP 10.78.0.1");
    set("BindInterfaceIP", "10.78.0.100");
    set("MulticastBindIP", "10.78.0.1");
    assert_eq!(chosen(), "10.79.0.1:7801 NotPrivate 10.78.0.1");
    let log = std::fs::read_to_string(site.data(one).join("cluster.log")).unwrap();
    for line in [
        "INFO  [MSMQ] address 10.78.0.1 was chosen for messaging: it is not private",
        "INFO  [MSMQ] address 10.79.0.1 was chosen for messaging: it is not private",
        "WARN  [MSMQ] BindInterfaceIP 10.78.0.100 is the address of G-IP (group G), not one of the node, and is ignored",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }

    // It proves itself to clients as the virtual servers do.
    let queue = NewMsmqQueue {
        name: r"n1\private$\orders".into(),
        ..NewMsmqQueue::default()
    };
    let other = &hosts[1];
    give(other, &client, queue).unwrap();
    other
        .namespace
        .run(|| lab::send(&client, r"n1\private$\orders", "over TLS"))
        .unwrap();
}

#[test]
#[ignore = "needs etcd and root: scripts/install-etcd; it makes network namespaces"]
fn on_etcd_a_group_leaves_a_host_that_is_cut_off_and_its_address_with_it() {
    if !namespace::can_be_made() {
        return;
    }
    let (site, _etcd) = Site::on_etcd(PROGRAM, 1);
    let (hosts, client) = site.three();
    let [one, two, three] = &hosts;
    add_group(one, &client, "10.78.0.100");
    let start = StartClusterGroup {
        name: "G".into(),
        wait: Some(Millis(60_000)),
    };
    give(one, &client, start).unwrap();
    wait_until("G is on n2", || {
        owner(one, &client).as_deref() == Some("n2")
    });
    for (from, to) in [(two, three), (three, two), (two, three), (three, two)] {
        let cut = Instant::now();
        site.public.set(&from.public, false);
        site.private.set(&from.private, false);
        wait_until(&format!("G is on {}", to.name), || {
            owner(one, &client).as_deref() == Some(to.name.as_str())
        });
        let took = format!(
            "FIGURE: cut off, online elsewhere after {:?}\n",
            cut.elapsed()
        );
        std::io::stderr().write_all(took.as_bytes()).unwrap();
        assert!(to.namespace.has_address("10.78.0.100"));
        wait_until("the host that is cut off has it no more", || {
            !from.namespace.has_address("10.78.0.100")
        });
        site.public.set(&from.public, true);
        site.private.set(&from.private, true);
        wait_until("it is a node again", || {
            let name = Some(from.name.clone());
            let nodes = give(one, &client, GetClusterNode { name });
            nodes.is_ok_and(|nodes| nodes[0].state == "Up")
        });
        assert_eq!(owner(one, &client).as_deref(), Some(to.name.as_str()));
    }
}

/// Message Queuing at 10.78.0.100, on a disk that all hosts share.
fn add_virtual_server(site: &Site, host: &Host, client: &Client) {
    let install = InstallMsmqFeature {
        nodes: Vec::new(),
        features: Vec::new(),
    };
    give(host, client, install).unwrap();
    add_group(host, client, "10.78.0.100");
    let disk = format!("DiskPath={}", site.folder.path().join("disk").display());
    for (name, kind, parameter, needs) in [
        ("G-Name", "Network Name", "Name=VS1", &["G-IP"][..]),
        ("G-Disk", "Physical Disk", disk.as_str(), &[]),
        ("G-MSMQ", "MSMQ", "", &["G-Disk", "G-Name"]),
    ] {
        let resource = AddClusterResource {
            name: name.into(),
            group: Some("G".into()),
            resource_type: kind.into(),
            parameters: (!parameter.is_empty())
                .then(|| parameter.to_owned())
                .into_iter()
                .collect(),
            depends_on: needs.iter().map(ToString::to_string).collect(),
            restart_threshold: None,
            restart_period: None,
            restart_delay: Some(Millis(0)),
        };
        give(host, client, resource).unwrap();
    }
    let start = StartClusterGroup {
        name: "G".into(),
        wait: Some(Millis(60_000)),
    };
    give(host, client, start).unwrap();
}

/// Who may only look is no administrator of the queues either, and who is blocked is let in nowhere.
fn rights_of_a_client(
    host: &Host,
    client: &Client,
    outside: &Namespace,
    alice: &Client,
    queue: &str,
) {
    let users = || vec!["alice".to_owned()];
    let looks = GrantClusterAccess {
        users: users(),
        read_only: true,
        ..GrantClusterAccess::default()
    };
    give(host, client, looks).unwrap();
    let limit = SetMsmqQueueManager {
        computer: "VS1".into(),
        message_quota: Some("8GB".into()),
        ..SetMsmqQueueManager::default()
    };
    let limit = to_value(&limit).unwrap();
    wait_until("a user's rights at the queue manager", || {
        let foreseen = outside.run(|| alice.what_if("Set-MsmqQueueManager", limit.clone()));
        foreseen.is_err_and(|e| e.kind == ErrorKind::AccessDenied)
    });
    let nodes = outside.run(|| alice.run(GetClusterNode { name: None }));
    assert_eq!(nodes.unwrap().len(), 3, "looking is allowed");
    let stop = StopClusterGroup {
        name: "VS1".into(),
        wait: None,
    };
    let refused = outside.run(|| alice.run(stop)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AccessDenied, "{refused}");
    assert!(refused.message.contains("may only look"), "{refused}");
    give(host, client, BlockClusterAccess { users: users() }).unwrap();
    wait_until("alice to be blocked", || {
        let nodes = outside.run(|| alice.run(GetClusterNode { name: None }));
        nodes.is_err_and(|e| e.kind == ErrorKind::AccessDenied)
    });
    // Her sessions end, and none begins: the certificate opens nothing.
    let queues = || GetMsmqQueue {
        name: queue.into(),
        ..GetMsmqQueue::default()
    };
    wait_until("her sessions to end", || {
        outside.run(|| alice.run(queues())).is_err()
    });
    give(host, client, RemoveClusterAccess { users: users() }).unwrap();
    wait_until("alice to be let in again", || {
        outside.run(|| lab::send(alice, queue, "back")).is_ok()
    });
}

#[test]
#[ignore = "needs etcd and root: scripts/install-etcd; it makes network namespaces"]
fn on_etcd_a_queue_goes_on_at_its_real_address_when_its_host_is_cut_off() {
    if !namespace::can_be_made() {
        return;
    }
    let (site, _etcd) = Site::on_etcd(PROGRAM, 1);
    let (hosts, client) = site.three();
    let [one, two, three] = &hosts;
    add_virtual_server(&site, one, &client);
    assert_eq!(owner(one, &client).as_deref(), Some("n2"));

    // An application on a machine of its own, with a client's file.
    let outside = Namespace::new();
    site.public.connect(&outside, "eth0", &["10.78.0.9/24"]);
    let name = "alice".into();
    let file = give(one, &client, NewClusterClientCertificate { name }).unwrap();
    let path = site.folder.path().join("alice.pem");
    std::fs::write(&path, &file.text).unwrap();
    let alice = site
        .operator(&outside, "alice", path.to_str().unwrap())
        .unwrap();
    let queue = r"VS1\private$\orders";
    let send = |body: usize| outside.run(|| lab::send(&alice, queue, &body.to_string()));
    outside
        .run(|| {
            alice.run(NewMsmqQueue {
                name: queue.into(),
                transactional: true,
                ..NewMsmqQueue::default()
            })
        })
        .unwrap();
    for body in 0..100 {
        send(body).unwrap();
    }
    site.public.set(&two.public, false);
    site.private.set(&two.private, false);
    let cut = Instant::now();
    for body in 100..200 {
        send(body).unwrap();
    }
    let took = format!("FIGURE: cut off, sent again after {:?}\n", cut.elapsed());
    std::io::stderr().write_all(took.as_bytes()).unwrap();
    assert_eq!(owner(one, &client).as_deref(), Some("n3"));
    let received = outside.run(|| lab::receive_all(&alice, queue)).unwrap();
    let expected: Vec<String> = (0..200).map(|body| body.to_string()).collect();
    assert_eq!(received, expected);

    rights_of_a_client(one, &client, &outside, &alice, queue);

    // Who has no certificate of this cluster hears nothing of the queues.
    let at: SocketAddr = "10.78.0.100:7801".parse().unwrap();
    let answer = outside.run(|| {
        let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(10)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.write_all(&[0; 64]).unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        answer
    });
    assert!(answer.len() < 20, "{answer:?}");
    assert!(three.namespace.has_address("10.78.0.100"));
}
