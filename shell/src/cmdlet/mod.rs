//! What can be called: the command list of the core, and the verbs that only a shell has.
//!
//! ```text
//!  COMMANDS (core) ─┐
//!                   ├─ find, all ──> syntax, bind, completion, help
//!  VERBS (here)  ───┘
//! ```

mod condition;
pub mod drill;
mod file;
pub mod filter;
pub mod help;
mod order;

mod verbs;

use hamq_core::api::spec::{CommandSpec, ParameterSpec, ValueKind};

pub use verbs::{COMMON, VERBS};

/// Every command: the core's, then the shell's.
pub fn all() -> impl Iterator<Item = &'static CommandSpec> {
    hamq_core::api::COMMANDS.iter().chain(VERBS).copied()
}

/// The command or alias that is spelled `name`, ignoring case.
#[must_use]
pub fn find(name: &str) -> Option<&'static CommandSpec> {
    all().find(|spec| {
        spec.name.eq_ignore_ascii_case(name)
            || spec
                .aliases
                .iter()
                .any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

/// The command that a pipeline begins with when it begins with a value.
#[must_use]
pub fn value_spec() -> &'static CommandSpec {
    verbs::WRITE_OUTPUT
}

/// Whether the shell itself runs it.
#[must_use]
pub fn is_verb_of_shell(spec: &CommandSpec) -> bool {
    VERBS.iter().any(|verb| verb.name == spec.name)
}

/// Whether it makes text for people and must come last.
#[must_use]
pub fn is_format(spec: &CommandSpec) -> bool {
    spec.name.starts_with("Format-")
}

/// Whether some command has this verb.
#[must_use]
pub fn is_verb(word: &str) -> bool {
    all().any(|spec| spec.verb().eq_ignore_ascii_case(word))
}

/// A parameter that every command has.
#[must_use]
pub fn common(name: &str) -> Option<&'static ParameterSpec> {
    COMMON.iter().find(|parameter| {
        parameter.name.eq_ignore_ascii_case(name)
            || parameter
                .aliases
                .iter()
                .any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

/// How a kind of value is written in help.
#[must_use]
pub fn kind_name(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Switch => "",
        ValueKind::Bool => "true|false",
        ValueKind::Int => "int",
        ValueKind::Float => "number",
        ValueKind::Text => "text",
        ValueKind::TextList => "text,…",
        ValueKind::Duration => "time",
        ValueKind::Bytes => "body",
        ValueKind::Any => "value",
        ValueKind::List => "value,…",
    }
}
