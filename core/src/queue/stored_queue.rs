//! One queue: its messages in order, those that somebody holds, and those that are not due yet.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::access::AccessList;
use super::entry::Entry;
use super::index::{Index, Pages};
use super::keys::Keys;
use super::request::{BranchId, QueueKind, QueueProperties, QueueStatus, TransactionId};
use crate::error::Result;

/// Set in the number of a queue's journal; the rest is the queue's.
pub const JOURNAL_BIT: u32 = 0x8000_0000;

/// Who holds a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A transaction of this client.
    Transaction(Uuid, TransactionId),
    /// A lease, until this time of the boot clock in milliseconds.
    Lease {
        /// Which delivery.
        delivery: u32,
        /// When it ends by itself.
        until_ms: u64,
    },
    /// A prepared transaction.
    Branch(BranchId),
    /// Nobody any more: a restart has ended the holder. Only while the log is read.
    Nobody,
}

/// A message that somebody holds.
#[derive(Clone, Debug)]
pub struct Locked {
    /// The entry, to be put back.
    pub entry: Entry,
    /// Who holds it.
    pub by: Holder,
    /// Purged meanwhile: it is not put back.
    pub purged: bool,
}

/// A message that is not due yet.
#[derive(Clone, Debug)]
pub struct Delayed {
    /// The entry.
    pub entry: Entry,
    /// When it can be received, in Unix milliseconds.
    pub due_ms: u64,
}

/// What went through since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Messages that came in.
    pub arrived: u64,
    /// Messages that were taken out.
    pub left: u64,
    /// Bytes of those that came in.
    pub arrived_bytes: u64,
    /// Bytes of those that were taken out.
    pub left_bytes: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Queue {
    /// Its local name as it was spelled.
    pub name: String,
    /// Its number.
    pub number: u32,
    /// What it is.
    pub kind: QueueKind,
    /// What its creator set.
    pub properties: QueueProperties,
    /// Who may do what.
    pub access: AccessList,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Unix milliseconds.
    pub modified_ms: u64,
    /// Messages that can be received, by lookup id: priority descending, then arrival.
    pub index: Index,
    /// Messages that somebody holds.
    pub locked: BTreeMap<u64, Locked>,
    /// Messages that are not due yet.
    pub delayed: BTreeMap<u64, Delayed>,
    /// Bytes of the bodies of those two.
    side_bytes: u64,
    /// A poisonous message stops the receivers.
    pub faulted: Option<u64>,
    /// Idempotency keys of late.
    pub keys: Keys,
    /// Since the start.
    pub totals: Totals,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(number: u32, name: String, kind: QueueKind, created_ms: u64) -> Self {
        Self {
            name,
            number,
            kind,
            properties: QueueProperties::default(),
            access: AccessList::default(),
            created_ms,
            modified_ms: created_ms,
            index: Index::default(),
            locked: BTreeMap::new(),
            delayed: BTreeMap::new(),
            side_bytes: 0,
            faulted: None,
            keys: Keys::default(),
            totals: Totals::default(),
        }
    }

    /// Messages in it: available, held and delayed.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.index.len() + (self.locked.len() + self.delayed.len()) as u64
    }

    /// Whether it has no message at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all bodies.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.index.bytes() + self.side_bytes
    }

    /// Whether copies of received or dead messages are kept in it: nobody sends to it.
    #[must_use]
    pub const fn is_journal(&self) -> bool {
        matches!(
            self.kind,
            QueueKind::Journal
                | QueueKind::MachineJournal
                | QueueKind::DeadLetter
                | QueueKind::TransactionalDeadLetter
        )
    }

    /// Whether undeliverable messages are kept in it.
    #[must_use]
    pub const fn is_dead_letters(&self) -> bool {
        matches!(
            self.kind,
            QueueKind::DeadLetter | QueueKind::TransactionalDeadLetter
        )
    }

    /// What is shown of it, beside its journal.
    #[must_use]
    pub fn status(&self) -> QueueStatus {
        QueueStatus {
            name: self.name.clone(),
            kind: self.kind,
            number: self.number,
            properties: self.properties.clone(),
            message_count: self.len(),
            bytes_in_queue: self.bytes(),
            locked_count: self.locked.len() as u64,
            delayed_count: self.delayed.len() as u64,
            journal_message_count: 0,
            bytes_in_journal: 0,
            created_ms: self.created_ms,
            modified_ms: self.modified_ms,
            faulted: self.faulted,
        }
    }

    /// A message comes in.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn insert(&mut self, pages: &dyn Pages, lookup_id: u64, entry: Entry) -> Result<()> {
        self.totals.arrived += 1;
        self.totals.arrived_bytes += entry.body_bytes;
        self.put_back(pages, lookup_id, entry)
    }

    /// A message is available again, at its old place.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn put_back(&mut self, pages: &dyn Pages, lookup_id: u64, entry: Entry) -> Result<()> {
        let before = self.index.insert(pages, lookup_id, entry)?;
        debug_assert!(before.is_none(), "a lookup id was given twice");
        Ok(())
    }

    /// A message comes in that is not due yet.
    pub fn insert_delayed(&mut self, lookup_id: u64, entry: Entry, due_ms: u64) {
        self.totals.arrived += 1;
        self.totals.arrived_bytes += entry.body_bytes;
        self.side_bytes += entry.body_bytes;
        self.delayed.insert(lookup_id, Delayed { entry, due_ms });
    }

    /// A delayed message is due.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn wake(&mut self, pages: &dyn Pages, lookup_id: u64) -> Result<bool> {
        let Some(delayed) = self.delayed.remove(&lookup_id) else {
            return Ok(false);
        };
        self.side_bytes -= delayed.entry.body_bytes;
        self.put_back(pages, lookup_id, delayed.entry)?;
        Ok(true)
    }

    /// A message leaves, wherever it is. Gives it, and whether it was held and purged before.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn remove(&mut self, pages: &dyn Pages, lookup_id: u64) -> Result<Option<Entry>> {
        let entry = if let Some(locked) = self.locked.remove(&lookup_id) {
            self.side_bytes -= locked.entry.body_bytes;
            locked.entry
        } else if let Some(delayed) = self.delayed.remove(&lookup_id) {
            self.side_bytes -= delayed.entry.body_bytes;
            delayed.entry
        } else {
            match self.index.remove(pages, lookup_id)? {
                Some(entry) => entry,
                None => return Ok(None),
            }
        };
        self.totals.left += 1;
        self.totals.left_bytes += entry.body_bytes;
        if self.faulted == Some(lookup_id) {
            self.faulted = None;
        }
        Ok(Some(entry))
    }

    /// The message, wherever it is.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn get(&mut self, pages: &dyn Pages, lookup_id: u64) -> Result<Option<&Entry>> {
        if let Some(locked) = self.locked.get(&lookup_id) {
            return Ok(Some(&locked.entry));
        }
        if let Some(delayed) = self.delayed.get(&lookup_id) {
            return Ok(Some(&delayed.entry));
        }
        self.index.get(pages, lookup_id)
    }

    /// Changes a message where it is. Gives whether it is there.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn change(
        &mut self,
        pages: &dyn Pages,
        lookup_id: u64,
        change: impl FnOnce(&mut Entry),
    ) -> Result<bool> {
        if let Some(locked) = self.locked.get_mut(&lookup_id) {
            change(&mut locked.entry);
        } else if let Some(delayed) = self.delayed.get_mut(&lookup_id) {
            change(&mut delayed.entry);
        } else {
            let Some(mut entry) = self.index.remove(pages, lookup_id)? else {
                return Ok(false);
            };
            change(&mut entry);
            self.index.insert(pages, lookup_id, entry)?;
        }
        Ok(true)
    }

    /// Somebody takes an available message for the time being. Gives whether it was there.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn lock(&mut self, pages: &dyn Pages, lookup_id: u64, by: Holder) -> Result<bool> {
        if let Some(locked) = self.locked.get_mut(&lookup_id) {
            locked.by = by;
            return Ok(true);
        }
        // While the log is read a delayed message is still delayed, although it was due when it was taken.
        let entry = match self.delayed.remove(&lookup_id) {
            Some(delayed) => delayed.entry,
            None => match self.index.remove(pages, lookup_id)? {
                Some(entry) => {
                    self.side_bytes += entry.body_bytes;
                    entry
                }
                None => return Ok(false),
            },
        };
        let locked = Locked {
            entry,
            by,
            purged: false,
        };
        self.locked.insert(lookup_id, locked);
        Ok(true)
    }

    /// Who held it does not take it: back to its old place. Gives the entry if it was purged meanwhile and so
    /// is gone.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn unlock(&mut self, pages: &dyn Pages, lookup_id: u64) -> Result<Option<Entry>> {
        let Some(locked) = self.locked.remove(&lookup_id) else {
            return Ok(None);
        };
        self.side_bytes -= locked.entry.body_bytes;
        if locked.purged {
            self.totals.left += 1;
            return Ok(Some(locked.entry));
        }
        self.put_back(pages, lookup_id, locked.entry)?;
        Ok(None)
    }

    /// A held message is as a snapshot has it: purged, or held by a prepared transaction.
    pub(super) fn restore_locked(&mut self, lookup_id: u64, locked: Locked) {
        self.side_bytes += locked.entry.body_bytes;
        self.locked.insert(lookup_id, locked);
    }

    /// A delayed message is as a snapshot has it.
    pub(super) fn restore_delayed(&mut self, lookup_id: u64, delayed: Delayed) {
        self.side_bytes += delayed.entry.body_bytes;
        self.delayed.insert(lookup_id, delayed);
    }

    /// Asserts what must always hold of it alone.
    pub fn check_invariants(&self) {
        self.index.check_invariants();
        let locked = self.locked.values().map(|l| l.entry.body_bytes);
        let delayed = self.delayed.values().map(|d| d.entry.body_bytes);
        let bytes: u64 = locked.chain(delayed).sum();
        assert_eq!(bytes, self.side_bytes, "bytes held in {}", self.name);
        for lookup_id in self.locked.keys() {
            assert!(!self.delayed.contains_key(lookup_id), "held and delayed");
        }
    }
}
