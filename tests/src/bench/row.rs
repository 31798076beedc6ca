//! A row of the table: what was measured, in which unit, and what is aimed at.

use super::latency::Percentiles;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// So many a second; more is better.
    PerSecond,
    /// Microseconds; less is better.
    Micros,
    /// Milliseconds; less is better.
    Millis,
    /// Bytes, shown as MB (1,000,000); less is better.
    Bytes,
    /// Bytes for each byte; less is better.
    Times,
}

impl Unit {
    /// Whether more is better.
    #[must_use]
    pub fn is_rate(self) -> bool {
        self == Self::PerSecond
    }

    /// A figure as it is shown.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", grouped(value)),
            Self::Micros => format!("{} us", grouped(value)),
            Self::Millis => format!("{value:.1} ms"),
            Self::Bytes => format!("{:.1} MB", value / 1e6),
            Self::Times => format!("{value:.2} x"),
        }
    }

    /// Its name in the machine-readable report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "per_second",
            Self::Micros => "us",
            Self::Millis => "ms",
            Self::Bytes => "bytes",
            Self::Times => "times",
        }
    }
}

/// A whole number with a comma between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What a figure is held against.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Aim {
    /// At most, or for rates at least, this.
    pub bound: Option<f64>,
    /// At most, or for rates at least, so many times the floor's figure of the same run.
    pub times_floor: Option<f64>,
}

impl Aim {
    /// The aim in words; nothing where there is none.
    #[must_use]
    pub fn show(&self, unit: Unit) -> String {
        let sign = if unit.is_rate() { ">=" } else { "<=" };
        let bound = self.bound.map(|b| format!("{sign} {}", unit.show(b)));
        let floor = self.times_floor.map(|t| format!("{sign} {t:.2} x floor"));
        let parts: Vec<String> = bound.into_iter().chain(floor).collect();
        parts.join(", ")
    }

    /// Whether a figure meets it; `None` when there is no aim, or no floor to hold it against.
    #[must_use]
    pub fn is_met(&self, unit: Unit, hamq: f64, floor: Option<f64>) -> Option<bool> {
        let reaches = |limit: f64| match unit.is_rate() {
            true => hamq >= limit,
            false => hamq <= limit,
        };
        let bound = self.bound.map(reaches);
        let times = match self.times_floor {
            Some(times) => Some(reaches(times * floor?)),
            None => None,
        };
        match (bound, times) {
            (None, None) => None,
            (bound, times) => Some(bound.unwrap_or(true) && times.unwrap_or(true)),
        }
    }
}

/// What identifies a row; rows of several rounds are joined by it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The workload.
    pub workload: &'static str,
    /// What was done.
    pub work: String,
    /// What the figure counts.
    pub unit: Unit,
    /// What it should be.
    pub aim: Aim,
}

impl Row {
    /// A row without an aim.
    #[must_use]
    pub fn new(workload: &'static str, work: impl Into<String>, unit: Unit) -> Self {
        Self {
            workload,
            work: work.into(),
            unit,
            aim: Aim::default(),
        }
    }

    /// Aims at this figure.
    #[must_use]
    pub fn bound(mut self, bound: f64) -> Self {
        self.aim.bound = Some(bound);
        self
    }

    /// Aims at so many times the floor.
    #[must_use]
    pub fn times_floor(mut self, times: f64) -> Self {
        self.aim.times_floor = Some(times);
        self
    }
}

/// Who was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// The least any durable server must do.
    Floor,
    /// The product.
    Hamq,
}

/// One run's figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// In the row's unit.
    pub value: f64,
    /// Of the single operations, where they were timed.
    pub latency: Option<Percentiles>,
    /// What it cost, in processor cores.
    pub cores: Option<Cores>,
    /// What else is to be said.
    pub note: String,
}

impl Measured {
    /// A figure alone.
    #[must_use]
    pub fn of(value: f64) -> Self {
        Self {
            value,
            ..Self::default()
        }
    }
}

/// Processor time spent, in cores: 1.0 is one core all the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cores {
    /// By the server.
    pub server: f64,
    /// By the load generator.
    pub client: f64,
    /// By everybody else on the machine: noise.
    pub others: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_must_reach_both_its_bound_and_its_part_of_the_floor() {
        let row = Row::new("b", "pipelined", Unit::PerSecond).bound(500_000.0);
        let row = row.times_floor(0.6);
        assert_eq!(row.aim.show(row.unit), ">= 500,000/s, >= 0.60 x floor");
        let met = |hamq, floor| row.aim.is_met(row.unit, hamq, floor);
        assert_eq!(met(510_000.0, Some(800_000.0)), Some(true));
        assert_eq!(met(490_000.0, Some(700_000.0)), Some(false));
        assert_eq!(met(510_000.0, Some(900_000.0)), Some(false));
        assert_eq!(met(510_000.0, None), None, "nothing to hold it against");
    }

    #[test]
    fn of_a_time_less_is_better() {
        let row = Row::new("e1", "p50", Unit::Micros).bound(300.0);
        assert_eq!(row.aim.is_met(row.unit, 250.0, None), Some(true));
        assert_eq!(row.aim.is_met(row.unit, 350.0, None), Some(false));
        assert_eq!(
            Row::new("x", "y", Unit::Bytes)
                .aim
                .is_met(Unit::Bytes, 1.0, None),
            None
        );
    }

    #[test]
    fn figures_are_shown_with_their_units() {
        assert_eq!(Unit::PerSecond.show(1_234_567.4), "1,234,567/s");
        assert_eq!(Unit::Micros.show(205.0), "205 us");
        assert_eq!(Unit::Bytes.show(80e6), "80.0 MB");
    }
}
