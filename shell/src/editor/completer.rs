//! What Tab offers: commands, parameters, choices and names of objects.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hamq_core::api::spec::{CommandSpec, Completes, ParameterSpec};
use hamq_core::api::value::Value;
use reedline::{Completer, Suggestion};

use crate::cmdlet;
use crate::session::Invoke;

const LOOKUP_MAX: Duration = Duration::from_millis(300);
const FRESH: Duration = Duration::from_secs(3);

/// Completion from the command list and the live cluster.
pub struct Completion {
    invoke: Arc<dyn Invoke>,
    names: HashMap<&'static str, (Instant, Vec<String>)>,
}

impl Completion {
    /// Completion that asks `invoke` for names.
    #[must_use]
    pub fn new(invoke: Arc<dyn Invoke>) -> Self {
        Self {
            invoke,
            names: HashMap::new(),
        }
    }

    /// The words that may stand at the end of `before`, with what they mean, and where they begin.
    pub fn offers(&mut self, before: &str) -> (usize, Vec<(String, String)>) {
        let stage = before
            .rfind(['|', ';', '(', '{', '=', '\n'])
            .map_or(0, |i| i + 1);
        let text = before.get(stage..).unwrap_or_default();
        let start = before
            .rfind([' ', ',', '|', ';', '(', '{', '=', '\n', '\t'])
            .map_or(0, |i| i + 1);
        let word = before.get(start..).unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        let typed = words.len() - usize::from(!word.is_empty() && !words.is_empty());
        let Some(spec) = words
            .first()
            .filter(|_| typed > 0)
            .and_then(|word| cmdlet::find(word))
        else {
            let all = cmdlet::all().map(|s| (s.name.to_owned(), s.summary.trim().to_owned()));
            return (start, matching(all.collect(), word));
        };
        if let Some(prefix) = word.strip_prefix('-') {
            let all = spec.parameters.iter().chain(cmdlet::COMMON);
            let all = all.map(|p| {
                (
                    p.name.to_owned(),
                    p.help.first().map_or("", |h| h.trim()).to_owned(),
                )
            });
            let fits = matching(all.collect(), prefix);
            return (
                start,
                fits.into_iter()
                    .map(|(n, h)| (format!("-{n}"), h))
                    .collect(),
            );
        }
        let values = parameter_at(spec, words.get(1..typed).unwrap_or_default());
        let values = values.map(|p| self.values(p.completes)).unwrap_or_default();
        (
            start,
            matching(
                values.into_iter().map(|v| (v, String::new())).collect(),
                word,
            ),
        )
    }

    fn values(&mut self, completes: Completes) -> Vec<String> {
        let (command, field) = match completes {
            Completes::Choice(words) => return words.iter().map(|w| (*w).to_owned()).collect(),
            Completes::Node => ("Node", "Name"),
            Completes::Group => ("Group", "Name"),
            Completes::Resource => ("Resource", "Name"),
            Completes::Queue => ("Queue", "Name"),
            Completes::Cluster => ("Cluster", "Name"),
            _ => return Vec::new(),
        };
        if let Some((at, names)) = self.names.get(command)
            && at.elapsed() < FRESH
        {
            return names.clone();
        }
        let names = self.lookup(completes, field);
        self.names.insert(command, (Instant::now(), names.clone()));
        names
    }

    /// Asks the command that lists such objects: the one whose own first parameter completes to them.
    fn lookup(&self, completes: Completes, field: &'static str) -> Vec<String> {
        let lists = |spec: &&&CommandSpec| {
            spec.verb() == "Get"
                && spec.many
                && spec
                    .parameters
                    .iter()
                    .any(|p| p.position == Some(0) && p.completes == completes)
                && spec.output.fields.iter().any(|f| f.name == field)
                && spec.parameters.iter().all(|p| !p.required)
        };
        let Some(spec) = hamq_core::api::COMMANDS.iter().find(lists) else {
            return Vec::new();
        };
        let (sender, receiver) = mpsc::channel();
        let (invoke, name) = (Arc::clone(&self.invoke), spec.name);
        let asked = std::thread::Builder::new().spawn(move || {
            drop(sender.send(invoke.invoke(name, Value::Map(Vec::new()))));
        });
        if asked.is_err() {
            return Vec::new();
        }
        let records = receiver
            .recv_timeout(LOOKUP_MAX)
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default();
        let name = |record: &Value| {
            let entry = record
                .as_map()?
                .iter()
                .find(|(k, _)| k.as_text() == Some(field))?;
            entry.1.as_text().map(str::to_owned)
        };
        records.iter().filter_map(name).collect()
    }
}

fn matching(all: Vec<(String, String)>, prefix: &str) -> Vec<(String, String)> {
    let prefix = prefix.to_lowercase();
    all.into_iter()
        .filter(|(name, _)| name.to_lowercase().starts_with(&prefix))
        .collect()
}

/// The parameter that the next word belongs to.
fn parameter_at(spec: &'static CommandSpec, words: &[&str]) -> Option<&'static ParameterSpec> {
    if let Some(name) = words.last().and_then(|word| word.strip_prefix('-'))
        && let Some(parameter) = spec.parameter(name).or_else(|| cmdlet::common(name))
        && parameter.kind != hamq_core::api::spec::ValueKind::Switch
    {
        return Some(parameter);
    }
    let named = words.iter().filter(|word| word.starts_with('-')).count();
    let place = words.len().saturating_sub(2 * named);
    spec.parameters.iter().find(|p| p.position == Some(place))
}

impl Completer for Completion {
    fn complete(&mut self, line: &str, pos: usize) -> reedline::CompletionResult {
        let before = line.get(..pos).unwrap_or(line);
        let (start, offers) = self.offers(before);
        let suggestion = |(value, help): (String, String)| Suggestion {
            value,
            description: (!help.is_empty()).then_some(help),
            span: reedline::Span::new(start, pos),
            append_whitespace: true,
            ..Suggestion::default()
        };
        reedline::CompletionResult::fresh(offers.into_iter().map(suggestion).collect::<Vec<_>>())
    }
}
