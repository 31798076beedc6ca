//! Making a batch durable, on any thread, while the next one is being filled.
//!
//! ```text
//!  record* -> seal() -> Flush --run()--> Flushed -> settle() -> EPOCH still mine? deadline? -> reply
//!              record* (the next batch, in the other buffer) ...   seal()
//! ```
//!
//! One flush at a time is in flight. That keeps the rule that recovery rests on: a torn batch has nothing
//! behind it. The next batch may already lie in the next segment: that one's header states where this batch will
//! end, and goes out with the next flush, hence after this one is durable.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::batch::Batch;
use super::segment::{HEADER_BYTES, align};
use super::writer::{Due, Log, failed};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::Clock;
use crate::sys::disk::DiskFile;

/// A sync that takes longer is told.
const SLOW: Duration = Duration::from_millis(100);

/// A sealed batch on its way to the disk.
#[must_use = "what is not run and settled is lost, and the log with it"]
pub struct Flush {
    /// Headers of segments that have none yet, oldest first; the last may be that of the batch's own.
    due: Vec<Due>,
    file: Arc<dyn DiskFile>,
    segment: u32,
    offset: u64,
    batch: Batch,
    clock: Arc<dyn Clock>,
}

/// What became of a flush.
#[must_use = "nothing may be acknowledged before it is settled"]
pub struct Flushed {
    batch: Batch,
    segment: u32,
    end: u64,
    took: Duration,
    result: io::Result<()>,
}

impl Flush {
    /// Bytes that will be written.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.batch.length()
    }

    /// Writes and syncs, once in all but the rarest cases.
    pub fn run(mut self) -> Flushed {
        self.batch.check();
        let began = self.clock.boot();
        let result = self.write();
        Flushed {
            segment: self.segment,
            end: align(self.offset + self.batch.length() as u64),
            batch: self.batch,
            took: self.clock.boot().saturating_sub(began),
            result,
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let Self { file, offset, .. } = self;
        let (own, before) = match self.due.split_last() {
            Some((last, before)) if *offset == HEADER_BYTES => (Some(last), before),
            _ => (None, self.due.as_slice()),
        };
        // Each refers to the one before it, which must be durable first.
        for due in before {
            due.write()?;
        }
        match own {
            Some(due) => file.write_at(0, self.batch.sectors_behind(&due.header))?,
            None => file.write_at(*offset, self.batch.sectors())?,
        }
        file.sync()
    }
}

impl Log {
    /// Closes the present batch; none when it is empty (then [`Log::check`] says whether replies may go out) or
    /// when the log has failed.
    ///
    /// # Panics
    /// When a flush is in flight.
    pub fn seal(&mut self) -> Option<Flush> {
        assert!(!self.in_flight, "one flush at a time");
        if self.batch.is_empty() || self.poison.is_some() {
            self.batch.clear();
            return None;
        }
        let length = self.batch.length() as u64;
        if self.end + length > self.current.length {
            let what = "a batch is larger than was prepared for";
            self.poison(Error::new(ErrorKind::Internal, what));
            self.batch.clear();
            return None;
        }
        self.batch.seal(self.token, self.next_batch);
        self.pool.flushed(length);
        let next = std::mem::take(&mut self.other_batch);
        let flush = Flush {
            due: std::mem::take(&mut self.due),
            file: Arc::clone(&self.current.file),
            segment: self.current.id.number,
            offset: self.end,
            batch: std::mem::replace(&mut self.batch, next),
            clock: Arc::clone(&self.clock),
        };
        self.in_flight = true;
        self.end = align(self.end + length);
        self.next_batch += 1;
        self.check_invariants_in_debug();
        Some(flush)
    }

    /// Takes a flush back; gives the bytes of the batch. Only now may it be acknowledged.
    ///
    /// # Errors
    /// Final: every later call returns the same.
    pub fn settle(&mut self, flushed: Flushed) -> Result<u64> {
        let bytes = flushed.batch.length() as u64;
        let records = flushed.batch.count();
        self.in_flight = false;
        self.other_batch = flushed.batch;
        self.other_batch.clear();
        self.healthy()?;
        let result = flushed
            .result
            .map_err(|error| failed("write the log", &error));
        let result = result.and_then(|()| self.check_owner());
        result.map_err(|error| self.poison(error))?;
        self.meter.synced(flushed.took, bytes, records);
        if flushed.took > SLOW {
            let ms = flushed.took.as_secs_f64() * 1000.0;
            tracing::warn!(ms, bytes, segment = flushed.segment, "slow sync");
        }
        self.settled = (flushed.segment, flushed.end);
        self.check_invariants_in_debug();
        Ok(bytes)
    }

    /// Whether replies that needed no record may go out.
    ///
    /// # Errors
    /// Final: every later call returns the same.
    pub fn check(&mut self) -> Result<()> {
        self.healthy()?;
        self.check_owner().map_err(|error| self.poison(error))
    }

    /// Writes and syncs the batch, then checks that it may be acknowledged. Without records it only checks.
    ///
    /// # Errors
    /// Final: every later call returns the same.
    pub fn commit(&mut self) -> Result<u64> {
        match self.seal() {
            Some(flush) => self.settle(flush.run()),
            None => self.check().map(|()| 0),
        }
    }
}
