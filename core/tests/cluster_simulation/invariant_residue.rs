//! I15: nothing of a move, a request or a drain stays behind.

use crate::observation::{Invariant, Observation};
use crate::world::World;

pub struct Residue;

impl Invariant for Residue {
    fn observe(&mut self, _: &World, _: &Observation<'_>) {}

    fn at_the_end(&self, world: &World) {
        let (seed, view) = (world.seed, &world.database.view);
        assert!(view.moves.is_empty(), "seed {seed}: {:?}", view.moves);
        assert!(view.fail_requests.is_empty(), "seed {seed}");
        assert!(view.pauses.is_empty(), "seed {seed}");
        assert!(view.drained.is_empty(), "seed {seed}: {:?}", view.drained);
    }
}
