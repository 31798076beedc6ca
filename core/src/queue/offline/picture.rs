//! Queues and messages as far as intact records tell.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::log::Position;
use crate::queue::access::AccessList;
use crate::queue::entry::Entry;
use crate::queue::index::{LostPage, Pages};
use crate::queue::keys::Keys;
use crate::queue::request::{MachineProperties, QueueKind, QueueProperties};
use crate::queue::state::State;
use crate::queue::stored_queue::{Holder, JOURNAL_BIT, Queue};
use crate::queue::transaction::PreparedTransaction;

/// A message in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) entry: Entry,
    /// Not receivable before; 0: at once.
    pub(super) due_ms: u64,
    /// Purged while somebody held it: gone unless a prepared transaction takes it.
    pub(super) purged: bool,
}

/// A queue.
#[derive(Clone, Debug)]
pub(super) struct Pictured {
    pub(super) name: String,
    pub(super) kind: QueueKind,
    pub(super) properties: QueueProperties,
    pub(super) access: AccessList,
    pub(super) created_ms: u64,
    pub(super) modified_ms: u64,
    pub(super) faulted: Option<u64>,
    pub(super) keys: Keys,
    pub(super) messages: BTreeMap<u64, Kept>,
}

impl Pictured {
    pub(super) fn new(name: String, kind: QueueKind, time_ms: u64) -> Self {
        Self {
            name,
            kind,
            properties: QueueProperties::default(),
            access: AccessList::default(),
            created_ms: time_ms,
            modified_ms: time_ms,
            faulted: None,
            keys: Keys::default(),
            messages: BTreeMap::new(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.messages.values().map(|m| m.entry.body_bytes).sum()
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    pub(super) guid: Uuid,
    /// The highest number that was given or reserved.
    pub(super) counter: u64,
    pub(super) time_ms: u64,
    pub(super) machine: MachineProperties,
    pub(super) access: AccessList,
    pub(super) principals: BTreeMap<u16, String>,
    pub(super) clients: BTreeMap<u32, Uuid>,
    pub(super) queues: BTreeMap<u32, Pictured>,
    pub(super) prepared: BTreeMap<Vec<u8>, PreparedTransaction>,
    pub(super) uploads: BTreeMap<(Uuid, u64), Vec<Position>>,
    /// Messages that records name and whose own record is lost.
    pub(super) missing: BTreeSet<(u32, u64)>,
    /// Queues that records name and whose own record is lost: they have a made-up name.
    pub(super) unnamed: BTreeSet<u32>,
    /// Pages of the index that cannot be read.
    pub(super) lost_pages: Vec<(u32, LostPage)>,
}

impl Picture {
    /// That of a store before its first record.
    pub(super) fn empty() -> Self {
        Self::of(
            &State::default(),
            &BTreeMap::new(),
            &crate::queue::index::NoPages,
        )
    }

    /// What a snapshot says.
    pub(super) fn of(state: &State, clients: &BTreeMap<u32, Uuid>, pages: &dyn Pages) -> Self {
        let names = state.principals.iter().enumerate().skip(1);
        let principals =
            names.filter_map(|(number, name)| Some((u16::try_from(number).ok()?, name.clone())));
        let mut picture = Self {
            guid: state.guid,
            counter: state.counter.max(state.reserved),
            time_ms: state.time_ms,
            machine: state.machine,
            access: state.access.clone(),
            principals: principals.collect(),
            clients: clients.clone(),
            ..Self::default()
        };
        for queue in state.queues.values() {
            picture.add_stored(queue, pages);
        }
        for (branch, prepared) in &state.prepared {
            let prepared = prepared.clone();
            picture.prepared.insert(branch.0.clone(), prepared);
        }
        for ((client, body), upload) in &state.uploads {
            let parts = upload.parts.clone();
            picture.uploads.insert((*client, body.0), parts);
        }
        picture
    }

    fn add_stored(&mut self, queue: &Queue, pages: &dyn Pages) {
        let mut pictured = Pictured {
            properties: queue.properties.clone(),
            access: queue.access.clone(),
            modified_ms: queue.modified_ms,
            faulted: queue.faulted,
            keys: queue.keys.clone(),
            ..Pictured::new(queue.name.clone(), queue.kind, queue.created_ms)
        };
        let kept = |entry: &Entry, due_ms, purged| Kept {
            entry: entry.clone(),
            due_ms,
            purged,
        };
        let messages = &mut pictured.messages;
        let lost = queue.index.readable(pages, &mut |id, entry| {
            messages.insert(id, kept(entry, 0, false));
        });
        for (id, locked) in &queue.locked {
            let purged = locked.purged && !matches!(locked.by, Holder::Branch(_));
            messages.insert(*id, kept(&locked.entry, 0, purged));
        }
        for (id, delayed) in &queue.delayed {
            messages.insert(*id, kept(&delayed.entry, delayed.due_ms, false));
        }
        let lost = lost.into_iter().map(|page| (queue.number, page));
        self.lost_pages.extend(lost);
        self.queues.insert(queue.number, pictured);
    }

    /// The queue with this number; one of which no intact record tells gets a name of its own.
    pub(super) fn queue(&mut self, number: u32) -> &mut Pictured {
        let time_ms = self.time_ms;
        if !self.queues.contains_key(&number) {
            let plain = number & !JOURNAL_BIT;
            self.unnamed.insert(plain);
            let name = format!("recovered-{plain}");
            let journal = Pictured::new(format!("{name};JOURNAL"), QueueKind::Journal, time_ms);
            self.queues.entry(plain | JOURNAL_BIT).or_insert(journal);
            let queue = Pictured::new(name, QueueKind::Private, time_ms);
            self.queues.entry(plain).or_insert(queue);
        }
        let nameless = || Pictured::new(String::new(), QueueKind::Private, time_ms);
        self.queues.entry(number).or_insert_with(nameless)
    }

    /// The queues that belong to a user's queue, and itself.
    pub(super) fn family(&self, number: u32) -> Vec<u32> {
        let Some(queue) = self.queues.get(&number) else {
            return vec![number];
        };
        let prefix = format!("{};", queue.name.to_ascii_lowercase());
        let belongs = |other: &Pictured| other.name.to_ascii_lowercase().starts_with(&prefix);
        let of_user = queue.kind == QueueKind::Private;
        let members = self
            .queues
            .iter()
            .filter(|(n, other)| **n == number || (of_user && belongs(other)));
        members.map(|(number, _)| *number).collect()
    }

    /// Takes a message out of a queue, if it is known.
    pub(super) fn take(&mut self, number: u32, lookup_id: u64) -> Option<Kept> {
        let taken = self.queues.get_mut(&number)?.messages.remove(&lookup_id);
        if taken.is_none() {
            self.missing.insert((number, lookup_id));
        }
        taken
    }

    /// A message comes into a queue.
    pub(super) fn put(&mut self, number: u32, lookup_id: u64, kept: Kept) {
        self.counter = self.counter.max(lookup_id & ((1 << 56) - 1));
        self.missing.remove(&(number, lookup_id));
        self.queue(number).messages.insert(lookup_id, kept);
    }

    /// What an earlier picture knows of messages whose page of the index is lost: they are kept, though a record
    /// of their leaving may be lost too. Gives how many.
    pub(super) fn fill_from(&mut self, earlier: &Self) -> u64 {
        let mut filled = 0;
        for (number, page) in std::mem::take(&mut self.lost_pages) {
            let known = earlier.queues.get(&number);
            let range = known.map(|queue| queue.messages.range(page.first..=page.last));
            let mut found = 0;
            for (lookup_id, kept) in range.into_iter().flatten() {
                let queue = self.queue(number);
                queue
                    .messages
                    .entry(*lookup_id)
                    .or_insert_with(|| kept.clone());
                found += 1;
            }
            filled += found as u64;
            self.lost_pages.push((
                number,
                LostPage {
                    count: page.count.saturating_sub(found),
                    ..page
                },
            ));
        }
        filled
    }

    /// What only an open transaction of before held is decided: purged messages are gone.
    pub(super) fn settle(&mut self) {
        for queue in self.queues.values_mut() {
            queue.messages.retain(|_, kept| !kept.purged);
        }
    }
}
