//! Raising the cluster's functional level.

use super::change::Change;
use crate::cluster::functional_level::{LEVEL_KEY, Level};
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// Raises the functional level to the highest that every node knows, also those that are down. There is no way back.
///
/// # Errors
/// `InvalidState` when a node holds it back.
pub fn update_level(view: &View) -> Result<Change> {
    let level = view.functional_level();
    let highest = |node: &str| view.build_of(node).highest;
    let all = view.nodes.keys().map(|node| highest(node));
    let best = all.clone().max().unwrap_or(level);
    let target = all.min().unwrap_or(level);
    if target <= level {
        let behind = view.nodes.values().filter(|n| highest(&n.name) < best);
        let behind: Vec<_> = behind.map(|n| n.name.as_str()).collect();
        if behind.is_empty() {
            return Ok(Change::default()); // done already
        }
        let text = format!(
            "the cluster stays at the functional level {level}: {} knows no higher one",
            behind.join(", ")
        );
        return Err(Error::new(ErrorKind::InvalidState, text)
            .hint("install the new program there and start the node, or Remove-ClusterNode"));
    }
    let row = Level { level: target };
    let mut change = Change::default().put_row(LEVEL_KEY, view.level.as_ref(), &row);
    for node in view.nodes.keys() {
        change = change.guard(view, "node", &view.nodes, node).guard(
            view,
            "version",
            &view.builds,
            node,
        );
    }
    Ok(change)
}
