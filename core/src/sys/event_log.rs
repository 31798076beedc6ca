//! Where events go: one line each to standard error, in logfmt or as JSON.
//!
//! ```text
//!  HAMQ_LOG=debug       off, error, warn (unless told otherwise), info, debug, trace
//!  HAMQ_LOG=info,json   the same as JSON
//! ```
//!
//! A thread of its own writes: whoever reads standard error may be slow or frozen, and the queue manager must not wait for
//! it. What does not fit into the queue of lines is left out and counted. An error is written at once, as the process may end.
//!
//! An event of a level that is off costs one load of an atomic. Spans are not kept: every event says itself what it is about.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::clock::{Clock, SystemClock};

/// What is told unless the environment says otherwise.
const DEFAULT: LevelFilter = LevelFilter::WARN;

/// Lines that wait for their writer at most.
const LINES_MAX: usize = 1024;

/// How an event becomes a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Logfmt,
    Json,
}

/// Takes the events of this process, as HAMQ_LOG says. The first call counts.
pub fn install() {
    let setting = std::env::var("HAMQ_LOG").unwrap_or_default();
    let (level, form) = parse(&setting);
    if level != LevelFilter::OFF {
        let sink = EventLog {
            level,
            form,
            lines: writer(),
            left_out: AtomicU64::new(0),
        };
        // Whoever embeds the engine may have a subscriber of its own.
        drop(tracing::subscriber::set_global_default(sink));
    }
}

/// Words that are not known are passed over: a mistake in a variable must not stop a queue manager.
fn parse(setting: &str) -> (LevelFilter, Form) {
    let (mut level, mut form) = (DEFAULT, Form::Logfmt);
    for word in setting.split(',').map(str::trim) {
        match word.to_ascii_lowercase().as_str() {
            "json" => form = Form::Json,
            "logfmt" | "" => {}
            other => level = other.parse().unwrap_or(level),
        }
    }
    (level, form)
}

struct EventLog {
    level: LevelFilter,
    form: Form,
    /// None: there is no thread, every line is written at once.
    lines: Option<SyncSender<String>>,
    left_out: AtomicU64,
}

/// The thread that writes.
fn writer() -> Option<SyncSender<String>> {
    let (sender, receiver) = sync_channel::<String>(LINES_MAX);
    let write = move || receiver.iter().for_each(|line| write_line(&line));
    let thread = std::thread::Builder::new().name("hamq-events".to_owned());
    thread.spawn(write).ok().map(|_| sender)
}

fn write_line(line: &str) {
    // Nobody is left to tell when standard error is gone.
    drop(std::io::stderr().lock().write_all(line.as_bytes()));
}

impl EventLog {
    fn tell(&self, level: Level, line: String) {
        match &self.lines {
            Some(lines) if level != Level::ERROR => {
                if lines.try_send(line).is_err() {
                    self.left_out.fetch_add(1, Ordering::Relaxed);
                }
            }
            _ => write_line(&line),
        }
    }
}

impl Subscriber for EventLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level && metadata.target().starts_with("hamq")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        event.record(&mut fields);
        if left_out > 0 {
            fields.0.push(("left_out_before", Value::from(left_out)));
        }
        let level = *event.metadata().level();
        let time_ms = SystemClock.wall_ms();
        let mut line = line(self.form, time_ms, level.as_str(), fields.0);
        line.push('\n');
        self.tell(level, line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn line(form: Form, time_ms: u64, level: &str, fields: Vec<(&'static str, Value)>) -> String {
    let time = i64::try_from(time_ms).ok();
    let time = time.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let time = time.unwrap_or_default().to_string();
    let head = [("time", Value::from(time)), ("level", Value::from(level))];
    let all = head.into_iter().chain(fields);
    match form {
        Form::Json => {
            let object: Map<String, Value> = all.map(|(n, v)| (n.to_owned(), v)).collect();
            Value::Object(object).to_string()
        }
        Form::Logfmt => {
            let mut line = String::new();
            for (name, value) in all {
                let space = if line.is_empty() { "" } else { " " };
                let _ = write!(line, "{space}{name}={}", logfmt(&value));
            }
            line
        }
    }
}

/// A value as it stands, or quoted when it could be taken for something else.
fn logfmt(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"=\\".contains(c);
            match !text.is_empty() && text.chars().all(plain) {
                true => text.clone(),
                false => Value::from(text.as_str()).to_string(),
            }
        }
        other => other.to_string(),
    }
}

/// A line in logfmt that another process of ours has told, as the cluster log has it: `ERR`, `WARN`, `INFO` or `DBG`, and the
/// event with its fields behind it. None for any other line.
#[must_use]
pub fn told(line: &str) -> Option<(&'static str, String)> {
    let (_, rest) = line.strip_prefix("time=")?.split_once(' ')?;
    let (level, rest) = rest.strip_prefix("level=")?.split_once(' ')?;
    let level = match level {
        "ERROR" => "ERR",
        "WARN" => "WARN",
        "INFO" => "INFO",
        "DEBUG" | "TRACE" => "DBG",
        _ => return None,
    };
    let rest = rest.strip_prefix("event=")?;
    let (event, fields) = match rest.starts_with('"') {
        false => rest.split_once(' ').unwrap_or((rest, "")),
        true => {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let event = values.next()?.ok()?;
            let fields = rest.get(values.byte_offset()..)?.trim_start();
            return Some((level, joined(&event, fields)));
        }
    };
    Some((level, joined(event, fields)))
}

fn joined(event: &str, fields: &str) -> String {
    match fields.is_empty() {
        true => event.to_owned(),
        false => format!("{event} ({fields})"),
    }
}

#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        let name = match field.name() {
            "message" => "event",
            other => other,
        };
        self.0.push((name, value));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::from(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::from(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_what_is_told_and_how() {
        assert_eq!(parse(""), (LevelFilter::WARN, Form::Logfmt));
        assert_eq!(parse("debug"), (LevelFilter::DEBUG, Form::Logfmt));
        assert_eq!(parse("Info, json"), (LevelFilter::INFO, Form::Json));
        assert_eq!(parse("off").0, LevelFilter::OFF);
        assert_eq!(parse("loud,json"), (LevelFilter::WARN, Form::Json));
    }

    #[test]
    fn a_line_is_one_line_whatever_a_name_contains() {
        let fields = || {
            vec![
                ("event", Value::from("quota refused")),
                ("queue", Value::from("a\nb=\"c\"")),
                ("bytes", Value::from(7)),
            ]
        };
        assert_eq!(
            line(Form::Logfmt, 0, "WARN", fields()),
            "time=1970-01-01T00:00:00Z level=WARN event=\"quota refused\" \
             queue=\"a\\nb=\\\"c\\\"\" bytes=7"
        );
        let json = line(Form::Json, 1500, "INFO", fields());
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["queue"], "a\nb=\"c\"");
        assert_eq!(
            (value["bytes"].as_u64(), json.lines().count()),
            (Some(7), 1)
        );
    }

    #[test]
    fn what_one_process_tells_another_understands() {
        let of = |fields| line(Form::Logfmt, 0, "WARN", fields);
        let plain = of(vec![("event", Value::from("poisoned"))]);
        assert_eq!(told(&plain), Some(("WARN", "poisoned".to_owned())));
        let full = of(vec![
            ("event", Value::from("a \"b\" c")),
            ("queue", Value::from("orders")),
        ]);
        let text = "a \"b\" c (queue=orders)".to_owned();
        assert_eq!(told(&full), Some(("WARN", text)));
        for other in ["panicked at x", "time=1", "time=1 level=LOUD event=x", ""] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}
