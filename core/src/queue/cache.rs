//! Recent contents in memory, oldest place in the log first to go.
//!
//! Places only rise, so a queue with binary search is all that is needed.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::log::Position;

/// Bytes kept at most, beyond those that are not on disk yet.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Contents by where they lie. What is not on disk yet is never dropped.
#[derive(Default)]
pub(super) struct Cache {
    contents: VecDeque<(Position, Bytes)>,
    bytes: usize,
    /// How many of the newest are not on disk yet.
    unwritten: usize,
}

impl Cache {
    pub(super) fn insert(&mut self, position: Position, content: Bytes) {
        debug_assert!(
            self.contents.back().is_none_or(|last| last.0 < position),
            "places in the log rise"
        );
        self.bytes += content.len();
        self.contents.push_back((position, content));
        self.unwritten += 1;
    }

    /// How many contents, and their bytes.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.contents.len() as u64, self.bytes as u64)
    }

    pub(super) fn get(&self, position: Position) -> Option<Bytes> {
        let at = self
            .contents
            .binary_search_by_key(&position, |c| c.0)
            .ok()?;
        self.contents.get(at).map(|c| c.1.clone())
    }

    /// It has left its queue: of no more use, once it is on disk.
    pub(super) fn spend(&mut self, position: Position) {
        // Whoever reads in order takes the oldest: then its room is free at once.
        if let Some(first) = self.contents.front()
            && first.0 == position
            && self.contents.len() > self.unwritten
            && let Some((_, gone)) = self.contents.pop_front()
        {
            self.bytes -= gone.len();
        }
    }

    /// So many of the newest are not on disk yet; all others are.
    pub(super) fn settle(&mut self, unwritten: usize) {
        self.unwritten = unwritten.min(self.contents.len());
        while self.bytes > BYTES_MAX
            && self.contents.len() > self.unwritten
            && let Some((_, gone)) = self.contents.pop_front()
        {
            self.bytes -= gone.len();
        }
    }

    /// How many are not on disk yet.
    pub(super) const fn unwritten(&self) -> usize {
        self.unwritten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(offset: u32) -> Position {
        Position {
            segment: 1,
            offset,
            length: 1,
        }
    }

    #[test]
    fn what_is_not_on_disk_is_never_dropped_and_the_oldest_goes_first() {
        let mut cache = Cache::default();
        let half = Bytes::from(vec![0; BYTES_MAX / 2 + 1]);
        for offset in 0..3 {
            cache.insert(place(offset), half.clone());
        }
        cache.settle(2);
        assert!(cache.get(place(0)).is_none());
        assert!(cache.get(place(1)).is_some() && cache.get(place(2)).is_some());
        cache.spend(place(1));
        assert!(cache.get(place(1)).is_some(), "it is not on disk");
        cache.settle(0);
        assert!(cache.get(place(1)).is_none());
        cache.spend(place(2));
        assert!(cache.get(place(2)).is_none());
    }
}
