//! Groups that keep apart: those that share a class of AntiAffinityClassNames.
//!
//! By default a node that hosts such a group comes last among the candidates; with
//! ClusterEnforcedAntiAffinity it is none. Both look at where groups are, and at where a plan puts them.

use std::collections::BTreeMap;

use super::record::fold;
use super::view::View;

/// Where groups are or will be, by lower-case names; those not named are where their live owner is.
pub type Places = BTreeMap<String, String>;

/// The groups that share a class with a group.
#[must_use]
pub fn rivals(view: &View, group: &str) -> Vec<String> {
    let group = fold(group);
    let Some(config) = view.groups.get(&group) else {
        return Vec::new();
    };
    if config.anti_affinity.is_empty() {
        return Vec::new();
    }
    let shares = |class: &String| {
        config
            .anti_affinity
            .iter()
            .any(|own| fold(own) == fold(class))
    };
    let others = view.groups.iter().filter(|(name, _)| **name != group);
    others
        .filter(|(_, other)| other.anti_affinity.iter().any(shares))
        .map(|(name, _)| name.clone())
        .collect()
}

/// The first of the rivals that is on a node, or will be.
#[must_use]
pub fn conflict(view: &View, places: &Places, rivals: &[String], node: &str) -> Option<String> {
    let node = fold(node);
    let there = |rival: &&String| match places.get(*rival) {
        Some(place) => *place == node,
        None => {
            let owner = view.live_owner(rival);
            owner.is_some_and(|o| fold(&o.node) == node)
        }
    };
    rivals.iter().find(there).cloned()
}
