//! I2: the epoch of a group only rises, by each change of its owner.

use crate::observation::{Invariant, Observation};
use crate::world::World;

pub struct Epochs;

impl Invariant for Epochs {
    fn observe(&mut self, world: &World, seen: &Observation<'_>) {
        let Observation::Committed { before, .. } = seen else {
            return;
        };
        for (group, owner) in &world.database.view.owners {
            let Some(former) = before.owners.get(group) else {
                continue;
            };
            let same = (&former.node, &former.incarnation) == (&owner.node, &owner.incarnation);
            let rises = owner.epoch > former.epoch || (same && owner.epoch == former.epoch);
            assert!(
                rises,
                "seed {}: {group} went from {:?} to {:?}",
                world.seed, former.row, owner.row
            );
        }
    }
}
