//! The entries of a leaf that are in memory, with their lookup ids, ascending.

use super::super::entry::Entry;

/// Two columns, so that a search touches nothing but ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    ids: Vec<u64>,
    entries: Vec<Entry>,
}

impl Slots {
    pub(super) fn with_capacity(count: usize) -> Self {
        Self {
            ids: Vec::with_capacity(count),
            entries: Vec::with_capacity(count),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.ids.len()
    }

    /// The slot of `id`, or where it would be.
    pub(super) fn search(&self, id: u64) -> Result<usize, usize> {
        match self.ids.first() {
            // The head of a queue, and what is in front of it.
            Some(first) if id <= *first => {
                if id == *first {
                    Ok(0)
                } else {
                    Err(0)
                }
            }
            _ => self.ids.binary_search(&id),
        }
    }

    pub(super) fn id(&self, slot: usize) -> u64 {
        self.ids[slot]
    }

    pub(super) fn entry(&self, slot: usize) -> &Entry {
        &self.entries[slot]
    }

    pub(super) fn replace(&mut self, slot: usize, entry: Entry) -> Entry {
        std::mem::replace(&mut self.entries[slot], entry)
    }

    /// `id` is above all others.
    pub(super) fn push(&mut self, id: u64, entry: Entry) {
        self.ids.push(id);
        self.entries.push(entry);
    }

    pub(super) fn insert(&mut self, slot: usize, id: u64, entry: Entry) {
        self.ids.insert(slot, id);
        self.entries.insert(slot, entry);
    }

    pub(super) fn split_off(&mut self, slot: usize) -> Self {
        Self {
            ids: self.ids.split_off(slot),
            entries: self.entries.split_off(slot),
        }
    }

    /// `other` lies behind it.
    pub(super) fn append(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.entries.extend(other.entries);
    }

    /// Only those slots stay.
    pub(super) fn keep(&mut self, stays: impl Fn(usize) -> bool) {
        let mut slot = 0..;
        self.ids.retain(|_| slot.next().is_some_and(&stays));
        let mut slot = 0..;
        self.entries.retain(|_| slot.next().is_some_and(&stays));
        self.ids.shrink_to(self.ids.len() * 2);
        self.entries.shrink_to(self.entries.len() * 2);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.ids.iter().copied().zip(&self.entries)
    }
}
