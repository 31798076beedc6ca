//! Streams without an end, of commands that answer once: each row is asked for when somebody wants it.
//!
//! `Receive-MsmqQueue -Wait | Select-Object -First 1` takes one message and ends: the second is never asked for, so it
//! stays in its queue. That is why messages are taken one by one here, however many wait.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use hamq_core::api::value::Value;
use hamq_core::{Error, ErrorKind};
use rhai::{Dynamic, EvalAltResult};

use super::bind::Bound;
use super::run::{Call, guarded};
use super::{Failure, Stream};
use crate::script::fault::Fault;
use crate::script::value::from_wire;

/// One request waits so long, so that an interrupt is never far.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How often a log that is followed is asked for news, and how far back it looks for late lines.
const NEWS_EVERY: Duration = Duration::from_millis(500);
const LATE_MAX_MS: i64 = 30_000;
/// So many lines are remembered to be shown once.
const SEEN_MAX: usize = 100_000;

/// The stream of a command that was asked to go on.
pub(super) fn stream<'a>(call: Call<'a>, bound: &Bound) -> Option<Stream<'a>> {
    match bound.spec.name {
        "Receive-MsmqQueue" if bound.switch("Wait") == Some(true) => Some(messages(call, bound)),
        "Get-ClusterLog" if bound.switch("Follow") == Some(true) => Some(log(call, bound.clone())),
        _ => None,
    }
}

fn failed<'a>(failure: Failure) -> Stream<'a> {
    Box::new(std::iter::once(Err(failure)))
}

/// The messages of a queue, each taken when it is wanted; they end after `-Timeout` without one.
fn messages<'a>(call: Call<'a>, bound: &Bound) -> Stream<'a> {
    const CHOOSE: [&str; 8] = [
        "Peek",
        "Count",
        "LookupId",
        "Next",
        "Previous",
        "Last",
        "CorrelationId",
        "Id",
    ];
    if let Some(name) = CHOOSE.iter().find(|name| bound.get(name).is_some()) {
        let what = format!("-Wait takes one message after the other: it cannot go with -{name}");
        let hint = "leave one of the two out; Get-MsmqMessage -After looks without taking";
        return failed(call.fail(Error::new(ErrorKind::Usage, what).hint(hint)));
    }
    let patience = bound.get("Timeout").and_then(|v| v.as_int().ok());
    let patience = patience.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    let (bound, shape) = (bound.clone(), bound.spec.output.name);
    let mut ready = VecDeque::new();
    let mut over = false;
    Box::new(std::iter::from_fn(move || {
        let asked = Instant::now();
        loop {
            if let Some(message) = ready.pop_front() {
                return Some(Ok(from_wire(message, shape)));
            }
            let left = patience.map_or(WAIT_MAX, |all| all.saturating_sub(asked.elapsed()));
            if over || (patience.is_some() && left.is_zero()) {
                return None;
            }
            match next(call, &bound, left.min(WAIT_MAX)) {
                Ok(messages) => ready.extend(messages),
                Err(failure) => {
                    over = true;
                    return Some(Err(failure));
                }
            }
        }
    }))
}

/// The next message, or none when none came in time.
fn next(call: Call<'_>, bound: &Bound, wait: Duration) -> Result<Vec<Value>, Failure> {
    let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).max(1);
    match guarded(call, &bound.with("Timeout", wait.into())) {
        Err(failure) if came_none(&failure) => Ok(Vec::new()),
        other => other,
    }
}

fn came_none(failure: &EvalAltResult) -> bool {
    let EvalAltResult::ErrorRuntime(value, _) = failure else {
        return false;
    };
    let fault = value.clone().try_cast::<Fault>();
    fault.is_some_and(|f| f.error.kind == ErrorKind::ReceiveTimeout)
}

/// The lines of the log, then those that come, each once and none too late to be seen.
fn log(call: Call<'_>, bound: Bound) -> Stream<'_> {
    let shape = bound.spec.output.name;
    let (mut ready, mut seen) = (VecDeque::new(), HashSet::new());
    let (mut first, mut over) = (true, false);
    Box::new(std::iter::from_fn(move || {
        loop {
            if let Some(line) = ready.pop_front() {
                return Some(Ok(from_wire(line, shape)));
            }
            if over {
                return None;
            }
            let news = match std::mem::take(&mut first) {
                true => guarded(call, &bound),
                false => pause(call)
                    .and_then(|()| guarded(call, &bound.with("TimeSpan", LATE_MAX_MS.into()))),
            };
            match news {
                Ok(lines) => {
                    let new = |line: &Value| seen.insert(format!("{line:?}"));
                    ready.extend(lines.into_iter().filter(new));
                    if seen.len() > SEEN_MAX {
                        seen.clear();
                        seen.extend(ready.iter().map(|line| format!("{line:?}")));
                    }
                }
                Err(failure) => {
                    over = true;
                    return Some(Err(failure));
                }
            }
        }
    }))
}

fn pause(call: Call<'_>) -> Result<(), Failure> {
    let end = Instant::now() + NEWS_EVERY;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        call.state.check_interrupt()?;
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
    Ok(())
}

impl Bound {
    /// This call with another value for a parameter.
    fn with(&self, name: &'static str, value: Dynamic) -> Self {
        let mut bound = self.clone();
        bound.put(name, value);
        bound
    }
}
