//! h: bytes written for each byte sent, and what stays on the disk when everything has left.

use std::time::{Duration, Instant};

use hamq_core::{Error, ErrorKind, Result};

use super::draining::{empty, fill};
use crate::bench::hamq::segment_bytes;
use crate::bench::meter::{device_written_bytes, disk_use, written_bytes};
use crate::bench::plan::{Bench, QUEUE, Subject};
use crate::bench::row::{Measured, Row, System, Unit};

const MESSAGES: u64 = 300_000;
const BODY_BYTES: u64 = 1024;
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
            let work = format!("bytes written per byte sent, {name}");
            let row = Row::new("h", work, Unit::Times).bound(1.1);
            bench.report.add(row, System::Hamq, amplification(subject)?);
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

/// What reached the device, from everybody: on a machine that does nothing else that is the server. The
/// kernel's own count for the process is in the note only: it counts a whole folio, of up to a megabyte,
/// whenever a part of it becomes dirty.
fn amplification(subject: &Subject) -> Result<Measured> {
    let folder = subject.server.folder();
    let pid = subject.server.pid();
    let written = || Some((device_written_bytes(folder)?, written_bytes(pid)?));
    let missing = || {
        let text = format!(
            "no count of what {} or process {pid} wrote",
            folder.display()
        );
        Error::new(ErrorKind::System, text).hint("use --folder with a folder on a disk")
    };
    let before = written().ok_or_else(missing)?;
    fill(&subject.hamq, MESSAGES, 1024)?;
    let after = written().ok_or_else(missing)?;
    let times = |bytes: u64| bytes as f64 / (MESSAGES * BODY_BYTES) as f64;
    Ok(Measured {
        note: format!(
            "the device; write_bytes of the process: {:.2} x",
            times(after.1 - before.1)
        ),
        ..Measured::of(times(after.0 - before.0))
    })
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
