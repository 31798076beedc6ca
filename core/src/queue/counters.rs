//! Performance counters, named like those of the original (msmq.md 7.3), and those of the store.
//!
//! ```text
//!  MSMQ Queue     one instance per queue, idle ones included; Computer Queues: dead letters and the computer's journal
//!  MSMQ Service   no instance
//!  HAMQ Store     no instance, or a bucket's upper bound
//! ```

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::request::QueueKind;
use super::state::State;
use super::stored_queue::{JOURNAL_BIT, Queue};
use crate::log::Histogram;

/// The object of the counters of queues.
pub const QUEUE: &str = "MSMQ Queue";
/// The object of the counters of the whole queue manager.
pub const SERVICE: &str = "MSMQ Service";
/// The object of the counters of the message store.
pub const STORE: &str = "HAMQ Store";
/// The instance of dead letters and the computer's journal.
pub const COMPUTER_QUEUES: &str = "Computer Queues";
/// Syncs by the time they took: the instance is the bucket's upper bound in microseconds.
pub const SYNCS_WITHIN: &str = "Syncs Within Microseconds";
/// Batches by their size: the instance is the bucket's upper bound in bytes.
pub const BATCHES_WITHIN: &str = "Batches Within Bytes";
/// The instance of a bucket without an upper bound.
pub const NO_BOUND: &str = "+Inf";

/// One value at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// [`QUEUE`], [`SERVICE`], [`STORE`].
    pub object: Cow<'static, str>,
    /// The queue's local name; [`COMPUTER_QUEUES`]; a bucket's bound; empty for the service.
    pub instance: String,
    /// `Messages in Queue` and its like.
    pub counter: Cow<'static, str>,
    /// The value. Of one that only rises, the total since the start.
    pub value: u64,
    /// Whether it only rises.
    pub total: bool,
}

/// Counters in the making.
struct Counters(Vec<Counter>);

impl Counters {
    fn add(&mut self, object: &'static str, instance: &str, counter: &'static str, value: u64) {
        self.0.push(Counter {
            object: Cow::Borrowed(object),
            instance: instance.to_owned(),
            counter: Cow::Borrowed(counter),
            value,
            total: false,
        });
    }

    /// One that only rises.
    fn total(&mut self, object: &'static str, instance: &str, counter: &'static str, value: u64) {
        self.add(object, instance, counter, value);
        if let Some(last) = self.0.last_mut() {
            last.total = true;
        }
    }

    fn buckets(&mut self, counter: &'static str, histogram: &Histogram) {
        for (bound, count) in histogram.cumulative() {
            let instance = bound.map_or_else(|| NO_BOUND.to_owned(), |bound| bound.to_string());
            self.total(STORE, &instance, counter, count);
        }
    }
}

impl State {
    /// All counters of queues and of the service, idle queues included.
    #[must_use]
    pub fn counters(&self) -> Vec<Counter> {
        let mut all = Counters(Vec::with_capacity(10 * self.queues.len() + 16));
        let shown = |queue: &&Queue| {
            use QueueKind::{Outgoing, Private, Subqueue};
            matches!(queue.kind, Private | Subqueue | Outgoing)
        };
        for queue in self.queues.values().filter(shown) {
            self.count_queue(&mut all, queue);
        }
        self.count_computer_queues(&mut all);
        self.count_service(&mut all);
        all.0
    }

    fn count_queue(&self, all: &mut Counters, queue: &Queue) {
        let name = &queue.name;
        let journal = self.queues.get(&(queue.number | JOURNAL_BIT));
        let (kept, kept_bytes) = journal.map_or((0, 0), |j| (j.len(), j.bytes()));
        all.add(QUEUE, name, "Messages in Queue", queue.len());
        all.add(QUEUE, name, "Bytes in Queue", queue.bytes());
        all.add(QUEUE, name, "Messages in Journal Queue", kept);
        all.add(QUEUE, name, "Bytes in Journal Queue", kept_bytes);
        let totals = &queue.totals;
        all.total(QUEUE, name, "Messages Arrived", totals.arrived);
        all.total(QUEUE, name, "Messages Received", totals.left);
        all.total(QUEUE, name, "Bytes Arrived", totals.arrived_bytes);
        all.total(QUEUE, name, "Bytes Received", totals.left_bytes);
        let (locked, delayed) = (queue.locked.len() as u64, queue.delayed.len() as u64);
        all.add(QUEUE, name, "Messages Locked", locked);
        all.add(QUEUE, name, "Messages Delayed", delayed);
    }

    fn count_computer_queues(&self, all: &mut Counters) {
        let sum = |kinds: &[QueueKind]| {
            let queues = || self.queues.values().filter(|q| kinds.contains(&q.kind));
            let messages: u64 = queues().map(Queue::len).sum();
            (messages, queues().map(Queue::bytes).sum::<u64>())
        };
        let dead = sum(&[QueueKind::DeadLetter, QueueKind::TransactionalDeadLetter]);
        let journal = sum(&[QueueKind::MachineJournal]);
        let name = COMPUTER_QUEUES;
        all.add(QUEUE, name, "Messages in Queue", dead.0);
        all.add(QUEUE, name, "Bytes in Queue", dead.1);
        all.add(QUEUE, name, "Messages in Journal Queue", journal.0);
        all.add(QUEUE, name, "Bytes in Journal Queue", journal.1);
    }

    /// The original's rates are totals here: who reads them twice knows the rate.
    fn count_service(&self, all: &mut Counters) {
        let of_users = || {
            let queues = self.queues.values();
            queues.filter(|queue| !queue.is_journal())
        };
        let arrived = of_users().map(|queue| queue.totals.arrived).sum();
        let left = of_users().map(|queue| queue.totals.left).sum();
        let messages = self.queues.values().map(Queue::len).sum();
        let bytes = self.queues.values().map(Queue::bytes).sum();
        all.add(SERVICE, "", "Total messages in all queues", messages);
        all.add(SERVICE, "", "Total bytes in all queues", bytes);
        all.total(SERVICE, "", "MSMQ Incoming Messages", arrived);
        all.total(SERVICE, "", "MSMQ Outgoing Messages", left);
        all.total(SERVICE, "", "Incoming Messages/sec", arrived);
        all.total(SERVICE, "", "Outgoing Messages/sec", left);
        let open = self.transactions.len() as u64;
        all.add(SERVICE, "", "Open Transactions", open);
        let prepared = self.prepared.len() as u64;
        all.add(SERVICE, "", "Prepared Transactions", prepared);
    }
}

impl Engine {
    /// Adds what only the engine knows: sessions and the store.
    pub(super) fn with_own_counters(&self, counters: Vec<Counter>) -> Vec<Counter> {
        let mut all = Counters(counters);
        let (sessions, over_ip) = self.sessions;
        all.add(SERVICE, "", "Sessions", sessions);
        all.add(SERVICE, "", "IP Sessions", over_ip);
        all.add(SERVICE, "", "Waiting Receives", self.waiting.len() as u64);
        let meter = self.log.meter();
        all.total(STORE, "", "Syncs", meter.sync_us.count());
        all.total(STORE, "", "Sync Microseconds", meter.sync_us.sum());
        all.buckets(SYNCS_WITHIN, &meter.sync_us);
        all.total(STORE, "", "Bytes Written", meter.batch_bytes.sum());
        all.total(STORE, "", "Records Written", meter.records);
        all.buckets(BATCHES_WITHIN, &meter.batch_bytes);
        let segments = self.log.segments();
        let bytes = segments.iter().map(|segment| segment.bytes).sum();
        all.add(STORE, "", "Log Segments", segments.len() as u64);
        all.add(STORE, "", "Log Bytes", bytes);
        all.total(STORE, "", "Snapshots", meter.snapshots);
        all.add(STORE, "", "Last Snapshot Bytes", meter.snapshot_bytes);
        let (contents, bytes) = self.cache.size();
        all.add(STORE, "", "Cached Contents", contents);
        all.add(STORE, "", "Cached Bytes", bytes);
        all.add(STORE, "", "Epoch", self.log.token().epoch);
        all.0
    }
}
