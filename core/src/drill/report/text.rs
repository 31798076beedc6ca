//! The report for a terminal.

use std::fmt::Write as _;

use super::story::{FaultStory, Report};
use crate::api::drill::DifferenceInfo;

/// The report as lines of text.
pub(super) fn text(report: &Report, against: &[DifferenceInfo]) -> String {
    let mut out = String::new();
    let verdict = if report.passed() { "PASSED" } else { "FAILED" };
    let _ = writeln!(
        out,
        "{} on {} of {}: {verdict}",
        report.name, report.group, report.cluster
    );
    let _ = writeln!(out, "{}", setting(report));
    let _ = writeln!(out, "\n{}\n{}", counts(report), latency(report));
    let _ = writeln!(
        out,
        "\n{:<18}{:<8}{:>8}{:>12}  then",
        "fault", "node", "at s", "outage ms"
    );
    for fault in &report.faults {
        let _ = writeln!(out, "{}", line(fault));
    }
    out.push('\n');
    for check in &report.checks {
        let word = if check.passed { "pass" } else { "FAIL" };
        let _ = writeln!(out, "{word}  {:<20}{}", check.name, check.text);
    }
    if !against.is_empty() {
        let _ = writeln!(
            out,
            "\n{:<32}{:>12}{:>12}  verdict",
            "compared", "before", "after"
        );
        for row in against {
            let _ = writeln!(
                out,
                "{:<32}{:>12}{:>12}  {}",
                row.figure,
                number(row.before),
                number(row.after),
                row.verdict
            );
        }
    }
    out
}

/// When, how long, and with what load.
pub(super) fn setting(report: &Report) -> String {
    let load = &report.load;
    let pace = match load.rate {
        0 => "as fast as it goes".to_owned(),
        rate => format!("{rate} messages a second each"),
    };
    format!(
        "{}, {:.1} s; {} senders, {pace}; {} consumers; seed {}; messages {}; queue {}",
        report.started,
        report.seconds,
        load.senders,
        load.consumers,
        load.seed,
        load.messages,
        report.queue
    )
}

/// What became of the messages.
pub(super) fn counts(report: &Report) -> String {
    let c = &report.counts;
    format!(
        "sent {}, acknowledged {}, received {}; lost {}, duplicated {}, out of order {}, altered {}, unknown {}",
        c.sent,
        c.acknowledged,
        c.received,
        c.lost,
        c.duplicated,
        c.out_of_order,
        c.altered,
        c.unknown
    )
}

/// How long sends took.
pub(super) fn latency(report: &Report) -> String {
    format!(
        "send latency: half within {:.1} ms, 99 of 100 within {:.1} ms",
        report.latency_p50_ms, report.latency_p99_ms
    )
}

/// What followed a fault.
pub(super) fn then(fault: &FaultStory) -> String {
    let parts = [fault.error.as_deref(), fault.undone.as_deref()];
    let said: Vec<_> = parts
        .into_iter()
        .flatten()
        .filter(|s| !s.is_empty())
        .collect();
    said.join("; ")
}

/// A figure that may be missing.
pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

fn line(fault: &FaultStory) -> String {
    let text = format!(
        "{:<18}{:<8}{:>8.1}{:>12}  {}",
        fault.kind,
        fault.node,
        fault.at_ms / 1_000.0,
        number(fault.outage_ms),
        then(fault)
    );
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::compare::compare;
    use super::super::story::sample;
    use super::*;

    #[test]
    fn it_says_what_failed_and_what_each_fault_cost() {
        let report = sample::report();
        let expected = "\
drill-1 on VS1 of lab: FAILED
2023-11-14T22:13:20.000Z, 2.5 s; 2 senders, 50 messages a second each; 1 consumers; seed 7; messages made up; queue VS1\\private$\\drill-1

sent 60, acknowledged 58, received 57; lost 1, duplicated 0, out of order 0, altered 0, unknown 2
send latency: half within 1.5 ms, 99 of 100 within 320.0 ms

fault             node        at s   outage ms  then
Kill              n1           0.5       310.5  n1 started
Freeze            n2           1.5           -  VS1 does not serve again after 1 s

FAIL  NoLoss              1 acknowledged message & more
pass  Kill                310.5 ms
";
        assert_eq!(text(&report, &[]), expected);
        let mut better = report.clone();
        better.counts.lost = 0;
        let compared = text(&better, &compare(&report, &better));
        assert!(compared.contains("\nlost "), "{compared}");
        assert!(compared.trim_end().contains("better"), "{compared}");
    }
}
