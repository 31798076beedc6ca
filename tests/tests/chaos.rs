//! Chaos: every fault that can be made here, once, in an order that follows from a seed, under a reconciled load.
//!
//! `HAMQ_CHAOS_FAILOVERS=500` plays until so many failovers have happened in each world, `HAMQ_CHAOS_SEED=7` with those dice.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write;
use std::time::Duration;

use hamq_tests::chaos::hosts::Hosts;
use hamq_tests::chaos::machine::Machine;
use hamq_tests::chaos::rehearsal::{Plan, rehearse};
use hamq_tests::chaos::world::World;
use hamq_tests::namespace;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

/// Past the captured output, so that a run shows it.
fn tell(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seed of the short form: a test run does not hunt.
const SEED: u64 = 2;

fn play(world: &mut dyn World, short: u64) {
    let failovers = number("HAMQ_CHAOS_FAILOVERS");
    let plan = Plan {
        seed: number("HAMQ_CHAOS_SEED").unwrap_or(SEED),
        events: failovers.map_or(short, |failovers| failovers * 10),
        failovers: failovers.unwrap_or(u64::MAX),
        only: Vec::new(),
        longest: Duration::from_secs(if failovers.is_some() { 24 * 3600 } else { 90 }),
        backlog_mib: 0,
    };
    tell(&format!(
        "HAMQ_CHAOS_SEED={} plays the same faults again",
        plan.seed
    ));
    let report = rehearse(world, &plan, &mut tell).unwrap();
    tell(&report.to_string());
    assert!(report.passed(), "{report}");
}

#[test]
#[ignore = "needs root: it mounts a small file system and makes control groups"]
fn as_root_one_machine_keeps_every_promise_whatever_happens_to_it() {
    let mut world = Machine::new(PROGRAM, true).unwrap();
    let all = u64::try_from(world.faults().len()).unwrap();
    play(&mut world, all);
}

#[test]
#[ignore = "needs root and etcd: tests/run etcd"]
fn on_etcd_three_hosts_keep_every_promise_whatever_happens_to_them() {
    if !namespace::can_be_made() {
        return;
    }
    let mut world = Hosts::new(PROGRAM, false).unwrap();
    let all = u64::try_from(world.faults().len()).unwrap();
    play(&mut world, all);
}
