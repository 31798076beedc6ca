//! The Wait- verbs: until something is so, or the time is up.

use std::time::{Duration, Instant};

use hamq_core::api::value::Value;
use hamq_core::{Error, ErrorKind};
use rhai::{Dynamic, EvalAltResult};

use super::condition::truth;
use super::filter::{block, none, script_of, values};
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::value::{from_wire, number, property, text};

const TIMEOUT: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(500);
/// An interrupt is seen within this.
const STEP: Duration = Duration::from_millis(50);

/// What one look found: it is so (with what is shown then), or not yet (with what is in the way).
type Look = Result<Result<Option<Dynamic>, String>, Failure>;

pub(super) fn wait<'a>(call: Call<'a>, bound: &Bound) -> Result<Stream<'a>, Failure> {
    let length = |name, otherwise| {
        let millis = bound.get(name).and_then(|v| v.as_int().ok());
        millis.map_or(otherwise, |ms| {
            Duration::from_millis(u64::try_from(ms).unwrap_or(0))
        })
    };
    let (timeout, interval) = (length("Timeout", TIMEOUT), length("Interval", INTERVAL));
    let end = Instant::now() + timeout;
    loop {
        call.state.check_interrupt()?;
        let in_the_way = match look(call, bound)? {
            Ok(None) => return Ok(none()),
            Ok(Some(row)) => return Ok(values(vec![row])),
            Err(in_the_way) => in_the_way,
        };
        let now = Instant::now();
        if now >= end {
            let what = format!("{} after {timeout:?}: {in_the_way}", bound.spec.name);
            let error = Error::new(ErrorKind::Timeout, what).hint("-Timeout gives it more time");
            return Err(call.fail(error));
        }
        let again = (now + interval).min(end);
        while let Some(left) = again.checked_duration_since(Instant::now()) {
            call.state.check_interrupt()?;
            std::thread::sleep(left.min(STEP));
        }
    }
}

fn look(call: Call<'_>, bound: &Bound) -> Look {
    match bound.spec.name {
        "Wait-Condition" => condition(call, bound),
        "Wait-ClusterResource" => state(call, bound, "Get-ClusterResource", "Online"),
        "Wait-ClusterNode" => state(call, bound, "Get-ClusterNode", "Up"),
        _ => depth(call, bound),
    }
}

/// What fails may succeed later: a node that is gone is asked again. An interrupt is none of that.
fn later(call: Call<'_>, failure: Failure) -> Look {
    match *failure {
        EvalAltResult::ErrorTerminated(..) => Err(failure),
        other => Ok(Err(call.state.fault(other).error.message)),
    }
}

fn condition(call: Call<'_>, bound: &Bound) -> Look {
    let script = script_of(call, bound, "Condition")?;
    match block(call, &script, &Dynamic::UNIT) {
        Ok(value) if truth(&value) => Ok(Ok(None)),
        Ok(value) => Ok(Err(format!("the condition is still '{}'", text(&value)))),
        Err(failure) => later(call, failure),
    }
}

/// The one record that a command of the core gives for `-Name`.
fn record(call: Call<'_>, bound: &Bound, lists: &str) -> Result<Dynamic, Failure> {
    let Some(name) = bound.text("Name") else {
        let what = format!("{} needs -Name", bound.spec.name);
        return Err(call.fail(Error::new(ErrorKind::Usage, what)));
    };
    let arguments = Value::Map(vec![(Value::from("Name"), Value::from(name.as_str()))]);
    let found = call.state.invoke.invoke(lists, arguments);
    let found = found.map_err(|e| call.fail_about(bound, e))?;
    let shape = super::find(lists).map_or("", |spec| spec.output.name);
    match found.into_iter().next() {
        Some(record) => Ok(from_wire(record, shape)),
        None => Err(call.fail(Error::new(
            ErrorKind::NotFound,
            format!("there is no '{name}'"),
        ))),
    }
}

/// A name that is not known is a slip, not something to wait for.
fn found(call: Call<'_>, bound: &Bound, lists: &str) -> Result<Result<Dynamic, String>, Failure> {
    let failure = match record(call, bound, lists) {
        Ok(record) => return Ok(Ok(record)),
        Err(failure) => failure,
    };
    let fault = match *failure {
        EvalAltResult::ErrorTerminated(..) => return Err(failure),
        other => call.state.fault(other),
    };
    match fault.error.kind {
        ErrorKind::Usage
        | ErrorKind::NotFound
        | ErrorKind::GroupNotFound
        | ErrorKind::ResourceNotFound
        | ErrorKind::NodeNotFound
        | ErrorKind::QueueNotFound => Err(fault.raise()),
        _ => Ok(Err(fault.error.message)),
    }
}

fn state(call: Call<'_>, bound: &Bound, lists: &str, otherwise: &str) -> Look {
    let wanted = bound.text("State").unwrap_or_else(|| otherwise.to_owned());
    let record = match found(call, bound, lists)? {
        Ok(record) => record,
        Err(in_the_way) => return Ok(Err(in_the_way)),
    };
    let state = property(&record, "State").map_err(|e| call.fail(e))?;
    let state = text(&state);
    Ok(match state.eq_ignore_ascii_case(&wanted) {
        true => Ok(Some(record)),
        false => Err(format!(
            "{} is {state}",
            bound.text("Name").unwrap_or_default()
        )),
    })
}

fn depth(call: Call<'_>, bound: &Bound) -> Look {
    let (least, most) = (bound.count("AtLeast"), bound.count("AtMost"));
    let most = match least {
        None => Some(most.unwrap_or(0)),
        Some(_) => most,
    };
    let record = match found(call, bound, "Get-MsmqQueue")? {
        Ok(record) => record,
        Err(in_the_way) => return Ok(Err(in_the_way)),
    };
    let count = property(&record, "MessageCount").map_err(|e| call.fail(e))?;
    let count = number(&count).unwrap_or(0.0);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a queue holds fewer than 2^53 messages"
    )]
    let holds =
        |n: Option<usize>, test: fn(f64, f64) -> bool| n.is_none_or(|n| test(count, n as f64));
    let so = holds(least, |count, n| count >= n) && holds(most, |count, n| count <= n);
    Ok(match so {
        true => Ok(Some(record)),
        false => Err(format!(
            "{} holds {count} messages",
            bound.text("Name").unwrap_or_default()
        )),
    })
}
