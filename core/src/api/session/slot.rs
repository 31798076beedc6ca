//! Where the outcome of one request is waited for.

use std::sync::{Mutex, PoisonError};
use std::thread::{Thread, current, park};

use crate::error::Result;
use crate::queue::request::Reply;

#[derive(Debug, Default)]
struct State {
    outcome: Option<Result<Reply>>,
    waiter: Option<Thread>,
}

/// Filled once, taken once. Waking nobody costs no system call, which counts when a thousand are under way.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<State>);

impl Slot {
    /// The outcome is known. Later ones are dropped.
    pub(super) fn fill(&self, outcome: Result<Reply>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.outcome.is_none() {
            state.outcome = Some(outcome);
        }
        let waiter = state.waiter.take();
        drop(state);
        if let Some(thread) = waiter {
            thread.unpark();
        }
    }

    /// Waits for the outcome and takes it.
    pub(super) fn wait(&self) -> Result<Reply> {
        loop {
            {
                let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(outcome) = state.outcome.take() {
                    return outcome;
                }
                state.waiter = Some(current());
            }
            park();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn who_waits_gets_the_first_outcome() {
        let slot = Arc::new(Slot::default());
        let filler = Arc::clone(&slot);
        let thread = std::thread::spawn(move || {
            filler.fill(Ok(Reply::Done));
            filler.fill(Ok(Reply::Queues(Vec::new())));
        });
        assert_eq!(slot.wait(), Ok(Reply::Done));
        thread.join().unwrap();
    }
}
