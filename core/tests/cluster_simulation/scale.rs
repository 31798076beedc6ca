//! Two hundred groups on five nodes, and one node is lost.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hamq_core::cluster::engine::{
    Action, Engine, Event, Evidence, FenceOutcome, Intent, Now, Settings,
};
use hamq_core::cluster::record::{
    GroupConfig, NodeConfig, Owner, ResourceConfig, RestartPolicy, Session, encode, key,
};
use hamq_core::cluster::view::View;
use hamq_core::database::{Entry, Range};

use crate::node::name;

const GROUPS: usize = 200;
const NODES: usize = 5;

/// Each group has a disk and an address; its owners follow one another round the nodes.
fn cluster() -> View {
    let mut entries = Vec::new();
    let mut put = |key: String, value: Vec<u8>| {
        entries.push(Entry {
            key,
            value,
            version: 1,
            lease: None,
        });
    };
    for index in 0..NODES {
        let node = NodeConfig {
            name: name(index),
            id: index as u64 + 1,
            address: String::new(),
            paused: false,
            features: BTreeSet::new(),
        };
        put(key("node", &name(index)), encode(&node));
        let session = Session {
            node: name(index),
            incarnation: name(index),
            process: Default::default(),
            address: String::new(),
            since_ms: 0,
            lease: None,
        };
        put(key("session", &name(index)), encode(&session));
    }
    for number in 0..GROUPS {
        let group = format!("g{number}");
        let config = GroupConfig {
            preferred_owners: (0..NODES).map(|i| name((number + i) % NODES)).collect(),
            persistent_online: true,
            ..GroupConfig::new(&group)
        };
        put(key("group", &group), encode(&config));
        let owner = Owner {
            node: name(number % NODES),
            incarnation: name(number % NODES),
            epoch: 1,
            cause: "the group is new".to_owned(),
            left: Default::default(),
        };
        put(key("owner", &group), encode(&owner));
        for (kind, parameter) in [("Physical Disk", "DiskPath"), ("IP Address", "Address")] {
            let resource = ResourceConfig {
                name: format!("{group}-{kind}"),
                group: group.clone(),
                resource_type: kind.to_owned(),
                parameters: [(parameter.to_owned(), "x".to_owned())].into(),
                depends_on: hamq_core::cluster::dependency::Expression::default(),
                maintenance: false,
                possible_owners: Vec::new(),
                policy: RestartPolicy::default(),
                persistent_online: true,
            };
            put(key("resource", &resource.name), encode(&resource));
        }
    }
    View::parse(&Range {
        revision: 1,
        entries,
    })
}

fn at(ms: u64) -> Now {
    Now {
        boot: Duration::from_millis(ms),
        ..Now::default()
    }
}

/// The engine of a node that is up, and the time that deciding took it.
fn lose_n1(index: usize, view: &View) -> (Vec<String>, Duration) {
    let mut engine = Engine::new(Settings {
        node: name(index),
        boot_id: "k".to_owned(),
        lease_ttl: Duration::from_secs(2),
        failback_delay: Duration::from_secs(1),
    });
    let sent = Duration::from_millis(1000);
    let incarnation = name(index);
    let revision = 1;
    let started = Event::SessionStarted {
        incarnation,
        revision,
        sent,
    };
    engine.handle(started, at(1000));
    engine.handle(Event::Snapshot(Box::new(view.clone())), at(1001));
    let (node, incarnation) = (name(0), name(0));
    let began = Instant::now();
    let mut actions = engine.handle(
        Event::Evidence {
            node: node.clone(),
            incarnation: incarnation.clone(),
            evidence: Evidence::Closed,
        },
        at(1010),
    );
    let outcome = FenceOutcome::Dead("has ended".to_owned());
    let fenced = Event::Fenced {
        node,
        incarnation,
        outcome,
    };
    actions.extend(engine.handle(fenced, at(1020)));
    let took = began.elapsed();
    let claimed = actions.into_iter().filter_map(|action| match action {
        Action::Commit {
            intent: Intent::Claim { group },
            ..
        } => Some(group),
        _ => None,
    });
    (claimed.collect(), took)
}

#[test]
fn all_groups_of_a_lost_node_are_decided_at_once_and_each_by_one_node() {
    let view = cluster();
    let mut claimed = Vec::new();
    for index in 1..NODES {
        let (groups, took) = lose_n1(index, &view);
        println!(
            "{} claims {} groups, decided in {took:?}",
            name(index),
            groups.len()
        );
        claimed.extend(groups);
    }
    // By the one event of the fencing; nothing waits for another group's turn.
    let distinct: BTreeSet<&String> = claimed.iter().collect();
    assert_eq!(
        distinct.len(),
        claimed.len(),
        "two nodes claim the same group"
    );
    assert_eq!(claimed.len(), GROUPS / NODES);
}
