//! What a person is told of a drill: how far it is.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use hamq_core::api::drill::{DrillInfo, StartDrill, WorkloadInfo};
use hamq_core::api::spec::{Command as _, Record as _};
use hamq_core::api::value::{Value, from_value};
use hamq_core::{Error, ErrorKind, Result};

use crate::session::State;

/// How often the progress of a drill is shown.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Runs a command; a drill shows how far it is meanwhile.
///
/// # Errors
/// Those of the command.
pub fn run(
    state: &State,
    name: &str,
    arguments: Value,
    reason: Option<&str>,
) -> Result<Vec<Value>> {
    if name != StartDrill::SPEC.name {
        return state.invoke.invoke_because(name, arguments, reason);
    }
    let (sender, done) = sync_channel(1);
    let invoke = std::sync::Arc::clone(&state.invoke);
    let play = move || drop(sender.send(invoke.invoke(StartDrill::SPEC.name, arguments)));
    let thread = std::thread::Builder::new().name("drill".into()).spawn(play);
    thread.map_err(|e| Error::system("start a thread", &e))?;
    loop {
        match done.recv_timeout(LOOK_EVERY) {
            Ok(outcome) => {
                state.progress("", true);
                return outcome;
            }
            Err(RecvTimeoutError::Timeout) => show(state),
            Err(RecvTimeoutError::Disconnected) => {
                let text = "the drill ended without an outcome";
                return Err(Error::new(ErrorKind::Internal, text));
            }
        }
    }
}

fn show(state: &State) {
    let progress = state
        .invoke
        .invoke("Get-DrillWorkload", Value::Map(Vec::new()));
    let first = progress
        .ok()
        .and_then(|rows| from_value::<WorkloadInfo>(rows.first()?).ok());
    if let Some(load) = first {
        let step = load.step.unwrap_or_default();
        let counts = format!(
            "{} acknowledged, {} received",
            load.acknowledged, load.received
        );
        state.progress_on_terminal(&format!("drill: {step}; {counts}"));
    }
}

/// Whether a record says that a drill failed.
#[must_use]
pub fn has_failed(shape: &str, record: &Value) -> bool {
    let drill = shape == DrillInfo::SPEC.name;
    drill && hamq_core::api::arguments::get(record, "Passed") == Some(&Value::Bool(false))
}
