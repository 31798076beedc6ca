//! Driving the resources of a hosted group to where they are meant to be.

use std::time::Duration;

use super::local::{Local, Recovery};
use super::{Action, Engine, Now, OnlineFacts};
use crate::cluster::record::{RestartPolicy, fold};
use crate::cluster::{dependency, resource_type};

/// Why a resource that the deadline protects is taken offline.
const LEASE_IS_LATE: &str =
    "half of the lease has passed without a renewal; it returns with the next one";

impl Engine {
    /// One pass over a group that this node owns.
    pub(super) fn host(&mut self, group: &str, now: Now) {
        let epoch = self.view.owners.get(group).map_or(0, |o| o.epoch);
        self.begin_hosting(group, epoch, now);
        self.handle_requests(group, now);
        self.consider_leaving(group, now);
        for resource in self.resources_here(group) {
            self.drive(group, &resource, epoch, now);
        }
        self.finish_leaving(group, now);
    }

    fn begin_hosting(&mut self, group: &str, epoch: u64, now: Now) {
        let run = self.run(group);
        if run.epoch != epoch {
            run.epoch = epoch;
            run.leaving = None;
            run.episode = format!("{group}#{epoch}");
        }
        let members: Vec<String> = self
            .view
            .resources_of(group)
            .map(|(name, _)| name.clone())
            .collect();
        for name in members {
            let local = self
                .locals
                .entry(name)
                .or_insert_with(|| Local::new(group, now));
            let fresh = local.epoch() == epoch || local.epoch() == 0;
            if local.is_at_rest() && (local.group() != group || !fresh) {
                *local = Local::new(group, now);
            }
        }
    }

    /// The group's resources, and what still runs of removed ones.
    fn resources_here(&self, group: &str) -> Vec<String> {
        let here = self.locals.iter().filter(|(_, l)| l.group() == group);
        here.map(|(name, _)| name.clone()).collect()
    }

    fn drive(&mut self, group: &str, name: &str, epoch: u64, now: Now) {
        let config = self.view.resources.get(name);
        // One that has moved to another group is that group's.
        let Some(config) = config.filter(|config| fold(&config.group) == group) else {
            self.forget(name, now);
            return;
        };
        let (policy, version) = (config.policy, config.version);
        let leaving = self.runs.get(group).is_some_and(|r| r.leaving.is_some());
        let wanted = !leaving && self.wanted(group, name) && !self.must_rest(name);
        let Some(local) = self.locals.get(name) else {
            return;
        };
        if local.is_running() && local.epoch() != epoch {
            self.end(
                name,
                Some("left over from an earlier ownership".to_owned()),
                now,
            );
        } else if local.timed_out(now) {
            self.time_out(name, policy, now);
        } else if local.has_remains() {
            if self.nothing_above(name) {
                self.end(name, None, now);
            }
        } else if local.is_pending() && !wanted {
            self.end(name, Some(self.why_offline(group, name)), now);
        } else if local.is_online()
            && !(wanted && self.providers_stay(name) && self.lost_provider(name).is_none())
        {
            self.stop_when_free(group, name, policy, now);
        } else if local.is_at_rest() {
            self.leave_rest(
                group,
                name,
                policy,
                (wanted, leaving),
                (epoch, version),
                now,
            );
        }
    }

    fn leave_rest(
        &mut self,
        group: &str,
        name: &str,
        policy: RestartPolicy,
        (wanted, leaving): (bool, bool),
        (epoch, version): (u64, u64),
        now: Now,
    ) {
        let Some(local) = self.locals.get_mut(name) else {
            return;
        };
        if local.is_failed() {
            if !wanted && !leaving {
                local.settle_offline(now);
                return;
            }
            if let Recovery::Recount(at, number) = local.recovery {
                if at <= now.boot {
                    local.recovery = Recovery::Counting(at, number);
                    self.count_failure(name, number, now);
                }
                return;
            }
            let due =
                matches!(local.recovery, Recovery::At(at) | Recovery::Rest(at) if at <= now.boot);
            let reconfigured = local.config_version != version;
            if !due && !reconfigured {
                return;
            }
        }
        if self.must_rest(name) {
            if let Some(local) = self.locals.get_mut(name) {
                local.explain("it waits for the lease of this node to be renewed");
            }
            return;
        }
        if !wanted {
            return;
        }
        if !dependency::unmet(&self.view, name).is_empty() {
            if let Some(local) = self.locals.get_mut(name) {
                local.explain("a dependency that its type requires is missing");
            }
            return;
        }
        if self.providers_stay(name) {
            self.start(group, name, policy, epoch, now);
        }
    }

    fn start(&mut self, group: &str, name: &str, policy: RestartPolicy, epoch: u64, now: Now) {
        let serial = self.next_serial();
        let cause = self
            .view
            .owners
            .get(group)
            .map_or("", |o| &o.cause)
            .to_owned();
        if let Some(local) = self.locals.get(name).filter(|l| l.is_failed()) {
            let text = format!("after: {}", local.cause());
            self.decide(group, Some(name), "restarted", text, now);
        }
        let timeout = Duration::from_millis(policy.pending_gap_ms());
        let givers = self.givers(name);
        if let Some(local) = self.locals.get_mut(name) {
            local.start(serial, epoch, timeout, &cause, now);
            local.began_with = givers;
        }
        self.log(
            "INFO",
            "RCM",
            format!(
                "bringing {} of {} online, epoch {epoch}",
                self.view.resource_name(name),
                self.view.group_name(group)
            ),
        );
        self.actions.push(Action::Online {
            resource: name.to_owned(),
            serial,
            epoch,
        });
    }

    fn stop_when_free(&mut self, group: &str, name: &str, policy: RestartPolicy, now: Now) {
        if !self.nothing_above(name) {
            return;
        }
        let serial = self.next_serial();
        let cause = self.why_offline(group, name);
        let timeout = Duration::from_millis(policy.pending_gap_ms());
        self.log(
            "INFO",
            "RCM",
            format!(
                "taking {} of {} offline: {cause}",
                self.view.resource_name(name),
                self.view.group_name(group)
            ),
        );
        if let Some(local) = self.locals.get_mut(name) {
            local.stop(serial, timeout, &cause, now);
        }
        self.actions.push(Action::Offline {
            resource: name.to_owned(),
            serial,
        });
    }

    fn why_offline(&self, group: &str, name: &str) -> String {
        if let Some(leaving) = self.runs.get(group).and_then(|r| r.leaving.as_ref()) {
            return format!("the group is leaving: {}", leaving.cause);
        }
        if self.must_rest(name) {
            return LEASE_IS_LATE.to_owned();
        }
        if let Some(provider) = self.lost_provider(name) {
            let provider = self.view.resource_name(&provider);
            return format!("{provider}, which it came online with, goes offline");
        }
        let down = dependency::all_providers(&self.view, name)
            .into_iter()
            .find(|p| !self.locals.get(p).is_some_and(Local::is_online));
        match down.filter(|_| !self.providers_stay(name)) {
            Some(provider) => {
                let provider = self.view.resource_name(&provider);
                format!("{provider}, which it depends on, is not online")
            }
            None => "asked for".to_owned(),
        }
    }

    /// Also the indirect ones: when the lowest fails, all above it go, the topmost first. Of alternatives
    /// one is enough.
    fn providers_stay(&self, name: &str) -> bool {
        let config = self.view.resources.get(name);
        config.is_none_or(|r| r.depends_on.holds(&mut |p| self.stays(p, 0)))
    }

    /// Whether a resource is online and nothing speaks for its going: it is wanted, what it needs stays,
    /// and so does what gave it something. Rows that make a circle end at a depth.
    fn stays(&self, name: &str, depth: usize) -> bool {
        let Some(local) = self.locals.get(name).filter(|l| l.is_online()) else {
            return false;
        };
        let Some(config) = self.view.resources.get(name) else {
            return false;
        };
        let too_deep = depth > dependency::DEPTH_MAX;
        if too_deep || !dependency::wanted(&self.view, name) || self.must_rest(name) {
            return false;
        }
        let mut below = dependency::providers(&self.view, name);
        below.extend(local.began_with.iter().cloned());
        below.retain(|p| self.stays(p, depth + 1));
        local.began_with.is_subset(&below) && config.depends_on.holds(&mut |p| below.contains(p))
    }

    /// A provider that is going and that gave it something: an address, a disk, a name.
    fn lost_provider(&self, name: &str) -> Option<String> {
        let began_with = &self.locals.get(name)?.began_with;
        began_with.iter().find(|p| !self.stays(p, 0)).cloned()
    }

    /// The providers that give a resource something when it starts now.
    fn givers(&self, name: &str) -> std::collections::BTreeSet<String> {
        let mut all = dependency::providers(&self.view, name);
        all.retain(|p| {
            let config = self.view.resources.get(p);
            let rule = config.and_then(|r| resource_type::find(&r.resource_type));
            let online = self.locals.get(p).is_some_and(Local::is_online);
            online && rule.is_some_and(resource_type::TypeRule::hands_down)
        });
        all
    }

    /// Whether nothing that runs needs it: what depends on it is at rest, or stays online by another of
    /// its alternatives.
    fn nothing_above(&self, name: &str) -> bool {
        let others = |p: &str| p != name && self.stays(p, 0);
        dependency::dependents(&self.view, name).iter().all(|d| {
            let Some(local) = self.locals.get(d).filter(|l| l.is_running()) else {
                return true;
            };
            let leaving = self
                .runs
                .get(local.group())
                .is_some_and(|r| r.leaving.is_some());
            let stays = local.is_online() && !leaving && dependency::wanted(&self.view, d);
            stays
                && !local.began_with.contains(name)
                && self
                    .view
                    .resources
                    .get(d)
                    .is_some_and(|r| r.depends_on.holds(&mut |p| others(p)))
        })
    }

    fn time_out(&mut self, name: &str, policy: RestartPolicy, now: Now) {
        let within = policy.pending_gap_ms();
        let limit = match within == policy.pending_timeout_ms {
            true => "PendingTimeout",
            false => "DeadlockTimeout",
        };
        let stopping = self.locals.get(name).is_some_and(Local::is_stopping);
        if stopping {
            let cause = format!("no sign of going offline for {within} ms, its {limit}: ended");
            self.end(name, Some(cause), now);
        } else {
            let reason = format!("no sign of coming online for {within} ms, its {limit}");
            self.fail_local(name, &reason, now);
        }
    }

    /// A resource that cannot even be ended keeps its group here: what it still does is not known.
    pub(super) fn note_deadlocks(&mut self, now: Now) {
        let hung = |l: &Local| l.is_terminating() && l.timed_out(now);
        let names = self.locals.iter().filter(|(_, l)| hung(l));
        for name in names.map(|(n, _)| n.clone()).collect::<Vec<_>>() {
            let text = format!(
                "it does not end within its DeadlockTimeout, after: {}",
                self.locals.get(&name).map_or("", Local::cause)
            );
            let resource = self.view.resource_name(&name);
            self.log("ERR", "RCM", format!("{resource}: {text}"));
            if let Some(local) = self.locals.get_mut(&name) {
                local.hangs(text);
            }
        }
    }

    /// A sign of progress: the time between two signs begins anew.
    pub(super) fn progressed(&mut self, name: &str, epoch: u64, now: Now) {
        let policy = self.view.resources.get(name).map(|r| r.policy);
        let gap = policy.unwrap_or_default().pending_gap_ms();
        if let Some(local) = self.locals.get_mut(name).filter(|l| l.epoch() == epoch) {
            local.progressed(Duration::from_millis(gap), now);
        }
    }

    /// Ends a resource at once.
    pub(super) fn end(&mut self, name: &str, cause: Option<String>, now: Now) {
        let serial = self.next_serial();
        let policy = self.view.resources.get(name).map(|r| r.policy);
        let deadlock = Duration::from_millis(policy.unwrap_or_default().deadlock_timeout_ms);
        let Some(local) = self.locals.get_mut(name) else {
            return;
        };
        if local.is_at_rest() || local.is_terminating() {
            return;
        }
        local.terminate(serial, deadlock, cause, now);
        self.actions.push(Action::Terminate {
            resource: name.to_owned(),
            serial,
        });
    }

    /// A resource whose configuration is gone: ended, then forgotten.
    fn forget(&mut self, name: &str, now: Now) {
        if self.locals.get(name).is_some_and(Local::is_at_rest) {
            self.locals.remove(name);
        } else {
            self.end(name, Some("it was removed".to_owned()), now);
        }
    }

    /// Ends all that runs of a group that this node does not own, in no order: nothing may go on.
    pub(super) fn abandon(&mut self, group: &str, now: Now) {
        for name in self.resources_here(group) {
            let known = self.view.resources.get(&name);
            if known.is_some_and(|config| fold(&config.group) == group) {
                self.end(
                    &name,
                    Some("this node does not own the group any more".to_owned()),
                    now,
                );
            } else {
                self.forget(&name, now);
            }
        }
        if let Some(run) = self.runs.get_mut(group) {
            run.leaving = None;
            run.epoch = 0;
            run.handled_requests.clear();
        }
    }

    /// The answer to [`Action::Online`].
    pub(super) fn came_online(
        &mut self,
        name: &str,
        serial: u64,
        result: Result<OnlineFacts, String>,
        now: Now,
    ) {
        let awaited = |l: &Local| l.expects(serial) && l.is_pending();
        if !self.locals.get(name).is_some_and(awaited) {
            return; // the answer to an attempt that was given up
        }
        match result {
            Err(reason) => self.fail_local(name, &reason, now),
            Ok(facts) => {
                self.decide_online(name, &facts, now);
                if let Some(local) = self.locals.get_mut(name) {
                    local.came_online(facts, now);
                }
            }
        }
    }

    fn decide_online(&mut self, name: &str, facts: &OnlineFacts, now: Now) {
        let Some(config) = self.view.resources.get(name) else {
            return;
        };
        let group = crate::cluster::record::fold(&config.group);
        let event = resource_type::find(&config.resource_type).map_or("online", |t| t.event);
        let mut after = 0.0;
        for (step, millis) in facts.steps.iter().rev() {
            if step == "replayed" {
                let at = now
                    .boot
                    .saturating_sub(Duration::from_secs_f64(f64::max(after, 0.0) / 1e3));
                let then = Now { boot: at, ..now };
                let text = format!("the log was replayed in {millis:.1} ms");
                self.decide(&group, Some(name), "replayed", text, then);
            }
            after += millis;
        }
        let steps: Vec<String> = facts
            .steps
            .iter()
            .map(|(step, millis)| format!("{step} {millis:.1} ms"))
            .collect();
        let text = match steps.is_empty() {
            true => "online".to_owned(),
            false => format!("online: {}", steps.join(", ")),
        };
        self.decide(&group, Some(name), event, text, now);
    }

    /// The answer to [`Action::Offline`].
    pub(super) fn went_offline(
        &mut self,
        name: &str,
        serial: u64,
        result: Result<(), String>,
        now: Now,
    ) {
        let Some(local) = self
            .locals
            .get_mut(name)
            .filter(|l| l.expects(serial) && l.is_stopping())
        else {
            return;
        };
        match result {
            Ok(()) => {
                local.went_offline(now);
                let (group, cause) = (local.group().to_owned(), local.cause().to_owned());
                self.decide(&group, Some(name), "offline", cause, now);
            }
            Err(reason) => {
                self.log(
                    "WARN",
                    "RCM",
                    format!(
                        "{} did not go offline in order: {reason}",
                        self.view.resource_name(name)
                    ),
                );
                let cause = format!("ended, because it did not go offline in order: {reason}");
                self.end(name, Some(cause), now);
            }
        }
    }

    /// The answer to [`Action::Terminate`].
    pub(super) fn terminated(&mut self, name: &str, serial: u64, now: Now) {
        let awaited = |l: &&mut Local| l.expects(serial) && l.is_terminating();
        if let Some(local) = self.locals.get_mut(name).filter(awaited) {
            local.ended(now);
        }
    }
}
