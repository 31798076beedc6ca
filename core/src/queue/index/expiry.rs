//! Which messages have expired: only leaves are looked at that may hold one.

use super::super::entry::Entry;
use super::pages::Pages;
use super::top::Top;
use crate::error::Result;

impl Top {
    /// The earliest time at which a message expires, or one before it.
    pub(super) fn next_expiry_ms(&self) -> Option<u64> {
        self.earliest_ms.filter(|_| self.len > 0)
    }

    /// The first `count_max` messages that have expired at `now_ms`.
    pub(super) fn expired(
        &mut self,
        pages: &dyn Pages,
        now_ms: u64,
        count_max: usize,
    ) -> Result<Vec<u64>> {
        let mut expired = Vec::new();
        if self.earliest_ms.is_none_or(|at| at > now_ms) {
            return Ok(expired);
        }
        for at in 0..self.leaves.len() {
            if expired.len() >= count_max {
                break;
            }
            let bound = self.leaves[at].summary.earliest_ms;
            if bound.is_some_and(|at| at <= now_ms) {
                self.expired_in(pages, at, now_ms, &mut expired)?;
            }
        }
        expired.truncate(count_max);
        let bounds = self.leaves.iter().map(|leaf| leaf.summary.earliest_ms);
        self.earliest_ms = bounds.flatten().min();
        Ok(expired)
    }

    fn expired_in(
        &mut self,
        pages: &dyn Pages,
        at: usize,
        now_ms: u64,
        expired: &mut Vec<u64>,
    ) -> Result<()> {
        let was_resident = self.leaves[at].is_resident();
        let leaf = self.load(pages, at)?;
        leaf.summary.earliest_ms = leaf.iter().filter_map(|at| at.1.expires_ms()).min();
        let before = expired.len();
        let is_dead = |entry: &Entry| entry.expires_ms().is_some_and(|at| at <= now_ms);
        expired.extend(leaf.iter().filter(|at| is_dead(at.1)).map(|at| at.0));
        if !was_resident && expired.len() == before {
            self.page_out(at);
        }
        Ok(())
    }
}
