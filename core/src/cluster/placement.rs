//! Where a group may be: one order of candidates that every node computes from the same view.
//!
//! ```text
//!   preferred owners, in order │ then the other nodes, by number
//!   minus: down · dead by evidence · paused · not a possible owner of each resource · the source of a move
//!   nodes without the features the group needs come last: the group would fail there
//! ```

use std::collections::BTreeSet;

use super::node::NodeState;
use super::record::fold;
use super::resource_type;
use super::view::View;

/// Why a group is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    /// It has no live owner.
    Orphaned,
    /// An operator, or a node that stops, moves it away from a node.
    Planned {
        /// That node.
        source: &'a str,
    },
    /// It failed on a node: the next one in the list, from that node on.
    Failed {
        /// That node.
        source: &'a str,
    },
}

/// Why a node is no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Its agent does not run.
    Down,
    /// It is paused.
    Paused,
    /// Not a possible owner of each resource.
    NotPossible,
}

impl Obstacle {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Down => "is down",
            Self::Paused => "is paused",
            Self::NotPossible => "is not a possible owner of each resource",
        }
    }
}

/// What keeps a node from owning a group, if anything does.
#[must_use]
pub fn obstacle(view: &View, dead: &BTreeSet<String>, group: &str, node: &str) -> Option<Obstacle> {
    let possible = view.resources_of(group).all(|(_, r)| {
        r.possible_owners.is_empty() || r.possible_owners.iter().any(|n| fold(n) == fold(node))
    });
    match NodeState::of(view, node) {
        NodeState::Down => Some(Obstacle::Down),
        _ if dead.contains(&fold(node)) => Some(Obstacle::Down),
        NodeState::Paused => Some(Obstacle::Paused),
        NodeState::Up if !possible => Some(Obstacle::NotPossible),
        NodeState::Up => None,
    }
}

/// The first feature a group needs and a node lacks.
#[must_use]
pub fn missing_feature(view: &View, group: &str, node: &str) -> Option<&'static str> {
    let installed = view.nodes.get(&fold(node)).map(|n| &n.features);
    view.resources_of(group)
        .filter_map(|(_, r)| resource_type::find(&r.resource_type)?.feature)
        .find(|feature| !installed.is_some_and(|set| set.contains(*feature)))
}

/// The nodes that may own a group, best first, by lower-case name.
#[must_use]
pub fn candidates(
    view: &View,
    dead: &BTreeSet<String>,
    group: &str,
    reason: Reason<'_>,
) -> Vec<String> {
    let mut list = order(view, group);
    let source = match reason {
        Reason::Orphaned => None,
        Reason::Planned { source } | Reason::Failed { source } => Some(fold(source)),
    };
    if let (Reason::Failed { .. }, Some(source)) = (reason, &source)
        && let Some(at) = list.iter().position(|n| n == source)
    {
        list.rotate_left(at);
    }
    list.retain(|node| {
        Some(node) != source.as_ref() && obstacle(view, dead, group, node).is_none()
    });
    list.sort_by_key(|node| missing_feature(view, group, node).is_some());
    list
}

/// All nodes in a group's order: preferred ones first, then the others by number.
#[must_use]
pub fn order(view: &View, group: &str) -> Vec<String> {
    let preferred = view
        .groups
        .get(&fold(group))
        .map(|g| g.preferred_owners.as_slice())
        .unwrap_or_default();
    let mut list: Vec<String> = preferred
        .iter()
        .map(|n| fold(n))
        .filter(|n| view.nodes.contains_key(n))
        .collect();
    let mut others: Vec<_> = view.nodes.iter().map(|(name, n)| (n.id, name)).collect();
    others.sort();
    for (_, name) in others {
        if !list.contains(name) {
            list.push(name.clone());
        }
    }
    list
}

/// Whether a group may be taken on evidence of its owner's death before the lease has run out, although
/// the death is not proven: nothing in it can be harmed by two owners.
#[must_use]
pub fn storage_fenced(view: &View, group: &str) -> bool {
    view.resources_of(group).all(|(_, r)| {
        let fenced = resource_type::find(&r.resource_type).is_some_and(|t| t.storage_fenced);
        fenced && coherent(&r.parameters)
    })
}

/// Whether a resource's file system is coherent between machines (the default). A file system on a
/// block device is not, unless a reservation keeps the former owner from writing.
#[must_use]
pub fn coherent(parameters: &std::collections::BTreeMap<String, String>) -> bool {
    let value = |wanted: &str| {
        let found = parameters
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim())
    };
    let shared_blocks = value("Device").is_some() && value("PersistentReservation") != Some("1");
    value("Coherent") != Some("0") && !shared_blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::record::{GroupConfig, NodeConfig, Session, encode, key};
    use crate::database::{Entry, Range};

    /// Nodes n1 to n4, all up but n4; the group prefers n2.
    fn view() -> View {
        let mut entries = Vec::new();
        let mut put = |key: String, value: Vec<u8>| {
            entries.push(Entry {
                key,
                value,
                version: 1,
                lease: None,
            });
        };
        for id in 1..=4 {
            let name = format!("n{id}");
            let node = NodeConfig {
                name: name.clone(),
                id,
                address: String::new(),
                paused: false,
                features: BTreeSet::new(),
            };
            put(key("node", &name), encode(&node));
            let session = Session {
                node: name.clone(),
                incarnation: String::new(),
                process: Default::default(),
                address: String::new(),
                since_ms: 0,
            };
            if id < 4 {
                put(key("session", &name), encode(&session));
            }
        }
        let group = GroupConfig {
            name: "G".to_owned(),
            preferred_owners: vec!["n2".to_owned()],
            auto_failback: false,
            failover_threshold: None,
            failover_period_hours: 6,
            persistent_online: true,
        };
        put(key("group", "G"), encode(&group));
        View::parse(&Range {
            revision: 1,
            entries,
        })
    }

    #[test]
    fn each_reason_has_its_order_of_candidates() {
        let view = view();
        let table: &[(&[&str], Reason<'_>, &[&str])] = &[
            (&[], Reason::Orphaned, &["n2", "n1", "n3"]),
            (&["n2"], Reason::Orphaned, &["n1", "n3"]),
            (&[], Reason::Planned { source: "n2" }, &["n1", "n3"]),
            (&[], Reason::Failed { source: "N1" }, &["n3", "n2"]),
            (&["n3"], Reason::Failed { source: "n1" }, &["n2"]),
            (&["n1", "n2", "n3"], Reason::Orphaned, &[]),
        ];
        for (dead, reason, expected) in table {
            let dead = dead.iter().map(|n| (*n).to_owned()).collect();
            assert_eq!(
                candidates(&view, &dead, "G", *reason),
                *expected,
                "{reason:?}"
            );
        }
    }
}
