//! Pulling rows through the commands of a pipeline.

use std::rc::Rc;

use hamq_core::api::arguments::text;
use hamq_core::api::group::GetClusterGroup;
use hamq_core::api::spec::{Command as _, CommandSpec, Record as _, Risk, ValueKind};
use hamq_core::api::validation::ValidationInfo;
use hamq_core::api::value::{Value, to_value};
use hamq_core::api::what_if::StepInfo;
use hamq_core::name::fits;
use hamq_core::{Error, ErrorKind};
use rhai::{Dynamic, EvalAltResult, NativeCallContext};

use super::bind::{Bound, bind};
use super::patience::Patience;
use super::view::View;
use super::{endless, keep};
use crate::audit;
use crate::cmdlet;
use crate::script::fault::Fault;
use crate::script::value::{Record, Rows, from_wire, to_wire};
use crate::session::State;
use crate::syntax::{Pipeline, Span};

/// Why a row could not be had.
pub type Failure = Box<EvalAltResult>;
/// Rows, made as they are asked for.
pub type Stream<'a> = Box<dyn Iterator<Item = Result<Dynamic, Failure>> + 'a>;

/// What a command needs to run: the session, rhai's call (for script blocks) and its place.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The session.
    pub state: &'a State,
    /// The call out of rhai.
    pub context: &'a NativeCallContext<'a>,
    /// The unit and the place of the command.
    pub place: (usize, Span),
}

impl Call<'_> {
    /// The error at the argument it is about, or else at this command.
    pub fn fail_about(mut self, bound: &Bound, error: Error) -> Failure {
        if let Some(span) = bound.place_of(&error) {
            self.place.1 = span;
        }
        self.fail(error)
    }

    /// The refusal of a guard at this command.
    fn refuse(&self, error: Error) -> Failure {
        let mut fault = self.fault(error);
        fault.refused = true;
        fault.raise()
    }

    /// The error at this command, to be told and passed over.
    pub fn fault(&self, error: Error) -> Fault {
        let mut fault = Fault::new(error);
        fault.place = Some(self.place);
        fault.line_column = self.state.line_column(self.place.0, self.place.1.start);
        fault
    }

    /// The error at this command.
    pub fn fail(&self, error: Error) -> Failure {
        self.fault(error).raise()
    }
}

/// Starts a pipeline: its rows come as they are asked for.
///
/// # Errors
/// Those of its commands that end it before the first row.
pub fn stream<'a>(
    state: &'a State,
    context: &'a NativeCallContext<'a>,
    unit: usize,
    pipeline: &Pipeline,
    expressions: &[Dynamic],
) -> Result<Stream<'a>, Failure> {
    // All is bound before anything runs: a slip in the last command stops the first one too.
    let mut calls = Vec::new();
    for stage in &pipeline.stages {
        let call = Call {
            state,
            context,
            place: (unit, stage.span),
        };
        let bound = bind(stage, expressions).map_err(|(error, span)| {
            let place = (unit, span);
            Call { place, ..call }.fail(error)
        })?;
        calls.push((call, bound));
    }
    let mut stream: Option<Stream<'a>> = None;
    for (call, bound) in calls {
        stream = Some(stage(call, bound, stream.take())?);
    }
    Ok(stream.unwrap_or_else(|| Box::new(std::iter::empty())))
}

/// One command on what comes in; nothing of it happens before its first row is asked for.
fn stage<'a>(
    call: Call<'a>,
    bound: Bound,
    input: Option<Stream<'a>>,
) -> Result<Stream<'a>, Failure> {
    let common = |name| bound.text(name).map(|word| word.to_ascii_lowercase());
    let (policy, view) = (common("ErrorAction"), common("As"));
    let policy = policy.unwrap_or_default();
    let telling = match policy.as_str() {
        "" | "stop" => None,
        "continue" => Some(true),
        "silentlycontinue" | "ignore" => Some(false),
        other => {
            let what = format!("-ErrorAction cannot be '{other}'");
            let hint = "it takes Stop, Continue or SilentlyContinue";
            return Err(call.fail_about(&bound, Error::new(ErrorKind::Usage, what).hint(hint)));
        }
    };
    let view = view.map(|word| View::of(&word)).transpose();
    let view = view.map_err(|e| call.fail_about(&bound, e))?;
    let bound_errors = bound.text("ErrorVariable");
    let bound_rows = bound.text("OutVariable");
    let starts = move || {
        if cmdlet::is_verb_of_shell(bound.spec) {
            cmdlet::filter::start(call, bound, input)
        } else {
            command(call, bound, input)
        }
    };
    let mut out = lazily(starts);
    if let Some(name) = bound_errors {
        out = keep::errors(call.state, &name, out);
    }
    if let Some(tell) = telling {
        out = tolerant(call.state, out, tell);
    }
    if let Some(name) = bound_rows {
        out = keep::rows(call.state, &name, out);
    }
    Ok(match view {
        None => out,
        Some(view) => lazily(move || view.of_stream(call.state, out)),
    })
}

/// A stream that is started when its first row is asked for.
fn lazily<'a>(starts: impl FnOnce() -> Result<Stream<'a>, Failure> + 'a) -> Stream<'a> {
    Box::new(
        std::iter::once_with(starts).flat_map(|started| match started {
            Ok(stream) => stream,
            Err(failure) => Box::new(std::iter::once(Err(failure))),
        }),
    )
}

/// All rows of a pipeline.
///
/// # Errors
/// The first that is not a row.
pub fn collect(state: &State, stream: Stream<'_>) -> Result<Rows, Failure> {
    let mut rows = Vec::new();
    for row in stream {
        state.check_interrupt()?;
        rows.push(row?);
    }
    Ok(Rows(Rc::new(rows)))
}

/// Drops the rows that failed, and remembers that some did.
fn tolerant<'a>(state: &'a State, rows: Stream<'a>, tell: bool) -> Stream<'a> {
    Box::new(rows.filter_map(move |row| match row {
        Err(failure) if !matches!(*failure, EvalAltResult::ErrorTerminated(..)) => {
            let fault = state.fault(*failure);
            if tell {
                state.partial.set(true);
                state.report(&fault);
            }
            state.remember(fault);
            None
        }
        other => Some(other),
    }))
}

/// A command of the core: once, or once for each row that comes in.
fn command<'a>(
    call: Call<'a>,
    bound: Bound,
    input: Option<Stream<'a>>,
) -> Result<Stream<'a>, Failure> {
    let Some(input) = input else {
        return Ok(invoke(call, &bound));
    };
    let collects = bound.spec.parameters.iter().find(|p| {
        p.pipeline == hamq_core::api::spec::Pipeline::ByValue
            && matches!(p.kind, ValueKind::List | ValueKind::TextList)
            && bound.get(p.name).is_none()
    });
    if let Some(parameter) = collects {
        let all = input.collect::<Result<Vec<_>, _>>()?;
        let mut bound = bound;
        bound.set(parameter, all.into()).map_err(|e| call.fail(e))?;
        return Ok(invoke(call, &bound));
    }
    Ok(Box::new(input.flat_map(move |row| {
        let bound = row.and_then(|row| bound.with_row(&row).map_err(|e| call.fail(e)));
        match bound {
            Ok(bound) => invoke(call, &bound),
            Err(failure) => Box::new(std::iter::once(Err(failure))),
        }
    })))
}

fn invoke<'a>(call: Call<'a>, bound: &Bound) -> Stream<'a> {
    let shape = match bound.switch("WhatIf") {
        Some(true) => StepInfo::SPEC.name,
        _ => bound.spec.output.name,
    };
    if let Some(stream) = endless::stream(call, bound) {
        return stream;
    }
    match guarded(call, bound) {
        Ok(values) => Box::new(values.into_iter().map(move |v| Ok(from_wire(v, shape)))),
        Err(failure) => Box::new(std::iter::once(Err(failure))),
    }
}

pub(super) fn guarded(call: Call<'_>, bound: &Bound) -> Result<Vec<Value>, Failure> {
    call.state.check_interrupt()?;
    bound.check().map_err(|e| call.fail(e))?;
    if bound.switch("WhatIf") == Some(true) {
        return what_if(call, bound);
    }
    if !permitted(call, bound)? {
        return Ok(Vec::new());
    }
    let audited = audit::begin(call.state, bound);
    let patience = Patience::start(call.state, bound.spec.name);
    let reason = bound.text("Reason");
    let (name, given) = (bound.spec.name, arguments(bound));
    let result = cmdlet::drill::run(call.state, name, given, reason.as_deref());
    drop(patience);
    if let Some(audited) = audited {
        audited.end(&result);
    }
    call.state.check_interrupt()?;
    let mut values = result.map_err(|e| call.fail_about(bound, e))?;
    if let Some(node) = bound
        .text("Node")
        .filter(|_| bound.spec.name == GetClusterGroup::SPEC.name)
    {
        let owner =
            |group: &Value| text(group, "OwnerNode").is_some_and(|owner| fits(&node, owner));
        values.retain(owner);
    }
    if bound.spec.output.name == ValidationInfo::SPEC.name && values.iter().any(found_failed) {
        call.state.partial.set(true); // the exit code tells it: 3
    }
    if values
        .iter()
        .any(|v| cmdlet::drill::has_failed(bound.spec.output.name, v))
    {
        call.state.partial.set(true);
    }
    Ok(values)
}

/// Whether a record of Test-Cluster says that something failed.
fn found_failed(record: &Value) -> bool {
    text(record, "Result") == Some("Failed")
}

/// The parameters of the command itself, as its argument struct is written on the wire.
fn arguments(bound: &Bound) -> Value {
    let own = |name: &str| bound.spec.parameters.iter().any(|p| p.name == name);
    let entries = bound.iter().filter(|(name, _)| own(name));
    Value::Map(
        entries
            .map(|(name, v)| (Value::Text((*name).to_owned()), to_wire(v)))
            .collect(),
    )
}

/// What a command would do, by who would do it.
fn planned(call: Call<'_>, bound: &Bound) -> Result<Option<Vec<StepInfo>>, Failure> {
    let steps = call.state.invoke.what_if(bound.spec.name, arguments(bound));
    steps.map_err(|e| call.fail_about(bound, e))
}

/// Says what would be done, step by step where there are steps. With `-As` the steps are rows.
fn what_if(call: Call<'_>, bound: &Bound) -> Result<Vec<Value>, Failure> {
    let (spec, target) = (bound.spec, target(bound));
    let Some(steps) = planned(call, bound)? else {
        let (summary, risk) = (spec.summary.trim(), risk_text(spec.risk));
        let text = format!(
            "What if: {} on {target}: {summary}; risk: {risk}",
            spec.name
        );
        call.state.line(&text);
        return Ok(Vec::new());
    };
    if bound.text("As").is_some() {
        let rows = steps.iter().map(to_value).collect::<hamq_core::Result<_>>();
        return rows.map_err(|e| call.fail(e));
    }
    let risk = match steps.is_empty() {
        true => "nothing changes: it is so already".to_owned(),
        false => format!("risk: {}", risk_text(spec.risk)),
    };
    call.state
        .line(&format!("What if: {} on {target}: {risk}", spec.name));
    for step in steps {
        call.state.line(&format!("What if: {step}"));
    }
    Ok(Vec::new())
}

/// A command of high risk is confirmed, or refused off a terminal.
fn permitted(call: Call<'_>, bound: &Bound) -> Result<bool, Failure> {
    let spec = bound.spec;
    let target = target(bound);
    if spec.risk > Risk::None && call.state.is_read_only() {
        let what = format!(
            "{} on {target} changes something, and this session is read-only",
            spec.name
        );
        let hint = "-WhatIf shows what it would do; a session without --read-only, or a context without -ReadOnly, can do it";
        return Err(call.refuse(Error::new(ErrorKind::AccessDenied, what).hint(hint)));
    }
    let asked = bound.switch("Confirm");
    let forced = bound.switch("Force") == Some(true) || asked == Some(false);
    if forced || (asked.is_none() && spec.risk < Risk::High) {
        return Ok(true);
    }
    if call.state.interactive {
        for step in planned(call, bound)?.unwrap_or_default() {
            call.state.line(&step.to_string());
        }
        return Ok(call
            .state
            .confirm(&format!("{} on {target}: are you sure?", spec.name)));
    }
    let what = format!("{} on {target} is not confirmed", spec.name);
    let hint = "give -Force or -Confirm:$false; -WhatIf shows what it would do";
    Err(call.refuse(Error::new(ErrorKind::InvalidRequest, what).hint(hint)))
}

fn target(bound: &Bound) -> String {
    let mut positions: Vec<_> = bound
        .spec
        .parameters
        .iter()
        .filter(|p| p.position.is_some())
        .collect();
    positions.sort_by_key(|p| p.position);
    let first = positions.into_iter().find_map(|p| bound.text(p.name));
    first.map_or_else(|| "the cluster".to_owned(), |name| format!("'{name}'"))
}

fn risk_text(risk: Risk) -> &'static str {
    match risk {
        Risk::None => "none, it only reads",
        Risk::Low => "low, it can be undone",
        Risk::Medium => "medium, it interrupts service",
        Risk::High => "high, it destroys configuration or messages",
    }
}

/// A command called as a rhai function: `get_cluster_group(#{Name: "x"})`.
///
/// # Errors
/// Those of the command.
pub fn function(
    call: Call<'_>,
    spec: &'static CommandSpec,
    parameters: &Record,
) -> Result<Rows, Failure> {
    let mut bound = Bound::new(spec);
    for (name, value) in parameters.fields.iter() {
        let Some(parameter) = cmdlet::parameter(spec, name) else {
            let what = format!("{} has no parameter '{name}'", spec.name);
            return Err(call.fail(Error::new(ErrorKind::Usage, what)));
        };
        bound
            .set(parameter, value.clone())
            .map_err(|e| call.fail(e))?;
    }
    let rows = invoke(call, &bound).collect::<Result<Vec<_>, _>>()?;
    Ok(Rows(Rc::new(rows)))
}
