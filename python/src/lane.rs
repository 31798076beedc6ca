//! Lanes: threads that carry blocking calls, so that the calling thread can look for Ctrl-C.
//!
//! Only the main thread runs Python's signal handlers, and it cannot while it blocks. So the call runs on
//! a lane and the caller waits for it in slices, without the GIL. A lane outlives its call and is used
//! again: nothing that a call starts (a child process, for one) sees its thread end.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hamq_core::{Error, ErrorKind};
use pyo3::prelude::*;

use crate::error::{internal, raise};

/// How long a caller sleeps before it looks for a signal.
const SLICE: Duration = Duration::from_millis(50);
/// How many slices a cancelled call gets to come back.
const CANCEL_SLICES: u32 = 40;

type Job = Box<dyn FnOnce() + Send>;

/// The idle lanes of one client. There are as many as there ever were calls at one time.
#[derive(Default)]
pub(crate) struct Lanes {
    idle: Mutex<Vec<Sender<Job>>>,
}

impl Lanes {
    /// Runs `work` on a lane and waits for it. A signal whose handler raises (Ctrl-C) calls `cancel`
    /// and is raised; it is not looked for in the first `patience` slices.
    ///
    /// # Errors
    /// What the signal handler raised; `Internal` when `work` panicked or no thread can be had.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        py: Python<'_>,
        patience: u32,
        cancel: impl Fn(),
        work: impl FnOnce() -> T + Send + 'static,
    ) -> PyResult<T> {
        let lane = self.take().map_err(|error| raise(py, &error))?;
        let (done, outcome) = channel();
        let job: Job = Box::new(move || {
            // The caller may have gone, after a signal: then nobody wants the outcome.
            let _ = done.send(work());
        });
        if lane.send(job).is_err() {
            return Err(raise(py, &internal("a call's thread has ended")));
        }
        let result = wait(py, outcome, patience, cancel)?;
        self.idle().push(lane);
        Ok(result)
    }

    fn take(&self) -> Result<Sender<Job>, Error> {
        match self.idle().pop() {
            Some(lane) => Ok(lane),
            None => start(),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Sender<Job>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start() -> Result<Sender<Job>, Error> {
    let (lane, jobs) = channel::<Job>();
    std::thread::Builder::new()
        .name("hamq-call".to_owned())
        .spawn(move || jobs.iter().for_each(|job| job()))
        .map_err(|e| {
            Error::new(
                ErrorKind::System,
                format!("cannot start a thread for a call: {e}"),
            )
            .hint("the limit of processes or memory of this user is reached")
        })?;
    Ok(lane)
}

/// Waits for the one value of `outcome` without the GIL; see [`Lanes::run`].
///
/// # Errors
/// As there.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    outcome: Receiver<T>,
    patience: u32,
    cancel: impl Fn(),
) -> PyResult<T> {
    let mut outcome = outcome;
    let mut slices = 0;
    loop {
        let received;
        (outcome, received) = listen(py, outcome);
        match received {
            Ok(value) => return Ok(value),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(raise(py, &internal("a call ended without an outcome")));
            }
            Err(RecvTimeoutError::Timeout) => slices += 1,
        }
        if slices < patience {
            continue;
        }
        if let Err(signal) = py.check_signals() {
            cancel();
            drain(py, outcome);
            return Err(signal);
        }
    }
}

/// Waits until every sender of `end` is dropped, without the GIL.
///
/// # Errors
/// What a signal handler raised.
pub(crate) fn wait_for_end(py: Python<'_>, end: Receiver<()>) -> PyResult<()> {
    let mut end = end;
    loop {
        let received;
        (end, received) = listen(py, end);
        if !matches!(received, Err(RecvTimeoutError::Timeout)) {
            return Ok(());
        }
        py.check_signals()?;
    }
}

/// Gives a cancelled call the time to come back.
fn drain<T: Send>(py: Python<'_>, mut outcome: Receiver<T>) {
    for _ in 0..CANCEL_SLICES {
        let received;
        (outcome, received) = listen(py, outcome);
        if !matches!(received, Err(RecvTimeoutError::Timeout)) {
            return;
        }
    }
}

fn listen<T: Send>(
    py: Python<'_>,
    outcome: Receiver<T>,
) -> (Receiver<T>, Result<T, RecvTimeoutError>) {
    py.detach(move || {
        let received = outcome.recv_timeout(SLICE);
        (outcome, received)
    })
}
