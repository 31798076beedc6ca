//! The properties that policies are made of, with their defaults (reference: MSCS common properties).

use serde::{Deserialize, Serialize};

/// A duration property that means "never", and a poll interval that means "as the type says".
pub const NEVER: u64 = 0xFFFF_FFFF;
/// LooksAlivePollInterval of every built-in type.
pub const LOOKS_ALIVE_MS: u64 = 5_000;
/// IsAlivePollInterval of every built-in type.
pub const IS_ALIVE_MS: u64 = 60_000;

/// RestartAction: what a failure may lead to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartAction {
    /// 0: nothing; the resource stays failed.
    DontRestart,
    /// 1: restarts, but the group never fails over because of it.
    RestartNoNotify,
    /// 2: restarts, and a failover when no restart is left.
    #[default]
    RestartNotify,
}

impl RestartAction {
    /// The number of the property.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::DontRestart => 0,
            Self::RestartNoNotify => 1,
            Self::RestartNotify => 2,
        }
    }

    /// The action of a number.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::DontRestart),
            1 => Some(Self::RestartNoNotify),
            2 => Some(Self::RestartNotify),
            _ => None,
        }
    }
}

/// What happens when a resource fails, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestartPolicy {
    /// RestartAction.
    pub action: RestartAction,
    /// RestartThreshold: restarts allowed in the period.
    pub threshold: u64,
    /// RestartPeriod, in milliseconds.
    pub period_ms: u64,
    /// RestartDelay: milliseconds before a restart.
    pub delay_ms: u64,
    /// RetryPeriodOnFailure: milliseconds a failed resource rests before another try; [`NEVER`] is for ever.
    pub retry_ms: u64,
    /// PendingTimeout: milliseconds between two signs of progress of an online or offline.
    pub pending_timeout_ms: u64,
    /// DeadlockTimeout: milliseconds any entry point may take without an answer.
    pub deadlock_timeout_ms: u64,
    /// LooksAlivePollInterval; [`NEVER`] is that of the type.
    pub looks_alive_ms: u64,
    /// IsAlivePollInterval; [`NEVER`] is that of the type.
    pub is_alive_ms: u64,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            action: RestartAction::RestartNotify,
            threshold: 3,
            period_ms: 900_000,
            delay_ms: 500,
            retry_ms: 3_600_000,
            pending_timeout_ms: 180_000,
            deadlock_timeout_ms: 300_000,
            looks_alive_ms: NEVER,
            is_alive_ms: NEVER,
        }
    }
}

impl RestartPolicy {
    /// The effective PendingTimeout: a monitor that is deadlocked reports nothing either.
    #[must_use]
    pub const fn pending_gap_ms(&self) -> u64 {
        match self.pending_timeout_ms < self.deadlock_timeout_ms {
            true => self.pending_timeout_ms,
            false => self.deadlock_timeout_ms,
        }
    }

    /// The effective LooksAlivePollInterval.
    #[must_use]
    pub const fn looks_alive_interval_ms(&self) -> u64 {
        match self.looks_alive_ms {
            NEVER => LOOKS_ALIVE_MS,
            own => own,
        }
    }

    /// The effective IsAlivePollInterval.
    #[must_use]
    pub const fn is_alive_interval_ms(&self) -> u64 {
        match self.is_alive_ms {
            NEVER => IS_ALIVE_MS,
            own => own,
        }
    }
}

/// Priority of a group: 0 is not started by itself after its node was lost.
pub const PRIORITIES: [(u64, &str); 4] = [
    (0, "Disabled"),
    (1000, "Low"),
    (2000, "Medium"),
    (3000, "High"),
];
/// The default: Medium.
pub const PRIORITY_DEFAULT: u64 = 2000;

/// Properties of the cluster that policies follow. Without a row the defaults hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterPolicy {
    /// ClusterEnforcedAntiAffinity: groups that share a class never share a node.
    pub enforced_anti_affinity: bool,
    /// QuarantineThreshold: unexpected departures of a node within an hour; 0 never quarantines.
    pub quarantine_threshold: u64,
    /// QuarantineDuration, in seconds.
    pub quarantine_duration_s: u64,
    /// Megabytes of cluster log that each node keeps.
    pub log_megabytes: u64,
    /// What each node writes into it: 0 nothing, 1 errors, 2 and warnings, 3 and what happens, 4 and 5 everything.
    pub log_level: u64,
}

impl Default for ClusterPolicy {
    fn default() -> Self {
        Self {
            enforced_anti_affinity: false,
            quarantine_threshold: 3,
            quarantine_duration_s: 7_200,
            log_megabytes: 16,
            log_level: 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_reference() {
        let policy = RestartPolicy::default();
        let table = [
            ("RestartAction", policy.action.number(), 2),
            ("RestartThreshold", policy.threshold, 3),
            ("RestartPeriod", policy.period_ms, 900_000),
            ("RestartDelay", policy.delay_ms, 500),
            ("RetryPeriodOnFailure", policy.retry_ms, 3_600_000),
            ("PendingTimeout", policy.pending_timeout_ms, 180_000),
            ("DeadlockTimeout", policy.deadlock_timeout_ms, 300_000),
            ("LooksAlivePollInterval", policy.looks_alive_ms, NEVER),
            ("IsAlivePollInterval", policy.is_alive_ms, NEVER),
            (
                "LooksAlive of a type",
                policy.looks_alive_interval_ms(),
                5_000,
            ),
            ("IsAlive of a type", policy.is_alive_interval_ms(), 60_000),
        ];
        for (name, value, expected) in table {
            assert_eq!(value, expected, "{name}");
        }
        let cluster = ClusterPolicy::default();
        assert_eq!(
            (cluster.quarantine_threshold, cluster.quarantine_duration_s),
            (3, 7_200)
        );
        assert!(!cluster.enforced_anti_affinity);
    }

    #[test]
    fn a_deadlock_ends_an_operation_before_a_longer_pending_timeout() {
        let policy = |pending, deadlock| RestartPolicy {
            pending_timeout_ms: pending,
            deadlock_timeout_ms: deadlock,
            ..RestartPolicy::default()
        };
        for (pending, deadlock, gap) in [
            (10, 1_000, 10),
            (1_000, 1_000, 1_000),
            (5_000, 1_000, 1_000),
        ] {
            assert_eq!(policy(pending, deadlock).pending_gap_ms(), gap);
        }
    }

    #[test]
    fn a_number_is_one_action() {
        for number in 0..3 {
            let action = RestartAction::from_number(number).unwrap();
            assert_eq!(action.number(), number);
        }
        assert_eq!(RestartAction::from_number(3), None);
    }
}
