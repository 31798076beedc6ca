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
        // What it knows, not how far: a change of its own is in its view before what others wrote a moment earlier.
        let known = world.nodes[*node].engine.view();
        let group = &known.resources[*resource].group;
        let meant = dependency::wanted(known, resource) && !known.held.contains_key(group);
        assert!(
            meant,
            "seed {}: {resource} starts although its node knows that it shall not, at {}",
            world.seed, world.now
        );
    }
}
