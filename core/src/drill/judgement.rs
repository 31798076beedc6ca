//! What must hold after a drill. Pure.

use super::ledger::Verdict;
use super::report::{Check, FaultStory};
use crate::api::drill::VerdictInfo;
use crate::error::{Error, ErrorKind, Result};

/// What a drill is held to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Limits {
    /// The longest outage that passes.
    pub(super) outage_ms: Option<f64>,
    /// Whether the order of messages was watched: with one consumer.
    pub(super) ordered: bool,
}

/// Judges a drill. `left` is what could not be put back as it was.
pub(super) fn judge(
    counts: &Verdict,
    faults: &[FaultStory],
    left: &[String],
    limits: Limits,
) -> Vec<Check> {
    let mut checks = vec![
        check("Load", counts.acknowledged > 0, || {
            format!("{} messages acknowledged", counts.acknowledged)
        }),
        no_loss(counts),
        no_duplicate(counts),
        check("NoAlteration", counts.altered == 0, || {
            format!(
                "{} messages that nobody sent like this{}",
                counts.altered,
                example(counts, "never sent")
            )
        }),
    ];
    if limits.ordered {
        checks.push(in_order(counts));
    }
    for (index, fault) in faults.iter().enumerate() {
        checks.push(survived(index, fault, limits));
    }
    let text = match left {
        [] => "every node is up and the group is online, as before".to_owned(),
        left => left.join("; "),
    };
    checks.push(check("WholeAgain", left.is_empty(), || text));
    checks
}

/// Fails unless every acknowledged message was received.
///
/// # Errors
/// `InvalidState`, with an example.
pub(super) fn assert(what: &str, counts: &Verdict) -> Result<()> {
    let check = match what {
        "Assert-NoLoss" => no_loss(counts),
        "Assert-NoDuplicate" => no_duplicate(counts),
        _ => in_order(counts),
    };
    match check.passed {
        true => Ok(()),
        false => Err(
            Error::new(ErrorKind::InvalidState, format!("{what}: {}", check.text))
                .hint("Get-ClusterLog and Trace-MsmqMessage tell what became of a message"),
        ),
    }
}

/// The counters as a record.
pub(super) fn info(found: Verdict, seconds: f64) -> VerdictInfo {
    let passed = found.passed();
    VerdictInfo {
        sent: found.sent,
        acknowledged: found.acknowledged,
        received: found.received,
        lost: found.lost,
        duplicated: found.duplicated,
        out_of_order: found.out_of_order,
        altered: found.altered,
        unknown: found.unknown,
        seconds: (seconds * 10.0).round() / 10.0,
        passed,
        examples: found.examples,
    }
}

fn no_loss(counts: &Verdict) -> Check {
    check("NoLoss", counts.lost == 0, || match counts.lost {
        0 => format!(
            "all {} acknowledged messages were received",
            counts.acknowledged
        ),
        lost => format!(
            "{lost} acknowledged messages never came{}",
            example(counts, "never came")
        ),
    })
}

fn no_duplicate(counts: &Verdict) -> Check {
    check("NoDuplicate", counts.duplicated == 0, || {
        format!(
            "{} messages came twice{}",
            counts.duplicated,
            example(counts, "twice")
        )
    })
}

fn in_order(counts: &Verdict) -> Check {
    check("InOrder", counts.out_of_order == 0, || {
        format!(
            "{} messages came behind later ones{}",
            counts.out_of_order,
            example(counts, "behind")
        )
    })
}

fn survived(index: usize, fault: &FaultStory, limits: Limits) -> Check {
    let name = format!("{} {}", index + 1, fault.kind);
    if let Some(error) = &fault.error {
        return check(&name, false, || error.clone());
    }
    let outage = fault.outage_ms.unwrap_or(0.0);
    match limits.outage_ms {
        Some(limit) => check(&name, outage <= limit, || {
            format!("outage {outage:.1} ms, {limit:.0} ms allowed")
        }),
        None => check(&name, true, || format!("outage {outage:.1} ms")),
    }
}

fn example(counts: &Verdict, part: &str) -> String {
    let found = counts.examples.iter().find(|text| text.contains(part));
    found.map_or_else(String::new, |text| format!(", as {text}"))
}

fn check(name: &str, passed: bool, text: impl FnOnce() -> String) -> Check {
    Check {
        name: name.to_owned(),
        passed,
        text: text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(
        counts: &Verdict,
        faults: &[FaultStory],
        left: &[String],
        limits: Limits,
    ) -> Vec<String> {
        let checks = judge(counts, faults, left, limits);
        let failed = checks.into_iter().filter(|check| !check.passed);
        failed.map(|check| check.name).collect()
    }

    fn sound() -> Verdict {
        Verdict {
            sent: 10,
            acknowledged: 10,
            received: 10,
            ..Verdict::default()
        }
    }

    #[test]
    fn each_promise_fails_by_itself() {
        let ordered = Limits {
            ordered: true,
            ..Limits::default()
        };
        assert!(failed(&sound(), &[], &[], ordered).is_empty());
        type Break = fn(&mut Verdict);
        let broken: [(&str, Break); 5] = [
            ("Load", |v| v.acknowledged = 0),
            ("NoLoss", |v| v.lost = 1),
            ("NoDuplicate", |v| v.duplicated = 1),
            ("NoAlteration", |v| v.altered = 1),
            ("InOrder", |v| v.out_of_order = 1),
        ];
        for (name, break_it) in broken {
            let mut counts = sound();
            break_it(&mut counts);
            assert_eq!(failed(&counts, &[], &[], ordered), [name]);
        }
        let mut counts = sound();
        counts.out_of_order = 1;
        assert!(failed(&counts, &[], &[], Limits::default()).is_empty());
        let left = ["n2 is Down".to_owned()];
        assert_eq!(failed(&sound(), &[], &left, ordered), ["WholeAgain"]);
    }

    #[test]
    fn a_fault_passes_when_it_was_survived_in_time() {
        let fault = |outage: f64, error: Option<&str>| FaultStory {
            kind: "Kill".to_owned(),
            outage_ms: Some(outage),
            error: error.map(str::to_owned),
            ..FaultStory::default()
        };
        let limits = Limits {
            outage_ms: Some(500.0),
            ordered: true,
        };
        let faults = [
            fault(500.0, None),
            fault(500.1, None),
            fault(1.0, Some("hung")),
        ];
        assert_eq!(failed(&sound(), &faults, &[], limits), ["2 Kill", "3 Kill"]);
        assert_eq!(
            failed(&sound(), &faults, &[], Limits::default()),
            ["3 Kill"]
        );
    }

    #[test]
    fn an_assertion_names_an_example() {
        let mut counts = sound();
        counts.lost = 2;
        counts.examples = vec!["message 4 of sender 1 was acknowledged and never came".to_owned()];
        let error = assert("Assert-NoLoss", &counts).unwrap_err();
        assert!(error.message.contains("2 acknowledged"), "{error}");
        assert!(error.message.contains("message 4 of sender 1"), "{error}");
        assert("Assert-NoDuplicate", &counts).unwrap();
        assert("Assert-InOrder", &counts).unwrap();
    }
}
