//! h: bytes written for each byte sent, and what stays on the disk when everything has left.

use std::time::{Duration, Instant};

use hamq_core::{Error, ErrorKind, Result};

use super::draining::{empty, fill};
use crate::bench::hamq::segment_bytes;
use crate::bench::meter::{disk_use, written_bytes};
use crate::bench::plan::{Bench, QUEUE, Subject};
use crate::bench::row::{Measured, Row, System, Unit};

const MESSAGES: u64 = 300_000;
/// Space is given back when it has been the same for so long.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// How long that is waited for.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Fills and empties a queue twice: the second time segments can be used again.
pub(super) fn bytes(bench: &mut Bench<'_>) -> Result<()> {
    bench.with_hamq(|bench, subject| {
        subject.hamq.create_queue(QUEUE, false)?;
        let names = ["on a fresh store", "again, after everything was drained"];
        for name in names {
            let times = amplification(subject)?;
            let row = Row::new(
                "h",
                format!("bytes written per byte sent, {name}"),
                Unit::Times,
            );
            let measured = Measured {
                note: "write_bytes of /proc/PID/io".to_owned(),
                ..Measured::of(times)
            };
            bench.report.add(row.bound(1.1), System::Hamq, measured);
            empty(&subject.hamq, MESSAGES)?;
        }
        let (disk, files) = settled(subject)?;
        let row = Row::new("h", "disk after draining everything", Unit::Bytes);
        let measured = Measured {
            note: format!("{files} files; the aim is two segments"),
            ..Measured::of(disk as f64)
        };
        let bound = 2.0 * segment_bytes() as f64;
        bench.report.add(row.bound(bound), System::Hamq, measured);
        Ok(())
    })
}

fn amplification(subject: &Subject) -> Result<f64> {
    let written = || {
        let missing = || Error::new(ErrorKind::System, "/proc/PID/io cannot be read");
        written_bytes(subject.server.pid()).ok_or_else(missing)
    };
    let before = written()?;
    fill(&subject.hamq, MESSAGES)?;
    Ok((written()? - before) as f64 / (MESSAGES * 1024) as f64)
}

/// Waits until the store's size changes no more.
fn settled(subject: &Subject) -> Result<(u64, u64)> {
    let end = Instant::now() + SETTLE_TIMEOUT;
    let (mut found, mut since) = (disk_use(subject.server.folder()), Instant::now());
    while since.elapsed() < SETTLED_AFTER && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
        // A request now and then, as a living system has.
        subject.hamq.message_count(QUEUE)?;
        let now = disk_use(subject.server.folder());
        if now != found {
            (found, since) = (now, Instant::now());
        }
    }
    Ok(found)
}
