//! What the log alone does on a disk: `cargo run --release -p hamq-core --example log_speed -- FOLDER`.
//!
//! Writes below FOLDER, and removes it again. Bytes written to the device are best seen in /sys/block/*/stat:
//! /proc/self/io counts a whole large page for each small write into it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement: it prints, and fails where it stands"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use hamq_core::log::{Event, Flush, Flushed, Log, LogOptions, MadeSpare, Position, SpareJob};
use hamq_core::sys::clock::SystemClock;
use hamq_core::sys::disk;

const RECORD_BYTES: usize = 1024;

fn open(folder: &Path, replay: &mut dyn FnMut(Event<'_>)) -> Log {
    let options = LogOptions {
        epoch: None,
        owner: "speed".into(),
        segment_bytes: 16 << 20,
        deadline: None,
        fence: None,
    };
    let disk = disk::real(folder).unwrap();
    let (log, _) = Log::open(disk, Arc::new(SystemClock), options, &mut |_, event| {
        replay(event);
        Ok(())
    })
    .unwrap();
    log
}

/// A thread that runs what it is given.
fn worker<J: Send + 'static, R: Send + 'static>(run: fn(J) -> R) -> (SyncSender<J>, Receiver<R>) {
    let (jobs, todo) = sync_channel::<J>(1);
    let (done, results) = sync_channel(1);
    std::thread::spawn(move || {
        for job in todo {
            if done.send(run(job)).is_err() {
                return;
            }
        }
    });
    (jobs, results)
}

/// Batches of `lot` records, the next one filled while one is written; a snapshot each 64 MiB if `recycle`.
fn write(folder: &Path, records: usize, lot: usize, recycle: bool) -> Duration {
    let mut log = open(folder, &mut |_| ());
    log.settle_in().unwrap();
    let (flushes, flushed) = worker::<Flush, Flushed>(Flush::run);
    let (spares, made) = worker::<SpareJob, MadeSpare>(SpareJob::run);
    let body = vec![7; RECORD_BYTES];
    let began = Instant::now();
    let (mut in_flight, mut since) = (false, 0);
    for _ in 0..records / lot {
        log.prepare(lot, lot * RECORD_BYTES, false).unwrap();
        for _ in 0..lot {
            log.record(|to| to.extend_from_slice(&body));
        }
        if in_flight {
            log.settle(flushed.recv().unwrap()).unwrap();
        }
        flushes.send(log.seal().unwrap()).unwrap();
        in_flight = true;
        since += lot * RECORD_BYTES;
        if recycle && since > 64 << 20 {
            log.settle(flushed.recv().unwrap()).unwrap();
            (in_flight, since) = (false, 0);
            let job = log.begin_snapshot(vec![1; 1000], &BTreeSet::new()).unwrap();
            log.finish_snapshot(job.run()).unwrap();
        }
        while let Ok(spare) = made.try_recv() {
            log.install_spare(spare).unwrap();
        }
        if let Some(job) = log.spare_job() {
            spares.send(job).unwrap();
        }
    }
    if in_flight {
        log.settle(flushed.recv().unwrap()).unwrap();
    }
    began.elapsed()
}

fn figure(what: &str, folder: &Path, records: usize, lot: usize, recycle: bool) {
    std::fs::create_dir_all(folder).unwrap();
    let took = write(folder, records, lot, recycle);
    println!(
        "{what}, lots of {lot}: {:.0} records/s, {:.0} us a lot",
        records as f64 / took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / (records / lot) as f64,
    );
    std::fs::remove_dir_all(folder).unwrap();
}

/// Opens a log of `records` records, then reads all of them in order and a tenth of them anyhow.
fn reading(folder: &Path, records: usize) {
    std::fs::create_dir_all(folder).unwrap();
    write(folder, records, 64, false);
    let mut places: Vec<Position> = Vec::with_capacity(records);
    let began = Instant::now();
    let mut log = open(folder, &mut |event| {
        if let Event::Record(position, _) = event {
            places.push(position);
        }
    });
    let opened = began.elapsed();
    println!(
        "opening {records} records ({} MiB): {:.1} ms",
        (records * RECORD_BYTES) >> 20,
        opened.as_secs_f64() * 1e3
    );
    let began = Instant::now();
    let sum: usize = places.iter().map(|p| log.read(*p).unwrap().len()).sum();
    let rising = records as f64 / began.elapsed().as_secs_f64();
    assert_eq!(sum, records * RECORD_BYTES);
    let began = Instant::now();
    for n in 0..records / 10 {
        log.read(places[n * 7919 % records]).unwrap();
    }
    let anyhow = records as f64 / 10.0 / began.elapsed().as_secs_f64();
    println!("reading: {rising:.0} records/s in order, {anyhow:.0} in any order");
    std::fs::remove_dir_all(folder).unwrap();
}

fn main() {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "log-speed".into());
    let folder = Path::new(&folder).join("store");
    figure("growing", &folder, 400_000, 1000, false);
    figure("growing", &folder, 100_000, 16, false);
    figure("growing", &folder, 5_000, 1, false);
    figure("recycling", &folder, 1_000_000, 1000, true);
    figure("recycling", &folder, 200_000, 16, true);
    reading(&folder, 16 * 1024);
    reading(&folder, 200_000);
}
