//! What can be called: the command list of the core, and the verbs that only a shell has.
//!
//! ```text
//!  COMMANDS (core) ─┐
//!                   ├─ find, all ──> syntax, bind, completion, help
//!  VERBS (here)  ───┘
//! ```

mod act;
mod assert;
mod compare;
pub(crate) mod condition;
mod context;
pub mod drill;
mod evaluate;
mod file;
pub mod filter;
pub mod help;
mod member;
mod native;
mod order;
mod past;
mod pick;
pub mod test;
mod verbs;
mod wait;

use std::collections::HashMap;
use std::sync::LazyLock;

use hamq_core::api::spec::{CommandSpec, ParameterSpec, ValueKind};

pub use context::enter;
pub use verbs::{ADDED, COMMON, VERBS};

/// Every command: the core's, then the shell's.
pub fn all() -> impl Iterator<Item = &'static CommandSpec> {
    hamq_core::api::COMMANDS.iter().chain(VERBS).copied()
}

/// Commands and aliases by their names in small letters.
static BY_NAME: LazyLock<HashMap<String, &'static CommandSpec>> = LazyLock::new(|| {
    let mut table = HashMap::new();
    for spec in all() {
        for name in spec.aliases.iter().chain([&spec.name]) {
            table.entry(name.to_ascii_lowercase()).or_insert(spec);
        }
    }
    table
});

/// The command or alias that is spelled `name`, ignoring case.
#[must_use]
pub fn find(name: &str) -> Option<&'static CommandSpec> {
    match BY_NAME.get(name) {
        None if name.contains(|c: char| c.is_ascii_uppercase()) => {
            BY_NAME.get(&name.to_ascii_lowercase()).copied()
        }
        found => found.copied(),
    }
}

/// The command that `> FILE` stands for.
#[must_use]
pub fn file_spec() -> &'static CommandSpec {
    verbs::OUT_FILE
}

/// Whether it takes text as well as records: it may stand behind what makes text.
#[must_use]
pub fn takes_text(spec: &CommandSpec) -> bool {
    spec.name.starts_with("Out-") || spec.name == "Tee-Object"
}

/// What a parameter of `spec` may be: its own, those that the shell adds, those that all have.
pub fn parameters(spec: &CommandSpec) -> impl Iterator<Item = &'static ParameterSpec> {
    let added = ADDED.iter().filter(|(name, _)| *name == spec.name);
    let added = added.flat_map(|(_, parameters)| *parameters);
    spec.parameters.iter().chain(added).chain(COMMON)
}

/// The parameter of `spec` that is spelled `name`, ignoring case; aliases count.
#[must_use]
pub fn parameter(spec: &CommandSpec, name: &str) -> Option<&'static ParameterSpec> {
    let spelled = |p: &&ParameterSpec| {
        let mut names = p.aliases.iter().chain([&p.name]);
        names.any(|n| n.eq_ignore_ascii_case(name))
    };
    parameters(spec).find(spelled)
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
