//! The log with a batch in flight, spares and snapshots made by jobs, and recycled segments, on a disk that
//! fails at every single operation, and with a second owner at every single operation.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hamq_core::log::{
    Event, Flush, Found, Log, LogOptions, NoFence, Position, SnapshotJob, SpareJob,
};
use hamq_core::sys::clock::FakeClock;
use hamq_core::sys::disk::Disk;
use hamq_core::sys::disk_fake::{FakeDisk, Fault, Survivors};
use hamq_core::{Error, ErrorKind, Result};

const SEGMENT_BYTES: u64 = 8192;

/// What a user of the log makes of it: keys, and where their records lie.
type Keys = BTreeMap<u32, Position>;

fn options(epoch: Option<u64>) -> LogOptions {
    LogOptions {
        epoch,
        owner: "n1".into(),
        segment_bytes: SEGMENT_BYTES,
        deadline: None,
        fence: None,
    }
}

fn record_of(key: u32) -> Vec<u8> {
    let mut bytes = key.to_le_bytes().to_vec();
    bytes.resize(300 + (key as usize * 37) % 600, key as u8);
    bytes
}

fn encode(keys: &Keys) -> Vec<u8> {
    let fields = |(key, p): (&u32, &Position)| [*key, p.segment, p.offset, p.length];
    let numbers = keys.iter().flat_map(fields);
    numbers.flat_map(u32::to_le_bytes).collect()
}

fn decode(bytes: &[u8]) -> Keys {
    let numbers: Vec<u32> = bytes
        .chunks(4)
        .map(|c| u32::from_le_bytes(c.try_into().unwrap()))
        .collect();
    let entry = |n: &[u32]| {
        let (segment, offset, length) = (n[1], n[2], n[3]);
        let position = Position {
            segment,
            offset,
            length,
        };
        (n[0], position)
    };
    numbers.chunks(4).map(entry).collect()
}

/// Opens the log; gives what it holds. A record of four bytes removes its key.
fn open(disk: &FakeDisk, epoch: Option<u64>) -> Result<(Log, Keys, Found)> {
    let mut keys = Keys::new();
    let clock = Arc::new(FakeClock::default());
    let (mut log, found) = Log::open(
        Arc::new(disk.clone()),
        clock,
        options(epoch),
        &mut |_, event| {
            match event {
                Event::Snapshot(bytes) => keys = decode(bytes),
                Event::Record(position, bytes) => {
                    let key = u32::from_le_bytes(bytes[..4].try_into().unwrap());
                    if bytes.len() == 4 {
                        assert!(keys.remove(&key).is_some(), "{key} is removed once");
                    } else {
                        assert!(keys.insert(key, position).is_none(), "{key} is added once");
                    }
                }
            }
            Ok(())
        },
    )?;
    log.settle_in()?;
    for (key, position) in &keys {
        assert_eq!(log.read(*position)?, record_of(*key), "{key}");
    }
    Ok((log, keys, found))
}

/// A user that keeps a flush in flight and runs its jobs as late as it can.
struct User {
    log: Log,
    keys: Keys,
    /// The state of which the last batch was sealed, and what is acknowledged.
    sealed: Keys,
    acknowledged: Arc<Mutex<(Keys, Keys)>>,
    next_key: u32,
    flush: Option<Flush>,
    spare: Option<SpareJob>,
    snapshot: Option<SnapshotJob>,
}

impl User {
    fn new(log: Log, keys: Keys, next_key: u32) -> Self {
        Self {
            log,
            sealed: keys.clone(),
            acknowledged: Arc::new(Mutex::new((keys.clone(), keys.clone()))),
            keys,
            next_key,
            flush: None,
            spare: None,
            snapshot: None,
        }
    }

    fn settle(&mut self) -> Result<()> {
        if let Some(flush) = self.flush.take() {
            self.log.settle(flush.run())?;
            self.acknowledged.lock().unwrap().0 = self.sealed.clone();
        }
        Ok(())
    }

    fn seal(&mut self) {
        self.flush = self.log.seal();
        self.sealed = self.keys.clone();
        self.acknowledged.lock().unwrap().1 = self.sealed.clone();
    }

    fn add(&mut self) {
        let key = self.next_key;
        self.next_key += 1;
        let expected = self.log.next_position(record_of(key).len());
        let position = self.log.record(|to| to.extend_from_slice(&record_of(key)));
        assert_eq!(position, expected);
        self.keys.insert(key, position);
    }

    fn remove_first(&mut self, keep: usize) {
        while self.keys.len() > keep
            && let Some((key, _)) = self.keys.pop_first()
        {
            self.log.push(&key.to_le_bytes());
        }
    }

    /// One batch: filled while the one before is in flight, and the jobs of before still run.
    fn batch(&mut self, adds: usize, keep: usize) -> Result<()> {
        self.log.prepare(40, 5000, false)?;
        for _ in 0..adds {
            self.add();
        }
        self.remove_first(keep);
        if let Some(job) = self.spare.take() {
            self.log.install_spare(job.run())?;
        }
        self.settle()?;
        self.seal();
        if let Some(job) = self.snapshot.take() {
            let written = job.run();
            self.log.finish_snapshot(written)?;
        }
        self.spare = self.log.spare_job();
        Ok(())
    }

    fn begin_snapshot(&mut self) -> Result<()> {
        self.settle()?;
        self.log.check()?;
        let live: BTreeSet<u32> = self.keys.values().map(|p| p.segment).collect();
        self.snapshot = Some(self.log.begin_snapshot(encode(&self.keys), &live)?);
        Ok(())
    }

    /// Everything that is under way comes to its end.
    fn rest(&mut self) -> Result<()> {
        self.settle()?;
        if let Some(job) = self.snapshot.take() {
            self.log.finish_snapshot(job.run())?;
        }
        if let Some(job) = self.spare.take() {
            self.log.install_spare(job.run())?;
        }
        while let Some(job) = self.log.spare_job() {
            self.log.install_spare(job.run())?;
        }
        Ok(())
    }

    /// The workload: enough to fill, free and recycle segments several times.
    fn work(&mut self) -> Result<()> {
        for n in 0..24 {
            self.batch(1 + n % 4, 6)?;
            if n % 6 == 5 {
                self.begin_snapshot()?;
            }
        }
        self.rest()?;
        self.read_all()
    }

    fn read_all(&mut self) -> Result<()> {
        for (key, position) in &self.keys {
            assert_eq!(self.log.read(*position)?, record_of(*key));
        }
        Ok(())
    }
}

/// Counts the operations of one name on a disk.
fn count_operations(disk: &FakeDisk, what: &'static str) -> Arc<AtomicU64> {
    let count = Arc::new(AtomicU64::new(0));
    let kept = Arc::clone(&count);
    disk.set_hook(Some(Arc::new(move |name, _| {
        if name == what {
            kept.fetch_add(1, Ordering::SeqCst);
        }
    })));
    count
}

#[test]
fn segments_are_recycled_and_nothing_is_missing_after_a_crash() {
    let disk = FakeDisk::new();
    let (log, keys, _) = open(&disk, None).unwrap();
    let renames = count_operations(&disk, "rename");
    let mut user = User::new(log, keys, 0);
    user.work().unwrap();
    user.work().unwrap();
    assert!(renames.load(Ordering::SeqCst) >= 4, "{renames:?}");
    let (_, keys, found) = open(&disk.crash(1, Survivors::None), None).unwrap();
    assert_eq!(keys, user.keys);
    assert_eq!(found.bytes_cut, 0, "old batches are no torn ones");
}

/// Runs the workload with a fault at operation `n`; after each failure the machine crashes, and what is found
/// then is what was acknowledged, or that and the batch that was in flight.
fn survive(n: u64, fault: Fault, survivors: Survivors) {
    let mut disk = FakeDisk::new();
    disk.fail_at(n, fault);
    let (mut known, mut next_key) = ((Keys::new(), Keys::new()), 0);
    for crash in 0..5 {
        let worked = open(&disk, None).and_then(|(log, keys, _)| {
            let holds: Vec<u32> = keys.keys().copied().collect();
            let one_of = [&known.0, &known.1].map(|k| k.keys().copied().collect::<Vec<_>>());
            assert!(
                one_of.contains(&holds),
                "operation {n}: {holds:?}, not {one_of:?}"
            );
            let mut user = User::new(log, keys, next_key);
            let result = user.work();
            known = user.acknowledged.lock().unwrap().clone();
            next_key = user.next_key;
            result.map(|()| known.clone())
        });
        disk = disk.crash(n + crash, survivors);
        let Err(error) = worked else {
            assert_eq!(open(&disk, None).unwrap().1, known.0);
            return;
        };
        let expected = [
            ErrorKind::System,
            ErrorKind::MessageStorageFailed,
            ErrorKind::InsufficientResources,
            ErrorKind::StoreDamaged, // a read that the medium did not answer
        ];
        assert!(expected.contains(&error.kind), "operation {n}: {error}");
        if error.kind == ErrorKind::StoreDamaged {
            assert!(error.message.contains("os error"), "operation {n}: {error}");
        }
    }
    panic!("operation {n}: it does not recover");
}

fn operations() -> u64 {
    let disk = FakeDisk::new();
    let (log, keys, _) = open(&disk, None).unwrap();
    User::new(log, keys, 0).work().unwrap();
    disk.operations()
}

fn every_operation(fault: Fault, survivors: &[Survivors]) {
    let count = operations();
    assert!(count > 150, "{count}");
    for survivors in survivors {
        for n in 0..count {
            survive(n, fault, *survivors);
        }
    }
}

const ALL: [Survivors; 4] = [
    Survivors::None,
    Survivors::All,
    Survivors::Prefix,
    Survivors::Subset,
];

#[test]
fn nothing_acknowledged_is_lost_whichever_operation_fails() {
    every_operation(Fault::Io, &ALL);
}

#[test]
fn nothing_acknowledged_is_lost_whichever_operation_the_machine_dies_in() {
    every_operation(Fault::Die, &ALL);
}

#[test]
fn nothing_acknowledged_is_lost_whichever_operation_finds_the_disk_full() {
    every_operation(Fault::Full, &[Survivors::Prefix, Survivors::None]);
}

/// What the next owner does while the old one is stopped: it adds a little and needs all that was there.
fn add_a_little(new: &mut User) {
    new.batch(2, 99).unwrap();
    new.rest().unwrap();
}

#[test]
fn an_owner_stopped_at_any_operation_recycles_nothing_of_the_next_one_and_acknowledges_nothing() {
    stop_at_every_operation(add_a_little);
    stop_at_every_operation(|new| new.work().unwrap());
}

fn stop_at_every_operation(meanwhile: fn(&mut User)) {
    for n in 0.. {
        let disk = FakeDisk::new();
        let (log, keys, _) = open(&disk, Some(1)).unwrap();
        let mut old = User::new(log, keys, 0);
        old.work().unwrap();
        let known = Arc::clone(&old.acknowledged);
        let left: Arc<Mutex<Option<(Keys, Keys)>>> = Arc::default();
        let (kept, inside, count) = (Arc::clone(&left), disk.clone(), AtomicU64::new(0));
        disk.set_hook(Some(Arc::new(move |_, _| {
            if count.fetch_add(1, Ordering::SeqCst) == n {
                let before = known.lock().unwrap().clone();
                let (log, keys, _) = open(&inside, Some(9)).unwrap();
                assert!([&before.0, &before.1].contains(&&keys), "operation {n}");
                let mut new = User::new(log, keys, 1_000_000);
                meanwhile(&mut new);
                *kept.lock().unwrap() = Some((before.0, new.keys));
            }
        })));
        let result = old.work();
        disk.set_hook(None);
        let Some((before, left)) = left.lock().unwrap().take() else {
            assert!(n > 100, "{n}");
            return;
        };
        if let Err(error) = result {
            assert_ne!(
                error.kind,
                ErrorKind::StoreDamaged,
                "operation {n}: {error}"
            );
            assert_eq!(old.acknowledged.lock().unwrap().0, before, "operation {n}");
        }
        assert_eq!(open(&disk, Some(10)).unwrap().1, left, "operation {n}");
    }
}

#[test]
fn a_snapshot_that_ends_while_another_takes_over_takes_nothing_from_what_it_reads() {
    for n in 0.. {
        let disk = FakeDisk::new();
        let (log, keys, _) = open(&disk, Some(1)).unwrap();
        let mut old = User::new(log, keys, 0);
        for _ in 0..8 {
            old.batch(4, 5).unwrap();
        }
        old.begin_snapshot().unwrap();
        let keys = old.keys.clone();
        let (old, count) = (Mutex::new(Some(old)), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&count);
        disk.set_hook(Some(Arc::new(move |_, _| {
            if counted.fetch_add(1, Ordering::SeqCst) == n {
                let mut old = old.lock().unwrap().take().unwrap();
                drop(old.rest());
            }
        })));
        let (_, found, _) = open(&disk, Some(9)).unwrap_or_else(|e| panic!("operation {n}: {e}"));
        disk.set_hook(None);
        assert_eq!(found, keys, "operation {n}");
        if count.load(Ordering::SeqCst) < n {
            assert!(n > 30, "{n}");
            return;
        }
    }
}

#[test]
fn without_the_fence_a_thawed_owner_acknowledges_and_the_test_above_would_see_it() {
    let disk = FakeDisk::new();
    let mut unfenced = options(Some(1));
    unfenced.fence = Some(Box::new(NoFence));
    let clock = Arc::new(FakeClock::default());
    let disk_of_log = Arc::new(disk.clone());
    let (log, _) = Log::open(disk_of_log, clock, unfenced, &mut |_, _| Ok(())).unwrap();
    let mut old = User::new(log, Keys::new(), 0);
    old.batch(2, 9).unwrap();
    let _new = open(&disk, Some(2)).unwrap();
    old.settle().unwrap();
    assert_eq!(old.acknowledged.lock().unwrap().0.len(), 2, "acknowledged");
    let (_, keys, _) = open(&disk, Some(3)).unwrap();
    assert!(keys.is_empty(), "and lost");
}

#[test]
fn a_batch_larger_than_the_next_segment_passes_over_it() {
    let disk = FakeDisk::new();
    let (mut log, _, _) = open(&disk, None).unwrap();
    let first = log.current_segment();
    log.prepare(1, 6000, false).unwrap();
    log.push(&record_of(1));
    log.push(&[2; 4000]);
    let flush = log.seal().unwrap();
    // Two rolls while the batch is in flight: the first one's header goes out before the second's.
    log.prepare(1, 5000, false).unwrap();
    log.prepare(1, 40_000, false).unwrap();
    assert!(log.current_segment() > first + 1);
    let big = log.record(|to| to.resize(to.len() + 40_000, 3));
    log.settle(flush.run()).unwrap();
    assert_eq!(log.read(big).unwrap_err().kind, ErrorKind::Internal);
    log.commit().unwrap();
    assert_eq!(log.read(big).unwrap(), vec![3; 40_000]);
    let mut sizes = Vec::new();
    let after = Arc::new(disk.crash(1, Survivors::None));
    let clock = Arc::new(FakeClock::default());
    Log::open(after, clock, options(None), &mut |_, event| {
        if let Event::Record(_, bytes) = event {
            sizes.push(bytes.len());
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(sizes, [record_of(1).len(), 4000, 40_000]);
}

#[test]
fn a_snapshot_in_a_segment_that_has_no_batch_yet_is_found_again() {
    let disk = FakeDisk::new();
    let (log, keys, _) = open(&disk, None).unwrap();
    let mut user = User::new(log, keys, 0);
    user.batch(4, 99).unwrap();
    user.batch(0, 0).unwrap();
    user.rest().unwrap();
    let first = user.log.current_segment();
    user.log.prepare(1, 7000, false).unwrap();
    assert!(user.log.current_segment() > first);
    user.begin_snapshot().unwrap();
    user.rest().unwrap();
    for survivors in [Survivors::None, Survivors::All] {
        let (_, keys, _) = open(&disk.crash(1, survivors), None).unwrap();
        assert_eq!(keys, user.keys);
    }
    // And when batches follow while it is written.
    user.begin_snapshot().unwrap();
    user.batch(3, 99).unwrap();
    user.rest().unwrap();
    let (_, keys, _) = open(&disk.crash(1, Survivors::None), None).unwrap();
    assert_eq!(keys, user.keys);
}

#[test]
fn after_everything_was_drained_two_segments_and_little_else_are_left() {
    let disk = FakeDisk::new();
    let (log, keys, _) = open(&disk, None).unwrap();
    let mut user = User::new(log, keys, 0);
    for _ in 0..40 {
        user.batch(4, 200).unwrap();
    }
    user.batch(0, 0).unwrap();
    user.rest().unwrap();
    for _ in 0..2 {
        user.begin_snapshot().unwrap();
        user.rest().unwrap();
    }
    let names = disk.list().unwrap();
    let ending = |what: &str| names.iter().filter(|n| n.ends_with(what)).count();
    assert!(ending(".seg") <= 2, "{names:?}");
    assert_eq!(
        (ending(".snap"), names.len() - ending(".seg")),
        (1, 3),
        "{names:?}"
    );
    assert!(disk.used_bytes() < 3 * SEGMENT_BYTES);
}

#[test]
fn a_full_disk_refuses_what_adds_in_every_job_and_the_log_goes_on() {
    let disk = FakeDisk::new();
    let (log, keys, _) = open(&disk, None).unwrap();
    let mut user = User::new(log, keys, 0);
    user.batch(3, 99).unwrap();
    user.rest().unwrap();
    disk.set_capacity(Some(disk.used_bytes() + 300));
    let full = |error: Error| assert_eq!(error.kind, ErrorKind::InsufficientResources, "{error}");
    let fine_or_full = |result: Result<()>| {
        if let Err(error) = result {
            full(error);
        }
    };
    let refused = loop {
        match user.log.prepare(1, 2000, false) {
            Ok(()) => user.add(),
            Err(error) => break error,
        }
        user.log.commit().unwrap();
        while let Some(job) = user.log.spare_job() {
            fine_or_full(user.log.install_spare(job.run()));
        }
    };
    full(refused);
    user.sealed = user.keys.clone();
    // What only removes goes on, in the reserve; a snapshot may take the reserve's place.
    user.log.prepare(40, 400, true).unwrap();
    user.remove_first(0);
    user.log.commit().unwrap();
    user.begin_snapshot().unwrap();
    fine_or_full(user.rest());
    user.begin_snapshot().unwrap();
    fine_or_full(user.rest());
    user.log.prepare(1, 2000, false).unwrap();
    user.add();
    user.log.commit().unwrap();
    user.read_all().unwrap();
    let (_, keys, _) = open(&disk.crash(3, Survivors::None), None).unwrap();
    assert_eq!(keys, user.keys);
}

#[test]
fn a_job_that_fails_stops_the_log_for_good() {
    let jobs: [fn(&mut User) -> Result<()>; 2] = [
        |user| {
            user.begin_snapshot()?;
            user.rest()
        },
        |user| {
            let job = user.log.spare_job().unwrap();
            user.log.install_spare(job.run())
        },
    ];
    for job in jobs {
        let disk = FakeDisk::new();
        let (log, keys, _) = open(&disk, None).unwrap();
        let mut user = User::new(log, keys, 0);
        user.batch(2, 99).unwrap();
        user.rest().unwrap();
        while user.log.prepare(1, 4000, true).is_ok() && user.log.segments().len() < 3 {
            user.add();
            user.log.commit().unwrap();
        }
        disk.fail_at(disk.operations() + 1, Fault::Io);
        let error = job(&mut user).unwrap_err();
        assert_eq!(error.kind, ErrorKind::MessageStorageFailed, "{error}");
        assert_eq!(user.log.check().unwrap_err(), error);
        assert_eq!(user.log.prepare(1, 1, true).unwrap_err(), error);
        user.add();
        assert!(user.log.seal().is_none());
        assert_eq!(user.log.commit().unwrap_err(), error);
    }
}

#[test]
fn a_failed_flush_acknowledges_nothing_and_the_next_batch_is_never_written() {
    let disk = FakeDisk::new();
    let (log, keys, _) = open(&disk, None).unwrap();
    let mut user = User::new(log, keys, 0);
    user.log.prepare(4, 4000, false).unwrap();
    user.add();
    let flush = user.log.seal().unwrap();
    user.add();
    disk.fail_at(disk.operations(), Fault::Io);
    let error = user.log.settle(flush.run()).unwrap_err();
    assert!(user.log.seal().is_none());
    assert_eq!(user.log.check().unwrap_err(), error);
    assert!(
        open(&disk.crash(1, Survivors::None), None)
            .unwrap()
            .1
            .is_empty()
    );
}

#[test]
fn a_rising_reader_reads_the_disk_seldom_and_never_what_is_not_settled() {
    let disk = FakeDisk::new();
    let mut large = options(None);
    large.segment_bytes = 1 << 20;
    let clock = Arc::new(FakeClock::default());
    let disk_of_log = Arc::new(disk.clone());
    let (mut log, _) = Log::open(disk_of_log, clock, large, &mut |_, _| Ok(())).unwrap();
    let mut places = Vec::new();
    for n in 0..400_u32 {
        log.prepare(1, 1000, false).unwrap();
        places.push(log.record(|to| to.resize(to.len() + 1000, n as u8)));
        log.commit().unwrap();
    }
    let before = disk.operations();
    for (n, place) in places.iter().enumerate() {
        assert_eq!(log.read(*place).unwrap(), vec![n as u8; 1000]);
    }
    let reads = disk.operations() - before;
    assert!(reads < 12, "{reads} operations for 400 records");
    // A window that was read before a batch is written does not serve its bytes.
    log.read(places[398]).unwrap();
    log.prepare(1, 1000, false).unwrap();
    let next = log.record(|to| to.resize(to.len() + 1000, 7));
    assert_eq!(log.read(next).unwrap_err().kind, ErrorKind::Internal);
    let flush = log.seal().unwrap();
    assert_eq!(log.read(next).unwrap_err().kind, ErrorKind::Internal);
    log.settle(flush.run()).unwrap();
    assert_eq!(log.read(next).unwrap(), vec![7; 1000]);
}

#[test]
fn the_records_of_a_sealed_segment_come_back_in_order_or_not_at_all() {
    let disk = FakeDisk::new();
    let (log, keys, _) = open(&disk, None).unwrap();
    let mut user = User::new(log, keys, 0);
    user.work().unwrap();
    let segments = user.log.segments();
    let (current, sealed) = segments.split_last().unwrap();
    assert!(current.current && user.log.records_of(current.number).is_err());
    assert!(
        sealed
            .iter()
            .all(|s| !s.current && s.bytes <= SEGMENT_BYTES)
    );
    let mut seen = 0;
    for sealed in sealed {
        let records = user.log.records_of(sealed.number).unwrap();
        assert!(records.is_sorted_by_key(|r| r.0));
        for (position, bytes) in records {
            assert_eq!(user.log.read(position).unwrap(), bytes);
            seen += usize::from(user.keys.values().any(|p| *p == position));
        }
    }
    assert!(seen >= 2, "{seen}");
    let victim = sealed[0].number;
    let names = disk.list().unwrap();
    let prefix = format!("{victim:010}-");
    let name = names.iter().find(|n| n.starts_with(&prefix)).unwrap();
    disk.damage(name, 700);
    let error = user.log.records_of(victim).unwrap_err();
    assert_eq!(error.kind, ErrorKind::StoreDamaged, "{error}");
}
