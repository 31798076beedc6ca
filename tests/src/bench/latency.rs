//! Latencies and what is said of them.

use std::time::Duration;

/// The percentiles that are shown, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentiles {
    /// Half took at most this.
    pub p50: f64,
    /// 99 of 100 took at most this.
    pub p99: f64,
    /// 999 of 1,000 took at most this.
    pub p999: f64,
}

/// Latencies of one run, every one of them: no histogram loses what the tail is about.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Adds one.
    pub fn push(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    /// Adds those of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds up; none without latencies.
    #[must_use]
    pub fn percentiles(mut self) -> Option<Percentiles> {
        self.0.sort_unstable();
        let last = self.0.len().checked_sub(1)?;
        let at = |per_mille: usize| {
            let index = (self.0.len() * per_mille / 1000).min(last);
            self.0[index].as_secs_f64() * 1e6
        };
        Some(Percentiles {
            p50: at(500),
            p99: at(990),
            p999: at(999),
        })
    }
}

/// The median; of an even number of values the mean of the middle two.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_latencies() {
        let mut all = Latencies::default();
        for micros in (0..1000).rev() {
            all.push(Duration::from_micros(micros));
        }
        let found = all.percentiles().unwrap();
        let rounded = [found.p50, found.p99, found.p999].map(f64::round);
        assert_eq!(rounded, [500.0, 990.0, 999.0]);
        assert_eq!(Latencies::default().percentiles(), None);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median([9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median([4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(median([]), None);
    }
}
