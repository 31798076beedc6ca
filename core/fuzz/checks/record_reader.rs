//! Whatever lies on the disk is read or refused, and what is read is written so that it is read as the same again.
//!
//! ```text
//!  input:  what it is (byte 0) | 0 a record | 1 a page | 2 a snapshot's payload | 3 the files of a store
//!  files:  (which 1 | length 2 | bytes)*
//! ```
//!
//! Checksums are made to fit, so that what lies behind them is looked at as well.

use std::cell::RefCell;
use std::sync::Arc;

use hamq_core::log::inspect::{self, Salvaged};
use hamq_core::log::{Event, Log, LogOptions, Position};
use hamq_core::queue::change::Change;
use hamq_core::queue::index::rewrite_page;
use hamq_core::queue::offline;
use hamq_core::queue::state::State;
use hamq_core::sys::clock::FakeClock;
use hamq_core::sys::disk::Disk;
use hamq_core::sys::disk_fake::FakeDisk;
use hamq_core::{Error, ErrorKind, Result};
use uuid::Uuid;

const SECTOR_BYTES: usize = 512;
/// What of a batch is not its payload, and where in it the checksum is.
const BATCH_HEADER_BYTES: usize = 40;
const BATCH_CRC_AT: usize = 36;
const SEGMENT_CRC_AT: usize = 72;

/// The files that an input can name. All tokens are of that kind: epoch, incarnation, nonce.
const FILES: [&str; 10] = [
    "0000000001-1-0-00000001.seg",
    "0000000002-1-0-00000001.seg",
    "0000000003-1-0-00000001.seg",
    "0000000002-2-0-00000002.seg",
    "0000000003-2-0-00000002.seg",
    "0000000001-0000000512-1-0-00000001.snap",
    "0000000002-0000000512-2-0-00000002.snap",
    "EPOCH",
    "claim-1-0-00000001",
    "claim-2-0-00000002",
];

/// Reads the input as what its first byte says.
pub(crate) fn check(data: &[u8]) {
    let Some((what, rest)) = data.split_first() else {
        return;
    };
    match what % 4 {
        0 => refused(record(rest)),
        1 => refused(page(rest)),
        2 => refused(snapshot(rest)),
        _ => files(rest),
    }
}

/// What a store wrote, as an input that is read to its end. For those who make a corpus.
pub(crate) fn check_is_read(data: &[u8]) -> Result<()> {
    match data.split_first() {
        Some((0, rest)) => record(rest),
        Some((1, rest)) => page(rest),
        Some((2, rest)) => snapshot(rest),
        _ => {
            files(data.get(1..).unwrap_or_default());
            Ok(())
        }
    }
}

fn refused(read: Result<()>) {
    if let Err(error) = read {
        assert_eq!(error.kind, ErrorKind::StoreDamaged);
        assert!(!error.message.is_empty() && error.hint.is_some());
    }
}

fn client(number: u32) -> Option<Uuid> {
    Some(Uuid::from_u128(number.into()))
}

fn record(bytes: &[u8]) -> Result<()> {
    let (change, parts) = Change::decode(bytes, &client)?;
    for (offset, length) in parts {
        assert!(offset as usize + length as usize <= bytes.len());
    }
    let number = change.stamp.request.map_or(0, |id| id.client.as_u128());
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let (mut again, mut parts) = (Vec::new(), Vec::new());
    change.encode(&mut again, &mut parts, number, &[]);
    assert_eq!(Change::decode(&again, &client), Ok((change, parts)));
    Ok(())
}

/// `bytes` are without the checksum.
fn page(bytes: &[u8]) -> Result<()> {
    let mut page = crc32c::crc32c(bytes).to_le_bytes().to_vec();
    page.extend_from_slice(bytes);
    let again = rewrite_page(&page)?;
    assert_eq!(rewrite_page(&again).as_ref(), Ok(&again));
    Ok(())
}

fn snapshot(bytes: &[u8]) -> Result<()> {
    let again = State::decode(bytes)?.encode();
    let state = State::decode(&again).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(state.encode(), again);
    Ok(())
}

/// A store of these files: looked at from outside, read record by record, and taken over. The three agree.
fn files(data: &[u8]) {
    let disk = FakeDisk::new();
    write_files(&disk, data);
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let inspection = inspect::inspect(&disk).unwrap_or_else(|e| panic!("{e:?}"));
    drop(offline::check(&disk));
    let (mut intact, mut gaps) = (Vec::new(), 0);
    for salvaged in inspect::salvage(&disk).unwrap_or_else(|e| panic!("{e:?}")) {
        match salvaged {
            Salvaged::Record(at, bytes) => intact.push((at, bytes.to_vec())),
            Salvaged::Gap(_) => gaps += 1,
        }
    }
    let counted: u64 = inspection.segments.iter().map(|s| s.records).sum();
    assert_eq!(counted, intact.len() as u64);
    match take_over(&disk) {
        Ok((None, replayed)) => {
            assert_eq!((replayed, 0), (intact, gaps), "{inspection:#?}");
        }
        // With a snapshot what lies before it is not read: nothing need be right there.
        Ok((Some(_), _)) => {}
        Err(error) => explains_itself(&error),
    }
}

fn explains_itself(error: &Error) {
    assert!(!error.message.is_empty());
}

type Replayed = (Option<Vec<u8>>, Vec<(Position, Vec<u8>)>);

fn take_over(disk: &Arc<dyn Disk>) -> Result<Replayed> {
    let options = LogOptions {
        epoch: None,
        owner: "n1".into(),
        segment_bytes: 2048,
        deadline: None,
        fence: None,
    };
    let replayed = RefCell::new((None, Vec::new()));
    let mut replay = |_: &hamq_core::log::Stored<'_>, event: Event<'_>| {
        let mut replayed = replayed.borrow_mut();
        match event {
            Event::Snapshot(bytes) => replayed.0 = Some(bytes.to_vec()),
            Event::Record(at, bytes) => replayed.1.push((at, bytes.to_vec())),
        }
        Ok(())
    };
    let clock = Arc::new(FakeClock::default());
    let (log, _) = Log::open(Arc::clone(disk), clock, options, &mut replay)?;
    drop(log);
    Ok(replayed.into_inner())
}

fn write_files(disk: &FakeDisk, data: &[u8]) {
    let mut rest = data;
    while let [which, low, high, bytes @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(bytes.len());
        let (bytes, behind) = bytes.split_at(length);
        rest = behind;
        let name = FILES[usize::from(*which) % FILES.len()];
        let mut bytes = bytes.to_vec();
        mend(name, &mut bytes);
        if let Ok(file) = disk.create(name, 0) {
            drop(file.write_at(0, &bytes));
        }
    }
}

/// Sets the checksums of what says how long it is.
fn mend(name: &str, bytes: &mut [u8]) {
    if name.ends_with(".snap") {
        set_crc(bytes, bytes.len().saturating_sub(4), 0);
    } else if name == "EPOCH" {
        set_crc(bytes, SECTOR_BYTES - 4, 0);
    } else if name.ends_with(".seg") {
        set_crc(bytes, SEGMENT_CRC_AT, 0);
        for at in (SECTOR_BYTES..bytes.len()).step_by(SECTOR_BYTES) {
            mend_batch(&mut bytes[at..]);
        }
    }
}

fn mend_batch(bytes: &mut [u8]) {
    let Some(payload) = bytes.get(32..36).and_then(|b| b.try_into().ok()) else {
        return;
    };
    let end = (u32::from_le_bytes(payload) as usize).saturating_add(BATCH_HEADER_BYTES);
    if bytes.starts_with(b"BATH") && end <= bytes.len() {
        set_crc(bytes, BATCH_CRC_AT, end);
    }
}

/// The checksum at `at` of all before it, and of what lies behind it up to `end`.
fn set_crc(bytes: &mut [u8], at: usize, end: usize) {
    if bytes.len() < at + 4 {
        return;
    }
    let crc = crc32c::crc32c(&bytes[..at]);
    let crc = crc32c::crc32c_append(crc, bytes.get(at + 4..end).unwrap_or(&[]));
    bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
}
