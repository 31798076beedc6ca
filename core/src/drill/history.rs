//! What happened over time: throughput and latency in slots, and how latencies are spread. Pure and bounded.

use std::time::Duration;

/// The width of a slot at first.
const SLOT_MS: u64 = 100;
/// Slots kept; when there are more, two become one of twice the width.
const SLOTS_MAX: usize = 4_096;
/// Latency buckets: four to each doubling of microseconds.
const BUCKETS: usize = 128;

/// One stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    /// Sends that were acknowledged in it.
    pub(super) acknowledged: u64,
    /// Messages that were received in it.
    pub(super) received: u64,
    /// The longest of those sends.
    pub(super) latency_max: Duration,
}

/// The history of one load.
#[derive(Clone, Debug)]
pub(super) struct History {
    start: Duration,
    slot_ms: u64,
    slots: Vec<Slot>,
    buckets: Vec<u64>,
    sends: u64,
}

impl History {
    /// An empty one that begins at `start`, on the clock since boot.
    pub(super) fn new(start: Duration) -> Self {
        Self {
            start,
            slot_ms: SLOT_MS,
            slots: Vec::new(),
            buckets: vec![0; BUCKETS],
            sends: 0,
        }
    }

    /// When it begins.
    pub(super) const fn start(&self) -> Duration {
        self.start
    }

    /// The width of a slot in milliseconds.
    pub(super) const fn slot_ms(&self) -> u64 {
        self.slot_ms
    }

    /// The slots, the first first.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// A send that began at `started` was acknowledged at `ended`.
    pub(super) fn sent(&mut self, started: Duration, ended: Duration) {
        let latency = ended.saturating_sub(started);
        let slot = self.slot(ended);
        slot.acknowledged += 1;
        slot.latency_max = slot.latency_max.max(latency);
        self.sends += 1;
        if let Some(bucket) = self.buckets.get_mut(bucket(latency)) {
            *bucket += 1;
        }
    }

    /// A receive of `count` messages committed.
    pub(super) fn received(&mut self, ended: Duration, count: u64) {
        self.slot(ended).received += count;
    }

    /// The latency within which `percent` of the sends were acknowledged; its bucket's upper end.
    pub(super) fn latency(&self, percent: u64) -> Duration {
        let wanted = (self.sends * percent).div_ceil(100);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return upper_end(index);
            }
        }
        Duration::ZERO
    }

    fn slot(&mut self, at: Duration) -> &mut Slot {
        let ms = u64::try_from(at.saturating_sub(self.start).as_millis()).unwrap_or(u64::MAX);
        while ms / self.slot_ms >= SLOTS_MAX as u64 {
            self.halve();
        }
        let index = usize::try_from(ms / self.slot_ms).unwrap_or(0);
        if self.slots.len() <= index {
            self.slots.resize(index + 1, Slot::default());
        }
        &mut self.slots[index]
    }

    fn halve(&mut self) {
        self.slot_ms *= 2;
        self.slots = self.slots.chunks(2).map(joined).collect();
    }
}

fn joined(pair: &[Slot]) -> Slot {
    pair.iter().fold(Slot::default(), |sum, slot| Slot {
        acknowledged: sum.acknowledged + slot.acknowledged,
        received: sum.received + slot.received,
        latency_max: sum.latency_max.max(slot.latency_max),
    })
}

/// Four buckets to a doubling: `4 * log2` with the two bits behind the first.
fn bucket(latency: Duration) -> usize {
    let us = u64::try_from(latency.as_micros())
        .unwrap_or(u64::MAX)
        .max(4);
    let doubling = u64::from(us.ilog2());
    let quarter = (us >> (doubling - 2)) & 3;
    usize::try_from(doubling * 4 + quarter).map_or(BUCKETS - 1, |index| index.min(BUCKETS - 1))
}

fn upper_end(index: usize) -> Duration {
    let (doubling, quarter) = (index / 4, (index % 4) as u64);
    let width = 1_u64 << doubling.saturating_sub(2).min(60);
    Duration::from_micros(width.saturating_mul(5 + quarter))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn what_happens_is_entered_where_it_ended() {
        let mut history = History::new(ms(1_000));
        history.sent(ms(1_050), ms(1_120));
        history.sent(ms(1_110), ms(1_130));
        history.received(ms(1_350), 7);
        let seen: Vec<_> = history
            .slots()
            .iter()
            .map(|slot| (slot.acknowledged, slot.received, slot.latency_max))
            .collect();
        assert_eq!(
            seen,
            [(0, 0, ms(0)), (2, 0, ms(70)), (0, 0, ms(0)), (0, 7, ms(0))]
        );
    }

    #[test]
    fn a_long_history_keeps_its_sums_in_wider_slots() {
        let mut history = History::new(ms(0));
        for n in 0..10_000 {
            history.sent(ms(n * 100), ms(n * 100 + 1));
        }
        assert!(history.slots().len() <= SLOTS_MAX);
        assert_eq!(history.slot_ms(), 400);
        let sum: u64 = history.slots().iter().map(|slot| slot.acknowledged).sum();
        assert_eq!(sum, 10_000);
    }

    #[test]
    fn a_percentile_is_within_a_quarter_of_the_truth() {
        let mut history = History::new(ms(0));
        for us in 1..=10_000_u64 {
            history.sent(ms(0), Duration::from_micros(us));
        }
        for (percent, truth) in [(50, 5_000.0), (99, 9_900.0), (100, 10_000.0)] {
            let found = history.latency(percent).as_secs_f64() * 1e6;
            assert!(
                (truth..=truth * 1.25).contains(&found),
                "{percent}: {found}"
            );
        }
        assert_eq!(History::new(ms(0)).latency(50), ms(0));
    }
}
