//! What to do about a process that is frozen while it holds the write lock.
//!
//! The kernel frees the locks of a process that dies, not of one that is stopped. A stopped holder
//! blocks every node, so the whole cluster would hang with it. As the reservation of a quorum disk is
//! broken by whoever needs it, the frozen holder is ended: its transaction was not committed, and its
//! lease would run out in any case. Only a process that is stopped (state T) for longer than
//! [`FROZEN_AFTER`], holds this very lock and has this very file open is touched.
//!
//! The holder is read from /proc/locks and never by opening the lock file: closing any descriptor of a
//! file drops all locks that the process has on it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sys::process::ProcessIdentity;

/// A stop of this length counts as frozen.
const FROZEN_AFTER: Duration = Duration::from_millis(200);
/// How often the holder is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How long a killed holder may take to vanish.
const KILL_WAIT: Duration = Duration::from_secs(1);

/// Watches one wait for the lock.
pub(super) struct Breaker<'a> {
    database: &'a Path,
    frozen: Option<(ProcessIdentity, Duration)>,
    look_at: Duration,
}

impl<'a> Breaker<'a> {
    pub(super) const fn new(database: &'a Path) -> Self {
        Self {
            database,
            frozen: None,
            look_at: LOOK_INTERVAL,
        }
    }

    /// Called again and again while the lock is not free.
    pub(super) fn waited(&mut self, elapsed: Duration) {
        if elapsed < self.look_at {
            return;
        }
        self.look_at = elapsed + LOOK_INTERVAL;
        let holder = holder(self.database).filter(ProcessIdentity::is_stopped);
        let known = self.frozen.take();
        self.frozen = holder.map(|holder| match known {
            Some((same, since)) if same == holder => (same, since),
            _ => (holder, elapsed),
        });
        if let Some((holder, since)) = &self.frozen
            && elapsed.saturating_sub(*since) >= FROZEN_AFTER
        {
            // If it cannot be ended, the wait runs into its bound and says who holds the lock.
            let _ = holder.kill_and_wait(KILL_WAIT);
        }
    }
}

/// For the message of a wait that ran out.
pub(super) fn holder_text(database: &Path) -> String {
    holder(database).map_or_else(
        || "an unknown process".to_owned(),
        |holder| format!("process {} ({})", holder.pid, holder.name()),
    )
}

/// Another process that holds an exclusive lock on the database's shared memory file.
fn holder(database: &Path) -> Option<ProcessIdentity> {
    let file = shared_memory_file(database);
    let inode = std::fs::metadata(&file).ok()?.ino();
    let table = std::fs::read_to_string("/proc/locks").ok()?;
    table
        .lines()
        .filter_map(|line| parse_lock(line, inode))
        .filter(|pid| *pid != std::process::id())
        .filter_map(|pid| ProcessIdentity::of(pid).ok())
        .find(|process| process.has_open(&file))
}

fn shared_memory_file(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-shm");
    PathBuf::from(name)
}

/// `12: POSIX  ADVISORY  WRITE 4711 08:01:131099 120 120` gives 4711 if the inode is the one asked for.
fn parse_lock(line: &str, inode: u64) -> Option<u32> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, "POSIX", _, "WRITE", pid, place, ..] = words.as_slice() else {
        return None;
    };
    let held: u64 = place.rsplit(':').next()?.parse().ok()?;
    (held == inode).then(|| pid.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_held_write_locks_of_the_file_count() {
        let held = "12: POSIX  ADVISORY  WRITE 4711 08:01:131099 120 120";
        assert_eq!(parse_lock(held, 131_099), Some(4711));
        assert_eq!(parse_lock(held, 1), None);
        for other in [
            "12: -> POSIX  ADVISORY  WRITE 4711 08:01:131099 120 120",
            "12: POSIX  ADVISORY  READ  4711 08:01:131099 124 124",
            "1: FLOCK  ADVISORY  WRITE 4711 08:01:131099 0 EOF",
            "",
        ] {
            assert_eq!(parse_lock(other, 131_099), None, "{other}");
        }
    }
}
