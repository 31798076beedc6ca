//! Nodes: pause and drain, resume and fail back, evict, end a quarantine, force quorum.

use std::collections::BTreeSet;

use super::change::Change;
use super::lookup::find_node;
use crate::cluster::node::NodeState;
use crate::cluster::placement::{Obstacle, Reason, candidates, obstacle, order};
use crate::cluster::record::{MoveRequest, Pause, fold};
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// How a node is to be paused.
#[derive(Clone, Debug, Default)]
pub struct Suspend {
    /// The node.
    pub node: String,
    /// Unique for this pause.
    pub id: String,
    /// Move its groups away.
    pub drain: bool,
    /// Take those offline that no other node may own.
    pub force: bool,
    /// Where to.
    pub target: Option<String>,
}

/// Pauses a node: it takes no group any more; with a drain its groups move away.
///
/// # Errors
/// `NodeNotFound`; `NodeDown` when it does not run, or a drain has nowhere to go; `NodeEvacuationInProgress`;
/// `HostNodeNotAvailable` and `NodePaused` for the target.
pub fn suspend_node(view: &View, ask: &Suspend) -> Result<Change> {
    let node = find_node(view, &ask.node)?.name.clone();
    if NodeState::of(view, &node) == NodeState::Down {
        let text = format!("node {node} is down");
        return Err(Error::new(ErrorKind::NodeDown, text).hint(format!("Start-ClusterNode {node}")));
    }
    let pause = view.pauses.get(&fold(&node));
    let drains = pause.is_some_and(|p| p.drain) && !movable(view, &node).is_empty();
    if drains && ask.drain {
        let text = format!("node {node} is being drained already");
        return Err(
            Error::new(ErrorKind::NodeEvacuationInProgress, text).hint(format!(
                "Get-ClusterGroup shows what is left; Resume-ClusterNode {node} ends it"
            )),
        );
    }
    if ask.drain {
        check_drain(view, &node, ask)?;
    }
    let row = Pause {
        id: ask.id.clone(),
        drain: ask.drain,
        force: ask.force,
        target: ask.target.clone(),
    };
    Ok(Change::default()
        .guard(view, "node", &view.nodes, &node)
        .guard(view, "pause", &view.pauses, &node)
        .put("pause", &node, &row))
}

fn check_drain(view: &View, node: &str, ask: &Suspend) -> Result<()> {
    let others = view.nodes.keys().filter(|n| **n != fold(node));
    let up = others.filter(|n| NodeState::of(view, n) == NodeState::Up);
    if up.count() == 0 && !ask.force {
        let text = format!("no other node is up: the groups of {node} have nowhere to go");
        return Err(Error::new(ErrorKind::NodeDown, text)
            .hint("start another node first, or -ForceDrain takes the groups offline"));
    }
    let Some(target) = &ask.target else {
        return Ok(());
    };
    let target = find_node(view, target)?;
    if fold(&target.name) == fold(node) {
        let text = format!("{node} cannot be drained to itself");
        return Err(Error::new(ErrorKind::InvalidParameter, text).hint("name another -TargetNode"));
    }
    let (kind, why) = match NodeState::of(view, &target.name) {
        NodeState::Up => return Ok(()),
        NodeState::Paused => (ErrorKind::NodePaused, "is paused"),
        NodeState::Down => (ErrorKind::HostNodeNotAvailable, "is down"),
        NodeState::Quarantined => (ErrorKind::HostNodeNotAvailable, "is quarantined"),
    };
    let text = format!("{node} cannot be drained to {}: it {why}", target.name);
    Err(Error::new(kind, text).hint("name another -TargetNode, or none"))
}

/// The groups on a node that another could take now.
#[must_use]
pub(super) fn movable(view: &View, node: &str) -> Vec<String> {
    let here = view.groups.keys().filter(|group| {
        let owner = view.live_owner(group);
        owner.is_some_and(|o| fold(&o.node) == fold(node))
    });
    let reason = Reason::Planned { source: node };
    let goes = |group: &&String| !candidates(view, &BTreeSet::new(), group, reason).is_empty();
    here.filter(goes).cloned().collect()
}

/// Which groups come back to a node that is resumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failback {
    /// None.
    #[default]
    NoFailback,
    /// All that were drained away.
    Immediate,
    /// Those of them that prefer this node to the one they are on; the failback window is not waited for.
    Policy,
}

/// Resumes a node. Groups that a drain moved away may come back with it.
///
/// # Errors
/// `NodeNotFound`; `NodeNotPaused`.
pub fn resume_node(view: &View, node: &str, failback: Failback) -> Result<Change> {
    let config = find_node(view, node)?;
    let node = config.name.clone();
    if !view.is_paused(&node) {
        let text = format!("node {node} is not paused");
        return Err(Error::new(ErrorKind::NodeNotPaused, text).hint("Get-ClusterNode shows states"));
    }
    let mut change = Change::default()
        .guard(view, "node", &view.nodes, &node)
        .guard(view, "pause", &view.pauses, &node)
        .delete("pause", &node);
    if config.paused {
        let mut row = config.row.clone();
        row.paused = false;
        change = change.put("node", &node, &row);
    }
    let here = view
        .drained
        .iter()
        .filter(|(_, d)| fold(&d.node) == fold(&node));
    for (group, _) in here {
        change = change.delete("drained", group);
        if let Some(request) = brings_back(view, group, &node, failback) {
            change = change
                .guard(view, "owner", &view.owners, group)
                .guard(view, "move", &view.moves, group)
                .put("move", group, &request);
        }
    }
    Ok(change)
}

fn brings_back(view: &View, group: &str, node: &str, failback: Failback) -> Option<MoveRequest> {
    let owner = view.live_owner(group)?;
    let elsewhere = fold(&owner.node) != fold(node);
    let found = obstacle(view, &BTreeSet::new(), group, node);
    let fit = matches!(found, None | Some(Obstacle::Paused));
    let place = |name: &str| order(view, group).iter().position(|n| *n == fold(name));
    let prefers = view.groups.get(group).is_some_and(|g| {
        g.preferred_owners.iter().any(|n| fold(n) == fold(node)) && place(node) < place(&owner.node)
    });
    let wanted = match failback {
        Failback::NoFailback => false,
        Failback::Immediate => true,
        Failback::Policy => prefers,
    };
    (wanted && elsewhere && fit && !view.moves.contains_key(group)).then(|| MoveRequest {
        target: node.to_owned(),
        epoch: owner.epoch,
        cause: format!("{node} was resumed, and the group had been drained from it"),
    })
}

/// Evicts a node: its rows are deleted, and it is taken out of every owner list.
///
/// # Errors
/// `NodeNotFound`; `InvalidState` while it runs; `InvalidRequest` when it is the last node, or the only
/// possible owner of a resource.
pub fn evict_node(view: &View, name: &str) -> Result<Change> {
    let node = find_node(view, name)?.name.clone();
    if NodeState::of(view, &node) != NodeState::Down {
        let text = format!("node {node} is up");
        return Err(Error::new(ErrorKind::InvalidState, text).hint(format!(
            "Stop-ClusterNode {node} first, or Remove-ClusterNode {node} -Force"
        )));
    }
    if view.nodes.len() == 1 {
        let text = format!("{node} is the last node of the cluster");
        return Err(Error::new(ErrorKind::InvalidRequest, text).hint("Remove-Cluster deletes it"));
    }
    let mut change = Change::default()
        .guard(view, "session", &view.sessions, &node)
        .guard(view, "node", &view.nodes, &node)
        .delete("node", &node)
        .delete("pause", &node)
        .delete("departures", &node)
        .delete("version", &node);
    for (group, config) in &view.groups {
        let mut row = config.row.clone();
        row.preferred_owners.retain(|n| fold(n) != fold(&node));
        row.default_owner = row.default_owner.filter(|n| fold(n) != fold(&node));
        if row != config.row {
            change = change
                .guard(view, "group", &view.groups, group)
                .put("group", group, &row);
        }
    }
    for (name, config) in &view.resources {
        let mut row = config.row.clone();
        row.possible_owners.retain(|n| fold(n) != fold(&node));
        if row == config.row {
            continue;
        }
        if row.possible_owners.is_empty() {
            let text = format!("{node} is the only possible owner of {}", row.name);
            return Err(Error::new(ErrorKind::InvalidRequest, text).hint(format!(
                "Set-ClusterOwnerNode -Resource '{}' -Owners … names others; with none named any node may own it",
                row.name
            )));
        }
        change = change
            .guard(view, "resource", &view.resources, name)
            .put("resource", name, &row);
    }
    Ok(change)
}

/// Ends the quarantine of a node; its departures are counted anew.
///
/// # Errors
/// `NodeNotFound`. Nothing is written when it is not quarantined.
pub fn clear_quarantine(view: &View, name: &str) -> Result<Change> {
    let node = find_node(view, name)?.name.clone();
    match view.departures.get(&fold(&node)) {
        Some(row) if row.is_quarantined() => Ok(Change::default()
            .guard(view, "departures", &view.departures, &node)
            .put("departures", &node, &row.cleared())),
        _ => Ok(Change::default()),
    }
}

/// The operator's word that nodes are dead: their sessions end now, and their groups are claimed without
/// waiting for their leases. A node that lives after all ends everything it runs as soon as it sees it, and
/// the epoch in the store keeps it from acknowledging anything.
///
/// # Errors
/// `NodeNotFound`; `InvalidParameter` when the node that stays is among them.
pub fn force_quorum(view: &View, stays: &str, dead: &[String]) -> Result<Change> {
    let stays = find_node(view, stays)?.name.clone();
    let mut change = Change::default();
    for name in dead {
        let node = find_node(view, name)?.name.clone();
        if fold(&node) == fold(&stays) {
            let text = format!("{node} cannot declare itself dead");
            return Err(Error::new(ErrorKind::InvalidParameter, text).hint("name other nodes"));
        }
        if view.sessions.contains_key(&fold(&node)) {
            change = change
                .guard(view, "session", &view.sessions, &node)
                .delete("session", &node);
        }
    }
    Ok(change)
}
