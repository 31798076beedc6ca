//! What happens in the cluster while a line is typed: looked for aside, told above the line.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::time::Duration;

use hamq_core::api::arguments::text;
use hamq_core::api::cluster::GetClusterQuorum;
use hamq_core::api::group::GetClusterGroup;
use hamq_core::api::node::GetClusterNode;
use hamq_core::api::spec::Command as _;
use hamq_core::api::value::{Time, Value};
use hamq_core::{ErrorKind, Result};

use super::prompt::Status;
use crate::session::Invoke;

/// How often the cluster is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// More changes than this at once are told as a number.
const TOLD_MAX: usize = 8;
const OBJECTS_MAX: usize = 10_000;

/// What the cluster was when it was last looked at: `group VS1` is `Online on n1`.
type Picture = BTreeMap<String, String>;

/// Looks until it is dropped.
pub struct Watch {
    _ends: Sender<()>,
}

impl Watch {
    /// Looks at the cluster of `invoke`: `lines` gets what has changed, `status` how it is, and `repaint` is called
    /// when the prompt is to be drawn again.
    #[must_use]
    pub fn start(
        invoke: Arc<dyn Invoke>,
        status: Status,
        lines: SyncSender<String>,
        repaint: impl Fn() + Send + 'static,
    ) -> Self {
        let (ends, end) = channel();
        let watch = move || look(invoke.as_ref(), &status, &lines, &repaint, &end);
        let thread = std::thread::Builder::new().name("events".into());
        drop(thread.spawn(watch)); // without a thread nothing is told
        Self { _ends: ends }
    }
}

fn look(
    invoke: &dyn Invoke,
    status: &Status,
    lines: &SyncSender<String>,
    repaint: &dyn Fn(),
    end: &Receiver<()>,
) {
    let mut last: Option<(String, Picture)> = None;
    loop {
        let cluster = invoke.cluster();
        let (picture, trouble) = match cluster.as_ref().map(|_| picture(invoke)) {
            None => (None, None),
            Some(Ok(picture)) => {
                let lost = picture.get("quorum").is_some_and(|state| state != "Online");
                (Some(picture), lost.then_some("no quorum"))
            }
            // Ctrl-C ended this request with the others: it tells nothing of the cluster.
            Some(Err(e)) if e.kind == ErrorKind::OperationCancelled => (None, status.get().trouble),
            Some(Err(_)) => (None, Some("unreachable")),
        };
        if status.change(|told| {
            told.cluster.clone_from(&cluster);
            told.trouble = trouble;
        }) {
            repaint();
        }
        if let (Some(cluster), Some(now)) = (cluster, picture) {
            if let Some((_, before)) = last.as_ref().filter(|(name, _)| *name == cluster) {
                for line in changes(before, &now) {
                    drop(lines.try_send(line)); // a full screen of news is enough
                }
            }
            last = Some((cluster, now));
        }
        if end.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn picture(invoke: &dyn Invoke) -> Result<Picture> {
    let all = |name: &str| invoke.invoke(name, Value::Map(Vec::new()));
    let field = |record: &Value, name: &str| text(record, name).unwrap_or_default().to_owned();
    let mut picture = Picture::new();
    for node in all(GetClusterNode::SPEC.name)?.iter().take(OBJECTS_MAX) {
        picture.insert(
            format!("node {}", field(node, "Name")),
            field(node, "State"),
        );
    }
    for group in all(GetClusterGroup::SPEC.name)?.iter().take(OBJECTS_MAX) {
        let (state, owner) = (field(group, "State"), field(group, "OwnerNode"));
        let is = match owner.is_empty() {
            true => state,
            false => format!("{state} on {owner}"),
        };
        picture.insert(format!("group {}", field(group, "Name")), is);
    }
    if let Some(quorum) = all(GetClusterQuorum::SPEC.name)?.first() {
        picture.insert("quorum".to_owned(), field(quorum, "State"));
    }
    Ok(picture)
}

/// What to say about what was and what is.
fn changes(before: &Picture, now: &Picture) -> Vec<String> {
    let time = Time(millis()).to_string();
    let clock = time.get(11..19).unwrap_or(&time);
    let mut lines: Vec<String> = Vec::new();
    for (object, is) in now {
        match before.get(object) {
            Some(was) if was == is => {}
            Some(was) => lines.push(format!("[{clock}] {object}: {is} (was {was})")),
            None => lines.push(format!("[{clock}] {object}: {is} (new)")),
        }
    }
    let gone = before.keys().filter(|object| !now.contains_key(*object));
    lines.extend(gone.map(|object| format!("[{clock}] {object}: removed")));
    if lines.len() > TOLD_MAX {
        let more = lines.len() - TOLD_MAX;
        lines.truncate(TOLD_MAX);
        lines.push(format!("[{clock}] and {more} more changes"));
    }
    lines
}

fn millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(entries: &[(&str, &str)]) -> Picture {
        let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        entries.iter().map(owned).collect()
    }

    #[test]
    fn what_has_changed_is_told_with_what_it_was() {
        let before = picture(&[
            ("group VS1", "Online on n1"),
            ("node n1", "Up"),
            ("node n9", "Up"),
        ]);
        let now = picture(&[
            ("group VS1", "Online on n2"),
            ("group VS2", "Offline"),
            ("node n1", "Up"),
        ]);
        let lines = changes(&before, &now);
        let told: Vec<_> = lines
            .iter()
            .filter_map(|l| l.split_once("] "))
            .map(|(_, t)| t)
            .collect();
        assert_eq!(
            told,
            [
                "group VS1: Online on n2 (was Online on n1)",
                "group VS2: Offline (new)",
                "node n9: removed",
            ]
        );
    }

    #[test]
    fn many_changes_are_told_as_a_number() {
        let all: Vec<String> = (0..100).map(|n| format!("group VS{n:03}")).collect();
        let now: Picture = all
            .into_iter()
            .map(|name| (name, "Online".to_owned()))
            .collect();
        let lines = changes(&Picture::new(), &now);
        assert_eq!(lines.len(), TOLD_MAX + 1);
        assert!(
            lines
                .iter()
                .any(|line| line.ends_with("and 92 more changes"))
        );
    }
}
