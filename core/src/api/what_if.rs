//! What a command would do: its steps, decided by whoever would run it, and nothing done.
//!
//! ```text
//!  Client::what_if ─┬─ Agent         `What-If`: rehearsed on the rows of the cluster database
//!                   ├─ QueueManager  `Request::WhatIf`: decided, not applied
//!                   └─ Client        local_cluster: what it would start, stop, write and remove here
//! ```

use std::sync::{Arc, PoisonError};

use super::client::Session;
use super::queue_commands::{self, Asks, Managers, Sessions};
use super::session::Rehearsal;
use super::spec::record;
use super::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;
use crate::queue::request::TransactionId;

record! {
    /// A step of what a command would do.
    StepInfo as "PlannedStep", columns ["Step", "Action", "Object", "Node", "Note"], {
        /// Its number, from 1.
        step "Step": u64,
        /// `Take offline`, `Bring online`, `Move`, `Add group`, `Delete messages` …
        action "Action": String,
        /// What it is done to.
        object "Object": String,
        /// Where; empty where no node in particular does it.
        node "Node": String,
        /// Why, or what exactly.
        note "Note": String,
    }
}

impl std::fmt::Display for StepInfo {
    /// `3. Bring online VS1-IP on n2: group VS1`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}. {}", self.step, self.action)?;
        if !self.object.is_empty() {
            write!(f, " {}", self.object)?;
        }
        if !self.node.is_empty() && self.node != self.object {
            let preposition = if self.action == "Move" { "to" } else { "on" };
            write!(f, " {preposition} {}", self.node)?;
        }
        match self.note.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.note),
        }
    }
}

impl StepInfo {
    /// One that has no number yet.
    pub(crate) fn new(action: &str, object: &str, node: &str, note: impl Into<String>) -> Self {
        Self {
            step: 0,
            action: action.to_owned(),
            object: object.to_owned(),
            node: node.to_owned(),
            note: note.into(),
        }
    }

    pub(crate) fn numbered(mut steps: Vec<Self>) -> Vec<Self> {
        for (number, step) in (1..).zip(&mut steps) {
            step.step = number;
        }
        steps
    }
}

/// Runs a command on queues or messages through sessions that only rehearse.
pub(super) fn ask(on: &dyn Sessions, name: &str, arguments: &Value) -> Result<Vec<StepInfo>> {
    let rehearsing = Rehearsing {
        on,
        rehearsal: Rehearsal::default(),
    };
    let outcome = queue_commands::run(&rehearsing, name, arguments);
    let mut foreseen = (rehearsing.rehearsal.lock()).unwrap_or_else(PoisonError::into_inner);
    let Some(foreseen) = foreseen.take() else {
        return outcome.map(|_| Vec::new());
    };
    let steps = foreseen.into_iter();
    let steps = steps.map(|f| StepInfo::new(&f.action, &f.object, "", f.note));
    Ok(steps.collect())
}

struct Rehearsing<'a> {
    on: &'a dyn Sessions,
    rehearsal: Rehearsal,
}

impl Sessions for Rehearsing<'_> {
    fn session(&self, computer: &str) -> Result<Session> {
        let session = self.on.session(computer)?;
        Ok(session.rehearsing(&Arc::clone(&self.rehearsal)))
    }

    fn nature(&self, path: &QueuePath) -> Option<bool> {
        self.on.nature(path)
    }

    fn transaction(&self, _: &str) -> Result<(Session, TransactionId)> {
        let text = "what is asked in a transaction cannot be foreseen by itself";
        Err(Error::new(ErrorKind::Usage, text)
            .hint("Complete-Transaction -WhatIf, or leave -UseTransaction out"))
    }
}

impl Managers for Rehearsing<'_> {
    fn manager(&self, computer: &str) -> Result<Box<dyn Asks + '_>> {
        Ok(Box::new(self.session(computer)?))
    }

    /// What a rehearsal learns is forgotten: a queue that it would delete is still there.
    fn remember(&self, _: &QueuePath, _: Option<bool>) {}
}
