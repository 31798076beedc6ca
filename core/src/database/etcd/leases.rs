//! What this handle knows of leases, and when they are over. Pure.
//!
//! A lease is a row, and a renewal is a guarded write of it with a new *nonce*. Whoever has seen the same
//! nonce for the whole time to live, on a clock of its own that never jumps, may remove the row and its
//! entries, in one transaction guarded by the row's revision (`session`).
//!
//! ```text
//!  holder    ──renew (sent)────────────────────────────────│ may act until sent + TTL │
//!  etcd                 └─ committed
//!  observer                    └─ seen ────────────────────────── TTL + 1 % ────┤ removes it, if it is still the same
//! ```
//!
//! Seen is after committed, committed after sent: the observer's wait ends after the holder's does.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::LeaseId;
use super::keys::Renewal;

/// A hundredth is added to what an observer waits: clocks may differ by less than that.
const DRIFT_DIVISOR: u32 = 100;
/// After the database was away, holders have this part of their time to live to renew.
const GRACE_DIVISOR: u32 = 2;

/// One lease as it was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    renewal: Renewal,
    /// Of its row.
    revision: u64,
    /// When this renewal was first seen.
    at: Duration,
}

/// All leases that were seen.
#[derive(Debug, Default)]
pub(super) struct Leases {
    rows: BTreeMap<LeaseId, Seen>,
}

impl Leases {
    /// A lease's row was seen as `revision` has written it.
    pub(super) fn observe(
        &mut self,
        lease: LeaseId,
        renewal: Renewal,
        revision: u64,
        at: Duration,
    ) {
        let seen = Seen {
            renewal,
            revision,
            at,
        };
        let known = self.rows.entry(lease).or_insert(seen);
        if revision > known.revision {
            known.revision = revision;
            if renewal != known.renewal {
                *known = seen;
            }
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
        found: impl Iterator<Item = (LeaseId, Renewal, u64)>,
        revision: u64,
        now: Duration,
    ) {
        let mut former = std::mem::take(&mut self.rows);
        for (lease, renewal, at) in found {
            if let Some(known) = former.remove(&lease) {
                self.rows.insert(lease, known);
            }
            self.observe(lease, renewal, at, now);
        }
        former.retain(|_, seen| seen.revision > revision);
        self.rows.append(&mut former);
    }

    /// The time to live of a lease.
    pub(super) fn ttl(&self, lease: LeaseId) -> Option<Duration> {
        self.rows.get(&lease).map(|seen| seen.renewal.ttl)
    }

    /// The leases that are over, with the renewal that was seen for so long.
    pub(super) fn due(&self, now: Duration, back: Duration) -> Vec<(LeaseId, Renewal)> {
        let over = self
            .rows
            .iter()
            .filter(|(_, seen)| over_at(seen, back) <= now);
        over.map(|(lease, seen)| (*lease, seen.renewal)).collect()
    }

    /// When the next one will be over.
    pub(super) fn next(&self, back: Duration) -> Option<Duration> {
        self.rows.values().map(|seen| over_at(seen, back)).min()
    }
}

/// `back` is when the database was last seen to come back.
fn over_at(seen: &Seen, back: Duration) -> Duration {
    let ttl = seen.renewal.ttl;
    let patience = ttl + ttl / DRIFT_DIVISOR;
    (seen.at + patience).max(back + ttl / GRACE_DIVISOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: LeaseId = LeaseId(1);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn renewal(nonce: u64) -> Renewal {
        let ttl = seconds(2.0);
        Renewal { ttl, nonce }
    }

    fn due(leases: &Leases, at: f64) -> bool {
        !leases.due(seconds(at), Duration::ZERO).is_empty()
    }

    #[test]
    fn a_lease_is_over_when_one_renewal_was_seen_for_all_its_time() {
        let mut leases = Leases::default();
        leases.observe(A, renewal(1), 5, seconds(10.0));
        assert!(!due(&leases, 12.0), "a clock may be a little fast");
        assert!(due(&leases, 12.1));
        assert_eq!(leases.next(Duration::ZERO), Some(seconds(12.02)));
    }

    #[test]
    fn only_a_new_nonce_at_a_newer_revision_is_a_renewal() {
        let mut leases = Leases::default();
        leases.observe(A, renewal(1), 5, seconds(10.0));
        for (nonce, revision, at) in [(1, 5, 11.0), (9, 4, 11.5), (1, 6, 11.7)] {
            leases.observe(A, renewal(nonce), revision, seconds(at));
        }
        assert!(
            due(&leases, 12.1),
            "what came twice or late is none, nor is writing an entry"
        );
        leases.observe(A, renewal(2), 7, seconds(12.0));
        assert!(!due(&leases, 12.1));
        assert_eq!(leases.due(seconds(14.1), Duration::ZERO), [(A, renewal(2))]);
    }

    #[test]
    fn a_removal_counts_only_for_what_was_before_it() {
        let mut leases = Leases::default();
        leases.observe(A, renewal(1), 5, seconds(10.0));
        leases.gone(A, 4);
        assert!(leases.ttl(A).is_some());
        leases.gone(A, 6);
        assert_eq!(leases.ttl(A), None);
    }

    #[test]
    fn a_full_read_keeps_what_is_newer_and_the_time_of_what_is_not() {
        let mut leases = Leases::default();
        let (b, c) = (LeaseId(2), LeaseId(3));
        leases.observe(A, renewal(1), 5, seconds(10.0));
        leases.observe(b, renewal(2), 6, seconds(10.0));
        leases.observe(c, renewal(3), 9, seconds(10.0));
        leases.all([(A, renewal(1), 5)].into_iter(), 8, seconds(11.0));
        assert!(due(&leases, 12.1), "reading a lease is not renewing it");
        assert_eq!(leases.ttl(b), None, "it was gone at revision 8");
        assert!(leases.ttl(c).is_some(), "it came after the read");
        leases.all([(A, renewal(7), 10)].into_iter(), 10, seconds(12.0));
        assert!(!due(&leases, 12.1), "it was renewed meanwhile");
    }

    #[test]
    fn after_an_outage_of_the_database_holders_have_time_to_renew() {
        let mut leases = Leases::default();
        leases.observe(A, renewal(1), 5, seconds(10.0));
        let back = seconds(15.0);
        assert!(leases.due(seconds(15.9), back).is_empty());
        assert_eq!(leases.due(seconds(16.0), back), [(A, renewal(1))]);
    }
}
