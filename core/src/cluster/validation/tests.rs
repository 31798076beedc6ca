//! Each check passes on a good cluster, and finds the mistake that is made for it.

#![expect(
    clippy::semicolon_if_nothing_returned,
    clippy::too_many_lines,
    reason = "a table of mistakes, one assignment each, and one whole cluster to make them in"
)]

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, NodeFacts, ProcessFacts, SyncFacts, VolumeFacts, VolumeUse};
use super::{Outcome, Selection, checks, html, json, run};
use crate::cluster::dependency::Expression;
use crate::cluster::record::{
    ClusterConfig, Failure, Failures, FencingMode, GroupConfig, Interface, JoinToken, MoveRequest,
    NetworkConfig, NodeConfig, NodeInterfaces, Owner, Process, ResourceConfig, ResourceStatus,
    RestartPolicy, Session, fold,
};
use crate::cluster::view::{Table, Versioned, View};

const NOW: u64 = 1_800_000_000_000;

fn put<T>(table: &mut Table<T>, name: &str, row: T) {
    table.insert(fold(name), Versioned { row, version: 1 });
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn needs_all(list: &[&str]) -> Expression {
    Expression::each(names(list))
}

fn resource(name: &str, kind: &str, parameters: &[(&str, &str)], needs: &[&str]) -> ResourceConfig {
    let text = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
    ResourceConfig {
        name: name.into(),
        group: "VS1".into(),
        resource_type: kind.into(),
        parameters: parameters.iter().map(text).collect(),
        depends_on: needs_all(needs),
        possible_owners: Vec::new(),
        policy: RestartPolicy::default(),
        persistent_online: true,
        maintenance: false,
    }
}

fn interface(name: &str, net: u8, host: u8) -> Interface {
    Interface {
        name: name.into(),
        address: format!("10.0.{net}.{host}"),
        subnet: format!("10.0.{net}.0/24"),
        up: true,
        default_route: false,
    }
}

fn volume(used_as: VolumeUse, path: &str) -> VolumeFacts {
    VolumeFacts {
        file_system: if used_as == VolumeUse::Disk("Disk".into()) {
            "nfs4"
        } else {
            "ext4"
        }
        .into(),
        used_as,
        path: path.into(),
        exists: true,
        is_folder: true,
        mode: 0o40755,
        device: "/dev/sda1".into(),
        options: names(&["rw", "relatime"]),
        free: 8 << 30,
        total: 9 << 30,
        files_free: Some(1 << 20),
        trial: Some(SyncFacts {
            median_us: 900,
            max_us: 2000,
            renames: true,
            locks: true,
        }),
        ..VolumeFacts::default()
    }
}

fn add_node(facts: &mut Facts, number: u8) {
    let name = format!("n{number}");
    let pid = 100 + u32::from(number);
    let view = &mut facts.view;
    put(
        &mut view.nodes,
        &name,
        NodeConfig {
            name: name.clone(),
            id: number.into(),
            address: format!("10.0.0.{number}"),
            paused: false,
            features: BTreeSet::from(["MSMQ-Server".to_owned()]),
        },
    );
    put(
        &mut view.sessions,
        &name,
        Session {
            node: name.clone(),
            incarnation: "a".into(),
            process: Process {
                pid,
                ..Process::default()
            },
            address: format!("10.0.0.{number}"),
            since_ms: NOW,
            lease: None,
        },
    );
    let others = (1..=3).filter(|o| *o != number).map(|o| format!("n{o}"));
    put(
        &mut view.interfaces,
        &name,
        NodeInterfaces {
            interfaces: vec![interface("eth0", 0, number), interface("eth1", 1, number)],
            hears: Some(
                others
                    .flat_map(|o| ["10.0.0.0/24", "10.0.1.0/24"].map(|s| (o.clone(), s.to_owned())))
                    .collect(),
            ),
        },
    );
    let mut disk = volume(VolumeUse::Disk("Disk".into()), "/srv/vs1");
    disk.hold_epoch = Some(4);
    disk.hold_of = Some(("lab".into(), "VS1".into()));
    facts.nodes.insert(
        name.clone(),
        NodeFacts {
            node: name.clone(),
            version: "1.0.0".into(),
            program_bytes: Some(1000),
            kernel: "6.1".into(),
            architecture: "x86_64".into(),
            host_name: format!("host{number}"),
            boot_id: format!("boot{number}"),
            processors: 4,
            memory_total: 8 << 30,
            memory_available: 4 << 30,
            descriptors_max: 65536,
            processes_max: 10_000,
            load_hundredths: 50,
            clock_source: "tsc".into(),
            wall_ms: NOW,
            pid,
            may_set_addresses: true,
            has_certificate: true,
            address: format!("10.0.0.{number}"),
            addresses: vec![format!("10.0.0.{number}"), format!("10.0.1.{number}")],
            ephemeral_ports: Some((32768, 60999)),
            listeners: BTreeMap::from([(7800, format!("process {pid} (hamq)"))]),
            volumes: vec![
                volume(VolumeUse::Agent, &format!("/var/lib/n{number}")),
                volume(VolumeUse::Quorum, "/var/lib/quorum"),
                disk,
            ],
            queue_managers: vec![ProcessFacts {
                pid: 900,
                ancestors: vec![pid, 1],
                store: "/srv/vs1/msmq".into(),
            }],
            ..NodeFacts::default()
        },
    );
}

/// A good cluster: three machines, two networks, etcd, one virtual server with an application, and one offline address.
fn good() -> Facts {
    let mut facts = Facts {
        now_ms: NOW,
        ..Facts::default()
    };
    facts.database.location = "etcd://a,b,c/lab".into();
    facts.database.etcd_members = Some(3);
    for number in 1..=3 {
        add_node(&mut facts, number);
    }
    let view = &mut facts.view;
    view.cluster = Some(Versioned {
        version: 1,
        row: ClusterConfig {
            name: "lab".into(),
            same_subnet_delay_ms: 100,
            same_subnet_threshold: 15,
            lease_ttl_ms: 2000,
            fencing: FencingMode::Kill,
            created_ms: 1,
        },
    });
    for net in 0..2 {
        let name = format!("net{net}");
        put(
            &mut view.networks,
            &name,
            NetworkConfig {
                name: name.clone(),
                subnet: format!("10.0.{net}.0/24"),
                role: if net == 0 { 3 } else { 1 },
            },
        );
    }
    put(
        &mut view.groups,
        "VS1",
        GroupConfig {
            name: "VS1".into(),
            preferred_owners: names(&["n1", "n2"]),
            auto_failback: true,
            persistent_online: true,
            ..GroupConfig::new("VS1")
        },
    );
    put(
        &mut view.owners,
        "VS1",
        Owner {
            node: "n1".into(),
            incarnation: "a".into(),
            epoch: 4,
            cause: String::new(),
            left: BTreeMap::new(),
        },
    );
    put(
        &mut view.moves,
        "VS1",
        MoveRequest {
            target: "n2".into(),
            epoch: 4,
            cause: String::new(),
        },
    );
    let rows = [
        resource("Disk", "Physical Disk", &[("DiskPath", "/srv/vs1")], &[]),
        resource("IP", "IP Address", &[("Address", "10.0.0.50")], &[]),
        resource("Name", "Network Name", &[("Name", "VS1")], &["IP"]),
        resource("MSMQ", "MSMQ", &[], &["Disk", "Name"]),
        resource(
            "App",
            "Generic Application",
            &[
                ("CommandLine", "app"),
                ("CurrentDirectory", "/"),
                ("UseNetworkName", "1"),
            ],
            &["Name", "MSMQ"],
        ),
    ];
    for row in rows {
        let name = row.name.clone();
        let state = if name == "IP" { 3 } else { 2 };
        put(
            &mut view.states,
            &name,
            ResourceStatus {
                state,
                node: "n1".into(),
                epoch: 4,
                cause: "asked".into(),
                since_ms: NOW,
                endpoint: None,
                network_name: (name == "Name").then(|| "VS1".into()),
                resting: false,
            },
        );
        put(&mut view.resources, &name, row);
    }
    view.index_members();
    facts
}

fn r<'a>(facts: &'a mut Facts, name: &str) -> &'a mut ResourceConfig {
    &mut facts.view.resources.get_mut(&fold(name)).unwrap().row
}

fn g(facts: &mut Facts) -> &mut GroupConfig {
    &mut facts.view.groups.get_mut("vs1").unwrap().row
}

fn c(facts: &mut Facts) -> &mut ClusterConfig {
    &mut facts.view.cluster.as_mut().unwrap().row
}

fn n(facts: &mut Facts) -> &mut NodeFacts {
    facts.nodes.get_mut("n2").unwrap()
}

/// The disk of VS1 as n2 sees it.
fn v(facts: &mut Facts) -> &mut VolumeFacts {
    n(facts).volumes.last_mut().unwrap()
}

fn trial(facts: &mut Facts) -> &mut SyncFacts {
    v(facts).trial.as_mut().unwrap()
}

fn set(facts: &mut Facts, name: &str, parameter: &str, value: &str) {
    r(facts, name)
        .parameters
        .insert(parameter.into(), value.into());
}

fn copy(facts: &mut Facts, name: &str, new: &str) {
    let mut row = r(facts, name).clone();
    row.name = new.into();
    put(&mut facts.view.resources, new, row);
}

fn wanted(worst: Outcome, name: &str, facts: &Facts) -> bool {
    let selection = Selection {
        include: vec![name.to_owned()],
        exclude: Vec::new(),
    };
    run(facts, &selection)
        .iter()
        .map(|c| c.finding.outcome)
        .max()
        == Some(worst)
}

type Mistake = (&'static str, Outcome, fn(&mut Facts));
const W: Outcome = Outcome::Warning;
const F: Outcome = Outcome::Failed;

const MISTAKES: &[Mistake] = &[
    ("Validate Configuration Rows", F, |f| {
        f.view.damaged.push("/group/x".into())
    }),
    ("Validate Resource Types", F, |f| {
        r(f, "App").resource_type = "Printer".into()
    }),
    ("Validate Required Properties", F, |f| {
        r(f, "Disk").parameters.clear()
    }),
    ("Validate Required Dependencies", F, |f| {
        r(f, "MSMQ").depends_on = needs_all(&["Name"])
    }),
    ("Validate Dependency Targets", F, |f| {
        r(f, "App").depends_on = needs_all(&["Gone"])
    }),
    ("Validate Dependency Targets", F, |f| {
        r(f, "MSMQ").group = "VS2".into()
    }),
    ("Validate Dependency Cycles", F, |f| {
        r(f, "IP").depends_on = needs_all(&["MSMQ"])
    }),
    ("Validate One Message Queuing per Group", F, |f| {
        copy(f, "MSMQ", "MSMQ2")
    }),
    ("Validate Possible Owners", F, |f| {
        r(f, "App").possible_owners = names(&["n9"])
    }),
    ("Validate Preferred Owners", F, |f| {
        g(f).preferred_owners = names(&["n9"])
    }),
    ("Validate Preferred Owners", W, |f| {
        r(f, "App").possible_owners = names(&["n1", "n3"])
    }),
    ("Validate Failover Targets", W, |f| {
        r(f, "App").possible_owners = names(&["n1"])
    }),
    ("Validate Failover Targets", F, |f| {
        r(f, "App").possible_owners = names(&["n1"]);
        r(f, "IP").possible_owners = names(&["n2"]);
    }),
    ("Validate Application Network Name", F, |f| {
        set(f, "App", "UseNetworkName", "0")
    }),
    ("Validate Application Depends on Network Name", F, |f| {
        r(f, "App").depends_on = needs_all(&[])
    }),
    ("Validate Application Depends on Message Queuing", F, |f| {
        r(f, "App").depends_on = needs_all(&["Name"])
    }),
    ("Validate Network Name Unchanged", F, |f| {
        set(f, "Name", "Name", "VS9")
    }),
    ("Validate Unique Network Names", F, |f| {
        copy(f, "Name", "Name2")
    }),
    ("Validate Unique Network Names", F, |f| {
        set(f, "Name", "Name", "N2")
    }),
    ("Validate Unique Disks", F, |f| {
        copy(f, "Disk", "Disk2");
        set(f, "Disk2", "DiskPath", "/srv/vs1/inner");
    }),
    ("Validate Node Membership", F, |f| {
        drop(f.view.sessions.remove("n3"))
    }),
    ("Validate Node Membership", F, |f| {
        drop(f.silent.insert("n3".into(), "refused".into()))
    }),
    ("Validate Node Count", F, |f| {
        f.view.nodes.retain(|k, _| k == "n1")
    }),
    ("Validate Paused Nodes", W, |f| {
        f.view.nodes.get_mut("n2").unwrap().row.paused = true
    }),
    ("Validate Quorum Configuration", F, |f| {
        f.database.etcd_members = None
    }),
    ("Validate Quorum Configuration", W, |f| {
        f.database.etcd_members = Some(1)
    }),
    ("Validate Quorum Configuration", W, |f| {
        f.database.etcd_members = Some(4)
    }),
    ("Validate Resource Status", F, |f| {
        f.view.states.get_mut("msmq").unwrap().row.state = 4
    }),
    ("Validate Group Status", F, |f| f.view.owners.clear()),
    ("Validate Group Status", W, |f| {
        f.view.states.get_mut("app").unwrap().row.state = 3
    }),
    ("Validate Persistent States", W, |f| {
        r(f, "App").persistent_online = false
    }),
    ("Validate Lease and Heartbeat", F, |f| {
        c(f).lease_ttl_ms = 1000
    }),
    ("Validate Lease and Heartbeat", F, |f| {
        c(f).same_subnet_delay_ms = 900;
        c(f).same_subnet_threshold = 2;
    }),
    ("Validate Pending Timeouts", F, |f| {
        r(f, "App").policy.pending_timeout_ms = 2000
    }),
    ("Validate Restart Policies", W, |f| {
        r(f, "App").policy.threshold = 0
    }),
    ("Validate Failover Thresholds", W, |f| {
        g(f).failover_threshold = Some(0)
    }),
    ("Validate Failovers of Late", W, |f| {
        let entries = (0..2)
            .map(|i| Failure {
                id: i.to_string(),
                at_ms: NOW - 1,
                ..Failure::default()
            })
            .collect();
        put(&mut f.view.failovers, "VS1", Failures { entries });
    }),
    ("Validate Failback", W, |f| g(f).preferred_owners.clear()),
    ("Validate Fencing", W, |f| {
        c(f).fencing = FencingMode::Storage
    }),
    ("Validate Instances per Node", W, |f| {
        (2..5).for_each(|i| copy(f, "MSMQ", &format!("MSMQ{i}")))
    }),
    ("Validate Requests", W, |f| {
        f.view.moves.get_mut("vs1").unwrap().row.target = "n9".into()
    }),
    ("Validate Join Tokens", W, |f| {
        put(
            &mut f.view.tokens,
            "t",
            JoinToken {
                secret_hash: String::new(),
                expires_ms: NOW + 1,
            },
        )
    }),
    ("List Software Versions", W, |f| {
        n(f).version = "0.9.0".into()
    }),
    ("List Program Files", W, |f| n(f).program_bytes = Some(1)),
    ("List Program Files", W, |f| n(f).program_bytes = None),
    ("List Message Queuing Features", F, |f| {
        f.view
            .nodes
            .get_mut("n2")
            .unwrap()
            .row
            .features
            .insert("MSMQ-Triggers".into());
    }),
    ("Validate Message Queuing Installed", F, |f| {
        f.view.nodes.get_mut("n2").unwrap().row.features.clear()
    }),
    ("List Operating System Versions", W, |f| {
        n(f).kernel = "5.10".into()
    }),
    ("List Processor Architectures", W, |f| {
        n(f).architecture = "aarch64".into()
    }),
    ("List Processors", W, |f| n(f).processors = 1),
    ("List Memory", W, |f| n(f).memory_total = 1 << 30),
    ("List Machines", W, |f| n(f).boot_id = "boot1".into()),
    ("List Host Names", F, |f| n(f).host_name = "HOST1".into()),
    ("List Database Response", W, |f| f.database.read_ms = 501),
    ("Validate Database Version", W, |f| {
        f.database.notices.push("etcd 3.4.23: stale reads".into())
    }),
    ("Validate Agent Ports", F, |f| {
        drop(n(f).listeners.insert(7800, "process 1020 (nginx)".into()))
    }),
    ("Validate Unique Node Addresses", F, |f| {
        f.view.nodes.get_mut("n2").unwrap().row.address = "10.0.0.1:7800".into()
    }),
    ("Validate Node Addresses", F, |f| n(f).addresses.clear()),
    ("Validate Address Forms", F, |f| {
        set(f, "IP", "Address", "224.0.0.1")
    }),
    ("Validate Unique Addresses", F, |f| copy(f, "IP", "IP2")),
    ("Validate Unique Addresses", F, |f| {
        set(f, "IP", "Address", "10.0.0.2")
    }),
    ("Validate Addresses in Use", F, |f| {
        drop(
            n(f).address_listeners
                .insert("10.0.0.50:1801".into(), "process 7 (x)".into()),
        )
    }),
    ("Validate Addresses in Use", F, |f| {
        n(f).addresses.push("10.0.0.50".into())
    }),
    ("Validate Duplicate Addresses", F, |f| {
        n(f).duplicates.push("10.0.0.2".into())
    }),
    ("Validate Address Subnets", F, |f| {
        set(f, "IP", "Address", "10.0.9.50")
    }),
    ("Validate Address Rights", F, |f| {
        n(f).may_set_addresses = false
    }),
    ("Validate Network Roles", F, |f| {
        f.view.networks.get_mut("net0").unwrap().row.role = 1
    }),
    ("Validate Network Roles", F, |f| {
        f.view.networks.values_mut().for_each(|w| w.row.role = 0)
    }),
    ("Validate Network Redundancy", W, |f| {
        drop(f.view.networks.remove("net1"))
    }),
    ("Validate Network Interfaces", W, |f| {
        f.view.interfaces.get_mut("n2").unwrap().row.interfaces[1].up = false
    }),
    ("Validate Network Communication", F, |f| {
        f.view
            .interfaces
            .get_mut("n2")
            .unwrap()
            .row
            .hears
            .as_mut()
            .unwrap()
            .retain(|(from, _)| from != "n1")
    }),
    ("Validate Management Trust", F, |f| {
        n(f).has_certificate = false
    }),
    ("Validate Bound Addresses", W, |f| {
        n(f).binds_anything = true
    }),
    ("Validate Ephemeral Ports", W, |f| {
        n(f).ephemeral_ports = Some((1024, 65535))
    }),
    ("Validate Storage Folders", F, |f| v(f).is_folder = false),
    ("Validate Storage Folders", F, |f| {
        v(f).exists = false;
        v(f).is_folder = false;
    }),
    ("Validate Storage Access", F, |f| {
        v(f).trial = None;
        v(f).trial_error = Some("permission denied".into());
    }),
    ("Validate Storage Owners", W, |f| v(f).user_id = 1000),
    ("Validate Storage Permissions", W, |f| v(f).mode = 0o40777),
    ("Validate Mounted Writable", F, |f| {
        v(f).options = names(&["ro"])
    }),
    ("Validate File Systems", W, |f| {
        v(f).file_system = "tmpfs".into()
    }),
    ("Validate Mount Options", F, |f| {
        v(f).options.push("nobarrier".into())
    }),
    ("Validate Free Space", W, |f| v(f).free = 1 << 29),
    ("Validate Free Space", F, |f| v(f).free = 1 << 20),
    ("Validate Free Files", F, |f| v(f).files_free = Some(3)),
    ("Validate Sync Honesty", W, |f| trial(f).median_us = 3),
    ("Validate Sync Latency", W, |f| trial(f).median_us = 20_000),
    ("Validate Sync Latency", F, |f| trial(f).median_us = 200_000),
    ("Validate Rename Durability", F, |f| {
        trial(f).renames = false
    }),
    ("Validate File System Locks", F, |f| trial(f).locks = false),
    ("Validate Disk Holders", F, |f| {
        v(f).hold_of = Some(("other".into(), "VS1".into()))
    }),
    ("Validate Disk Epochs", F, |f| v(f).hold_epoch = Some(5)),
    ("Validate Quorum Disk", F, |f| {
        n(f).volumes[1].file_system = "nfs4".into()
    }),
    ("Validate Shared Storage", W, |f| {
        v(f).file_system = "ext4".into()
    }),
    ("Validate Separate Storage", F, |f| {
        v(f).path = "/var/lib/n3/vs1".into()
    }),
    ("Validate Descriptor Limits", W, |f| {
        n(f).descriptors_max = 1024
    }),
    ("Validate Descriptor Limits", F, |f| {
        n(f).descriptors_max = 256
    }),
    ("Validate Process Limits", W, |f| n(f).processes_max = 100),
    ("Validate Available Memory", W, |f| {
        n(f).memory_available = 1 << 20
    }),
    ("Validate Message Memory Pool", F, |f| {
        n(f).memory_total = 128 << 20
    }),
    ("Validate Processor Load", W, |f| {
        n(f).load_hundredths = 1601
    }),
    ("Validate Clock Skew", W, |f| n(f).skew_ms = -2000),
    ("Validate Clock Skew", F, |f| n(f).skew_ms = 61_000),
    ("Validate Clock Steadiness", W, |f| {
        n(f).clock_step_ms = 3000
    }),
    ("Validate Wall Clock", F, |f| n(f).wall_ms = 1000),
    ("Validate Boot Clock", W, |f| n(f).suspended_ms = 60_000),
    ("Validate Clock Source", W, |f| {
        n(f).clock_source = "hpet".into()
    }),
    ("Validate Node Service Start Mode", F, |f| {
        n(f).automatic_services.push("queues.service".into())
    }),
    ("Validate Agent Processes", F, |f| n(f).pid = 1),
    ("Validate Agent Processes", F, |f| {
        drop(f.view.sessions.remove("n2"))
    }),
    ("Validate Orphaned Processes", F, |f| {
        n(f).queue_managers[0].ancestors = vec![1]
    }),
    ("Validate Single Writers", F, |f| {
        let mut twin = n(f).queue_managers[0].clone();
        twin.pid = 901;
        n(f).queue_managers.push(twin);
    }),
];

#[test]
fn every_check_passes_where_all_is_well() {
    let facts = good();
    for (_, check) in checks() {
        let found = (check.look)(&facts);
        assert!(!found.is_empty(), "{} looks at nothing", check.name);
        let bad = found.iter().find(|f| f.outcome != Outcome::Passed);
        assert!(bad.is_none(), "{}: {bad:?}", check.name);
    }
}

#[test]
fn every_check_finds_the_mistake_that_it_is_for_and_says_what_to_do() {
    for (_, check) in checks() {
        assert!(
            MISTAKES.iter().any(|(name, ..)| *name == check.name),
            "{} has no mistake to find",
            check.name
        );
    }
    for (index, (name, worst, make)) in MISTAKES.iter().enumerate() {
        let mut facts = good();
        make(&mut facts);
        facts.view.index_members();
        assert!(
            wanted(*worst, name, &facts),
            "{name} (case {index}) is not {worst:?}"
        );
        for checked in run(&facts, &Selection::default()) {
            let troubled = checked.finding.outcome > Outcome::Cancelled;
            assert_eq!(troubled, !checked.finding.advice.is_empty(), "{checked:?}");
        }
    }
}

#[test]
fn there_are_sixty_checks_at_least_each_with_a_name_of_its_own() {
    let all: BTreeSet<_> = checks().map(|(_, c)| c.name).collect();
    assert_eq!(all.len(), checks().count());
    assert!(all.len() >= 60, "{}", all.len());
    assert!(checks().all(|(_, c)| !c.source.is_empty() && !c.description.is_empty()));
}

#[test]
fn no_check_stumbles_over_a_cluster_of_which_nothing_is_known() {
    let all = run(
        &Facts {
            view: View::default(),
            ..Facts::default()
        },
        &Selection::default(),
    );
    assert!(all.len() >= checks().count());
}

#[test]
fn checks_are_chosen_by_category_and_name() {
    let chosen = Selection {
        include: names(&["storage", "Validate Clock*"]),
        exclude: names(&["Validate Free Files"]),
    };
    chosen.check().unwrap();
    let all = run(&good(), &chosen);
    let has = |name: &str| all.iter().any(|c| c.name == name);
    assert!(has("Validate Free Space") && has("Validate Clock Skew"));
    assert!(!has("Validate Free Files") && !has("List Memory"));
    let left_out = Selection {
        include: Vec::new(),
        exclude: names(&["Inventory"]),
    };
    let all = run(&good(), &left_out);
    assert!(
        all.iter()
            .any(|c| c.name == "List Memory" && c.finding.outcome == Outcome::Cancelled)
    );
    let wrong = Selection {
        include: names(&["Storag"]),
        exclude: Vec::new(),
    };
    let error = wrong.check().unwrap_err();
    assert_eq!(error.hint.unwrap(), "did you mean \"Storage\"?");
}

#[test]
fn reports_hold_every_finding_and_take_names_as_text() {
    let mut facts = good();
    copy(&mut facts, "App", "<script>alert('x')</script>&");
    let all = run(&facts, &Selection::default());
    let page = html("lab", "now", &all);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    assert!(
        !page.contains("http")
            && page.contains("prefers-color-scheme")
            && page.contains("@media print")
    );
    assert_eq!(page.matches("<tr><td").count(), all.len());
    let value: serde_json::Value = serde_json::from_str(&json("lab", "now", &all)).unwrap();
    assert_eq!(value["Findings"].as_array().unwrap().len(), all.len());
    assert_eq!(
        value["Summary"]["Failed"],
        all.iter()
            .filter(|c| c.finding.outcome == Outcome::Failed)
            .count()
    );
}
