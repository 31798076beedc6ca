//! The log file of a node that cannot be asked.

use crate::api::explain::LogEntry;
use crate::api::registry::NodeEntry;
use crate::api::value::Millis;

/// The lines of a node's log file.
pub(super) fn read(node: &NodeEntry, span: Option<Millis>) -> Vec<LogEntry> {
    let _ = (node, span);
    Vec::new()
}

/// A line in the classic format, with the node in front.
pub(super) fn classic(line: &LogEntry) -> String {
    format!(
        "{}::{} {:<5}{} {}",
        line.node, line.time, line.level, line.component, line.text
    )
}
