//! Who changed what, when, from where and why: one file a month, to which lines are only added.
//!
//! A change writes a line before it is asked of the cluster and one when it has ended, so that one whose shell died
//! on the way is seen: its outcome is not known. Messages that are sent and received are not changes of the cluster;
//! their queue's journal has them.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hamq_core::api::message::{ReceiveMsmqQueue, SendMsmqQueue};
use hamq_core::api::spec::{Command as _, Risk, ValueKind};
use hamq_core::api::value::Time;
use hamq_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::pipeline::Bound;
use crate::script::value::text;
use crate::session::State;

/// So much of a value is written.
const VALUE_CHARS_MAX: usize = 200;
/// So many lines of a month are read, the last ones.
const LINES_MAX: usize = 1_000_000;

/// One line of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The same for both lines of a change.
    pub id: String,
    /// When the line was written.
    pub time: String,
    /// The user; with sudo, who used it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The machine, and behind ssh where the user came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// The cluster.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// The certificate that was shown to it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub certificate: String,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// `-Reason`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// `Done`, or the error; nothing while it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub outcome: String,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}

/// A change that has begun.
pub struct Begun {
    file: File,
    id: String,
    at: Instant,
}

/// Writes down that a change begins; none for what changes nothing.
#[must_use]
pub fn begin(state: &State, bound: &Bound) -> Option<Begun> {
    let messages = [SendMsmqQueue::SPEC.name, ReceiveMsmqQueue::SPEC.name];
    if bound.spec.risk == Risk::None || messages.contains(&bound.spec.name) {
        return None;
    }
    let home = state.home.as_deref()?;
    let change = Change {
        id: identity(),
        time: now(),
        user: user(),
        from: origin(),
        cluster: state.invoke.cluster().unwrap_or_default(),
        certificate: state.invoke.certificate().unwrap_or_default(),
        command: command(bound),
        reason: bound.text("Reason").unwrap_or_default(),
        ..Change::default()
    };
    let begun = append(home, &change);
    begun
        .map(|file| Begun {
            file,
            id: change.id,
            at: Instant::now(),
        })
        .map_err(|e| state.tell(&format!("warning: this change is not audited: {e}")))
        .ok()
}

impl Begun {
    /// Writes down how it ended.
    pub fn end(mut self, outcome: &Result<impl Sized>) {
        let outcome = match outcome {
            Ok(_) => "Done".to_owned(),
            Err(error) => format!("{}: {error}", error.kind),
        };
        let elapsed = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let change = Change {
            id: self.id.clone(),
            time: now(),
            outcome,
            elapsed_ms: Some(elapsed),
            ..Change::default()
        };
        drop(write(&mut self.file, &change)); // its beginning stands there, without an end
    }
}

/// The changes of all months in `home`, the oldest first; a line that cannot be read is passed over.
///
/// # Errors
/// When a file cannot be read.
pub fn read(home: &Path) -> Result<Vec<Change>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(home)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_ours(path))
        .collect();
    files.sort();
    let mut changes: Vec<Change> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for path in files {
        let failed = |e| Error::system(format!("read {}", path.display()), &e);
        let lines = BufReader::new(File::open(&path).map_err(failed)?).lines();
        for line in lines.take(LINES_MAX) {
            let line = line.map_err(failed)?;
            let Ok(change) = serde_json::from_str::<Change>(&line) else {
                continue;
            };
            match places.get(&change.id).and_then(|at| changes.get_mut(*at)) {
                Some(begun) => {
                    begun.outcome = change.outcome;
                    begun.elapsed_ms = change.elapsed_ms;
                }
                None => {
                    places.insert(change.id.clone(), changes.len());
                    changes.push(change);
                }
            }
        }
    }
    Ok(changes)
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("audit-") && name.ends_with(".jsonl"))
}

fn append(home: &Path, change: &Change) -> Result<File> {
    let month = change.time.get(..7).unwrap_or("unknown");
    let path = home.join(format!("audit-{month}.jsonl"));
    let failed = |e| Error::system(format!("write {}", path.display()), &e);
    std::fs::create_dir_all(home).map_err(failed)?;
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(failed)?;
    write(&mut file, change).map_err(failed)?;
    Ok(file)
}

/// One write of one line: those of other shells do not come between.
fn write(file: &mut File, change: &Change) -> std::io::Result<()> {
    let mut line = serde_json::to_string(change)?;
    line.push('\n');
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

/// The command as it could be typed; bodies by their size, secrets not at all.
fn command(bound: &Bound) -> String {
    let mut words = vec![bound.spec.name.to_owned()];
    for (name, value) in bound.iter() {
        let kind = bound
            .spec
            .parameters
            .iter()
            .find(|p| p.name == *name)
            .map(|p| p.kind);
        let secret = ["Password", "Secret", "Token", "Key"]
            .iter()
            .any(|s| name.ends_with(s));
        let shown = match kind {
            None => continue, // one that all commands have
            Some(ValueKind::Bytes) => format!("<{} characters>", text(value).chars().count()),
            Some(_) if secret => "<secret>".to_owned(),
            Some(_) => text(value),
        };
        let cut: String = shown.chars().take(VALUE_CHARS_MAX).collect();
        words.push(format!(
            "-{name} {}",
            if cut.contains(' ') {
                format!("'{cut}'")
            } else {
                cut
            }
        ));
    }
    words.join(" ")
}

/// Unlike any other of this machine.
fn identity() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{}-{n}", millis(), std::process::id())
}

/// The user by the kernel's word, not by the environment's; who used sudo is added.
fn user() -> String {
    let id = std::fs::metadata("/proc/self").map(|m| m.uid());
    let Ok(id) = id else {
        return "unknown".to_owned();
    };
    let name = name_of(id);
    // The login that the kernel remembers through su and sudo; without it, all bits are set.
    let login = std::fs::read_to_string("/proc/self/loginuid").ok();
    match login.and_then(|login| login.trim().parse().ok()) {
        Some(login) if login != u32::MAX && login != id => {
            format!("{name} (login {})", name_of(login))
        }
        _ => name,
    }
}

fn name_of(id: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = passwd
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&id.to_string()));
    line.and_then(|line| line.split(':').next())
        .map_or_else(|| id.to_string(), str::to_owned)
}

fn origin() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let client = std::env::var("SSH_CONNECTION").ok();
    match client.as_deref().and_then(|c| c.split(' ').next()) {
        Some(client) if !client.is_empty() => format!("{host} (ssh from {client})"),
        _ => host.to_owned(),
    }
}

fn millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The time, in UTC.
#[must_use]
pub(crate) fn now() -> String {
    Time(millis()).to_string()
}
