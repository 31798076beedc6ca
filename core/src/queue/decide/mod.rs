//! Deciding: what a request comes to. Changes nothing durable; that is the change's part.
//!
//! ```text
//!  request -> send | receive | transaction | lease | movement | body | queues -> Change, Hand, or an answer
//!  time    -> schedule (delays, leases, lifetimes)                              -> changes
//! ```

mod acknowledgment;
mod body;
mod lease;
mod movement;
mod poison;
mod queues;
mod receive;
mod run;
mod schedule;
mod send;
mod transaction;
mod what_if;

pub(super) use acknowledgment::content_of;
pub use receive::{Candidate, Hand, Handed, How};
pub use schedule::Woken;

use super::access::Rights;
use super::change::Change;
use super::index::Pages;
use super::outcome::Outcome;
use super::request::{Caller, Reply, Request, RequestId};
use super::state::{Now, State};
use super::stored_queue::Queue;
use crate::error::{Error, ErrorKind, Result};

/// What a request comes to.
pub enum Decision {
    /// It was executed before, or just now without a record.
    Known(Outcome),
    /// It only asked.
    Answer(Reply),
    /// This is to be logged and applied.
    Change(Change),
    /// These messages are to be handed out.
    Hand(Hand),
    /// These messages are to be shown with when they are due; all of this queue.
    Delayed(u32, Vec<(u64, Candidate)>),
    /// Part of a body is to be read from these places: from an offset, so many bytes.
    Read(Vec<crate::log::Position>, u64, u32),
    /// There is no message yet.
    Wait,
    /// It is refused; all the same this is to be logged and applied.
    Refuse(Change, Error),
}

impl State {
    /// Decides a request.
    ///
    /// # Errors
    /// Those of the request; then it has had no effect and is not remembered.
    pub fn decide(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        id: &RequestId,
        request: &Request,
        now: Now,
    ) -> Result<Decision> {
        self.absent.returns(from.client);
        let gone = self.outcomes.acknowledge(id);
        self.release_outcomes(&gone);
        if let Some(outcome) = self.outcomes.find(id)? {
            return Ok(Decision::Known(outcome.clone()));
        }
        match request {
            Request::Send {
                queue,
                message,
                transaction,
                body,
            } => self.decide_send(from, id, queue, message, *transaction, *body, now),
            Request::Receive { .. } | Request::ReceiveMany { .. } => {
                self.decide_receive(pages, from, id, request, now)
            }
            Request::Settle { queue, leases, how } => {
                self.decide_settle(pages, from, id, queue, leases, *how, now)
            }
            Request::Move {
                queue,
                lookup_id,
                to,
                transaction,
            } => self.decide_move(pages, from, id, (queue, *lookup_id), to, *transaction, now),
            Request::Reject {
                transaction,
                queue,
                lookup_id,
            } => self.decide_reject(from, id, *transaction, queue, *lookup_id),
            Request::Begin { transaction } => self.decide_begin(from, id, *transaction),
            Request::Commit { transaction } => {
                self.decide_commit(pages, from, id, *transaction, now)
            }
            Request::Abort { transaction } => self.decide_abort(pages, from, id, *transaction, now),
            Request::Prepare {
                transaction,
                branch,
            } => self.decide_prepare(pages, from, id, *transaction, branch, now),
            Request::Resolve { branch, commit } => {
                self.decide_resolve(pages, from, id, branch, *commit, now)
            }
            Request::ListPrepared => Ok(Decision::Answer(Reply::Branches(
                self.prepared.keys().cloned().collect(),
            ))),
            Request::ListDelayed {
                queue,
                after,
                count_max,
                bytes_max,
            } => self.decide_delayed(from, queue, *after, *count_max, *bytes_max),
            Request::WriteBody {
                body,
                offset,
                bytes,
            } => self.decide_write_body(from, id, (*body, *offset), bytes, now),
            Request::ReadBody {
                source,
                offset,
                length,
            } => self.decide_read_body(pages, from, source, *offset, *length),
            Request::WhatIf { .. } => {
                let Some(meant) = request.meant()? else {
                    return Ok(Decision::Answer(Reply::Foreseen(Vec::new())));
                };
                let foreseen = self.foresee(pages, from, id, &meant, now)?;
                Ok(Decision::Answer(Reply::Foreseen(foreseen)))
            }
            other => self.decide_on_queues(pages, from, id, other, now),
        }
    }

    /// The number of a queue and the queue.
    pub(in crate::queue) fn find_queue(&self, name: &str) -> Result<(u32, &Queue)> {
        let number = self.number_of(name);
        let found = number.and_then(|n| Some((n, self.queues.get(&n)?)));
        found.ok_or_else(|| no_queue(name))
    }

    /// The same for somebody who needs these rights on it.
    pub(super) fn open_queue(
        &self,
        from: &Caller,
        name: &str,
        needed: Rights,
    ) -> Result<(u32, &Queue)> {
        let (number, queue) = self.find_queue(name)?;
        queue
            .access
            .check(&from.access, needed, format_args!("queue {name}"))?;
        Ok((number, queue))
    }
}

fn no_queue(name: &str) -> Error {
    let text = format!("there is no queue {name}");
    let error = Error::new(ErrorKind::QueueNotFound, text);
    if name.contains(';') {
        return error
            .hint("a subqueue comes into being with the first message that is moved to it");
    }
    error.hint("Get-MsmqQueue lists the queues, New-MsmqQueue creates one")
}
