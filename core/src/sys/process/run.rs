//! A program that does one thing and ends: a check of a file system, an action of an agent.

use std::time::Duration;

use tokio::sync::mpsc;

use super::child::{Child, spawn};
use super::{Exit, Spawn};
use crate::error::{Error, ErrorKind, Result};

/// Most that is kept of each of its two outputs.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// How long its last lines may take after its end; what it left in the background may keep the pipe open.
const LAST_LINES_MAX: Duration = Duration::from_millis(200);

/// How a program ended, and what it said.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How.
    pub exit: Exit,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

impl Finished {
    /// The last line that says something, of standard error or else of standard output.
    #[must_use]
    pub fn last_line(&self) -> &str {
        let lines = self.errors.lines().rev().chain(self.output.lines().rev());
        lines
            .map(str::trim)
            .find(|line| !line.is_empty())
            .unwrap_or_default()
    }

    /// The exit, with the last words where there are any: `exit code 1: no such device`.
    #[must_use]
    pub fn story(&self) -> String {
        match self.last_line() {
            "" => self.exit.to_string(),
            words => format!("{}: {words}", self.exit),
        }
    }
}

/// Runs a program to its end, with nothing on its standard input. When `limit` is over, or when nobody
/// waits any longer, it is killed with its process group.
///
/// # Errors
/// What the system says when it cannot be started; `Timeout`.
pub async fn run(what: Spawn, limit: Duration) -> Result<Finished> {
    let name = what
        .command
        .first()
        .map(|p| p.display().to_string())
        .unwrap_or_default();
    let mut child = spawn(what).await?;
    drop(child.take_control());
    let (mut output, mut errors) = (child.take_status(), child.take_errors());
    let group = Group(child);
    let (mut said, mut complained) = (String::new(), String::new());
    let exited = group.0.exited();
    let finished = async {
        tokio::pin!(exited);
        let exit = loop {
            tokio::select! {
                biased;
                Some(line) = output.recv() => keep(&mut said, &line),
                Some(line) = errors.recv() => keep(&mut complained, &line),
                exit = &mut exited => break exit,
            }
        };
        let rest = async {
            tokio::join!(
                drain(&mut output, &mut said),
                drain(&mut errors, &mut complained)
            );
        };
        // What is still open then belongs to somebody in the background.
        let _ = tokio::time::timeout(LAST_LINES_MAX, rest).await;
        exit
    };
    let Ok(exit) = tokio::time::timeout(limit, finished).await else {
        let text = format!(
            "{name} did not end within {} s and was ended",
            limit.as_secs()
        );
        return Err(Error::new(ErrorKind::Timeout, text));
    };
    Ok(Finished {
        exit,
        output: said,
        errors: complained,
    })
}

/// Ends the process group with it, unless the program has ended by itself.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        self.0.kill_group();
    }
}

fn keep(text: &mut String, line: &str) {
    if text.len() + line.len() < OUTPUT_BYTES_MAX {
        text.push_str(line);
        text.push('\n');
    }
}

async fn drain(lines: &mut mpsc::Receiver<String>, text: &mut String) {
    while let Some(line) = lines.recv().await {
        keep(text, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Spawn {
        Spawn {
            command: ["sh", "-c", script].map(Into::into).to_vec(),
            ..Spawn::default()
        }
    }

    #[tokio::test]
    async fn a_program_ends_with_its_code_and_its_words() {
        let limit = Duration::from_secs(30);
        let done = run(shell("cat; echo out; echo why >&2; exit 3"), limit)
            .await
            .unwrap();
        assert_eq!((done.exit.code, done.output.as_str()), (Some(3), "out\n"));
        assert_eq!(done.story(), "exit code 3: why");
        let quiet = run(shell("echo only; exit 0"), limit).await.unwrap();
        assert_eq!(quiet.last_line(), "only");
    }

    #[tokio::test]
    async fn what_it_leaves_in_the_background_is_not_waited_for_and_not_ended() {
        let done = run(shell("sleep 30 & echo $!"), Duration::from_secs(20))
            .await
            .unwrap();
        let left: u32 = done.output.trim().parse().unwrap();
        let left = super::super::ProcessIdentity::of(left).unwrap();
        assert!(left.is_alive());
        left.kill_and_wait(Duration::from_secs(5)).unwrap();
    }

    #[tokio::test]
    async fn one_that_does_not_end_is_killed_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let error = run(shell(&script), Duration::from_millis(500))
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout);
        let pid = std::fs::read_to_string(file)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let gone = super::super::ProcessIdentity::of(pid);
        assert!(gone.is_err() || gone.is_ok_and(|p| p.ends_within(Duration::from_secs(5))));
    }
}
