//! Groups of processes - all below this one, all of a session - and the end of all of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::{WaitOptions, wait};

use super::ProcessIdentity;
use super::identity::Stat;

/// How long all of them together may take to end.
const END_MAX: Duration = Duration::from_secs(5);
/// How long one of them may take before the others are looked at again.
const ONE_MAX: Duration = Duration::from_millis(500);

/// Kills everything below this process, which must be a child subreaper: what loses its parent meanwhile
/// comes to us and is found in the next round. Reaps what ended. True if nothing is left.
pub(super) fn kill_descendants() -> bool {
    kill_all(|| {
        reap();
        descendants(std::process::id())
    })
}

/// Kills what is left of the session that `leader` started; true if nothing is left. For a command whose
/// supervisor was killed: the kernel then ends the command itself, but not the command's children.
#[must_use]
pub fn kill_session(leader: &ProcessIdentity) -> bool {
    kill_all(|| {
        // The kernel does not hand out a pid while a session goes by it. If another process has it
        // now, the session is over.
        let reused = ProcessIdentity::of(leader.pid).is_ok_and(|now| now != *leader);
        if reused {
            Vec::new()
        } else {
            session(leader.pid)
        }
    })
}

/// Kills what `find` finds until it finds nothing, within the bound.
fn kill_all(mut find: impl FnMut() -> Vec<ProcessIdentity>) -> bool {
    let until = Instant::now() + END_MAX;
    loop {
        let found = find();
        if found.is_empty() {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        for process in found {
            // One that cannot be killed is met again in the next round, until the bound.
            let _ = process.kill_and_wait(ONE_MAX);
        }
    }
}

/// Takes the exit statuses of children that ended.
fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

/// All living processes below `root`.
fn descendants(root: u32) -> Vec<ProcessIdentity> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (pid, stat) in processes() {
        children.entry(stat.parent).or_default().push(pid);
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        for pid in children.remove(&parent).unwrap_or_default() {
            open.push(pid);
            found.extend(ProcessIdentity::of(pid).ok());
        }
    }
    found
}

fn session(id: u32) -> Vec<ProcessIdentity> {
    processes()
        .filter(|(_, stat)| stat.session == id)
        .filter_map(|(pid, _)| ProcessIdentity::of(pid).ok())
        .collect()
}

fn processes() -> impl Iterator<Item = (u32, Stat)> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .filter_map(|pid| Some((pid, Stat::read(pid)?)))
}
