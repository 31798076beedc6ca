//! A resource on this node: a state that only named transitions change.
//!
//! ```text
//!            start            came_online
//!   Offline ──────► Pending ─────────────► Online ─── stop ──► Stopping ── went ──► Offline
//!      ▲               │ fail                 │ fail                                  ▲
//!      │               ▼                      ▼                                       │
//!      │            Failed{clean: false} ── terminate ── Terminating ── ended ─► Failed{clean: true}
//!      └──────────────────────── terminate, unless it had failed ─────────────────────┘
//! ```

use std::time::Duration;

use super::{Now, OnlineFacts};
use crate::cluster::resource::ResourceState;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Offline,
    Pending,
    Online,
    Stopping,
    /// On its end; `failed` says what it is afterwards.
    Terminating {
        failed: bool,
    },
    /// `clean`: nothing of it is left running.
    Failed {
        clean: bool,
    },
}

/// What comes after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Nothing, until the configuration changes.
    Stay,
    /// The failure is being counted; then a restart no earlier than this.
    Counting(Duration),
    /// The count could not be written: to be counted again at this time.
    Recount(Duration),
    /// Start again at this time.
    At(Duration),
    /// No restart and no failover is left: start again at this time, which is far away.
    Rest(Duration),
}

/// What is published of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stamp {
    pub(super) state: ResourceState,
    pub(super) epoch: u64,
    pub(super) cause: String,
    pub(super) since_ms: u64,
    pub(super) resting: bool,
}

/// A resource that has been driven on this node.
#[derive(Debug)]
pub(super) struct Local {
    phase: Phase,
    group: String,
    epoch: u64,
    serial: u64,
    /// A pending operation must have ended by then.
    timeout: Option<Duration>,
    pub(super) recovery: Recovery,
    /// The version of the configuration it failed under.
    pub(super) config_version: u64,
    pub(super) facts: OnlineFacts,
    /// What it was given when it came online: without these it cannot go on, even where the others of
    /// alternatives could carry a new start.
    pub(super) began_with: std::collections::BTreeSet<String>,
    cause: String,
    since_ms: u64,
    pub(super) published: Option<Stamp>,
}

impl Local {
    pub(super) fn new(group: &str, now: Now) -> Self {
        Self {
            phase: Phase::Offline,
            group: group.to_owned(),
            epoch: 0,
            serial: 0,
            timeout: None,
            recovery: Recovery::Stay,
            config_version: 0,
            facts: OnlineFacts::default(),
            began_with: std::collections::BTreeSet::new(),
            cause: "it has not been started here".to_owned(),
            since_ms: now.wall_ms,
            published: None,
        }
    }

    fn enter(&mut self, phase: Phase, cause: String, now: Now) {
        self.phase = phase;
        self.cause = cause;
        self.since_ms = now.wall_ms;
        self.timeout = None;
    }

    pub(super) fn start(
        &mut self,
        serial: u64,
        epoch: u64,
        timeout: Duration,
        cause: &str,
        now: Now,
    ) {
        debug_assert!(self.is_at_rest(), "start from {:?}", self.phase);
        self.enter(Phase::Pending, cause.to_owned(), now);
        self.serial = serial;
        self.epoch = epoch;
        self.timeout = Some(now.boot + timeout);
        self.recovery = Recovery::Stay;
    }

    pub(super) fn came_online(&mut self, facts: OnlineFacts, now: Now) {
        debug_assert_eq!(self.phase, Phase::Pending);
        self.enter(Phase::Online, "online".to_owned(), now);
        self.facts = facts;
    }

    pub(super) fn stop(&mut self, serial: u64, timeout: Duration, cause: &str, now: Now) {
        debug_assert_eq!(self.phase, Phase::Online);
        self.enter(Phase::Stopping, cause.to_owned(), now);
        self.serial = serial;
        self.timeout = Some(now.boot + timeout);
    }

    pub(super) fn went_offline(&mut self, now: Now) {
        debug_assert_eq!(self.phase, Phase::Stopping);
        let cause = self.cause.clone();
        self.enter(Phase::Offline, cause, now);
        self.facts = OnlineFacts::default();
    }

    pub(super) fn fail(&mut self, reason: &str, config_version: u64, now: Now) {
        debug_assert!(self.is_acting(), "fail from {:?}", self.phase);
        self.enter(Phase::Failed { clean: false }, reason.to_owned(), now);
        self.config_version = config_version;
        self.facts = OnlineFacts::default();
    }

    pub(super) fn terminate(&mut self, serial: u64, cause: Option<String>, now: Now) {
        debug_assert!(self.is_running(), "terminate from {:?}", self.phase);
        let failed = self.is_failed();
        let cause = cause.unwrap_or_else(|| self.cause.clone());
        self.enter(Phase::Terminating { failed }, cause, now);
        self.serial = serial;
    }

    pub(super) fn ended(&mut self, now: Now) {
        let Phase::Terminating { failed } = self.phase else {
            debug_assert!(false, "ended from {:?}", self.phase);
            return;
        };
        let next = match failed {
            true => Phase::Failed { clean: true },
            false => Phase::Offline,
        };
        let cause = self.cause.clone();
        self.enter(next, cause, now);
        self.facts = OnlineFacts::default();
    }

    /// A failed resource that nobody wants online any more.
    pub(super) fn settle_offline(&mut self, now: Now) {
        debug_assert!(self.is_at_rest());
        let cause = format!("offline; it had failed: {}", self.cause);
        self.enter(Phase::Offline, cause, now);
        self.recovery = Recovery::Stay;
    }

    pub(super) fn explain(&mut self, cause: &str) {
        if self.phase == Phase::Offline && self.cause != cause {
            cause.clone_into(&mut self.cause);
        }
    }

    pub(super) fn group(&self) -> &str {
        &self.group
    }

    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn cause(&self) -> &str {
        &self.cause
    }

    pub(super) const fn expects(&self, serial: u64) -> bool {
        self.serial == serial
    }

    pub(super) const fn is_offline(&self) -> bool {
        matches!(self.phase, Phase::Offline)
    }

    pub(super) const fn is_online(&self) -> bool {
        matches!(self.phase, Phase::Online)
    }

    pub(super) const fn is_pending(&self) -> bool {
        matches!(self.phase, Phase::Pending)
    }

    pub(super) const fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping)
    }

    pub(super) const fn is_terminating(&self) -> bool {
        matches!(self.phase, Phase::Terminating { .. })
    }

    /// Failed, whether or not its remains are gone.
    pub(super) const fn is_failed(&self) -> bool {
        matches!(
            self.phase,
            Phase::Failed { .. } | Phase::Terminating { failed: true }
        )
    }

    pub(super) const fn has_remains(&self) -> bool {
        matches!(self.phase, Phase::Failed { clean: false })
    }

    /// Online or on the way there: it may act on its providers.
    pub(super) const fn is_acting(&self) -> bool {
        matches!(self.phase, Phase::Pending | Phase::Online)
    }

    /// Nothing of it runs.
    pub(super) const fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::Offline | Phase::Failed { clean: true })
    }

    pub(super) const fn is_running(&self) -> bool {
        !self.is_at_rest()
    }

    pub(super) fn timed_out(&self, now: Now) -> bool {
        self.timeout.is_some_and(|at| at <= now.boot)
    }

    pub(super) const fn deadline(&self) -> Option<Duration> {
        match (self.timeout, self.recovery, self.phase) {
            (Some(at), _, _) => Some(at),
            (
                None,
                Recovery::At(at) | Recovery::Recount(at) | Recovery::Rest(at),
                Phase::Failed { clean: true },
            ) => Some(at),
            _ => None,
        }
    }

    pub(super) fn stamp(&self, epoch: u64) -> Stamp {
        let state = match self.phase {
            Phase::Offline => ResourceState::Offline,
            Phase::Pending => ResourceState::OnlinePending,
            Phase::Online => ResourceState::Online,
            Phase::Stopping | Phase::Terminating { failed: false } => ResourceState::OfflinePending,
            Phase::Failed { .. } | Phase::Terminating { failed: true } => ResourceState::Failed,
        };
        Stamp {
            state,
            epoch,
            cause: self.cause.clone(),
            since_ms: self.since_ms,
            resting: matches!(self.phase, Phase::Failed { clean: true })
                && matches!(self.recovery, Recovery::Rest(_) | Recovery::Stay),
        }
    }
}
