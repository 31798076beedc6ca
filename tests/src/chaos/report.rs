//! What a rehearsal found: the cost of each fault as clients saw it, and whether every promise was kept.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::catalogue::Fault;
use super::load::LaneVerdict;
use super::owners::Seen;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Replays the same faults.
    pub seed: u64,
    /// Every fault with what a client lost by it, in order.
    pub events: Vec<(Fault, Duration)>,
    /// Changes of owner, and restarts in place.
    pub failovers: u64,
    /// Of each queue.
    pub lanes: Vec<LaneVerdict>,
    /// Who owned what.
    pub owners: Seen,
    /// What did not come back, in words.
    pub stuck: Vec<String>,
}

impl Report {
    /// Whether every promise was kept.
    #[must_use]
    pub fn passed(&self) -> bool {
        let clean = self.owners.violations.is_empty() && self.stuck.is_empty();
        clean && !self.lanes.is_empty() && self.lanes.iter().all(LaneVerdict::passed)
    }

    fn by_fault(&self) -> BTreeMap<Fault, Vec<Duration>> {
        let mut of = BTreeMap::<Fault, Vec<Duration>>::new();
        for (fault, outage) in &self.events {
            of.entry(*fault).or_default().push(*outage);
        }
        of.values_mut().for_each(|times| times.sort_unstable());
        of
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<20}{:>7}{:>10}{:>10}{:>10}",
            "fault", "events", "p50 ms", "p99 ms", "max ms"
        )?;
        for (fault, times) in self.by_fault() {
            let [p50, p99, max] =
                [500, 990, 1000].map(|at| percentile(&times, at).as_secs_f64() * 1e3);
            let (name, count) = (format!("{fault:?}"), times.len());
            writeln!(f, "{name:<20}{count:>7}{p50:>10.0}{p99:>10.0}{max:>10.0}")?;
        }
        for lane in &self.lanes {
            let v = &lane.verdict;
            writeln!(
                f,
                "{}: sent {}, acknowledged {}, received {}, lost {} (receives without an answer: {}), duplicated {}, \
                 out of order {}, altered {}, unknown {}; last error: {}",
                lane.queue,
                v.sent,
                v.acknowledged,
                v.received,
                v.lost,
                lane.doubtful,
                v.duplicated,
                v.out_of_order,
                v.altered,
                v.unknown,
                lane.last_error
            )?;
            v.examples
                .iter()
                .try_for_each(|example| writeln!(f, "  {example}"))?;
        }
        for text in self.owners.violations.iter().chain(&self.stuck) {
            writeln!(f, "VIOLATION: {text}")?;
        }
        let (events, epochs) = (self.events.len(), self.owners.of_epoch.len());
        let word = if self.passed() { "passed" } else { "FAILED" };
        write!(
            f,
            "seed {}: {events} faults, {} failovers, {epochs} epochs seen: {word}",
            self.seed, self.failovers
        )
    }
}

/// Of sorted times; the nearest rank, so that the 99th of 100 is the 99th.
pub(super) fn percentile(sorted: &[Duration], per_mille: usize) -> Duration {
    let rank = (sorted.len() * per_mille).div_ceil(1000).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 500), Duration::from_millis(50));
        assert_eq!(percentile(&times, 990), Duration::from_millis(99));
        assert_eq!(percentile(&times, 1000), Duration::from_millis(100));
        assert_eq!(percentile(&[], 500), Duration::ZERO);
    }

    #[test]
    fn nothing_examined_is_not_passed() {
        assert!(!Report::default().passed());
    }
}
