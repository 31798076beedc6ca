//! A line on the terminal while a command takes longer than a second: it runs, and for how long.

use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::session::State;

/// A command that is done by then needs no line.
const QUIET: Duration = Duration::from_secs(1);

/// See the module; the line goes when this does.
pub(super) struct Patience(Option<(Sender<()>, JoinHandle<()>)>);

impl Patience {
    /// Watches over `name`; only where a person looks at a terminal and the command tells nothing itself.
    pub(super) fn start(state: &State, name: &'static str) -> Self {
        let tells = name.contains("Drill") || name == "Receive-MsmqQueue";
        let seen = state.interactive && state.captured.is_none() && std::io::stderr().is_terminal();
        if tells || !seen {
            return Self(None);
        }
        let (ends, end) = channel::<()>();
        let watch = move || {
            let began = Instant::now();
            let mut shown = false;
            while end.recv_timeout(QUIET) == Err(RecvTimeoutError::Timeout) {
                let seconds = began.elapsed().as_secs();
                let line = format!("\r\x1b[K{name}: {seconds} s (Ctrl-C ends it)");
                let mut err = std::io::stderr().lock();
                shown |= err
                    .write_all(line.as_bytes())
                    .and_then(|()| err.flush())
                    .is_ok();
            }
            if shown {
                let mut err = std::io::stderr().lock();
                drop(err.write_all(b"\r\x1b[K").and_then(|()| err.flush()));
            }
        };
        let thread = std::thread::Builder::new()
            .name("progress".into())
            .spawn(watch);
        Self(thread.ok().map(|thread| (ends, thread)))
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        if let Some((ends, thread)) = self.0.take() {
            drop(ends);
            drop(thread.join()); // the line is gone before anything is shown
        }
    }
}
