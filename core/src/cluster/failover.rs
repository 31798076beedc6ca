//! What a failure leads to: a restart here, a move of the group, or rest.
//!
//! | meant to be online | RestartAction | restarts left | failovers left | another node | retry | then |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | no | - | - | - | - | - | stay failed, for good |
//! | yes | 0 | - | - | - | - | stay failed, for good |
//! | yes | 1, 2 | yes | - | - | - | restart |
//! | yes | 2 | no | yes | yes | - | move the group |
//! | yes | 1; or 2 with no failover left or no other node | no | … | … | yes | stay failed, retry later |
//! | yes | the same | no | … | … | never | stay failed, for good |

use serde::{Deserialize, Serialize};

use super::policy::{NEVER, RestartAction};

/// What is known when a resource has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Whether the resource is meant to be online.
    pub wanted: bool,
    /// What its policy allows at all.
    pub action: RestartAction,
    /// Restarts counted within the period, before this failure.
    pub restarts: u64,
    /// Restarts allowed.
    pub restart_threshold: u64,
    /// Failovers counted within the period.
    pub failovers: u64,
    /// Failovers allowed.
    pub failover_threshold: u64,
    /// Whether another node may own the group.
    pub other_node: bool,
    /// RetryPeriodOnFailure, in milliseconds.
    pub retry_ms: u64,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Start it again here, after RestartDelay.
    Restart,
    /// Move the group to the next node.
    MoveGroup,
    /// Stay failed; try again after RetryPeriodOnFailure.
    Rest,
    /// Stay failed: nobody wants it online, or its policy allows nothing more.
    Stay,
}

/// The decision: the Nth restart is still a restart, the failure after it moves the group.
#[must_use]
pub const fn decide(facts: Facts) -> Verdict {
    if !facts.wanted || matches!(facts.action, RestartAction::DontRestart) {
        return Verdict::Stay;
    }
    if facts.restarts < facts.restart_threshold {
        return Verdict::Restart;
    }
    let notify = matches!(facts.action, RestartAction::RestartNotify);
    if notify && facts.failovers < facts.failover_threshold && facts.other_node {
        return Verdict::MoveGroup;
    }
    match facts.retry_ms {
        NEVER => Verdict::Stay,
        _ => Verdict::Rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RestartAction::{DontRestart, RestartNoNotify, RestartNotify};

    #[test]
    fn the_nth_failure_restarts_and_the_next_one_moves_the_group() {
        let facts = |wanted, action, restarts, failovers, other_node| Facts {
            wanted,
            action,
            restarts,
            restart_threshold: 3,
            failovers,
            failover_threshold: 2,
            other_node,
            retry_ms: 3_600_000,
        };
        let table = [
            (facts(false, RestartNotify, 0, 0, true), Verdict::Stay),
            (facts(true, DontRestart, 0, 0, true), Verdict::Stay),
            (facts(true, DontRestart, 3, 0, true), Verdict::Stay),
            (facts(true, RestartNotify, 0, 0, true), Verdict::Restart),
            (facts(true, RestartNotify, 2, 0, true), Verdict::Restart),
            (facts(true, RestartNoNotify, 2, 2, false), Verdict::Restart),
            (facts(true, RestartNotify, 3, 0, true), Verdict::MoveGroup),
            (facts(true, RestartNotify, 3, 1, true), Verdict::MoveGroup),
            (facts(true, RestartNotify, 3, 2, true), Verdict::Rest),
            (facts(true, RestartNotify, 3, 0, false), Verdict::Rest),
            (facts(true, RestartNoNotify, 3, 0, true), Verdict::Rest),
        ];
        for (facts, verdict) in table {
            assert_eq!(decide(facts), verdict, "{facts:?}");
            let never = Facts {
                retry_ms: NEVER,
                ..facts
            };
            let expected = match verdict {
                Verdict::Rest => Verdict::Stay,
                other => other,
            };
            assert_eq!(decide(never), expected, "{never:?}");
        }
    }

    #[test]
    fn a_threshold_of_nought_allows_nothing_and_the_largest_allows_all() {
        let facts = |restart_threshold, failover_threshold| Facts {
            wanted: true,
            action: RestartNotify,
            restarts: 0,
            restart_threshold,
            failovers: 0,
            failover_threshold,
            other_node: true,
            retry_ms: 1,
        };
        assert_eq!(decide(facts(0, 0)), Verdict::Rest);
        assert_eq!(decide(facts(0, 1)), Verdict::MoveGroup);
        let often = Facts {
            restarts: 1000,
            ..facts(NEVER, 0)
        };
        assert_eq!(decide(often), Verdict::Restart);
    }
}
