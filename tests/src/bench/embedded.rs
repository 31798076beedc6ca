//! The queue engine inside this process, without a server.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender as Channel, channel};
use std::time::Duration;

use hamq_core::queue::manager::{Manager, ManagerOptions};
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{QueueProperties, Request, RequestId, Transaction};
use hamq_core::sys::clock::SystemClock;
use hamq_core::{Error, ErrorKind, Result};
use uuid::Uuid;

use super::load::Sender;

/// How long an outcome may take.
const PATIENCE: Duration = Duration::from_secs(60);
const QUEUE: &str = "bench";

/// A queue manager of this process with one queue, and who sends to it.
pub struct Embedded {
    manager: Manager,
    client: Uuid,
    submitted: u64,
    confirmed: u64,
    outcomes: Receiver<Result<u64>>,
    report: Channel<Result<u64>>,
    lot: Vec<(RequestId, Request)>,
}

/// Messages that are handed over together.
const LOT: usize = 1000;
/// Lots whose outcome is not there yet, at most: while one is written, the next ones are decided and made.
const LOTS: usize = 4;

impl Embedded {
    /// Opens a new store in `folder`.
    ///
    /// # Errors
    /// Those of the store.
    pub fn open(folder: &Path) -> Result<Self> {
        let trouble = |e: std::io::Error| Error::system(folder.display(), &e);
        std::fs::create_dir_all(folder).map_err(trouble)?;
        let disk = hamq_core::sys::disk::real(folder).map_err(trouble)?;
        let options = ManagerOptions {
            name: ".".to_owned(),
            epoch: None,
            owner: "bench".to_owned(),
            deadline: None,
            // Every request that is under way is told the same.
            on_failure: Box::new(|_| {}),
        };
        let (manager, _) = Manager::open(disk, Arc::new(SystemClock), options)?;
        manager.call(Request::CreateQueue {
            queue: QUEUE.to_owned(),
            properties: QueueProperties::default(),
        })?;
        let (report, outcomes) = channel();
        Ok(Self {
            manager,
            client: Uuid::new_v4(),
            submitted: 0,
            confirmed: 0,
            outcomes,
            report,
            lot: Vec::with_capacity(LOT),
        })
    }

    /// Closes the store.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn close(self) -> Result<()> {
        self.manager.close()
    }
}

impl Sender for Embedded {
    fn send(&mut self, body: &[u8]) -> Result<()> {
        self.submitted += 1;
        let id = RequestId {
            client: self.client,
            sequence: self.submitted,
            acknowledged: self.confirmed + 1,
        };
        let request = Request::Send {
            queue: QUEUE.to_owned(),
            message: Message::new(body).encode(),
            transaction: Transaction::None,
            body: None,
        };
        self.lot.push((id, request));
        if self.lot.len() >= LOT {
            self.hand_over();
        }
        Ok(())
    }

    fn settle(&mut self, left: usize) -> Result<()> {
        if left == 0 {
            self.hand_over();
        }
        let open = if left == 0 { 0 } else { LOTS * LOT };
        while self.submitted - self.confirmed > open as u64 {
            let outcome = self.outcomes.recv_timeout(PATIENCE);
            let lost = |_| Error::new(ErrorKind::Internal, "no outcome within a minute");
            self.confirmed += outcome.map_err(lost)??;
        }
        Ok(())
    }
}

impl Embedded {
    fn hand_over(&mut self) {
        let lot = std::mem::replace(&mut self.lot, Vec::with_capacity(LOT));
        let report = self.report.clone();
        let respond = move |outcomes: Vec<Result<_>>| {
            let count = outcomes.len() as u64;
            let first = outcomes.into_iter().find_map(Result::err);
            // Who counts is gone only when a request failed.
            let _ = report.send(first.map_or(Ok(count), Err));
        };
        self.manager.submit_many(lot, Box::new(respond));
    }
}
