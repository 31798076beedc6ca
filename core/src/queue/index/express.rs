//! Messages that are only in memory: in no page and no snapshot.

use std::collections::{BTreeMap, BTreeSet};

use super::super::entry::Entry;
use super::ordinal::next_candidate;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Express {
    entries: BTreeMap<u64, Entry>,
    /// When which expires.
    expiring: BTreeSet<(u64, u64)>,
    bytes: u64,
}

impl Express {
    pub(super) const fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            expiring: BTreeSet::new(),
            bytes: 0,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn insert(&mut self, id: u64, entry: Entry) -> Option<Entry> {
        let before = self.remove(id);
        self.bytes += entry.body_bytes;
        self.expiring.extend(entry.expires_ms().map(|at| (at, id)));
        self.entries.insert(id, entry);
        before
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.bytes -= entry.body_bytes;
        if let Some(at) = entry.expires_ms() {
            self.expiring.remove(&(at, id));
        }
        Some(entry)
    }

    pub(super) fn get(&self, id: u64) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(super) fn next(&self, id: u64) -> Option<(u64, &Entry)> {
        self.entries
            .range(id..)
            .next()
            .map(|(id, entry)| (*id, entry))
    }

    pub(super) fn previous(&self, id: u64) -> Option<(u64, &Entry)> {
        self.entries
            .range(..=id)
            .next_back()
            .map(|(id, entry)| (*id, entry))
    }

    /// The first one at or behind `from` whose lookup id ends in `ordinal`, and that has no id of its own.
    pub(super) fn find_ordinal(&self, ordinal: u32, from: u64) -> Option<u64> {
        let mut candidate = next_candidate(from, ordinal)?;
        loop {
            let (id, entry) = self.next(candidate)?;
            if id == candidate && entry.own_id().is_none() {
                return Some(id);
            }
            candidate = next_candidate(id.max(candidate.checked_add(1)?), ordinal)?;
        }
    }

    pub(super) fn next_expiry_ms(&self) -> Option<u64> {
        self.expiring.first().map(|first| first.0)
    }

    /// Those that have expired at `now_ms`, the earliest first.
    pub(super) fn expired(&self, now_ms: u64) -> impl Iterator<Item = u64> {
        self.expiring.range(..=(now_ms, u64::MAX)).map(|at| at.1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    pub(super) fn check_invariants(&self) {
        assert!(
            self.entries.values().all(|entry| entry.express),
            "an entry that lasts"
        );
        let bytes: u64 = self.entries.values().map(|entry| entry.body_bytes).sum();
        assert_eq!(bytes, self.bytes, "bytes of express bodies");
        let expiring = self
            .iter()
            .filter_map(|(id, entry)| Some((entry.expires_ms()?, id)));
        assert_eq!(
            expiring.collect::<BTreeSet<_>>(),
            self.expiring,
            "expiry of express messages"
        );
    }
}
