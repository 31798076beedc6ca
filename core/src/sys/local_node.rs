//! A node agent as a process of this machine.
//!
//! It is in a process group of its own, so that a terminal's Ctrl-C does not reach it, and its lifeline is
//! the pipe to its standard input: when the process that started it ends, however it ends, the kernel
//! closes the pipe and the agent stops at once. One that shall outlive its starter has no lifeline.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{ChildStdin, Command};
use tokio::sync::watch;

use super::process::{Exit, ProcessIdentity};
use crate::error::{Error, ErrorKind, Result};

/// How long an ending by SIGKILL may take.
const KILL_TIMEOUT: Duration = Duration::from_secs(2);

/// A node agent that this process started.
#[derive(Debug)]
pub struct LocalNode {
    identity: ProcessIdentity,
    lifeline: Option<ChildStdin>,
    exit: watch::Receiver<Option<Exit>>,
}

impl LocalNode {
    /// Starts `command`, its output in the file `log`. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(command: &[OsString], log: &Path, supervised: bool) -> Result<Self> {
        let Some((program, arguments)) = command.split_first() else {
            let text = "no program is given to start a node with";
            return Err(Error::new(ErrorKind::Internal, text));
        };
        let output = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log);
        let output =
            output.map_err(|e| Error::system(format_args!("open {}", log.display()), &e))?;
        let errors = output.try_clone();
        let errors = errors.map_err(|e| Error::system("open a node's log twice", &e))?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(if supervised {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|e| Error::system(format_args!("start {}", program.display()), &e))?;
        let lifeline = child.stdin.take();
        let pid = child.id().unwrap_or(0);
        let (ended, exit) = watch::channel(None);
        tokio::spawn(async move {
            let status = child.wait().await;
            ended.send_replace(status.ok().map(Exit::from).or(Some(Exit {
                code: None,
                signal: None,
            })));
        });
        Ok(Self {
            identity: ProcessIdentity::of(pid).unwrap_or_else(|_| ended_already(pid)),
            lifeline,
            exit,
        })
    }

    /// Which process it is.
    #[must_use]
    pub const fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn ended(&self) -> Option<Exit> {
        self.exit.borrow().clone()
    }

    /// Waits until it has ended; false when it still runs after `timeout`.
    pub async fn wait(&mut self, timeout: Duration) -> bool {
        let ended = self.exit.wait_for(Option::is_some);
        tokio::time::timeout(timeout, ended).await.is_ok()
    }

    /// Whether it hangs on a lifeline of this process.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.lifeline.is_some()
    }

    /// Lets go of its lifeline: it stops at once.
    pub fn let_go(&mut self) {
        self.lifeline = None;
    }

    /// Ends it.
    pub fn kill(&mut self) {
        self.let_go();
        let _ = self.identity.kill_and_wait(KILL_TIMEOUT);
    }
}

/// A process that ended before it could be looked at: of no boot, so it counts as gone whoever has its
/// number now.
fn ended_already(pid: u32) -> ProcessIdentity {
    ProcessIdentity {
        pid,
        start_time: 0,
        boot_id: String::new(),
        pid_namespace: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_ends_when_its_lifeline_is_let_go_of() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("node.log");
        let command = ["sh", "-c", "echo up; cat; echo down"].map(OsString::from);
        let mut node = LocalNode::start(&command, &log, true).unwrap();
        assert!(node.identity().is_alive());
        assert!(node.ended().is_none());
        node.let_go();
        assert!(node.wait(Duration::from_secs(20)).await);
        assert_eq!(node.ended().unwrap().code, Some(0));
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "up\ndown\n");
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let command = [OsString::from("/does/not/exist")];
        let error = LocalNode::start(&command, &folder.path().join("log"), true).unwrap_err();
        assert!(error.message.contains("/does/not/exist"), "{error}");
    }
}
