//! The output records, made of a view.

use crate::api::feature::FeatureInfo;
use crate::api::group::GroupInfo;
use crate::api::node::NodeInfo;
use crate::api::resource::ResourceInfo;
use crate::cluster::configuration::{FEATURES, find_group, find_node, find_resource};
use crate::cluster::group::GroupState;
use crate::cluster::node::NodeState;
use crate::cluster::record::fold;
use crate::cluster::resource::ResourceState;
use crate::cluster::view::View;
use crate::error::Result;

/// A threshold that follows the number of nodes, as it is shown.
const FOLLOWS_NODES: u64 = 0xFFFF_FFFF;

pub(super) fn group(view: &View, name: &str) -> Result<GroupInfo> {
    let config = find_group(view, name)?;
    let owner = view.owners.get(&fold(name));
    let live = view.live_owner(name);
    Ok(GroupInfo {
        name: config.name.clone(),
        owner_node: live.map(|o| o.node.clone()),
        state: GroupState::published(view, name).name().to_owned(),
        epoch: owner.map_or(0, |o| o.epoch),
        persistent_state: u64::from(config.persistent_online),
        preferred_owners: config.preferred_owners.clone(),
        auto_failback_type: u64::from(config.auto_failback),
        failover_threshold: config.failover_threshold.unwrap_or(FOLLOWS_NODES),
        failover_period: config.failover_period_hours,
        failback_window: config
            .failback_window
            .map(|(start, end)| format!("{start}-{end}"))
            .unwrap_or_default(),
        priority: config.priority,
        anti_affinity: config.anti_affinity.iter().cloned().collect(),
        default_owner: config.default_owner.clone(),
        status: group_status(view, name),
    })
}

fn group_status(view: &View, name: &str) -> Option<String> {
    let Some(owner) = view.live_owner(name) else {
        return Some(match view.owners.get(&fold(name)) {
            Some(former) => format!(
                "{} owned it and is down; no other node has taken it yet",
                former.node
            ),
            None => "no node has taken it yet".to_owned(),
        });
    };
    if let Some(request) = view
        .moves
        .get(&fold(name))
        .filter(|m| m.epoch == owner.epoch)
    {
        return Some(format!("moving to {}", request.target));
    }
    if let Some(held) = view.held.get(&fold(name)) {
        return Some(held.cause.clone());
    }
    view.resources_of(name)
        .find(|(key, _)| {
            let state = ResourceState::published(view, key);
            state == ResourceState::Failed || state.is_pending()
        })
        .and_then(|(key, config)| {
            let cause = &view.states.get(key)?.cause;
            Some(format!("{}: {cause}", config.name))
        })
}

pub(super) fn resource(view: &View, name: &str, now_ms: u64) -> Result<ResourceInfo> {
    let config = find_resource(view, name)?;
    let owner = view.live_owner(&config.group);
    let status = view.states.get(&fold(name));
    let current = status.filter(|s| owner.is_some_and(|o| o.epoch == s.epoch));
    let counted = view.failures.get(&fold(name));
    Ok(ResourceInfo {
        name: config.name.clone(),
        state: ResourceState::published(view, name).name().to_owned(),
        group: config.group.clone(),
        resource_type: config.resource_type.clone(),
        owner_node: owner.map(|o| o.node.clone()),
        persistent_state: u64::from(config.persistent_online),
        possible_owners: config.possible_owners.clone(),
        restart_threshold: config.policy.threshold,
        restart_period: config.policy.period_ms,
        restart_count: counted.map_or(0, |f| f.within(config.policy.period_ms, now_ms)),
        restart_action: config.policy.action.number(),
        restart_delay: config.policy.delay_ms,
        retry_period: config.policy.retry_ms,
        pending_timeout: config.policy.pending_timeout_ms,
        deadlock_timeout: config.policy.deadlock_timeout_ms,
        looks_alive: config.policy.looks_alive_ms,
        is_alive: config.policy.is_alive_ms,
        status: current.map(|s| s.cause.clone()),
        maintenance_mode: u64::from(config.maintenance),
    })
}

pub(super) fn node(view: &View, name: &str) -> Result<NodeInfo> {
    let config = find_node(view, name)?;
    let session = view.sessions.get(&fold(name));
    let build = view.build_of(name);
    Ok(NodeInfo {
        build: build.version,
        lowest: build.lowest,
        highest: build.highest,
        name: config.name.clone(),
        id: config.id,
        state: NodeState::of(view, name).name().to_owned(),
        address: config.address.clone(),
        process_id: session.map(|s| u64::from(s.process.pid)),
        status: node_status(view, name),
        features: config.features.iter().cloned().collect(),
    })
}

fn node_status(view: &View, name: &str) -> Option<String> {
    let departures = view.departures.get(&fold(name));
    let left = departures.map_or(0, |d| d.counted.entries.len());
    if view.is_quarantined(name) {
        return Some(format!(
            "quarantined: it left unexpectedly {left} times; Start-ClusterNode {name} -ClearQuarantine"
        ));
    }
    let pause = view.pauses.get(&fold(name))?;
    let owned = view.groups.keys().filter(|group| {
        let owner = view.live_owner(group);
        owner.is_some_and(|o| fold(&o.node) == fold(name))
    });
    Some(match (pause.drain, owned.count()) {
        (false, _) => "paused".to_owned(),
        (true, 0) => "paused; drained".to_owned(),
        (true, left) => format!("paused; draining, {left} groups left"),
    })
}

pub(super) fn features(view: &View, node: &str) -> Result<Vec<FeatureInfo>> {
    let config = find_node(view, node)?;
    let records = FEATURES.into_iter().map(|feature| FeatureInfo {
        node: config.name.clone(),
        feature: feature.to_owned(),
        install_state: match config.features.contains(feature) {
            true => "Installed".to_owned(),
            false => "Available".to_owned(),
        },
    });
    Ok(records.collect())
}
