//! Nodes that may be dead: suspecting, fencing, and hearing them again.

use std::collections::BTreeSet;

use super::{Action, Engine, Evidence, FenceOutcome, Now};
use crate::cluster::record::{Owner, fold};

/// How far the fencing of a suspected node has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fencing {
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
    pub(super) evidence: Evidence,
    pub(super) fencing: Fencing,
    pub(super) outcome: String,
    pub(super) detected: Now,
    pub(super) fenced: Option<Now>,
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
        // A connection to a life before that closes late says nothing of the one that goes on.
        let seen = self.seen.get(&node).map(|(session, _)| session);
        let former = seen.is_some_and(|seen| seen.incarnation != incarnation);
        if same || former || node == fold(&self.settings.node) {
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

    /// What is known against this owner, in the life in which it took the group.
    pub(super) fn suspicion_of(&self, owner: &Owner) -> Option<&Suspicion> {
        let suspicion = self.suspicions.get(&fold(&owner.node));
        suspicion.filter(|suspicion| suspicion.incarnation == owner.incarnation)
    }

    /// The owner's session has expired without any evidence before: it is fenced all the same.
    pub(super) fn suspect_expired(&mut self, owner: &Owner, now: Now) {
        let gone = Suspicion {
            incarnation: owner.incarnation.clone(),
            evidence: Evidence::Silent,
            fencing: Fencing::NotAsked,
            outcome: "its lease has expired".to_owned(),
            detected: now,
            fenced: None,
        };
        self.suspicions.insert(fold(&owner.node), gone);
    }

    /// Whether the process of the former owner may still run: it is the last life seen of its node, and
    /// the same process has not joined again (it ends everything before it does).
    pub(super) fn must_fence(&self, owner: &Owner) -> bool {
        let node = fold(&owner.node);
        if node == fold(&self.settings.node) {
            return false;
        }
        let last = self.seen.get(&node);
        last.is_some_and(|(session, _)| session.incarnation == owner.incarnation)
    }

    pub(super) fn ask_fencing(&mut self, node: &str) {
        let Some((session, _)) = self.seen.get(node).cloned() else {
            return;
        };
        if let Some(suspicion) = self.suspicions.get_mut(node) {
            suspicion.fencing = Fencing::Asked;
            let evidence = suspicion.evidence;
            self.actions.push(Action::Fence { session, evidence });
        }
    }
}
