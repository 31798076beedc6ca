//! What the log has done since it was opened, for performance counters: a few additions per sync.

use std::time::Duration;

/// Upper bounds of the sync latencies' buckets in microseconds; slower ones are in one more.
pub const SYNC_BOUNDS_US: [u64; 14] = [
    50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 409_600,
    1_638_400,
];
/// Upper bounds of the batch sizes' buckets in bytes; larger ones are in one more.
pub const BATCH_BOUNDS_BYTES: [u64; 9] = [
    512, 2_048, 8_192, 32_768, 131_072, 524_288, 2_097_152, 8_388_608, 33_554_432,
];

/// Counts of values by size, with fixed bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One more than there are bounds.
    counts: Vec<u64>,
    sum: u64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0,
        }
    }

    fn add(&mut self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// Bounds, and how many values were at most as large; the last without a bound.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        bounds.zip(counts)
    }

    /// The sum of all values.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// Time of write and sync, in microseconds.
    pub sync_us: Histogram,
    /// Bytes of the batches; their number is that of the syncs.
    pub batch_bytes: Histogram,
    /// Records in them.
    pub records: u64,
    /// Snapshots that became durable.
    pub snapshots: u64,
    /// Bytes of the last of these.
    pub snapshot_bytes: u64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            sync_us: Histogram::new(&SYNC_BOUNDS_US),
            batch_bytes: Histogram::new(&BATCH_BOUNDS_BYTES),
            records: 0,
            snapshots: 0,
            snapshot_bytes: 0,
        }
    }
}

impl Meter {
    pub(super) fn synced(&mut self, took: Duration, bytes: u64, records: u32) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sync_us.add(took);
        self.batch_bytes.add(bytes);
        self.records += u64::from(records);
    }

    pub(super) const fn snapshot(&mut self, bytes: u64) {
        self.snapshots += 1;
        self.snapshot_bytes = bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_whose_bound_it_does_not_pass() {
        let mut meter = Meter::default();
        for us in [50, 51, 100, 2_000_000] {
            meter.synced(Duration::from_micros(us), 600, 2);
        }
        let counts: Vec<_> = meter.sync_us.cumulative().collect();
        assert_eq!(counts[0], (Some(50), 1));
        assert_eq!(counts[1], (Some(100), 3));
        assert_eq!(counts[13], (Some(1_638_400), 3));
        assert_eq!(counts[14], (None, 4));
        assert_eq!((meter.sync_us.count(), meter.records), (4, 8));
        assert_eq!(meter.batch_bytes.sum(), 2400);
    }
}
