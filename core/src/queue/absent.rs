//! Clients that are away while a large body of theirs is unfinished.
//!
//! A failover must not cost a sender the gigabyte that it has written so far, so the parts outlive its connection and the
//! process. A sender that does not come back must not keep them for ever either: after a while they are dropped.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// How long the parts of a body wait for a client that is away.
pub(super) const ABSENCE_MS_MAX: u64 = 10 * 60 * 1000;

/// See the module. In memory only: at a restart everybody is away.
#[derive(Debug, Default)]
pub(super) struct Absent {
    until: BTreeMap<Uuid, u64>,
    order: BTreeSet<(u64, Uuid)>,
}

impl Absent {
    /// A client with unfinished bodies goes away at this time of the boot clock.
    pub(super) fn leaves(&mut self, client: Uuid, now_ms: u64) {
        self.returns(client);
        let until = now_ms.saturating_add(ABSENCE_MS_MAX);
        self.until.insert(client, until);
        self.order.insert((until, client));
    }

    /// It is heard of again.
    pub(super) fn returns(&mut self, client: Uuid) {
        if let Some(until) = self.until.remove(&client) {
            self.order.remove(&(until, client));
        }
    }

    /// When the first one is given up.
    pub(super) fn next_end(&self) -> Option<u64> {
        self.order.first().map(|first| first.0)
    }

    /// One that is given up now.
    pub(super) fn take_overdue(&mut self, now_ms: u64) -> Option<Uuid> {
        let (until, client) = *self.order.first()?;
        (until <= now_ms).then(|| {
            self.returns(client);
            client
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_returns_in_time_is_not_given_up() {
        let [early, late] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let mut absent = Absent::default();
        absent.leaves(early, 0);
        absent.leaves(late, 5);
        absent.leaves(early, 7);
        assert_eq!(absent.next_end(), Some(ABSENCE_MS_MAX + 5));
        assert_eq!(absent.take_overdue(ABSENCE_MS_MAX + 4), None);
        absent.returns(late);
        assert_eq!(absent.take_overdue(ABSENCE_MS_MAX + 6), None);
        assert_eq!(absent.take_overdue(ABSENCE_MS_MAX + 7), Some(early));
        assert_eq!(absent.next_end(), None);
    }
}
