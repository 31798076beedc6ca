//! Where a group may be: one order of candidates that every node computes from the same view.
//!
//! ```text
//!   preferred owners, in order │ then the default owner │ then the other nodes, by number
//!   minus: down · dead by evidence · paused · not a possible owner of each resource · the source of a move
//!          · a rival there, where anti-affinity is enforced · quarantined (unless no other is left)
//!   then:  nodes without the features the group needs come last: the group would fail there
//!          before them nodes with a rival
//! ```
//!
//! What is known of each node is a [`Standing`]; [`rank`] decides on standings alone, so that a decision
//! that was stored with them can be decided again. Several groups without an owner are placed one after the
//! other, by priority ([`plan`]): each sees where those before it go.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::affinity::{Places, conflict, rivals};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Obstacle {
    /// Its agent does not run.
    Down,
    /// It is paused.
    Paused,
    /// Not a possible owner of each resource.
    NotPossible,
    /// It hosts a group that this one is to keep apart from, and that is enforced.
    AntiAffinity,
    /// It left too often.
    Quarantined,
}

impl Obstacle {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Down => "is down",
            Self::Paused => "is paused",
            Self::NotPossible => "is not a possible owner of each resource",
            Self::AntiAffinity => "hosts a group of the same anti-affinity class",
            Self::Quarantined => "is quarantined: it left the cluster too often",
        }
    }
}

/// What is known of a node as an owner of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The node, by lower-case name.
    pub node: String,
    /// What keeps it from owning the group.
    pub obstacle: Option<Obstacle>,
    /// The feature it lacks.
    pub lacks: Option<String>,
    /// The group there that this one is to keep apart from.
    pub rival: Option<String>,
}

/// What keeps a node from owning a group, if anything does.
#[must_use]
pub fn obstacle(view: &View, dead: &BTreeSet<String>, group: &str, node: &str) -> Option<Obstacle> {
    let enforced = view.policy().enforced_anti_affinity;
    let rival = match enforced {
        true => conflict(view, &Places::new(), &rivals(view, group), node),
        false => None,
    };
    hindrance(view, dead, group, node, rival.is_some())
}

fn hindrance(
    view: &View,
    dead: &BTreeSet<String>,
    group: &str,
    node: &str,
    rival: bool,
) -> Option<Obstacle> {
    let node = fold(node);
    if !view.sessions.contains_key(&node) || dead.contains(&node) {
        return Some(Obstacle::Down);
    }
    if view.is_paused(&node) {
        return Some(Obstacle::Paused);
    }
    let possible = view.resources_of(group).all(|(_, r)| {
        r.possible_owners.is_empty() || r.possible_owners.iter().any(|n| fold(n) == node)
    });
    if !possible {
        return Some(Obstacle::NotPossible);
    }
    if rival && view.policy().enforced_anti_affinity {
        return Some(Obstacle::AntiAffinity);
    }
    view.is_quarantined(&node).then_some(Obstacle::Quarantined)
}

/// The first feature a group needs and a node lacks.
#[must_use]
pub fn missing_feature(view: &View, group: &str, node: &str) -> Option<&'static str> {
    let installed = view.nodes.get(&fold(node)).map(|n| &n.features);
    view.resources_of(group)
        .filter_map(|(_, r)| resource_type::find(&r.resource_type)?.feature)
        .find(|feature| !installed.is_some_and(|set| set.contains(*feature)))
}

/// What is known of every node, in the group's order; `places` says where other groups are going.
#[must_use]
pub fn standings(
    view: &View,
    dead: &BTreeSet<String>,
    places: &Places,
    group: &str,
) -> Vec<Standing> {
    let rivals = rivals(view, group);
    let of = |node: String| {
        let rival = conflict(view, places, &rivals, &node);
        Standing {
            obstacle: hindrance(view, dead, group, &node, rival.is_some()),
            lacks: missing_feature(view, group, &node).map(str::to_owned),
            rival,
            node,
        }
    };
    order(view, group).into_iter().map(of).collect()
}

/// The nodes that may own a group, best first: a function of what is known of them.
#[must_use]
pub fn rank(standings: &[Standing], reason: Reason<'_>) -> Vec<String> {
    let mut list: Vec<&Standing> = standings.iter().collect();
    let source = match reason {
        Reason::Orphaned => None,
        Reason::Planned { source } | Reason::Failed { source } => Some(fold(source)),
    };
    if let (Reason::Failed { .. }, Some(source)) = (reason, &source)
        && let Some(at) = list.iter().position(|s| s.node == *source)
    {
        list.rotate_left(at);
    }
    list.retain(|s| Some(&s.node) != source.as_ref());
    let fit = |s: &&&Standing| s.obstacle.is_none();
    let resort = |s: &&&Standing| s.obstacle == Some(Obstacle::Quarantined);
    let mut best: Vec<&Standing> = list.iter().filter(fit).copied().collect();
    if best.is_empty() && reason == Reason::Orphaned {
        best = list.iter().filter(resort).copied().collect();
    }
    best.sort_by_key(|s| (s.lacks.is_some(), s.rival.is_some()));
    best.into_iter().map(|s| s.node.clone()).collect()
}

/// The nodes that may own a group, best first, by lower-case name.
#[must_use]
pub fn candidates(
    view: &View,
    dead: &BTreeSet<String>,
    group: &str,
    reason: Reason<'_>,
) -> Vec<String> {
    rank(&standings(view, dead, &Places::new(), group), reason)
}

/// All nodes in a group's order: preferred ones first, then the default owner, then the others by number.
#[must_use]
pub fn order(view: &View, group: &str) -> Vec<String> {
    let config = view.groups.get(&fold(group));
    let preferred = config.map(|g| g.preferred_owners.as_slice());
    let usual = config.and_then(|g| g.default_owner.as_ref());
    let named = preferred.unwrap_or_default().iter().chain(usual);
    let mut others: Vec<_> = view.nodes.iter().map(|(name, n)| (n.id, name)).collect();
    others.sort();
    let others = others.into_iter().map(|(_, name)| name.clone());
    let mut list: Vec<String> = Vec::with_capacity(view.nodes.len());
    for name in named.map(|n| fold(n)).chain(others) {
        if view.nodes.contains_key(&name) && !list.contains(&name) {
            list.push(name);
        }
    }
    list
}

/// Where a group goes when its node is drained: to the node that was named, else to the best other.
#[must_use]
pub fn drain_target(
    view: &View,
    dead: &BTreeSet<String>,
    group: &str,
    node: &str,
) -> Option<String> {
    let named = view.pauses.get(&fold(node)).and_then(|p| p.target.as_ref());
    let named = named
        .map(|n| fold(n))
        .filter(|n| *n != fold(node) && obstacle(view, dead, group, n).is_none());
    let best = || {
        let reason = Reason::Planned { source: node };
        candidates(view, dead, group, reason).into_iter().next()
    };
    named.or_else(best)
}

/// Groups by priority, the highest first, then by name: the order in which they are placed and started.
#[must_use]
pub fn by_priority(view: &View) -> Vec<String> {
    let mut groups: Vec<_> = view.groups.iter().map(|(n, g)| (g.priority, n)).collect();
    groups.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    groups.into_iter().map(|(_, name)| name.clone()).collect()
}

/// Whether a group needs an owner: it has none, or its owner may be dead.
#[must_use]
pub fn is_orphaned(view: &View, dead: &BTreeSet<String>, group: &str) -> bool {
    view.live_owner(group)
        .is_none_or(|owner| dead.contains(&fold(&owner.node)))
}

/// Where the groups without a live owner go.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The node of each; empty where none can take it.
    pub places: Places,
    /// What each was decided on.
    pub standings: std::collections::BTreeMap<String, Vec<Standing>>,
}

/// Places each group without a live owner, one after the other by priority.
#[must_use]
pub fn plan(view: &View, dead: &BTreeSet<String>) -> Plan {
    let mut plan = Plan::default();
    let orphaned = by_priority(view)
        .into_iter()
        .filter(|group| is_orphaned(view, dead, group));
    for group in orphaned {
        let known = standings(view, dead, &plan.places, &group);
        // A group that nobody can take is nowhere, and keeps no other away.
        let best = rank(&known, Reason::Orphaned).into_iter().next();
        plan.standings.insert(group.clone(), known);
        plan.places.insert(group, best.unwrap_or_default());
    }
    plan
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
                lease: None,
            };
            if id < 4 {
                put(key("session", &name), encode(&session));
            }
        }
        for name in ["G", "H", "I"] {
            let group = GroupConfig {
                preferred_owners: vec!["n2".to_owned()],
                ..GroupConfig::new(name)
            };
            put(key("group", name), encode(&group));
        }
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

    fn change(view: &mut View, key: String, value: Vec<u8>) {
        let writes = vec![crate::database::Write::Put {
            key,
            value,
            lease: None,
        }];
        let transaction = crate::database::Transaction {
            guards: Vec::new(),
            writes,
        };
        view.apply(&transaction, view.revision + 1);
    }

    fn group(view: &mut View, name: &str, priority: u64, class: Option<&str>) {
        let config = GroupConfig {
            priority,
            anti_affinity: class.iter().map(|c| (*c).to_owned()).collect(),
            ..view.groups[&fold(name)].row.clone()
        };
        change(view, key("group", name), encode(&config));
    }

    #[test]
    fn a_default_owner_comes_after_the_preferred_ones() {
        let mut view = view();
        let config = GroupConfig {
            default_owner: Some("N3".to_owned()),
            ..view.groups["g"].row.clone()
        };
        change(&mut view, key("group", "G"), encode(&config));
        assert_eq!(order(&view, "G"), ["n2", "n3", "n1", "n4"]);
    }

    #[test]
    fn each_obstacle_keeps_a_node_away_and_quarantine_only_while_there_is_another() {
        let dead = BTreeSet::new();
        let mut view = view();
        change(
            &mut view,
            key("pause", "n2"),
            encode(&crate::cluster::record::Pause::default()),
        );
        assert_eq!(obstacle(&view, &dead, "G", "n2"), Some(Obstacle::Paused));
        assert_eq!(obstacle(&view, &dead, "G", "n4"), Some(Obstacle::Down));
        let mut row = crate::cluster::quarantine::Departures::default();
        row.quarantine.entries.push(Default::default());
        change(&mut view, key("departures", "n1"), encode(&row));
        assert_eq!(
            obstacle(&view, &dead, "G", "n1"),
            Some(Obstacle::Quarantined)
        );
        assert_eq!(candidates(&view, &dead, "G", Reason::Orphaned), ["n3"]);
        let dead = BTreeSet::from(["n3".to_owned()]);
        assert_eq!(candidates(&view, &dead, "G", Reason::Orphaned), ["n1"]);
        let planned = Reason::Planned { source: "n3" };
        assert!(candidates(&view, &dead, "G", planned).is_empty());
    }

    #[test]
    fn rivals_keep_apart_where_they_can_and_always_where_that_is_enforced() {
        let dead = BTreeSet::from(["n3".to_owned()]);
        let mut view = view();
        group(&mut view, "G", 1000, Some("queues"));
        group(&mut view, "H", 3000, Some("Queues"));
        group(&mut view, "I", 2000, Some("queues"));
        let places = |view: &View| plan(view, &dead).places.into_iter().collect::<Vec<_>>();
        let at = |name: &str, node: &str| (name.to_owned(), node.to_owned());
        // H has the highest priority and so the first choice; G, the lowest, shares a node.
        assert_eq!(places(&view), [at("g", "n2"), at("h", "n2"), at("i", "n1")]);
        let enforced = crate::cluster::policy::ClusterPolicy {
            enforced_anti_affinity: true,
            ..Default::default()
        };
        change(
            &mut view,
            crate::cluster::record::POLICY_KEY.to_owned(),
            encode(&enforced),
        );
        assert_eq!(places(&view), [at("g", ""), at("h", "n2"), at("i", "n1")]);
    }

    #[test]
    fn a_rank_is_decided_again_from_what_was_known() {
        let view = view();
        let dead = BTreeSet::from(["n2".to_owned()]);
        let known = standings(&view, &dead, &Places::new(), "G");
        let bytes = encode(&known);
        let stored: Vec<Standing> = crate::cluster::record::decode(&bytes).unwrap();
        let reason = Reason::Failed { source: "n1" };
        assert_eq!(rank(&stored, reason), candidates(&view, &dead, "G", reason));
    }
}
