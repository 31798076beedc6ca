//! Ending a former owner that hangs on this machine, as a power switch would.

use std::time::Duration;

use super::{Fencing, blocking};
use crate::sys::process::{Presence, ProcessIdentity};

/// How long a killed process may take to vanish.
const KILL_MAX: Duration = Duration::from_secs(2);

/// Ends `process`, if that is how this node fences and if it exists here. Returns the outcome as text
/// for the log and the timeline. Failing is no fault: the store's epoch keeps the process out.
pub async fn fence_process(process: ProcessIdentity, fencing: Fencing) -> String {
    if fencing == Fencing::Storage {
        return format!("{process} is left alone; the epoch in the store keeps it out");
    }
    let outcome = blocking(move || {
        let text = process.to_string();
        if process.presence() == Presence::Gone {
            return Ok(format!("{text} had ended already"));
        }
        let name = process.name();
        Ok(match process.kill_and_wait(KILL_MAX) {
            Ok(true) => format!("{text} ({name}) was ended by SIGKILL"),
            Ok(false) => format!("{text} ({name}) had ended already"),
            Err(error) => format!("{error}; the epoch in the store keeps it out"),
        })
    });
    outcome.await.unwrap_or_else(|error| error.message)
}
