//! `docs/commands.md`: the reference of all commands, written from the command list.

use std::fmt::Write;

use super::COMMANDS;
use super::spec::{CommandSpec, Completes, ParameterSpec, Pipeline, Risk, RunsAt, ValueKind};

/// The whole reference as Markdown.
#[must_use]
pub fn commands_markdown() -> String {
    let mut out = String::from(
        "# Commands\n\nWritten from the command list by `cargo run -p hamq-core --example commands`. \
         Do not edit.\n\n| command | what it does |\n| --- | --- |\n",
    );
    for spec in COMMANDS {
        let anchor = spec.name.to_lowercase();
        let _ = writeln!(
            out,
            "| [{}](#{anchor}) | {} |",
            spec.name,
            cell(spec.summary.trim())
        );
    }
    for spec in COMMANDS {
        command(&mut out, spec);
    }
    out
}

fn command(out: &mut String, spec: &CommandSpec) {
    let _ = writeln!(out, "\n## {}\n", spec.name);
    paragraphs(out, spec.help);
    let _ = writeln!(out, "\n    {}\n", syntax(spec));
    let _ = writeln!(
        out,
        "Python and rhai: `{}`. {} {}{}",
        spec.snake_name(),
        place(spec.runs_at),
        risk(spec.risk),
        aliases(spec)
    );
    if !spec.parameters.is_empty() {
        out.push_str("\n| parameter | value | meaning |\n| --- | --- | --- |\n");
        for parameter in spec.parameters {
            parameter_row(out, parameter);
        }
    }
    let many = if spec.many { "any number of" } else { "one" };
    let _ = writeln!(out, "\nOutput: {many} `{}`.\n", spec.output.name);
    out.push_str("| field | value | meaning |\n| --- | --- | --- |\n");
    for field in spec.output.fields {
        let optional = if field.optional { ", or nothing" } else { "" };
        let meaning = cell(&joined(field.help));
        let _ = writeln!(
            out,
            "| {} | {}{optional} | {meaning} |",
            field.name,
            kind(field.kind)
        );
    }
    for example in spec.examples {
        let _ = writeln!(out, "\nExample: {}\n\n    {}", example.text, example.code);
    }
}

/// The command with all its parameters: optional ones in brackets.
fn syntax(spec: &CommandSpec) -> String {
    let mut line = spec.name.to_owned();
    for parameter in spec.parameters {
        let name = match parameter.position {
            Some(_) => format!("[-{}]", parameter.name),
            None => format!("-{}", parameter.name),
        };
        let full = match parameter.kind {
            ValueKind::Switch => format!("-{}", parameter.name),
            other => format!("{name} <{}>", kind(other)),
        };
        let _ = match parameter.required {
            true => write!(line, " {full}"),
            false => write!(line, " [{full}]"),
        };
    }
    line
}

fn parameter_row(out: &mut String, parameter: &ParameterSpec) {
    let mut notes = Vec::new();
    if parameter.required {
        notes.push("required".to_owned());
    }
    if let Some(position) = parameter.position {
        notes.push(format!("position {position}"));
    }
    match parameter.pipeline {
        Pipeline::No => {}
        Pipeline::ByValue => notes.push("from the pipeline".to_owned()),
        Pipeline::ByPropertyName => notes.push("from the pipeline by property".to_owned()),
    }
    if let Completes::Choice(words) = parameter.completes {
        notes.push(words.join(" or "));
    }
    if !parameter.aliases.is_empty() {
        notes.push(format!("also -{}", parameter.aliases.join(", -")));
    }
    let notes = match notes.as_slice() {
        [] => String::new(),
        notes => format!(" ({})", notes.join("; ")),
    };
    let meaning = cell(&joined(parameter.help));
    let _ = writeln!(
        out,
        "| -{} | {} | {meaning}{} |",
        parameter.name,
        kind(parameter.kind),
        cell(&notes)
    );
}

fn paragraphs(out: &mut String, lines: &[&str]) {
    for line in lines {
        let _ = writeln!(out, "{}", line.trim());
    }
}

fn joined(lines: &[&str]) -> String {
    let trimmed: Vec<_> = lines.iter().map(|line| line.trim()).collect();
    trimmed.join(" ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

const fn kind(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Switch => "switch",
        ValueKind::Bool => "bool",
        ValueKind::Int => "int",
        ValueKind::Float => "float",
        ValueKind::Text => "text",
        ValueKind::TextList => "text[]",
        ValueKind::Duration => "duration",
        ValueKind::Bytes => "text or bytes",
        ValueKind::Any => "any",
        ValueKind::List => "any[]",
    }
}

const fn place(at: RunsAt) -> &'static str {
    match at {
        RunsAt::Client => "Runs in the client.",
        RunsAt::Agent => "Runs on any node of the cluster.",
        RunsAt::QueueManager => "Runs on the queue manager of the queue.",
    }
}

const fn risk(risk: Risk) -> &'static str {
    match risk {
        Risk::None => "It only reads.",
        Risk::Low => "It changes something that can be undone.",
        Risk::Medium => "It interrupts service.",
        Risk::High => "It destroys configuration or messages, and asks first.",
    }
}

fn aliases(spec: &CommandSpec) -> String {
    match spec.aliases {
        [] => String::new(),
        aliases => format!(" Short: `{}`.", aliases.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_is_the_one_that_would_be_written_now() {
        let committed = include_str!("../../../docs/commands.md");
        assert!(
            committed == commands_markdown(),
            "docs/commands.md is stale: cargo run -p hamq-core --example commands > docs/commands.md"
        );
    }

    #[test]
    fn every_command_every_parameter_and_every_field_is_in_it() {
        let text = commands_markdown();
        for spec in COMMANDS {
            let section = format!("\n## {}\n", spec.name);
            let begin = text.find(&section).unwrap_or_else(|| panic!("{section}"));
            let rest = &text[begin + 1..];
            let section = &rest[..rest.find("\n## ").unwrap_or(rest.len())];
            for parameter in spec.parameters {
                assert!(section.contains(&format!("| -{} |", parameter.name)));
            }
            for field in spec.output.fields {
                assert!(section.contains(&format!("| {} |", field.name)));
            }
        }
    }
}
