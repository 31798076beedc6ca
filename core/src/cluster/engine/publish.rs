//! Saying what is: states of resources and decisions, in one guarded transaction at a time and group.

use super::local::Stamp;
use super::{Action, Engine, Intent, Now, Outcome};
use crate::cluster::basis::Basis;
use crate::cluster::record::{DECISION_PREFIX, Decision, ResourceStatus, encode, fold, key};
use crate::database::{Guard, Transaction, Write};

/// What a publication under way says.
#[derive(Debug, Default)]
pub(super) struct Publication {
    stamps: Vec<(String, Stamp)>,
    decisions: Vec<(String, Decision)>,
}

/// Decisions kept in memory while the database does not answer.
const UNSAVED_MAX: usize = 1000;

impl Engine {
    /// Notes a decision; it is stored with the next publication.
    pub(super) fn decide(
        &mut self,
        group: &str,
        resource: Option<&str>,
        event: &str,
        cause: String,
        now: Now,
    ) {
        self.decide_on(group, resource, event, cause, None, now);
    }

    /// The same with what it was decided on.
    pub(super) fn decide_on(
        &mut self,
        group: &str,
        resource: Option<&str>,
        event: &str,
        cause: String,
        basis: Option<Basis>,
        now: Now,
    ) {
        let mut decision = self.decision(group, resource, event, cause, now);
        decision.basis = basis;
        let key = self.decision_key(&decision);
        let run = self.run(group);
        if run.decisions.len() < UNSAVED_MAX {
            run.decisions.push((key, decision));
        }
    }

    pub(super) fn decision(
        &mut self,
        group: &str,
        resource: Option<&str>,
        event: &str,
        cause: String,
        now: Now,
    ) -> Decision {
        let run = self.runs.get(group);
        Decision {
            wall_ms: now.wall_ms,
            boot_ns: u64::try_from(now.boot.as_nanos()).unwrap_or(u64::MAX),
            boot_id: self.settings.boot_id.clone(),
            node: self.settings.node.clone(),
            group: self.view.group_name(group),
            resource: resource.map(|name| self.view.resource_name(name)),
            event: event.to_owned(),
            cause,
            epoch: self.view.owners.get(group).map_or(0, |o| o.epoch),
            episode: run.map(|r| r.episode.clone()).unwrap_or_default(),
            basis: None,
        }
    }

    /// A key that sorts by time and is never given twice. It is given with the decision, so that one
    /// whose write was answered by nobody is written again as the same.
    pub(super) fn decision_key(&mut self, decision: &Decision) -> String {
        self.sequence += 1;
        let life = self.incarnation.as_deref().unwrap_or("-");
        let life = life.get(..8).unwrap_or(life);
        format!(
            "{DECISION_PREFIX}{:015}-{}-{life}-{:08}",
            decision.wall_ms, decision.node, self.sequence
        )
    }

    /// Publishes what has changed, unless a publication is under way.
    pub(super) fn publish(&mut self, group: &str, now: Now) {
        let run = self.run(group);
        if run.publishing.is_some() || run.changing_owner || run.commit_not_before > now.boot {
            return;
        }
        let epoch = run.epoch;
        let stamps = self.changed(group, epoch);
        let decisions = std::mem::take(&mut self.run(group).decisions);
        let deletions = self.handled_rows(group);
        if stamps.is_empty() && decisions.is_empty() && deletions.is_empty() {
            return;
        }
        let mut writes: Vec<Write> = stamps.iter().map(|(n, s)| self.status(n, s)).collect();
        writes.extend(deletions);
        for (key, decision) in &decisions {
            writes.push(store(key, decision));
        }
        let transaction = Transaction {
            guards: vec![self.owner_guard(group)],
            writes,
        };
        self.run(group).publishing = Some(Publication { stamps, decisions });
        self.actions.push(Action::Commit {
            intent: Intent::Publish {
                group: group.to_owned(),
            },
            transaction,
        });
    }

    pub(super) fn owner_guard(&self, group: &str) -> Guard {
        self.view.guard("owner", &self.view.owners, group)
    }

    fn changed(&self, group: &str, epoch: u64) -> Vec<(String, Stamp)> {
        let here = self.locals.iter().filter(|(name, local)| {
            local.group() == group && self.view.resources.contains_key(*name)
        });
        here.filter_map(|(name, local)| {
            let stamp = local.stamp(epoch);
            (local.published.as_ref() != Some(&stamp)).then(|| (name.clone(), stamp))
        })
        .collect()
    }

    fn status(&self, name: &str, stamp: &Stamp) -> Write {
        let facts = self.locals.get(name).map(|l| &l.facts);
        let status = ResourceStatus {
            state: stamp.state.number(),
            node: self.settings.node.clone(),
            epoch: stamp.epoch,
            cause: stamp.cause.clone(),
            since_ms: stamp.since_ms,
            endpoint: facts.and_then(|f| f.endpoint.clone()),
            network_name: facts.and_then(|f| f.network_name.clone()),
            resting: stamp.resting,
        };
        Write::Put {
            key: key("state", name),
            value: encode(&status),
            lease: None,
        }
    }

    /// Requests that were handled or have outlived their epoch.
    fn handled_rows(&self, group: &str) -> Vec<Write> {
        let owner_epoch = self.view.owners.get(group).map_or(0, |o| o.epoch);
        let run = self.runs.get(group);
        let handled = |id: &str| run.is_some_and(|r| r.handled_requests.contains(id));
        let mut rows = Vec::new();
        for (name, _) in self.view.resources_of(group) {
            let request = self.view.fail_requests.get(name);
            if request.is_some_and(|r| r.epoch != owner_epoch || handled(&r.id)) {
                let key = key("fail", name);
                rows.push(Write::Delete { key });
            }
        }
        let leaving = run.is_some_and(|r| r.leaving.is_some());
        if let Some(request) = self.view.moves.get(group)
            && !(leaving && request.epoch == owner_epoch)
        {
            let key = key("move", group);
            rows.push(Write::Delete { key });
        }
        rows
    }

    /// The answer to [`Action::Commit`].
    pub(super) fn committed(
        &mut self,
        intent: Intent,
        transaction: &Transaction,
        outcome: &Outcome,
        now: Now,
    ) {
        if let Outcome::Done(revision) = *outcome
            && revision > self.view.revision
        {
            self.view.apply(transaction, revision);
            self.view_changed(now);
        }
        if let Outcome::Failed(why) = outcome {
            self.log("ERR", "DB", format!("{intent:?}: {why}"));
        }
        let done = matches!(outcome, Outcome::Done(_));
        match intent {
            Intent::Publish { group } => self.published(&fold(&group), outcome, now),
            Intent::RecordFailure { resource } => self.failure_counted(&resource, done, now),
            Intent::Departure { .. } => self.departure_written(done, now),
            Intent::Claim { group } | Intent::Release { group } => {
                self.owner_changed(&group, outcome, now);
            }
        }
    }

    fn published(&mut self, group: &str, outcome: &Outcome, now: Now) {
        let Some(publication) = self.run(group).publishing.take() else {
            return;
        };
        if matches!(outcome, Outcome::Done(_)) {
            for (name, stamp) in publication.stamps {
                if let Some(local) = self.locals.get_mut(&name) {
                    local.published = Some(stamp);
                }
            }
            return;
        }
        let run = self.run(group);
        run.commit_not_before = now.boot + super::COMMIT_RETRY;
        run.unsave(publication.decisions);
    }
}

/// The write that stores a decision.
pub(super) fn store(key: &str, decision: &Decision) -> Write {
    Write::Put {
        key: key.to_owned(),
        value: encode(decision),
        lease: None,
    }
}
