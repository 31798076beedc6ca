//! Why a group leaves this node: asked, failed, drained, failed back, or because the node stops.

use std::collections::BTreeSet;

use super::local::Local;
use super::{Engine, Now};
use crate::cluster::affinity::Places;
use crate::cluster::basis::Basis;
use crate::cluster::failback;
use crate::cluster::placement::{Reason, candidates, drain_target, obstacle, standings};
use crate::cluster::record::fold;

/// Why a group leaves this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// An operator asked.
    Asked,
    /// A resource failed too often.
    Failure,
    /// A preferred owner is back.
    Failback,
    /// This node is drained.
    Drain,
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
                target.clear(); // every node stops: the group goes offline where it is
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
        if !self.consider_drain(group, &dead, now) {
            self.consider_failback(group, &dead, now);
        }
    }

    /// A node that is drained gives its groups away: to the node that was named, else to the best other.
    /// What no other node may own stays, or is taken offline if that was asked.
    fn consider_drain(&mut self, group: &str, dead: &BTreeSet<String>, now: Now) -> bool {
        let me = fold(&self.settings.node);
        let Some(pause) = self.view.pauses.get(&me).filter(|p| p.drain) else {
            return false;
        };
        let force = pause.force;
        let target = drain_target(&self.view, dead, group, &me);
        if target.is_none() && !force {
            return true;
        }
        let leaving = Leaving {
            target,
            why: Why::Drain,
            cause: format!("{} is drained", self.view.node_name(&me)),
        };
        self.leave(group, leaving, now);
        true
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
        let hour = now.hour;
        if let Some(target) = failback::target(&self.view, dead, group, &owner, hour, stable) {
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
        let basis = self.leaving_basis(group, &leaving);
        let run = self.run(group);
        run.episode = format!("{group}#{epoch}");
        let cause = leaving.cause.clone();
        run.leaving = Some(leaving);
        self.decide_on(group, None, "leaving", cause, basis, now);
    }

    /// What the choice of the target was made on, where it was one.
    fn leaving_basis(&self, group: &str, leaving: &Leaving) -> Option<Basis> {
        let source = &self.settings.node;
        let reason = match leaving.why {
            Why::Failure => Reason::Failed { source },
            Why::Stop if !self.all_stop => Reason::Planned { source },
            Why::Asked | Why::Failback | Why::Drain | Why::Stop => return None,
        };
        let known = standings(&self.view, &self.dead(), &Places::new(), group);
        Some(Basis::placement(reason, known))
    }

    /// The target may have died meanwhile: another is chosen, or the group stays.
    fn reconsider_leaving(&mut self, group: &str, leaving: &Leaving, now: Now) {
        let dead = self.dead();
        if leaving.why == Why::Drain && !self.view.is_paused(&self.settings.node) {
            return self.stay(group, leaving, "the node was resumed", None, now);
        }
        let Some(target) = &leaving.target else {
            return self.look_for_target(group, leaving, &dead);
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
            Why::Drain => drain_target(&self.view, &dead, group, &me),
        };
        let text = format!("{} is not available any more", self.view.node_name(target));
        self.stay(group, leaving, &text, next, now);
    }

    /// The move does not happen as it was meant: to the next target, or not at all.
    fn stay(&mut self, group: &str, leaving: &Leaving, why: &str, next: Option<String>, now: Now) {
        if let Some(target) = &leaving.target {
            let target = self.view.node_name(target);
            let name = self.view.group_name(group);
            let text = format!("{name} does not move to {target}: {why}");
            self.log("WARN", "FM", text);
        }
        self.decide(group, None, "stays", why.to_owned(), now);
        let goes = next.is_some() || leaving.why == Why::Stop;
        let again = Leaving {
            target: next,
            ..leaving.clone()
        };
        self.run(group).leaving = goes.then_some(again);
        if !goes {
            self.reconsider_failures(group, now);
        }
    }

    /// A group that went offline because no node could take it goes to the first that can.
    fn look_for_target(&mut self, group: &str, leaving: &Leaving, dead: &BTreeSet<String>) {
        let me = self.settings.node.clone();
        let target = match leaving.why {
            Why::Drain => drain_target(&self.view, dead, group, &self.settings.node),
            Why::Stop if !self.all_stop => {
                let reason = Reason::Planned { source: &me };
                candidates(&self.view, dead, group, reason)
                    .into_iter()
                    .next()
            }
            Why::Stop | Why::Asked | Why::Failure | Why::Failback => None,
        };
        if target.is_some() {
            let again = Leaving {
                target,
                ..leaving.clone()
            };
            self.run(group).leaving = Some(again);
        }
    }
}
