//! The log file of a node that cannot be asked because it is down.

use crate::api::explain::LogEntry;
use crate::api::registry::NodeEntry;
use crate::api::value::{Millis, Time};
use crate::cluster::cluster_log::Line;
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::folder;

/// Bytes that are read of each of the two files a node keeps.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The lines of a node's log files, oldest first; of the last `span` only, if one is given.
pub(super) fn read(node: &NodeEntry, span: Option<Millis>) -> Vec<LogEntry> {
    let text = ["cluster.log.old", "cluster.log"]
        .map(|name| folder::tail(&node.data.join(name), BYTES_MAX))
        .concat();
    let since = span.map_or(0, |span| SystemClock.wall_ms().saturating_sub(span.0));
    let lines = text.lines().filter_map(Line::parse);
    lines
        .filter(|line| line.time_ms >= since)
        .map(|line| LogEntry {
            time: Time(line.time_ms),
            node: node.name.clone(),
            level: line.level,
            component: line.component,
            group: None,
            text: line.text,
        })
        .collect()
}

/// A line as Get-ClusterLog -Destination writes it: node, time in UTC, level, component, text.
pub(super) fn classic(line: &LogEntry) -> String {
    format!(
        "{}::{} {:<5} [{}] {}",
        line.node, line.time, line.level, line.component, line.text
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_files_are_read_and_torn_ones_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let node = NodeEntry {
            name: "n1".into(),
            address: "127.9.9.1".parse().unwrap(),
            data: folder.path().into(),
            process: None,
        };
        let line = |ms, text: &str| Line {
            time_ms: ms,
            level: "INFO".into(),
            component: "FM".into(),
            text: text.into(),
        };
        let old = format!("{}\n", line(1_700_000_000_000, "first").format(7));
        let new = format!("{}\nhalf a li", line(1_700_000_001_000, "second").format(7));
        std::fs::write(folder.path().join("cluster.log.old"), old).unwrap();
        std::fs::write(folder.path().join("cluster.log"), new).unwrap();
        let lines = read(&node, None);
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["first", "second"]);
        assert_eq!(
            classic(&lines[1]),
            "n1::2023-11-14T22:13:21.000Z INFO  [FM] second"
        );
        assert!(read(&node, Some(Millis(1000))).is_empty());
    }
}
