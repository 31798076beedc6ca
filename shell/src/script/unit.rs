//! From the text of a line, a runbook or an imported file to what the engine runs.

use std::rc::Rc;

use hamq_core::{Error, ErrorKind};
use rhai::{AST, Engine, ParseErrorType, Scope};

use super::fault::{Fault, unknown_name};
use crate::session::{Source, State};
use crate::syntax::{SourceMap, SyntaxError, translate, translate_value};

/// What becomes of the last pipeline of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// It is shown.
    Shown,
    /// It is the value of the text.
    Value,
}

/// Reads `source` as a unit of its own, so that an error is told where it is: its number and its tree.
///
/// # Errors
/// With the place of what cannot be read.
pub(super) fn compile(
    engine: &Engine,
    state: &State,
    scope: &Scope<'_>,
    name: &str,
    source: &str,
    shape: Shape,
) -> Result<(usize, AST), Fault> {
    let unit = state.units.borrow().len();
    let first = state.pipelines.borrow().len();
    let translated = match shape {
        Shape::Shown => translate(source, first, state.interactive),
        Shape::Value => translate_value(source, first),
    };
    let read = Source {
        name: name.to_owned(),
        text: source.to_owned(),
        generated: String::new(),
        map: SourceMap::default(),
        parameters: Rc::default(),
    };
    state.units.borrow_mut().push(read);
    let translated = translated.map_err(|e| syntax_fault(state, unit, e))?;
    let compiled = engine.compile_with_scope(scope, &translated.text);
    if let Some(read) = state.units.borrow_mut().get_mut(unit) {
        read.generated = translated.text;
        read.map = translated.map;
        read.parameters = translated.parameters.into();
    }
    let pipelines = translated.pipelines.into_iter().map(|p| (unit, p));
    state.pipelines.borrow_mut().extend(pipelines);
    let mut ast = compiled.map_err(|e| {
        let place = match (e.position().line(), e.position().position()) {
            (Some(line), Some(column)) => state.place(unit, line, column),
            _ => None,
        };
        let mut fault = Fault::new(compile_error(e.err_type()));
        fault.line_column =
            place.map_or((0, 0), |(unit, span)| state.line_column(unit, span.start));
        fault.place = place;
        fault
    })?;
    ast.set_source(unit.to_string());
    Ok((unit, ast))
}

/// The folder of a runbook, so that it finds what lies beside it from wherever it is started.
pub(super) fn folder_of(name: &str) -> String {
    let folder = std::path::Path::new(name)
        .parent()
        .unwrap_or(std::path::Path::new(""));
    match folder.to_str() {
        None | Some("") => ".".to_owned(),
        Some(folder) => folder.to_owned(),
    }
}

fn compile_error(error: &ParseErrorType) -> Error {
    let unknown = match error {
        ParseErrorType::VariableUndefined(name) => unknown_name(name),
        _ => None,
    };
    let mut error = unknown.unwrap_or_else(|| Error::new(ErrorKind::Usage, error.to_string()));
    error.kind = ErrorKind::Usage;
    error
}

fn syntax_fault(state: &State, unit: usize, error: SyntaxError) -> Fault {
    let mut inner = Error::new(ErrorKind::Usage, error.message);
    inner.hint = error.hint;
    let mut fault = Fault::new(inner);
    fault.line_column = state.line_column(unit, error.span.start);
    fault.place = Some((unit, error.span));
    fault
}
