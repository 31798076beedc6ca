//! At most one failback to a node for each of its returns: a group never moves to and fro.

use std::collections::BTreeSet;

use hamq_core::cluster::engine::Intent;
use hamq_core::cluster::record::{DECISION_PREFIX, Decision, decode, fold};
use hamq_core::database::Write;

use crate::observation::{Invariant, Observation};
use crate::world::World;

#[derive(Default)]
pub struct Failbacks {
    seen: BTreeSet<(String, String)>,
}

impl Invariant for Failbacks {
    fn observe(&mut self, world: &World, seen: &Observation<'_>) {
        let Observation::Committed {
            intent: Intent::Release { group },
            transaction,
            ..
        } = seen
        else {
            return;
        };
        let failback = transaction.writes.iter().any(|write| match write {
            Write::Put { key, value, .. } if key.starts_with(DECISION_PREFIX) => {
                decode::<Decision>(value).is_some_and(|d| d.event == "failback")
            }
            _ => false,
        });
        if failback {
            let to = world.database.view.owners[&fold(group)].incarnation.clone();
            assert!(
                self.seen.insert((group.clone(), to)),
                "seed {}: {group} failed back twice to the same life",
                world.seed
            );
        }
    }
}
