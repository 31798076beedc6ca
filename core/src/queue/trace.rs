//! What happened to a message.

use serde::{Deserialize, Serialize};

/// One step of a message's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// Unix milliseconds.
    pub time_ms: u64,
    /// The queue's local name.
    pub queue: String,
    /// What happened: `Arrived`, `Received`, `Moved`, `DeadLettered`, `Expired`, …
    pub what: String,
    /// Who did it or why; empty: nothing to say.
    pub detail: String,
}

use super::index::Pages;
use super::message::MessageId;
use super::state::State;
use crate::error::Result;

impl State {
    /// Where a message is now.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn trace(&mut self, pages: &dyn Pages, id: MessageId) -> Result<Vec<TraceStep>> {
        let own = self.guid;
        let mut steps = Vec::new();
        for queue in self.queues.values_mut() {
            let ordinal = if id.manager == own { id.ordinal } else { 0 };
            let mut step = |time_ms, what: &str| {
                steps.push(TraceStep {
                    time_ms,
                    queue: queue.name.clone(),
                    what: what.to_owned(),
                    detail: String::new(),
                });
            };
            let same = |lookup_id: &u64| (lookup_id & u64::from(u32::MAX)) == u64::from(ordinal);
            for (_, locked) in queue.locked.iter().filter(|l| ordinal != 0 && same(l.0)) {
                step(locked.entry.arrived_ms, "Held");
            }
            for (_, delayed) in queue.delayed.iter().filter(|d| ordinal != 0 && same(d.0)) {
                step(delayed.entry.arrived_ms, "Delayed");
            }
            if let Some(lookup_id) = queue.index.find_id(pages, ordinal, id)?
                && let Some(entry) = queue.index.get(pages, lookup_id)?
            {
                step(entry.arrived_ms, "Waiting");
            }
        }
        Ok(steps)
    }
}
