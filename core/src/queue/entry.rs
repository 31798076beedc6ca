//! A queue's messages in order: small entries; bodies stay in the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::Message;
use super::request::{QueueProperties, QueueStatus, Select, TransactionId};
use crate::log::Position;

/// Where a message's content is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// In the log.
    Log(Position),
    /// Express: nowhere else.
    Memory(Arc<Message>),
}

/// A message's place in a queue. Its lookup id is the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where the content is.
    pub body: Body,
    /// Unix milliseconds.
    pub arrived_ms: u64,
    /// Bytes of the body.
    pub body_bytes: u32,
}

/// An entry that a transaction has received and not yet committed.
#[derive(Clone, Debug)]
pub struct Locked {
    /// The entry, to be put back.
    pub entry: Entry,
    /// Which transaction; none after a restart, which has ended it.
    pub by: Option<TransactionId>,
    /// Purged meanwhile: it is not put back.
    pub purged: bool,
}

/// A queue.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its name as it was spelled.
    pub name: String,
    /// What its creator set.
    pub properties: QueueProperties,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Messages by lookup id: priority descending, then arrival.
    pub available: BTreeMap<u64, Entry>,
    /// Messages held by transactions.
    pub locked: BTreeMap<u64, Locked>,
    /// Bytes of all bodies.
    pub bytes: u64,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(name: String, properties: QueueProperties, created_ms: u64) -> Self {
        Self {
            name,
            properties,
            created_ms,
            available: BTreeMap::new(),
            locked: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// What is shown of it.
    #[must_use]
    pub fn status(&self) -> QueueStatus {
        QueueStatus {
            name: self.name.clone(),
            properties: self.properties.clone(),
            message_count: (self.available.len() + self.locked.len()) as u64,
            bytes_in_queue: self.bytes,
            locked_count: self.locked.len() as u64,
            created_ms: self.created_ms,
        }
    }

    /// The available message that `select` means.
    #[must_use]
    pub fn find(&self, select: Select) -> Option<(u64, &Entry)> {
        let found = match select {
            Select::First => self.available.first_key_value(),
            Select::After(id) => {
                let behind = (std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded);
                self.available.range(behind).next()
            }
            Select::LookupId(id) => self.available.get_key_value(&id),
        };
        found.map(|(id, entry)| (*id, entry))
    }

    /// A message comes in.
    pub fn insert(&mut self, lookup_id: u64, entry: Entry) {
        self.bytes += u64::from(entry.body_bytes);
        let before = self.available.insert(lookup_id, entry);
        debug_assert!(before.is_none(), "a lookup id was given twice");
    }

    /// A message leaves, locked or not.
    pub fn remove(&mut self, lookup_id: u64) -> Option<Entry> {
        let locked = self.locked.remove(&lookup_id).map(|locked| locked.entry);
        let entry = locked.or_else(|| self.available.remove(&lookup_id))?;
        self.bytes -= u64::from(entry.body_bytes);
        Some(entry)
    }

    /// A transaction takes an available message.
    pub fn lock(&mut self, lookup_id: u64, by: Option<TransactionId>) {
        if let Some(entry) = self.available.remove(&lookup_id) {
            let locked = Locked {
                entry,
                by,
                purged: false,
            };
            self.locked.insert(lookup_id, locked);
        }
    }

    /// The transaction that held it has ended without a commit: back to its old place. Gives the entry if it
    /// was purged meanwhile and so is gone.
    pub fn unlock(&mut self, lookup_id: u64) -> Option<Entry> {
        let locked = self.locked.remove(&lookup_id)?;
        if locked.purged {
            self.bytes -= u64::from(locked.entry.body_bytes);
            return Some(locked.entry);
        }
        self.available.insert(lookup_id, locked.entry);
        None
    }
}
