//! The log file of a node that cannot be asked because it is down.

use crate::api::explain::LogEntry;
use crate::api::log_subject::Subjects;
use crate::api::registry::NodeEntry;
use crate::api::value::{Millis, Time};
use crate::cluster::cluster_log::Line;
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::folder;

/// Bytes that are read of each of the two files a node keeps.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The lines of a node's log files, oldest first; of the last `span` only, if one is given.
pub(super) fn read(node: &NodeEntry, span: Option<Millis>, subjects: &Subjects) -> Vec<LogEntry> {
    let text = ["cluster.log.old", "cluster.log"]
        .map(|name| folder::tail(&node.data.join(name), BYTES_MAX))
        .concat();
    let since = span.map_or(0, |span| SystemClock.wall_ms().saturating_sub(span.0));
    let lines = text.lines().filter_map(Line::parse);
    lines
        .filter(|line| line.time_ms >= since)
        .map(|line| LogEntry {
            time: Time(line.time_ms),
            process_id: Some(u64::from(line.pid)),
            node: node.name.clone(),
            level: line.level,
            component: format!("[{}]", line.component),
            group: subjects.group_of(&line.text),
            text: line.text,
        })
        .collect()
}

/// A line as Get-ClusterLog -Destination writes it: in the classic format, with its node before the text.
pub(super) fn classic(entry: &LogEntry) -> String {
    let line = Line {
        pid: entry
            .process_id
            .and_then(|p| u32::try_from(p).ok())
            .unwrap_or(0),
        time_ms: entry.time.0,
        level: entry.level.clone(),
        component: entry.component.trim_matches(['[', ']']).to_owned(),
        text: entry.text.clone(),
    };
    line.format_of(&entry.node)
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
            pid: 7,
            time_ms: ms,
            level: "INFO".into(),
            component: "FM".into(),
            text: text.into(),
        };
        let old = format!("{}\n", line(1_700_000_000_000, "first").format());
        let new = format!(
            "{}\nhalf a li",
            line(1_700_000_001_000, "VS1-Disk: second").format()
        );
        std::fs::write(folder.path().join("cluster.log.old"), old).unwrap();
        std::fs::write(folder.path().join("cluster.log"), new).unwrap();
        let subjects = Subjects {
            groups: vec!["VS1".to_owned()],
            members: vec![("VS1-Disk".to_owned(), "VS1".to_owned())],
        };
        let lines = read(&node, None, &subjects);
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["first", "VS1-Disk: second"]);
        assert_eq!(
            classic(&lines[1]),
            "00000007.00000007::2023/11/14-22:13:21.000 INFO  [FM] [n1] VS1-Disk: second"
        );
        // A node that is dead is no reason to leave out what it wrote about a group.
        assert_eq!(lines[0].group, None);
        assert_eq!(lines[1].group.as_deref(), Some("VS1"));
        assert!(read(&node, Some(Millis(1000)), &subjects).is_empty());
    }
}
