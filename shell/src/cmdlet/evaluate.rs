//! `Invoke-Expression` and `Invoke-Runbook`: texts and files that run inside a script.

use std::rc::Rc;

use hamq_core::{Error, ErrorKind};
use rhai::{Dynamic, EvalAltResult, Map};

use super::filter::values;
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::Record;
use crate::script::evaluate::{Text, evaluate};
use crate::script::fault::Exit;
use crate::script::unit::Shape;
use crate::script::value::{from_map, rows_of, text};

/// Runs the lines as one text; its value is what it gives.
pub(super) fn expression<'a>(call: Call<'a>, lines: &[Dynamic]) -> Result<Stream<'a>, Failure> {
    let source = lines.iter().map(text).collect::<Vec<_>>().join("\n");
    let expression = Text {
        name: "Invoke-Expression",
        source: &source,
        shape: Shape::Value,
        parameters: None,
    };
    let value = evaluate(call.context.engine(), call.state, &expression)?;
    Ok(values(rows_of(&value)))
}

/// Runs a file with its parameters; `exit 0` ends only the file.
pub(super) fn runbook<'a>(call: Call<'a>, bound: &Bound) -> Result<Stream<'a>, Failure> {
    let path = bound.text("Path").unwrap_or_default();
    let source = std::fs::read_to_string(&path).map_err(|e| {
        let error = Error::system(format!("read the runbook {path}"), &e);
        call.fail_about(bound, error)
    })?;
    let parameters = parameters(call, bound)?;
    let runbook = Text {
        name: &path,
        source: &source,
        shape: Shape::Value,
        parameters: Some(&parameters),
    };
    match evaluate(call.context.engine(), call.state, &runbook) {
        Ok(value) => Ok(values(rows_of(&value))),
        Err(failure) => match exit_of(&failure) {
            Some(_)
                if call
                    .state
                    .interrupt
                    .load(std::sync::atomic::Ordering::Relaxed)
                    != 0 =>
            {
                Err(failure)
            }
            Some(Exit(0)) => Ok(super::filter::none()),
            Some(Exit(code)) => {
                call.state.exit_code.set(i64::from(code));
                let what = format!("the runbook {path} ended with code {code}");
                Err(call.fail(Error::new(ErrorKind::InvalidState, what)))
            }
            None => Err(failure),
        },
    }
}

fn exit_of(failure: &EvalAltResult) -> Option<Exit> {
    match failure {
        EvalAltResult::ErrorTerminated(token, _) => token.clone().try_cast(),
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => exit_of(inner),
        _ => None,
    }
}

/// The map of `-Parameters` as a record.
fn parameters(call: Call<'_>, bound: &Bound) -> Result<Record, Failure> {
    let Some(given) = bound.get("Parameters") else {
        return Ok(Record {
            shape: "",
            fields: Rc::default(),
        });
    };
    let map = given.read_lock::<Map>().map(|map| from_map(&map));
    map.or_else(|| given.clone().try_cast::<Record>())
        .ok_or_else(|| {
            let what = format!("the parameters of a runbook cannot be '{}'", text(given));
            let hint = "they are a map: @{ Group = 'VS1'; WhatIf = $true }";
            call.fail_about(bound, Error::new(ErrorKind::Usage, what).hint(hint))
        })
}
