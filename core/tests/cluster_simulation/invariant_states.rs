//! I8: what is published at the end is what is, and the group's state follows from it.

use hamq_core::cluster::group::GroupState;
use hamq_core::cluster::resource::ResourceState;

use crate::observation::{Invariant, Observation};
use crate::world::World;

pub struct States;

impl Invariant for States {
    fn observe(&mut self, _: &World, _: &Observation<'_>) {}

    fn at_the_end(&self, world: &World) {
        let view = &world.database.view;
        for resource in view.resources.keys() {
            let runs = world.runs_on(resource);
            let online = ResourceState::published(view, resource) == ResourceState::Online;
            assert_eq!(
                online,
                runs.len() == 1,
                "seed {}: {resource} is published as {:?} and runs on {runs:?}",
                world.seed,
                ResourceState::published(view, resource)
            );
        }
        for group in view.groups.keys() {
            let mut members = view.resources_of(group).peekable();
            // A group without a resource is offline.
            let all = members.peek().is_some() && members.all(|(n, _)| world.runs_on(n).len() == 1);
            let state = GroupState::published(view, group);
            assert_eq!(
                state == GroupState::Online,
                all,
                "seed {}: {group} is {state:?}",
                world.seed
            );
        }
    }
}
