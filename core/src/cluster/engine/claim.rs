//! Becoming the owner of a group that has none, or whose owner may be dead.

use super::local::Local;
use super::publish::store;
use super::suspicion::{Fencing, Suspicion};
use super::{Action, Engine, Evidence, Intent, Now, Outcome, put};
use crate::cluster::affinity::rivals;
use crate::cluster::basis::Basis;
use crate::cluster::placement::{Reason, is_orphaned, plan, storage_fenced};
use crate::cluster::record::{Decision, Expelled, Held, Owner, encode, fold, key};
use crate::database::{Guard, Transaction, Write};

impl Engine {
    /// A group without a live owner, or whose owner may be dead: the best candidate takes it.
    pub(super) fn consider_claim(&mut self, group: &str, now: Now) {
        if !self.may_claim(group, now) {
            return;
        }
        let dead = self.dead();
        if !is_orphaned(&self.view, &dead, group) || !self.is_planned_here(group) {
            return;
        }
        match self.view.owners.get(group).map(|o| o.row.clone()) {
            None => self.claim(group, None, "the group is new", now),
            Some(owner) => self.take_over(group, &owner, now),
        }
    }

    /// Every node makes the same plan of the same view; this one acts on its own part of it.
    fn is_planned_here(&mut self, group: &str) -> bool {
        let dead = self.dead();
        if self.planned.as_ref().is_none_or(|(of, _)| *of != dead) {
            let plan = plan(&self.view, &dead);
            self.planned = Some((dead, plan));
        }
        let place = self
            .planned
            .as_ref()
            .and_then(|(_, plan)| plan.places.get(group));
        place.is_some_and(|node| *node == fold(&self.settings.node))
    }

    fn may_claim(&mut self, group: &str, now: Now) -> bool {
        let at_rest = |l: &Local| l.group() != group || l.is_at_rest();
        self.view.groups.contains_key(group)
            && !self.stopping
            && self.lease_is_valid(now)
            && self.locals.values().all(at_rest)
            && !self.run(group).changing_owner
            && self.run(group).commit_not_before <= now.boot
    }

    fn take_over(&mut self, group: &str, owner: &Owner, now: Now) {
        let node = fold(&owner.node);
        let session = self.view.session_of(&node, &owner.incarnation);
        let live = session.is_some();
        // What is taken before the lease is over leaves a row that lives by it, for the owner's other groups.
        let expels = session.is_none_or(|s| s.lease.is_some());
        let over = !self.view.lease_may_run(owner);
        if over && !self.must_fence(owner) {
            let cause = format!(
                "the Cluster service of {} ended; its lease is over",
                owner.node
            );
            self.claim(group, None, &cause, now);
            return;
        }
        if !live && self.suspicion_of(owner).is_none() {
            self.suspect_expired(owner, now);
        }
        let Some(suspicion) = self.suspicion_of(owner).cloned() else {
            return;
        };
        let proven = suspicion.fencing == Fencing::Dead;
        let harmless =
            suspicion.fencing == Fencing::Unproven && storage_fenced(&self.view, group) && expels;
        match suspicion.fencing {
            Fencing::NotAsked => self.ask_fencing(&node),
            Fencing::Asked => {}
            _ if proven || harmless || over => {
                let cause = format!("{} is dead: {}", owner.node, suspicion.outcome);
                self.claim(group, Some(&suspicion), &cause, now);
            }
            _ => {}
        }
    }

    fn claim(&mut self, group: &str, suspicion: Option<&Suspicion>, cause: &str, now: Now) {
        let Some(mine) = self.incarnation.clone() else {
            return;
        };
        let epoch = self.view.next_epoch(group);
        let former = self.view.owners.get(group).map(|o| o.row.clone());
        self.run(group).episode = format!("{group}#{epoch}");
        let mut guards = vec![
            self.owner_guard(group),
            // Which resources are in it: one that has moved to another group meanwhile may run there.
            self.view.guard("group", &self.view.groups, group),
            self.view
                .guard("session", &self.view.sessions, &self.settings.node),
        ];
        let mut writes = Vec::new();
        if let Some(former) = &former {
            self.end_session_of(former, suspicion, &mut guards, &mut writes);
        }
        guards.extend(self.rival_guards(group));
        if self.view.moves.contains_key(group) {
            let key = key("move", group);
            writes.push(Write::Delete { key });
        }
        if former.is_some() {
            writes.extend(self.hold(group, cause));
        }
        for (guard, write) in self.counts_on_this_clock(group, now) {
            guards.push(guard);
            writes.push(write);
        }
        let owner = Owner {
            node: self.view.node_name(&self.settings.node),
            incarnation: mine,
            epoch,
            cause: cause.to_owned(),
            left: former.map(|o| o.left).unwrap_or_default(),
        };
        writes.push(put("owner", group, &owner));
        for decision in self.claim_decisions(group, suspicion, cause, epoch, now) {
            let key = self.decision_key(&decision);
            writes.push(store(&key, &decision));
        }
        self.log(
            "INFO",
            "FM",
            format!(
                "claiming {} at epoch {epoch}: {cause}",
                self.view.group_name(group)
            ),
        );
        let transaction = Transaction { guards, writes };
        self.change_owner(
            Intent::Claim {
                group: group.to_owned(),
            },
            group,
            transaction,
        );
    }

    /// The former owner's session ends with the claim, so that it notices. Without a proof that it is dead, a row says for as
    /// long as its lease lasts that it may be running still.
    fn end_session_of(
        &self,
        former: &Owner,
        suspicion: Option<&Suspicion>,
        guards: &mut Vec<Guard>,
        writes: &mut Vec<Write>,
    ) {
        let Some(session) = self.view.session_of(&former.node, &former.incarnation) else {
            return;
        };
        let session_key = key("session", &former.node);
        guards.push(Guard {
            key: session_key.clone(),
            version: session.version,
        });
        writes.push(Write::Delete { key: session_key });
        if suspicion.is_none_or(|s| s.fencing != Fencing::Dead) {
            let incarnation = former.incarnation.clone();
            writes.push(Write::Put {
                key: key("expelled", &former.node),
                value: encode(&Expelled { incarnation }),
                lease: session.lease,
            });
        }
    }

    fn claim_decisions(
        &mut self,
        group: &str,
        suspicion: Option<&Suspicion>,
        cause: &str,
        epoch: u64,
        now: Now,
    ) -> Vec<Decision> {
        let mut list = Vec::new();
        if let Some(s) = suspicion {
            let text = match s.evidence {
                Evidence::Closed => "the node's connection was closed",
                Evidence::Silent => "the node was silent for too long",
            };
            list.push(self.decision(group, None, "detected", text.to_owned(), s.detected));
            if let Some(at) = s.fenced {
                list.push(self.decision(group, None, "fenced", s.outcome.clone(), at));
            }
        }
        let mut claimed = self.decision(group, None, "claimed", cause.to_owned(), now);
        let known = self
            .planned
            .as_ref()
            .and_then(|(_, plan)| plan.standings.get(group));
        claimed.basis = known.map(|s| Basis::placement(Reason::Orphaned, s.clone()));
        list.push(claimed);
        for decision in &mut list {
            decision.epoch = epoch;
        }
        list
    }

    pub(super) fn change_owner(&mut self, intent: Intent, group: &str, transaction: Transaction) {
        let revision = self.view.revision;
        let run = self.run(group);
        run.changing_owner = true;
        run.decided_on = revision;
        self.actions.push(Action::Commit {
            intent,
            transaction,
        });
    }

    /// Where anti-affinity is enforced, no rival may have moved meanwhile.
    pub(super) fn rival_guards(&self, group: &str) -> Vec<Guard> {
        // Every change of who is whose rival writes this row.
        let mut guards = vec![self.view.policy_guard()];
        if self.view.policy().enforced_anti_affinity {
            let rivals = rivals(&self.view, group).into_iter();
            guards.extend(rivals.map(|rival| self.owner_guard(&rival)));
        }
        guards
    }

    /// Priority 0: what was lost with its node is not started by itself.
    fn hold(&self, group: &str, cause: &str) -> Option<Write> {
        let disabled = self.view.groups.get(group).is_some_and(|g| g.priority == 0);
        let wanted = self
            .view
            .resources_of(group)
            .any(|(_, r)| r.persistent_online);
        let row = Held {
            cause: format!(
                "its Priority is 0 and {cause}: Start-ClusterGroup {} starts it",
                self.view.group_name(group)
            ),
        };
        (disabled && wanted && !self.view.held.contains_key(group))
            .then(|| put("held", group, &row))
    }

    /// The new owner counts on: ages that another kernel's clock measured are taken over. The former owner
    /// may just have counted once more, so each row is guarded as well.
    fn counts_on_this_clock(&self, group: &str, now: Now) -> Vec<(Guard, Write)> {
        let boot_id = self.settings.boot_id.as_str();
        let reading = self.reading(now);
        let mut rows = Vec::new();
        let failovers = self.view.failovers.get(group);
        if let Some(row) = failovers.filter(|r| r.is_foreign(boot_id)) {
            let guard = self.view.guard("failovers", &self.view.failovers, group);
            rows.push((guard, put("failovers", group, &row.stamped(reading))));
        }
        for (name, _) in self.view.resources_of(group) {
            let failures = self.view.failures.get(name);
            if let Some(row) = failures.filter(|r| r.is_foreign(boot_id)) {
                let guard = self.view.guard("failures", &self.view.failures, name);
                rows.push((guard, put("failures", name, &row.stamped(reading))));
            }
        }
        rows
    }

    pub(super) fn owner_changed(&mut self, group: &str, outcome: &Outcome, now: Now) {
        let run = self.run(group);
        run.changing_owner = false;
        let unsaved = std::mem::take(&mut run.releasing);
        if matches!(outcome, Outcome::Done(_)) {
            return;
        }
        run.unsave(unsaved);
        // Somebody was first: a newer view, if there is none yet, says what is to be done. Or the database
        // did not answer: it is asked again a little later.
        let decided_on = run.decided_on;
        let newer = self.view.revision > decided_on;
        let run = self.run(group);
        run.outrun = matches!(outcome, Outcome::Refused) && !newer;
        if run.outrun || matches!(outcome, Outcome::Failed(_)) {
            run.commit_not_before = now.boot + super::COMMIT_RETRY;
        }
    }
}
