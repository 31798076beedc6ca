//! I11: in the end every node sees what the database holds.

use crate::observation::{Invariant, Observation};
use crate::world::World;

pub struct Configuration;

impl Invariant for Configuration {
    fn observe(&mut self, _: &World, _: &Observation<'_>) {}

    fn at_the_end(&self, world: &World) {
        let truth = &world.database.view;
        assert!(truth.damaged.is_empty(), "seed {}", world.seed);
        for node in world.nodes.iter().filter(|n| n.alive) {
            let known = node.engine.view();
            let same = known.groups == truth.groups
                && known.resources == truth.resources
                && known.owners == truth.owners
                && known.nodes == truth.nodes
                && known.pauses == truth.pauses
                && known.failures == truth.failures;
            assert!(same, "seed {}: a node sees another cluster", world.seed);
        }
    }
}
