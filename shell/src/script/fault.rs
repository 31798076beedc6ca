//! An error at a place of a source: what a script catches, and what a person sees.

use hamq_core::{Error, ErrorKind};
use rhai::{Dynamic, EvalAltResult, Position};

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
}

impl Fault {
    /// An error whose place is not known yet.
    #[must_use]
    pub fn new(error: Error) -> Self {
        Self {
            error,
            place: None,
            line_column: (0, 0),
        }
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

/// The exit code that an error of this kind means.
#[must_use]
pub fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Usage => 2,
        ErrorKind::InvalidRequest => 4,
        ErrorKind::Timeout => 124,
        ErrorKind::OperationCancelled => 130,
        _ => 1,
    }
}
