//! Finds a message by the number in its id.
//!
//! The number is the low half of the lookup id. So in every stretch of 2^32 lookup ids there is one candidate; there are
//! as many stretches as priorities, unless a queue manager has counted beyond 2^32.

use super::pages::Pages;
use super::top::Top;
use crate::error::Result;

const STRETCH: u64 = 1 << 32;

impl Top {
    /// The first one at or behind `from` whose lookup id ends in `ordinal`, and that has no id of its own.
    pub(super) fn find_ordinal(
        &mut self,
        pages: &dyn Pages,
        ordinal: u32,
        from: u64,
    ) -> Result<Option<u64>> {
        let mut candidate = next_candidate(from, ordinal);
        while let Some(id) = candidate {
            let at = self.locate(id);
            let Some(leaf) = self.leaves.get(at) else {
                return Ok(None);
            };
            if id < leaf.first {
                candidate = next_candidate(leaf.first, ordinal);
                continue;
            }
            let leaf = self.load(pages, at)?;
            if leaf
                .find(id)
                .is_some_and(|slot| leaf.slots.entry(slot).own_id().is_none())
            {
                return Ok(Some(id));
            }
            let behind = leaf
                .next(id.saturating_add(1))
                .map_or(leaf.last, |slot| leaf.slots.id(slot));
            candidate = id.checked_add(STRETCH);
            if candidate.is_some_and(|next| next < behind) {
                candidate = next_candidate(behind, ordinal);
            }
        }
        Ok(None)
    }
}

/// The first lookup id at or behind `from` that ends in `ordinal`.
pub(super) fn next_candidate(from: u64, ordinal: u32) -> Option<u64> {
    let id = from & !(STRETCH - 1) | u64::from(ordinal);
    if id >= from {
        Some(id)
    } else {
        id.checked_add(STRETCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_the_next_number_that_ends_so() {
        assert_eq!(next_candidate(0, 7), Some(7));
        assert_eq!(next_candidate(7, 7), Some(7));
        assert_eq!(next_candidate(8, 7), Some(STRETCH + 7));
        assert_eq!(next_candidate(u64::MAX, 7), None);
    }
}
