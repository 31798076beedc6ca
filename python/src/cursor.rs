//! A cursor's place, as Python holds it.

use std::sync::{Mutex, PoisonError};

use hamq_core::api::cursor::{Action, Cursor as Core};
use hamq_core::queue::request::Select;
use hamq_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;

/// Where a reader of a queue is; see [`Core`] for the rules.
#[pyclass(frozen, module = "hamq._native")]
pub(crate) struct Cursor(Mutex<Core>);

#[pymethods]
impl Cursor {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }
}

impl Cursor {
    /// Which message to ask for.
    ///
    /// # Errors
    /// `IllegalCursorAction`.
    pub(crate) fn select(&self, action: Action) -> Result<Select> {
        self.core().select(action)
    }

    /// The message at this place was handed out.
    pub(crate) fn found(&self, action: Action, lookup_id: u64) {
        self.core().found(action, lookup_id);
    }

    /// The error as it is meant for a cursor.
    pub(crate) fn failed(&self, action: Action, error: Error) -> Error {
        self.core().failed(action, error)
    }

    /// Held for moments only, never while a message is waited for.
    fn core(&self) -> std::sync::MutexGuard<'_, Core> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The action that `hamq.queue` calls `word`.
///
/// # Errors
/// `InvalidParameter`.
pub(crate) fn action(word: &str) -> Result<Action> {
    match word {
        "peek_current" => Ok(Action::PeekCurrent),
        "peek_next" => Ok(Action::PeekNext),
        "receive" => Ok(Action::Receive),
        other => {
            let text = format!("{other:?} is no action of a cursor");
            Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint("use peek_current, peek_next or receive"))
        }
    }
}
