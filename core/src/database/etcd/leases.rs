//! What this handle knows of leases, and when they are over. Pure.
//!
//! A lease is a row, a renewal is a guarded write of it, and its *revision* is the last renewal. Whoever
//! has seen the same revision for the whole time to live, on a clock of its own that never jumps, may
//! remove the row and its entries, in one transaction guarded by that revision (`session`).
//!
//! ```text
//!  holder    ──renew (sent)────────────────────────────────│ may act until sent + TTL │
//!  etcd                 └─ committed, revision r
//!  observer                    └─ seen ────────────────────────── TTL + 1 % ────┤ expires r, if it is still r
//! ```
//!
//! Seen is after committed, committed after sent: the observer's wait ends after the holder's does.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::LeaseId;

/// A hundredth is added to what an observer waits: clocks may differ by less than that.
const DRIFT_DIVISOR: u32 = 100;
/// After the database was away, holders have this part of their time to live to renew.
const GRACE_DIVISOR: u32 = 2;

/// One lease as it was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) ttl: Duration,
    pub(super) revision: u64,
    /// When this revision was first seen.
    at: Duration,
}

/// All leases that were seen.
#[derive(Debug, Default)]
pub(super) struct Leases {
    rows: BTreeMap<LeaseId, Seen>,
}

impl Leases {
    /// A lease was seen at `revision`; only a newer one than before is a renewal.
    pub(super) fn observe(&mut self, lease: LeaseId, ttl: Duration, revision: u64, now: Duration) {
        let at = now;
        let seen = Seen { ttl, revision, at };
        let known = self.rows.entry(lease).or_insert(seen);
        if revision > known.revision {
            *known = seen;
        }
    }

    /// A renewal of a lease whose time to live is known already.
    pub(super) fn renewed(&mut self, lease: LeaseId, revision: u64, now: Duration) {
        if let Some(known) = self.rows.get(&lease).copied() {
            self.observe(lease, known.ttl, revision, now);
        }
    }

    /// The row was removed by `revision`.
    pub(super) fn gone(&mut self, lease: LeaseId, revision: u64) {
        if self
            .rows
            .get(&lease)
            .is_some_and(|seen| seen.revision <= revision)
        {
            self.rows.remove(&lease);
        }
    }

    /// These are all the leases there were at `revision`.
    pub(super) fn all(
        &mut self,
        found: impl Iterator<Item = (LeaseId, Duration, u64)>,
        revision: u64,
        now: Duration,
    ) {
        let former = std::mem::take(&mut self.rows);
        for (lease, ttl, at) in found {
            self.observe(lease, ttl, at, now);
        }
        for (lease, seen) in former {
            match self.rows.get_mut(&lease) {
                Some(found) if found.revision <= seen.revision => *found = seen,
                Some(_) => {}
                None if seen.revision > revision => drop(self.rows.insert(lease, seen)),
                None => {}
            }
        }
    }

    /// The time to live of a lease.
    pub(super) fn ttl(&self, lease: LeaseId) -> Option<Duration> {
        self.rows.get(&lease).map(|seen| seen.ttl)
    }

    /// The leases that are over, with the revision that was seen for so long.
    pub(super) fn due(&self, now: Duration, back: Duration) -> Vec<(LeaseId, u64)> {
        let over = self
            .rows
            .iter()
            .filter(|(_, seen)| over_at(seen, back) <= now);
        over.map(|(lease, seen)| (*lease, seen.revision)).collect()
    }

    /// When the next one will be over.
    pub(super) fn next(&self, back: Duration) -> Option<Duration> {
        self.rows.values().map(|seen| over_at(seen, back)).min()
    }
}

/// `back` is when the database was last seen to come back.
fn over_at(seen: &Seen, back: Duration) -> Duration {
    let patience = seen.ttl + seen.ttl / DRIFT_DIVISOR;
    (seen.at + patience).max(back + seen.ttl / GRACE_DIVISOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(2);
    const A: LeaseId = LeaseId(1);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn due(leases: &Leases, at: f64) -> bool {
        !leases.due(seconds(at), Duration::ZERO).is_empty()
    }

    #[test]
    fn a_lease_is_over_when_one_revision_was_seen_for_all_its_time() {
        let mut leases = Leases::default();
        leases.observe(A, TTL, 5, seconds(10.0));
        assert!(!due(&leases, 12.0), "a clock may be a little fast");
        assert!(due(&leases, 12.1));
        assert_eq!(leases.next(Duration::ZERO), Some(seconds(12.02)));
    }

    #[test]
    fn only_a_newer_revision_is_a_renewal() {
        let mut leases = Leases::default();
        leases.observe(A, TTL, 5, seconds(10.0));
        for (revision, at) in [(5, 11.0), (4, 11.5)] {
            leases.observe(A, TTL, revision, seconds(at));
        }
        assert!(
            due(&leases, 12.1),
            "an event that came twice or late is none"
        );
        leases.observe(A, TTL, 6, seconds(12.0));
        assert!(!due(&leases, 12.1));
        assert_eq!(leases.due(seconds(14.1), Duration::ZERO), [(A, 6)]);
    }

    #[test]
    fn a_removal_counts_only_for_what_was_before_it() {
        let mut leases = Leases::default();
        leases.observe(A, TTL, 5, seconds(10.0));
        leases.gone(A, 4);
        assert_eq!(leases.ttl(A), Some(TTL));
        leases.gone(A, 6);
        assert_eq!(leases.ttl(A), None);
    }

    #[test]
    fn a_full_read_keeps_what_is_newer_and_the_time_of_what_is_not() {
        let mut leases = Leases::default();
        let (b, c) = (LeaseId(2), LeaseId(3));
        leases.observe(A, TTL, 5, seconds(10.0));
        leases.observe(b, TTL, 6, seconds(10.0));
        leases.observe(c, TTL, 9, seconds(10.0));
        leases.all([(A, TTL, 5)].into_iter(), 8, seconds(11.0));
        assert!(due(&leases, 12.1), "reading a lease is not renewing it");
        assert_eq!(leases.ttl(b), None, "it was gone at revision 8");
        assert_eq!(leases.ttl(c), Some(TTL), "it came after the read");
    }

    #[test]
    fn after_an_outage_of_the_database_holders_have_time_to_renew() {
        let mut leases = Leases::default();
        leases.observe(A, TTL, 5, seconds(10.0));
        let back = seconds(15.0);
        assert!(leases.due(seconds(15.9), back).is_empty());
        assert_eq!(leases.due(seconds(16.0), back), [(A, 5)]);
    }
}
