//! What can be called: the command list of the core, and the verbs that only a shell has.
//!
//! ```text
//!  COMMANDS (core) ─┐
//!                   ├─ find, all ──> syntax, bind, completion, help
//!  VERBS (here)  ───┘
//! ```

mod condition;
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

/// The candidate nearest to `word`, if one is near enough to have been meant.
pub fn nearest<'a>(word: &str, all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    all.map(|name| (distance(&lower, &name.to_lowercase()), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= (1 + word.chars().count() / 4).min(3))
        .map(|(_, name)| name)
}

/// How many insertions, deletions, changes and swaps lie between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut older = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let change = above[j] + usize::from(a[i] != b[j]);
            let mut best = change.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(older[j - 1] + 1);
            }
            row.push(best);
        }
        older = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

/// Whether `text` fits `pattern` with `*` and `?`, ignoring case.
#[must_use]
pub fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let (mut t, mut p, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                t += 1;
                p += 1;
            }
            _ => {
                let Some((star_p, star_t)) = star else {
                    return false;
                };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
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
