//! A queue manager in this process, with no server: the requests of all its Python threads under one
//! identity.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use hamq_core::queue::manager::{Manager, ManagerOptions, OpenReport};
use hamq_core::queue::request::{BodyId, Reply, Request, RequestId, Respond, TransactionId};
use hamq_core::sys::clock::SystemClock;
use hamq_core::sys::disk;
use hamq_core::{Error, Result};
use uuid::Uuid;

/// An open store and who asks it.
pub(crate) struct Embedded {
    manager: Manager,
    client: Uuid,
    window: Mutex<Window>,
    done: Sender<u64>,
    /// The last number of a transaction or body.
    numbers: AtomicU64,
}

/// Which requests are under way: the store may forget the outcomes of all before the first of them.
///
/// Finished ones are told over a channel and not by taking the lock: a submission holds the lock while
/// it waits for room in the manager's queue, and the manager must not wait for it in turn.
struct Window {
    last: u64,
    open: BTreeSet<u64>,
    done: Receiver<u64>,
}

impl Window {
    fn next(&mut self, client: Uuid) -> RequestId {
        for sequence in self.done.try_iter() {
            self.open.remove(&sequence);
        }
        self.last += 1;
        self.open.insert(self.last);
        let first = self.open.first().copied();
        RequestId {
            client,
            sequence: self.last,
            acknowledged: first.unwrap_or(self.last),
        }
    }
}

/// A request whose outcome the store keeps until this is dropped.
pub(crate) struct HeldRequest {
    sequence: u64,
    done: Sender<u64>,
}

impl HeldRequest {
    /// Its number.
    pub(crate) const fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl Drop for HeldRequest {
    fn drop(&mut self) {
        // As at the end of every other request.
        let _ = self.done.send(self.sequence);
    }
}

impl Embedded {
    /// Opens the store in the folder `path`, which must exist.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn open(path: &Path) -> Result<(Self, OpenReport)> {
        let disk = disk::real(path)
            .map_err(|e| Error::system(format_args!("open the store {}", path.display()), &e))?;
        let options = ManagerOptions {
            name: ".".to_owned(),
            epoch: None,
            owner: format!("process {}", std::process::id()),
            deadline: None,
            // Every later request fails with the same error: that is how Python hears of it.
            on_failure: Box::new(|_| ()),
        };
        let (manager, report) = Manager::open(disk, Arc::new(SystemClock), options)?;
        let (done, finished) = channel();
        let window = Window {
            last: 0,
            open: BTreeSet::new(),
            done: finished,
        };
        let embedded = Self {
            manager,
            client: Uuid::new_v4(),
            window: Mutex::new(window),
            done,
            numbers: AtomicU64::new(0),
        };
        Ok((embedded, report))
    }

    /// Hands in a request; the outcome is called back once, from the manager's thread.
    pub(crate) fn submit(
        &self,
        request: Request,
        respond: impl FnOnce(Result<Reply>) + Send + 'static,
    ) {
        self.submit_as(request, true, respond);
    }

    /// As [`Embedded::submit`]; the store keeps the outcome until the result is dropped.
    pub(crate) fn submit_held(
        &self,
        request: Request,
        respond: impl FnOnce(Result<Reply>) + Send + 'static,
    ) -> HeldRequest {
        HeldRequest {
            sequence: self.submit_as(request, false, respond),
            done: self.done.clone(),
        }
    }

    fn submit_as(
        &self,
        request: Request,
        ends: bool,
        respond: impl FnOnce(Result<Reply>) + Send + 'static,
    ) -> u64 {
        // The sequence is drawn and handed in under one lock, so that it rises in the store as well.
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let id = window.next(self.client);
        let done = self.done.clone();
        let respond: Respond = Box::new(move |outcome| {
            respond(outcome);
            if ends {
                // Nobody listens any more only when the store is being closed.
                let _ = done.send(id.sequence);
            }
        });
        self.manager.submit(id, request, respond);
        id.sequence
    }

    /// A number for a body that will be written in parts.
    pub(crate) fn new_body(&self) -> BodyId {
        BodyId(self.numbers.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Begins a transaction and does not wait for it: requests are executed in their order.
    pub(crate) fn begin(&self) -> TransactionId {
        let transaction = TransactionId(self.numbers.fetch_add(1, Ordering::Relaxed) + 1);
        self.submit(Request::Begin { transaction }, |_| ());
        transaction
    }

    /// Closes the store; waits for it.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn close(&self) -> Result<()> {
        self.manager.end_session(self.client);
        self.manager.close()
    }
}
