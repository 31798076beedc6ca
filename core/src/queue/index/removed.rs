//! Which slots of a leaf are empty: one bit each.

use super::super::codec::{Decoder, Encoder, malformed};
use crate::error::Result;

const WORD_BITS: usize = 64;

/// A set of slot numbers. Costs nothing while it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    words: Vec<u64>,
    count: usize,
}

impl Removed {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) fn contains(&self, slot: usize) -> bool {
        let word = self.words.get(slot / WORD_BITS);
        word.is_some_and(|word| word >> (slot % WORD_BITS) & 1 == 1)
    }

    /// Whether it was not there before.
    pub(super) fn insert(&mut self, slot: usize) -> bool {
        let new = !self.contains(slot);
        if new {
            let words = slot / WORD_BITS + 1;
            self.words.resize(self.words.len().max(words), 0);
            self.words[slot / WORD_BITS] |= 1 << (slot % WORD_BITS);
            self.count += 1;
        }
        new
    }

    pub(super) fn remove(&mut self, slot: usize) {
        if self.contains(slot) {
            self.words[slot / WORD_BITS] &= !(1 << (slot % WORD_BITS));
            self.count -= 1;
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The first slot at or behind `slot` that is not in it.
    pub(super) fn next_absent(&self, slot: usize) -> usize {
        let mut at = slot;
        while let Some(word) = self.words.get(at / WORD_BITS) {
            let present = (word >> (at % WORD_BITS)).trailing_ones() as usize;
            let left = WORD_BITS - at % WORD_BITS;
            at += present.min(left);
            if present < left {
                break;
            }
        }
        at
    }

    /// The last slot at or before `slot` that is not in it.
    pub(super) fn previous_absent(&self, slot: usize) -> Option<usize> {
        let mut at = slot;
        loop {
            let Some(word) = self.words.get(at / WORD_BITS) else {
                return Some(at);
            };
            let below = at % WORD_BITS + 1;
            let present = (word << (WORD_BITS - below)).leading_ones() as usize;
            if present < below {
                return Some(at - present);
            }
            at = at.checked_sub(below)?;
        }
    }

    /// Lengths of runs, in turns absent and present: most leaves are consumed from one end.
    pub(super) fn encode(&self, to: &mut Encoder<'_>, slots: usize) {
        let mut runs = Vec::new();
        let (mut from, mut present) = (0, false);
        // Behind the last word none is present.
        for slot in 0..slots.min((self.words.len() + 1) * WORD_BITS) {
            if self.contains(slot) != present {
                runs.push(slot - from);
                (from, present) = (slot, !present);
            }
        }
        to.count(runs.len());
        for run in runs {
            to.count(run);
        }
    }

    pub(super) fn decode(from: &mut Decoder<'_>, slots: usize) -> Result<Self> {
        let mut all = Self::default();
        let (mut at, mut present) = (0_usize, false);
        let runs = from.count(1)?;
        for turn in 0..=runs {
            let left = slots - at;
            let run = if turn == runs {
                left
            } else {
                from.varint32()? as usize
            };
            if run > left {
                return Err(malformed("more slots are empty than there are"));
            }
            if present {
                (at..at + run).for_each(|slot| {
                    all.insert(slot);
                });
            }
            (at, present) = (at + run, !present);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_that_finds_its_gaps_and_comes_back(
            changes in prop::collection::vec((0_usize..200, prop::bool::weighted(0.8)), 0..400),
        ) {
            let (mut set, mut model) = (Removed::default(), BTreeSet::new());
            for (slot, inserts) in changes {
                if inserts {
                    prop_assert_eq!(set.insert(slot), model.insert(slot));
                } else {
                    set.remove(slot);
                    model.remove(&slot);
                }
            }
            prop_assert_eq!(set.len(), model.len());
            for slot in 0..256 {
                prop_assert_eq!(set.contains(slot), model.contains(&slot));
                let next = (slot..).find(|at| !model.contains(at));
                prop_assert_eq!(Some(set.next_absent(slot)), next);
                let previous = (0..=slot).rev().find(|at| !model.contains(at));
                prop_assert_eq!(set.previous_absent(slot), previous);
            }
            let mut bytes = Vec::new();
            set.encode(&mut Encoder(&mut bytes), 200);
            let again = Removed::decode(&mut Decoder::new(&bytes), 200).unwrap();
            prop_assert!((0..200).all(|slot| set.contains(slot) == again.contains(slot)));
            prop_assert_eq!(set.len(), again.len());
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = Removed::decode(&mut Decoder::new(&bytes), 100);
        }
    }
}
