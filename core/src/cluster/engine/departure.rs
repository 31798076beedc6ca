//! Nodes that left: counted once each, by the first live node, and quarantined when they leave too often.

use std::time::Duration;

use super::{Action, Engine, Intent, Now, boot_ms, put};
use crate::cluster::quarantine::Departures;
use crate::cluster::record::{Failures, fold};
use crate::database::Transaction;

impl Engine {
    /// Sessions that the view does not show any more have ended.
    pub(super) fn note_departures(&mut self) {
        let me = fold(&self.settings.node);
        for (node, (session, _)) in &self.seen {
            let ended = &session.incarnation;
            let present = self.view.sessions.get(node);
            let lives = present.is_some_and(|s| s.incarnation == *ended);
            if !lives && *node != me && self.noted.get(node) != Some(ended) {
                self.noted.insert(node.clone(), ended.clone());
                self.departed.insert(ended.clone(), node.clone());
            }
        }
    }

    /// Writes what is due, one at a time: the end of a session, or of a quarantine.
    pub(super) fn settle_departures(&mut self, now: Now) {
        let (view, known) = (&self.view, &mut self.departed);
        known.retain(|ended, node| {
            let row = view.departures.get(node);
            view.nodes.contains_key(node) && !row.is_some_and(|r| r.knows(ended))
        });
        let busy = self.departing || self.departure_not_before > now.boot;
        if busy || self.stopping || !self.lease_is_valid(now) {
            return;
        }
        let mut departed = self.departed.iter();
        let departed = departed.find(|(_, node)| self.keeps_count_of(node));
        if let Some((ended, node)) = departed.map(|(e, n)| (e.clone(), n.clone())) {
            self.count_departure(&node, &ended, now);
        } else if let Some(node) = self.quarantine_over(now) {
            let name = self.view.node_name(&node);
            self.log("INFO", "NM", format!("the quarantine of {name} is over"));
            let row = self.departures(&node).cleared();
            self.write_departures(&node, &row);
        }
    }

    /// Of the other nodes that live, the one with the lowest number keeps the count; any could. A node that
    /// is back knows nothing of how it left.
    fn keeps_count_of(&self, node: &str) -> bool {
        let dead = self.dead();
        let sessions = &self.view.sessions;
        let up = |name: &String| sessions.contains_key(name) && !dead.contains(name);
        let others = self.view.nodes.iter();
        let others = others.filter(|(name, _)| up(name) && *name != node);
        let first = others.min_by_key(|(_, n)| n.id).map(|(name, _)| name);
        first == Some(&fold(&self.settings.node))
    }

    fn departures(&self, node: &str) -> Departures {
        let row = self.view.departures.get(node);
        row.map(|r| r.row.clone()).unwrap_or_default()
    }

    fn count_departure(&mut self, node: &str, ended: &str, now: Now) {
        let policy = self.view.policy();
        let before = self.departures(node);
        let row = before.departed(ended, policy, now.wall_ms, self.reading(now));
        let name = self.view.node_name(node);
        let times = row
            .counted
            .counted(crate::cluster::quarantine::PERIOD_MS, self.reading(now));
        let text = match row.quarantine == before.quarantine {
            true => format!("node {name} left unexpectedly, {times} times within an hour"),
            false => format!(
                "node {name} left unexpectedly {times} times within an hour: quarantined for {} s; \
                 Start-ClusterNode {name} -ClearQuarantine ends it",
                policy.quarantine_duration_s
            ),
        };
        self.log("WARN", "NM", text);
        self.write_departures(node, &row);
    }

    fn write_departures(&mut self, node: &str, row: &Departures) {
        let guards = vec![
            self.view.guard("node", &self.view.nodes, node),
            self.view.guard("departures", &self.view.departures, node),
            self.view.policy_guard(),
        ];
        let writes = vec![put("departures", node, row)];
        self.departing = true;
        self.actions.push(Action::Commit {
            intent: Intent::Departure {
                node: node.to_owned(),
            },
            transaction: Transaction { guards, writes },
        });
    }

    pub(super) fn departure_written(&mut self, done: bool, now: Now) {
        self.departing = false;
        if !done {
            self.departure_not_before = now.boot + super::COMMIT_RETRY;
        }
    }

    fn quarantine_over(&self, now: Now) -> Option<String> {
        let policy = self.view.policy();
        let mut rows = self.view.departures.iter();
        let over = rows.find(|(node, d)| {
            let alone = self.view.sessions.len() == 1;
            d.is_over(policy, self.reading(now)) && (alone || self.keeps_count_of(node))
        });
        over.map(|(node, _)| node.clone())
    }

    /// When a quarantine ends, or a departure may be written again.
    pub(super) fn departure_deadlines(&self, now: Now) -> impl Iterator<Item = Duration> {
        let duration_ms = self
            .view
            .policy()
            .quarantine_duration_s
            .saturating_mul(1000);
        let left = |row: &Failures| {
            let age = row.entries.first().map(|e| self.reading(now).age(e))?;
            Some(boot_ms(now) + duration_ms.saturating_sub(age))
        };
        let rows = self.view.departures.values();
        let ends = rows.filter_map(|d| left(&d.quarantine).map(Duration::from_millis));
        let again = (!self.departed.is_empty()).then_some(self.departure_not_before);
        let all: Vec<Duration> = ends.chain(again).filter(|at| *at > now.boot).collect();
        all.into_iter()
    }
}
