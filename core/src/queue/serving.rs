//! Receives that wait: put aside, served by what arrives, ended by time, session or queue.

use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;

use super::request::{Request, RequestId, Respond};
use super::waiting::Waiter;
use super::worker::Worker;
use crate::error::{Error, ErrorKind};

impl Worker {
    pub(super) fn wait(&mut self, id: RequestId, request: Option<Request>, respond: Respond) {
        let Some(request) = request else { return };
        let Request::Receive {
            queue, timeout_ms, ..
        } = &request
        else {
            return;
        };
        let number = self.state.find_queue(queue).map_or(0, |found| found.0);
        if *timeout_ms == 0 {
            self.replies.push((respond, Err(timeout(&request))));
            return;
        }
        let forever = *timeout_ms == u64::MAX;
        let until = self
            .clock
            .boot()
            .checked_add(Duration::from_millis(*timeout_ms));
        let replaced = self.waiting.add(
            number,
            Waiter {
                id,
                request,
                deadline: until.filter(|_| !forever),
                respond,
            },
        );
        self.cancel_all(
            replaced,
            ErrorKind::OperationCancelled,
            "the client asked again",
        );
    }

    /// Hands new messages of `queues` to those who wait, first come first served.
    pub(super) fn serve(&mut self, queues: Vec<u32>) {
        for queue in queues {
            let mut still = VecDeque::new();
            for waiter in self.waiting.take(queue) {
                let refused = self.refusal(&waiter.request).is_some();
                let result = if refused {
                    Ok(None)
                } else {
                    self.execute(&waiter.id, waiter.request.clone())
                };
                match result {
                    Ok(None) => still.push_back(waiter),
                    Ok(Some(reply)) => self.replies.push((waiter.respond, Ok(reply))),
                    Err(error) => self.replies.push((waiter.respond, Err(error))),
                }
            }
            self.waiting.put_back(queue, still);
        }
    }

    pub(super) fn cancel(&mut self, queue: u32) {
        let waiters = self.waiting.take(queue).into();
        self.cancel_all(waiters, ErrorKind::QueueDeleted, "the queue was deleted");
    }

    pub(super) fn cancel_all(&mut self, waiters: Vec<Waiter>, kind: ErrorKind, why: &str) {
        for waiter in waiters {
            self.replies
                .push((waiter.respond, Err(Error::new(kind, why))));
        }
    }

    pub(super) fn end_session(&mut self, client: Uuid) {
        let waiters = self.waiting.of_client(client);
        self.cancel_all(
            waiters,
            ErrorKind::OperationCancelled,
            "the session has ended",
        );
        let queues = self.state.end_session(client);
        if self.failure.is_none() {
            self.serve(queues);
        }
    }

    pub(super) fn expire(&mut self) {
        let now = self.clock.boot();
        for waiter in self.waiting.expired(now) {
            let error = timeout(&waiter.request);
            self.replies.push((waiter.respond, Err(error)));
        }
    }
}

fn timeout(request: &Request) -> Error {
    let queue = match request {
        Request::Receive { queue, .. } => queue.as_str(),
        _ => "",
    };
    Error::new(
        ErrorKind::ReceiveTimeout,
        format!("no message arrived in queue {queue} in time"),
    )
}
