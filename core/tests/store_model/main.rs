//! Random requests, transactions, leases, times, crashes and restarts against a plain model in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::too_many_arguments,
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    clippy::semicolon_if_nothing_returned,
    reason = "a test fails where it stands"
)]

mod model;
mod steps;
mod world;

use proptest::prelude::*;

use steps::{Part, Step, Taking, Which, Wishes, step};
use world::World;

/// Plays steps, then crashes and looks again.
fn replay(threads: bool, variants: (u8, u8), steps: &[Step]) {
    let mut world = World::new(threads, variants);
    for step in steps {
        world.play(step);
    }
    world.play(&Step::Crash(1, 0));
    world.play(&Step::Reopen);
}

fn send(queue: u8, wishes: Wishes) -> Step {
    let part = Part::Fitting(0);
    Step::Send {
        by: 0,
        queue,
        wishes,
        part,
    }
}

fn wishes() -> Wishes {
    Wishes {
        reach_s: 5,
        ..Wishes::default()
    }
}

/// What once went wrong.
#[test]
fn a_key_ends_with_its_message_that_was_only_in_memory() {
    let keyed = Wishes {
        key: Some(2),
        ..wishes()
    };
    let express = Wishes {
        express: true,
        ..keyed.clone()
    };
    for end in [Step::Reopen, Step::Crash(1, 0)] {
        replay(
            false,
            (0, 0),
            &[send(0, express.clone()), end, send(0, keyed.clone())],
        );
    }
}

/// The abort is not logged, so the replay must know by itself that the purge took the message.
#[test]
fn a_purge_after_one_whose_locked_message_died_with_its_transaction_is_remembered_alike() {
    let receive = Step::Receive {
        by: 0,
        queue: 1,
        which: Which::First,
        taking: Taking::Remove,
        part: Part::In(0),
    };
    for end in [Step::Crash(1, 0), Step::Crash(1, 1)] {
        let steps = [
            send(1, wishes()),
            Step::Begin(0),
            receive.clone(),
            Step::Purge(1),
            Step::Abort(0, 0),
            Step::Purge(1),
            end,
        ];
        replay(false, (0, 0), &steps);
    }
}

/// A copy in a journal may be only in memory, and a transaction may take it.
#[test]
fn a_prepared_transaction_outlives_a_message_that_was_only_in_memory() {
    let express = Wishes {
        express: true,
        journal: 2,
        ..wishes()
    };
    let machine_journal = 18;
    let receive = Step::Receive {
        by: 0,
        queue: machine_journal,
        which: Which::First,
        taking: Taking::Remove,
        part: Part::In(0),
    };
    let movement = Step::Move {
        by: 0,
        queue: machine_journal,
        message: 0,
        to: 1,
        part: Part::In(0),
    };
    for (taken, commit) in [
        (&receive, true),
        (&receive, false),
        (&movement, true),
        (&movement, false),
    ] {
        for end in [Step::Crash(1, 0), Step::Reopen] {
            let steps = [
                send(0, express.clone()),
                Step::Begin(0),
                taken.clone(),
                Step::Prepare(0, 0, 0),
                end,
                Step::Resolve(0, commit),
            ];
            replay(false, (0, 0), &steps);
        }
    }
}

/// Who wanted to know that it was not received is told so, once.
#[test]
fn a_purge_of_what_is_leased_has_its_way_at_a_restart() {
    let told = Wishes {
        acknowledge: 8,
        ..wishes()
    };
    let lease = Step::Many {
        by: 0,
        queue: 0,
        taking: Taking::Lease(500),
        count: 1,
        part: Part::Fitting(0),
    };
    for end in [Step::Reopen, Step::Crash(1, 0)] {
        let steps = [send(0, told.clone()), lease.clone(), Step::Purge(0), end];
        replay(false, (0, 0), &steps);
    }
}

/// Cases to try: enough for every run of the tests, or what `PROPTEST_CASES` says for a longer hunt.
fn cases() -> u32 {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    wanted.and_then(|n| n.parse().ok()).unwrap_or(1000)
}

proptest! {
#![proptest_config(ProptestConfig {
    cases: cases(),
    failure_persistence: None,
    max_shrink_iters: 20_000,
    ..ProptestConfig::default()
})]

#[test]
fn the_store_does_what_the_model_does(
    variants in any::<(u8, u8)>(),
    steps in prop::collection::vec(step(), 1..60),
) {
    replay(false, variants, &steps);
}}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: (cases() / 10).max(1),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..ProptestConfig::default()
    })]

    /// Snapshots are written and segments are cleaned beside the requests.
    #[test]
    fn the_store_does_so_with_threads_for_the_disk(
        variants in any::<(u8, u8)>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        replay(true, variants, &steps);
    }
}
