//! An error at a place of a source: what a script catches, and what a person sees.

use hamq_core::{Error, ErrorKind};
use rhai::{Dynamic, EvalAltResult, Position};

use super::value::Record;
use crate::syntax::Span;

/// An error with its place.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What went wrong.
    pub error: Error,
    /// The unit and the place in it, when known.
    pub place: Option<(usize, Span)>,
    /// Line and column, from 1; 0 when not known.
    pub line_column: (usize, usize),
    /// A guard of the shell refused: nothing was asked of the cluster.
    pub refused: bool,
}

impl Fault {
    /// An error whose place is not known yet.
    #[must_use]
    pub fn new(error: Error) -> Self {
        Self {
            error,
            place: None,
            line_column: (0, 0),
            refused: false,
        }
    }

    /// What a script can ask of it.
    #[must_use]
    pub fn record(&self) -> Record {
        let number = |n: usize| Dynamic::from(i64::try_from(n).unwrap_or(0));
        let hint = self.error.hint.clone().unwrap_or_default();
        Record::of(vec![
            ("message".into(), self.error.message.clone().into()),
            ("kind".into(), self.error.kind.name().into()),
            ("hint".into(), hint.into()),
            ("line".into(), number(self.line_column.0)),
            ("column".into(), number(self.line_column.1)),
        ])
    }

    /// As an error that a script can catch.
    #[must_use]
    pub fn raise(self) -> Box<EvalAltResult> {
        Box::new(EvalAltResult::ErrorRuntime(
            Dynamic::from(self),
            Position::NONE,
        ))
    }
}

/// The error as one that a script can catch.
#[must_use]
pub fn raise(error: Error) -> Box<EvalAltResult> {
    Fault::new(error).raise()
}

/// Ends a script: `exit N`, or an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    /// As an error that no script can catch.
    #[must_use]
    pub fn raise(self) -> Box<EvalAltResult> {
        Box::new(EvalAltResult::ErrorTerminated(
            Dynamic::from(self),
            Position::NONE,
        ))
    }
}

/// The exit code that an error means.
#[must_use]
pub fn exit_code(fault: &Fault) -> u8 {
    match fault.error.kind {
        _ if fault.refused => 4,
        ErrorKind::Usage => 2,
        ErrorKind::Timeout => 124,
        ErrorKind::OperationCancelled => 130,
        _ => 1,
    }
}

/// What rhai itself found wrong while a script ran: not a fault of how it is written.
#[must_use]
pub fn of_script(error: &EvalAltResult) -> Error {
    let message = error.to_string();
    match error {
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            unknown_name(name).unwrap_or_else(|| Error::new(ErrorKind::NotFound, message))
        }
        EvalAltResult::ErrorFunctionNotFound(..)
        | EvalAltResult::ErrorModuleNotFound(..)
        | EvalAltResult::ErrorPropertyNotFound(..)
        | EvalAltResult::ErrorIndexNotFound(..)
        | EvalAltResult::ErrorArrayBounds(..)
        | EvalAltResult::ErrorStringBounds(..) => Error::new(ErrorKind::NotFound, message),
        _ => Error::new(ErrorKind::InvalidState, message),
    }
}

/// Whether the machine would run a program of this name.
fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// A name that is neither a variable nor a command.
#[must_use]
pub fn unknown_name(name: &str) -> Option<Error> {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    plain.then(|| {
        let error = Error::new(
            ErrorKind::NotFound,
            format!("there is no variable and no command '{name}'"),
        );
        error.hint(match is_program(name) {
            true => format!("{name} is a program of this machine: Invoke-Native {name} …"),
            false => format!(
                "'Get-Command *{name}*' looks for commands; texts in expressions need quotes"
            ),
        })
    })
}
