//! embedded: the engine in this process, no server.

use std::time::{Duration, Instant};

use hamq_core::Result;

use crate::bench::bodies::Bodies;
use crate::bench::embedded::Embedded;
use crate::bench::load::{self, Limit};
use crate::bench::meter::Meter;
use crate::bench::plan::Bench;
use crate::bench::row::{Measured, Row, System, Unit};

const WARM_UP: Duration = Duration::from_millis(300);

/// One thread hands in messages with a thousand under way.
pub(super) fn batched(bench: &mut Bench<'_>) -> Result<()> {
    let folder = bench.next_store();
    let measured = measure(bench, &folder);
    // What is left goes with the run's folder.
    let _ = std::fs::remove_dir_all(&folder);
    let row = Row::new(
        "embedded",
        "in process, lots of 1000, 1 KiB",
        Unit::PerSecond,
    );
    bench
        .report
        .add(row.bound(1_500_000.0), System::Hamq, measured?);
    Ok(())
}

fn measure(bench: &Bench<'_>, folder: &std::path::Path) -> Result<Measured> {
    let (mut sender, mut bodies) = (Embedded::open(folder)?, Bodies::new(1024));
    load::pipelined(&mut sender, &mut bodies, Limit::lasting(WARM_UP))?;
    let (meter, began) = (Meter::start(None), Instant::now());
    let limit = Limit::lasting(bench.options.time);
    let sent = load::pipelined(&mut sender, &mut bodies, limit)?;
    let rate = sent as f64 / began.elapsed().as_secs_f64();
    let cores = meter.cores();
    sender.close()?;
    Ok(Measured {
        cores: Some(cores),
        ..Measured::of(rate)
    })
}
