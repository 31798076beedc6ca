//! The writer: one batch at a time into the current segment; poisoned for good by the first failure.
//!
//! ```text
//!  prepare(bytes) -> room for a batch, or Full   push(record)*   commit() -> durable and still mine
//! ```
//!
//! One prepared segment is kept in reserve. An ordinary batch needs it to be there; a batch that only
//! removes may use it up, so that a full disk can be emptied.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::batch::{BATCH_HEADER_BYTES, Batch, RECORD_HEADER_BYTES};
use super::fence::Fence;
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
    pub(super) end: u64,
    /// The header of `current` that goes out with its first batch.
    pub(super) header: Option<Header>,
    pub(super) spare: Option<Open>,
    pub(super) batch: Batch,
    pub(super) next_batch: u64,
    pub(super) segments: BTreeMap<u32, SegmentId>,
    pub(super) files: Mutex<BTreeMap<u32, Arc<dyn DiskFile>>>,
    /// The last one this process wrote.
    pub(super) last_snapshot: Option<String>,
    pub(super) poison: Option<Error>,
}

impl Log {
    /// The owner this process is.
    #[must_use]
    pub const fn token(&self) -> Token {
        self.token
    }

    /// The number of the segment that is written; it grows with every opening.
    #[must_use]
    pub const fn current_segment(&self) -> u32 {
        self.current.id.number
    }

    /// Bytes that a batch of `records` records with `bytes` bytes in all needs.
    fn batch_bytes(records: usize, bytes: usize) -> u64 {
        align((BATCH_HEADER_BYTES + records * RECORD_HEADER_BYTES + bytes) as u64)
    }

    /// Makes room for a batch of at most so many records and bytes. `reserve`: it only removes, and may
    /// use what is kept for that.
    ///
    /// # Errors
    /// `InsufficientResources`: the disk is full, nothing has changed. Any other is final.
    pub fn prepare(&mut self, records: usize, bytes: usize, reserve: bool) -> Result<()> {
        self.healthy()?;
        let need = Self::batch_bytes(records, bytes);
        if self.end + need > self.current.length {
            self.roll(need, reserve)
        } else if self.spare.is_none() && !reserve {
            self.make_spare(self.current.id.number + 1)
        } else {
            Ok(())
        }
    }

    /// Where the bytes of the next record will lie.
    #[must_use]
    pub fn next_position(&self, length: usize) -> Position {
        let offset = self.end + self.batch.next_record_at() as u64;
        Position {
            segment: self.current.id.number,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
            length: u32::try_from(length).unwrap_or(u32::MAX),
        }
    }

    /// Adds a record to the batch.
    pub fn push(&mut self, record: &[u8]) {
        self.batch.push(record);
    }

    /// Writes and syncs the batch, then checks that it may be acknowledged. Without records it only checks.
    ///
    /// # Errors
    /// Final: every later call returns the same.
    pub fn commit(&mut self) -> Result<u64> {
        self.healthy()?;
        let result = self.write_batch().and_then(|bytes| {
            self.check_owner()?;
            Ok(bytes)
        });
        self.batch.clear();
        result.map_err(|error| self.poison(error))
    }

    fn write_batch(&mut self) -> Result<u64> {
        if self.batch.is_empty() {
            return Ok(0);
        }
        let bytes = self.batch.seal(self.token, self.next_batch);
        if self.end + bytes.len() as u64 > self.current.length {
            return Err(Error::new(
                ErrorKind::Internal,
                "a batch is larger than was prepared for",
            ));
        }
        let file = &self.current.file;
        let write = || -> io::Result<()> {
            if let Some(header) = &self.header {
                file.write_at(0, &header.encode())?;
            }
            file.write_at(self.end, bytes)?;
            file.sync()
        };
        write().map_err(|error| failed("write the log", &error))?;
        let length = bytes.len() as u64;
        self.header = None;
        self.end = align(self.end + length);
        self.next_batch += 1;
        Ok(length)
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

    pub(super) fn healthy(&self) -> Result<()> {
        self.poison.clone().map_or(Ok(()), Err)
    }

    pub(super) fn poison(&mut self, error: Error) -> Error {
        self.poison = Some(error.clone());
        error
    }

    /// Goes on in the next segment, which has room for `need` bytes.
    fn roll(&mut self, need: u64, reserve: bool) -> Result<()> {
        self.write_header()?;
        let number = self.current.id.number + 1;
        if let Some(small) = self.spare.take_if(|s| s.length < HEADER_BYTES + need) {
            self.discard(&small);
        }
        let next = match self.spare.take() {
            Some(next) => next,
            None => self.create(number, need)?,
        };
        if let Err(error) = self.make_spare(number + 1)
            && (!reserve || error.kind != ErrorKind::InsufficientResources)
        {
            self.spare = Some(next);
            return Err(error);
        }
        self.header = Some(Header {
            id: next.id,
            previous: self.current.id,
            previous_end: self.end,
            first_batch: self.next_batch,
        });
        self.segments.insert(number, next.id);
        self.current = next;
        self.end = HEADER_BYTES;
        Ok(())
    }

    /// Writes a header that is still due: something is about to refer to this segment.
    pub(super) fn write_header(&mut self) -> Result<()> {
        let Some(header) = self.header.take() else {
            return Ok(());
        };
        let file = &self.current.file;
        let begun = file
            .write_at(0, &header.encode())
            .and_then(|()| file.sync());
        begun.map_err(|error| self.poison(failed("begin a segment", &error)))
    }

    pub(super) fn make_spare(&mut self, number: u32) -> Result<()> {
        self.spare = Some(self.create(number, 0)?);
        Ok(())
    }

    fn create(&mut self, number: u32, need: u64) -> Result<Open> {
        let token = self.token;
        let length = self.next_bytes().max(HEADER_BYTES + need);
        match create(self.disk.as_ref(), SegmentId { number, token }, length) {
            Err(error) if error.kind == ErrorKind::InsufficientResources => Err(error),
            Err(error) => Err(self.poison(error)),
            Ok(open) => match self.disk.sync_folder() {
                Ok(()) => Ok(open),
                Err(error) => Err(self.poison(failed("sync the folder", &error))),
            },
        }
    }

    /// Segments grow from opening to full size: the first is quick to make.
    fn next_bytes(&self) -> u64 {
        self.segment_bytes
            .min(self.current.length.saturating_mul(SEGMENT_GROWTH))
    }

    pub(super) fn discard(&self, open: &Open) {
        // It has no header: whether it goes or stays changes nothing but space.
        drop(self.disk.remove(&open.id.file_name()));
    }

    /// Reads bytes of a record.
    ///
    /// # Errors
    /// `StoreDamaged` when the bytes are not there; those of the file system.
    pub fn read(&self, position: Position) -> Result<Vec<u8>> {
        let mut bytes = vec![0; position.length as usize];
        let lost = |what: &dyn std::fmt::Display| {
            Error::new(
                ErrorKind::StoreDamaged,
                format!(
                    "segment {} at byte {}: {what}",
                    position.segment, position.offset
                ),
            )
        };
        let file = self.file(position.segment).map_err(|error| lost(&error))?;
        let count = file.read_at(u64::from(position.offset), &mut bytes);
        match count.map_err(|error| lost(&error))? {
            count if count == bytes.len() => Ok(bytes),
            _ => Err(lost(&"the file is too short")),
        }
    }

    fn file(&self, number: u32) -> io::Result<Arc<dyn DiskFile>> {
        if number == self.current.id.number {
            return Ok(Arc::clone(&self.current.file));
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(&number) {
            return Ok(Arc::clone(file));
        }
        let id = self.segments.get(&number);
        let id = id.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let file = self.disk.open(&id.file_name())?;
        if files.len() >= OPEN_FILES_MAX {
            files.pop_first();
        }
        files.insert(number, Arc::clone(&file));
        Ok(file)
    }
}

/// How many times larger the next segment is, until it has full size.
const SEGMENT_GROWTH: u64 = 4;

/// Segments that are kept open for reading.
const OPEN_FILES_MAX: usize = 64;

pub(super) fn failed(what: &str, error: &io::Error) -> Error {
    Error::new(
        ErrorKind::MessageStorageFailed,
        format!("the message store failed to {what}: {error}"),
    )
    .hint("the store is closed for good in this process; what was acknowledged is on disk; start it again")
}

pub(super) fn create(disk: &dyn Disk, id: SegmentId, length: u64) -> Result<Open> {
    let file = disk.create(&id.file_name(), length).map_err(|error| {
        Error::system(format_args!("create segment {}", id.file_name()), &error)
            .hint("free space on the disk; messages can still be received")
    })?;
    Ok(Open { id, file, length })
}
