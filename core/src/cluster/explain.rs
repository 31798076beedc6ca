//! Why: decisions on a time line, and what would happen.

use std::collections::{BTreeMap, BTreeSet};

use super::placement::{Reason, candidates, missing_feature, obstacle, order, storage_fenced};
use super::record::{Decision, fold};
use super::view::View;

/// Milliseconds of each decision since the first of its episode, by the boot clock where it is the same
/// kernel's. Decisions come in the order of their keys; an episode is one failover or one restart.
#[must_use]
pub fn timeline(mut decisions: Vec<Decision>) -> Vec<(Decision, Option<f64>)> {
    decisions.sort_by_key(|d| (d.wall_ms, d.boot_ns));
    let mut starts: BTreeMap<String, Decision> = BTreeMap::new();
    for decision in &decisions {
        let first = starts
            .entry(decision.episode.clone())
            .or_insert_with(|| decision.clone());
        if decision.boot_id == first.boot_id && decision.boot_ns < first.boot_ns {
            *first = decision.clone();
        }
    }
    let elapsed = |d: &Decision| {
        let first = starts.get(&d.episode)?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of one failover")]
        let millis = match first.boot_id == d.boot_id {
            true => d.boot_ns.saturating_sub(first.boot_ns) as f64 / 1e6,
            false => d.wall_ms.saturating_sub(first.wall_ms) as f64,
        };
        (!d.episode.is_empty()).then_some(millis)
    };
    decisions.iter().map(|d| (d.clone(), elapsed(d))).collect()
}

/// One step of what would happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The node that would act.
    pub node: String,
    /// What it would do.
    pub event: String,
    /// Why.
    pub cause: String,
}

/// What would happen to a group if a node died now.
#[must_use]
pub fn if_node_dies(view: &View, group: &str, node: &str) -> Vec<Forecast> {
    let spelled = |n: &str| {
        view.nodes
            .get(&fold(n))
            .map_or(n.to_owned(), |c| c.name.clone())
    };
    let step = |node: &str, event: &str, cause: String| Forecast {
        node: spelled(node),
        event: event.to_owned(),
        cause,
    };
    let owner = view.live_owner(group).map(|o| o.node.clone());
    match owner {
        Some(owner) if fold(&owner) != fold(node) => {
            return vec![step(
                &owner,
                "stays",
                format!("{owner} owns {group}, not {node}"),
            )];
        }
        _ => {}
    }
    let dead = BTreeSet::from([fold(node)]);
    let best = candidates(view, &dead, group, Reason::Orphaned);
    let mut steps = Vec::new();
    match best.first() {
        None => steps.push(step(
            node,
            "stays down",
            format!("no other node may own {group}"),
        )),
        Some(first) => {
            let when = match storage_fenced(view, group) {
                true => "at once: the storage keeps the former owner out",
                false => {
                    "when the death is proven or the lease is over: not all of it is storage-fenced"
                }
            };
            steps.push(step(first, "claims", when.to_owned()));
        }
    }
    for other in order(view, group) {
        if fold(&other) == fold(node) || best.first() == Some(&other) {
            continue;
        }
        let why = match obstacle(view, &dead, group, &other) {
            Some(found) => format!("it {}", found.text()),
            None => match missing_feature(view, group, &other) {
                Some(feature) => format!("{feature} is not installed there"),
                None => "it comes later in the order of preference".to_owned(),
            },
        };
        steps.push(step(&other, "not chosen", why));
    }
    steps
}
