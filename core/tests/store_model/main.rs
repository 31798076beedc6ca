//! Random requests, transactions, leases, times, crashes and restarts against a plain model in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::too_many_arguments,
    reason = "a test fails where it stands"
)]

mod model;
mod steps;
mod world;

use proptest::prelude::*;

use steps::{Step, step};
use world::World;

/// Plays steps, then crashes and looks again.
fn replay(threads: bool, steps: &[Step]) {
    let mut world = World::new(threads);
    for step in steps {
        world.play(step);
    }
    world.play(&Step::Crash(1, 0));
    world.play(&Step::Reopen);
}

/// Cases to try: enough for every run of the tests, or what `PROPTEST_CASES` says for a longer hunt.
fn cases() -> u32 {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    wanted.and_then(|n| n.parse().ok()).unwrap_or(2000)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_store_does_what_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        replay(false, &steps);
    }
}
