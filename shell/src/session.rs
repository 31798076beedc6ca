//! What a session of the shell holds: the way to the cluster, units read so far, and where output goes.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use hamq_core::api::client::Client;
use hamq_core::api::value::Value;
use hamq_core::api::what_if::StepInfo;
use hamq_core::{Error, ErrorKind, Result};
use rhai::{AST, Dynamic, EvalAltResult, Map};

use crate::cmdlet::test::TestLog;
use crate::context::Context;
use crate::pipeline::Failure;
use crate::render;
use crate::script::fault::{Exit, Fault, of_script};
use crate::script::value::{Rows, rows_of, text, to_json};
use crate::syntax::{Declared, Pipeline, SourceMap, Span, source};
use crate::transcript::Transcript;

/// So many errors are kept for `$Error`.
const ERRORS_MAX: usize = 256;
/// So many texts are kept for commands that run texts.
const TEXTS_MAX: usize = 10_000;

/// A unit and its tree.
pub(crate) type Compiled = (usize, Rc<AST>);

/// The way commands are run: a client, or a double in tests.
pub trait Invoke: Send + Sync {
    /// Runs a command by name.
    ///
    /// # Errors
    /// Those of the command.
    fn invoke(&self, name: &str, arguments: Value) -> Result<Vec<Value>>;
    /// The same with a reason, which the cluster's log keeps.
    ///
    /// # Errors
    /// Those of the command.
    fn invoke_because(
        &self,
        name: &str,
        arguments: Value,
        _reason: Option<&str>,
    ) -> Result<Vec<Value>> {
        self.invoke(name, arguments)
    }
    /// What a command would do, step by step; `None` where that is told in one line.
    ///
    /// # Errors
    /// Those of the command, as if it were meant.
    fn what_if(&self, name: &str, arguments: Value) -> Result<Option<Vec<StepInfo>>>;
    /// Ends what is waiting.
    fn cancel(&self);
    /// The chosen cluster.
    fn cluster(&self) -> Option<String>;
    /// Chooses a cluster.
    ///
    /// # Errors
    /// When there is none.
    fn connect(&self, target: &str) -> Result<()>;
    /// Who the chosen cluster is shown that this is, when it wants to know.
    fn certificate(&self) -> Option<String> {
        None
    }
}

impl Invoke for Client {
    fn invoke(&self, name: &str, arguments: Value) -> Result<Vec<Value>> {
        Self::invoke(self, name, arguments)
    }
    fn invoke_because(
        &self,
        name: &str,
        arguments: Value,
        reason: Option<&str>,
    ) -> Result<Vec<Value>> {
        Self::invoke_because(self, name, arguments, reason)
    }
    fn what_if(&self, name: &str, arguments: Value) -> Result<Option<Vec<StepInfo>>> {
        Self::what_if(self, name, arguments)
    }
    fn cancel(&self) {
        Self::cancel(self);
    }
    fn cluster(&self) -> Option<String> {
        Self::cluster(self)
    }
    fn connect(&self, target: &str) -> Result<()> {
        Self::connect(self, target)
    }
    fn certificate(&self) -> Option<String> {
        Self::certificate(self)
    }
}

/// A unit that was read: its text, what it became, and the way back.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file, or `input`.
    pub name: String,
    /// As it was written.
    pub text: String,
    /// As rhai got it.
    pub generated: String,
    /// The way back.
    pub map: SourceMap,
    /// The parameters it declares.
    pub parameters: Rc<[Declared]>,
}

/// The state that commands and script share.
pub struct State {
    /// The way to the cluster.
    pub invoke: Arc<dyn Invoke>,
    /// 0, or the exit code that an interrupt asks for.
    pub interrupt: Arc<AtomicU8>,
    /// At a prompt.
    pub interactive: bool,
    /// Rows are shown as JSON lines.
    pub json: bool,
    /// Errors are coloured.
    pub colour: bool,
    /// Something failed and was passed over.
    pub partial: Cell<bool>,
    /// The unit that runs.
    pub unit: Cell<usize>,
    /// All units.
    pub units: RefCell<Vec<Source>>,
    /// All pipelines, each with its unit.
    pub pipelines: RefCell<Vec<(usize, Pipeline)>>,
    /// `$global:x`.
    pub globals: RefCell<Map>,
    /// `$Error`: what failed, the last first.
    pub errors: RefCell<VecDeque<Fault>>,
    /// `$?`: the last pipeline did not fail.
    pub succeeded: Cell<bool>,
    /// `$LASTEXITCODE`: how the last program ended.
    pub exit_code: Cell<i64>,
    /// What was given for the parameters of units.
    pub bound: RefCell<HashMap<usize, Map>>,
    /// Texts that were run by a command: read once, however often they run.
    texts: RefCell<HashMap<(String, String), Compiled>>,
    /// How deep texts run texts.
    pub depth: Cell<usize>,
    /// What `Describe` and `It` have found.
    pub tests: RefCell<TestLog>,
    /// What tests read instead of the output stream.
    pub captured: Option<RefCell<String>>,
    /// Where history and audit lie; none in a session that keeps nothing.
    pub home: Option<PathBuf>,
    /// Where contexts and the profile lie.
    pub config: Option<PathBuf>,
    /// `--read-only`: nothing in the session can lift it.
    pub read_only: bool,
    /// The chosen context, with its name.
    pub context: RefCell<Option<(String, Context)>>,
    /// What is written down of the session.
    pub transcript: Transcript,
}

impl State {
    /// A fresh state.
    #[must_use]
    pub fn new(invoke: Arc<dyn Invoke>, interactive: bool) -> Self {
        Self {
            invoke,
            interrupt: Arc::default(),
            interactive,
            json: false,
            colour: std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            partial: Cell::new(false),
            unit: Cell::new(0),
            units: RefCell::default(),
            pipelines: RefCell::default(),
            globals: RefCell::default(),
            errors: RefCell::default(),
            succeeded: Cell::new(true),
            exit_code: Cell::new(0),
            bound: RefCell::default(),
            texts: RefCell::default(),
            depth: Cell::new(0),
            tests: RefCell::default(),
            captured: None,
            home: None,
            config: None,
            read_only: false,
            context: RefCell::default(),
            transcript: Transcript::default(),
        }
    }

    /// The parameters that a unit declares.
    #[must_use]
    pub fn declared(&self, unit: usize) -> Rc<[Declared]> {
        let units = self.units.borrow();
        units
            .get(unit)
            .map(|unit| Rc::clone(&unit.parameters))
            .unwrap_or_default()
    }

    /// A text that was read before, or is read now.
    pub(crate) fn compiled(
        &self,
        name: &str,
        source: &str,
        read: impl FnOnce() -> std::result::Result<Compiled, Fault>,
    ) -> std::result::Result<Compiled, Fault> {
        let key = (name.to_owned(), source.to_owned());
        if let Some(found) = self.texts.borrow().get(&key) {
            return Ok(found.clone());
        }
        if self.texts.borrow().len() >= TEXTS_MAX {
            let what = format!("more than {TEXTS_MAX} different texts were run in this session");
            let hint = "give what differs as $global:x or as a parameter of a runbook";
            let error = Error::new(ErrorKind::InsufficientResources, what).hint(hint);
            return Err(Fault::new(error));
        }
        let compiled = read()?;
        self.texts.borrow_mut().insert(key, compiled.clone());
        Ok(compiled)
    }

    /// Whether nothing may be changed: by `--read-only`, by the context, or by `$global:ReadOnly`.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        let context = self.context.borrow();
        let globals = self.globals.borrow();
        let preferred = globals.get("ReadOnly").and_then(|v| v.as_bool().ok());
        self.read_only
            || context.as_ref().is_some_and(|(_, c)| c.read_only)
            || preferred == Some(true)
    }

    /// Stops when an interrupt asked for it.
    ///
    /// # Errors
    /// The end of the script.
    pub fn check_interrupt(&self) -> std::result::Result<(), Failure> {
        match self.interrupt.load(Ordering::Relaxed) {
            0 => Ok(()),
            code => Err(Exit(code).raise()),
        }
    }

    /// Keeps an error for `$Error`.
    pub fn remember(&self, fault: Fault) {
        self.succeeded.set(false);
        let mut errors = self.errors.borrow_mut();
        errors.truncate(ERRORS_MAX - 1);
        errors.push_front(fault);
    }

    /// How wide tables may be.
    #[must_use]
    pub fn width(&self) -> usize {
        if self.captured.is_some() || !std::io::stdout().is_terminal() {
            return usize::MAX;
        }
        crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns).max(20))
    }

    fn error_width(&self) -> usize {
        if self.captured.is_some() || !std::io::stderr().is_terminal() {
            return usize::MAX;
        }
        crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns).max(20))
    }

    /// Writes text to the output.
    pub fn write(&self, text: &str) {
        self.transcript.shown(text);
        if let Some(captured) = &self.captured {
            captured.borrow_mut().push_str(text);
            return;
        }
        let mut out = std::io::stdout().lock();
        if out
            .write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            // Nobody reads any more (a closed pipe): end quietly at the next command.
            self.interrupt.store(141, Ordering::Relaxed);
        }
    }

    /// Writes a line to the output.
    pub fn line(&self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    /// Shows a value: rows as a table, nothing for `()`.
    pub fn show(&self, value: &Dynamic) {
        let rows = if value.is::<Rows>() || value.is_array() {
            rows_of(value)
        } else {
            vec![value.clone()]
        };
        let rows: Vec<Dynamic> = rows.into_iter().filter(|row| !row.is_unit()).collect();
        if rows.is_empty() {
            return;
        }
        if self.json {
            rows.iter()
                .for_each(|row| self.line(&to_json(row).to_string()));
            return;
        }
        self.write(&render::rows(&rows, self.width()));
    }

    /// Shows an error.
    pub fn report(&self, fault: &Fault) {
        let units = self.units.borrow();
        let place = fault.place.and_then(|(unit, span)| {
            units
                .get(unit)
                .map(|unit| (unit.name.as_str(), unit.text.as_str(), span))
        });
        let error = &fault.error;
        let text = render::error(
            error,
            place,
            render::Paper {
                colour: self.colour,
                width: self.error_width(),
            },
        );
        self.transcript.shown(&crate::render::plain(&text));
        match &self.captured {
            Some(captured) => captured.borrow_mut().push_str(&text),
            None => drop(std::io::stderr().write_all(text.as_bytes())),
        }
    }

    /// One line on the error stream.
    pub fn tell(&self, line: &str) {
        self.transcript.shown(&format!("{line}\n"));
        match &self.captured {
            Some(captured) => captured.borrow_mut().push_str(&format!("{line}\n")),
            None => drop(writeln!(std::io::stderr(), "{line}")),
        }
    }

    /// One line about how far something is.
    pub fn progress(&self, line: &str, done: bool) {
        if self.captured.is_some() {
            return; // the screen belongs to somebody else
        }
        let mut err = std::io::stderr().lock();
        let terminal = err.is_terminal();
        let result = match (terminal, done) {
            (true, true) => write!(err, "\r\x1b[K"),
            (true, false) => write!(err, "\r\x1b[K{line}"),
            (false, true) => Ok(()),
            (false, false) => writeln!(err, "{line}"),
        };
        drop(result.and_then(|()| err.flush()));
    }

    /// The same, but only where it can be written over.
    pub fn progress_on_terminal(&self, line: &str) {
        if std::io::stderr().is_terminal() && self.captured.is_none() {
            let line: String = line
                .chars()
                .take(self.error_width().saturating_sub(1))
                .collect();
            self.progress(&line, false);
        }
    }

    /// Asks a person.
    #[must_use]
    pub fn confirm(&self, question: &str) -> bool {
        self.write(&format!("{question} [y/N] "));
        let mut answer = String::new();
        drop(std::io::stdin().lock().read_line(&mut answer));
        matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }

    /// Line and column of a byte of a unit.
    #[must_use]
    pub fn line_column(&self, unit: usize, offset: usize) -> (usize, usize) {
        let units = self.units.borrow();
        units
            .get(unit)
            .map_or((0, 0), |unit| source::line_column(&unit.text, offset))
    }

    /// The place in a unit of a position in its generated text.
    #[must_use]
    pub fn place(&self, unit: usize, line: usize, column: usize) -> Option<(usize, Span)> {
        let units = self.units.borrow();
        let source = units.get(unit)?;
        let out = source::offset(&source.generated, line, column);
        let start = source.map.source(out);
        Some((unit, Span::new(start, start + 1)))
    }

    /// The error of rhai with its place in the source.
    #[must_use]
    pub fn fault(&self, error: EvalAltResult) -> Fault {
        self.fault_in(error, self.unit.get())
    }

    fn fault_in(&self, mut error: EvalAltResult, unit: usize) -> Fault {
        let position = error.position();
        let mut fault = match error {
            EvalAltResult::ErrorInFunctionCall(_, source, inner, _) => {
                return self.fault_in(*inner, source.parse().unwrap_or(unit));
            }
            EvalAltResult::ErrorInModule(_, inner, _) => return self.fault_in(*inner, unit),
            EvalAltResult::ErrorRuntime(value, _) => match value.clone().try_cast::<Fault>() {
                Some(fault) => fault,
                None => Fault::new(Error::new(ErrorKind::InvalidState, text(&value))),
            },
            EvalAltResult::ErrorTerminated(..) => {
                Fault::new(Error::new(ErrorKind::OperationCancelled, "interrupted"))
            }
            _ => {
                let _ = error.take_position();
                Fault::new(of_script(&error))
            }
        };
        if fault.place.is_none()
            && let (Some(line), Some(column)) = (position.line(), position.position())
        {
            fault.place = self.place(unit, line, column);
        }
        if let Some((unit, span)) = fault.place {
            fault.line_column = self.line_column(unit, span.start);
        }
        fault
    }

    /// What `catch` got, as a fault.
    #[must_use]
    pub fn caught(&self, value: &Dynamic) -> Fault {
        if let Some(fault) = value.clone().try_cast::<Fault>() {
            return fault;
        }
        let Some(map) = value.clone().try_cast::<Map>() else {
            return Fault::new(Error::new(ErrorKind::InvalidState, text(value)));
        };
        let field = |name: &str| map.get(name).map(text).unwrap_or_default();
        let number = |name: &str| {
            map.get(name)
                .and_then(|v| v.as_int().ok())
                .and_then(|n| usize::try_from(n).ok())
        };
        let message = field("message");
        let message = message
            .rsplit_once(" (line ")
            .map_or(message.as_str(), |(before, _)| before);
        let mut fault = Fault::new(Error::new(ErrorKind::InvalidState, message));
        let unit = field("source").parse().unwrap_or_else(|_| self.unit.get());
        if let (Some(line), Some(column)) = (number("line"), number("position")) {
            fault.place = self.place(unit, line, column);
        }
        if let Some((unit, span)) = fault.place {
            fault.line_column = self.line_column(unit, span.start);
        }
        fault
    }
}
