//! Processes as a test sees them: found, signalled, waited for.

use std::time::{Duration, Instant};

use hamq_core::sys::process::{self, ProcessIdentity};
use rustix::process::{Pid, Signal, kill_process};

/// The queue managers among the children of an agent.
#[must_use]
pub fn queue_managers(agent: u32) -> Vec<u32> {
    let children = process::children(agent).into_iter();
    children
        .filter(|pid| {
            process::arguments(*pid)
                .iter()
                .any(|a| a == "queue-manager")
        })
        .collect()
}

/// Every process of this machine whose command line has `text` in it.
#[must_use]
pub fn mentioning(text: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != std::process::id())
        .filter(|pid| {
            process::arguments(*pid)
                .iter()
                .any(|argument| argument.contains(text))
        })
        .collect()
}

/// Sends a signal to a process this test has started, directly or through a node.
///
/// # Panics
/// When the process is not there.
pub fn signal(pid: u32, signal: Signal) {
    let raw = i32::try_from(pid).unwrap_or(0);
    let target = Pid::from_raw(raw);
    assert!(target.is_some(), "{pid} is no process");
    if let Some(target) = target {
        assert_eq!(kill_process(target, signal), Ok(()), "signal {pid}");
    }
}

/// Stops a process and waits until the last of its threads has stopped.
///
/// # Panics
/// When the process is not there, or runs on for a minute.
pub fn freeze(pid: u32) {
    signal(pid, Signal::STOP);
    wait_until(&format!("{pid} is frozen"), || is_frozen(pid));
}

/// Whether every thread of a process is stopped.
#[must_use]
pub fn is_frozen(pid: u32) -> bool {
    ProcessIdentity::of(pid).is_ok_and(|process| process.is_stopped())
}

/// Waits until `done` says so.
///
/// # Panics
/// After a minute, with `what`.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "waited a minute until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
