//! DESIGN.md 4.7, I10: restarts and failovers are counted once, survive an agent, and the one beyond the
//! threshold never happens - whatever the wall clocks do.

use std::collections::BTreeSet;

use hamq_core::cluster::engine::Intent;
use hamq_core::cluster::period::{Failures, Reading, Sightings};

use crate::observation::{Invariant, Observation};
use crate::world::World;

pub struct Counts;

impl Invariant for Counts {
    fn observe(&mut self, world: &World, seen: &Observation<'_>) {
        let Observation::Committed {
            node,
            before,
            intent,
            ..
        } = seen
        else {
            return;
        };
        let (seed, after) = (world.seed, &world.database.view);
        for (name, row) in &before.failures {
            let forgotten = matches!(intent, Intent::Release { .. });
            let lost = after
                .failures
                .get(name)
                .is_none_or(|next| !ids(&row.row).is_subset(&ids(&next.row)));
            assert!(
                forgotten || !lost,
                "seed {seed}: restarts of {name} were forgotten by {intent:?}"
            );
        }
        for (name, row) in &after.failures {
            distinct(seed, name, row);
            let injected = world.failures.get(name).copied().unwrap_or(0);
            let counted = row.entries.len() as u64;
            assert!(
                counted <= injected,
                "seed {seed}: {counted} failures of {name} were counted, {injected} happened"
            );
        }
        if let Intent::RecordFailure { resource } = intent {
            let policy = after.resources[resource].policy;
            let counted = now(world, *node, &after.failures[resource], policy.period_ms);
            assert!(
                counted <= policy.threshold,
                "seed {seed}: restart {counted} of {resource}, {} are allowed",
                policy.threshold
            );
        }
        for (group, row) in &after.failovers {
            distinct(seed, group, row);
        }
    }
}

fn ids(row: &Failures) -> BTreeSet<&str> {
    row.entries.iter().map(|e| e.id.as_str()).collect()
}

fn distinct(seed: u64, name: &str, row: &Failures) {
    let known = ids(row);
    assert_eq!(
        known.len(),
        row.entries.len(),
        "seed {seed}: {name} was counted twice"
    );
}

/// By the clock of the node that has just stamped all of them.
fn now(world: &World, node: usize, row: &Failures, period_ms: u64) -> u64 {
    let clock = &world.nodes[node].clock;
    let seen = Sightings::default();
    row.counted(
        period_ms,
        Reading {
            boot_id: &clock.boot_id,
            boot_ms: clock.boot_ms(world.now),
            seen: &seen,
        },
    )
}
