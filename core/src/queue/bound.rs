//! Upper bounds of what the end of a transaction adds to the log. Room is asked for by them before anything is decided, so
//! that a full disk refuses the request and the transaction goes on.
//!
//! Debug builds assert the bound at every end of a transaction (`execute.rs`).

use std::collections::BTreeSet;

use uuid::Uuid;

use super::change::{CHANGE_BYTES, Content, EFFECT_BYTES, Effect};
use super::entry::Entry;
use super::execute::{size_of_all, size_of_new_queue};
use super::message::Acknowledge;
use super::request::{BranchId, TransactionId};
use super::state::State;
use super::stored_queue::Queue;
use super::transaction::Operation;

/// What an acknowledgement message has beside what it repeats of its original: a head, and the path of a queue.
const ACKNOWLEDGMENT_BYTES: usize = EFFECT_BYTES + 1536;

impl State {
    /// Bytes of a commit or of the first phase; 0 for a transaction that is not open.
    pub(super) fn commit_bytes(&self, key: (Uuid, TransactionId), branch: usize) -> usize {
        let Some(open) = self.transactions.get(&key) else {
            return 0;
        };
        let mut bytes = CHANGE_BYTES + EFFECT_BYTES + branch;
        // A sender that is new is named once.
        bytes += EFFECT_BYTES + 1024;
        bytes += open.bodies.len() * EFFECT_BYTES;
        let aftermath = open.aftermath.iter().map(|a| size_of_all([&a.2]));
        bytes += aftermath.sum::<usize>();
        let mut subqueues = BTreeSet::new();
        for operation in &open.operations {
            bytes += match operation {
                Operation::Send(arrival, _) => sent_bytes(arrival),
                Operation::Receive(queue, id) if open.rejected.contains(&(*queue, *id)) => {
                    2 * EFFECT_BYTES + self.failure_bytes(*queue, *id)
                }
                Operation::Receive(..) => 2 * EFFECT_BYTES,
                Operation::Move(_, _, to) => {
                    let is_new = self.number_of(to).is_none() && subqueues.insert(to);
                    2 * EFFECT_BYTES + if is_new { self.subqueue_bytes(to) } else { 0 }
                }
            };
        }
        bytes
    }

    /// Bytes of an abort.
    pub(super) fn abort_bytes(&self, key: (Uuid, TransactionId)) -> usize {
        let Some(open) = self.transactions.get(&key) else {
            return 0;
        };
        CHANGE_BYTES + self.given_back_bytes(open.held())
    }

    /// Bytes of the second phase, either way.
    pub(super) fn resolve_bytes(&self, branch: &BranchId) -> usize {
        let Some(prepared) = self.prepared.get(branch) else {
            return 0;
        };
        let effects = prepared.effects.iter().map(|effect| match effect {
            // It is written anew with the id that it is about.
            Effect::Arrive(arrival) => match arrival.content {
                Content::Stored(place) if arrival.class != 0 => {
                    size_of_all([effect]) + place.length as usize + 64
                }
                _ => size_of_all([effect]),
            },
            effect => size_of_all([effect]),
        });
        let taken = prepared.taken.len() * EFFECT_BYTES;
        let committed = effects.sum::<usize>() + taken;
        let aborted = self.given_back_bytes(prepared.taken.iter().copied());
        CHANGE_BYTES + EFFECT_BYTES + branch.0.len() + committed.max(aborted)
    }

    /// Messages are available again: they are counted, moved by the poison policy, or die.
    fn given_back_bytes(&self, held: impl Iterator<Item = (u32, u64)>) -> usize {
        let mut queues = BTreeSet::new();
        let mut bytes = 0;
        for (queue, lookup_id) in held {
            bytes += 3 * EFFECT_BYTES + self.failure_bytes(queue, lookup_id);
            queues.insert(queue);
        }
        let queues = queues.iter().filter_map(|number| self.queues.get(number));
        // `retry` and `poison` come into being.
        bytes + queues.map(|q| 2 * subqueue_bytes_of(q)).sum::<usize>()
    }

    /// A held message fails: a negative acknowledgement repeats it whole.
    fn failure_bytes(&self, queue: u32, lookup_id: u64) -> usize {
        let held = self.queues.get(&queue).map(|queue| &queue.locked);
        let Some(held) = held.and_then(|locked| locked.get(&lookup_id)) else {
            return 0;
        };
        let told = held.entry.wishes.acknowledge();
        match told.has(Acknowledge::NEGATIVE_RECEIVE) {
            true => ACKNOWLEDGMENT_BYTES + content_bytes(&held.entry),
            false => 0,
        }
    }

    fn subqueue_bytes(&self, name: &str) -> usize {
        let parent = name.split_once(';').map_or(name, |parts| parts.0);
        let parent = self.number_of(parent).and_then(|n| self.queues.get(&n));
        parent.map_or(0, |parent| subqueue_bytes_of(parent) + name.len())
    }
}

fn subqueue_bytes_of(parent: &Queue) -> usize {
    let name = parent.name.len() + 128;
    EFFECT_BYTES + size_of_new_queue(name, &parent.properties, &parent.access)
}

/// A message arrives, and its arrival is acknowledged: with its label, which is part of it.
fn sent_bytes(arrival: &super::change::Arrival) -> usize {
    let told = arrival.wishes.acknowledge();
    let content = match &arrival.content {
        Content::New(content) => content.len(),
        Content::Stored(_) => 0,
    };
    let acknowledged = match told.has(Acknowledge::POSITIVE_ARRIVAL) {
        true => ACKNOWLEDGMENT_BYTES + content,
        false => 0,
    };
    super::execute::size_of_arrival(arrival) + EFFECT_BYTES + acknowledged
}

fn content_bytes(entry: &Entry) -> usize {
    let express = entry
        .extra
        .as_ref()
        .and_then(|extra| extra.content.as_ref());
    express.map_or(entry.position.length as usize, |content| content.len())
}
