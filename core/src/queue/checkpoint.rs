//! Checkpoints: full leaves of the queues become pages in the log, a small snapshot says where they lie, and what
//! is replaced by that goes.
//!
//! ```text
//!  so many bytes of log, or idle -> pages -> snapshot (written by another thread) -> segments go
//!                                                                    -> a sparse one is cleaned (cleaning.rs)
//! ```

use std::time::Duration;

use super::background::{Chore, Done};
use super::cleaning::Cleaning;
use super::engine::Engine;
use crate::error::{ErrorKind, Result};
use crate::log::Position;

/// The first byte of a page's record: no version of a change.
const PAGE: u8 = 0xff;
/// Entries of one queue that stay in memory beside its pages.
const RESIDENT_ENTRIES_MAX: u64 = 128 * 1024;
/// Bytes of pages in one batch, or a little more.
const PAGES_BYTES: usize = 1024 * 1024;
/// How long nothing must have come before an idle store is tidied up.
const IDLE: Duration = Duration::from_millis(500);

/// Whether a record of the log is a page.
pub(super) fn is_page(record: &[u8]) -> bool {
    record.first() == Some(&PAGE)
}

/// When the next one is due, and what is under way.
pub(super) struct Checkpoint {
    /// After so many bytes of log.
    every_bytes: u64,
    /// Bytes written since the last one.
    since: u64,
    /// Bytes of the last one itself.
    last: u64,
    /// A snapshot is being written.
    under_way: bool,
    /// It was begun because nothing goes on.
    at_rest: bool,
    /// When an idle store is tidied up (boot clock).
    pub(super) idle_at: Option<Duration>,
    pub(super) cleaning: Cleaning,
}

impl Checkpoint {
    pub(super) fn new(every_bytes: u64) -> Self {
        Self {
            every_bytes,
            since: 0,
            last: 0,
            under_way: false,
            at_rest: false,
            idle_at: None,
            cleaning: Cleaning::default(),
        }
    }

    pub(super) const fn written(&mut self, bytes: u64) {
        self.since += bytes;
    }
}

impl Engine {
    /// Begins a checkpoint when one is due; goes on with what is under way.
    pub(super) fn maybe_checkpoint(&mut self) {
        self.look_for_done();
        if self.failure.is_some() {
            return;
        }
        let due = self.checkpoint.every_bytes.max(2 * self.checkpoint.last);
        let since = self.checkpoint.since;
        let blocked = self.full.is_some() && since > 0;
        let idle = self.is_idle() && self.has_dead_segments();
        if !self.checkpoint.under_way && (since >= due || blocked || idle) {
            self.checkpoint.at_rest = idle;
            // A full disk is no failure: the log goes on without one.
            drop(self.snapshot(false));
        }
        self.ask_for_spares();
        self.clean_on();
    }

    /// Whether nothing has come for a while; true once.
    fn is_idle(&mut self) -> bool {
        let now = self.clock.boot();
        let over = |at: &mut Duration| *at <= now;
        self.flight.is_none() && self.checkpoint.idle_at.take_if(over).is_some()
    }

    fn has_dead_segments(&self) -> bool {
        let live = self.state.live_segments();
        let segments = self.log.segments();
        segments
            .iter()
            .any(|segment| !segment.current && !live.contains(&segment.number))
    }

    /// Something came: the store is not idle before a while.
    pub(super) fn is_active(&mut self) {
        self.checkpoint.idle_at = Some(self.clock.boot() + IDLE);
    }

    /// Writes a snapshot; `now`: waits until it is there.
    pub(super) fn snapshot(&mut self, now: bool) -> Result<()> {
        let result = self.try_snapshot(now);
        if let Err(error) = &result
            && error.kind != ErrorKind::InsufficientResources
        {
            self.failure = Some(error.clone());
        }
        result
    }

    fn try_snapshot(&mut self, now: bool) -> Result<()> {
        self.finish_chores(now)?;
        // Nothing that is not on disk may be in it.
        self.write()?;
        self.write_pages()?;
        self.checkpoint.idle_at = None;
        self.checkpoint.since = 0;
        let live = self.state.live_segments();
        let payload = self.state.encode();
        self.state.shrink(RESIDENT_ENTRIES_MAX);
        if now || self.background.is_none() {
            self.checkpoint.last = self.log.snapshot(payload, &live)?;
            return Ok(());
        }
        let job = self.log.begin_snapshot(payload, &live)?;
        self.checkpoint.under_way = true;
        match &self.background {
            Some(background) => background.chore(Chore::Snapshot(job)),
            None => Ok(()),
        }
    }

    /// Pages are records of their own batches. On a full disk the snapshot holds what they would.
    fn write_pages(&mut self) -> Result<()> {
        let (log, state) = (&mut self.log, &mut self.state);
        let mut bytes = 0;
        let mut write = |page: &[u8]| {
            let length = page.len() + 1;
            if log.pending_bytes() >= PAGES_BYTES || (log.has_records() && !log.has_room(1, length))
            {
                bytes += log.commit()?;
            }
            log.prepare(1, length, false)?;
            let place = log.record(|out| {
                out.push(PAGE);
                out.extend_from_slice(page);
            });
            Ok(Position {
                offset: place.offset + 1,
                length: place.length - 1,
                ..place
            })
        };
        match state.write_pages(&mut write) {
            Err(error) if error.kind == ErrorKind::InsufficientResources => {}
            other => other?,
        }
        self.checkpoint.written(bytes);
        self.write()
    }

    /// Takes back what other threads have done.
    fn look_for_done(&mut self) {
        while self.failure.is_none()
            && let Some(background) = &self.background
        {
            let done = match background.done() {
                Ok(Some(done)) => self.chore_done(done),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                self.failure = Some(error);
            }
        }
    }

    /// Waits for a snapshot that is under way, if there must be none.
    fn finish_chores(&mut self, wait: bool) -> Result<()> {
        while wait
            && self.checkpoint.under_way
            && let Some(background) = &self.background
        {
            let done = background.wait_for_chore()?;
            self.chore_done(done)?;
        }
        Ok(())
    }

    fn chore_done(&mut self, done: Done) -> Result<()> {
        let result = match done {
            Done::Spare(made) => self.log.install_spare(made),
            Done::Snapshot(written) => {
                self.checkpoint.under_way = false;
                self.log.finish_snapshot(written).map(|bytes| {
                    tracing::info!(bytes, segments = self.log.segments().len(), "checkpoint");
                    self.checkpoint.last = bytes;
                    if std::mem::take(&mut self.checkpoint.at_rest) {
                        self.log.rest();
                    }
                    self.begin_cleaning();
                })
            }
            Done::Records(number, records) => {
                self.checkpoint.cleaning.begin(number, records);
                Ok(())
            }
        };
        match result {
            Err(error) if error.kind == ErrorKind::InsufficientResources => Ok(()),
            other => other,
        }
    }

    fn ask_for_spares(&mut self) {
        if let Some(background) = &self.background
            && self.failure.is_none()
            && let Some(job) = self.log.spare_job()
            && let Err(error) = background.chore(Chore::Spare(job))
        {
            self.failure = Some(error);
        }
    }
}
