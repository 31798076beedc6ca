//! The leaves in order: finds the one of a message, makes and drops leaves.

use std::collections::VecDeque;

use super::super::entry::Entry;
use super::leaf::{Leaf, band};
use super::pages::Pages;
use super::summary::earlier;
use crate::error::Result;

/// Slots of a leaf: a page of some 10 KiB, read in some 20 us; ten million messages are 5,000 leaves.
const SLOTS_MAX: usize = 2048;

/// The durable messages of a queue.
#[derive(Clone, Debug)]
pub(super) struct Top {
    pub(super) leaves: VecDeque<Leaf>,
    pub(super) slots_max: usize,
    pub(super) len: u64,
    pub(super) bytes: u64,
    /// Slots in memory.
    pub(super) resident: u64,
    /// No message expires earlier.
    pub(super) earliest_ms: Option<u64>,
    /// Counts touches of leaves.
    pub(super) clock: u64,
}

/// Where in the leaves a message is: leaf and slot.
pub(super) type Place = (usize, usize);

/// Where a message can go.
enum Room {
    /// Behind the last slot of this leaf.
    End(usize),
    /// Into this leaf, before or between its slots or in one of them.
    Inside(usize),
    /// Into a new leaf with this number.
    New(usize),
}

impl Default for Top {
    fn default() -> Self {
        Self::new(SLOTS_MAX)
    }
}

impl Top {
    pub(super) const fn new(slots_max: usize) -> Self {
        Self {
            leaves: VecDeque::new(),
            slots_max,
            len: 0,
            bytes: 0,
            resident: 0,
            earliest_ms: None,
            clock: 0,
        }
    }

    pub(super) fn entry(&self, place: Place) -> (u64, &Entry) {
        let slots = &self.leaves[place.0].slots;
        (slots.id(place.1), slots.entry(place.1))
    }

    /// The first leaf that does not end before `id`.
    pub(super) fn locate(&self, id: u64) -> usize {
        if self.leaves.front().is_some_and(|head| id <= head.last) {
            return 0;
        }
        if self.leaves.back().is_none_or(|tail| tail.last < id) {
            return self.leaves.len();
        }
        self.leaves.partition_point(|leaf| leaf.last < id)
    }

    /// Whether `id` lies between the ends of leaf `at`.
    pub(super) fn covers(&self, at: usize, id: u64) -> bool {
        let leaf = self.leaves.get(at);
        leaf.is_some_and(|leaf| leaf.first <= id && id <= leaf.last)
    }

    fn room(&self, id: u64) -> Room {
        let at = self.locate(id);
        // A page is not given up for a newcomer that has room elsewhere.
        let open = |leaf: &&Leaf| {
            leaf.page.is_none() && leaf.count < self.slots_max && band(leaf.first) == band(id)
        };
        let before = at.checked_sub(1).and_then(|before| self.leaves.get(before));
        if self.covers(at, id) {
            Room::Inside(at)
        } else if before.filter(open).is_some() {
            Room::End(at - 1)
        } else if self.leaves.get(at).filter(open).is_some() {
            Room::Inside(at)
        } else {
            Room::New(at)
        }
    }

    /// A message comes in; gives the one that was there before.
    pub(super) fn insert(
        &mut self,
        pages: &dyn Pages,
        id: u64,
        entry: Entry,
    ) -> Result<Option<Entry>> {
        let (bytes, expires_ms) = (entry.body_bytes, entry.expires_ms());
        let before = match self.room(id) {
            Room::End(at) => {
                self.leaves[at].push(id, entry);
                self.resident += 1;
                None
            }
            Room::Inside(at) => {
                self.load(pages, at)?;
                self.insert_inside(at, id, entry)
            }
            Room::New(at) => {
                self.add_leaf(at, id, entry);
                None
            }
        };
        self.len += u64::from(before.is_none());
        self.bytes += bytes;
        self.bytes -= before.as_ref().map_or(0, |e| e.body_bytes);
        self.earliest_ms = earlier(self.earliest_ms, expires_ms);
        Ok(before)
    }

    fn add_leaf(&mut self, at: usize, id: u64, entry: Entry) {
        // Behind a full leaf another will fill.
        let before = at.checked_sub(1).and_then(|before| self.leaves.get(before));
        let grows = before.is_some_and(|leaf| leaf.count >= self.slots_max);
        let capacity = if grows { self.slots_max } else { 1 };
        self.leaves.insert(at, Leaf::new(id, entry, capacity));
        self.resident += 1;
    }

    fn insert_inside(&mut self, at: usize, id: u64, entry: Entry) -> Option<Entry> {
        if let Ok(slot) = self.leaves[at].slots.search(id) {
            return self.leaves[at].put(slot, entry);
        }
        self.compact(at);
        let mut at = at;
        if self.leaves[at].count >= self.slots_max {
            let upper = self.leaves[at].split();
            let goes_up = upper.first < id;
            self.leaves.insert(at + 1, upper);
            at += usize::from(goes_up);
        }
        self.leaves[at].insert(id, entry);
        self.resident += 1;
        None
    }

    pub(super) fn compact(&mut self, at: usize) {
        let leaf = &mut self.leaves[at];
        self.resident -= leaf.removed.len() as u64;
        leaf.compact();
    }

    /// A message leaves.
    pub(super) fn remove(&mut self, pages: &dyn Pages, id: u64) -> Result<Option<Entry>> {
        let at = self.locate(id);
        if !self.covers(at, id) {
            return Ok(None);
        }
        let leaf = self.load(pages, at)?;
        let Some(entry) = leaf.take(id) else {
            return Ok(None);
        };
        if leaf.len() == 0 {
            self.drop_leaf(at);
        } else if leaf.is_sparse() {
            self.compact(at);
        }
        self.len -= 1;
        self.bytes -= entry.body_bytes;
        Ok(Some(entry))
    }

    fn drop_leaf(&mut self, at: usize) {
        if let Some(leaf) = self.leaves.remove(at) {
            self.resident -= leaf.slots.len() as u64;
        }
    }

    /// Where this message is.
    pub(super) fn find(&mut self, pages: &dyn Pages, id: u64) -> Result<Option<Place>> {
        let at = self.locate(id);
        if !self.covers(at, id) {
            return Ok(None);
        }
        Ok(self.load(pages, at)?.find(id).map(|slot| (at, slot)))
    }

    /// Where the first one at or behind `id` is.
    pub(super) fn next(&mut self, pages: &dyn Pages, id: u64) -> Result<Option<Place>> {
        for at in self.locate(id)..self.leaves.len() {
            if let Some(slot) = self.load(pages, at)?.next(id) {
                return Ok(Some((at, slot)));
            }
        }
        Ok(None)
    }

    /// Where the last one at or before `id` is.
    pub(super) fn previous(&mut self, pages: &dyn Pages, id: u64) -> Result<Option<Place>> {
        let end = self.locate(id);
        let end = end + usize::from(self.covers(end, id));
        for at in (0..end).rev() {
            if let Some(slot) = self.load(pages, at)?.previous(id) {
                return Ok(Some((at, slot)));
            }
        }
        Ok(None)
    }

    /// Shows all messages of the leaves that are `wanted`. What it reads for that does not stay in memory.
    pub(super) fn scan(
        &self,
        pages: &dyn Pages,
        wanted: impl Fn(&Leaf) -> bool,
        mut visit: impl FnMut(u64, &Entry),
    ) -> Result<()> {
        for leaf in self.leaves.iter().filter(|leaf| wanted(leaf)) {
            if leaf.is_resident() {
                leaf.iter().for_each(|(id, entry)| visit(id, entry));
                continue;
            }
            let slots = leaf.read(pages)?;
            let all = slots.iter().enumerate();
            let left = all.filter(|at| !leaf.removed.contains(at.0));
            left.for_each(|(_, (id, entry))| visit(id, entry));
        }
        Ok(())
    }

    pub(super) fn check_invariants(&self) {
        self.leaves.iter().for_each(Leaf::check_invariants);
        let ends = self.leaves.iter().flat_map(|leaf| [leaf.first, leaf.last]);
        assert!(ends.is_sorted(), "leaves are not in order");
        let firsts = self.leaves.iter().map(|leaf| leaf.first);
        assert!(
            firsts.is_sorted_by(|one, next| one < next),
            "leaves overlap"
        );
        let sum = |of: fn(&Leaf) -> u64| self.leaves.iter().map(of).sum::<u64>();
        assert_eq!(sum(|leaf| leaf.len() as u64), self.len, "messages");
        assert_eq!(
            sum(|leaf| leaf.summary.bytes),
            self.bytes,
            "bytes of the bodies"
        );
        assert_eq!(
            sum(|leaf| leaf.slots.len() as u64),
            self.resident,
            "slots in memory"
        );
        let earliest = self
            .leaves
            .iter()
            .filter_map(|leaf| leaf.summary.earliest_ms)
            .min();
        assert_eq!(
            earlier(self.earliest_ms, earliest),
            self.earliest_ms,
            "expiry"
        );
    }
}
