//! The generator of `python/python/hamq/_commands.py`: a typed method per command, a frozen dataclass
//! per record, both from the one list of commands.
//!
//! The file is committed, so that it can be read, searched and shown by `help()`; a test fails when it
//! is not what this module makes of the list now (`tests/python_package.rs`).

use std::fmt::Write;

use hamq_core::api::spec::{
    CommandSpec, FieldSpec, ParameterSpec, RecordSpec, Risk, ValueKind, snake,
};
use hamq_core::api::{COMMANDS, MANAGEMENT};

/// Where the generated file lies, seen from the repository's root.
pub const PATH: &str = "python/python/hamq/_commands.py";

const LINE_WIDTH: usize = 100;

const HEAD: &str = r#""""The cluster commands as typed methods, their results as frozen records.

Generated from the list of commands (core/src/api); do not edit. After a change there:
``HAMQ_WRITE=1 cargo test -p hamq-tests --test python_package``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from ._convert import Duration, content, milliseconds, texts

"#;

const QUEUE_COMMANDS_HEAD: &str = r#"
class QueueCommands(ABC):
    """The commands that manage a queue manager and its queues, and need no cluster."""

    @abstractmethod
    def _call(self, command: str, arguments: Mapping[str, object]) -> list[dict[str, Any]]:
        """Runs a command to its records; arguments that are None were not given."""
"#;

const COMMANDS_HEAD: &str = r#"

class Commands(QueueCommands):
    """Every command of the shell as a method."""
"#;

/// Words that a Python parameter or attribute cannot be called.
const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
    "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
    "nonlocal", "not", "or", "pass", "raise", "return", "self", "try", "while", "with", "yield",
];

/// The whole file.
#[must_use]
pub fn generate() -> String {
    let mut out = HEAD.to_owned();
    let records = records();
    for record in &records {
        out.push_str(&dataclass(record));
    }
    let (managing, others): (Vec<_>, Vec<_>) = COMMANDS
        .iter()
        .copied()
        .partition(|command| MANAGEMENT.contains(&command.name));
    out.push_str(QUEUE_COMMANDS_HEAD);
    managing.iter().for_each(|c| out.push_str(&method(c)));
    out.push_str(COMMANDS_HEAD);
    others.iter().for_each(|c| out.push_str(&method(c)));
    out.push_str("\n\n__all__ = [\n");
    let mut names: Vec<String> = records.iter().map(|record| class_name(record)).collect();
    names.sort();
    for name in names {
        push(&mut out, 4, &format!("\"{name}\","));
    }
    out.push_str("]\n");
    out
}

/// Each record once, in the order in which the commands need it.
fn records() -> Vec<&'static RecordSpec> {
    let mut records: Vec<&'static RecordSpec> = Vec::new();
    for command in COMMANDS {
        if records.iter().all(|seen| seen.name != command.output.name) {
            records.push(command.output);
        }
    }
    records
}

/// `ClusterGroupInfo`: the record's name alone would clash with the things themselves (`Cluster`).
fn class_name(record: &RecordSpec) -> String {
    format!("{}Info", record.name)
}

fn identifier(name: &str) -> String {
    let name = snake(name);
    if KEYWORDS.contains(&name.as_str()) {
        return format!("{name}_");
    }
    name
}

fn dataclass(record: &RecordSpec) -> String {
    let mut out = String::new();
    push(&mut out, 0, "");
    push(&mut out, 0, "@dataclass(frozen=True, slots=True)");
    push(&mut out, 0, &format!("class {}:", class_name(record)));
    docstring(&mut out, 4, record.help, &[]);
    push(&mut out, 0, "");
    for field in record.fields {
        let kind = field_type(field);
        push(&mut out, 4, &format!("{}: {kind}", identifier(field.name)));
        docstring(&mut out, 4, field.help, &[]);
    }
    push(&mut out, 0, "");
    push(&mut out, 4, "@classmethod");
    push(
        &mut out,
        4,
        "def _of(cls, record: Mapping[str, Any]) -> Self:",
    );
    push(&mut out, 8, "return cls(");
    for field in record.fields {
        let value = field_value(field);
        push(
            &mut out,
            12,
            &format!("{}={value},", identifier(field.name)),
        );
    }
    push(&mut out, 8, ")");
    push(&mut out, 0, "");
    out
}

fn field_type(field: &FieldSpec) -> String {
    let kind = match field.kind {
        ValueKind::Switch | ValueKind::Bool => "bool",
        ValueKind::Int => "int",
        ValueKind::Float | ValueKind::Duration => "float",
        ValueKind::Text => "str",
        ValueKind::TextList => "list[str]",
        ValueKind::Bytes => "bytes",
        ValueKind::Any => return "Any".to_owned(),
        ValueKind::List => "list[Any]",
    };
    format!("{kind}{}", if field.optional { " | None" } else { "" })
}

/// A record comes as plain values; only bodies (text where they are text) and lengths of time
/// (milliseconds) look different in Python.
fn field_value(field: &FieldSpec) -> String {
    let raw = format!("record[\"{}\"]", field.name);
    let converted = match field.kind {
        ValueKind::Bytes => format!("content({raw})"),
        ValueKind::Duration => format!("{raw} / 1000"),
        _ => return raw,
    };
    if field.optional {
        let line = format!("None if {raw} is None else {converted}");
        // Beside it: the indent, the field's name, = and a comma.
        if line.len() + identifier(field.name).len() + 14 <= LINE_WIDTH {
            return line;
        }
        return format!("None\n            if {raw} is None\n            else {converted}");
    }
    converted
}

fn method(command: &CommandSpec) -> String {
    let mut out = String::new();
    push(&mut out, 0, "");
    let (positional, named) = signature(command);
    signature_lines(&mut out, command, &positional, &named);
    method_docstring(&mut out, command, positional.iter().chain(&named).copied());
    push(&mut out, 8, "records = self._call(");
    push(&mut out, 12, &format!("\"{}\",", command.name));
    if command.parameters.is_empty() {
        push(&mut out, 12, "{},");
    } else {
        push(&mut out, 12, "{");
    }
    for parameter in command.parameters {
        let value = argument(parameter);
        push(&mut out, 16, &format!("\"{}\": {value},", parameter.name));
    }
    if !command.parameters.is_empty() {
        push(&mut out, 12, "},");
    }
    push(&mut out, 8, ")");
    let class = class_name(command.output);
    if command.many {
        push(
            &mut out,
            8,
            &format!("return [{class}._of(record) for record in records]"),
        );
    } else {
        push(&mut out, 8, &format!("return {class}._of(records[0])"));
    }
    out
}

type Parameters = Vec<&'static ParameterSpec>;

/// The parameters that have a place, in order, and those that are given by name. A required one cannot
/// follow an optional one by place, so it is given by name then.
fn signature(command: &CommandSpec) -> (Parameters, Parameters) {
    let mut placed: Parameters = command.parameters.iter().collect();
    placed.retain(|parameter| parameter.position.is_some());
    placed.sort_by_key(|parameter| parameter.position);
    let mut optional_seen = false;
    placed.retain(|parameter| {
        optional_seen |= !parameter.required;
        !(parameter.required && optional_seen)
    });
    let is_placed = |parameter: &&'static ParameterSpec| {
        placed.iter().any(|other| other.name == parameter.name)
    };
    let named = command
        .parameters
        .iter()
        .filter(|p| !is_placed(p))
        .collect();
    (placed, named)
}

fn signature_lines(
    out: &mut String,
    command: &CommandSpec,
    positional: &[&ParameterSpec],
    named: &[&ParameterSpec],
) {
    push(out, 4, &format!("def {}(", command.snake_name()));
    push(out, 8, "self,");
    for parameter in positional {
        push(out, 8, &format!("{},", parameter_text(parameter)));
    }
    if !named.is_empty() {
        push(out, 8, "*,");
    }
    for parameter in named {
        push(out, 8, &format!("{},", parameter_text(parameter)));
    }
    let class = class_name(command.output);
    let output = if command.many {
        format!("list[{class}]")
    } else {
        class
    };
    push(out, 4, &format!(") -> {output}:"));
}

fn parameter_text(parameter: &ParameterSpec) -> String {
    let name = identifier(parameter.name);
    if parameter.kind == ValueKind::Switch {
        return format!("{name}: bool = False");
    }
    let kind = match parameter.kind {
        ValueKind::Switch | ValueKind::Bool => "bool",
        ValueKind::Int => "int",
        ValueKind::Float => "float",
        ValueKind::Text => "str",
        ValueKind::TextList => "str | Iterable[str]",
        ValueKind::Duration => "Duration",
        ValueKind::Bytes => "bytes | str",
        ValueKind::Any => "Any",
        ValueKind::List => "Iterable[Any]",
    };
    // Any number of values, none included: never None.
    let empty = matches!(parameter.kind, ValueKind::TextList | ValueKind::List);
    match (parameter.required, empty) {
        (true, _) => format!("{name}: {kind}"),
        (false, true) => format!("{name}: {kind} = ()"),
        (false, false) => format!("{name}: {kind} | None = None"),
    }
}

fn argument(parameter: &ParameterSpec) -> String {
    let name = identifier(parameter.name);
    match parameter.kind {
        ValueKind::Duration => format!("milliseconds({name})"),
        ValueKind::TextList => format!("texts({name})"),
        ValueKind::List => format!("list({name})"),
        _ => name,
    }
}

fn method_docstring(
    out: &mut String,
    command: &CommandSpec,
    parameters: impl Iterator<Item = &'static ParameterSpec>,
) {
    let mut notes = Vec::new();
    match command.risk {
        Risk::None | Risk::Low => {}
        Risk::Medium => notes.push("It interrupts service.".to_owned()),
        Risk::High => notes.push("It destroys configuration or messages.".to_owned()),
    }
    notes.push(format!("The shell's ``{}``.", command.name));
    let mut lines = vec![notes.join(" ")];
    let mut parameters = parameters.peekable();
    if parameters.peek().is_some() {
        lines.push(String::new());
        lines.push("Args:".to_owned());
    }
    for parameter in parameters {
        let help: Vec<&str> = parameter.help.iter().map(|line| line.trim()).collect();
        lines.push(format!(
            "    {}: {}",
            identifier(parameter.name),
            help.join(" ")
        ));
    }
    docstring(out, 8, command.help, &lines);
}

/// A docstring of `help` and, after an empty line, `more`.
fn docstring(out: &mut String, indent: usize, help: &[&str], more: &[String]) {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace("\"\"\"", "'''");
    let mut lines = Vec::new();
    for paragraph in paragraphs(help) {
        wrap(&mut lines, indent, &escaped(&paragraph));
    }
    if !more.is_empty() {
        lines.push(String::new());
    }
    for line in more {
        wrap(&mut lines, indent, &escaped(line));
    }
    let raw_last = lines.last().is_some_and(|line| line.ends_with('"'));
    if let [line] = lines.as_slice()
        && indent + line.len() + 6 <= LINE_WIDTH
        && !raw_last
    {
        push(out, indent, &format!("\"\"\"{line}\"\"\""));
        return;
    }
    for (index, line) in lines.iter().enumerate() {
        let quotes = if index == 0 { "\"\"\"" } else { "" };
        push(out, indent, &format!("{quotes}{line}"));
    }
    push(out, indent, "\"\"\"");
}

/// The lines of a help text as paragraphs, with an empty one between two of them; an item of a list is
/// a paragraph of its own.
fn paragraphs(help: &[&str]) -> Vec<String> {
    let mut paragraphs: Vec<String> = Vec::new();
    for line in help.iter().map(|line| line.trim()) {
        let item = line.starts_with("- ") || line.starts_with("* ");
        match paragraphs.last_mut() {
            Some(last) if !last.is_empty() && !line.is_empty() && !item => {
                last.push(' ');
                last.push_str(line);
            }
            _ => paragraphs.push(line.to_owned()),
        }
    }
    paragraphs
}

/// Adds `text` in lines that fit; what continues a line is indented as deep as the line, and deeper in
/// the list of arguments.
fn wrap(lines: &mut Vec<String>, indent: usize, text: &str) {
    let margin = text.len() - text.trim_start().len();
    let hanging = if margin > 0 { margin + 4 } else { 0 };
    let mut line = " ".repeat(margin);
    for word in text.split_whitespace() {
        let empty = line.trim().is_empty();
        if !empty && indent + line.chars().count() + 1 + word.chars().count() + 3 > LINE_WIDTH {
            lines.push(std::mem::replace(&mut line, " ".repeat(hanging)));
        } else if !empty {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line.trim_end().to_owned());
}

fn push(out: &mut String, indent: usize, line: &str) {
    if line.is_empty() {
        out.push('\n');
    } else {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}
