//! A leaf: neighbouring messages of one priority, in memory or in a page, or both.
//!
//! ```text
//!   in memory ──written──▶ in both ──paged out──▶ in a page
//!       ▲                     │  ▲                    │
//!       └──inserts, changes───┘  └───────touched──────┘
//! ```
//!
//! A message that leaves only empties its slot: the page stays good, and so do the numbers of the slots.

use super::super::codec::malformed;
use super::super::entry::Entry;
use super::page;
use super::pages::Pages;
use super::removed::Removed;
use super::slots::Slots;
use super::summary::Summary;
use crate::error::Result;
use crate::log::Position;

/// Empty slots that are not worth the trouble, in a leaf without a page.
const REMOVED_MIN: usize = 32;
/// A page is given up when fewer than one in so many of its messages are left.
const PAGE_LEFT: usize = 8;

/// See the module. It holds one message at least.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// The ids of the first and the last slot.
    pub(super) first: u64,
    pub(super) last: u64,
    /// How many slots, empty ones included.
    pub(super) count: usize,
    pub(super) removed: Removed,
    pub(super) summary: Summary,
    pub(super) page: Option<Position>,
    /// All slots, or none while it is only in its page.
    pub(super) slots: Slots,
    /// When it was last needed, by the clock of the top.
    pub(super) touched: u64,
}

/// The priority of a message: a leaf has one only, so that each priority grows at an end of its own.
pub(super) const fn band(id: u64) -> u64 {
    id >> 56
}

impl Leaf {
    /// A leaf of one message, with room for `capacity`.
    pub(super) fn new(id: u64, entry: Entry, capacity: usize) -> Self {
        let mut slots = Slots::with_capacity(capacity);
        slots.push(id, entry);
        Self::of(slots)
    }

    /// A leaf in memory with these slots, of which there is one at least.
    pub(super) fn of(slots: Slots) -> Self {
        let mut summary = Summary::default();
        slots.iter().for_each(|slot| summary.add(slot.1));
        Self {
            first: slots.id(0),
            last: slots.id(slots.len() - 1),
            count: slots.len(),
            removed: Removed::default(),
            summary,
            page: None,
            slots,
            touched: 0,
        }
    }

    /// Messages in it.
    pub(super) const fn len(&self) -> usize {
        self.count - self.removed.len()
    }

    pub(super) const fn is_resident(&self) -> bool {
        self.slots.len() > 0
    }

    /// Whether it is better built anew without its empty slots.
    pub(super) const fn is_sparse(&self) -> bool {
        match self.page {
            None => self.removed.len() > self.len() + REMOVED_MIN,
            Some(_) => self.len() * PAGE_LEFT < self.count,
        }
    }

    /// Messages in order, while it is in memory.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> {
        let all = self.slots.iter().enumerate();
        all.filter(|at| !self.removed.contains(at.0)).map(|at| at.1)
    }

    /// The slot of this message.
    pub(super) fn find(&self, id: u64) -> Option<usize> {
        let slot = self.slots.search(id).ok()?;
        (!self.removed.contains(slot)).then_some(slot)
    }

    /// The slot of the first message at or behind `id`.
    pub(super) fn next(&self, id: u64) -> Option<usize> {
        let slot = self
            .removed
            .next_absent(self.slots.search(id).unwrap_or_else(|at| at));
        (slot < self.count).then_some(slot)
    }

    /// The slot of the last message at or before `id`.
    pub(super) fn previous(&self, id: u64) -> Option<usize> {
        let slot = match self.slots.search(id) {
            Ok(slot) => slot,
            Err(slot) => slot.checked_sub(1)?,
        };
        self.removed.previous_absent(slot)
    }

    /// A message behind all others comes in.
    pub(super) fn push(&mut self, id: u64, entry: Entry) {
        self.summary.add(&entry);
        self.slots.push(id, entry);
        (self.last, self.count, self.page) = (id, self.count + 1, None);
    }

    /// A message comes into a slot that there is: gives the one that was in it.
    pub(super) fn put(&mut self, slot: usize, entry: Entry) -> Option<Entry> {
        let empty = self.removed.contains(slot);
        if !empty && *self.slots.entry(slot) == entry {
            return Some(entry);
        }
        self.page = None;
        self.summary.add(&entry);
        let before = self.slots.replace(slot, entry);
        if empty {
            self.removed.remove(slot);
            return None;
        }
        self.summary.remove(&before);
        Some(before)
    }

    /// A message comes between others. There are no empty slots.
    pub(super) fn insert(&mut self, id: u64, entry: Entry) {
        self.summary.add(&entry);
        let slot = self.slots.search(id).unwrap_or_else(|at| at);
        self.slots.insert(slot, id, entry);
        (self.count, self.page) = (self.count + 1, None);
        (self.first, self.last) = (self.first.min(id), self.last.max(id));
    }

    /// A message leaves.
    pub(super) fn take(&mut self, id: u64) -> Option<Entry> {
        let slot = self.find(id)?;
        let entry = self.slots.replace(slot, Entry::default());
        self.removed.insert(slot);
        self.summary.remove(&entry);
        Some(entry)
    }

    /// Gives up its empty slots, and the page if it has any; in memory, not empty.
    pub(super) fn compact(&mut self) {
        if self.removed.len() == 0 {
            return;
        }
        self.slots.keep(|slot| !self.removed.contains(slot));
        self.removed.clear();
        (self.count, self.page) = (self.slots.len(), None);
        (self.first, self.last) = (self.slots.id(0), self.slots.id(self.count - 1));
    }

    /// Keeps the lower half and gives the upper one. There are no empty slots, and two at least.
    pub(super) fn split(&mut self) -> Self {
        let upper = self.slots.split_off(self.count / 2);
        *self = Self::of(std::mem::take(&mut self.slots));
        Self::of(upper)
    }

    /// Takes in the leaf behind it. Both are in memory.
    pub(super) fn absorb(&mut self, mut other: Self) {
        self.compact();
        other.compact();
        self.slots.append(other.slots);
        *self = Self::of(std::mem::take(&mut self.slots));
    }

    /// The slots in the page, which must be what was written.
    pub(super) fn read(&self, pages: &dyn Pages) -> Result<Slots> {
        let Some(position) = self.page else {
            return Err(malformed("an index leaf has no page"));
        };
        let slots = page::decode(&pages.read(position)?)?;
        let ends = (slots.id(0), slots.id(slots.len() - 1));
        let mut summary = Summary::default();
        let all = slots.iter().enumerate();
        let left = all.filter(|at| !self.removed.contains(at.0));
        left.for_each(|at| summary.add(at.1.1));
        let same = summary.bytes == self.summary.bytes && summary.uses == self.summary.uses;
        if slots.len() != self.count || ends != (self.first, self.last) || !same {
            return Err(malformed("a page is not the one that was written"));
        }
        Ok(slots)
    }

    /// Forgets what its page holds.
    pub(super) fn page_out(&mut self) {
        debug_assert!(self.page.is_some(), "a leaf without a page stays in memory");
        self.slots = Slots::default();
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.first <= self.last && band(self.first) == band(self.last));
        assert!(self.removed.len() < self.count, "a leaf without messages");
        if !self.is_resident() {
            assert!(self.page.is_some(), "a leaf that is nowhere");
            return;
        }
        assert_eq!(self.slots.len(), self.count, "slots");
        let ids: Vec<u64> = self.slots.iter().map(|slot| slot.0).collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "ids do not rise");
        assert_eq!((ids[0], ids[self.count - 1]), (self.first, self.last));
        let mut real = Summary::default();
        self.iter().for_each(|message| real.add(message.1));
        assert_eq!(
            (real.bytes, &real.uses),
            (self.summary.bytes, &self.summary.uses)
        );
        assert!(self.summary.has_correlation || !real.has_correlation);
        assert!(self.summary.has_own_id || !real.has_own_id);
        assert!(self.summary.has_told || !real.has_told);
        if let Some(at) = real.earliest_ms {
            assert!(
                self.summary.earliest_ms.is_some_and(|bound| bound <= at),
                "expiry"
            );
        }
    }
}
