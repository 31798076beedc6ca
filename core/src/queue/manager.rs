//! The queue manager: one thread that owns a store, decides with the pure state and writes the log.
//!
//! Requests of all connections come in through one bounded channel. The thread takes all that have
//! come, applies them, writes their records as one batch, syncs once, checks the epoch, and only then
//! calls back with the replies: nothing is acknowledged, and nothing that was just written is shown to
//! a reader, before it is durable.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::request::{Reply, Request, RequestId, Respond};
use crate::error::{Error, Result};
use crate::sys::clock::Clock;
use crate::sys::disk::Disk;

/// How to open a store.
pub struct ManagerOptions {
    /// The computer name it answers to: a virtual server, a node, or `.` when embedded.
    pub name: String,
    /// The epoch to take the store over with. `None`: one more than the store's own (embedded use,
    /// where there is no cluster that hands out epochs).
    pub epoch: Option<u64>,
    /// Who opens it, for reports: a node's name.
    pub owner: String,
    /// Stop acknowledging at this time of the boot clock unless it is extended (DESIGN.md D3b); `None`
    /// relies on the epoch alone.
    pub deadline: Option<Duration>,
    /// Called once, from the manager's thread, when the store is poisoned or fenced; every later request
    /// fails with the same error.
    pub on_failure: Box<dyn FnOnce(Error) + Send>,
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenReport {
    /// The epoch the store now has.
    pub epoch: u64,
    /// Records that were read from the log, beyond the snapshot.
    pub records_replayed: u64,
    /// Bytes of a torn or unsealed tail that were left out.
    pub bytes_cut: u64,
    /// Queues and messages it holds.
    pub queues: u64,
    /// Messages it holds.
    pub messages: u64,
    /// Milliseconds for taking over (epoch written), reading and getting ready.
    pub steps: Vec<(String, f64)>,
}

/// A handle on a running queue manager; clones share it. It stops when the last one is dropped.
#[derive(Clone)]
pub struct Manager {}

impl Manager {
    /// Opens the store in `disk`, or creates one where there is none, and starts the thread.
    ///
    /// # Errors
    /// `Fenced` when the store has a higher epoch; `StoreDamaged`; those of the file system.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: ManagerOptions,
    ) -> Result<(Self, OpenReport)> {
        let _ = (disk, clock, options);
        Err(Error::new(
            crate::ErrorKind::Internal,
            "the store helper writes this",
        ))
    }

    /// Hands in a request; `respond` is called once with its outcome when that is durable.
    pub fn submit(&self, id: RequestId, request: Request, respond: Respond) {
        let _ = (id, request, respond);
    }

    /// Aborts the open transactions of a client and cancels its waits: its connection has ended.
    pub fn end_session(&self, client: Uuid) {
        let _ = client;
    }

    /// Asks and waits, with an identity of its own: for embedded use.
    ///
    /// # Errors
    /// Those of the request.
    pub fn call(&self, request: Request) -> Result<Reply> {
        let _ = request;
        Err(Error::new(
            crate::ErrorKind::Internal,
            "the store helper writes this",
        ))
    }

    /// The owner's lease was renewed: acknowledgements are allowed until this time of the boot clock.
    pub fn extend_deadline(&self, until: Duration) {
        let _ = until;
    }

    /// Writes a snapshot, stops the thread and closes the store; waits for it.
    ///
    /// # Errors
    /// Those of the file system; the store is consistent all the same.
    pub fn close(&self) -> Result<()> {
        Ok(())
    }
}
