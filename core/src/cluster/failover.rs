//! What a failure leads to: a restart here, a move of the group, or rest.
//!
//! | meant to be online | restarts left | failovers left | another node | then |
//! | --- | --- | --- | --- | --- |
//! | no | - | - | - | stay failed, for good |
//! | yes | yes | - | - | restart |
//! | yes | no | yes | yes | move the group |
//! | yes | no | no, or | no | stay failed, retry later |

/// What is known when a resource has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether the resource is meant to be online.
    pub wanted: bool,
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
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Start it again here, after RestartDelay.
    Restart,
    /// Move the group to the next node.
    MoveGroup,
    /// Stay failed; try again after RetryPeriodOnFailure.
    Rest,
    /// Stay failed: nobody wants it online.
    Stay,
}

/// The decision: the Nth restart is still a restart, the failure after it moves the group.
#[must_use]
pub const fn decide(facts: Facts) -> Verdict {
    if !facts.wanted {
        return Verdict::Stay;
    }
    if facts.restarts < facts.restart_threshold {
        return Verdict::Restart;
    }
    if facts.failovers < facts.failover_threshold && facts.other_node {
        return Verdict::MoveGroup;
    }
    Verdict::Rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_failure_restarts_and_the_next_one_moves_the_group() {
        let facts = |wanted, restarts, failovers, other_node| Facts {
            wanted,
            restarts,
            restart_threshold: 3,
            failovers,
            failover_threshold: 2,
            other_node,
        };
        let table = [
            (facts(false, 0, 0, true), Verdict::Stay),
            (facts(true, 0, 0, true), Verdict::Restart),
            (facts(true, 2, 0, true), Verdict::Restart),
            (facts(true, 3, 0, true), Verdict::MoveGroup),
            (facts(true, 3, 1, true), Verdict::MoveGroup),
            (facts(true, 3, 2, true), Verdict::Rest),
            (facts(true, 3, 0, false), Verdict::Rest),
        ];
        for (facts, verdict) in table {
            assert_eq!(decide(facts), verdict, "{facts:?}");
        }
    }
}
