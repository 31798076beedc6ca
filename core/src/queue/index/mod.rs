//! The messages of one queue in order: lookup id -> entry.
//!
//! ```text
//!  Index ─┬─ Top ── leaves in order ─┬─ in memory: slots           (leaf, slots, removed, summary)
//!         │   (place, expiry, id)    └─ in a page of the log       (page, paging)
//!         ├─ Express: entries that are only in memory
//!         └─ Secondary: correlation ids, ids of their own; built when first asked
//!
//!  checkpoint: write_pages -> pages in the log;  encode -> root in the snapshot  (root)
//! ```
//!
//! Sending appends to the last leaf of a priority and taking empties the first one, so both cost the same at ten messages
//! and at ten million. A full leaf is written once; a restart reads the root, and of the pages only those it needs.
//!
//! Rejected: a log-structured tree (it writes everything several times, and a queue's keys already come in order); a B-tree
//! of more levels (one level of leaf summaries is 1 MiB for ten million messages).

use std::collections::BTreeMap;

use super::codec::{Decoder, Encoder};
use super::entry::Entry;
use super::message::MessageId;
use crate::error::Result;
use crate::log::Position;

use express::Express;
use secondary::Secondary;
use summary::earlier;
use top::Top;

mod expiry;
mod express;
mod leaf;
mod ordinal;
mod page;
mod pages;
mod paging;
mod readable;
mod removed;
mod root;
mod secondary;
mod slots;
mod summary;
mod top;
mod uses;

#[cfg(test)]
mod model;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod stories;

pub use page::rewrite as rewrite_page;
pub use pages::{NoPages, Pages};
pub use readable::LostPage;

/// See the module.
#[derive(Clone, Debug)]
pub struct Index {
    top: Top,
    express: Express,
    correlations: Secondary,
    own_ids: Secondary,
}

impl Default for Index {
    fn default() -> Self {
        Self::over(Top::default())
    }
}

impl Index {
    const fn over(top: Top) -> Self {
        Self {
            top,
            express: Express::new(),
            correlations: Secondary::new(Entry::correlation_id),
            own_ids: Secondary::new(Entry::own_id),
        }
    }

    /// Messages in it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.top.len + self.express.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all bodies.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.top.bytes + self.express.bytes()
    }

    /// Entries in memory, places of removed ones included.
    #[must_use]
    pub fn resident(&self) -> u64 {
        self.top.resident + self.express.len()
    }

    /// A message comes in; gives the one that was there before.
    ///
    /// # Errors
    /// Those of reading a page; nothing has changed.
    pub fn insert(&mut self, pages: &dyn Pages, id: u64, entry: Entry) -> Result<Option<Entry>> {
        let (correlation, own) = (entry.correlation_id(), entry.own_id());
        let before = if entry.express {
            let lasting = self.top.remove(pages, id)?;
            self.express.insert(id, entry).or(lasting)
        } else {
            let lasting = self.top.insert(pages, id, entry)?;
            lasting.or_else(|| self.express.remove(id))
        };
        if let Some(before) = &before {
            self.forget_ids(id, before);
        }
        self.correlations.add(correlation, id);
        self.own_ids.add(own, id);
        Ok(before)
    }

    /// A message leaves.
    ///
    /// # Errors
    /// As `insert`.
    pub fn remove(&mut self, pages: &dyn Pages, id: u64) -> Result<Option<Entry>> {
        let gone = match self.express.remove(id) {
            None => self.top.remove(pages, id)?,
            express => express,
        };
        if let Some(gone) = &gone {
            self.forget_ids(id, gone);
        }
        Ok(gone)
    }

    fn forget_ids(&mut self, id: u64, entry: &Entry) {
        self.correlations.remove(entry.correlation_id(), id);
        self.own_ids.remove(entry.own_id(), id);
    }

    /// The message with this lookup id.
    ///
    /// # Errors
    /// As `insert`.
    pub fn get(&mut self, pages: &dyn Pages, id: u64) -> Result<Option<&Entry>> {
        if let Some(entry) = self.express.get(id) {
            return Ok(Some(entry));
        }
        let place = self.top.find(pages, id)?;
        Ok(place.map(|place| self.top.entry(place).1))
    }

    /// The first at or behind `id`.
    ///
    /// # Errors
    /// As `insert`.
    pub fn at_or_after(&mut self, pages: &dyn Pages, id: u64) -> Result<Option<(u64, &Entry)>> {
        let place = self.top.next(pages, id)?;
        let lasting = place.map(|place| self.top.entry(place));
        let both = lasting.into_iter().chain(self.express.next(id));
        Ok(both.min_by_key(|at| at.0))
    }

    /// The last at or before `id`.
    ///
    /// # Errors
    /// As `insert`.
    pub fn at_or_before(&mut self, pages: &dyn Pages, id: u64) -> Result<Option<(u64, &Entry)>> {
        let place = self.top.previous(pages, id)?;
        let lasting = place.map(|place| self.top.entry(place));
        let both = lasting.into_iter().chain(self.express.previous(id));
        Ok(both.max_by_key(|at| at.0))
    }

    /// The first that has this correlation id, behind `after`. Does not look at every message.
    ///
    /// # Errors
    /// As `insert`.
    pub fn find_correlation(
        &mut self,
        pages: &dyn Pages,
        correlation: MessageId,
        after: u64,
    ) -> Result<Option<u64>> {
        if !self.correlations.is_built() {
            let pairs = self.pairs(pages, Entry::correlation_id, |leaf| leaf.has_correlation)?;
            self.correlations.build(pairs);
        }
        let from = after.checked_add(1);
        Ok(from.and_then(|from| self.correlations.find(correlation, from)))
    }

    /// The first that has this message id. `ordinal` is that of the id if it may follow from a lookup id, which is when
    /// this queue manager gave it; else 0. Does not look at every message.
    ///
    /// # Errors
    /// As `insert`.
    pub fn find_id(
        &mut self,
        pages: &dyn Pages,
        ordinal: u32,
        id: MessageId,
    ) -> Result<Option<u64>> {
        if !self.own_ids.is_built() {
            let pairs = self.pairs(pages, Entry::own_id, |leaf| leaf.has_own_id)?;
            self.own_ids.build(pairs);
        }
        let own = self.own_ids.find(id, 0);
        if ordinal == 0 {
            return Ok(own);
        }
        let express = self.express.find_ordinal(ordinal, 0);
        let lasting = self.top.find_ordinal(pages, ordinal, 0)?;
        Ok(own.into_iter().chain(express).chain(lasting).min())
    }

    /// Messages whose senders want to hear when they end without being received. Looks at no page that has none.
    ///
    /// # Errors
    /// As `insert`.
    pub fn told(&mut self, pages: &dyn Pages) -> Result<Vec<(u64, Entry)>> {
        let mut told = Vec::new();
        let mut visit = |id, entry: &Entry| {
            if summary::wants_end(entry) {
                told.push((id, entry.clone()));
            }
        };
        self.top
            .scan(pages, |leaf| leaf.summary.has_told, &mut visit)?;
        self.express.iter().for_each(|(id, entry)| visit(id, entry));
        told.sort_unstable_by_key(|at| at.0);
        Ok(told)
    }

    /// What a secondary index is built from: key and lookup id.
    fn pairs(
        &self,
        pages: &dyn Pages,
        key: fn(&Entry) -> Option<MessageId>,
        may_have: fn(&summary::Summary) -> bool,
    ) -> Result<Vec<(MessageId, u64)>> {
        let mut pairs = Vec::new();
        let mut visit = |id, entry: &Entry| pairs.extend(key(entry).map(|key| (key, id)));
        self.top
            .scan(pages, |leaf| may_have(&leaf.summary), &mut visit)?;
        self.express.iter().for_each(|(id, entry)| visit(id, entry));
        Ok(pairs)
    }

    /// The earliest time at which a message expires, or one before it.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        earlier(self.top.next_expiry_ms(), self.express.next_expiry_ms())
    }

    /// Messages that have expired at `now_ms`, `count_max` at most, in their order.
    ///
    /// # Errors
    /// As `insert`.
    pub fn expired(
        &mut self,
        pages: &dyn Pages,
        now_ms: u64,
        count_max: usize,
    ) -> Result<Vec<u64>> {
        let mut expired = self.top.expired(pages, now_ms, count_max)?;
        let left = count_max - expired.len();
        expired.extend(self.express.expired(now_ms).take(left));
        expired.sort_unstable();
        Ok(expired)
    }

    /// Empties it. Gives how many places in each segment are in use no longer.
    pub fn clear(&mut self) -> BTreeMap<u32, u64> {
        let freed = self.uses();
        *self = Self::over(Top::new(self.top.slots_max));
        freed
    }

    /// How many places in each segment its messages need; pages are not among them.
    #[must_use]
    pub fn uses(&self) -> BTreeMap<u32, u64> {
        let mut uses = BTreeMap::new();
        for (segment, count) in self
            .top
            .leaves
            .iter()
            .flat_map(|leaf| leaf.summary.uses.iter())
        {
            *uses.entry(segment).or_default() += count;
        }
        for position in self.express.iter().flat_map(|at| at.1.positions()) {
            *uses.entry(position.segment).or_default() += 1;
        }
        uses
    }

    /// Writes pages that are full and not written yet; `write` stores one and gives its place.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn write_pages(&mut self, write: &mut dyn FnMut(&[u8]) -> Result<Position>) -> Result<()> {
        self.top.write_pages(write)
    }

    /// Places of pages that are in use.
    pub fn pages(&self) -> impl Iterator<Item = Position> {
        self.top.leaves.iter().filter_map(|leaf| leaf.page)
    }

    /// Pages in these segments shall be written anew, because the segments are to be freed.
    ///
    /// # Errors
    /// As `insert`.
    pub fn move_pages(
        &mut self,
        pages: &dyn Pages,
        in_segments: &dyn Fn(u32) -> bool,
    ) -> Result<()> {
        self.top.move_pages(pages, in_segments)
    }

    /// Forgets entries that pages hold until at most `entries_max` are in memory.
    pub fn shrink(&mut self, entries_max: u64) {
        self.top
            .shrink(entries_max.saturating_sub(self.express.len()));
    }

    /// What a snapshot holds of it: where its pages lie, and the entries that are in none. Express ones are left out.
    pub(super) fn encode(&self, to: &mut Encoder<'_>) {
        self.top.encode(to);
    }

    /// Reads what `encode` wrote.
    pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        Top::decode(from).map(Self::over)
    }

    /// Asserts what must always hold, without reading a page.
    pub fn check_invariants(&self) {
        self.top.check_invariants();
        self.express.check_invariants();
        let in_memory = self.top.leaves.iter().all(leaf::Leaf::is_resident);
        for secondary in [&self.correlations, &self.own_ids]
            .into_iter()
            .filter(|_| in_memory)
        {
            let entries = self.top.leaves.iter().flat_map(leaf::Leaf::iter);
            let all = entries.chain(self.express.iter());
            secondary.check_invariants(all.filter_map(|(id, e)| Some(((secondary.of)(e)?, id))));
        }
    }
}
