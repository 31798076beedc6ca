//! What callers hold: a session and the tickets of its requests. Blocking, from any thread.

use std::sync::Arc;

use super::link::{Link, SessionOptions};
use super::slot::Slot;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::request::{Reply, Request};

/// A session with one queue manager: an identity, a sequence of requests, one connection at a time.
#[derive(Clone)]
pub struct Session(Arc<Owner>);

/// Ends the link's task with the last clone of the session.
struct Owner(Arc<Link>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Session {
    /// Starts a session's task on `runtime`. It connects with the first request.
    pub(crate) fn start(runtime: &tokio::runtime::Handle, options: SessionOptions) -> Self {
        let link = Arc::new(Link::new(options));
        runtime.spawn(Arc::clone(&link).run());
        Self(Arc::new(Owner(link)))
    }

    /// Asks and waits.
    ///
    /// # Errors
    /// Those of the request; `RemoteMachineNotAvailable` when the virtual server does not come back in time.
    pub fn call(&self, request: Request) -> Result<Reply> {
        self.submit(request).wait()
    }

    /// Asks without waiting; requests are executed in the order of their submission.
    /// Blocks while too many are under way. A ticket that is dropped is a request whose outcome nobody
    /// hears of: a receive whose ticket is dropped may take a message.
    #[must_use]
    pub fn submit(&self, request: Request) -> Ticket {
        let slot = Arc::new(Slot::default());
        self.0.0.submit(request, Arc::clone(&slot));
        Ticket(slot)
    }

    /// Ends every call that is waiting, with `OperationCancelled`.
    pub fn cancel(&self) {
        self.0.0.cancel();
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

/// A request under way.
#[derive(Debug)]
pub struct Ticket(Arc<Slot>);

impl Ticket {
    /// Waits for the reply.
    ///
    /// # Errors
    /// As [`Session::call`].
    pub fn wait(self) -> Result<Reply> {
        self.0.wait()
    }
}

/// The error of a session that was closed.
pub(super) fn closed() -> Error {
    Error::new(ErrorKind::OperationCancelled, "the session was closed")
}
