//! Idempotency keys: a second message with the same key within the queue's window is the first one again.
//!
//! Everything here follows from records and their times, so replay remembers the same.

use std::collections::{BTreeMap, VecDeque};

use super::codec::{Decoder, Encoder};
use crate::error::Result;

/// Keys of one queue that are remembered at most; then the oldest is forgotten.
pub(super) const KEYS_MAX: usize = 1_000_000;

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    lookup_id: u64,
    time_ms: u64,
    /// The message is only in memory: what ends with it must not refuse it when it is sent again.
    express: bool,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    known: BTreeMap<Vec<u8>, Known>,
    /// In order of time.
    order: VecDeque<(u64, Vec<u8>)>,
}

impl Keys {
    /// The lookup id that the message with this key was given, if it is in the window.
    #[must_use]
    pub fn find(&self, key: &[u8], now_ms: u64, window_ms: u64) -> Option<u64> {
        // Those that are too old are dropped with the next one that comes; until then they count no more.
        let known = self.known.get(key)?;
        (known.time_ms.saturating_add(window_ms) >= now_ms).then_some(known.lookup_id)
    }

    /// A message with a key came in.
    pub fn remember(
        &mut self,
        key: &[u8],
        (lookup_id, express): (u64, bool),
        now_ms: u64,
        window_ms: u64,
    ) {
        let old = |o: &(u64, Vec<u8>)| o.0.saturating_add(window_ms) < now_ms;
        while self.order.len() >= KEYS_MAX || self.order.front().is_some_and(old) {
            let Some((_, key)) = self.order.pop_front() else {
                break;
            };
            self.known.remove(&key);
        }
        let known = Known {
            lookup_id,
            time_ms: now_ms,
            express,
        };
        if self.known.insert(key.to_vec(), known).is_none() {
            self.order.push_back((now_ms, key.to_vec()));
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn encode(&self, to: &mut Encoder<'_>) {
        let lasting = || {
            let known = self.order.iter().map(|(_, key)| (key, self.known.get(key)));
            known.filter_map(|(key, known)| Some((key, known.filter(|known| !known.express)?)))
        };
        to.count(lasting().count());
        for (key, known) in lasting() {
            to.varint(known.time_ms);
            to.bytes(key);
            to.u64(known.lookup_id);
        }
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let mut keys = Self::default();
        for _ in 0..from.count(10)? {
            let time_ms = from.varint()?;
            let key = from.bytes()?.to_vec();
            let known = Known {
                lookup_id: from.u64()?,
                time_ms,
                express: false,
            };
            keys.known.insert(key.clone(), known);
            keys.order.push_back((time_ms, key));
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_within_its_window_and_no_longer() {
        let mut keys = Keys::default();
        keys.remember(b"a", (1, false), 1000, 500);
        assert_eq!(keys.find(b"a", 1500, 500), Some(1));
        assert_eq!(keys.find(b"a", 1501, 500), None);
        assert_eq!(keys.find(b"b", 1000, 500), None);
        keys.remember(b"b", (2, false), 2000, 500);
        assert_eq!(keys.known.len(), 1, "the old one is dropped");
        let mut bytes = Vec::new();
        keys.encode(&mut Encoder(&mut bytes));
        assert_eq!(Keys::decode(&mut Decoder::new(&bytes)).unwrap(), keys);
    }
    #[test]
    fn the_key_of_a_message_that_is_only_in_memory_ends_with_it() {
        let mut keys = Keys::default();
        keys.remember(b"lasts", (1, false), 1000, 500);
        keys.remember(b"ends", (2, true), 1000, 500);
        assert_eq!(keys.find(b"ends", 1000, 500), Some(2));
        let mut bytes = Vec::new();
        keys.encode(&mut Encoder(&mut bytes));
        let after = Keys::decode(&mut Decoder::new(&bytes)).unwrap();
        assert_eq!(after.find(b"lasts", 1000, 500), Some(1));
        assert_eq!(after.find(b"ends", 1000, 500), None);
    }
}
