//! i: the cost of a send and a receive against the length of the queue and the number of queues.

use std::time::Instant;

use hamq_core::Result;

use super::draining::fill;
use crate::bench::bodies::Bodies;
use crate::bench::hamq::Exchange;
use crate::bench::load::WINDOW;
use crate::bench::meter::Meter;
use crate::bench::plan::{Bench, QUEUE};
use crate::bench::row::{Measured, Row, System, Unit};

const LENGTHS: [u64; 4] = [10, 1_000, 100_000, 1_000_000];
const LENGTH_BIG: u64 = 10_000_000;
const QUEUES: [usize; 4] = [1, 100, 10_000, 100_000];
/// Sends and receives under way together: a window in all.
const TURN: usize = WINDOW / 2;
/// From one queue to the next: a prime, so that all are visited and neighbours are not.
const QUEUE_STEP: usize = 7919;

/// Both curves.
pub(super) fn curves(bench: &mut Bench<'_>) -> Result<()> {
    lengths(bench)?;
    numbers(bench)
}

/// One queue that grows.
fn lengths(bench: &mut Bench<'_>) -> Result<()> {
    bench.with_hamq(|bench, subject| {
        subject.hamq.create_queue(QUEUE, false)?;
        let big = bench.options.big.then_some(LENGTH_BIG);
        let (mut held, mut first) = (0, None);
        for length in LENGTHS.into_iter().chain(big) {
            fill(&subject.hamq, length - held, bench.options.body_bytes)?;
            held = length;
            let queues = [QUEUE.to_owned()];
            let measured = point(
                bench,
                subject.server.pid(),
                &subject.hamq.exchange()?,
                &queues,
            )?;
            let work = format!("send and receive at a length of {length}");
            add(bench, work, measured, &mut first);
        }
        Ok(())
    })
}

/// More and more queues, one message in each.
fn numbers(bench: &mut Bench<'_>) -> Result<()> {
    bench.with_hamq(|bench, subject| {
        let (mut names, mut first) = (Vec::new(), None);
        for number in QUEUES {
            let new: Vec<String> = (names.len()..number).map(|n| format!("q{n}")).collect();
            subject.hamq.create_queues(new.iter().cloned())?;
            names.extend(new);
            let measured = point(
                bench,
                subject.server.pid(),
                &subject.hamq.exchange()?,
                &names,
            )?;
            add(
                bench,
                format!("send and receive over {number} queues"),
                measured,
                &mut first,
            );
        }
        Ok(())
    })
}

/// Sends to and receives from the queues in turn for the time of a figure; the queues stay as long as they were.
fn point(bench: &Bench<'_>, pid: u32, exchange: &Exchange, queues: &[String]) -> Result<Measured> {
    let body_bytes = bench.options.body_bytes;
    let (mut bodies, mut at, mut turns) = (Bodies::new(body_bytes), 0, 0);
    let (meter, began) = (Meter::start(Some(pid)), Instant::now());
    while began.elapsed() < bench.options.time {
        let next = |_| {
            at = (at + QUEUE_STEP) % queues.len();
            queues[at].as_str()
        };
        turns += exchange.turn((0..TURN).map(next), &mut bodies)?;
    }
    let rate = turns as f64 / began.elapsed().as_secs_f64();
    Ok(Measured {
        cores: Some(meter.cores()),
        ..Measured::of(rate)
    })
}

/// Reports a point, as a part of the curve's first one too.
fn add(
    bench: &mut Bench<'_>,
    work: String,
    mut measured: Measured,
    first: &mut Option<(f64, f64)>,
) {
    // What one costs the server's processor is the same on a busy machine, how many a second is not.
    let cost_us = measured
        .cores
        .map_or(0.0, |c| c.server * 1e6 / measured.value);
    let first = *first.get_or_insert((measured.value, cost_us));
    let (rate, cost) = (measured.value / first.0, cost_us / first.1);
    measured.note =
        format!("{rate:.2} of the first; {cost_us:.2} us of processor each, {cost:.2} x the first");
    let row = Row::new("i", work, Unit::PerSecond);
    bench.report.add(row, System::Hamq, measured);
}
