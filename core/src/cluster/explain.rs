//! Why: decisions on a time line, and what would happen.

use std::collections::{BTreeMap, BTreeSet};

use super::dependency;
use super::placement::{Reason, candidates, missing_feature, obstacle, order, storage_fenced};
use super::record::{Decision, fold};
use super::resource::ResourceState;
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

/// Why a group is where it is, and why a resource of it that is meant to be online is not.
#[must_use]
pub fn standing_now(view: &View, group: &str) -> Vec<Forecast> {
    let mut steps = Vec::new();
    let Some(owner) = view.live_owner(group) else {
        let cause = match view.owners.get(&fold(group)) {
            Some(former) if view.lease_may_run(former) && !storage_fenced(view, group) => format!(
                "{} owned it and is down, but its lease is not over and not all of the group is storage-fenced",
                former.node
            ),
            Some(former) => format!("{} owned it and is down", former.node),
            None => "no node has taken it yet".to_owned(),
        };
        steps.push(now("-", "is nowhere", cause));
        steps.extend(not_chosen(view, group));
        return steps;
    };
    steps.push(now(&owner.node, "is here", owner.cause.clone()));
    if let Some(held) = view.held.get(&fold(group)) {
        steps.push(now(&owner.node, "not started", held.cause.clone()));
    }
    for (name, config) in view.resources_of(group) {
        if let Some(why) = not_started(view, name) {
            let cause = format!("{}: {why}", config.name);
            steps.push(now(&owner.node, "not started", cause));
        }
    }
    steps
}

fn now(node: &str, event: &str, cause: String) -> Forecast {
    Forecast {
        node: node.to_owned(),
        event: event.to_owned(),
        cause,
    }
}

fn not_chosen(view: &View, group: &str) -> Vec<Forecast> {
    let none = BTreeSet::new();
    let reasons = order(view, group).into_iter().map(|node| {
        let why = match obstacle(view, &none, group, &node) {
            Some(found) => format!("it {}", found.text()),
            None => "it can take the group and has not done so yet".to_owned(),
        };
        now(&view.node_name(&node), "not chosen", why)
    });
    reasons.collect()
}

/// Why a resource is not online, in its owner's words where there are any; none when it is.
fn not_started(view: &View, name: &str) -> Option<String> {
    let config = view.resources.get(name)?;
    let state = ResourceState::published(view, name);
    if state == ResourceState::Online {
        return None;
    }
    if !config.persistent_online {
        return Some("it is meant to be offline (Start-ClusterResource starts it)".to_owned());
    }
    let below = dependency::all_providers(view, name);
    let meant_off = below
        .iter()
        .find(|p| view.resources.get(*p).is_some_and(|r| !r.persistent_online));
    if let Some(provider) = meant_off {
        let provider = view.resource_name(provider);
        return Some(format!(
            "{provider}, which it depends on, is meant to be offline"
        ));
    }
    let down = below
        .iter()
        .find(|p| ResourceState::published(view, p) != ResourceState::Online);
    if let Some(provider) = down.filter(|_| state != ResourceState::Failed) {
        let provider = view.resource_name(provider);
        return Some(format!("{provider}, which it depends on, is not online"));
    }
    let told = view.states.get(name).map(|s| s.cause.clone());
    let told = told.unwrap_or_else(|| "its owner has not reported it yet".to_owned());
    Some(format!("{}: {told}", state.name()))
}
