//! What is counted over a period - restarts, failovers, departures - on a clock that neither jumps with
//! the wall clock nor is lost with an agent.
//!
//! An entry carries the age it had when it was stamped, and the boot clock of the kernel that stamped it:
//!
//! ```text
//!   same kernel       age = age_ms + (boot clock now - boot_ms)       exact, across restarts of the agent
//!   another kernel    age = age_ms + time since this engine first saw the stamp     never more than true
//! ```
//!
//! Whoever takes over the counting stamps all entries anew on its own clock ([`Failures::stamped`]), so that
//! a row holds one kernel's stamps. A time that nobody measured (all nodes were off) counts as no time: an
//! entry may live too long by that, never too short, so that a doubtful restart is not given away.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One counted event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `<incarnation>/<number>`: the same event is never counted twice.
    pub id: String,
    /// When, by the wall clock: for people only.
    pub at_ms: u64,
    /// How old it was when it was stamped.
    #[serde(default)]
    pub age_ms: u64,
    /// The kernel whose boot clock stamped it.
    #[serde(default)]
    pub boot_id: String,
    /// That clock, in milliseconds.
    #[serde(default)]
    pub boot_ms: u64,
}

/// A stamp by which an entry can be recognised.
type Mark = (String, String, u64);

impl Failure {
    fn mark(&self) -> Mark {
        (self.id.clone(), self.boot_id.clone(), self.boot_ms)
    }
}

/// Since when an engine has known the stamps of other kernels, on its own boot clock.
#[derive(Clone, Debug, Default)]
pub struct Sightings(BTreeMap<Mark, u64>);

impl Sightings {
    /// Notes the foreign stamps among `rows`; forgets those that are gone.
    pub fn update<'a>(
        &mut self,
        rows: impl Iterator<Item = &'a Failures>,
        boot_id: &str,
        boot_ms: u64,
    ) {
        let mut kept = BTreeMap::new();
        for entry in rows.flat_map(|row| &row.entries) {
            if entry.boot_id != boot_id {
                let mark = entry.mark();
                let since = self.0.get(&mark).copied().unwrap_or(boot_ms);
                kept.insert(mark, since);
            }
        }
        self.0 = kept;
    }
}

/// A reading of this kernel's boot clock, with what was seen of others.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// This kernel.
    pub boot_id: &'a str,
    /// Its boot clock, in milliseconds.
    pub boot_ms: u64,
    /// The stamps of other kernels.
    pub seen: &'a Sightings,
}

impl Reading<'_> {
    /// The age of an entry: exact for this kernel's stamps, else at most the true one.
    #[must_use]
    pub fn age(&self, entry: &Failure) -> u64 {
        let since = match entry.boot_id == self.boot_id {
            true => entry.boot_ms,
            false => {
                let seen = self.seen.0.get(&entry.mark());
                seen.copied().unwrap_or(self.boot_ms)
            }
        };
        entry.age_ms + self.boot_ms.saturating_sub(since)
    }
}

/// The failures of a resource, the failovers of a group, or the departures of a node, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// Oldest first, bounded by [`Failures::KEPT_MAX`].
    pub entries: Vec<Failure>,
}

impl Failures {
    /// Entries kept; a threshold above counts as endless.
    pub const KEPT_MAX: usize = 1000;

    /// How many are younger than the period: what decisions count.
    #[must_use]
    pub fn counted(&self, period_ms: u64, reading: Reading<'_>) -> u64 {
        let recent = self.entries.iter().filter(|e| reading.age(e) < period_ms);
        recent.count() as u64
    }

    /// How many lie within `period_ms` before `now_ms` by the wall clock: for people, not for decisions.
    #[must_use]
    pub fn within(&self, period_ms: u64, now_ms: u64) -> u64 {
        let recent = self
            .entries
            .iter()
            .filter(|e| now_ms.saturating_sub(e.at_ms) < period_ms);
        recent.count() as u64
    }

    /// The same with one more of this moment, unless it is counted already; all stamped by this clock.
    #[must_use]
    pub fn with(&self, id: &str, wall_ms: u64, reading: Reading<'_>) -> Self {
        let mut next = self.stamped(reading);
        if !next.entries.iter().any(|e| e.id == id) {
            next.entries.push(Failure {
                id: id.to_owned(),
                at_ms: wall_ms,
                age_ms: 0,
                boot_id: reading.boot_id.to_owned(),
                boot_ms: reading.boot_ms,
            });
        }
        let surplus = next.entries.len().saturating_sub(Self::KEPT_MAX);
        next.entries.drain(..surplus);
        next
    }

    /// The same on this clock; ages stay what they are.
    #[must_use]
    pub fn stamped(&self, reading: Reading<'_>) -> Self {
        let entries = self
            .entries
            .iter()
            .map(|e| match e.boot_id == reading.boot_id {
                true => e.clone(),
                false => Failure {
                    age_ms: reading.age(e),
                    boot_id: reading.boot_id.to_owned(),
                    boot_ms: reading.boot_ms,
                    ..e.clone()
                },
            });
        Self {
            entries: entries.collect(),
        }
    }

    /// Whether another kernel's stamps are among them.
    #[must_use]
    pub fn is_foreign(&self, boot_id: &str) -> bool {
        self.entries.iter().any(|e| e.boot_id != boot_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'a>(boot_id: &'a str, boot_ms: u64, seen: &'a Sightings) -> Reading<'a> {
        Reading {
            boot_id,
            boot_ms,
            seen,
        }
    }

    #[test]
    fn an_entry_counts_until_the_period_is_over_and_not_a_millisecond_longer() {
        let none = Sightings::default();
        let row = Failures::default().with("a/1", 0, at("k1", 5_000, &none));
        for (now, counted) in [(5_000, 1), (904_999, 1), (905_000, 0), (4_000, 1)] {
            assert_eq!(row.counted(900_000, at("k1", now, &none)), counted, "{now}");
        }
        assert_eq!(row.counted(0, at("k1", 5_000, &none)), 0);
    }

    #[test]
    fn the_wall_clock_may_jump_as_it_likes() {
        let none = Sightings::default();
        let row = Failures::default()
            .with("a/1", 1_700_000_000_000, at("k1", 1_000, &none))
            .with("a/2", 1_600_000_000_000, at("k1", 2_000, &none))
            .with("a/3", 1_900_000_000_000, at("k1", 3_000, &none));
        assert_eq!(row.counted(10_000, at("k1", 4_000, &none)), 3);
        assert_eq!(row.counted(10_000, at("k1", 12_500, &none)), 1);
    }

    #[test]
    fn on_another_kernel_an_entry_ages_from_when_it_was_seen() {
        let mut seen = Sightings::default();
        let none = Sightings::default();
        let row = Failures::default().with("a/1", 0, at("k1", 800_000, &none));
        // The other kernel was booted a second ago: its clock says nothing about the first one's.
        seen.update([&row].into_iter(), "k2", 1_000);
        assert_eq!(row.counted(10_000, at("k2", 10_999, &seen)), 1);
        assert_eq!(row.counted(10_000, at("k2", 11_000, &seen)), 0);
        // Taken over in between, its age goes on from there.
        let taken = row.stamped(at("k2", 7_000, &seen));
        assert!(row.is_foreign("k2") && !taken.is_foreign("k2"));
        assert_eq!(taken.entries[0].age_ms, 6_000);
        assert_eq!(taken.counted(10_000, at("k2", 10_999, &none)), 1);
        assert_eq!(taken.counted(10_000, at("k2", 11_000, &none)), 0);
    }

    #[test]
    fn a_reboot_makes_no_entry_younger_and_none_forgotten() {
        let mut seen = Sightings::default();
        let none = Sightings::default();
        let row = Failures::default().with("a/1", 0, at("k1", 0, &none));
        let before = row.stamped(at("k1", 500, &none));
        seen.update([&before].into_iter(), "k1-rebooted", 90);
        let reading = at("k1-rebooted", 90, &seen);
        assert_eq!(before.counted(1_000, reading), 1);
        assert_eq!(before.stamped(reading).entries[0].age_ms, 0);
    }

    #[test]
    fn the_same_event_is_counted_once_and_the_oldest_make_room() {
        let none = Sightings::default();
        let mut row = Failures::default();
        for number in 0..Failures::KEPT_MAX as u64 + 5 {
            row = row.with(&format!("a/{number}"), 0, at("k1", number, &none));
            row = row.with(&format!("a/{number}"), 0, at("k1", number, &none));
        }
        assert_eq!(row.entries.len(), Failures::KEPT_MAX);
        assert_eq!(row.entries[0].id, "a/5");
    }
}
