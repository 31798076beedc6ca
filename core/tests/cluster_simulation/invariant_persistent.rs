//! DESIGN.md 4.6, I9: what an operator took offline is never brought online by a node that knows of it.

use hamq_core::cluster::dependency;

use crate::observation::{Invariant, Observation};
use crate::world::World;

pub struct Persistent;

impl Invariant for Persistent {
    fn observe(&mut self, world: &World, seen: &Observation<'_>) {
        let Observation::Starts { node, resource, .. } = seen else {
            return;
        };
        let (known, truth) = (world.nodes[*node].engine.view(), &world.database.view);
        let group = &truth.resources[*resource].group;
        let meant = dependency::wanted(truth, resource) && !truth.held.contains_key(group);
        assert!(
            meant || known.revision < truth.revision,
            "seed {}: {resource} was meant to stay offline, at {}",
            world.seed,
            world.now
        );
        let meant = dependency::wanted(known, resource) && !known.held.contains_key(group);
        assert!(
            meant,
            "seed {}: {resource} starts although its node knows that it shall not, at {}",
            world.seed, world.now
        );
    }
}
