//! What invariants are shown: each thing that happens, with the world as it is at that moment.

use hamq_core::cluster::engine::Intent;
use hamq_core::cluster::view::View;
use hamq_core::database::Transaction;

use crate::world::World;

/// Something that an invariant may be about.
pub enum Observation<'a> {
    /// An engine asks for a start.
    Starts {
        node: usize,
        resource: &'a str,
        epoch: u64,
    },
    /// An engine asks for an orderly stop.
    Stops { node: usize, resource: &'a str },
    /// A resource runs now.
    Runs { resource: &'a str },
    /// A running resource may acknowledge for longer.
    Renewed { resource: &'a str },
    /// An engine's transaction was committed; the view is the one before.
    Committed {
        node: usize,
        before: &'a View,
        intent: &'a Intent,
        transaction: &'a Transaction,
    },
}

/// An invariant keeps its own memory of a run; it panics, with the seed, when it is broken.
pub trait Invariant {
    fn observe(&mut self, world: &World, seen: &Observation<'_>);

    /// After everything has been well for long enough.
    fn at_the_end(&self, world: &World) {
        let _ = world;
    }
}

/// All of them.
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(crate::invariant_acknowledger::Acknowledger::default()),
        Box::new(crate::invariant_epochs::Epochs),
        Box::new(crate::invariant_order::Order),
        Box::new(crate::invariant_states::States),
        Box::new(crate::invariant_persistent::Persistent),
        Box::new(crate::invariant_counts::Counts),
        Box::new(crate::invariant_failback::Failbacks::default()),
        Box::new(crate::invariant_configuration::Configuration),
        Box::new(crate::invariant_liveness::Liveness),
        Box::new(crate::invariant_residue::Residue),
        Box::new(crate::invariant_causes::Causes),
        Box::new(crate::invariant_affinity::Affinity),
    ]
}
