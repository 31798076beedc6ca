//! Where anti-affinity is enforced, two groups of a class never come to share a node.

use hamq_core::cluster::affinity::rivals;
use hamq_core::cluster::engine::Intent;
use hamq_core::cluster::record::fold;

use crate::observation::{Invariant, Observation};
use crate::world::World;

pub struct Affinity;

impl Invariant for Affinity {
    fn observe(&mut self, world: &World, seen: &Observation<'_>) {
        let Observation::Committed {
            intent: Intent::Claim { group } | Intent::Release { group },
            ..
        } = seen
        else {
            return;
        };
        let view = &world.database.view;
        if !view.policy().enforced_anti_affinity {
            return;
        }
        let place = fold(&view.owners[&fold(group)].node);
        for rival in rivals(view, group) {
            let other = view.live_owner(&rival).map(|o| fold(&o.node));
            assert!(
                other.as_ref() != Some(&place),
                "seed {}: {group} came to {place}, where {rival} is",
                world.seed
            );
        }
    }
}
