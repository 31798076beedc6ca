//! Two drills side by side. Pure.

use std::collections::BTreeMap;

use super::story::{Report, tenths};
use crate::api::drill::DifferenceInfo;

/// A change of less than this part of the earlier figure is none.
const NOISE: f64 = 0.25;
/// Nor is one of fewer milliseconds: the machine's own unrest.
const NOISE_MS: f64 = 20.0;

/// What a figure is, and so which way is better.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Each one counts.
    Violations,
    /// Milliseconds: fewer are better.
    Time,
    /// More is better.
    Rate,
}

/// The figures of two drills with a verdict on each.
pub(in crate::drill) fn compare(before: &Report, after: &Report) -> Vec<DifferenceInfo> {
    let (old, new) = (figures(before), figures(after));
    let mut names: Vec<&(usize, String)> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let (before, after) = (old.get(name), new.get(name));
            let verdict = match (before, after) {
                (Some((kind, before)), Some((_, after))) => verdict(*kind, *before, *after),
                (None, _) => "new",
                (_, None) => "gone",
            };
            DifferenceInfo {
                figure: name.1.clone(),
                before: before.map(|(_, value)| tenths(*value)),
                after: after.map(|(_, value)| tenths(*value)),
                verdict: verdict.to_owned(),
            }
        })
        .collect()
}

fn verdict(kind: Kind, before: f64, after: f64) -> &'static str {
    let change = after - before;
    let small = match kind {
        Kind::Violations => change == 0.0,
        Kind::Time => change.abs() < NOISE_MS || change.abs() < before * NOISE,
        Kind::Rate => change.abs() < before * NOISE,
    };
    match (small, (change > 0.0) == (kind == Kind::Rate)) {
        (true, _) => "same",
        (false, true) => "better",
        (false, false) => "worse",
    }
}

/// The figures in their order, violations first.
fn figures(report: &Report) -> BTreeMap<(usize, String), (Kind, f64)> {
    let counts = &report.counts;
    let mut all = BTreeMap::new();
    let mut put = |name: String, kind, value| {
        let place = all.len();
        all.insert((place, name), (kind, value));
    };
    let count = |n: u64| u32::try_from(n).map_or(f64::from(u32::MAX), f64::from);
    for (name, n) in [
        ("lost", counts.lost),
        ("duplicated", counts.duplicated),
        ("out of order", counts.out_of_order),
        ("altered", counts.altered),
        ("unknown", counts.unknown),
    ] {
        put(name.to_owned(), Kind::Violations, count(n));
    }
    let rate = match report.seconds > 0.0 {
        true => count(counts.acknowledged) / report.seconds,
        false => 0.0,
    };
    put("messages a second".to_owned(), Kind::Rate, rate);
    put(
        "latency p50 ms".to_owned(),
        Kind::Time,
        report.latency_p50_ms,
    );
    put(
        "latency p99 ms".to_owned(),
        Kind::Time,
        report.latency_p99_ms,
    );
    put(
        "worst outage ms".to_owned(),
        Kind::Time,
        report.worst_outage_ms(),
    );
    // The worst of each kind of fault, in the alphabet's order, so that two drills have the same places.
    let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
    for fault in &report.faults {
        if let Some(outage) = fault.outage_ms {
            let value = worst.entry(&fault.kind).or_insert(0.0);
            *value = value.max(outage);
        }
    }
    let place = all.len();
    for (kind, outage) in worst {
        all.insert((place, format!("outage {kind} ms")), (Kind::Time, outage));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::story::sample;
    use super::*;

    #[test]
    fn each_figure_has_its_direction_and_its_noise() {
        let before = sample::report();
        let mut after = before.clone();
        after.counts.lost = 0;
        after.latency_p50_ms = 1.9;
        after.seconds = 5.0;
        after.faults[0].outage_ms = Some(700.0);
        after.faults[1].outage_ms = Some(10.0);
        let rows = compare(&before, &after);
        let verdict = |figure: &str| {
            let row = rows.iter().find(|row| row.figure == figure);
            row.unwrap().verdict.as_str().to_owned()
        };
        assert_eq!(verdict("lost"), "better");
        assert_eq!(verdict("duplicated"), "same");
        assert_eq!(verdict("latency p50 ms"), "same");
        assert_eq!(verdict("messages a second"), "worse");
        assert_eq!(verdict("worst outage ms"), "worse");
        assert_eq!(verdict("outage Kill ms"), "worse");
        assert_eq!(verdict("outage Freeze ms"), "new");
        let same = compare(&before, &before);
        assert!(same.iter().all(|row| row.verdict == "same"), "{same:?}");
    }
}
