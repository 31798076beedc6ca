//! DESIGN.md 4.1, I1: at most one process can acknowledge on a message store at any instant, and at most one node runs a
//! program that the storage does not protect while its lease runs; and no two nodes ever run a resource at the same epoch.

use std::collections::BTreeMap;

use crate::observation::{Invariant, Observation};
use crate::world::World;

#[derive(Default)]
pub struct Acknowledger {
    /// Which node ran a resource at an epoch.
    ran: BTreeMap<(String, u64), usize>,
}

impl Invariant for Acknowledger {
    fn observe(&mut self, world: &World, seen: &Observation<'_>) {
        match seen {
            Observation::Starts {
                node,
                resource,
                epoch,
            } => {
                let first = self
                    .ran
                    .entry(((*resource).to_owned(), *epoch))
                    .or_insert(*node);
                assert_eq!(
                    first, node,
                    "seed {}: two nodes run {resource} at epoch {epoch}",
                    world.seed
                );
            }
            Observation::Runs { resource } | Observation::Renewed { resource } => {
                alone(world, resource);
            }
            _ => {}
        }
    }
}

fn alone(world: &World, resource: &str) {
    if !world.is_exclusive(resource) {
        return;
    }
    let acting: Vec<(usize, u64)> = (0..world.nodes.len())
        .filter_map(|node| world.acts(node, resource).map(|epoch| (node, epoch)))
        .collect();
    assert!(
        acting.len() <= 1,
        "seed {}: {acting:?} all act with {resource} at {}",
        world.seed,
        world.now
    );
}
