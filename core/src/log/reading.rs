//! Reading records of the log that is being written: in any order, and ahead where the order rises.
//!
//! A window is a piece of a segment in memory; what is read is a slice of it, which keeps all of it alive.
//! None holds bytes that were not settled when it was read.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::batch;
use super::reader::SegmentReader;
use super::segment::{HEADER_BYTES, Header, Position, SegmentId, align};
use super::writer::{Log, Sealed};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::disk::{Disk, DiskFile};

/// Bytes that are read at once where positions rise.
const AHEAD_BYTES: u64 = 256 * 1024;
/// Bytes behind them that are fetched meanwhile.
const FETCH_BYTES: u64 = 1024 * 1024;
/// Bytes that a rising reader may leave out.
const STEP_BYTES_MAX: u64 = 64 * 1024;
/// Windows in memory: so many readers can each go on at a place of their own.
const WINDOWS_MAX: usize = 8;
/// Segments that are kept open for reading.
const OPEN_FILES_MAX: usize = 64;

struct View {
    segment: u32,
    start: u64,
    bytes: Bytes,
}

impl View {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn slice(&self, position: Position) -> Option<Bytes> {
        let start = u64::from(position.offset).checked_sub(self.start)?;
        let end = start + u64::from(position.length);
        if position.segment != self.segment || end > self.bytes.len() as u64 {
            return None;
        }
        let range = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
        Some(self.bytes.slice(range))
    }

    /// Whether `position` is what a reader asks for who goes on behind this window.
    fn leads_to(&self, position: Position) -> bool {
        let step = u64::from(position.offset).checked_sub(self.end());
        position.segment == self.segment && step.is_some_and(|step| step <= STEP_BYTES_MAX)
    }
}

/// Open files and windows.
#[derive(Default)]
pub(super) struct Reading {
    files: BTreeMap<u32, Arc<dyn DiskFile>>,
    /// The one that was used last is the last.
    views: VecDeque<View>,
}

impl Reading {
    /// Keeps the file of a segment open.
    pub(super) fn keep(&mut self, number: u32, file: Arc<dyn DiskFile>) {
        if self.files.len() >= OPEN_FILES_MAX {
            self.files.pop_first();
        }
        self.files.insert(number, file);
    }

    /// Nothing of the segment is read any more.
    pub(super) fn forget(&mut self, number: u32) {
        self.files.remove(&number);
        self.views.retain(|view| view.segment != number);
    }

    fn file(&mut self, disk: &dyn Disk, id: SegmentId) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.files.get(&id.number) {
            return Ok(Arc::clone(file));
        }
        let file = disk.open(&id.file_name())?;
        self.keep(id.number, Arc::clone(&file));
        Ok(file)
    }

    /// From a window in memory.
    fn find(&mut self, position: Position) -> Option<Bytes> {
        let index = self
            .views
            .iter()
            .rposition(|v| v.slice(position).is_some())?;
        let view = self.views.remove(index)?;
        let bytes = view.slice(position);
        self.views.push_back(view);
        bytes
    }

    /// From the file, which may be read up to `end`; the bytes become a window.
    fn load(&mut self, file: &dyn DiskFile, position: Position, end: u64) -> io::Result<Bytes> {
        let (start, length) = (u64::from(position.offset), u64::from(position.length));
        let before = self.views.iter().rposition(|v| v.leads_to(position));
        let wanted = if before.is_some() {
            length.max(AHEAD_BYTES).min(end - start)
        } else {
            length
        };
        let mut bytes = vec![0; usize::try_from(wanted).map_err(io::Error::other)?];
        let count = file.read_at(start, &mut bytes)?;
        if (count as u64) < length {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file is too short",
            ));
        }
        bytes.truncate(count);
        if before.is_some() {
            // What was written past the cache comes from the device: the next windows come while this one is used.
            let next = start + wanted;
            file.will_read(next, FETCH_BYTES.min(end.saturating_sub(next)));
        }
        if let Some(index) = before.or_else(|| (self.views.len() >= WINDOWS_MAX).then_some(0)) {
            self.views.remove(index);
        }
        let bytes = Bytes::from(bytes);
        self.views.push_back(View {
            segment: position.segment,
            start,
            bytes: bytes.clone(),
        });
        Ok(bytes.slice(..position.length as usize))
    }
}

/// How much of a segment is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentUse {
    /// Its number.
    pub number: u32,
    /// Bytes of it that hold the log: its header and batches, padding included.
    pub bytes: u64,
    /// Whether it is the one that is written.
    pub current: bool,
}

fn lost(position: Position, what: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::StoreDamaged,
        format!(
            "segment {} at byte {}: {what}",
            position.segment, position.offset
        ),
    )
}

impl Log {
    /// Reads bytes of a settled record. Where positions rise within a segment, one read of the disk serves many:
    /// what is given is a slice of memory that they share.
    ///
    /// # Errors
    /// `StoreDamaged` when the bytes are not there; `Internal` when they are not settled yet.
    pub fn read(&mut self, position: Position) -> Result<Bytes> {
        if let Some(bytes) = self.reading.find(position) {
            return Ok(bytes);
        }
        let (id, end) = self
            .readable(position.segment)
            .ok_or_else(|| lost(position, &"the log has no such segment any more"))?;
        if u64::from(position.offset) + u64::from(position.length) > end {
            return Err(Error::new(
                ErrorKind::Internal,
                format!(
                    "segment {} at byte {}: what is there is not settled",
                    position.segment, position.offset
                ),
            ));
        }
        let file = if id == self.current.id {
            Ok(Arc::clone(&self.current.file))
        } else {
            self.reading.file(self.disk.as_ref(), id)
        };
        file.and_then(|file| self.reading.load(file.as_ref(), position, end))
            .map_err(|error| lost(position, &error))
    }

    /// A segment of the log, and up to where it is settled.
    fn readable(&self, number: u32) -> Option<(SegmentId, u64)> {
        let (id, end) = if number == self.current.id.number {
            (self.current.id, self.end)
        } else {
            self.segments.get(&number).map(|s| (s.id, s.end))?
        };
        let (segment, settled) = self.settled;
        let end = match number.cmp(&segment) {
            std::cmp::Ordering::Less => end,
            std::cmp::Ordering::Equal => end.min(settled),
            std::cmp::Ordering::Greater => HEADER_BYTES,
        };
        Some((id, end))
    }

    /// The segments of the log, in order.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentUse> {
        let sealed = self.segments.values().map(|sealed| SegmentUse {
            number: sealed.id.number,
            bytes: sealed.end,
            current: false,
        });
        let current = SegmentUse {
            number: self.current.id.number,
            bytes: self.end,
            current: true,
        };
        sealed.chain([current]).collect()
    }

    /// Every record of a segment before the current one, in order, checked.
    ///
    /// # Errors
    /// `StoreDamaged` when any part of it is not what was written; `NotFound` for a segment that is not sealed and
    /// settled; those of the file system.
    pub fn records_of(&self, number: u32) -> Result<Vec<(Position, Bytes)>> {
        self.records_job(number)?.run()
    }

    /// As [`Log::records_of`], to be run on any thread.
    ///
    /// # Errors
    /// `NotFound` for a segment that is not sealed and settled.
    pub fn records_job(&self, number: u32) -> Result<RecordsJob> {
        let sealed = self.segments.get(&number);
        let settled = |sealed: &&Sealed| {
            self.readable(number)
                .is_some_and(|(_, end)| end == sealed.end)
        };
        match sealed.filter(settled) {
            Some(sealed) => Ok(RecordsJob {
                disk: Arc::clone(&self.disk),
                id: sealed.id,
                end: sealed.end,
            }),
            None => Err(Error::new(
                ErrorKind::NotFound,
                format!("the log has no sealed segment {number}"),
            )),
        }
    }
}

/// Reads a whole segment, on any thread.
#[must_use = "nothing is read before it runs"]
pub struct RecordsJob {
    disk: Arc<dyn Disk>,
    id: SegmentId,
    end: u64,
}

impl RecordsJob {
    /// Does it.
    ///
    /// # Errors
    /// Those of [`Log::records_of`].
    pub fn run(self) -> Result<Vec<(Position, Bytes)>> {
        let name = self.id.file_name();
        let bytes = self.load().map_err(|error| {
            Error::system(format_args!("read {name} of the message store"), &error)
        })?;
        let damaged = |at: u64| {
            let what = format!("segment {name} is damaged at byte {at}");
            Error::new(ErrorKind::StoreDamaged, what)
                .hint("nothing of this segment was moved or removed")
        };
        let header = Header::decode(&bytes).filter(|h| h.id == self.id);
        let mut next = header.ok_or_else(|| damaged(0))?.first_batch;
        let reader = SegmentReader { id: self.id };
        let (mut at, mut records) = (HEADER_BYTES, Vec::new());
        while at < self.end {
            let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
            let batch = rest.and_then(|rest| batch::read(rest, self.id.token));
            let batch = batch.filter(|batch| batch.number == next);
            let batch = batch.ok_or_else(|| damaged(at))?;
            let found = reader.records(at, &batch);
            records.extend(found.map(|(position, record)| (position, bytes.slice_ref(record))));
            at = align(at + batch.length as u64);
            next += 1;
        }
        if at == self.end {
            Ok(records)
        } else {
            Err(damaged(at))
        }
    }

    fn load(&self) -> io::Result<Bytes> {
        let length = usize::try_from(self.end).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        let file = self.disk.open(&self.id.file_name())?;
        let count = file.read_at(0, &mut bytes)?;
        bytes.truncate(count);
        Ok(Bytes::from(bytes))
    }
}
