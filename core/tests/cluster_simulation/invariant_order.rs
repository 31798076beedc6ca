//! DESIGN.md 4.5, I7: a dependent is never online before its provider, a provider never goes offline before
//! its dependents.

use hamq_core::cluster::dependency;

use crate::observation::{Invariant, Observation};
use crate::world::World;

pub struct Order;

impl Invariant for Order {
    fn observe(&mut self, world: &World, seen: &Observation<'_>) {
        let view = &world.database.view;
        match seen {
            Observation::Starts {
                node,
                resource,
                epoch,
            } => {
                for provider in dependency::providers(view, resource) {
                    let under = world.nodes[*node].running.get(&provider);
                    assert!(
                        under.is_some_and(|r| r.epoch == *epoch),
                        "seed {}: {resource} starts before {provider} at {}",
                        world.seed,
                        world.now
                    );
                }
            }
            Observation::Stops { node, resource } => {
                for dependent in dependency::dependents(view, resource) {
                    assert!(
                        !world.nodes[*node].running.contains_key(&dependent),
                        "seed {}: {resource} stops before {dependent} at {}",
                        world.seed,
                        world.now
                    );
                }
            }
            _ => {}
        }
    }
}
