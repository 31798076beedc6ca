//! The writer: records go into a batch, the batch into the current segment, segments follow one another.
//!
//! ```text
//!  prepare(bytes) -> room for a batch, or Full   record*   commit() -> durable and still mine
//!                                                          (or seal, run, settle: flush.rs)
//! ```
//!
//! One prepared segment is kept in reserve. An ordinary batch needs it to be there; a batch that only
//! removes may use it up, so that a full disk can be emptied.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::batch::{Batch, RECORD_HEADER_BYTES};
use super::fence::Fence;
use super::pool::Pool;
use super::reading::Reading;
use super::segment::{HEADER_BYTES, Header, Position, SegmentId, align};
use super::token::Token;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::Clock;
use crate::sys::disk::{Disk, DiskFile};

/// A segment that is open for writing.
pub(super) struct Open {
    pub(super) id: SegmentId,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) length: u64,
    /// How often the file was a segment before.
    pub(super) lives: u32,
}

/// A header that is not known to be durable.
#[derive(Clone)]
pub(super) struct Due {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) header: Header,
}

impl Due {
    pub(super) fn write(&self) -> io::Result<()> {
        self.file.write_at(0, &self.header.encode())?;
        self.file.sync()
    }
}

/// A segment that is part of the log, before the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) id: SegmentId,
    /// Where it ends.
    pub(super) end: u64,
    /// Bytes and earlier lives of the file, if this opening made it.
    pub(super) length: u64,
    pub(super) lives: u32,
}

impl Sealed {
    /// One of an earlier opening.
    pub(super) const fn earlier(id: SegmentId, end: u64) -> Self {
        Self {
            id,
            end,
            length: 0,
            lives: 0,
        }
    }
}

/// The log, open for writing by this process alone.
pub struct Log {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) fence: Box<dyn Fence>,
    pub(super) token: Token,
    pub(super) segment_bytes: u64,
    pub(super) deadline: Option<Duration>,
    pub(super) current: Open,
    /// Where the next batch goes, behind one that is in flight.
    pub(super) end: u64,
    /// Headers that go out with the next batch, oldest segment first, the current one's last.
    pub(super) due: Vec<Due>,
    pub(super) batch: Batch,
    /// The memory of the batch that is in flight, when it is back.
    pub(super) other_batch: Batch,
    pub(super) in_flight: bool,
    /// Up to where, in which segment, the log is settled: durable and acknowledged as the own.
    pub(super) settled: (u32, u64),
    pub(super) next_batch: u64,
    /// The segments before the current one.
    pub(super) segments: BTreeMap<u32, Sealed>,
    pub(super) reading: Reading,
    pub(super) pool: Pool,
    /// The last one this process wrote.
    pub(super) last_snapshot: Option<String>,
    pub(super) poison: Option<Error>,
    pub(super) meter: super::meter::Meter,
}

impl Log {
    /// The owner this process is.
    #[must_use]
    pub const fn token(&self) -> Token {
        self.token
    }

    /// What it has done so far.
    #[must_use]
    pub const fn meter(&self) -> &super::meter::Meter {
        &self.meter
    }

    /// The number of the segment that is written; it grows with every opening.
    #[must_use]
    pub const fn current_segment(&self) -> u32 {
        self.current.id.number
    }

    /// Bytes that the present batch needs with so many more records and bytes.
    fn batch_bytes(&self, records: usize, bytes: usize) -> u64 {
        align((self.batch.length() + records * RECORD_HEADER_BYTES + bytes) as u64)
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        if self.batch.is_empty() {
            0
        } else {
            self.batch.length()
        }
    }

    /// Whether something waits to be written.
    #[must_use]
    pub fn has_records(&self) -> bool {
        !self.batch.is_empty()
    }

    /// Whether the present batch can grow by so much without another segment.
    #[must_use]
    pub fn has_room(&self, records: usize, bytes: usize) -> bool {
        self.end + self.batch_bytes(records, bytes) <= self.current.length
    }

    /// Makes room for a batch of at most so many records and bytes. `reserve`: it only removes, and may
    /// use what is kept for that.
    ///
    /// # Errors
    /// `InsufficientResources`: the disk is full, nothing has changed. Any other is final.
    pub fn prepare(&mut self, records: usize, bytes: usize, reserve: bool) -> Result<()> {
        self.healthy()?;
        let need = self.batch_bytes(records, bytes);
        if need > SEGMENT_BYTES_MAX {
            return Err(self.poison(too_large(need)));
        }
        if self.end + need > self.current.length {
            self.roll(need, reserve)?;
        } else if !reserve {
            self.require_reserve(need)?;
        }
        if self.end + need > self.current.length / 2 {
            self.pool.expect_roll();
        }
        self.check_invariants_in_debug();
        Ok(())
    }

    /// An ordinary batch needs a spare, so that what removes can go on when the disk is full. One that is
    /// being made will do as long as half a segment is left for what removes.
    fn require_reserve(&mut self, need: u64) -> Result<()> {
        let roomy = self.current.length - self.end - need >= self.current.length / 2;
        if self.pool.has_reserve() || (roomy && self.pool.is_busy()) {
            return Ok(());
        }
        let spare = self.create_spare(0)?;
        self.pool.add(spare);
        Ok(())
    }

    /// Where the bytes of the next record will lie.
    #[must_use]
    pub fn next_position(&self, length: usize) -> Position {
        self.position(self.batch.next_record_at(), length)
    }

    /// Adds the record that `write` appends to what it is given (where earlier records are not to be touched).
    pub fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Position {
        let (at, length) = self.batch.record(write);
        self.position(at, length)
    }

    /// Adds a record to the batch.
    pub fn push(&mut self, record: &[u8]) {
        self.record(|batch| batch.extend_from_slice(record));
    }

    fn position(&self, at: usize, length: usize) -> Position {
        Position {
            segment: self.current.id.number,
            offset: u32::try_from(self.end + at as u64).unwrap_or(u32::MAX),
            length: u32::try_from(length).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn check_owner(&self) -> Result<()> {
        self.fence.check()?;
        match self.deadline {
            Some(deadline) if self.clock.boot() >= deadline => Err(Error::new(
                ErrorKind::Fenced,
                "the owner's lease was not renewed in time",
            )
            .hint("the node has lost the cluster database; the group will come up elsewhere")),
            _ => Ok(()),
        }
    }

    /// Acknowledgements are allowed until then. Without a deadline from the start there is none: the file
    /// system is coherent, and the epoch alone decides.
    pub fn extend_deadline(&mut self, until: Duration) {
        self.deadline = self.deadline.map(|now| now.max(until));
    }

    /// Asserts what holds between any two calls; in debug builds after each that changes the log.
    ///
    /// # Panics
    /// When it does not hold: a fault of the log itself.
    pub fn check_invariants(&self) {
        let number = self.current.id.number;
        assert!((HEADER_BYTES..=self.current.length).contains(&self.end));
        assert_eq!(self.end, align(self.end), "batches begin on a sector");
        let last = self.segments.last_key_value();
        assert!(last.is_none_or(|(last, _)| *last < number), "numbers grow");
        assert!(
            self.due
                .is_sorted_by(|a, b| a.header.id.number < b.header.id.number)
        );
        let begins = self
            .due
            .last()
            .filter(|due| due.header.id == self.current.id);
        assert!(
            begins.is_none() || self.end == HEADER_BYTES,
            "a header goes out with the first batch"
        );
        assert!(
            self.settled <= (number, self.end),
            "no more is settled than was sealed"
        );
        let all = self.settled == (number, self.end);
        assert!(all || self.in_flight || self.poison.is_some() || self.end == HEADER_BYTES);
        self.pool.check_invariants(number);
    }

    pub(super) fn check_invariants_in_debug(&self) {
        if cfg!(debug_assertions) {
            self.check_invariants();
        }
    }

    pub(super) fn healthy(&self) -> Result<()> {
        self.poison.clone().map_or(Ok(()), Err)
    }

    /// The first failure is the one that stays.
    pub(super) fn poison(&mut self, error: Error) -> Error {
        self.poison.get_or_insert(error).clone()
    }

    /// Goes on in the next segment, which has room for `need` bytes. Its header goes out with the next
    /// batch: nothing is written here unless there is no spare.
    fn roll(&mut self, need: u64, reserve: bool) -> Result<()> {
        if !self.batch.is_empty() {
            return Err(self.poison(too_large(need)));
        }
        let next = self.next_segment(need, reserve)?;
        self.due.push(Due {
            file: Arc::clone(&next.file),
            header: Header {
                id: next.id,
                previous: self.current.id,
                previous_end: self.end,
                first_batch: self.next_batch,
                lives: next.lives,
            },
        });
        let before = std::mem::replace(&mut self.current, next);
        let Open {
            id, length, lives, ..
        } = before;
        let end = self.end;
        let sealed = Sealed {
            id,
            end,
            length,
            lives,
        };
        self.segments.insert(id.number, sealed);
        self.reading.keep(id.number, before.file);
        self.end = HEADER_BYTES;
        self.pool.rolled(self.current.id.number);
        tracing::debug!(segment = self.current.id.number, "segment begun");
        Ok(())
    }

    /// A segment to go on in; unless `reserve`, another one stays behind.
    fn next_segment(&mut self, need: u64, reserve: bool) -> Result<Open> {
        let next = match self.pool.take(HEADER_BYTES + need) {
            Some(next) => next,
            None => self.create_spare(need)?,
        };
        if reserve || self.pool.has_reserve() {
            return Ok(next);
        }
        match self.create_spare(0) {
            Ok(spare) => {
                self.pool.add(spare);
                Ok(next)
            }
            Err(error) => {
                self.pool.add(next);
                Err(error)
            }
        }
    }

    /// Makes a spare here and now: the pool was not quick enough.
    fn create_spare(&mut self, need: u64) -> Result<Open> {
        let length = self.next_bytes().max(HEADER_BYTES + need);
        let task = self.pool.create_task(self.token, length);
        match task.run(self.disk.as_ref()) {
            Ok(spare) => Ok(self.pool.made_inline(spare)),
            Err(error) if error.kind == ErrorKind::InsufficientResources => {
                self.pool.disk_is_full();
                Err(error)
            }
            Err(error) => Err(self.poison(error)),
        }
    }

    /// Segments grow from opening to full size: the first is quick to make.
    pub(super) fn next_bytes(&self) -> u64 {
        self.segment_bytes
            .min(self.current.length.saturating_mul(SEGMENT_GROWTH))
    }
}

/// How many times larger the next segment is, until it has full size.
const SEGMENT_GROWTH: u64 = 4;

/// Positions are 32 bits wide; no batch comes near.
const SEGMENT_BYTES_MAX: u64 = 0xF000_0000;

fn too_large(need: u64) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("a batch of {need} bytes is larger than was prepared for"),
    )
}

pub(super) fn failed(what: &str, error: &io::Error) -> Error {
    Error::new(
        ErrorKind::MessageStorageFailed,
        format!("the message store failed to {what}: {error}"),
    )
    .hint("the store is closed for good in this process; what was acknowledged is on disk; start it again")
}

pub(super) fn create(disk: &dyn Disk, id: SegmentId, length: u64) -> Result<Open> {
    let file = disk
        .create(&id.file_name(), length)
        .map_err(|error| not_created(id, &error))?;
    Ok(Open {
        id,
        file,
        length,
        lives: 0,
    })
}

pub(super) fn not_created(id: SegmentId, error: &io::Error) -> Error {
    Error::system(format_args!("create segment {}", id.file_name()), error)
        .hint("free space on the disk; messages can still be received")
}
