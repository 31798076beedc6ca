//! Help pages and the list of commands, all from the specs.

use hamq_core::api::spec::{CommandSpec, Completes, ParameterSpec, Pipeline, Risk, ValueKind};
use hamq_core::name::{fits as fits_pattern, nearest};
use hamq_core::{Error, ErrorKind, Result};
use rhai::Dynamic;

use super::{COMMON, all, find, is_verb_of_shell, kind_name};
use crate::render::wrap;
use crate::script::Record;
use crate::syntax::{Declared, source, translate};

const WIDTH: usize = 78;

/// The language in short.
pub const ABOUT: &str = "\
about_shell

A line is a pipeline of commands, or rhai, or both:

  Get-ClusterGroup | Where-Object State -eq Online
  let $g = Get-ClusterGroup VS1\n  if $g.OwnerNode == \"n1\" { Move-ClusterGroup $g }

Values    30s  5MB  127.0.0.1  ./private$/q  a,b  'verbatim'  $x  (expr)
          \"text $x $(1 + 2)\"  { block with $_ }  @{ key = value }  @( 1, 2 )
          @x gives a command the parameters in the map x, or a list's values
Lines     go on after | and , and before a leading | or -Parameter
          # and // to the end of the line, /* */ and <# #> are comments
Variables $x here, $global:x in functions too, $env:HOME, $Error, $?,
          $LASTEXITCODE, $args, $ScriptRoot
Pipelines give rows: .Count, [0], for; a property of one row is its value,
          of many a list. A command inside an expression needs parentheses.
Output    -As json | jsonl | csv | table | list | wide | name on the last
          command; > FILE and >> FILE; what goes to no terminal is never cut
Errors    stop the script; -ErrorAction Continue goes on and ends with code 3;
          try { } catch (e) { e.message, e.kind, e.hint, e.line }
Chains    A && B runs B after A, unless A failed; A || B runs B if A failed
          Invoke-Try { } is try as a value
Modules   import \"lib\" as lib; reads lib.rhai beside the file
Scripts   param([string] $Name = 'x', [switch] $WhatIf) at the head of FILE;
          hamq run FILE -Name y; Get-Help ./FILE; Invoke-Runbook FILE @{ … };
          without param --name value word are $ARGS.name, $args[0]; $ScriptRoot
Tests     Describe 'x' { It 'y' { Assert-Equal 3 (1 + 2) } }; hamq test FILE
Exit      0 done, 1 failed, 2 usage, 3 partly failed, 4 refused, 124 time-out,
          130 interrupted";

const ABOUT_KEYS: &str = "\
about_keys

Tab        offers what may stand there, with what it means; names come from the
           cluster while you go on typing
F1         shows the help of the command at the cursor; the line stays
F7         lists past lines; Ctrl-R searches them; Up goes through them; Right
           or Ctrl-F takes the grey suggestion
Enter      goes on to another line while a bracket or a text is open
Ctrl-C     ends the command that runs, or empties the line; never the shell
Ctrl-D     ends the shell

A line that begins with a blank is not kept. Get-History shows the past ones.
Above the line stands what happens in the cluster meanwhile.";

const ABOUT_PROFILE: &str = "\
about_profile

profile.rhai runs before the first prompt: it lies in ~/.config/hamq (or in
$XDG_CONFIG_HOME/hamq, or in $HAMQ_HOME); --no-profile passes it over.

  $global:EditMode = 'vi'                  keys of vi; emacs otherwise
  $global:Abbreviations = @{ gg = 'Get-ClusterGroup' }
                                           gg and a blank become the command
  $global:ReadOnly = true                  what changes something is refused
  $global:Events = false                   tell no events above the line

NO_COLOR in the environment takes the colours away.";

const ABOUT_CONTEXTS: &str = "\
about_contexts

A context is a cluster under a name of your own, in contexts.json beside the
profile.

  New-HamqContext north '10.0.0.1,10.0.0.2' -ReadOnly
  Set-HamqContext north           now, and in later sessions
  hamq --context north -c '…'     this once; $HAMQ_CONTEXT does the same
  hamq --read-only                any cluster, to look at

What changes something is refused in a read-only session with exit code 4;
-WhatIf still shows what it would do.";

const ABOUT_AUDIT: &str = "\
about_audit

Each command that changes a cluster writes two lines into audit-YEAR-MONTH.jsonl
in the state folder (~/.local/state/hamq, or $HAMQ_HOME): before it, who (the
user, the login behind sudo, the certificate), when, from where, what and why
(-Reason); after it, what came of it. Lines are only added. Messages that are
sent and received are not in it: their queue's journal has them.

  Stop-ClusterGroup VS1 -Reason 'new disk, ticket 1207'
  Get-ClusterAudit *VS1* | Format-List";

const ABOUT_TRANSCRIPTS: &str = "\
about_transcripts

  Start-Transcript night.rhai     what is typed and shown goes there as well
  Stop-Transcript
  hamq run night.rhai             does it again: what was shown is a comment,
                                  and so is a command that failed
  ConvertTo-Runbook night.rhai | Out-File move.rhai
                                  the commands that did not fail";

/// The topics, by name.
const TOPICS: &[(&str, &str)] = &[
    ("about_shell", ABOUT),
    ("about_keys", ABOUT_KEYS),
    ("about_profile", ABOUT_PROFILE),
    ("about_contexts", ABOUT_CONTEXTS),
    ("about_audit", ABOUT_AUDIT),
    ("about_transcripts", ABOUT_TRANSCRIPTS),
];

fn topic(name: &str) -> Result<String> {
    let names = || TOPICS.iter().map(|(name, _)| *name);
    let found = TOPICS
        .iter()
        .find(|(topic, _)| topic.eq_ignore_ascii_case(name));
    if let Some((_, text)) = found {
        return Ok((*text).to_owned());
    }
    if name.contains(['*', '?']) || name.eq_ignore_ascii_case("about") {
        return Ok(names().collect::<Vec<_>>().join("\n"));
    }
    let error = Error::new(ErrorKind::NotFound, format!("there is no topic '{name}'"));
    Err(match nearest(name, names()) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint(format!(
            "the topics: {}",
            names().collect::<Vec<_>>().join(", ")
        )),
    })
}

/// The help page of `name`, or the list of what fits it.
///
/// # Errors
/// `NotFound` with what was probably meant.
pub fn page(name: Option<&str>, examples: bool, full: bool) -> Result<String> {
    let Some(name) = name else {
        return Ok(overview("*"));
    };
    if name.to_ascii_lowercase().starts_with("about") {
        return topic(name);
    }
    if name.contains('/') || name.ends_with(".rhai") {
        let text = std::fs::read_to_string(name)
            .map_err(|e| Error::system(format!("read the script {name}"), &e))?;
        return script(name, &text);
    }
    if name.contains(['*', '?']) && name != "?" {
        return Ok(overview(name));
    }
    match find(name) {
        Some(spec) => Ok(command(spec, examples, full)),
        None => {
            let error = Error::new(
                ErrorKind::NotFound,
                format!("there is no help for '{name}'"),
            );
            Err(match nearest(name, all().map(|spec| spec.name)) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error.hint("'Get-Command' lists the commands"),
            })
        }
    }
}

/// The help page of a script: the comment at its head and its `param(…)`.
///
/// # Errors
/// When it cannot be read as one.
pub fn script(name: &str, text: &str) -> Result<String> {
    let unit = translate(text, 0, false).map_err(|e| {
        let (line, column) = source::line_column(text, e.span.start);
        let what = format!("{name}:{line}:{column}: {}", e.message);
        Error::new(ErrorKind::Usage, what)
    })?;
    let mut out = format!("{name}\n");
    for line in unit.summary.lines() {
        indent(&mut out, line, 2);
    }
    out.push_str("\nSYNTAX\n");
    let words: Vec<String> = unit.parameters.iter().map(declared_usage).collect();
    syntax(&mut out, &format!("hamq run {name}"), &words);
    if unit.parameters.is_empty() {
        out.push_str("\n  It declares no parameters.\n");
        return Ok(out.trim_end().to_owned());
    }
    out.push_str("\nPARAMETERS\n");
    unit.parameters
        .iter()
        .for_each(|declared| describe_declared(&mut out, declared));
    Ok(out.trim_end().to_owned())
}

fn declared_usage(declared: &Declared) -> String {
    let name = &declared.name;
    match (declared.kind, declared.mandatory) {
        (ValueKind::Switch, _) => format!("[-{name}]"),
        (kind, true) => format!("[-{name}] <{}>", kind_name(kind)),
        (kind, false) => format!("[[-{name}] <{}>]", kind_name(kind)),
    }
}

fn describe_declared(out: &mut String, declared: &Declared) {
    let mut notes = Vec::new();
    if declared.mandatory {
        notes.push("required".to_owned());
    }
    if !declared.aliases.is_empty() {
        notes.push(format!("also -{}", declared.aliases.join(", -")));
    }
    if !declared.choices.is_empty() {
        notes.push(declared.choices.join(" | "));
    }
    if let Some((least, most)) = declared.range {
        notes.push(format!("{least} to {most}"));
    }
    if let Some(default) = &declared.default {
        notes.push(format!("default {default}"));
    }
    let kind = match kind_name(declared.kind) {
        "" => String::new(),
        kind => format!(" <{kind}>"),
    };
    let mut head = format!("-{}{kind}", declared.name);
    if !notes.is_empty() {
        head.push_str(&format!("  ({})", notes.join("; ")));
    }
    indent(out, &head, 2);
    for line in declared.help.lines() {
        indent(out, line, 6);
    }
}

fn overview(pattern: &str) -> String {
    let fits: Vec<_> = all()
        .filter(|spec| fits_pattern(pattern, spec.name))
        .collect();
    let widest = fits.iter().map(|spec| spec.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for spec in fits {
        let lines = wrap(spec.summary, WIDTH.saturating_sub(widest + 2));
        for (n, line) in lines.iter().enumerate() {
            let name = if n == 0 { spec.name } else { "" };
            out.push_str(format!("{name:widest$}  {line}").trim_end());
            out.push('\n');
        }
    }
    out.push_str("\nGet-Help NAME shows one of them; Get-Help about_shell the language,\nGet-Help about the other topics.");
    out
}

fn command(spec: &CommandSpec, examples: bool, full: bool) -> String {
    let mut out = format!("{}\n", spec.name);
    let prose = spec
        .help
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join("\n");
    for paragraph in prose.split("\n\n") {
        indent(&mut out, &paragraph.replace('\n', " "), 2);
        out.push('\n');
    }
    if !examples {
        out.push_str("SYNTAX\n");
        let words = spec.parameters.iter().map(usage).collect::<Vec<_>>();
        syntax(&mut out, spec.name, &words);
        if !spec.aliases.is_empty() {
            indent(
                &mut out,
                &format!("Aliases: {}", spec.aliases.join(", ")),
                2,
            );
        }
        if !spec.parameters.is_empty() {
            out.push_str("\nPARAMETERS\n");
        }
        let added = super::ADDED.iter().filter(|(name, _)| *name == spec.name);
        for parameter in spec.parameters.iter().chain(added.flat_map(|(_, p)| *p)) {
            describe(&mut out, parameter);
        }
        if full {
            out.push_str("\nCOMMON PARAMETERS\n");
            COMMON
                .iter()
                .for_each(|parameter| describe(&mut out, parameter));
            output(&mut out, spec);
        }
        out.push('\n');
    }
    out.push_str("EXAMPLES\n");
    for example in spec.examples {
        out.push_str(&format!("  {}\n", example.code));
        indent(&mut out, example.text, 6);
    }
    out.trim_end().to_owned()
}

fn output(out: &mut String, spec: &CommandSpec) {
    if is_verb_of_shell(spec) {
        return;
    }
    let list = if spec.many { "any number of" } else { "one" };
    out.push_str(&format!("\nOUTPUT\n  {list} {}\n", spec.output.name));
    for field in spec.output.fields {
        out.push_str(&format!("  {}\n", field.name));
        indent(out, &prose(field.help), 6);
    }
    let risk = match spec.risk {
        Risk::None => "none: it only reads",
        Risk::Low => "low: it can be undone",
        Risk::Medium => "medium: it interrupts service",
        Risk::High => "high: it asks first; -Force or -Confirm:$false in scripts",
    };
    out.push_str(&format!("\nRISK\n  {risk}\n"));
}

fn prose(lines: &[&str]) -> String {
    lines
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ")
}

fn usage(parameter: &ParameterSpec) -> String {
    let kind = kind_name(parameter.kind);
    let name = match parameter.position {
        Some(_) => format!("[-{}]", parameter.name),
        None => format!("-{}", parameter.name),
    };
    let whole = if kind.is_empty() {
        name
    } else {
        format!("{name} <{kind}>")
    };
    if parameter.required {
        whole
    } else {
        format!("[{whole}]")
    }
}

fn syntax(out: &mut String, name: &str, words: &[String]) {
    let mut line = format!("  {name}");
    for word in words {
        if line.chars().count() + word.chars().count() + 1 > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = "     ".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}

fn describe(out: &mut String, parameter: &ParameterSpec) {
    let kind = kind_name(parameter.kind);
    let mut head = format!("  -{}", parameter.name);
    if !kind.is_empty() {
        head.push_str(&format!(" <{kind}>"));
    }
    let mut notes = Vec::new();
    if parameter.required {
        notes.push("required".to_owned());
    }
    if parameter.pipeline != Pipeline::No {
        notes.push("from the pipeline".to_owned());
    }
    if !parameter.aliases.is_empty() {
        notes.push(format!("also -{}", parameter.aliases.join(", -")));
    }
    if let Completes::Choice(words) = parameter.completes {
        notes.push(words.join(" | "));
    }
    if !notes.is_empty() {
        head.push_str(&format!("  ({})", notes.join("; ")));
    }
    for (n, line) in wrap(head.trim(), WIDTH - 6).iter().enumerate() {
        out.push_str(&format!("{}{line}\n", if n == 0 { "  " } else { "      " }));
    }
    indent(out, &prose(parameter.help), 6);
}

fn indent(out: &mut String, text: &str, by: usize) {
    for line in wrap(text.trim(), WIDTH - by) {
        out.push_str(format!("{}{line}", " ".repeat(by)).trim_end());
        out.push('\n');
    }
}

/// The commands whose name, verb and noun fit.
#[must_use]
pub fn commands(name: Option<&str>, verb: Option<&str>, noun: Option<&str>) -> Vec<Dynamic> {
    let fits = |text: &str, pattern: Option<&str>| pattern.is_none_or(|p| fits_pattern(p, text));
    let row = |spec: &CommandSpec| {
        Dynamic::from(Record::of(vec![
            ("Name".into(), spec.name.into()),
            ("Summary".into(), spec.summary.trim().into()),
        ]))
    };
    all()
        .filter(|s| fits(s.name, name) && fits(s.verb(), verb) && fits(s.noun(), noun))
        .map(row)
        .collect()
}
