//! I14: some time after the last fault, everything that is meant to be online is, on exactly one node, and
//! every group has a live owner.

use hamq_core::cluster::dependency;

use crate::observation::{Invariant, Observation};
use crate::world::World;

pub struct Liveness;

impl Invariant for Liveness {
    fn observe(&mut self, _: &World, _: &Observation<'_>) {}

    fn at_the_end(&self, world: &World) {
        let (seed, view) = (world.seed, &world.database.view);
        for (resource, config) in &view.resources {
            let wanted =
                dependency::wanted(view, resource) && !view.held.contains_key(&config.group);
            // A resource that rests has used up what its policy allows; that is no fault.
            let status = view.states.get(resource);
            if wanted && status.is_some_and(|s| s.resting) {
                panic!("seed {seed}: {resource} rests although all is well: {status:?}");
            }
            let on = world.runs_on(resource);
            assert_eq!(
                on.len(),
                usize::from(wanted),
                "seed {seed}: {resource} runs on {on:?}, wanted: {wanted}, owner {:?}, status {:?}",
                view.owners.get(&config.group).map(|o| &o.row),
                status.map(|s| &s.row),
            );
        }
        for group in view.groups.keys() {
            let owner = view.live_owner(group);
            assert!(owner.is_some(), "seed {seed}: nobody owns {group}");
        }
    }
}
