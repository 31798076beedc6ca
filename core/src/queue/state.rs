//! The queue manager's state. Pure: the same change has the same effect live and in replay.
//!
//! ```text
//!  decide/: request -> change        apply.rs: change -> effects, outcome        image.rs: state <-> snapshot
//! ```
//!
//! Invariants, checked by [`State::check_invariants`]: bytes and lock counts are true; every held message
//! belongs to a holder that names it; each segment's count of places in use is true.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::access::AccessList;
use super::change::Stamp;
use super::entry::Entry;
use super::index::Pages;
use super::message::{MessageId, PRIORITY_MAX};
use super::outcome::{Outcome, Outcomes};
use super::request::{
    BodyId, BranchId, MachineProperties, MachineStatus, QueueKind, QueueStatus, RequestId,
    TransactionId,
};
use super::stored_queue::{Holder, JOURNAL_BIT, Queue};
use super::transaction::{OpenTransaction, PreparedTransaction};
use crate::error::{Error, ErrorKind, Result};
use crate::log::Position;

/// Numbers reserved at a time for messages that leave no record.
pub(super) const RESERVE: u64 = 100_000;
const COUNTER_BITS: u32 = 56;
const COUNTER_MASK: u64 = (1 << COUNTER_BITS) - 1;

/// The number of the computer's journal.
pub const MACHINE_JOURNAL: u32 = 0x4000_0001;
/// The number of the dead-letter queue.
pub const DEAD_LETTER: u32 = 0x4000_0002;
/// The number of the transactional dead-letter queue.
pub const TRANSACTIONAL_DEAD_LETTER: u32 = 0x4000_0003;
/// The first number that a user's queue gets: the lower ones are the system's (`order_queue$` is 4 everywhere, MS-MQQB 2.2.4).
const FIRST_QUEUE: u32 = 16;

const SYSTEM_QUEUES: [(u32, &str, QueueKind); 6] = [
    (2, "admin_queue$", QueueKind::Internal),
    (3, "notify_queue$", QueueKind::Internal),
    (4, "order_queue$", QueueKind::Internal),
    (
        MACHINE_JOURNAL,
        "system$;JOURNAL",
        QueueKind::MachineJournal,
    ),
    (DEAD_LETTER, "system$;DEADLETTER", QueueKind::DeadLetter),
    (
        TRANSACTIONAL_DEAD_LETTER,
        "system$;DEADXACT",
        QueueKind::TransactionalDeadLetter,
    ),
];

/// What time it is, by both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Unix milliseconds: for what must keep its meaning over a restart.
    pub wall_ms: u64,
    /// Milliseconds of the boot clock: for what ends with the process.
    pub boot_ms: u64,
}

/// A large body that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upload {
    /// Its parts so far.
    pub parts: Vec<Position>,
    /// Their bytes.
    pub bytes: u64,
}

/// Everything a queue manager knows.
pub struct State {
    pub(super) guid: Uuid,
    /// The last number given to a message; part of its lookup id and its message id.
    pub(super) counter: u64,
    /// Numbers up to here may have been given without a record.
    pub(super) reserved: u64,
    pub(super) next_queue: u32,
    pub(super) time_ms: u64,
    pub(super) machine: MachineProperties,
    pub(super) access: AccessList,
    pub(super) queues: BTreeMap<u32, Queue>,
    pub(super) names: BTreeMap<String, u32>,
    pub(super) outcomes: Outcomes,
    /// Senders by number; number 0 is nobody.
    pub(super) principals: Vec<String>,
    pub(super) principal_numbers: BTreeMap<String, u16>,
    pub(super) transactions: BTreeMap<(Uuid, TransactionId), OpenTransaction>,
    pub(super) prepared: BTreeMap<BranchId, PreparedTransaction>,
    pub(super) uploads: BTreeMap<(Uuid, BodyId), Upload>,
    /// Whose uploads wait for their return.
    pub(super) absent: super::absent::Absent,
    /// Delayed messages by time.
    pub(super) due: BTreeSet<(u64, u32, u64)>,
    /// Leases by their end on the boot clock.
    pub(super) leases: BTreeSet<(u64, u32, u64)>,
    pub(super) next_lease: u32,
    /// When something of a queue may expire.
    pub(super) expiries: BTreeSet<(u64, u32)>,
    /// Queues that have messages for their readers since `take_woken`.
    pub(super) woken: Vec<u32>,
    /// Whether there ever was a message that is only in memory.
    pub(super) has_express: bool,
    /// Places in use by segment.
    pub(super) in_use: BTreeMap<u32, u64>,
    /// Bytes that quotas count.
    pub(super) usage: super::quota::Usage,
    /// Messages that were purged while somebody held them who is no more: their end is still to be told.
    pub(super) orphans: BTreeSet<(u32, u64)>,
    /// What happened to messages of late.
    pub(super) trail: super::trace::Trail,
    /// The computer name it answers to.
    pub(super) computer: String,
}

impl Default for State {
    fn default() -> Self {
        let mut state = Self {
            guid: Uuid::nil(),
            counter: 0,
            reserved: 0,
            next_queue: FIRST_QUEUE,
            time_ms: 0,
            machine: MachineProperties::default(),
            access: AccessList::default(),
            queues: BTreeMap::new(),
            names: BTreeMap::new(),
            outcomes: Outcomes::default(),
            principals: vec![String::new()],
            principal_numbers: BTreeMap::new(),
            transactions: BTreeMap::new(),
            prepared: BTreeMap::new(),
            uploads: BTreeMap::new(),
            absent: super::absent::Absent::default(),
            due: BTreeSet::new(),
            leases: BTreeSet::new(),
            next_lease: 1,
            expiries: BTreeSet::new(),
            woken: Vec::new(),
            has_express: false,
            in_use: BTreeMap::new(),
            usage: super::quota::Usage::default(),
            orphans: BTreeSet::new(),
            trail: super::trace::Trail::default(),
            computer: String::new(),
        };
        for (number, name, kind) in SYSTEM_QUEUES {
            state.add_queue(Queue::new(number, name.to_owned(), kind, 0));
        }
        state
    }
}

/// The form of a local name to compare by.
pub(super) fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

impl State {
    /// The store's GUID; nil before its first record.
    #[must_use]
    pub const fn guid(&self) -> Uuid {
        self.guid
    }

    /// The computer name it answers to.
    pub fn set_computer(&mut self, name: &str) {
        name.clone_into(&mut self.computer);
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

    /// How many numbers have been given when this place is taken.
    pub(super) const fn distance(&self, lookup_id: u64) -> u64 {
        (lookup_id & COUNTER_MASK).wrapping_sub(self.counter) & COUNTER_MASK
    }

    /// A lookup id's number was given.
    pub(super) fn count_place(&mut self, lookup_id: u64) {
        self.counter = self.counter.max(lookup_id & COUNTER_MASK);
    }

    /// What a change's stamp is now; time never goes back.
    pub(super) fn stamp(&self, request: RequestId, now: Now) -> Stamp {
        Stamp {
            request: Some(request),
            time_ms: self.time_ms.max(now.wall_ms),
        }
    }

    /// The stamp of a change that nobody asked for.
    pub(super) fn own_stamp(&self, now: Now) -> Stamp {
        Stamp {
            request: None,
            time_ms: self.time_ms.max(now.wall_ms),
        }
    }

    /// Users' queues, and messages in all queues.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let private = |q: &&Queue| q.kind == QueueKind::Private;
        (
            self.queues.values().filter(private).count() as u64,
            self.queues.values().map(Queue::len).sum(),
        )
    }

    /// Segments that hold something that is in use.
    #[must_use]
    pub fn live_segments(&self) -> BTreeSet<u32> {
        let pages = self.queues.values().flat_map(|queue| queue.index.pages());
        let pages = pages.map(|position| position.segment);
        self.in_use.keys().copied().chain(pages).collect()
    }

    /// How many places of each segment are in use.
    #[must_use]
    pub const fn in_use(&self) -> &BTreeMap<u32, u64> {
        &self.in_use
    }

    pub(super) fn add_queue(&mut self, queue: Queue) {
        self.names.insert(key(&queue.name), queue.number);
        self.queues.insert(queue.number, queue);
    }

    /// The queue with this number, which a record names.
    pub(super) fn queue_mut(&mut self, number: u32) -> Result<&mut Queue> {
        self.queues.get_mut(&number).ok_or_else(|| {
            Error::new(
                ErrorKind::StoreDamaged,
                format!("a record of the message store names queue {number}, which is none"),
            )
        })
    }

    /// The number of the queue with this local name.
    pub(super) fn number_of(&self, name: &str) -> Option<u32> {
        // Most names are short: no allocation for each request.
        let mut small = [0_u8; 192];
        match small.get_mut(..name.len()) {
            Some(small) => {
                small.copy_from_slice(name.as_bytes());
                small.make_ascii_lowercase();
                let name = std::str::from_utf8(small).unwrap_or_default();
                self.names.get(name).copied()
            }
            None => self.names.get(&key(name)).copied(),
        }
    }

    /// A queue as it is shown, with its journal.
    #[must_use]
    pub fn status(&self, queue: &Queue) -> QueueStatus {
        let mut status = queue.status();
        if let Some(journal) = self.queues.get(&(queue.number | JOURNAL_BIT)) {
            status.journal_message_count = journal.len();
            status.bytes_in_journal = journal.bytes();
        }
        status
    }

    /// The queue manager as it is shown.
    #[must_use]
    pub fn machine_status(&self) -> MachineStatus {
        let (bytes_in_queues, bytes_in_journals) = self.usage.bytes();
        MachineStatus {
            id: self.guid,
            properties: self.machine,
            message_count: self.queues.values().map(Queue::len).sum(),
            bytes_in_queues,
            bytes_in_journals,
        }
    }

    /// Whether a queue has nothing to hand out now.
    pub(super) fn has_no_message(&self, number: u32) -> bool {
        let queue = self.queues.get(&number);
        queue.is_none_or(|queue| queue.index.is_empty())
    }

    /// Whether a queue is transactional.
    pub(super) fn is_transactional(&self, number: u32) -> bool {
        let queue = self.queues.get(&number);
        queue.is_some_and(|queue| queue.properties.transactional)
    }

    /// The name of a sender by its number.
    #[must_use]
    pub fn principal(&self, number: u16) -> &str {
        let name = self.principals.get(usize::from(number));
        name.map_or("", String::as_str)
    }

    /// The log has been read: what only a transaction of before held is decided now, numbers go on
    /// behind the reserved ones, leases are numbered from `first_lease`.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn finish_replay(&mut self, pages: &dyn Pages, first_lease: u32) -> Result<()> {
        let mut held = Vec::new();
        for queue in self.queues.values() {
            let lost = queue.locked.iter().filter(|l| l.1.by == Holder::Nobody);
            // Its purge promised an acknowledgement; that takes a record, and reading writes none.
            let (purged, kept): (Vec<_>, Vec<_>) = lost.partition(|l| l.1.purged);
            let message = |l: (&u64, &super::stored_queue::Locked)| (queue.number, *l.0);
            self.orphans.extend(purged.into_iter().map(message));
            held.extend(kept.into_iter().map(message));
        }
        for (number, lookup_id) in held {
            self.unlock(pages, number, lookup_id)?;
        }
        for queue in self.queues.values_mut() {
            // It was an express message: what it stopped goes on without it.
            if let Some(lookup_id) = queue.faulted
                && queue.get(pages, lookup_id)?.is_none()
            {
                queue.faulted = None;
            }
        }
        self.counter = self.counter.max(self.reserved);
        self.next_lease = first_lease.max(1);
        Ok(())
    }

    /// Whoever was writing a body has yet to come back: the store was closed since.
    pub fn await_uploaders(&mut self, boot_ms: u64) {
        let clients: Vec<_> = self.uploads.keys().map(|key| key.0).collect();
        for client in clients {
            self.absent.leaves(client, boot_ms);
        }
    }

    /// Who held a message does not take it.
    pub(super) fn unlock(&mut self, pages: &dyn Pages, number: u32, lookup_id: u64) -> Result<()> {
        let Some(queue) = self.queues.get_mut(&number) else {
            return Ok(());
        };
        if let Some(Holder::Lease { until_ms, .. }) = queue.locked.get(&lookup_id).map(|l| &l.by) {
            self.leases.remove(&(*until_ms, number, lookup_id));
        }
        match queue.unlock(pages, lookup_id)? {
            Some(gone) => {
                self.usage.subtract(number, gone.body_bytes);
                self.release(&gone);
            }
            None => self.woken.push(number),
        }
        if let Some(queue) = self.queues.get(&number)
            && let Some(next) = queue.index.next_expiry_ms()
        {
            self.expiries.insert((next, number));
        }
        Ok(())
    }

    /// Queues that have messages for their readers since the last call.
    pub fn take_woken(&mut self) -> Vec<u32> {
        let mut woken = std::mem::take(&mut self.woken);
        woken.dedup();
        woken
    }

    /// Remembers an outcome until the restart.
    pub(super) fn pass(&mut self, id: &RequestId, outcome: Outcome) -> Outcome {
        for delivered in outcome.delivered() {
            self.hold(&delivered.entry);
        }
        let gone = self.outcomes.remember_passing(id, outcome.clone());
        self.release_outcomes(&gone);
        outcome
    }

    pub(super) fn release_outcomes(&mut self, gone: &[Outcome]) {
        for delivered in gone.iter().flat_map(Outcome::delivered) {
            self.release(&delivered.entry);
        }
    }

    pub(super) fn hold(&mut self, entry: &Entry) {
        for position in entry.positions() {
            self.hold_place(position);
        }
    }

    pub(super) fn hold_place(&mut self, position: Position) {
        *self.in_use.entry(position.segment).or_default() += 1;
    }

    /// Some places of a segment are in use no longer.
    pub(super) fn release(&mut self, entry: &Entry) {
        for position in entry.positions() {
            release(&mut self.in_use, position.segment, 1);
        }
    }

    pub(super) fn release_all(&mut self, positions: impl Iterator<Item = Position>) {
        for position in positions {
            release(&mut self.in_use, position.segment, 1);
        }
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
        let mut count = |position: Position| *in_use.entry(position.segment).or_default() += 1;
        for (number, queue) in &self.queues {
            assert_eq!(self.names.get(&key(&queue.name)), Some(number), "names");
            queue.check_invariants();
            let locked = queue.locked.values().map(|l| &l.entry);
            let delayed = queue.delayed.values().map(|d| &d.entry);
            locked
                .chain(delayed)
                .flat_map(Entry::positions)
                .for_each(&mut count);
            for (lookup_id, delayed) in &queue.delayed {
                assert!(
                    self.due.contains(&(delayed.due_ms, *number, *lookup_id)),
                    "a delayed message without a time"
                );
            }
            for (lookup_id, locked) in &queue.locked {
                self.check_holder(*number, *lookup_id, &locked.by);
            }
        }
        let outcomes = self.outcomes.all().flat_map(Outcome::delivered);
        outcomes
            .flat_map(|delivered| delivered.entry.positions())
            .for_each(&mut count);
        let uploads = self.uploads.values().flat_map(|upload| &upload.parts);
        uploads.copied().for_each(&mut count);
        let prepared = self.prepared.values().flat_map(|p| &p.effects);
        prepared
            .flat_map(super::apply::stored_places)
            .for_each(&mut count);
        for queue in self.queues.values() {
            for (segment, uses) in queue.index.uses() {
                *in_use.entry(segment).or_default() += uses;
            }
        }
        assert_eq!(in_use, self.in_use, "places in use by segment");
        self.check_usage_totals();
        assert_eq!(self.names.len(), self.queues.len(), "names and queues");
    }

    fn check_holder(&self, queue: u32, lookup_id: u64, by: &Holder) {
        let held = match by {
            Holder::Transaction(client, id) => self
                .transactions
                .get(&(*client, *id))
                .is_some_and(|t| t.held().any(|h| h == (queue, lookup_id))),
            Holder::Lease { until_ms, .. } => self.leases.contains(&(*until_ms, queue, lookup_id)),
            Holder::Branch(branch) => self
                .prepared
                .get(branch)
                .is_some_and(|p| p.taken.contains(&(queue, lookup_id))),
            Holder::Nobody => true,
        };
        assert!(held, "{lookup_id:#x} is held by nobody");
    }
}

pub(super) fn release(in_use: &mut BTreeMap<u32, u64>, segment: u32, times: u64) {
    if let Some(count) = in_use.get_mut(&segment) {
        *count = count.saturating_sub(times);
        if *count == 0 {
            in_use.remove(&segment);
        }
    }
}
