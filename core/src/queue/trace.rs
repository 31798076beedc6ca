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
