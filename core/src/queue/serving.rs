//! Receives that wait: served by what arrives, ended by time, session or queue.

use std::collections::VecDeque;
use std::time::Duration;

use super::engine::{Asked, Engine};
use super::request::Request;
use super::waiting::Waiter;
use crate::error::{Error, ErrorKind};

impl Engine {
    pub(super) fn wait(&mut self, asked: Asked) {
        let (queue, timeout_ms) = match &asked.request {
            Request::Receive {
                queue, timeout_ms, ..
            }
            | Request::ReceiveMany {
                queue, timeout_ms, ..
            } => (queue, *timeout_ms),
            _ => return,
        };
        let number = self.state.find_queue(queue).map_or(0, |found| found.0);
        if timeout_ms == 0 {
            let error = timeout(&asked.request);
            self.tell(asked.answer, Err(error));
            return;
        }
        let forever = timeout_ms == u64::MAX;
        let until = self
            .clock
            .boot()
            .checked_add(Duration::from_millis(timeout_ms));
        let replaced = self.waiting.add(
            number,
            Waiter {
                from: asked.from,
                id: asked.id,
                request: asked.request,
                deadline: until.filter(|_| !forever),
                answer: asked.answer,
            },
        );
        self.cancel_all(
            replaced,
            ErrorKind::OperationCancelled,
            "the client asked again",
        );
    }

    /// Hands new messages to those who wait, first come first served.
    pub(super) fn serve_woken(&mut self) {
        loop {
            let woken = self.state.take_woken();
            if woken.is_empty() {
                return;
            }
            for queue in woken {
                self.serve(queue);
            }
        }
    }

    fn serve(&mut self, queue: u32) {
        let mut waiters = self.waiting.take(queue);
        let mut still = VecDeque::new();
        while let Some(waiter) = waiters.pop_front() {
            if self.state.has_no_message(queue) {
                // Nobody behind this one can get anything either.
                still.push_back(waiter);
                still.append(&mut waiters);
                break;
            }
            let refused = self.refusal(&waiter.from, &waiter.request).is_some();
            let result = match refused {
                true => Ok(None),
                false => self.execute(&waiter.from, &waiter.id, &waiter.request),
            };
            match result {
                Ok(None) => still.push_back(waiter),
                Ok(Some(reply)) => self.tell(waiter.answer, Ok(reply)),
                Err(error) => self.tell(waiter.answer, Err(error)),
            }
        }
        self.waiting.put_back(queue, still);
    }

    pub(super) fn cancel(&mut self, queue: u32) {
        let waiters = self.waiting.take(queue).into();
        self.cancel_all(waiters, ErrorKind::QueueDeleted, "the queue was deleted");
    }

    pub(super) fn cancel_all(&mut self, waiters: Vec<Waiter>, kind: ErrorKind, why: &str) {
        for waiter in waiters {
            self.tell(waiter.answer, Err(Error::new(kind, why)));
        }
    }

    /// Ends the waits whose time is over.
    pub(super) fn end_waits(&mut self) {
        let now = self.clock.boot();
        if self.waiting.next_deadline().is_none_or(|at| at > now) {
            return;
        }
        for waiter in self.waiting.expired(now) {
            let error = timeout(&waiter.request);
            self.tell(waiter.answer, Err(error));
        }
    }
}

fn timeout(request: &Request) -> Error {
    let queue = match request {
        Request::Receive { queue, .. } | Request::ReceiveMany { queue, .. } => queue.as_str(),
        _ => "",
    };
    Error::new(
        ErrorKind::ReceiveTimeout,
        format!("no message arrived in queue {queue} in time"),
    )
}
