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
        status: current.map(|s| s.cause.clone()),
        maintenance_mode: u64::from(config.maintenance),
    })
}

pub(super) fn node(view: &View, name: &str) -> Result<NodeInfo> {
    let config = find_node(view, name)?;
    let session = view.sessions.get(&fold(name));
    Ok(NodeInfo {
        name: config.name.clone(),
        id: config.id,
        state: NodeState::of(view, name).name().to_owned(),
        address: config.address.clone(),
        process_id: session.map(|s| u64::from(s.process.pid)),
        features: config.features.iter().cloned().collect(),
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
