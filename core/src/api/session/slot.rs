//! Where the outcome of one request is waited for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Thread, current};

use crate::error::Result;
use crate::queue::request::Reply;

#[derive(Debug, Default)]
struct State {
    outcome: Option<Result<Reply>>,
    waiter: Option<Thread>,
    /// Whether the outcome's number is to be held, and which it is.
    hold: bool,
    held: Option<u64>,
}

/// Filled once, taken once. Waking nobody costs no system call, which counts when a thousand are under way.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<State>);

impl Slot {
    /// One whose request is not acknowledged when it is answered.
    pub(super) fn holding() -> Self {
        let slot = Self::default();
        slot.state().hold = true;
        slot
    }

    /// The request is answered under this number; whether that number is to be held.
    pub(super) fn hold(&self, number: u64) -> bool {
        let mut state = self.state();
        state.held = state.hold.then_some(number);
        state.hold
    }

    /// The number that is held, which is the caller's from now on; one that comes later is not held.
    pub(super) fn give_up(&self) -> Option<u64> {
        let mut state = self.state();
        state.hold = false;
        state.held.take()
    }

    /// The outcome is known. Later ones are dropped.
    pub(super) fn fill(&self, outcome: Result<Reply>) {
        let mut state = self.state();
        if state.outcome.is_none() {
            state.outcome = Some(outcome);
        }
        let waiter = state.waiter.take();
        drop(state);
        if let Some(thread) = waiter {
            thread.unpark();
        }
    }

    /// Whether the outcome is known.
    pub(super) fn is_filled(&self) -> bool {
        self.state().outcome.is_some()
    }

    /// The outcome, if it is known.
    pub(super) fn take(&self) -> Option<Result<Reply>> {
        self.state().outcome.take()
    }

    /// The present thread is woken by `fill` and `wake` from now on; `false` if the outcome is known already.
    pub(super) fn register(&self) -> bool {
        let mut state = self.state();
        state.waiter = Some(current());
        state.outcome.is_none()
    }

    /// Wakes the thread that waits although there is no outcome: there is something else to do for it.
    pub(super) fn wake(&self) {
        if let Some(thread) = self.state().waiter.take() {
            thread.unpark();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_outcome_counts_and_is_taken_once() {
        let slot = Slot::default();
        assert!(slot.register() && slot.take().is_none());
        slot.fill(Ok(Reply::Done));
        slot.fill(Ok(Reply::Queues(Vec::new())));
        assert!(!slot.register() && slot.is_filled());
        assert_eq!(slot.take(), Some(Ok(Reply::Done)));
        assert_eq!(slot.take(), None);
    }
}
