//! g: a full queue, kill -9, and how long it takes until the first message is received again.

use std::time::{Duration, Instant};

use hamq_core::{Error, ErrorKind, Result};

use super::draining::fill;
use crate::bench::hamq::Hamq;
use crate::bench::meter::{disk_use, resident_bytes};
use crate::bench::plan::{Bench, QUEUE, Subject};
use crate::bench::row::{Measured, Row, System, Unit};
use crate::bench::server::Server;

/// How long a restart may take.
const RESTART_TIMEOUT: Duration = Duration::from_secs(300);

/// How much a queue holds, and what is aimed at with it.
struct Size {
    messages: u64,
    name: &'static str,
    restart_ms: f64,
    memory_bytes: f64,
}

const MILLION: Size = Size {
    messages: 1_000_000,
    name: "1,000,000",
    restart_ms: 100.0,
    memory_bytes: 80e6,
};
const TEN_MILLION: Size = Size {
    messages: 10_000_000,
    name: "10,000,000",
    restart_ms: 250.0,
    memory_bytes: 600e6,
};

/// A million messages, and ten million where that is wanted.
pub(super) fn full(bench: &mut Bench<'_>) -> Result<()> {
    measure(bench, &MILLION)?;
    if bench.options.big {
        measure(bench, &TEN_MILLION)?;
    }
    Ok(())
}

fn measure(bench: &mut Bench<'_>, size: &Size) -> Result<()> {
    bench.with_hamq(|bench, subject| {
        subject.hamq.create_queue(QUEUE, false)?;
        let began = Instant::now();
        fill(&subject.hamq, size.messages, bench.options.body_bytes)?;
        let rate = size.messages as f64 / began.elapsed().as_secs_f64();
        let holding = resident_bytes(subject.server.pid()).unwrap_or(0);
        let (disk, files) = disk_use(subject.server.folder());
        let restart = kill_and_restart(bench, subject, size)?;
        let after = resident_bytes(subject.server.pid()).unwrap_or(0);

        let name = size.name;
        let row = |work: String, unit| Row::new("g", work, unit);
        let mut add = |row: Row, value: f64, note: String| {
            let measured = Measured {
                note,
                ..Measured::of(value)
            };
            bench.report.add(row, System::Hamq, measured);
        };
        let work = format!("kill -9 with {name} stored, start to first receive");
        let filled = format!("filled at {rate:.0}/s");
        let restart = restart.as_secs_f64() * 1e3;
        add(
            row(work, Unit::Millis).bound(size.restart_ms),
            restart,
            filled,
        );
        let work = format!("memory while holding {name}");
        let bound = row(work, Unit::Bytes).bound(size.memory_bytes);
        add(bound, holding as f64, String::new());
        let work = format!("memory after the restart with {name}");
        add(row(work, Unit::Bytes), after as f64, String::new());
        let work = format!("disk while holding {name}");
        let times = disk as f64 / (size.messages as f64 * bench.options.body_bytes as f64);
        let note = format!("{times:.2} x the bodies, {files} files");
        add(row(work, Unit::Bytes), disk as f64, note);
        Ok(())
    })
}

/// Kills the server, starts another over its store, and gives the time from its start to the first message.
fn kill_and_restart(bench: &Bench<'_>, subject: &mut Subject, size: &Size) -> Result<Duration> {
    subject.server.kill();
    let folder = subject.server.folder().to_owned();
    let began = Instant::now();
    subject.server = Server::queue_manager(&bench.options.program, &folder)?;
    subject.server.wait_until_it_listens(RESTART_TIMEOUT)?;
    subject.hamq = Hamq::new(subject.server.address(), &folder)?;
    let first = subject
        .hamq
        .receiver(QUEUE, 1, RESTART_TIMEOUT)?
        .receive()?;
    let took = began.elapsed();
    let left = subject.hamq.message_count(QUEUE)?;
    match first.is_some() && left == size.messages - 1 {
        true => Ok(took),
        false => Err(Error::new(
            ErrorKind::Internal,
            format!(
                "{left} messages were left after the kill and one receive, not {}",
                size.messages - 1
            ),
        )),
    }
}
