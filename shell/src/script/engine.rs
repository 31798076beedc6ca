//! The engine of a session: each unit is translated, compiled and run with its own source.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hamq_core::{Error, ErrorKind};
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext, Scope};

use super::fault::{Exit, Fault, exit_code, raise};
use super::module::Modules;
use super::operators::register_operators;
use super::parameters::{Binder, fit};
use super::unit::{Shape, compile, folder_of};
use super::value::{Record, Rows, from_map, property, text};
use crate::pipeline::Failure;
use crate::pipeline::{run, show};
use crate::session::State;
use crate::syntax::Span;

/// A session: its engine, its variables, its state.
pub struct Session {
    engine: Engine,
    scope: Scope<'static>,
    /// What commands and script share.
    pub state: Rc<State>,
    /// `exit` was called.
    pub ended: bool,
    /// With this code.
    pub code: u8,
    /// The words behind the name of a script that declares parameters.
    pub words: Vec<String>,
}

impl Session {
    /// A session on `state`, with `arguments` as ARGS and those without a name as args.
    #[must_use]
    pub fn new(state: Rc<State>, arguments: Dynamic) -> Self {
        let mut engine = Engine::new();
        engine
            .set_max_call_levels(256)
            .set_max_expr_depths(128, 128);
        engine.set_strict_variables(true);
        engine.disable_symbol("eval");
        engine.set_module_resolver(Modules::new(Rc::clone(&state)));
        let interrupt = Arc::clone(&state.interrupt);
        engine.on_progress(move |_| match interrupt.load(Ordering::Relaxed) {
            0 => None,
            code => Some(Dynamic::from(Exit(code))),
        });
        let printer = Rc::clone(&state);
        engine.on_print(move |line| printer.line(line));
        register_values(&mut engine);
        register_operators(&mut engine);
        register_calls(&mut engine, &state);
        let mut scope = Scope::new();
        let rest = arguments
            .read_lock::<Map>()
            .and_then(|map| map.get("_").cloned())
            .unwrap_or_else(|| Array::new().into());
        scope.push_constant_dynamic("ARGS", arguments);
        scope.push_constant_dynamic("args", rest);
        scope.push("ScriptRoot", String::new());
        Self {
            engine,
            scope,
            state,
            ended: false,
            code: 0,
            words: Vec::new(),
        }
    }

    /// Runs a text; what it comes to is shown.
    ///
    /// # Errors
    /// The exit code it ends with, when that is not 0; errors were reported.
    pub fn run(&mut self, name: &str, source: &str) -> Result<(), u8> {
        self.scope.set_value("ScriptRoot", folder_of(name));
        let ast = match compile(
            &self.engine,
            &self.state,
            &self.scope,
            name,
            source,
            Shape::Shown,
        )
        .and_then(|(unit, ast)| self.bind(name, unit).map(|()| (unit, ast)))
        {
            Ok((unit, ast)) => {
                self.state.unit.set(unit);
                ast
            }
            Err(fault) => {
                self.state.report(&fault);
                return Err(2);
            }
        };
        self.engine.register_global_module(ast.shared_lib().clone());
        match self
            .engine
            .eval_ast_with_scope::<Dynamic>(&mut self.scope, &ast)
        {
            Ok(value) => {
                self.state.show(&value);
                if self.state.partial.take() {
                    Err(3)
                } else {
                    Ok(())
                }
            }
            Err(failure) => self.failed(*failure),
        }
    }

    /// Gives the parameters of a unit what the words say.
    fn bind(&self, name: &str, unit: usize) -> Result<(), Fault> {
        let declared = self.state.declared(unit);
        if declared.is_empty() {
            return Ok(());
        }
        let bound = Binder::new(name, &declared).words(&self.words);
        let bound = bound.map_err(|(error, about)| {
            let mut fault = Fault::new(error);
            if let Some(declared) = about {
                fault.place = Some((unit, declared.span));
                fault.line_column = self.state.line_column(unit, declared.span.start);
            }
            fault
        })?;
        self.state.bound.borrow_mut().insert(unit, bound);
        Ok(())
    }

    fn failed(&mut self, failure: EvalAltResult) -> Result<(), u8> {
        if let Some(exit) = exit_of(&failure) {
            self.ended = self.state.interrupt.load(Ordering::Relaxed) == 0;
            self.code = exit.0;
            return if exit.0 == 0 { Ok(()) } else { Err(exit.0) };
        }
        let fault = self.state.fault(failure);
        let code = exit_code(&fault);
        self.state.report(&fault);
        self.state.remember(fault);
        Err(code)
    }
}

fn exit_of(failure: &EvalAltResult) -> Option<Exit> {
    match failure {
        EvalAltResult::ErrorTerminated(token, _) => {
            Some(token.clone().try_cast().unwrap_or(Exit(130)))
        }
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => exit_of(inner),
        _ => None,
    }
}

/// Records, rows and faults: their properties and iteration.
fn register_values(engine: &mut Engine) {
    engine
        .register_type_with_name::<Record>("Record")
        .register_indexer_get(|r: &mut Record, name: &str| r.get(name).map_err(raise))
        .register_indexer_set(|r: &mut Record, name: &str, value: Dynamic| r.set(name, value))
        .register_fn("to_string", |r: &mut Record| {
            text(&Dynamic::from(r.clone()))
        })
        .register_fn("contains", |r: &mut Record, name: &str| {
            r.find(name).is_some()
        });
    engine
        .register_type_with_name::<Rows>("Rows")
        .register_indexer_get(|rows: &mut Rows, name: &str| rows.property(name).map_err(raise))
        .register_indexer_get(|rows: &mut Rows, index: i64| nth(rows, index))
        .register_fn("to_string", |r: &mut Rows| text(&Dynamic::from(r.clone())))
        .register_fn("len", |r: &mut Rows| {
            i64::try_from(r.0.len()).unwrap_or(i64::MAX)
        })
        .register_fn("is_empty", |r: &mut Rows| r.0.is_empty())
        .register_fn("to_array", |r: &mut Rows| r.0.as_ref().clone())
        .register_iterator::<Rows>();
    engine
        .register_type_with_name::<Fault>("Error")
        .register_indexer_get(|f: &mut Fault, name: &str| f.record().get(name).map_err(raise))
        .register_fn("to_string", |f: &mut Fault| f.error.message.clone());
    engine.register_fn("__text", |parts: Array| -> ImmutableString {
        parts.iter().map(text).collect::<String>().into()
    });
    engine.register_fn("property", |value: Dynamic, name: &str| {
        property(&value, name).map_err(raise)
    });
    engine.register_fn("exit", |code: i64| -> Result<(), Failure> {
        Err(Exit(u8::try_from(code.rem_euclid(256)).unwrap_or(1)).raise())
    });
    engine.register_fn("exit", || -> Result<(), Failure> { Err(Exit(0).raise()) });
}

impl IntoIterator for Rows {
    type Item = Dynamic;
    type IntoIter = std::vec::IntoIter<Dynamic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.as_ref().clone().into_iter()
    }
}

fn nth(rows: &Rows, index: i64) -> Result<Dynamic, Failure> {
    let len = i64::try_from(rows.0.len()).unwrap_or(i64::MAX);
    let at = if index < 0 { len + index } else { index };
    let row = usize::try_from(at)
        .ok()
        .and_then(|at| rows.0.get(at))
        .cloned();
    row.ok_or_else(|| {
        raise(Error::new(
            ErrorKind::NotFound,
            format!("there is no row {index}: there are {len}"),
        ))
    })
}

/// Pipelines, caught errors, and each command as a function.
fn register_calls(engine: &mut Engine, state: &Rc<State>) {
    let shared = Rc::clone(state);
    let pipe = move |context: NativeCallContext<'_>,
                     id: i64,
                     expressions: Array|
          -> Result<Dynamic, Failure> {
        let entry = usize::try_from(id)
            .ok()
            .and_then(|id| shared.pipelines.borrow().get(id).cloned());
        let Some((unit, pipeline)) = entry else {
            return Err(raise(Error::new(
                ErrorKind::Internal,
                format!("no pipeline {id}"),
            )));
        };
        shared.succeeded.set(true);
        let rows = run::stream(&shared, &context, unit, &pipeline, &expressions);
        let result = rows.and_then(|rows| match pipeline.print {
            true => show::all(&shared, rows).map(|()| Dynamic::UNIT),
            false => run::collect(&shared, rows).map(Dynamic::from),
        });
        if result.is_err() {
            shared.succeeded.set(false);
        }
        result
    };
    engine.register_fn("__pipe", pipe);
    register_session(engine, state);
    register_parameters(engine, state);
    for spec in hamq_core::api::COMMANDS.iter().copied() {
        let name = spec.snake_name();
        let shared = Rc::clone(state);
        let call = move |context: &NativeCallContext<'_>, record: &Record| {
            let at = context.call_position();
            let unit = context
                .call_source()
                .and_then(|s| s.parse().ok())
                .unwrap_or(shared.unit.get());
            let place = match (at.line(), at.position()) {
                (Some(line), Some(column)) => shared.place(unit, line, column),
                _ => None,
            };
            let place = place.unwrap_or((unit, Span::default()));
            run::function(
                run::Call {
                    state: &shared,
                    context,
                    place,
                },
                spec,
                record,
            )
        };
        let bare = call.clone();
        engine.register_fn(name.as_str(), move |context: NativeCallContext<'_>| {
            bare(&context, &Record::default())
        });
        engine.register_fn(
            name.as_str(),
            move |context: NativeCallContext<'_>, parameters: Map| {
                call(&context, &from_map(&parameters))
            },
        );
    }
}

/// The unit that a call out of rhai comes from.
fn unit_of(state: &State, context: &NativeCallContext<'_>) -> usize {
    let source = context.call_source().and_then(|s| s.parse().ok());
    source.unwrap_or(state.unit.get())
}

/// What `param(…)` becomes: the value that was given, or the default made to fit.
fn register_parameters(engine: &mut Engine, state: &Rc<State>) {
    let shared = Rc::clone(state);
    let given = move |context: NativeCallContext<'_>, name: &str| {
        let bound = shared.bound.borrow();
        let map = bound.get(&unit_of(&shared, &context));
        map.and_then(|map| map.get(name).cloned())
            .unwrap_or_default()
    };
    engine.register_fn("__param", given);
    let shared = Rc::clone(state);
    let fits = move |context: NativeCallContext<'_>, name: &str, value: Dynamic| {
        let unit = unit_of(&shared, &context);
        let declared = shared.declared(unit);
        let Some(declared) = declared.iter().find(|d| d.name == name) else {
            return Ok(value);
        };
        if value.is_unit() {
            return Ok(value); // $null: nothing was given
        }
        let script = shared.units.borrow().get(unit).map(|u| u.name.clone());
        fit(&script.unwrap_or_default(), declared, &value).map_err(|error| {
            let mut fault = Fault::new(error);
            fault.place = Some((unit, declared.span));
            fault.line_column = shared.line_column(unit, declared.span.start);
            fault.raise()
        })
    };
    engine.register_fn("__fit", fits);
}

/// What the variables of the session become: `$global:x`, `$env:HOME`, `$Error`, `$?`, `$LASTEXITCODE`; and errors.
fn register_session(engine: &mut Engine, state: &Rc<State>) {
    let shared = Rc::clone(state);
    engine.register_fn("__err", move |value: Dynamic| {
        let fault = shared.caught(&value);
        shared.remember(fault.clone());
        fault
    });
    let shared = Rc::clone(state);
    engine.register_fn("__tell", move |value: Dynamic| {
        let fault = shared.caught(&value);
        shared.report(&fault);
        shared.remember(fault);
    });
    let shared = Rc::clone(state);
    engine.register_fn("__global", move |name: &str| -> Result<Dynamic, Failure> {
        let globals = shared.globals.borrow();
        globals.get(name).cloned().ok_or_else(|| {
            let what = format!("$global:{name} has no value");
            let hint = format!("$global:{name} = … or 'Set-Variable {name} …' gives it one");
            raise(Error::new(ErrorKind::NotFound, what).hint(hint))
        })
    });
    let shared = Rc::clone(state);
    engine.register_fn("__set_global", move |name: &str, value: Dynamic| {
        shared.globals.borrow_mut().insert(name.into(), value);
    });
    engine.register_fn("__env", |name: &str| match std::env::var_os(name) {
        Some(value) => Dynamic::from(value.to_string_lossy().into_owned()),
        None => Dynamic::UNIT,
    });
    let shared = Rc::clone(state);
    engine.register_fn("__errors", move || -> Array {
        let errors = shared.errors.borrow();
        errors.iter().cloned().map(Dynamic::from).collect()
    });
    let shared = Rc::clone(state);
    engine.register_fn("__ok", move || shared.succeeded.get());
    let shared = Rc::clone(state);
    engine.register_fn("__exit_code", move || shared.exit_code.get());
}
