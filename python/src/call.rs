//! Asking a queue manager, in this process or over the network, without holding the GIL.

use std::iter;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};

use hamq_core::Result;
use hamq_core::api::Asks;
use hamq_core::api::client::{Client, Held, Session, Ticket};
use hamq_core::queue::request::{BodyId, Reply, Request, TransactionId};
use pyo3::prelude::*;

use crate::embedded::{Embedded, HeldRequest};
use crate::error::internal;
use crate::lane::{self, Lanes};

/// The way to one queue manager.
pub(crate) enum Link {
    /// Through a session, which outlives failovers.
    Remote(Remote),
    /// In this process.
    Embedded(Embedded),
}

/// A session and what its calls need.
pub(crate) struct Remote {
    /// Cancels on Ctrl-C.
    pub(crate) client: Client,
    /// The session.
    pub(crate) session: Session,
    /// Carry its calls.
    pub(crate) lanes: Arc<Lanes>,
}

impl Link {
    /// Asks and waits. The outer result is a raised signal, the inner one the queue manager's answer;
    /// for `patience` see [`Lanes::run`].
    ///
    /// # Errors
    /// As above.
    pub(crate) fn call(
        &self,
        py: Python<'_>,
        patience: u32,
        request: Request,
    ) -> PyResult<Result<Reply>> {
        match self {
            Self::Remote(remote) => {
                let session = remote.session.clone();
                remote.run(py, patience, move || session.call(request))
            }
            Self::Embedded(embedded) => {
                let (done, outcome) = channel();
                py.detach(|| embedded.submit(request, move |reply| drop(done.send(reply))));
                lane::wait(py, outcome, patience, || ())
            }
        }
    }

    /// As [`Link::call`], and the outcome is kept until the [`Holding`] is dropped.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn call_held(
        &self,
        py: Python<'_>,
        patience: u32,
        request: Request,
    ) -> PyResult<Result<(Reply, Holding)>> {
        match self {
            Self::Remote(remote) => {
                let session = remote.session.clone();
                let outcome = remote.run(py, patience, move || session.submit_held(request).wait());
                Ok(outcome?.map(|(reply, held)| (reply, Holding::Remote(held))))
            }
            Self::Embedded(embedded) => {
                let (done, outcome) = channel();
                let held = py
                    .detach(|| embedded.submit_held(request, move |reply| drop(done.send(reply))));
                let reply = lane::wait(py, outcome, patience, || ())?;
                Ok(reply.map(|reply| (reply, Holding::Embedded(held))))
            }
        }
    }

    /// Asks for all of them before it waits for the first; the answers are in the order of the requests.
    ///
    /// # Errors
    /// A raised signal.
    pub(crate) fn call_all(
        &self,
        py: Python<'_>,
        requests: Vec<Request>,
    ) -> PyResult<Vec<Result<Reply>>> {
        let requests = match <[Request; 1]>::try_from(requests) {
            Ok([request]) => return Ok(vec![self.call(py, 0, request)?]),
            Err(requests) => requests,
        };
        match self {
            Self::Remote(remote) => {
                let session = remote.session.clone();
                remote.run(py, 0, move || {
                    let submit = |request| session.submit(request);
                    let tickets: Vec<Ticket> = requests.into_iter().map(submit).collect();
                    tickets.into_iter().map(Ticket::wait).collect()
                })
            }
            Self::Embedded(embedded) => submit_all(py, embedded, requests),
        }
    }

    /// A number for a body that will be written in parts.
    pub(crate) fn new_body(&self) -> BodyId {
        match self {
            Self::Remote(remote) => remote.session.new_body(),
            Self::Embedded(embedded) => embedded.new_body(),
        }
    }

    /// Begins a transaction without waiting for it.
    pub(crate) fn begin(&self) -> TransactionId {
        match self {
            Self::Remote(remote) => remote.session.begin(),
            Self::Embedded(embedded) => embedded.begin(),
        }
    }

    /// Asks for something whose outcome nobody waits for.
    pub(crate) fn tell(&self, request: Request) {
        match self {
            Self::Remote(remote) => drop(remote.session.submit(request)),
            Self::Embedded(embedded) => embedded.submit(request, |_| ()),
        }
    }
}

/// A way to a queue manager on which nobody looks for Ctrl-C: for what takes no time.
pub(crate) struct Asked<'a>(pub(crate) &'a Link);

impl Asks for Asked<'_> {
    fn ask(&self, request: Request) -> Result<Reply> {
        match self.0 {
            Link::Remote(remote) => remote.session.call(request),
            Link::Embedded(embedded) => {
                let (done, outcome) = channel();
                embedded.submit(request, move |reply| drop(done.send(reply)));
                let lost = |_| Err(internal("the queue manager dropped a request"));
                outcome.recv().unwrap_or_else(lost)
            }
        }
    }
}

/// An outcome that the queue manager keeps.
pub(crate) enum Holding {
    /// Of a session.
    Remote(Held),
    /// Of this process.
    Embedded(HeldRequest),
}

impl Holding {
    /// The number of the request, by which its body is read.
    pub(crate) fn sequence(&self) -> u64 {
        match self {
            Self::Remote(held) => held.sequence(),
            Self::Embedded(held) => held.sequence(),
        }
    }
}

impl Remote {
    fn run<T: Send + 'static>(
        &self,
        py: Python<'_>,
        patience: u32,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> PyResult<T> {
        self.lanes.run(py, patience, || self.client.cancel(), work)
    }
}

fn submit_all(
    py: Python<'_>,
    embedded: &Embedded,
    requests: Vec<Request>,
) -> PyResult<Vec<Result<Reply>>> {
    let lost = || Err(internal("the queue manager dropped a request"));
    let count = requests.len();
    let replies: Vec<Result<Reply>> = iter::repeat_with(lost).take(count).collect();
    let replies = Arc::new(Mutex::new(replies));
    // The last request lets go of the last sender: then nothing more can come.
    let (all, finished) = channel::<()>();
    py.detach(|| {
        for (index, request) in requests.into_iter().enumerate() {
            let (replies, pending) = (Arc::clone(&replies), all.clone());
            embedded.submit(request, move |reply| {
                let mut replies = replies.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(place) = replies.get_mut(index) {
                    *place = reply;
                }
                drop(pending);
            });
        }
        drop(all);
    });
    lane::wait_for_end(py, finished)?;
    let mut replies = replies.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *replies))
}
