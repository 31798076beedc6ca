//! Fork detection: a forked child has the objects of its parent but none of its threads.
//!
//! A call on such an object would wait for ever for a thread that is not there, and even dropping it
//! could. So the interpreter tells us about each fork (`os.register_at_fork`), objects remember in
//! which process they were made, and in a child they refuse to be used and are never dropped.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;

/// How many forks lie between the first process and this one.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Called by the interpreter in each forked child.
#[pyfunction(name = "_after_fork_in_child")]
pub(crate) fn after_fork_in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Something that lives with threads of the process that made it.
pub(crate) struct Live<T> {
    inner: Option<T>,
    born: u64,
}

impl<T> Live<T> {
    /// Alive in this process.
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner: Some(inner),
            born: FORKS.load(Ordering::Relaxed),
        }
    }

    /// The thing, in the process that made it.
    ///
    /// # Errors
    /// `ForkedProcessError` in a forked child.
    pub(crate) fn get(&self, py: Python<'_>) -> PyResult<&T> {
        match self.here() {
            Some(inner) => Ok(inner),
            None => Err(forked(py)),
        }
    }

    /// The thing, or nothing in a forked child.
    pub(crate) fn here(&self) -> Option<&T> {
        let same = self.born == FORKS.load(Ordering::Relaxed);
        self.inner.as_ref().filter(|_| same)
    }
}

impl<T> Drop for Live<T> {
    fn drop(&mut self) {
        if self.here().is_none() {
            std::mem::forget(self.inner.take());
        }
    }
}

fn forked(py: Python<'_>) -> PyErr {
    let raised = py
        .import("hamq.errors")
        .and_then(|module| module.getattr("ForkedProcessError"))
        .and_then(|class| class.call0());
    match raised {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}
