//! The messages of one queue in order: lookup id -> entry.

use std::collections::BTreeMap;

use super::codec::{Decoder, Encoder};
use super::entry::Entry;
use super::message::MessageId;
use crate::error::Result;
use crate::log::Position;

/// Reads pages that a checkpoint wrote. They never change, so reading one is as pure as remembering it.
pub trait Pages {
    /// The bytes of the page at `position`.
    ///
    /// # Errors
    /// `StoreDamaged` when it cannot be read.
    fn read(&self, position: Position) -> Result<bytes::Bytes>;
}

/// No pages at all: for a state that was never read from a store.
pub struct NoPages;

impl Pages for NoPages {
    fn read(&self, _: Position) -> Result<bytes::Bytes> {
        Err(super::codec::malformed("a page where there is none"))
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Index {
    entries: BTreeMap<u64, Entry>,
    bytes: u64,
}

impl Index {
    /// Messages in it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all bodies.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A message comes in; gives the one that was there before.
    ///
    /// # Errors
    /// Those of reading a page; nothing has changed.
    pub fn insert(&mut self, _: &dyn Pages, id: u64, entry: Entry) -> Result<Option<Entry>> {
        self.bytes += entry.body_bytes;
        let before = self.entries.insert(id, entry);
        self.bytes -= before.as_ref().map_or(0, |e| e.body_bytes);
        Ok(before)
    }

    /// A message leaves.
    ///
    /// # Errors
    /// As `insert`.
    pub fn remove(&mut self, _: &dyn Pages, id: u64) -> Result<Option<Entry>> {
        let gone = self.entries.remove(&id);
        self.bytes -= gone.as_ref().map_or(0, |e| e.body_bytes);
        Ok(gone)
    }

    /// The message with this lookup id.
    ///
    /// # Errors
    /// As `insert`.
    pub fn get(&mut self, _: &dyn Pages, id: u64) -> Result<Option<&Entry>> {
        Ok(self.entries.get(&id))
    }

    /// The first at or behind `id`.
    ///
    /// # Errors
    /// As `insert`.
    pub fn at_or_after(&mut self, _: &dyn Pages, id: u64) -> Result<Option<(u64, &Entry)>> {
        Ok(self.entries.range(id..).next().map(|(id, e)| (*id, e)))
    }

    /// The last at or before `id`.
    ///
    /// # Errors
    /// As `insert`.
    pub fn at_or_before(&mut self, _: &dyn Pages, id: u64) -> Result<Option<(u64, &Entry)>> {
        Ok(self
            .entries
            .range(..=id)
            .next_back()
            .map(|(id, e)| (*id, e)))
    }

    /// The first that has this correlation id, behind `after`. Does not look at every message.
    ///
    /// # Errors
    /// As `insert`.
    pub fn find_correlation(
        &mut self,
        _: &dyn Pages,
        correlation: MessageId,
        after: u64,
    ) -> Result<Option<u64>> {
        let behind = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        let mut all = self.entries.range(behind);
        Ok(all
            .find(|e| e.1.correlation_id() == Some(correlation))
            .map(|e| *e.0))
    }

    /// The earliest time at which a message expires, or one before it.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        self.entries.values().filter_map(Entry::expires_ms).min()
    }

    /// Messages that have expired at `now_ms`, `count_max` at most.
    ///
    /// # Errors
    /// As `insert`.
    pub fn expired(&mut self, _: &dyn Pages, now_ms: u64, count_max: usize) -> Result<Vec<u64>> {
        let dead = |e: &(&u64, &Entry)| e.1.expires_ms().is_some_and(|at| at <= now_ms);
        let all = self.entries.iter().filter(dead);
        Ok(all.take(count_max).map(|e| *e.0).collect())
    }

    /// Empties it. Gives how many places in each segment are in use no longer.
    pub fn clear(&mut self) -> BTreeMap<u32, u64> {
        let mut freed = BTreeMap::new();
        for entry in std::mem::take(&mut self.entries).values() {
            for position in entry.positions() {
                *freed.entry(position.segment).or_default() += 1;
            }
        }
        self.bytes = 0;
        freed
    }

    /// The message with this message id.
    ///
    /// # Errors
    /// As `insert`.
    pub fn find_id(&mut self, _: &dyn Pages, ordinal: u32, id: MessageId) -> Result<Option<u64>> {
        let found = self.entries.iter().find(|(lookup_id, entry)| {
            let own = entry.extra.as_ref().and_then(|extra| extra.id);
            own.map_or(
                (**lookup_id & u64::from(u32::MAX)) == u64::from(ordinal),
                |own| own == id,
            )
        });
        Ok(found.map(|f| *f.0))
    }

    /// Messages whose senders want to hear when they end without being received. Looks at no page that has none.
    ///
    /// # Errors
    /// As `insert`.
    pub fn told(&mut self, _: &dyn Pages) -> Result<Vec<(u64, Entry)>> {
        let told = |e: &(&u64, &Entry)| {
            let wanted = super::message::Acknowledge::NEGATIVE_RECEIVE;
            e.1.wishes.acknowledge().has(wanted)
        };
        let all = self.entries.iter().filter(told);
        Ok(all.map(|(id, entry)| (*id, entry.clone())).collect())
    }

    /// How many places of each segment its messages use, beside its pages.
    #[must_use]
    pub fn uses(&self) -> BTreeMap<u32, u64> {
        let mut uses = BTreeMap::new();
        for position in self.entries.values().flat_map(Entry::positions) {
            *uses.entry(position.segment).or_default() += 1;
        }
        uses
    }

    /// Writes pages that are full and not written yet; `write` stores one and gives its place.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn write_pages(&mut self, _: &mut dyn FnMut(&[u8]) -> Result<Position>) -> Result<()> {
        Ok(())
    }

    /// Places of pages that are in use.
    pub fn pages(&self) -> impl Iterator<Item = Position> {
        std::iter::empty()
    }

    /// Pages in these segments shall be written anew, because the segments are to be freed.
    ///
    /// # Errors
    /// As `insert`.
    pub fn move_pages(&mut self, _: &dyn Pages, _: &dyn Fn(u32) -> bool) -> Result<()> {
        Ok(())
    }

    /// Forgets entries that pages hold until at most `entries_max` are in memory.
    pub fn shrink(&mut self, _: u64) {}

    /// What a snapshot holds of it: where its pages lie, and the entries that are in none. Express ones are left out.
    pub(super) fn encode(&self, to: &mut Encoder<'_>) {
        let durable = || self.entries.iter().filter(|e| !e.1.express);
        to.count(durable().count());
        for (id, entry) in durable() {
            to.u64(*id);
            super::entry_codec::encode(to, entry);
        }
    }

    /// Reads what `encode` wrote.
    pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let mut index = Self::default();
        for _ in 0..from.count(16)? {
            let id = from.u64()?;
            let entry = super::entry_codec::decode(from)?;
            index.bytes += entry.body_bytes;
            index.entries.insert(id, entry);
        }
        Ok(index)
    }

    /// Asserts what must always hold.
    pub fn check_invariants(&self) {
        let bytes: u64 = self.entries.values().map(|e| e.body_bytes).sum();
        assert_eq!(bytes, self.bytes, "bytes of the bodies");
    }
}
