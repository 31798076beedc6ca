//! What Tab offers: commands, parameters, choices and names of objects.

use std::sync::Arc;
use std::time::Duration;

use hamq_core::api::spec::{CommandSpec, Completes, ParameterSpec, RecordSpec};
use reedline::{Completer, CompletionOrigin, CompletionResult, CompletionStatus, Suggestion};

use super::known::Known;
use crate::cmdlet;
use crate::session::Invoke;
use crate::syntax::{Wanted, site};

const FILES_MAX: usize = 10_000;

/// Completion from the command list and the live cluster.
pub struct Completion {
    known: Known,
    /// The last offers lack no names that are on their way.
    settled: bool,
}

impl Completion {
    /// Completion that asks `invoke` for names.
    #[must_use]
    pub fn new(invoke: Arc<dyn Invoke>) -> Self {
        Self {
            known: Known::new(invoke),
            settled: true,
        }
    }

    /// The words that may stand at the end of `before`, with what they mean, and where they begin.
    pub fn offers(&mut self, before: &str) -> (usize, Vec<(String, String)>) {
        self.settled = true;
        let at = site(before);
        let start = at.start.min(before.len());
        let word = before.get(start..).unwrap_or_default();
        match at.wanted {
            Wanted::Command => {
                let all = cmdlet::all().map(|s| (s.name.to_owned(), s.summary.trim().to_owned()));
                (start, matching(all.collect(), word))
            }
            Wanted::Property => (start, matching(properties(at.input), word)),
            Wanted::Argument {
                spec, ref given, ..
            } if word.starts_with('-') => {
                let all = cmdlet::parameters(spec).filter(|p| !given.contains(&p.name));
                let help = |p: &ParameterSpec| p.help.first().map_or("", |h| h.trim()).to_owned();
                let all = all.map(|p| (format!("-{}", p.name), help(p)));
                (start, matching(all.collect(), word))
            }
            Wanted::Argument {
                parameter: None, ..
            } => (start, Vec::new()),
            Wanted::Argument {
                spec,
                parameter: Some(parameter),
                values,
                ..
            } => {
                if names_property(spec, parameter) {
                    return (start, matching(properties(at.input), word));
                }
                let offers = self.values(spec, parameter.completes, &values, word);
                let offers = offers.into_iter().map(|v| (v, String::new())).collect();
                (start, matching(offers, word))
            }
        }
    }

    /// The values that fit a parameter of `spec`, whose other words are `before`.
    fn values(
        &mut self,
        spec: &CommandSpec,
        completes: Completes,
        before: &[String],
        word: &str,
    ) -> Vec<String> {
        match completes {
            Completes::Choice(words) => words.iter().map(|w| quoted(w)).collect(),
            Completes::PropertyName => {
                let lists = format!("Get-{}", spec.noun());
                self.names(cmdlet::find(&lists), before.first().map(String::as_str))
            }
            Completes::Queue => self.queues(word),
            Completes::File => files(word),
            Completes::Nothing | Completes::ResourceType => Vec::new(),
            _ => self.names(lister(completes), None),
        }
    }

    /// Queues of the virtual server that was typed; before that, the servers.
    fn queues(&mut self, word: &str) -> Vec<String> {
        let Some((server, _)) = word.split_once(['/', '\\']) else {
            let servers = self.names(lister(Completes::Group), None);
            return servers.into_iter().map(|name| name + "/").collect();
        };
        let queues = self.names(lister(Completes::Queue), Some(server));
        let slashes = word.contains('/');
        let spelled = |name: String| match slashes {
            true => name.replace('\\', "/"),
            false => name,
        };
        queues.into_iter().map(spelled).collect()
    }

    /// The names that a command lists, as far as they are known.
    fn names(&mut self, lists: Option<&'static CommandSpec>, of: Option<&str>) -> Vec<String> {
        let Some(lists) = lists else {
            return Vec::new();
        };
        let found = self.known.names(lists, of);
        self.settled &= found.settled;
        found.names
    }

    /// Waits until the cluster has told the names it was asked for, at most so long.
    pub fn settle(&self, patience: Duration) {
        self.known.settle(patience);
    }
}

/// The command that lists such objects: the one whose own first parameter completes to them.
fn lister(completes: Completes) -> Option<&'static CommandSpec> {
    let lists = |spec: &&&CommandSpec| {
        let named = |p: &ParameterSpec| p.position == Some(0) && p.completes == completes;
        spec.verb() == "Get"
            && spec.many
            && spec.parameters.iter().any(named)
            && spec.output.fields.iter().any(|f| f.name == "Name")
    };
    hamq_core::api::COMMANDS.iter().find(lists).copied()
}

/// As it must be typed: with quotes when it has blanks.
fn quoted(word: &str) -> String {
    match word.contains(' ') {
        true => format!("'{word}'"),
        false => word.to_owned(),
    }
}

/// The files and folders that begin with `word`.
fn files(word: &str) -> Vec<String> {
    let (folder, _) = word.rsplit_once('/').map_or(("", word), |(f, n)| (f, n));
    let place = match (folder, word.starts_with('/')) {
        ("", true) => "/",
        ("", false) => ".",
        (folder, _) => folder,
    };
    let prefix = match word.rfind('/') {
        Some(slash) => word.get(..=slash).unwrap_or_default(),
        None => "",
    };
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let path = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let slash = match entry.file_type().is_ok_and(|t| t.is_dir()) {
            true => "/",
            false => "",
        };
        let hidden = name.starts_with('.') && !word.ends_with('.');
        (!hidden && !name.contains(' ')).then(|| format!("{prefix}{name}{slash}"))
    };
    let mut paths: Vec<String> = entries.take(FILES_MAX).filter_map(path).collect();
    paths.sort();
    paths
}

fn matching(all: Vec<(String, String)>, prefix: &str) -> Vec<(String, String)> {
    let prefix = prefix.trim_start_matches('\'').to_lowercase();
    let fits = |name: &str| {
        name.trim_start_matches('\'')
            .to_lowercase()
            .starts_with(&prefix)
    };
    all.into_iter().filter(|(name, _)| fits(name)).collect()
}

/// The properties of the rows that come in, with what they mean.
fn properties(input: Option<&'static RecordSpec>) -> Vec<(String, String)> {
    let fields = input.map_or(&[][..], |record| record.fields).iter();
    let help = |lines: &[&str]| lines.first().map_or("", |line| line.trim()).to_owned();
    fields.map(|f| (f.name.to_owned(), help(f.help))).collect()
}

/// Whether a verb of the shell takes the names of properties there.
fn names_property(spec: &CommandSpec, parameter: &ParameterSpec) -> bool {
    let word = matches!(
        parameter.name,
        "Property" | "ExpandProperty" | "ExcludeProperty" | "FilterScript" | "Process"
    );
    word && cmdlet::is_verb_of_shell(spec)
}

impl Completer for Completion {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let before = line.get(..pos).unwrap_or(line);
        let (start, offers) = self.offers(before);
        let suggestion = |(value, help): (String, String)| Suggestion {
            // A folder or a server goes on.
            append_whitespace: !value.ends_with('/'),
            value,
            description: (!help.is_empty()).then_some(help),
            span: reedline::Span::new(start, pos),
            ..Suggestion::default()
        };
        let offers: Vec<_> = offers.into_iter().map(suggestion).collect();
        match self.settled {
            true => CompletionResult::fresh(offers),
            false => {
                CompletionResult::stale_or_pending(offers.into(), CompletionOrigin::new(line, pos))
            }
        }
    }

    fn poll_completion(&mut self) -> CompletionStatus {
        self.known.status()
    }
}
