//! The queue manager's state. Pure: [`State::apply`] is used live and in replay alike.
//!
//! ```text
//!  decide (decide.rs): request -> record        apply: record -> change, outcome
//! ```
//!
//! Invariants, checked by [`State::check_invariants`]: bytes and lock counts are true; every held message
//! belongs to an open transaction that names it; each segment's count of bodies in use is true.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::entry::{Body, Entry, Queue};
use super::message::{Message, MessageId, PRIORITY_MAX};
use super::outcome::{Delivered, Outcome, Outcomes};
use super::record::{Arrival, Record, Stamp};
use super::request::{RequestId, TransactionId};
use super::transaction::OpenTransaction;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Position;

/// Numbers reserved at a time for messages that leave no record.
pub(super) const RESERVE: u64 = 100_000;
const COUNTER_BITS: u32 = 56;
const COUNTER_MASK: u64 = (1 << COUNTER_BITS) - 1;

/// Everything a queue manager knows.
#[derive(Default)]
pub struct State {
    pub(super) guid: Uuid,
    /// The last number given to a message; part of its lookup id and its message id.
    pub(super) counter: u64,
    /// Numbers up to here may have been given without a record.
    pub(super) reserved: u64,
    pub(super) next_queue: u32,
    pub(super) time_ms: u64,
    pub(super) queues: BTreeMap<u32, Queue>,
    pub(super) names: BTreeMap<String, u32>,
    pub(super) outcomes: Outcomes,
    pub(super) transactions: BTreeMap<TransactionId, OpenTransaction>,
    pub(super) next_transaction: u64,
    /// Bodies in use by segment.
    pub(super) in_use: BTreeMap<u32, u64>,
}

pub(super) fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

impl State {
    /// The store's GUID; nil before its first record.
    #[must_use]
    pub const fn guid(&self) -> Uuid {
        self.guid
    }

    /// The id of the message with this lookup id.
    #[must_use]
    pub fn message_id(&self, lookup_id: u64) -> MessageId {
        let ordinal = u32::try_from(lookup_id & u64::from(u32::MAX)).unwrap_or(0);
        MessageId {
            manager: self.guid,
            ordinal,
        }
    }

    /// The next place for a message of this priority, behind `taken` others that are about to be taken.
    pub(super) fn place(&self, priority: u8, taken: u64) -> u64 {
        let counter = (self.counter + 1 + taken) & COUNTER_MASK;
        u64::from(PRIORITY_MAX - priority.min(PRIORITY_MAX)) << COUNTER_BITS | counter
    }

    /// What a record's stamp is now; time never goes back.
    pub(super) fn stamp(&self, request: RequestId, now_ms: u64) -> Stamp {
        Stamp {
            request,
            time_ms: self.time_ms.max(now_ms),
        }
    }

    /// Queues and messages.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let messages = |q: &Queue| (q.available.len() + q.locked.len()) as u64;
        (
            self.queues.len() as u64,
            self.queues.values().map(messages).sum(),
        )
    }

    /// Segments that hold a body that is in use.
    #[must_use]
    pub fn live_segments(&self) -> BTreeSet<u32> {
        self.in_use.keys().copied().collect()
    }

    /// Applies a record whose messages lie at `places`; gives the outcome of its request.
    ///
    /// # Errors
    /// `StoreDamaged` when the record does not fit the state.
    pub fn apply(&mut self, record: &Record, places: &[Position]) -> Result<Outcome> {
        match record {
            Record::Store { guid } => {
                self.guid = *guid;
                Ok(Outcome::Done)
            }
            Record::Reserve { counter } => {
                self.reserved = self.reserved.max(*counter);
                Ok(Outcome::Done)
            }
            Record::CreateQueue {
                stamp,
                queue,
                name,
                properties,
            } => {
                let new = Queue::new(name.clone(), properties.clone(), stamp.time_ms);
                let status = new.status();
                self.names.insert(key(name), *queue);
                self.queues.insert(*queue, new);
                self.next_queue = self.next_queue.max(queue + 1);
                Ok(self.remember(stamp, Outcome::Queue(status)))
            }
            Record::DeleteQueue { stamp, queue } => {
                let status = self.queue(*queue)?.status();
                self.delete(*queue);
                Ok(self.remember(stamp, Outcome::Queue(status)))
            }
            Record::PurgeQueue { stamp, queue, held } => {
                self.purge(*queue, held)?;
                let status = self.queue(*queue)?.status();
                Ok(self.remember(stamp, Outcome::Queue(status)))
            }
            Record::Enqueue { stamp, arrival } => {
                self.enqueue(arrival, places.first(), stamp.time_ms)?;
                Ok(self.remember(stamp, Outcome::Sent(arrival.lookup_id)))
            }
            Record::Dequeue {
                stamp,
                queue,
                lookup_id,
            } => {
                let delivered = self.dequeue(*queue, *lookup_id)?;
                self.hold(&delivered.body);
                Ok(self.remember(stamp, Outcome::Message(delivered)))
            }
            Record::Transaction {
                stamp,
                received,
                sent,
            } => {
                for (queue, lookup_id) in received {
                    self.dequeue(*queue, *lookup_id)?;
                }
                for (arrival, place) in sent.iter().zip(places) {
                    self.enqueue(arrival, Some(place), stamp.time_ms)?;
                }
                Ok(self.remember(stamp, Outcome::Done))
            }
        }
    }

    fn queue(&mut self, number: u32) -> Result<&mut Queue> {
        self.queues.get_mut(&number).ok_or_else(|| {
            Error::new(
                ErrorKind::StoreDamaged,
                format!("a record of the message store names queue {number}, which is none"),
            )
        })
    }

    fn enqueue(&mut self, arrival: &Arrival, place: Option<&Position>, now_ms: u64) -> Result<()> {
        let position = place.copied().unwrap_or_default();
        let body = Body::Log(position);
        self.hold(&body);
        let entry = Entry {
            body,
            arrived_ms: now_ms,
            body_bytes: u32::try_from(arrival.message.body.len()).unwrap_or(u32::MAX),
        };
        self.counter = self.counter.max(arrival.lookup_id & COUNTER_MASK);
        self.queue(arrival.queue)?.insert(arrival.lookup_id, entry);
        Ok(())
    }

    /// Puts an express message into a queue; it leaves no record.
    pub(super) fn enqueue_express(
        &mut self,
        queue: u32,
        message: Message,
        stamp: &Stamp,
    ) -> Outcome {
        let lookup_id = self.place(message.priority, 0);
        self.counter += 1;
        let entry = Entry {
            arrived_ms: stamp.time_ms,
            body_bytes: u32::try_from(message.body.len()).unwrap_or(u32::MAX),
            body: Body::Memory(Arc::new(message)),
        };
        if let Some(queue) = self.queues.get_mut(&queue) {
            queue.insert(lookup_id, entry);
        }
        self.pass(&stamp.request, Outcome::Sent(lookup_id))
    }

    /// Takes an express message out of a queue; it leaves no record.
    pub(super) fn dequeue_express(
        &mut self,
        queue: u32,
        lookup_id: u64,
        id: &RequestId,
    ) -> Result<Outcome> {
        let delivered = self.dequeue(queue, lookup_id)?;
        Ok(self.pass(id, Outcome::Message(delivered)))
    }

    fn dequeue(&mut self, number: u32, lookup_id: u64) -> Result<Delivered> {
        let entry = self.queue(number)?.remove(lookup_id).ok_or_else(|| {
            Error::new(
                ErrorKind::StoreDamaged,
                format!(
                    "a record takes message {lookup_id:#x} from queue {number}, where it is not"
                ),
            )
        })?;
        self.release(&entry.body);
        Ok(Delivered {
            lookup_id,
            arrived_ms: entry.arrived_ms,
            body: entry.body,
        })
    }

    fn delete(&mut self, number: u32) {
        let Some(queue) = self.queues.remove(&number) else {
            return;
        };
        self.names.remove(&key(&queue.name));
        let locked = queue.locked.values().map(|locked| &locked.entry);
        for entry in queue.available.values().chain(locked) {
            release(&mut self.in_use, &entry.body);
        }
    }

    fn purge(&mut self, number: u32, held: &[u64]) -> Result<()> {
        let queue = self.queue(number)?;
        for lookup_id in held {
            // In replay no transaction holds it any more; live, this one is locked already.
            queue.lock(*lookup_id, None);
            if let Some(locked) = queue.locked.get_mut(lookup_id) {
                locked.purged = true;
            }
        }
        let mut gone = std::mem::take(&mut queue.available);
        // In replay, what an earlier purge left to a transaction that has aborted since: it died then.
        let dead = queue.locked.extract_if(.., |id, _| !held.contains(id));
        gone.extend(dead.map(|(id, locked)| (id, locked.entry)));
        for entry in gone.values() {
            queue.bytes -= u64::from(entry.body_bytes);
        }
        for entry in gone.values() {
            self.release(&entry.body);
        }
        Ok(())
    }

    /// The log has been read: what only a transaction of before held is decided now, numbers go on
    /// behind the reserved ones, transactions are numbered from `first_transaction`.
    pub fn finish_replay(&mut self, first_transaction: u64) {
        for queue in self.queues.values_mut() {
            let held: Vec<u64> = queue.locked.keys().copied().collect();
            for lookup_id in held {
                if let Some(gone) = queue.unlock(lookup_id) {
                    release(&mut self.in_use, &gone.body);
                }
            }
        }
        self.counter = self.counter.max(self.reserved);
        self.next_transaction = first_transaction;
    }

    /// Ends a transaction without a commit; gives the queues whose messages are back.
    pub(super) fn abort(&mut self, id: TransactionId) -> Vec<u32> {
        let Some(open) = self.transactions.remove(&id) else {
            return Vec::new();
        };
        for (number, lookup_id) in &open.received {
            let queue = self.queues.get_mut(number);
            if let Some(gone) = queue.and_then(|q| q.unlock(*lookup_id)) {
                self.release(&gone.body);
            }
        }
        open.received.iter().map(|r| r.0).collect()
    }

    /// Aborts a client's transactions; gives the queues whose messages are back.
    pub fn end_session(&mut self, client: Uuid) -> Vec<u32> {
        let open = self.transactions.iter().filter(|t| t.1.client == client);
        let ids: Vec<TransactionId> = open.map(|t| *t.0).collect();
        let queues = ids.into_iter().flat_map(|id| self.abort(id)).collect();
        let gone = self.outcomes.end_session(client);
        self.release_outcomes(&gone);
        queues
    }

    fn remember(&mut self, stamp: &Stamp, outcome: Outcome) -> Outcome {
        self.time_ms = self.time_ms.max(stamp.time_ms);
        let gone = self.outcomes.remember(stamp, outcome.clone());
        self.release_outcomes(&gone);
        outcome
    }

    /// Remembers an outcome until the restart.
    pub(super) fn pass(&mut self, id: &RequestId, outcome: Outcome) -> Outcome {
        if let Outcome::Message(delivered) = &outcome {
            self.hold(&delivered.body);
        }
        let gone = self.outcomes.remember_passing(id, outcome.clone());
        self.release_outcomes(&gone);
        outcome
    }

    fn release_outcomes(&mut self, gone: &[Outcome]) {
        for outcome in gone {
            if let Outcome::Message(delivered) = outcome {
                self.release(&delivered.body);
            }
        }
    }

    pub(super) fn hold(&mut self, body: &Body) {
        if let Body::Log(position) = body {
            *self.in_use.entry(position.segment).or_default() += 1;
        }
    }

    fn release(&mut self, body: &Body) {
        release(&mut self.in_use, body);
    }

    /// `check_invariants` where that is affordable.
    pub fn check_invariants_in_debug(&self) {
        if cfg!(debug_assertions) {
            self.check_invariants();
        }
    }

    /// Asserts what must always hold. Costs a walk over everything.
    pub fn check_invariants(&self) {
        let mut in_use: BTreeMap<u32, u64> = BTreeMap::new();
        let mut count = |body: &Body| {
            if let Body::Log(position) = body {
                *in_use.entry(position.segment).or_default() += 1;
            }
        };
        for (number, queue) in &self.queues {
            assert_eq!(
                self.names.get(&key(&queue.name)),
                Some(number),
                "queue names"
            );
            let locked = queue.locked.values().map(|l| &l.entry);
            let mut bytes = 0;
            for entry in queue.available.values().chain(locked) {
                bytes += u64::from(entry.body_bytes);
                count(&entry.body);
            }
            assert_eq!(bytes, queue.bytes, "bytes in {}", queue.name);
            for (lookup_id, locked) in &queue.locked {
                assert!(
                    !queue.available.contains_key(lookup_id),
                    "locked and available"
                );
                let Some(by) = locked.by else { continue };
                let holder = self.transactions.get(&by);
                let holds = holder.is_some_and(|t| t.received.contains(&(*number, *lookup_id)));
                assert!(holds, "{lookup_id:#x} is locked by nobody");
            }
        }
        for outcome in self.outcomes.all() {
            if let Outcome::Message(delivered) = outcome {
                count(&delivered.body);
            }
        }
        assert_eq!(in_use, self.in_use, "bodies in use by segment");
        assert_eq!(self.names.len(), self.queues.len(), "names and queues");
    }
}

fn release(in_use: &mut BTreeMap<u32, u64>, body: &Body) {
    if let Body::Log(position) = body
        && let Some(count) = in_use.get_mut(&position.segment)
    {
        *count -= 1;
        if *count == 0 {
            in_use.remove(&position.segment);
        }
    }
}
