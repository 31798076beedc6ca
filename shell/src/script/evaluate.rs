//! Texts that a command runs: `Invoke-Expression`, `Invoke-Runbook`.

use std::rc::Rc;

use hamq_core::{Error, ErrorKind};
use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, Scope};

use super::fault::Fault;
use super::parameters::Binder;
use super::unit::{Shape, compile, folder_of};
use super::value::Record;
use crate::pipeline::Failure;
use crate::session::State;

/// Texts run texts so deep; the engine's own limit begins anew in each.
const DEPTH_MAX: usize = 8;

/// A text to run.
pub(crate) struct Text<'t> {
    /// The file, or what to call it in errors.
    pub(crate) name: &'t str,
    /// The text.
    pub(crate) source: &'t str,
    /// Whether its last pipeline is its value, or shown.
    pub(crate) shape: Shape,
    /// What its parameters are.
    pub(crate) parameters: Option<&'t Record>,
}

/// Runs a text in a scope of its own; it sees `$global:x` and the functions of the session.
///
/// # Errors
/// With the place in the text.
pub(crate) fn evaluate(
    engine: &Engine,
    state: &State,
    text: &Text<'_>,
) -> Result<Dynamic, Failure> {
    let depth = state.depth.get();
    if depth >= DEPTH_MAX {
        let what = format!("texts run texts more than {DEPTH_MAX} deep");
        return Err(Fault::new(Error::new(ErrorKind::InvalidState, what)).raise());
    }
    let mut scope = Scope::new();
    scope.push_constant_dynamic("ARGS", Map::new().into());
    scope.push_constant_dynamic("args", Array::new().into());
    scope.push("ScriptRoot", folder_of(text.name));
    let (unit, ast) = state
        .compiled(text.name, text.source, || {
            compile(engine, state, &scope, text.name, text.source, text.shape)
                .map(|(unit, ast)| (unit, Rc::new(ast)))
        })
        .map_err(Fault::raise)?;
    bind(state, unit, text)?;
    let before = state.unit.replace(unit);
    state.depth.set(depth + 1);
    let result = engine.eval_ast_with_scope::<Dynamic>(&mut scope, &ast);
    state.depth.set(depth);
    // The place of an error is looked for while its unit is the one that runs.
    let result = result.map_err(|failure| match *failure {
        EvalAltResult::ErrorTerminated(..) => failure,
        other => state.fault(other).raise(),
    });
    state.unit.set(before);
    result
}

fn bind(state: &State, unit: usize, text: &Text<'_>) -> Result<(), Failure> {
    let declared = state.declared(unit);
    let none = Record::default();
    let given = text.parameters.unwrap_or(&none);
    if declared.is_empty() && given.fields.is_empty() {
        return Ok(());
    }
    let bound = Binder::new(text.name, &declared).record(given);
    let bound = bound.map_err(|(error, about)| {
        let mut fault = Fault::new(error);
        if let Some(declared) = about {
            fault.place = Some((unit, declared.span));
            fault.line_column = state.line_column(unit, declared.span.start);
        }
        fault.raise()
    })?;
    state.bound.borrow_mut().insert(unit, bound);
    Ok(())
}
