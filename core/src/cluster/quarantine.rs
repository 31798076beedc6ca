//! Nodes that leave again and again: after the third unexpected departure within an hour a node is
//! quarantined. It may join, and hosts nothing, for two hours or until `Start-ClusterNode -ClearQuarantine`.
//!
//! | departure was | counted within the hour | then |
//! | --- | --- | --- |
//! | in order (Stop-ClusterNode) | - | nothing |
//! | unexpected | fewer than the threshold | counted |
//! | unexpected | the threshold, or more | quarantined from now on; counted anew afterwards |
//!
//! When no other node is left, a quarantined one is taken after all: a service that flaps is better than
//! none (the original refuses membership without this exception).

use serde::{Deserialize, Serialize};

use super::period::{Failure, Failures, Reading};
use super::policy::ClusterPolicy;

/// The period in which departures are counted.
pub const PERIOD_MS: u64 = 3_600_000;

/// A node's departures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Departures {
    /// The unexpected ones; the identity of each is the session that ended.
    pub counted: Failures,
    /// The session that last ended in order.
    pub orderly: String,
    /// Since when it is quarantined, if it is: a row of one entry.
    pub quarantine: Failures,
}

impl Departures {
    /// Whether the node is quarantined now; the end is written, so that all nodes agree on it.
    #[must_use]
    pub fn is_quarantined(&self) -> bool {
        !self.quarantine.entries.is_empty()
    }

    /// Whether the end of a session needs no counting: it was in order, or is counted already.
    #[must_use]
    pub fn knows(&self, incarnation: &str) -> bool {
        let same = |e: &Failure| e.id == incarnation;
        self.orderly == incarnation
            || self.counted.entries.iter().any(same)
            || self.quarantine.entries.iter().any(same)
    }

    /// The same after a session ended in order.
    #[must_use]
    pub fn left_in_order(&self, incarnation: &str) -> Self {
        Self {
            orderly: incarnation.to_owned(),
            ..self.clone()
        }
    }

    /// The same after a session ended unexpectedly.
    #[must_use]
    pub fn departed(
        &self,
        incarnation: &str,
        policy: ClusterPolicy,
        wall_ms: u64,
        reading: Reading<'_>,
    ) -> Self {
        let counted = self.counted.with(incarnation, wall_ms, reading);
        let threshold = policy.quarantine_threshold;
        if threshold == 0 || counted.counted(PERIOD_MS, reading) < threshold {
            let quarantine = self.quarantine.stamped(reading);
            return Self {
                counted,
                quarantine,
                ..self.clone()
            };
        }
        Self {
            counted,
            quarantine: Failures::default().with(incarnation, wall_ms, reading),
            ..self.clone()
        }
    }

    /// Whether a quarantine has lasted long enough.
    #[must_use]
    pub fn is_over(&self, policy: ClusterPolicy, reading: Reading<'_>) -> bool {
        let duration_ms = policy.quarantine_duration_s.saturating_mul(1000);
        self.is_quarantined() && self.quarantine.counted(duration_ms, reading) == 0
    }

    /// The same after the quarantine, or after an operator ended it.
    #[must_use]
    pub fn cleared(&self) -> Self {
        Self {
            orderly: self.orderly.clone(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::period::Sightings;
    use super::*;

    fn flaps(times_ms: &[u64], policy: ClusterPolicy) -> (Departures, Vec<bool>) {
        let none = Sightings::default();
        let mut row = Departures::default();
        let mut quarantined = Vec::new();
        for (number, boot_ms) in times_ms.iter().enumerate() {
            let reading = Reading {
                boot_id: "k",
                boot_ms: *boot_ms,
                seen: &none,
            };
            row = row.departed(&format!("life-{number}"), policy, 0, reading);
            quarantined.push(row.is_quarantined());
        }
        (row, quarantined)
    }

    #[test]
    fn the_third_departure_within_an_hour_quarantines_and_not_one_after_it() {
        let usual = ClusterPolicy::default();
        let never = ClusterPolicy {
            quarantine_threshold: 0,
            ..usual
        };
        let table: &[(&[u64], ClusterPolicy, &[bool])] = &[
            (&[0, 1, 3_599_999], usual, &[false, false, true]),
            (&[0, 1, 3_600_000], usual, &[false, false, false]),
            (
                &[0, 1, 3_600_000, 3_600_000],
                usual,
                &[false, false, false, true],
            ),
            (&[0, 1, 2, 3], never, &[false, false, false, false]),
        ];
        for (times, policy, expected) in table {
            assert_eq!(flaps(times, *policy).1, *expected, "{times:?}");
        }
    }

    #[test]
    fn a_quarantine_lasts_two_hours_to_the_millisecond() {
        let usual = ClusterPolicy::default();
        let (row, _) = flaps(&[0, 10, 20], usual);
        let none = Sightings::default();
        for (boot_ms, over) in [(20, false), (7_200_019, false), (7_200_020, true)] {
            let reading = Reading {
                boot_id: "k",
                boot_ms,
                seen: &none,
            };
            assert_eq!(row.is_over(usual, reading), over, "{boot_ms}");
        }
        assert!(!row.cleared().is_quarantined());
    }

    #[test]
    fn a_session_that_ended_in_order_or_was_counted_is_known() {
        let (row, _) = flaps(&[0, 10], ClusterPolicy::default());
        assert!(row.knows("life-0") && row.knows("life-1") && !row.knows("life-2"));
        assert!(row.left_in_order("life-2").knows("life-2"));
    }
}
