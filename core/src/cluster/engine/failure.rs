//! When a resource fails: counted durably first, then restarted, or its group moves, or it rests.

use std::time::Duration;

use super::leaving::{Leaving, Why};
use super::local::{Local, Recovery};
use super::{Action, Engine, Intent, Now, put};
use crate::cluster::basis::Basis;
use crate::cluster::dependency;
use crate::cluster::failover::{Facts, Verdict, decide};
use crate::cluster::placement::{Reason, candidates};
use crate::cluster::record::{RestartPolicy, fold};
use crate::database::Transaction;

impl Engine {
    /// An online resource reports its own failure.
    pub(super) fn failed(&mut self, name: &str, serial: u64, reason: &str, now: Now) {
        let awaited = |l: &Local| l.expects(serial) && l.is_online();
        if self.locals.get(name).is_some_and(awaited) {
            self.fail_local(name, reason, now);
        }
    }

    /// Ends a resource that may not go on without a lease. It is no failure of its own: no restart is
    /// counted, and it comes back with the lease.
    pub(super) fn kill(&mut self, name: &str, reason: &str, now: Now) {
        let acting = self.locals.get(name).filter(|l| l.is_acting());
        let Some(group) = acting.map(|l| l.group().to_owned()) else {
            return;
        };
        let text = self.named(name, &group);
        self.log("ERR", "RCM", format!("{text} is ended: {reason}"));
        self.decide(&group, Some(name), "ended", reason.to_owned(), now);
        self.end(name, Some(reason.to_owned()), now);
    }

    pub(super) fn fail_local(&mut self, name: &str, reason: &str, now: Now) {
        let version = self.view.resources.get(name).map_or(0, |r| r.version);
        let Some(local) = self.locals.get_mut(name).filter(|l| l.is_acting()) else {
            return;
        };
        let was_online = local.is_online();
        local.fail(reason, version, now);
        let group = local.group().to_owned();
        if was_online {
            self.sequence += 1;
            let episode = format!("{name}!{}-{}", self.sequence, now.boot.as_nanos());
            self.run(&group).episode = episode;
        }
        let text = self.named(name, &group);
        self.log("ERR", "RCM", format!("{text} failed: {reason}"));
        let policy = self.view.resources.get(name).map(|r| r.policy);
        let Some(policy) = policy.filter(|_| self.hosts(&group)) else {
            self.decide(&group, Some(name), "failed", reason.to_owned(), now);
            return;
        };
        let facts = self.facts(&group, name, policy, now);
        let verdict = decide(facts);
        let basis = Some(Basis::Failure { facts, verdict });
        self.decide_on(&group, Some(name), "failed", reason.to_owned(), basis, now);
        self.recover(&group, name, reason, (policy, verdict), now);
    }

    /// `VS1-Disk of VS1`, as they were named.
    fn named(&self, resource: &str, group: &str) -> String {
        let resource = self.view.resource_name(resource);
        format!("{resource} of {}", self.view.group_name(group))
    }

    fn recover(
        &mut self,
        group: &str,
        name: &str,
        reason: &str,
        (policy, verdict): (RestartPolicy, Verdict),
        now: Now,
    ) {
        match verdict {
            Verdict::Stay => self.set_recovery(name, Recovery::Stay),
            Verdict::Restart => {
                let at = now.boot + Duration::from_millis(policy.delay_ms);
                self.sequence += 1;
                let number = self.sequence;
                self.set_recovery(name, Recovery::Counting(at, number));
                self.count_failure(name, number, now);
            }
            Verdict::MoveGroup => {
                self.set_recovery(name, Recovery::Stay);
                self.leave_after_failure(group, name, reason, now);
            }
            Verdict::Rest => {
                let at = now.boot + Duration::from_millis(policy.retry_ms);
                self.set_recovery(name, Recovery::Rest(at));
                let text = format!(
                    "no restart and no failover is left, or no other node; next try in {} s",
                    policy.retry_ms / 1000
                );
                self.log(
                    "ERR",
                    "FM",
                    format!("{} stays failed: {text}", self.named(name, group)),
                );
                self.decide(group, Some(name), "resting", text, now);
            }
        }
    }

    /// The group stays after all: what failed while it was to leave, or is why it was to, was left as it is. It is decided
    /// anew, or it would stay failed for ever.
    pub(super) fn reconsider_failures(&mut self, group: &str, now: Now) {
        let waits = |l: &Local| l.group() == group && l.is_failed() && l.recovery == Recovery::Stay;
        let waiting = self.locals.iter().filter(|(_, l)| waits(l));
        let waiting: Vec<(String, String)> = waiting
            .map(|(name, l)| (name.clone(), l.cause().to_owned()))
            .collect();
        for (name, reason) in waiting {
            let Some(policy) = self.view.resources.get(&name).map(|r| r.policy) else {
                continue;
            };
            let facts = self.facts(group, &name, policy, now);
            let verdict = decide(facts);
            let basis = Some(Basis::Failure { facts, verdict });
            let cause = format!("the group stays, after: {reason}");
            self.decide_on(group, Some(&name), "reconsidered", cause, basis, now);
            self.recover(group, &name, &reason, (policy, verdict), now);
        }
    }

    fn facts(&self, group: &str, name: &str, policy: RestartPolicy, now: Now) -> Facts {
        let config = self.view.groups.get(group);
        let leaving = self.runs.get(group).is_some_and(|r| r.leaving.is_some());
        let nodes = self.view.nodes.len() as u64;
        let hours = config.map_or(6, |g| g.failover_period_hours);
        let counted = self.view.failures.get(name);
        let moved = self.view.failovers.get(group);
        let source = &self.settings.node;
        let dead = self.dead();
        let next = candidates(&self.view, &dead, group, Reason::Failed { source });
        Facts {
            wanted: !leaving && self.wanted(group, name),
            action: policy.action,
            restarts: counted.map_or(0, |f| f.counted(policy.period_ms, self.reading(now))),
            restart_threshold: policy.threshold,
            failovers: moved.map_or(0, |f| {
                f.counted(hours.saturating_mul(3_600_000), self.reading(now))
            }),
            failover_threshold: config
                .and_then(|g| g.failover_threshold)
                .unwrap_or_else(|| nodes.saturating_sub(1)),
            other_node: !next.is_empty(),
            retry_ms: policy.retry_ms,
        }
    }

    /// Whether a resource is to be online here.
    pub(super) fn wanted(&self, group: &str, name: &str) -> bool {
        !self.view.held.contains_key(group) && dependency::wanted(&self.view, name)
    }

    fn leave_after_failure(&mut self, group: &str, name: &str, reason: &str, now: Now) {
        let source = self.settings.node.clone();
        let dead = self.dead();
        let next = candidates(&self.view, &dead, group, Reason::Failed { source: &source });
        let cause = format!(
            "{} failed on {source}: {reason}",
            self.view.resource_name(name)
        );
        self.leave(
            group,
            Leaving {
                target: next.into_iter().next(),
                why: Why::Failure,
                cause,
            },
            now,
        );
    }

    fn set_recovery(&mut self, name: &str, recovery: Recovery) {
        if let Some(local) = self.locals.get_mut(name) {
            local.recovery = recovery;
        }
    }

    /// The count is durable before the restart, and its identity keeps it from being counted twice.
    pub(super) fn count_failure(&mut self, name: &str, number: u64, now: Now) {
        let Some(group) = self.view.resources.get(name).map(|r| fold(&r.group)) else {
            return;
        };
        let incarnation = self.incarnation.as_deref().unwrap_or_default();
        let id = format!("{incarnation}/{number}");
        let counted = self.view.failures.get(name).map(|f| f.row.clone());
        let row = counted
            .unwrap_or_default()
            .with(&id, now.wall_ms, self.reading(now));
        let transaction = Transaction {
            guards: vec![
                self.view.guard("owner", &self.view.owners, &group),
                self.view.guard("failures", &self.view.failures, name),
            ],
            writes: vec![put("failures", name, &row)],
        };
        self.actions.push(Action::Commit {
            intent: Intent::RecordFailure {
                resource: name.to_owned(),
            },
            transaction,
        });
    }

    /// The failure is counted: the restart may happen when its delay is over.
    pub(super) fn failure_counted(&mut self, name: &str, done: bool, now: Now) {
        let Some(local) = self.locals.get_mut(name) else {
            return;
        };
        let Recovery::Counting(at, number) = local.recovery else {
            return;
        };
        if done {
            local.recovery = Recovery::At(at);
        } else {
            local.recovery = Recovery::Recount(now.boot + super::COMMIT_RETRY, number);
        }
    }
}
