//! I16: each change of an owner is explained, and what it was decided on gives the same decision again.

use hamq_core::cluster::engine::Intent;
use hamq_core::cluster::record::{DECISION_PREFIX, Decision, decode, fold};
use hamq_core::database::Write;

use crate::observation::{Invariant, Observation};
use crate::world::World;

pub struct Causes;

impl Invariant for Causes {
    fn observe(&mut self, world: &World, seen: &Observation<'_>) {
        let Observation::Committed {
            intent,
            transaction,
            ..
        } = seen
        else {
            return;
        };
        let mut epochs = Vec::new();
        for write in &transaction.writes {
            let Write::Put { key, value, .. } = write else {
                continue;
            };
            if !key.starts_with(DECISION_PREFIX) {
                continue;
            }
            let decision: Decision = decode(value).unwrap();
            assert!(
                !decision.cause.is_empty(),
                "seed {}: {decision:?}",
                world.seed
            );
            epochs.push(decision.epoch);
            if let Some(basis) = &decision.basis {
                let (then, again) = basis.replay();
                assert_eq!(then, again, "seed {}: {decision:?}", world.seed);
            }
        }
        if let Intent::Claim { group } | Intent::Release { group } = intent {
            let epoch = world.database.view.owners[&fold(group)].epoch;
            assert!(
                epochs.contains(&epoch),
                "seed {}: nothing explains epoch {epoch} of {group}",
                world.seed
            );
        }
    }
}
