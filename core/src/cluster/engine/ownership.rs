//! Who owns a group: suspecting, fencing, claiming, and giving away.

use std::collections::BTreeSet;

use super::local::Local;
use super::{Action, Engine, Evidence, FenceOutcome, Intent, Now, Outcome};
use crate::cluster::failback;
use crate::cluster::placement::{Reason, candidates, obstacle, storage_fenced};
use crate::cluster::record::{Decision, Failure, Owner, encode, fold, key};
use crate::database::{Transaction, Write};

/// How far the fencing of a suspected node has come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fencing {
    NotAsked,
    Asked,
    /// Its agent is gone for certain.
    Dead,
    /// Unknown; groups that the storage protects may be taken, others wait for the lease.
    Unproven,
}

/// A node that may be dead, in one of its lives.
#[derive(Clone, Debug)]
pub(super) struct Suspicion {
    incarnation: String,
    evidence: Evidence,
    fencing: Fencing,
    outcome: String,
    detected: Now,
    fenced: Option<Now>,
}

/// Why a group leaves this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// An operator asked.
    Asked,
    /// A resource failed too often.
    Failure,
    /// A preferred owner is back.
    Failback,
    /// This node stops.
    Stop,
}

/// A group on its way to another node; without a target it only goes offline.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    pub(super) target: Option<String>,
    pub(super) why: Why,
    pub(super) cause: String,
}

impl Engine {
    pub(super) fn suspect(
        &mut self,
        node: &str,
        incarnation: String,
        evidence: Evidence,
        now: Now,
    ) {
        let node = fold(node);
        let known = self.suspicions.get(&node);
        let same = known.is_some_and(|s| {
            s.incarnation == incarnation
                && (s.evidence == evidence || s.fencing != Fencing::Unproven)
        });
        if same || node == fold(&self.settings.node) {
            return;
        }
        let text = match evidence {
            Evidence::Closed => "its connection was closed",
            Evidence::Silent => "it missed its heartbeats",
        };
        self.log(
            "WARN",
            "NM",
            format!("node {} may be dead: {text}", self.view.node_name(&node)),
        );
        let suspicion = Suspicion {
            incarnation,
            evidence,
            fencing: Fencing::NotAsked,
            outcome: text.to_owned(),
            detected: now,
            fenced: None,
        };
        self.suspicions.insert(node, suspicion);
    }

    pub(super) fn clear_suspicion(&mut self, node: &str, incarnation: &str) {
        let node = fold(node);
        let cleared = self.suspicions.get(&node).is_some_and(|s| {
            s.incarnation == incarnation
                && matches!(s.fencing, Fencing::NotAsked | Fencing::Unproven)
        });
        if cleared {
            self.suspicions.remove(&node);
            self.log(
                "INFO",
                "NM",
                format!("node {} is heard again", self.view.node_name(&node)),
            );
        }
    }

    pub(super) fn fenced(
        &mut self,
        node: &str,
        incarnation: &str,
        outcome: FenceOutcome,
        now: Now,
    ) {
        let node = fold(node);
        let Some(suspicion) = self
            .suspicions
            .get_mut(&node)
            .filter(|s| s.incarnation == incarnation)
        else {
            return;
        };
        suspicion.fenced = Some(now);
        let text = match outcome {
            FenceOutcome::Alive => {
                self.suspicions.remove(&node);
                "it lives; only its connection was lost".to_owned()
            }
            FenceOutcome::Dead(text) => {
                suspicion.fencing = Fencing::Dead;
                suspicion.outcome.clone_from(&text);
                text
            }
            FenceOutcome::Unproven(text) => {
                suspicion.fencing = Fencing::Unproven;
                suspicion.outcome.clone_from(&text);
                text
            }
        };
        self.log(
            "INFO",
            "NM",
            format!("fencing of node {}: {text}", self.view.node_name(&node)),
        );
    }

    /// Nodes whose present life is suspected.
    pub(super) fn dead(&self) -> BTreeSet<String> {
        let suspected = self.suspicions.iter().filter(|(node, s)| {
            let session = self.view.sessions.get(*node);
            session.is_none_or(|session| session.incarnation == s.incarnation)
        });
        suspected.map(|(node, _)| node.clone()).collect()
    }

    /// A group without a live owner, or whose owner may be dead: the best candidate takes it.
    pub(super) fn consider_claim(&mut self, group: &str, now: Now) {
        if !self.may_claim(group, now) {
            return;
        }
        let dead = self.dead();
        let owner = self.view.owners.get(group).map(|o| o.row.clone());
        let live = self.view.live_owner(group).is_some();
        if let Some(owner) = &owner
            && live
            && !dead.contains(&fold(&owner.node))
        {
            return;
        }
        let best = candidates(&self.view, &dead, group, Reason::Orphaned);
        if best.first() != Some(&fold(&self.settings.node)) {
            return;
        }
        match owner {
            None => self.claim(group, None, "the group is new", now),
            Some(owner) => self.take_over(group, &owner, live, now),
        }
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

    fn take_over(&mut self, group: &str, owner: &Owner, live: bool, now: Now) {
        let node = fold(&owner.node);
        if !self.must_fence(owner) {
            let cause = format!(
                "the Cluster service of {} ended; its lease is over",
                owner.node
            );
            self.claim(group, None, &cause, now);
            return;
        }
        if !live && !self.suspicions.contains_key(&node) {
            let gone = Suspicion {
                incarnation: owner.incarnation.clone(),
                evidence: Evidence::Silent,
                fencing: Fencing::NotAsked,
                outcome: "its lease has expired".to_owned(),
                detected: now,
                fenced: None,
            };
            self.suspicions.insert(node.clone(), gone);
        }
        let Some(suspicion) = self.suspicions.get(&node).cloned() else {
            return;
        };
        let proven = suspicion.fencing == Fencing::Dead;
        let harmless = suspicion.fencing == Fencing::Unproven && storage_fenced(&self.view, group);
        match suspicion.fencing {
            Fencing::NotAsked => self.ask_fencing(&node),
            Fencing::Asked => {}
            _ if proven || harmless || !live => {
                let cause = format!("{} is dead: {}", owner.node, suspicion.outcome);
                self.claim(group, Some(&suspicion), &cause, now);
            }
            _ => {}
        }
    }

    /// Whether the process of the former owner may still run: it is the last life seen of its node, and
    /// the same process has not joined again (it ends everything before it does).
    fn must_fence(&self, owner: &Owner) -> bool {
        let node = fold(&owner.node);
        if node == fold(&self.settings.node) {
            return false;
        }
        let last = self.seen.get(&node);
        last.is_some_and(|(session, _)| session.incarnation == owner.incarnation)
    }

    fn ask_fencing(&mut self, node: &str) {
        let Some((session, _)) = self.seen.get(node).cloned() else {
            return;
        };
        if let Some(suspicion) = self.suspicions.get_mut(node) {
            suspicion.fencing = Fencing::Asked;
            let evidence = suspicion.evidence;
            self.actions.push(Action::Fence { session, evidence });
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
            self.view
                .guard("session", &self.view.sessions, &self.settings.node),
        ];
        let mut writes = Vec::new();
        if let Some(former) = &former
            && let Some(session) = self.view.session_of(&former.node, &former.incarnation)
        {
            let key = key("session", &former.node);
            guards.push(crate::database::Guard {
                key: key.clone(),
                version: session.version,
            });
            writes.push(Write::Delete { key });
        }
        if self.view.moves.contains_key(group) {
            let key = key("move", group);
            writes.push(Write::Delete { key });
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
            writes.push(self.store(&decision));
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
        list.push(self.decision(group, None, "claimed", cause.to_owned(), now));
        for decision in &mut list {
            decision.epoch = epoch;
        }
        list
    }

    fn change_owner(&mut self, intent: Intent, group: &str, transaction: Transaction) {
        self.run(group).changing_owner = true;
        self.actions.push(Action::Commit {
            intent,
            transaction,
        });
    }

    pub(super) fn owner_changed(&mut self, group: &str, outcome: &Outcome, now: Now) {
        let run = self.run(group);
        run.changing_owner = false;
        if !matches!(outcome, Outcome::Done(_)) {
            // Somebody was first, or the database did not answer: the next snapshot says.
            run.commit_not_before = now.boot + super::COMMIT_RETRY;
        }
    }

    /// What operators asked for, as rows of the present epoch.
    pub(super) fn handle_requests(&mut self, group: &str, now: Now) {
        let epoch = self.run(group).epoch;
        let requests: Vec<(String, String)> = self
            .view
            .resources_of(group)
            .filter_map(|(name, _)| {
                let request = self.view.fail_requests.get(name)?;
                (request.epoch == epoch).then(|| (name.clone(), request.id.clone()))
            })
            .collect();
        for (name, id) in requests {
            if self.run(group).handled_requests.insert(id)
                && self.locals.get(&name).is_some_and(Local::is_online)
            {
                self.fail_local(
                    &name,
                    "a failure was asked for (Test-ClusterResourceFailure)",
                    now,
                );
            }
        }
    }

    /// Whether the group should go elsewhere: asked, this node stops, or a preferred owner is back.
    pub(super) fn consider_leaving(&mut self, group: &str, now: Now) {
        if let Some(leaving) = self.runs.get(group).and_then(|r| r.leaving.clone()) {
            self.reconsider_leaving(group, &leaving, now);
            return;
        }
        let me = self.settings.node.clone();
        let dead = self.dead();
        if self.stopping {
            let mut target = candidates(&self.view, &dead, group, Reason::Planned { source: &me });
            if self.all_stop {
                target.clear();
            }
            let leaving = Leaving {
                target: target.into_iter().next(),
                why: Why::Stop,
                cause: format!("the Cluster service of {} stops", self.view.node_name(&me)),
            };
            self.leave(group, leaving, now);
            return;
        }
        let epoch = self.run(group).epoch;
        let asked = self.view.moves.get(group).filter(|m| m.epoch == epoch);
        if let Some(request) = asked.map(|m| m.row.clone())
            && fold(&request.target) != fold(&me)
            && obstacle(&self.view, &dead, group, &request.target).is_none()
        {
            let leaving = Leaving {
                target: Some(fold(&request.target)),
                why: Why::Asked,
                cause: request.cause,
            };
            self.leave(group, leaving, now);
            return;
        }
        self.consider_failback(group, &dead, now);
    }

    fn consider_failback(&mut self, group: &str, dead: &BTreeSet<String>, now: Now) {
        let settled = |l: &Local| l.group() != group || l.is_online() || l.is_offline();
        if !self.locals.values().all(settled) {
            return;
        }
        let Some(owner) = self.view.owners.get(group).map(|o| o.row.clone()) else {
            return;
        };
        let delay = self.settings.failback_delay;
        let stable = |node: &str| {
            let seen = self.seen.get(node);
            seen.is_some_and(|(_, at)| now.boot >= *at + delay)
        };
        if let Some(target) = failback::target(&self.view, dead, group, &owner, stable) {
            let cause = format!(
                "the preferred owner {} is back",
                self.view.node_name(&target)
            );
            let leaving = Leaving {
                target: Some(target),
                why: Why::Failback,
                cause,
            };
            self.leave(group, leaving, now);
        }
    }

    pub(super) fn leave(&mut self, group: &str, leaving: Leaving, now: Now) {
        let name = self.view.group_name(group);
        let text = match &leaving.target {
            Some(target) => {
                let target = self.view.node_name(target);
                format!("{name} moves to {target}: {}", leaving.cause)
            }
            None => format!(
                "{name} goes offline, no other node may own it: {}",
                leaving.cause
            ),
        };
        self.log("INFO", "FM", text);
        let epoch = self.view.next_epoch(group);
        let run = self.run(group);
        run.episode = format!("{group}#{epoch}");
        let cause = leaving.cause.clone();
        run.leaving = Some(leaving);
        self.decide(group, None, "leaving", cause, now);
    }

    /// The target may have died meanwhile: another is chosen, or the group stays.
    fn reconsider_leaving(&mut self, group: &str, leaving: &Leaving, now: Now) {
        let dead = self.dead();
        let Some(target) = &leaving.target else {
            return;
        };
        if obstacle(&self.view, &dead, group, target).is_none()
            || self.runs.get(group).is_some_and(|r| r.changing_owner)
        {
            return;
        }
        let me = self.settings.node.clone();
        let planned = candidates(&self.view, &dead, group, Reason::Planned { source: &me });
        let next = match leaving.why {
            Why::Asked | Why::Failback => None,
            Why::Failure | Why::Stop => planned.into_iter().next(),
        };
        let text = format!("{} is not available any more", self.view.node_name(target));
        self.log(
            "WARN",
            "FM",
            format!("{} does not move: {text}", self.view.group_name(group)),
        );
        self.decide(group, None, "stays", text, now);
        let stop = leaving.why == Why::Stop;
        let again = Leaving {
            target: next.clone(),
            ..leaving.clone()
        };
        self.run(group).leaving = (next.is_some() || stop).then_some(again);
    }

    /// Everything is down: the group is given to its next owner.
    pub(super) fn finish_leaving(&mut self, group: &str, now: Now) {
        let Some(run) = self.runs.get(group) else {
            return;
        };
        let Some(leaving) = run.leaving.clone() else {
            return;
        };
        let busy = run.changing_owner || run.publishing.is_some();
        let down = |l: &Local| l.group() != group || l.is_at_rest();
        if busy || run.commit_not_before > now.boot || !self.locals.values().all(down) {
            return;
        }
        if let Some(target) = &leaving.target {
            self.release(group, target, &leaving, now);
        }
    }

    fn release(&mut self, group: &str, target: &str, leaving: &Leaving, now: Now) {
        let (Some(session), Some(owner), Some(mine)) = (
            self.view.sessions.get(target).cloned(),
            self.view.owners.get(group).cloned(),
            self.incarnation.clone(),
        ) else {
            return;
        };
        let epoch = owner.epoch + 1;
        let mut left = owner.left.clone();
        left.insert(fold(&self.settings.node), mine.clone());
        let next = Owner {
            node: self.view.node_name(target),
            incarnation: session.incarnation.clone(),
            epoch,
            cause: leaving.cause.clone(),
            left,
        };
        let guards = vec![
            self.owner_guard(group),
            self.view.guard("session", &self.view.sessions, target),
        ];
        let mut writes = vec![put("owner", group, &next)];
        if self.view.moves.contains_key(group) {
            let key = key("move", group);
            writes.push(Write::Delete { key });
        }
        if leaving.why == Why::Failure {
            writes.extend(self.count_failover(group, &mine, now));
        }
        let event = match leaving.why {
            Why::Failback => "failback",
            Why::Asked | Why::Failure | Why::Stop => "moved",
        };
        let text = format!("to {}: {}", next.node, leaving.cause);
        self.decide(group, None, event, text, now);
        for mut decision in std::mem::take(&mut self.run(group).decisions) {
            if decision.event == event {
                decision.epoch = epoch;
            }
            writes.push(self.store(&decision));
        }
        let intent = Intent::Release {
            group: group.to_owned(),
        };
        self.change_owner(intent, group, Transaction { guards, writes });
    }

    /// A failover is counted with the change of owner; on the next node restarts are counted anew.
    fn count_failover(&mut self, group: &str, mine: &str, now: Now) -> Vec<Write> {
        self.sequence += 1;
        let failure = Failure {
            id: format!("{mine}/{}", self.sequence),
            at_ms: now.wall_ms,
        };
        let counted = self.view.failovers.get(group);
        let row = counted
            .map(|f| f.row.clone())
            .unwrap_or_default()
            .with(failure);
        let mut writes = vec![put("failovers", group, &row)];
        for (name, _) in self.view.resources_of(group) {
            if self.view.failures.contains_key(name) {
                let key = key("failures", name);
                writes.push(Write::Delete { key });
            }
        }
        writes
    }
}

fn put<T: serde::Serialize>(kind: &str, name: &str, row: &T) -> Write {
    Write::Put {
        key: key(kind, name),
        value: encode(row),
        lease: None,
    }
}
