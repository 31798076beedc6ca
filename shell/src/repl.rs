//! The prompt: read a text, run it, show what it comes to.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use reedline::Signal;

use crate::editor;
use crate::script::Session;

/// Reads and runs until the end of input; the exit code.
pub(crate) fn run(session: &mut Session, home: &Path) -> u8 {
    let mut line_editor = editor::open(home, Arc::clone(&session.state.invoke));
    loop {
        let prompt = editor::prompt(session.state.invoke.cluster());
        session.state.interrupt.store(0, Ordering::Relaxed);
        match line_editor.read_line(&prompt) {
            Ok(Signal::Success(text)) if text.trim().is_empty() => {}
            Ok(Signal::Success(text)) => {
                if matches!(text.trim(), "exit" | "quit") {
                    return 0;
                }
                // An error was shown; only `exit N` ends the session.
                let _ = session.run("input", &text);
                match session.state.interrupt.load(Ordering::Relaxed) {
                    143 => return 143,
                    _ if session.ended => return session.code,
                    _ => {}
                }
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
