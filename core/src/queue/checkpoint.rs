//! Checkpoints: full leaves of the queues become pages in the log, a small snapshot says where they lie, and what
//! is replaced by that goes.

use super::engine::Engine;
use super::serve::Replies;
use crate::error::{ErrorKind, Result};

/// The first byte of a page's record: no version of a change.
const PAGE: u8 = 0xff;

/// Whether a record of the log is a page.
pub(super) fn is_page(record: &[u8]) -> bool {
    record.first() == Some(&PAGE)
}

/// When the next one is due.
pub(super) struct Checkpoint {
    /// After so many bytes of log.
    pub(super) every_bytes: u64,
    /// Bytes written since the last one.
    pub(super) since: u64,
    /// Bytes of the last one itself.
    pub(super) last: u64,
    /// Outcomes that wait for the next step.
    pub(super) held_back: Replies,
}

impl Checkpoint {
    pub(super) const fn new(every_bytes: u64) -> Self {
        Self {
            every_bytes,
            since: 0,
            last: 0,
            held_back: Vec::new(),
        }
    }

    pub(super) const fn written(&mut self, bytes: u64) {
        self.since += bytes;
    }
}

impl Engine {
    pub(super) fn maybe_checkpoint(&mut self) {
        let due = self.checkpoint.every_bytes.max(2 * self.checkpoint.last);
        let blocked = self.full.is_some() && self.checkpoint.since > 0;
        if self.failure.is_none() && (self.checkpoint.since >= due || blocked) {
            // A full disk is no failure: the log goes on without one.
            drop(self.snapshot());
        }
    }

    pub(super) fn snapshot(&mut self) -> Result<()> {
        // Nothing that is not on disk may be in it.
        if let Err(error) = self.write() {
            self.failure = Some(error.clone());
            return Err(error);
        }
        let live = self.state.live_segments();
        self.checkpoint.since = 0;
        match self.log.snapshot(self.state.encode(), &live) {
            Ok(bytes) => {
                self.checkpoint.last = bytes;
                Ok(())
            }
            Err(error) => {
                if error.kind != ErrorKind::InsufficientResources {
                    self.failure = Some(error.clone());
                }
                Err(error)
            }
        }
    }
}
