//! Looking at stores that are sound, damaged, recycled or were written by two owners.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hamq_core::ErrorKind;
use hamq_core::log::inspect::{self, DamageKind, Salvaged};
use hamq_core::log::{Log, LogOptions, NoFence, Token};
use hamq_core::sys::clock::FakeClock;
use hamq_core::sys::disk::Disk;
use hamq_core::sys::disk_fake::FakeDisk;

fn open(disk: &FakeDisk, epoch: u64, fenced: bool) -> hamq_core::Result<Log> {
    let options = LogOptions {
        epoch: Some(epoch),
        owner: "n1".into(),
        segment_bytes: 8192,
        deadline: None,
        fence: (!fenced).then(|| Box::new(NoFence) as _),
    };
    let clock = Arc::new(FakeClock::default());
    let (mut log, _) = Log::open(Arc::new(disk.clone()), clock, options, &mut |_, _| Ok(()))?;
    log.settle_in()?;
    Ok(log)
}

/// Writes one record a batch: `first`, `first + 1`, ...
fn write(log: &mut Log, first: u32, count: u32) {
    for n in first..first + count {
        log.prepare(1, 700, false).unwrap();
        log.record(|to| {
            to.extend_from_slice(&n.to_le_bytes());
            to.resize(to.len() + 696, n as u8);
        });
        log.commit().unwrap();
    }
}

fn of(disk: &FakeDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// The numbers of the records that are salvaged, and the gaps.
fn salvage(disk: &FakeDisk) -> (Vec<u32>, Vec<DamageKind>) {
    let (mut numbers, mut gaps) = (Vec::new(), Vec::new());
    for salvaged in inspect::salvage(&of(disk)).unwrap() {
        match salvaged {
            Salvaged::Record(_, bytes) => {
                let number = u32::from_le_bytes(bytes[..4].try_into().unwrap());
                assert_eq!(bytes[4..], [number as u8; 696]);
                numbers.push(number);
            }
            Salvaged::Gap(damage) => gaps.push(damage.kind),
        }
    }
    (numbers, gaps)
}

/// The name of the `n`-th segment (from 0) of those that hold records.
fn segment(disk: &FakeDisk, n: usize) -> String {
    let report = inspect::inspect(&of(disk)).unwrap();
    let used = report.segments.into_iter().filter(|s| s.batches > 0);
    used.map(|s| s.file).nth(n).unwrap()
}

#[test]
fn a_sound_store_is_reported_whole_and_not_a_byte_is_written() {
    let disk = FakeDisk::new();
    let mut log = open(&disk, 3, true).unwrap();
    write(&mut log, 0, 25);
    log.snapshot(b"state".to_vec(), &BTreeSet::from([1]))
        .unwrap();
    write(&mut log, 25, 5);
    let token = log.token();
    let changes = Arc::new(AtomicU64::new(0));
    let (kept, names) = (Arc::clone(&changes), Arc::new(Mutex::new(BTreeSet::new())));
    disk.set_hook(Some(Arc::new(move |what, _| {
        names.lock().unwrap().insert(what.to_owned());
        let reads = ["list", "open", "read", "length"];
        kept.fetch_add(u64::from(!reads.contains(&what)), Ordering::SeqCst);
    })));
    let report = inspect::inspect(&of(&disk)).unwrap();
    assert_eq!(report.damage, []);
    assert_eq!(report.owner, Some((token, "n1".to_owned())));
    assert_eq!(report.claims, [token]);
    assert_eq!(report.snapshots.len(), 1);
    assert!(report.snapshots[0].valid && report.snapshots[0].position.is_some());
    let records: u64 = report.segments.iter().map(|s| s.records).sum();
    let bytes: u64 = report.segments.iter().map(|s| s.bytes).sum();
    assert_eq!(bytes, 700 * records);
    let (position, payload) = inspect::newest_snapshot(&of(&disk)).unwrap().unwrap();
    assert_eq!((&payload[..], position.segment > 1), (&b"state"[..], true));
    let (numbers, gaps) = salvage(&disk);
    assert_eq!((numbers.len() as u64, gaps), (records, vec![]));
    assert!(numbers.is_sorted() && numbers.ends_with(&[28, 29]));
    assert!(
        numbers.starts_with(&[0, 1]),
        "the live segment: {numbers:?}"
    );
    assert_eq!(changes.load(Ordering::SeqCst), 0);
    assert!(log.check().is_ok(), "its owner works on");
}

#[test]
fn reading_goes_on_behind_damage_and_tells_what_is_missing() {
    let disk = FakeDisk::new();
    let mut log = open(&disk, 1, true).unwrap();
    write(&mut log, 0, 20);
    let all: Vec<u32> = (0..20).collect();
    assert_eq!(salvage(&disk), (all.clone(), vec![]));
    // In the third batch of the first segment, and in the head of the first batch of the last one.
    let first = segment(&disk, 0);
    disk.damage(&first, 512 + 2 * 1024 + 300);
    let last = segment(&disk, 2);
    disk.damage(&last, 512 + 3);
    let (numbers, gaps) = salvage(&disk);
    let lost: Vec<u32> = all.into_iter().filter(|n| !numbers.contains(n)).collect();
    assert_eq!((lost.len(), lost[0]), (2, 2));
    let gap = |start: u64| DamageKind::Batches {
        until: start + 1024,
        lost: Some(1),
    };
    assert_eq!(gaps, [gap(512 + 2048), gap(512)]);
    let report = inspect::inspect(&of(&disk)).unwrap();
    let damage = report.segments[0].first_damage.clone().unwrap();
    assert_eq!((damage.file, damage.offset), (first, 512 + 2048));
    assert_eq!(report.damage.len(), 2);
    let refused = open(&disk, 2, true).err().unwrap();
    assert_eq!(refused.kind, ErrorKind::StoreDamaged, "{refused}");
}

#[test]
fn a_lost_header_costs_no_record_and_a_lost_file_only_its_own() {
    let disk = FakeDisk::new();
    let mut log = open(&disk, 1, true).unwrap();
    write(&mut log, 0, 30);
    let (second, third) = (segment(&disk, 1), segment(&disk, 2));
    let sound = inspect::inspect(&of(&disk)).unwrap();
    disk.damage(&second, 40);
    assert_eq!(
        salvage(&disk),
        ((0..30).collect(), vec![DamageKind::Header])
    );
    let of_third = sound.segments.iter().find(|s| s.file == third).unwrap();
    disk.remove(&third).unwrap();
    let (numbers, gaps) = salvage(&disk);
    assert_eq!(numbers.len() as u64, 30 - of_third.records);
    assert_eq!(gaps, [DamageKind::Header, DamageKind::Missing]);
}

#[test]
fn old_batches_of_a_recycled_file_are_no_part_of_the_log_damaged_or_not() {
    let disk = FakeDisk::new();
    let mut log = open(&disk, 1, true).unwrap();
    for round in 0..6 {
        write(&mut log, round * 20, 20);
        log.snapshot(Vec::new(), &BTreeSet::new()).unwrap();
    }
    write(&mut log, 120, 11);
    let (numbers, gaps) = salvage(&disk);
    let expected: Vec<u32> = (numbers[0]..131).collect();
    assert_eq!((&numbers, gaps), (&expected, vec![]));
    let report = inspect::inspect(&of(&disk)).unwrap();
    let newest = report.segments.last().unwrap();
    assert!(newest.batches < 7, "it is not full: old batches lie behind");
    for at in [100, 512 + 1, 512 + 1024 + 1] {
        let damaged = disk.crash(1, hamq_core::sys::disk_fake::Survivors::All);
        damaged.damage(&newest.file, at);
        let (found, _) = salvage(&damaged);
        assert!(found.is_sorted_by(|a, b| a < b), "{at}: {found:?}");
        assert!(
            found.iter().all(|n| expected.contains(n)),
            "{at}: {found:?}"
        );
    }
}

#[test]
fn what_a_replaced_owner_wrote_late_is_not_salvaged() {
    let disk = FakeDisk::new();
    let mut old = open(&disk, 1, false).unwrap();
    write(&mut old, 0, 3);
    let mut new = open(&disk, 2, true).unwrap();
    write(&mut old, 1000, 12);
    write(&mut new, 3, 3);
    assert_eq!(salvage(&disk), ((0..6).collect(), vec![]));
    let report = inspect::inspect(&of(&disk)).unwrap();
    assert!(
        !report.others.is_empty(),
        "its later segments are told apart"
    );
    let epochs: Vec<u64> = report.segments.iter().map(|s| s.owner.epoch).collect();
    assert_eq!((epochs.first(), epochs.last()), (Some(&1), Some(&2)));
    assert!(report.claims.iter().map(|t: &Token| t.epoch).eq([2]));
}

#[test]
fn an_empty_folder_and_foreign_files_are_no_error() {
    let disk = FakeDisk::new();
    disk.create("notes.txt", 10).unwrap();
    disk.create("0000000001-x.seg", 10).unwrap();
    disk.create("0000000001-1-0-0000000a.seg", 600).unwrap();
    disk.create("0000000001-0000000512-1-0-0000000a.snap", 0)
        .unwrap();
    let report = inspect::inspect(&of(&disk)).unwrap();
    assert_eq!((report.segments.len(), report.others.len()), (0, 1));
    assert!(!report.snapshots[0].valid);
    assert_eq!(salvage(&disk), (vec![], vec![]));
}
