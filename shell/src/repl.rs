//! The prompt: read a text, run it, show what it comes to.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime};

use reedline::{Reedline, Signal};
use rhai::Map;

use crate::cmdlet::help;
use crate::editor::{self, Line, Preferences, Status, Watch};
use crate::script::Session;
use crate::script::value::text;
use crate::session::State;

/// Reads and runs until the end of input; the exit code.
pub(crate) fn run(session: &mut Session, home: &Path) -> u8 {
    let mut preferences = preferences(&session.state);
    let invoke = Arc::clone(&session.state.invoke);
    let (mut line_editor, news) = editor::open(home, Arc::clone(&invoke), &preferences);
    let status = Status::default();
    let signal = line_editor.repaint_signal();
    let repaint = move || signal.request_repaint();
    let tells = option(&session.state, "Events") != Some("false".into());
    let _watch = tells.then(|| Watch::start(invoke, status.clone(), news, repaint));
    let prompt = Line::new(status);
    loop {
        prompt.status.change(|told| {
            told.cluster = session.state.invoke.cluster();
            told.read_only = session.state.is_read_only();
        });
        session.state.interrupt.store(0, Ordering::Relaxed);
        match line_editor.read_line(&prompt) {
            Ok(Signal::Success(text)) if text.trim().is_empty() => {}
            Ok(Signal::Success(text)) => {
                if let Some(code) = one(session, &mut line_editor, &text) {
                    return code;
                }
                let now = self::preferences(&session.state);
                if now != preferences {
                    line_editor = editor::prefer(line_editor, &now);
                    preferences = now;
                }
            }
            Ok(Signal::HostCommand(key)) if key == editor::HELP_KEY => {
                explain(session, &line_editor);
            }
            Ok(Signal::CtrlD) => return 0,
            Ok(_) => {}
            Err(e) => {
                session
                    .state
                    .line(&format!("error: the terminal cannot be read: {e}"));
                return 1;
            }
        }
    }
}

/// Runs one text; the code, when the shell is to end.
fn one(session: &mut Session, line_editor: &mut Reedline, text: &str) -> Option<u8> {
    if matches!(text.trim(), "exit" | "quit") {
        return Some(0);
    }
    let (began, clock) = (SystemTime::now(), Instant::now());
    session.state.transcript.begin(text);
    // An error was shown; only `exit N` ends the session.
    let code = session.run("input", text).err().unwrap_or(0);
    let took = clock.elapsed();
    session.state.transcript.end(code, took);
    if line_editor.has_last_command_context() {
        // A history that cannot be written is no reason to end.
        drop(line_editor.update_last_command_context(&|mut item| {
            item.start_timestamp = Some(began.into());
            item.duration = Some(took);
            item.exit_status = Some(code.into());
            item
        }));
    }
    match session.state.interrupt.load(Ordering::Relaxed) {
        143 => Some(143),
        _ if session.ended => Some(session.code),
        _ => None,
    }
}

/// F1: the page of the command at the cursor, above the line that stays as it is.
fn explain(session: &Session, line_editor: &Reedline) {
    let buffer = line_editor.current_buffer_contents();
    let at = line_editor.current_insertion_point();
    let before = buffer.get(..at).unwrap_or(buffer);
    let name = editor::command_at(before).or_else(|| editor::command_at(buffer));
    let page = help::page(name.or(Some("about_keys")), false, false);
    if let Ok(page) = page {
        session.state.line("");
        session.state.line(&page);
    }
}

/// `$global:NAME` as text.
fn option(state: &State, name: &str) -> Option<String> {
    state.globals.borrow().get(name).map(text)
}

/// `$global:EditMode` and `$global:Abbreviations`: a profile sets them.
fn preferences(state: &State) -> Preferences {
    let globals = state.globals.borrow();
    let map = globals.get("Abbreviations").cloned();
    let map = map
        .and_then(|map| map.try_cast::<Map>())
        .unwrap_or_default();
    let abbreviations: HashMap<_, _> = map.iter().map(|(k, v)| (k.to_string(), text(v))).collect();
    let mode = globals.get("EditMode").map(text).unwrap_or_default();
    Preferences {
        vi: mode.eq_ignore_ascii_case("vi"),
        abbreviations,
    }
}
