//! What a person is told of a drill: its blast radius before it, and how far it is.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use hamq_core::api::drill::{
    DrillInfo, GetDrillPlan, InvokeFault, PlanInfo, StartDrill, WorkloadInfo,
};
use hamq_core::api::spec::{Command as _, Record as _};
use hamq_core::api::value::{Value, from_value, to_value};
use hamq_core::{Error, ErrorKind, Result};

use crate::pipeline::Bound;
use crate::session::{Invoke, State};

/// How often the progress of a drill is shown.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a command that makes faults would hit, in lines; none for other commands.
///
/// # Errors
/// Those of Get-DrillPlan.
pub fn consequences(invoke: &dyn Invoke, bound: &Bound) -> Result<Option<Vec<String>>> {
    let faults = match bound.spec.name {
        name if name == StartDrill::SPEC.name => bound.texts("Fault"),
        name if name == InvokeFault::SPEC.name => bound.texts("Kind"),
        _ => return Ok(None),
    };
    let undoes = ["undo", "thaw", "restart"];
    if faults
        .iter()
        .any(|fault| undoes.contains(&fault.to_lowercase().as_str()))
    {
        return Ok(None);
    }
    if bound.switch("Throwaway") == Some(true) {
        let line = "a cluster of its own, which is removed afterwards: nothing else is touched";
        return Ok(Some(vec![line.to_owned()]));
    }
    let Some(group) = bound.text("Group") else {
        return Ok(None); // the command itself says what is missing
    };
    let command = GetDrillPlan { group, faults };
    let rows = invoke.invoke(GetDrillPlan::SPEC.name, to_value(&command)?)?;
    let rows: Vec<PlanInfo> = rows.iter().map(from_value).collect::<Result<_>>()?;
    Ok(Some(rows.iter().map(line).collect()))
}

fn line(plan: &PlanInfo) -> String {
    if let Some(reason) = &plan.reason {
        return format!("{}: not possible: {reason}", plan.fault);
    }
    format!(
        "{} on {} ({}): interrupts {} for {}; outage {}; ends {}",
        plan.fault,
        plan.node,
        plan.target,
        plan.groups.join(", "),
        plan.clients,
        plan.expected_outage,
        plan.undo
    )
}

/// Runs a command; a drill shows how far it is meanwhile.
///
/// # Errors
/// Those of the command.
pub fn run(state: &State, name: &str, arguments: Value) -> Result<Vec<Value>> {
    if name != StartDrill::SPEC.name {
        return state.invoke.invoke(name, arguments);
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
