//! From the log's batch to outcomes that may be told.
//!
//! ```text
//!  small batch, or nobody to wake:  write, sync, EPOCH here and now -> outcomes
//!  large batch:                     seal -> a thread writes and syncs -> waker -> settle, EPOCH -> outcomes
//! ```
//!  small batch behind large ones:   waits a moment for the rest of what is arriving
//!
//! One flight at a time. While it is under way the next round is decided already; what that finds out, even by
//! only looking, waits until the flight *and* its own batch are durable: nobody is shown what could be lost.

use std::time::Duration;

use super::engine::Engine;
use super::serve::Replies;
use crate::error::Result;
use crate::log::Flushed;

/// A batch below these is written at once: waking another thread takes longer.
const FLIGHT_BYTES_MIN: usize = 128 * 1024;
const FLIGHT_OUTCOMES_MIN: usize = 64;
/// How long a small batch waits for more when a large one went out a moment ago: a sender of many is filling its window
/// again, and a sync for its first few would keep all others waiting.
const LINGER: Duration = Duration::from_micros(50);
const MOMENT: Duration = Duration::from_millis(2);
/// Outcomes that wait for a flight at most, before no more requests are taken.
const WAITING_OUTCOMES_MAX: usize = 16 * 1024;
/// Bytes of the next batch at most, before no more requests are taken.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A batch that another thread is writing.
pub(super) struct Flight {
    /// Outcomes that are true when it has landed.
    answers: Replies,
    /// Contents in it that the cache must keep until then.
    contents: usize,
}

impl Flight {
    /// The outcomes, when it will never land.
    pub(super) fn into_answers(self) -> Replies {
        self.answers
    }
}

impl Engine {
    /// Whether more requests may be decided now.
    pub(super) fn may_go_on(&self) -> bool {
        self.flight.is_none()
            || (self.answers.len() < WAITING_OUTCOMES_MAX
                && self.log.pending_bytes() < WAITING_BYTES_MAX)
    }

    /// Takes the flight back if it has landed.
    pub(super) fn look_for_landing(&mut self) {
        let (Some(_), Some(background)) = (&self.flight, &self.background) else {
            return;
        };
        let landed = background.flushed().and_then(|flushed| match flushed {
            Some(flushed) => self.landed(flushed),
            None => Ok(()),
        });
        if let Err(error) = landed {
            self.failure = Some(error);
        }
    }

    /// Waits until there is no flight any more.
    pub(super) fn wait_for_landing(&mut self) -> Result<()> {
        match (&self.flight, &self.background) {
            (Some(_), Some(background)) => {
                let flushed = background.wait_for_flush()?;
                self.landed(flushed)
            }
            _ => Ok(()),
        }
    }

    fn landed(&mut self, flushed: Flushed) -> Result<()> {
        let Some(flight) = self.flight.take() else {
            return Ok(());
        };
        match self.log.settle(flushed) {
            Ok(bytes) => self.checkpoint.written(bytes),
            Err(error) => {
                // They wait with the others for the failure to be told: nobody goes without an outcome.
                self.answers.extend(flight.into_answers());
                return Err(error);
            }
        }
        let later = self.cache.unwritten().saturating_sub(flight.contents);
        self.cache.settle(later);
        self.true_now.extend(flight.answers);
        Ok(())
    }

    /// Sends the batch off, or writes it; then what may be told is in `true_now`.
    pub(super) fn take_off(&mut self) -> Result<()> {
        if self.flight.is_some() {
            return Ok(());
        }
        let large = self.log.pending_bytes() >= FLIGHT_BYTES_MIN
            || self.answers.len() >= FLIGHT_OUTCOMES_MIN;
        if !large && self.expects_more() {
            return Ok(());
        }
        self.lingers_since = None;
        if let (true, Some(background)) = (large, &self.background)
            && let Some(flush) = self.log.seal()
        {
            background.flush(flush)?;
            self.took_off = Some(self.clock.boot());
            self.flight = Some(Flight {
                answers: std::mem::take(&mut self.answers),
                contents: self.cache.unwritten(),
            });
            return Ok(());
        }
        // What nobody asked for (a lease that ran out, a session's end) is written as well: it is true from now on.
        if !self.answers.is_empty() || self.log.has_records() {
            self.write()?;
            self.true_now.append(&mut self.answers);
        }
        Ok(())
    }

    /// Whether the batch waits for company; then the next step is due at once.
    fn expects_more(&mut self) -> bool {
        let Some(took_off) = self.took_off.filter(|_| self.log.has_records()) else {
            return false;
        };
        let now = self.clock.boot();
        let since = *self.lingers_since.get_or_insert(now);
        now.saturating_sub(took_off) < MOMENT && now.saturating_sub(since) < LINGER
    }

    /// Writes and syncs all that was recorded, and checks that it may be told.
    pub(super) fn write(&mut self) -> Result<()> {
        self.wait_for_landing()?;
        let bytes = self.log.commit()?;
        self.checkpoint.written(bytes);
        self.cache.settle(0);
        Ok(())
    }
}
