//! Performance counters, named like those of the original (msmq.md 7.3).

use serde::{Deserialize, Serialize};

/// One value at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// `MSMQ Queue`, `MSMQ Service`, `HAMQ Store`.
    pub object: String,
    /// The queue's local name; `Computer Queues`; empty for the service.
    pub instance: String,
    /// `Messages in Queue` and its like.
    pub counter: String,
    /// The value. Of one that only rises, the total since the start.
    pub value: u64,
    /// Whether it only rises.
    pub total: bool,
}
