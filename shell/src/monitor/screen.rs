//! The terminal: taken over for as long as the monitor runs, and given back as it was, however it ends.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyEventKind, poll, read};
use hamq_core::{Error, ErrorKind, Result};

use super::draw::{Ink, draw};
use super::fetch;
use super::guard::Guard;
use super::keys::Effect;
use super::view::{Monitor, News};
use crate::script::Session;
use crate::session::{Invoke, State};

/// How long a key is waited for before the screen is drawn anew.
const TICK: Duration = Duration::from_millis(100);
/// The command's thread needs room for deep recursion, as the script's own has.
const STACK_BYTES: usize = 64 << 20;

/// Shows the monitor until it is left.
///
/// # Errors
/// When there is no terminal, or it cannot be read.
pub(crate) fn show(state: &State, allow_changes: bool) -> Result<()> {
    if state.captured.is_some()
        || !std::io::stdout().is_terminal()
        || !std::io::stdin().is_terminal()
    {
        return Err(Error::new(
            ErrorKind::InvalidRequest,
            "the monitor needs a terminal of its own",
        )
        .hint("Get-ClusterGroup, Get-ClusterResource and Get-MsmqQueue show the same as rows"));
    }
    let (news, learned) = channel();
    let fetch = fetch::start(Arc::clone(&state.invoke), news.clone())?;
    let given_back = GiveBack;
    // Also restores the terminal before a panic's words come out.
    let terminal = ratatui::try_init().map_err(|e| Error::system("take over the terminal", &e))?;
    let screen = Screen {
        state,
        news,
        learned,
        command: None,
        ink: Ink {
            colour: std::env::var_os("NO_COLOR").is_none(),
        },
    };
    let ended = screen.run(terminal, Monitor::new(allow_changes));
    drop(given_back);
    drop(fetch);
    ended
}

/// Gives the terminal back when the monitor is left by an error, a return or a panic.
struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

struct Screen<'a> {
    state: &'a State,
    news: Sender<News>,
    learned: Receiver<News>,
    command: Option<Running>,
    ink: Ink,
}

/// A command line that runs.
struct Running {
    answers: Sender<bool>,
    interrupt: Arc<AtomicU8>,
}

impl Screen<'_> {
    fn run(mut self, mut terminal: ratatui::DefaultTerminal, mut monitor: Monitor) -> Result<()> {
        let failed = |e: std::io::Error| Error::system("use the terminal", &e);
        let began = Instant::now();
        let now = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        loop {
            while let Ok(news) = self.learned.try_recv() {
                monitor.learn(news, now());
            }
            terminal
                .draw(|frame| draw(frame, &monitor, now(), self.ink))
                .map_err(failed)?;
            // A request to terminate is kept by the session, which ends after this.
            if self.state.interrupt.load(Ordering::Relaxed) != 0 {
                return Ok(());
            }
            if !poll(TICK).map_err(failed)? {
                continue;
            }
            let Event::Key(key) = read().map_err(failed)? else {
                continue; // a new size is drawn at once
            };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            match monitor.press(key) {
                None => {}
                Some(Effect::Quit) => return Ok(()),
                Some(Effect::Run(line)) => self.start(&line, monitor.allow_changes)?,
                Some(Effect::Cancel) => self.cancel(),
                Some(Effect::Answer(yes)) => {
                    if let Some(command) = &self.command {
                        let _ = command.answers.send(yes);
                    }
                }
            }
        }
    }

    /// Runs a command line in a session of its own, beside the screen.
    fn start(&mut self, line: &str, allow_changes: bool) -> Result<()> {
        let (answers, answered) = channel();
        let inner = Arc::clone(&self.state.invoke);
        let guard: Arc<dyn Invoke> = Arc::new(match allow_changes {
            true => Guard::asking(inner, self.news.clone(), answered),
            false => Guard::read_only(inner),
        });
        let interrupt = Arc::<AtomicU8>::default();
        let (line, news, stop) = (line.to_owned(), self.news.clone(), Arc::clone(&interrupt));
        let home = self.state.home.clone(); // its changes are audited as any others
        let run = move || drop(news.send(News::Output(run_line(&line, guard, stop, home))));
        std::thread::Builder::new()
            .name("monitor-command".into())
            .stack_size(STACK_BYTES)
            .spawn(run)
            .map_err(|e| Error::system("start a thread", &e))?;
        self.command = Some(Running { answers, interrupt });
        Ok(())
    }

    fn cancel(&self) {
        if let Some(command) = &self.command {
            command.interrupt.store(130, Ordering::Relaxed);
            let _ = command.answers.send(false);
            self.state.invoke.cancel();
        }
    }
}

/// What a command line shows, its errors included.
fn run_line(
    line: &str,
    invoke: Arc<dyn Invoke>,
    interrupt: Arc<AtomicU8>,
    home: Option<PathBuf>,
) -> String {
    let mut state = State::new(invoke, false);
    state.home = home;
    state.interrupt = interrupt;
    state.captured = Some(std::cell::RefCell::default());
    state.colour = false;
    let state = Rc::new(state);
    let mut session = Session::new(Rc::clone(&state), rhai::Map::new().into());
    let _ = session.run("monitor", line); // the error was shown
    let shown = state
        .captured
        .as_ref()
        .map(|text| text.borrow().clone())
        .unwrap_or_default();
    match shown.trim().is_empty() {
        true => "done, without a word".to_owned(),
        false => shown,
    }
}
