//! A run: sends of one client to one queue that have come together and become one change.
//!
//! What is the same for all of them (the queue, the rights, the client, the record's head) is looked at once. Only
//! plain sends: whatever else may come of one (an acknowledgement, a refusal, a quota, a key) is decided by itself,
//! as if there were no runs; so a run differs from its sends one by one in nothing but the number of records.

use super::send::{check_protection, check_target, check_usage};
use crate::queue::access::Rights;
use crate::queue::change::{Arrival, Change, Effect, Tell};
use crate::queue::encoded::Encoded;
use crate::queue::message::Journal;
use crate::queue::request::{Caller, Request, RequestId, Transaction};
use crate::queue::state::{Now, State};
use crate::queue::stored_queue::Queue;

/// Sends of one run at most.
const SENDS_MAX: usize = 512;
/// Bytes of one run about, at most: a record is read as one.
const BYTES_MAX: usize = 1024 * 1024;

impl State {
    /// The sends at the beginning of `asked` as one change, if there are two or more that can be.
    pub fn decide_run<'a>(
        &self,
        mut asked: impl Iterator<Item = (&'a Caller, &'a RequestId, &'a Request)>,
        now: Now,
    ) -> Option<Change> {
        let (from, first, request) = asked.next()?;
        let (name, transaction, message) = plain_send(request)?;
        let (number, queue) = self.open_queue(from, name, Rights::WRITE).ok()?;
        check_target(queue).ok()?;
        check_usage(queue, transaction, "send to").ok()?;
        let unlimited = [queue.properties.quota_bytes, self.machine.quota_bytes];
        if unlimited != [u64::MAX; 2] {
            return None;
        }
        let arrival = self.plain_arrival(from, (number, queue), message, now)?;
        let mut effects = vec![Effect::Arrive(Box::new(arrival))];
        let mut last = *first;
        let mut bytes = message.len();
        while effects.len() < SENDS_MAX
            && bytes < BYTES_MAX
            && let Some((caller, id, request)) = asked.next()
            && caller.client == from.client
            && Some(id.sequence) == last.sequence.checked_add(1)
            && (last.acknowledged..=first.sequence).contains(&id.acknowledged)
            && let Some((other, same, message)) = plain_send(request)
            && (other, same) == (name, transaction)
            && let Some(mut arrival) = self.plain_arrival(from, (number, queue), message, now)
        {
            arrival.lookup_id += effects.len() as u64;
            bytes += message.len();
            effects.push(Effect::Arrive(Box::new(arrival)));
            last = *id;
        }
        let is_run = effects.len() > 1;
        if !is_run
            || !self
                .outcomes
                .are_new(first, last.acknowledged, effects.len())
        {
            return None;
        }
        let request = RequestId {
            acknowledged: last.acknowledged,
            ..*first
        };
        Some(Change {
            stamp: self.stamp(request, now),
            tell: Tell::SentEach,
            effects,
        })
    }

    /// The arrival of a message of which nothing else comes, with the next lookup id of its priority.
    fn plain_arrival(
        &self,
        from: &Caller,
        (number, queue): (u32, &Queue),
        message: &Encoded,
        now: Now,
    ) -> Option<Arrival> {
        let head = message.check().ok()?;
        check_protection(queue, &head).ok()?;
        let transactional = queue.properties.transactional;
        let plain = !head.has_key
            && !head.has_admin_queue
            && !head.has_dead_letter_queue
            && head.acknowledge.0 == 0
            && !head.journal.has(Journal::JOURNAL);
        let mut arrival = self.arrival(number, queue, message, &head, now).ok()?;
        if !plain || (arrival.express && !transactional) {
            return None;
        }
        arrival.express = false;
        arrival.sender = self.known_sender(from)?;
        let priority = if transactional { 0 } else { head.priority };
        arrival.lookup_id = self.place(priority, 0);
        Some(arrival)
    }
}

fn plain_send(request: &Request) -> Option<(&str, Transaction, &Encoded)> {
    match request {
        Request::Send {
            queue,
            message,
            transaction: transaction @ (Transaction::None | Transaction::Single),
            body: None,
        } => Some((queue, *transaction, message)),
        _ => None,
    }
}
