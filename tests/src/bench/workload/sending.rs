//! a, b, c: sending, beside the floor.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use hamq_core::{Error, ErrorKind, Result};

use crate::bench::bodies::Bodies;
use crate::bench::latency::Latencies;
use crate::bench::load::{self, Limit, Sender};
use crate::bench::meter::Meter;
use crate::bench::plan::{Bench, Target};
use crate::bench::row::{Measured, Row, Unit};

/// What is not measured: connections, first segments, caches.
const WARM_UP: Duration = Duration::from_millis(300);
const BODY_BYTES: usize = 1024;
const SENDERS: usize = 16;

/// a: one sender, one at a time.
pub(super) fn single(bench: &mut Bench<'_>) -> Result<()> {
    let row = Row::new("a", "one sender, one at a time, 1 KiB, p50", Unit::Micros).times_floor(1.1);
    bench.with_both(&row, |bench, target| {
        let (mut sender, mut bodies) = (target.sender()?, Bodies::new(BODY_BYTES));
        load::one_at_a_time(&mut *sender, &mut bodies, Limit::lasting(WARM_UP))?;
        let meter = Meter::start(Some(target.pid()));
        let limit = Limit::lasting(bench.options.time);
        let latencies = load::one_at_a_time(&mut *sender, &mut bodies, limit)?;
        let cores = meter.cores();
        let latency = latencies.percentiles();
        Ok(Measured {
            value: latency.map_or(f64::NAN, |p| p.p50),
            latency,
            cores: Some(cores),
            note: String::new(),
        })
    })
}

/// b: one sender, pipelined.
pub(super) fn pipelined(bench: &mut Bench<'_>) -> Result<()> {
    let row = |size: &str| {
        let work = format!("one sender, window 1000, {size}");
        Row::new("b", work, Unit::PerSecond).times_floor(0.6)
    };
    let small = row("100 B");
    let usual = row("1 KiB").bound(500_000.0);
    for (row, size) in [(small, 100), (usual, BODY_BYTES)] {
        bench.with_both(&row, |bench, target| window(bench, target, size))?;
    }
    Ok(())
}

fn window(bench: &Bench<'_>, target: &Target, size: usize) -> Result<Measured> {
    let (mut sender, mut bodies) = (target.sender()?, Bodies::new(size));
    load::pipelined(&mut *sender, &mut bodies, Limit::lasting(WARM_UP))?;
    let meter = Meter::start(Some(target.pid()));
    let began = Instant::now();
    let limit = Limit::lasting(bench.options.time);
    let sent = load::pipelined(&mut *sender, &mut bodies, limit)?;
    let rate = sent as f64 / began.elapsed().as_secs_f64();
    Ok(Measured {
        cores: Some(meter.cores()),
        ..Measured::of(rate)
    })
}

/// c: 16 senders, each with a connection of its own, each one at a time.
pub(super) fn many(bench: &mut Bench<'_>) -> Result<()> {
    let row = Row::new(
        "c",
        "16 senders, each one at a time, 1 KiB",
        Unit::PerSecond,
    );
    bench.with_both(&row.times_floor(1.0), |bench, target| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| target.sender())
            .collect::<Result<_>>()?;
        let time = bench.options.time;
        let barrier = Barrier::new(SENDERS + 1);
        let work = |mut sender: Box<dyn Sender>| {
            let mut bodies = Bodies::new(BODY_BYTES);
            let warm = load::one_at_a_time(&mut *sender, &mut bodies, Limit::lasting(WARM_UP));
            barrier.wait();
            warm?;
            load::one_at_a_time(&mut *sender, &mut bodies, Limit::lasting(time))
        };
        std::thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> = senders
                .into_iter()
                .map(|sender| scope.spawn(move || work(sender)))
                .collect();
            barrier.wait();
            let (meter, began) = (Meter::start(Some(target.pid())), Instant::now());
            let mut all = Latencies::default();
            for thread in threads {
                all.extend(thread.join().unwrap_or_else(|_| Err(panicked()))?);
            }
            Ok(Measured {
                value: all.count() as f64 / began.elapsed().as_secs_f64(),
                latency: all.percentiles(),
                cores: Some(meter.cores()),
                note: String::new(),
            })
        })
    })
}

/// A thread of the load generator ended in a panic, which it has printed.
pub(super) fn panicked() -> Error {
    Error::new(
        ErrorKind::Internal,
        "a thread of the load generator ended in a panic",
    )
}
