//! Nodes, groups and resources as lines, each with what is wrong with it.

use super::view::Monitor;

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    Moving,
    Resting,
    Bad,
}

impl Standing {
    /// A state of a node, a group or a resource.
    pub(super) fn of(state: &str) -> Self {
        match state {
            "Up" | "Online" => Self::Good,
            "Down" | "Failed" | "Quarantined" | "PartialOnline" => Self::Bad,
            "Offline" | "Paused" => Self::Resting,
            _ => Self::Moving,
        }
    }

    /// A sign that needs no colour.
    pub(super) const fn sign(self) -> char {
        match self {
            Self::Good => '+',
            Self::Moving => '~',
            Self::Resting => '-',
            Self::Bad => '!',
        }
    }
}

/// A line of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TreeLine {
    pub(super) indent: usize,
    pub(super) name: String,
    pub(super) state: String,
    pub(super) standing: Standing,
    /// Where it is, or why it is not.
    pub(super) reason: String,
}

/// The lines that pass the filter; a group stays when one of its resources does.
pub(super) fn lines(monitor: &Monitor) -> Vec<TreeLine> {
    let cluster = &monitor.cluster;
    let mut lines = Vec::new();
    for node in &cluster.nodes {
        let owns: Vec<&str> = cluster
            .groups
            .iter()
            .filter(|group| group.owner_node.as_deref() == Some(node.name.as_str()))
            .map(|group| group.name.as_str())
            .collect();
        let reason = match (&node.status, owns.as_slice()) {
            (Some(status), _) => status.clone(),
            (None, []) => String::new(),
            (None, owns) => format!("owns {}", owns.join(", ")),
        };
        let line = line(0, &node.name, &node.state, reason);
        if passes(monitor, &line) {
            lines.push(line);
        }
    }
    for group in &cluster.groups {
        let owner = group.owner_node.as_ref().map(|owner| format!("on {owner}"));
        let parts = [owner.as_deref(), group.status.as_deref()];
        let reason = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
        let head = line(0, &group.name, &group.state, reason);
        let resources = cluster.resources.iter().filter(|r| r.group == group.name);
        let resources = resources.map(|r| {
            // What is online needs no reason.
            let status = r.status.clone().filter(|_| r.state != "Online");
            line(
                1,
                &r.name,
                &r.state,
                status.unwrap_or_else(|| r.resource_type.clone()),
            )
        });
        let whole = passes(monitor, &head);
        let resources: Vec<_> = resources.filter(|r| whole || passes(monitor, r)).collect();
        if whole || !resources.is_empty() {
            lines.push(head);
            lines.extend(resources);
        }
    }
    lines
}

fn line(indent: usize, name: &str, state: &str, reason: String) -> TreeLine {
    TreeLine {
        indent,
        name: name.to_owned(),
        state: state.to_owned(),
        standing: Standing::of(state),
        reason,
    }
}

fn passes(monitor: &Monitor, line: &TreeLine) -> bool {
    monitor.passes(&line.name) || monitor.passes(&line.state) || monitor.passes(&line.reason)
}
