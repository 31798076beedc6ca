//! Groups: add, remove, start, stop, move.

use std::collections::BTreeSet;

use super::change::Change;
use super::epoch;
use super::lookup::{find_group, find_node};
use super::resource::check_startable;
use crate::cluster::group::GroupState;
use crate::cluster::placement::{Obstacle, Reason, candidates, obstacle};
use crate::cluster::record::{GroupConfig, MoveRequest, ResourceConfig, fold};
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::name::check_object_name;

/// What a new group is to be.
#[derive(Clone, Debug, Default)]
pub struct NewGroup {
    /// Its name.
    pub name: String,
    /// In order.
    pub preferred_owners: Vec<String>,
    /// 0 or 1.
    pub auto_failback_type: Option<u64>,
    /// Failovers allowed in the period.
    pub failover_threshold: Option<u64>,
    /// Hours, 0 to 1193.
    pub failover_period: Option<u64>,
}

/// FailoverThreshold as it is shown when it follows the number of nodes.
pub(super) const FOLLOWS_NODES: u64 = 0xFFFF_FFFF;
pub(super) const FAILOVER_PERIOD_MAX: u64 = 1193;

/// Adds an empty group.
///
/// # Errors
/// `ObjectAlreadyExists`, `NodeNotFound`, `InvalidParameter`.
pub fn add_group(view: &View, new: &NewGroup) -> Result<Change> {
    check_object_name("group", &new.name)?;
    if let Some(there) = view.groups.get(&fold(&new.name)) {
        let text = format!("a group named {} exists already", there.name);
        return Err(
            Error::new(ErrorKind::ObjectAlreadyExists, text).hint(format!(
                "use another name, or Remove-ClusterGroup {} first",
                there.name
            )),
        );
    }
    let failback = new.auto_failback_type.unwrap_or(0);
    if failback > 1 {
        return Err(out_of_range(
            "AutoFailbackType",
            failback,
            "0 (prevent) or 1 (allow)",
        ));
    }
    let period = new.failover_period.unwrap_or(6);
    if period > FAILOVER_PERIOD_MAX {
        return Err(out_of_range("FailoverPeriod", period, "0 to 1193 hours"));
    }
    let config = GroupConfig {
        preferred_owners: nodes(view, &new.preferred_owners)?,
        auto_failback: failback == 1,
        failover_threshold: new.failover_threshold.filter(|t| *t < FOLLOWS_NODES),
        failover_period_hours: period,
        ..GroupConfig::new(&new.name)
    };
    Ok(Change::default()
        .guard(view, "group", &view.groups, &new.name)
        .put("group", &new.name, &config))
}

/// Names of nodes, as the nodes spell them, each once.
pub(super) fn nodes(view: &View, names: &[String]) -> Result<Vec<String>> {
    let mut list: Vec<String> = Vec::new();
    for name in names {
        let node = find_node(view, name)?;
        if !list.contains(&node.name) {
            list.push(node.name.clone());
        }
    }
    Ok(list)
}

pub(super) fn out_of_range(what: &str, value: u64, range: &str) -> Error {
    let text = format!("{what} cannot be {value}");
    Error::new(ErrorKind::InvalidParameter, text).hint(format!("it is {range}"))
}

/// Removes a group without resources. Its epoch is kept for a later group, so that no storage ever sees a
/// lower one.
///
/// # Errors
/// `GroupNotFound`; `InvalidRequest` while it has resources.
pub fn remove_group(view: &View, name: &str) -> Result<Change> {
    let group = find_group(view, name)?;
    let left: Vec<_> = view
        .resources_of(name)
        .map(|(_, r)| r.name.clone())
        .collect();
    if !left.is_empty() {
        let text = format!(
            "group {} still has resources: {}",
            group.name,
            left.join(", ")
        );
        return Err(Error::new(ErrorKind::InvalidRequest, text).hint(format!(
            "Remove-ClusterGroup {} -RemoveResources",
            group.name
        )));
    }
    let change = Change::default()
        .guard(view, "group", &view.groups, name)
        .guard(view, "owner", &view.owners, name)
        .delete("group", name)
        .delete("owner", name)
        .delete("failovers", name)
        .delete("move", name)
        .delete("drained", name)
        .delete("held", name);
    Ok(epoch::retire(view, change, epoch::of_group(view, name)))
}

/// Means every resource of a group to be online.
///
/// # Errors
/// `GroupNotFound`; `NodePaused`; `DependencyNotFound` and `InvalidParameter` when a resource lacks what it
/// needs.
pub fn start_group(view: &View, name: &str) -> Result<Change> {
    check_not_paused(view, name)?;
    for (resource, _) in view.resources_of(name) {
        check_startable(view, resource)?;
    }
    Ok(mean(view, name, true)?.let_start(view, name))
}

/// Nothing is brought online on a paused node by request.
///
/// # Errors
/// `NodePaused`.
pub fn check_not_paused(view: &View, group: &str) -> Result<()> {
    let owner = view.live_owner(group);
    let Some(owner) = owner.filter(|o| view.is_paused(&o.node)) else {
        return Ok(());
    };
    let group = view.group_name(group);
    let text = format!("{}, which owns group {group}, is paused", owner.node);
    Err(Error::new(ErrorKind::NodePaused, text).hint(format!(
        "Resume-ClusterNode {}, or Move-ClusterGroup {group}",
        owner.node
    )))
}

/// Means every resource of a group to be offline.
///
/// # Errors
/// `GroupNotFound`.
pub fn stop_group(view: &View, name: &str) -> Result<Change> {
    mean(view, name, false)
}

fn mean(view: &View, name: &str, online: bool) -> Result<Change> {
    let group = find_group(view, name)?;
    let config = GroupConfig {
        persistent_online: online,
        ..group.row.clone()
    };
    let mut change = Change::default()
        .guard(view, "group", &view.groups, name)
        .put("group", name, &config);
    for (resource, config) in view.resources_of(name) {
        let config = ResourceConfig {
            persistent_online: online,
            ..config.clone()
        };
        change = change
            .guard(view, "resource", &view.resources, resource)
            .put("resource", resource, &config);
    }
    Ok(change)
}

/// Asks for a move; the target is the best other node where none is named. The change is empty when the
/// group is there already.
///
/// # Errors
/// `GroupNotFound`, `NodeNotFound`, `HostNodeNotAvailable`, `NodePaused`, `InvalidState`.
pub fn move_group(view: &View, name: &str, target: Option<&str>) -> Result<(Change, String)> {
    let group = find_group(view, name)?.name.clone();
    let Some(owner) = view.live_owner(&group) else {
        let text = format!("no node owns group {group} at this moment");
        return Err(Error::new(ErrorKind::HostNodeNotAvailable, text)
            .hint(format!("Get-ClusterWhy {group} says why")));
    };
    let target = match target {
        Some(node) => find_node(view, node)?.name.clone(),
        None => best_other(view, &group, &owner.node)?,
    };
    if fold(&target) == fold(&owner.node) {
        return Ok((Change::default(), target));
    }
    check_target(view, &group, &target)?;
    let moving = view
        .moves
        .get(&fold(&group))
        .is_some_and(|m| m.epoch == owner.epoch);
    if moving || GroupState::published(view, &group) == GroupState::Pending {
        let text = format!("group {group} is pending");
        return Err(Error::new(ErrorKind::InvalidState, text)
            .hint("wait until it is online, offline or failed"));
    }
    let request = MoveRequest {
        target: target.clone(),
        epoch: owner.epoch,
        cause: "Move-ClusterGroup".to_owned(),
    };
    let config = GroupConfig {
        default_owner: Some(target.clone()),
        ..find_group(view, &group)?.row.clone()
    };
    let change = Change::default()
        .guard(view, "owner", &view.owners, &group)
        .guard(view, "move", &view.moves, &group)
        .guard(view, "group", &view.groups, &group)
        .put("move", &group, &request)
        .put("group", &group, &config);
    Ok((change, target))
}

fn best_other(view: &View, group: &str, source: &str) -> Result<String> {
    let reason = Reason::Planned { source };
    let best = candidates(view, &BTreeSet::new(), group, reason);
    let first = best.first().and_then(|n| view.nodes.get(n));
    first.map(|n| n.name.clone()).ok_or_else(|| {
        let text = format!("no node but {source} may own group {group} now");
        Error::new(ErrorKind::HostNodeNotAvailable, text)
            .hint("Get-ClusterNode shows which nodes are up")
    })
}

fn check_target(view: &View, group: &str, target: &str) -> Result<()> {
    let Some(found) = obstacle(view, &BTreeSet::new(), group, target) else {
        return Ok(());
    };
    let text = format!("group {group} cannot move to {target}: it {}", found.text());
    let (kind, hint) = match found {
        Obstacle::Paused => (ErrorKind::NodePaused, "choose another node".to_owned()),
        Obstacle::Down => (
            ErrorKind::HostNodeNotAvailable,
            format!("Start-ClusterNode {target}"),
        ),
        Obstacle::NotPossible => (
            ErrorKind::HostNodeNotAvailable,
            "Get-ClusterOwnerNode -Resource NAME shows the possible owners".to_owned(),
        ),
        Obstacle::AntiAffinity => (
            ErrorKind::HostNodeNotAvailable,
            "move that group first, or Set-Cluster -EnforcedAntiAffinity 0".to_owned(),
        ),
        Obstacle::Quarantined => (
            ErrorKind::HostNodeNotAvailable,
            format!("Start-ClusterNode {target} -ClearQuarantine"),
        ),
    };
    Err(Error::new(kind, text).hint(hint))
}
