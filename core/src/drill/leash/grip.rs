//! The client's end of a leash.

use std::path::PathBuf;
use std::time::Duration;

use super::order::{LeashOrder, Made, Release, Undone, Word};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::process::Companion;

/// How long a leash may take to make its fault: a large disk is not filled in an instant.
const MAKE_MAX: Duration = Duration::from_secs(60);
/// How long it may take to undo it, the remedy included.
const UNDO_MAX: Duration = Duration::from_secs(90);

/// A fault on a leash. Dropping it undoes the fault.
#[derive(Debug)]
pub(in crate::drill) struct Leash {
    companion: Companion,
    /// When it was made, and what it hit.
    pub(in crate::drill) made: Made,
}

impl Leash {
    /// Makes a fault. `program` is how this program is started.
    ///
    /// # Errors
    /// Those of the fault.
    pub(in crate::drill) fn put(program: &[PathBuf], order: &LeashOrder) -> Result<Self> {
        let mut companion = Companion::start(program, &["leash"])?;
        let line = serde_json::to_string(order)
            .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        companion.say(&line)?;
        match hear(&companion, MAKE_MAX)? {
            Word::Made(made) => Ok(Self { companion, made }),
            Word::Failed(error) => Err(error),
            Word::Undone(_) => Err(Error::new(
                ErrorKind::Internal,
                "a leash undid what it had not done",
            )),
        }
    }

    /// Undoes the fault, unless the leash has done so already, and says how.
    ///
    /// # Errors
    /// `ServiceNotAvailable` when the leash was ended from outside, and `Timeout`.
    pub(in crate::drill) fn release(mut self) -> Result<Undone> {
        // When its time was over it has spoken already, and does not listen any more.
        let _ = self.companion.say("undo");
        match hear(&self.companion, UNDO_MAX)? {
            Word::Undone(undone) => Ok(undone),
            _ => Err(odd()),
        }
    }
}

impl Undone {
    /// Words for people: what was undone, and why if it was not asked for.
    pub(in crate::drill) fn story(&self) -> String {
        let why = match self.release {
            Release::Asked => "",
            Release::Time => " (its time was over)",
            Release::Lost => " (its client was gone)",
            Release::Signal => " (by a signal)",
        };
        format!("{}{why}", self.text)
    }
}

fn hear(companion: &Companion, limit: Duration) -> Result<Word> {
    let line = companion.hear(limit)?;
    let line = line.ok_or_else(|| {
        let text = format!("the leash (process {}) does not answer", companion.pid());
        Error::new(ErrorKind::Timeout, text).hint("SIGTERM makes it undo its fault and end")
    })?;
    serde_json::from_str(&line).map_err(|_| odd())
}

fn odd() -> Error {
    Error::new(ErrorKind::Internal, "a leash said something odd")
}
