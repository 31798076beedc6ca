//! From a fault to service: what clients saw, and the steps the cluster recorded. Pure.

use std::time::Duration;

use crate::api::drill::PhaseInfo;
use crate::api::explain::WhyInfo;

/// What got through since the last fault, on the boot clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    fault: Duration,
    /// A send that started after the fault has been acknowledged.
    served: bool,
    /// Since the last fault: the longest time without a successful send, and the send that ended it.
    outage: Duration,
    first_send: Option<Duration>,
    /// The first receive that committed after that send.
    first_receive: Option<Duration>,
    last_send: Option<Duration>,
}

impl Marks {
    /// A fault happened at `at`.
    pub(super) const fn fault(&mut self, at: Duration) {
        self.fault = at;
        self.served = false;
        self.first_send = None;
        self.first_receive = None;
        self.outage = Duration::ZERO;
    }

    /// A send was acknowledged. Only one that started after the fault proves service: the reply to an
    /// earlier one may have been on its way already. A planned fault strikes a while after it was asked
    /// for, so service is what comes after the longest gap.
    pub(super) fn sent(&mut self, started: Duration, ended: Duration) {
        let last = self.last_send.unwrap_or(started).max(self.fault);
        let gap = ended.saturating_sub(last);
        if gap > self.outage {
            self.outage = gap;
            self.first_send = Some(ended);
            self.first_receive = None;
        }
        self.last_send = Some(ended);
        self.served |= started >= self.fault;
    }

    /// A receive committed.
    pub(super) fn received(&mut self, ended: Duration) {
        if self.first_send.is_some_and(|first| ended >= first) && self.first_receive.is_none() {
            self.first_receive = Some(ended);
        }
    }

    /// Whether a send has been acknowledged since `moment`.
    #[must_use]
    pub fn since(&self, moment: Duration) -> bool {
        self.last_send.is_some_and(|last| last > moment)
    }

    /// Whether both directions work again.
    #[must_use]
    pub const fn recovered(&self) -> bool {
        self.served && self.first_send.is_some() && self.first_receive.is_some()
    }
}

/// The steps in order: the cluster's decisions since the fault, then what the clients saw.
///
/// `fault_wall_ms` is the fault on the wall clock, which the decisions carry.
pub(super) fn phases(marks: &Marks, fault_wall_ms: u64, decisions: &[WhyInfo]) -> Vec<PhaseInfo> {
    let mut phases: Vec<_> = decisions
        .iter()
        .filter(|decision| decision.time.0 >= fault_wall_ms)
        .map(|decision| PhaseInfo {
            phase: decision.event.clone(),
            elapsed_ms: millis(Duration::from_millis(decision.time.0 - fault_wall_ms)),
            node: decision.node.clone(),
            detail: match &decision.resource {
                Some(resource) => format!("{resource}: {}", decision.cause),
                None => decision.cause.clone(),
            },
        })
        .collect();
    phases.sort_by(|a, b| a.elapsed_ms.total_cmp(&b.elapsed_ms));
    let seen = [
        (
            "first send",
            marks.first_send.map(|at| at.saturating_sub(marks.fault)),
        ),
        (
            "first receive",
            marks.first_receive.map(|at| at.saturating_sub(marks.fault)),
        ),
        ("outage", Some(marks.outage)),
    ];
    for (phase, elapsed) in seen {
        if let Some(elapsed) = elapsed {
            phases.push(PhaseInfo {
                phase: phase.to_owned(),
                elapsed_ms: millis(elapsed),
                node: "client".to_owned(),
                detail: String::new(),
            });
        }
    }
    phases
}

/// Milliseconds with one decimal.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn service_is_what_comes_after_the_longest_gap() {
        let mut marks = Marks::default();
        marks.sent(ms(0), ms(1));
        marks.fault(ms(10));
        marks.sent(ms(9), ms(11)); // a reply that was on its way
        marks.received(ms(12));
        assert!(!marks.recovered());
        marks.sent(ms(12), ms(150));
        assert!(!marks.recovered());
        marks.received(ms(160));
        assert!(marks.recovered());
        marks.sent(ms(151), ms(152));
        let phases = phases(&marks, 0, &[]);
        let found: Vec<_> = phases
            .iter()
            .map(|p| (p.phase.as_str(), p.elapsed_ms))
            .collect();
        assert_eq!(
            found,
            [
                ("first send", 140.0),
                ("first receive", 150.0),
                ("outage", 139.0)
            ]
        );
    }
}
