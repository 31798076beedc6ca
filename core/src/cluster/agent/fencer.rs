//! Making sure that a node that seems dead does no harm.

use std::time::Duration;

use crate::cluster::engine::{Evidence, FenceOutcome};
use crate::cluster::record::{FencingMode, Process, Session};
use crate::sys::process::{ProcessIdentity, boot_id};

/// How long a process may take to end by itself after its connection was closed.
const ENDING: Duration = Duration::from_millis(250);
/// How long the kernel may take to end a process.
const KILLING: Duration = Duration::from_secs(5);

/// Ends nodes that hang. May block.
pub trait Fencer: Send + Sync + 'static {
    /// Fences the node of a session.
    fn fence(&self, session: &Session, evidence: Evidence, mode: FencingMode) -> FenceOutcome;
}

/// By the process of the node's agent, where it runs on this kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessFencer;

impl Fencer for ProcessFencer {
    fn fence(&self, session: &Session, evidence: Evidence, mode: FencingMode) -> FenceOutcome {
        let process = identity(&session.process);
        if boot_id().ok().as_ref() != Some(&process.boot_id) {
            return unproven("its agent runs on another machine");
        }
        // The same number in another namespace is another process.
        if process.pid == std::process::id() && process.is_alive() {
            return unproven("its agent runs in this very process");
        }
        // An agent whose connection was closed is ending, or only the connection was lost.
        if evidence == Evidence::Closed {
            return match process.ends_within(ENDING) {
                true => FenceOutcome::Dead(format!("its agent ({process}) has ended")),
                false => FenceOutcome::Alive,
            };
        }
        if mode == FencingMode::Storage {
            return match process.is_alive() {
                true => unproven("it hangs and is left to the epoch in the store"),
                false => FenceOutcome::Dead(format!("its agent ({process}) has ended")),
            };
        }
        match process.kill_and_wait(KILLING) {
            Ok(true) => FenceOutcome::Dead(format!("its agent ({process}) hung and was ended")),
            Ok(false) => FenceOutcome::Dead(format!("its agent ({process}) has ended")),
            Err(e) => unproven(&e.message),
        }
    }
}

fn unproven(text: &str) -> FenceOutcome {
    FenceOutcome::Unproven(text.to_owned())
}

pub(super) fn identity(process: &Process) -> ProcessIdentity {
    ProcessIdentity {
        pid: process.pid,
        start_time: process.start_time,
        boot_id: process.boot_id.clone(),
        pid_namespace: process.pid_namespace,
    }
}
