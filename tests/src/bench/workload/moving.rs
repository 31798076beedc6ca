//! f: receive from one queue and send to another in one transaction, by one worker and by eight.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use hamq_core::{Error, ErrorKind, Result};

use super::sending::panicked;
use crate::bench::bodies::Bodies;
use crate::bench::hamq::{Hamq, Mover};
use crate::bench::latency::Latencies;
use crate::bench::load::{self, Limit};
use crate::bench::meter::Meter;
use crate::bench::plan::{Bench, Subject};
use crate::bench::row::{Measured, Row, System, Unit};

/// Messages that lie ready for each second and worker: more than a worker can move.
const READY_PER_SECOND: f64 = 12_000.0;

/// One worker, then eight.
pub(super) fn transactions(bench: &mut Bench<'_>) -> Result<()> {
    for (workers, bound) in [(1, 4_500.0), (8, 20_000.0)] {
        bench.with_hamq(|bench, subject| {
            let measured = measure(subject, workers, bench.options.time)?;
            let plural = if workers == 1 { "" } else { "s" };
            let work = format!("receive and send in one transaction, {workers} worker{plural}");
            let row = Row::new("f", work, Unit::PerSecond).bound(bound);
            bench.report.add(row, System::Hamq, measured);
            Ok(())
        })?;
    }
    Ok(())
}

fn measure(subject: &Subject, workers: usize, time: Duration) -> Result<Measured> {
    let hamq = &subject.hamq;
    prepare(hamq, workers, time)?;
    let movers: Vec<Mover> = (0..workers)
        .map(|_| hamq.mover("from", "to"))
        .collect::<Result<_>>()?;
    let barrier = Barrier::new(workers + 1);
    let work = |mut mover: Mover| {
        barrier.wait();
        move_for(&mut mover, time)
    };
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = movers
            .into_iter()
            .map(|mover| scope.spawn(move || work(mover)))
            .collect();
        barrier.wait();
        let (meter, began) = (Meter::start(Some(subject.server.pid())), Instant::now());
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
}

fn prepare(hamq: &Hamq, workers: usize, time: Duration) -> Result<()> {
    hamq.create_queue("from", true)?;
    hamq.create_queue("to", true)?;
    let ready = READY_PER_SECOND * time.as_secs_f64() * workers as f64;
    let mut sender = hamq.sender("from", true)?;
    let limit = Limit::Messages(ready as u64);
    load::pipelined(&mut sender, &mut Bodies::new(1024), limit).map(drop)
}

fn move_for(mover: &mut Mover, time: Duration) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    let end = Instant::now() + time;
    while Instant::now() < end {
        let began = Instant::now();
        if !mover.move_one()? {
            let text = "the queue ran empty before the time was over";
            return Err(Error::new(ErrorKind::Internal, text));
        }
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}
