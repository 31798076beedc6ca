//! A child process of a resource: its control lines, its log lines, its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::sync::mpsc;

use super::Context;
use crate::error::Result;
use crate::sys::event_log::told;
use crate::sys::process::{self, Child, Exit, ProcessIdentity, Spawn};

/// Control lines that wait for the child; more are dropped, as only the newest lease counts.
const LINES_MAX: usize = 16;
/// How long a killed child may take to vanish.
const KILL_MAX: Duration = Duration::from_secs(5);

/// A running child; dropping it kills it.
#[derive(Debug)]
pub(super) struct Supervised {
    child: Child,
    control: Option<mpsc::Sender<String>>,
    last_error: Arc<Mutex<String>>,
}

impl Supervised {
    /// Starts it; also returns its status lines. Its standard error goes to the cluster log.
    pub(super) async fn start(
        context: &Context,
        spawn: Spawn,
    ) -> Result<(Self, mpsc::Receiver<String>)> {
        Ok(Self::of(context, process::spawn(spawn).await?))
    }

    /// The child of this resource and epoch that the agent's program before this one has left, if there is one: with its
    /// status lines, and the one that was kept of it.
    pub(super) fn adopt(context: &Context) -> Option<(Self, mpsc::Receiver<String>, String)> {
        let (child, remembered) = process::adopt(&name(context))?;
        let (supervised, status) = Self::of(context, child);
        Some((supervised, status, remembered))
    }

    fn of(context: &Context, mut child: Child) -> (Self, mpsc::Receiver<String>) {
        let status = child.take_status();
        let last_error = Arc::new(Mutex::new(String::new()));
        tokio::spawn(log_errors(
            child.take_errors(),
            context.clone(),
            Arc::clone(&last_error),
        ));
        let (control, lines) = mpsc::channel(LINES_MAX);
        if let Some(pipe) = child.take_control() {
            tokio::spawn(write_control(pipe, lines));
        }
        let supervised = Self {
            child,
            control: Some(control),
            last_error,
        };
        (supervised, status)
    }

    /// Where the line is kept that whoever adopts it wants to know.
    pub(super) fn memory(&self) -> process::Memory {
        self.child.memory()
    }

    pub(super) const fn identity(&self) -> &ProcessIdentity {
        self.child.identity()
    }

    /// Sends a control line, if the child keeps up.
    pub(super) fn tell(&self, line: String) {
        if let Some(control) = &self.control {
            // A child that does not read hangs; that shows elsewhere.
            let _ = control.try_send(line);
        }
    }

    pub(super) fn exited(&self) -> impl Future<Output = Exit> + Send + 'static {
        self.child.exited()
    }

    /// The last line of its standard error, for messages; shared with the task that reads it.
    pub(super) fn last_error(&self) -> Arc<Mutex<String>> {
        Arc::clone(&self.last_error)
    }

    /// Tells it `stop` and waits; false if it was still there after `bound`.
    pub(super) async fn stop(&self, bound: Duration) -> bool {
        self.tell("stop".to_owned());
        tokio::time::timeout(bound, self.child.exited())
            .await
            .is_ok()
    }

    /// Closes its control pipe and waits; false if it was still there after `bound`.
    pub(super) async fn hang_up(&mut self, bound: Duration) -> bool {
        self.control = None;
        self.child.release();
        self.child.resume();
        tokio::time::timeout(bound, self.child.exited())
            .await
            .is_ok()
    }

    /// Kills it and waits; false if it hangs in the kernel.
    pub(super) async fn kill(&self) -> bool {
        self.child.kill();
        tokio::time::timeout(KILL_MAX, self.child.exited())
            .await
            .is_ok()
    }
}

/// What a child is adopted by: one of an earlier ownership is not.
pub(super) fn name(context: &Context) -> String {
    format!("{}#{}", context.resource, context.epoch)
}

/// How a child ended, with its last words.
pub(super) fn describe(exit: &Exit, last_error: &Mutex<String>) -> String {
    let words = last_error.lock().unwrap_or_else(PoisonError::into_inner);
    if words.is_empty() {
        exit.to_string()
    } else {
        format!("{exit}: {words}")
    }
}

async fn write_control(mut pipe: ChildStdin, mut lines: mpsc::Receiver<String>) {
    while let Some(line) = lines.recv().await {
        if pipe
            .write_all(format!("{line}\n").as_bytes())
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn log_errors(
    mut lines: mpsc::Receiver<String>,
    context: Context,
    last_error: Arc<Mutex<String>>,
) {
    while let Some(line) = lines.recv().await {
        if !line.trim().is_empty() {
            // A queue manager tells events; whatever else writes there is passed on as it is.
            let (level, line) = told(&line).unwrap_or(("INFO", line));
            context.note(level, &line);
            *last_error.lock().unwrap_or_else(PoisonError::into_inner) = line;
        }
    }
}
