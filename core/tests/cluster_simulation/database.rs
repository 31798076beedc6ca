//! The database: guarded transactions and leases in virtual time, with outages and lost replies.

use std::collections::BTreeMap;

use hamq_core::cluster::engine::Outcome;
use hamq_core::cluster::view::View;
use hamq_core::database::{LeaseId, Transaction, Write};

/// Rows as a parsed view, which a commit brings forward, and what guards look at.
#[derive(Default)]
pub struct Database {
    pub view: View,
    /// Decisions are no part of a view.
    pub decisions: BTreeMap<String, Vec<u8>>,
    versions: BTreeMap<String, (u64, Option<LeaseId>)>,
    leases: BTreeMap<LeaseId, u64>,
    pub outage_until: u64,
    /// Breaks its promise on purpose: guards are not looked at.
    pub unguarded: bool,
}

impl Database {
    pub fn is_out(&self, now: u64) -> bool {
        self.outage_until > now
    }

    /// Rows of leases that have run out vanish.
    pub fn expire(&mut self, now: u64) -> bool {
        let over: Vec<LeaseId> = self
            .leases
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(lease, _)| *lease)
            .collect();
        for lease in &over {
            self.leases.remove(lease);
            let gone: Vec<String> = self
                .versions
                .iter()
                .filter(|(_, (_, of))| *of == Some(*lease))
                .map(|(key, _)| key.clone())
                .collect();
            let writes = gone.into_iter().map(|key| Write::Delete { key }).collect();
            self.write(&Transaction {
                guards: Vec::new(),
                writes,
            });
        }
        !over.is_empty()
    }

    pub fn commit(&mut self, transaction: &Transaction) -> Outcome {
        let version = |key: &str| self.versions.get(key).map_or(0, |v| v.0);
        let holds = transaction
            .guards
            .iter()
            .all(|g| version(&g.key) == g.version);
        let lives = |write: &Write| match write {
            Write::Put { lease, .. } => lease.is_none_or(|lease| self.leases.contains_key(&lease)),
            Write::Delete { .. } => true,
        };
        if !transaction.writes.iter().all(lives) {
            return Outcome::Refused;
        }
        if !holds && !self.unguarded {
            return Outcome::Refused;
        }
        Outcome::Done(self.write(transaction))
    }

    fn write(&mut self, transaction: &Transaction) -> u64 {
        let revision = self.view.revision + 1;
        for write in &transaction.writes {
            match write {
                Write::Delete { key } => drop(self.versions.remove(key)),
                Write::Put { key, value, lease } => {
                    if !key.starts_with('/') {
                        self.decisions.insert(key.clone(), value.clone());
                    }
                    self.versions.insert(key.clone(), (revision, *lease));
                }
            }
        }
        self.view.apply(transaction, revision);
        revision
    }

    pub fn grant(&mut self, lease: LeaseId, until: u64) {
        self.leases.insert(lease, until);
    }

    /// Renews a lease that has not run out.
    pub fn renew(&mut self, lease: LeaseId, until: u64) -> bool {
        let known = self.leases.get_mut(&lease);
        known.map(|at| *at = until).is_some()
    }

    /// As after a change of leader: every lease is good for its full time again.
    pub fn refresh(&mut self, until: u64) {
        for at in self.leases.values_mut() {
            *at = until;
        }
    }
}
