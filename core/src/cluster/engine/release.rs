//! Giving a group to its next owner, once all of it is down.

use super::leaving::{Leaving, Why};
use super::local::Local;
use super::publish::store;
use super::{Engine, Intent, Now, put};
use crate::cluster::record::{Drained, Owner, fold, key};
use crate::database::{Guard, Transaction, Write};

impl Engine {
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
        let mut guards = guards;
        guards.extend(self.rival_guards(group));
        let mut writes = vec![put("owner", group, &next)];
        if self.view.moves.contains_key(group) {
            let key = key("move", group);
            writes.push(Write::Delete { key });
        }
        if leaving.why == Why::Failure {
            writes.extend(self.count_failover(group, &mine, now));
        }
        if let Some((guard, write)) = self.drained(group, leaving.why) {
            guards.push(guard);
            writes.push(write);
        }
        let event = match leaving.why {
            Why::Failback => "failback",
            Why::Asked | Why::Failure | Why::Stop | Why::Drain => "moved",
        };
        let text = format!("to {}: {}", next.node, leaving.cause);
        self.decide(group, None, event, text, now);
        let mut decisions = std::mem::take(&mut self.run(group).decisions);
        for (key, decision) in &mut decisions {
            if decision.event == event {
                decision.epoch = epoch;
            }
            writes.push(store(key, decision));
        }
        self.run(group).releasing = decisions;
        let intent = Intent::Release {
            group: group.to_owned(),
        };
        self.change_owner(intent, group, Transaction { guards, writes });
    }

    /// What a drain moves away is remembered for as long as the node is paused: who resumes it meanwhile comes first.
    fn drained(&self, group: &str, why: Why) -> Option<(Guard, Write)> {
        let me = fold(&self.settings.node);
        let known = self.view.drained.get(group);
        match (why, self.view.pauses.get(&me)) {
            (Why::Drain, Some(pause)) => {
                let guard = self.view.guard("pause", &self.view.pauses, &me);
                let row = Drained {
                    node: me,
                    pause: pause.id.clone(),
                };
                Some((guard, put("drained", group, &row)))
            }
            (Why::Asked, _) if known.is_some() => {
                let guard = self.view.guard("drained", &self.view.drained, group);
                let key = key("drained", group);
                Some((guard, Write::Delete { key }))
            }
            _ => None,
        }
    }

    /// A failover is counted with the change of owner; on the next node restarts are counted anew.
    fn count_failover(&mut self, group: &str, mine: &str, now: Now) -> Vec<Write> {
        self.sequence += 1;
        let id = format!("{mine}/{}", self.sequence);
        let counted = self.view.failovers.get(group).map(|f| f.row.clone());
        let row = counted
            .unwrap_or_default()
            .with(&id, now.wall_ms, self.reading(now));
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
