//! From the text of a line or a runbook to rhai text, a table of pipelines and a map back.
//!
//! ```text
//!  source ── front ── statement ── token ──┬─> rhai text   ──> rhai
//!                        ▲    │   text, map ├─> SourceMap   ──> positions in errors
//!                        │    ▼             └─> pipelines   ──> pipeline::bind
//!               arguments <── command
//!            (argument mode), operand
//! ```
//!
//! [`site`] has the notes that highlighting and completion live on: one reader for all four.
//!
//! Pure and total: any text gives a unit or an error with a place, never a panic. Whether a word is a
//! command depends on the command list and on where it stands, never on variables.

pub mod arguments;
mod command;
pub mod front;
mod map;
mod operand;
mod operator;
mod parameters;
pub mod site;
pub mod source;
mod statement;
mod text;
mod token;

pub use arguments::{Argument, Operand, Stage};
pub use front::{Pipeline, Unit, translate, translate_value};
pub(crate) use operator::WORD_OPERATORS;
pub use parameters::Declared;
pub use site::{Site, Token, TokenKind, Wanted, site, tokens};
pub use source::{SourceMap, Span};
pub(crate) use token::sized;

/// A text that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where.
    pub span: Span,
    /// More input may complete it: the prompt then asks for another line.
    pub incomplete: bool,
}

impl SyntaxError {
    /// An error at `span`.
    pub fn new(message: impl Into<String>, span: Span) -> Self {
        Self {
            message: message.into(),
            hint: None,
            span,
            incomplete: false,
        }
    }

    /// With advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Marks it as curable by more input.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.incomplete = true;
        self
    }
}
