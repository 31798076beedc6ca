//! A process of this program that does one job for its starter, and ends it by itself when the starter is gone.
//!
//! They talk in lines through its standard input and output. It is in a process group of its own: a
//! terminal's Ctrl-C does not reach it, and what it holds is let go of in its own order. The end of its
//! standard input is the sign that nobody is there any more.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// Lines of a companion that nobody has heard yet; then it waits.
const UNHEARD_MAX: usize = 64;

/// A companion that runs.
#[derive(Debug)]
pub struct Companion {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Companion {
    /// Starts `program` (and its leading arguments) with `arguments`.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(program: &[PathBuf], arguments: &[&str]) -> Result<Self> {
        let Some((file, leading)) = program.split_first() else {
            let text = "no program is given to start a companion with";
            return Err(Error::new(ErrorKind::Internal, text));
        };
        let mut child = Command::new(file)
            .args(leading)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|e| Error::system(format_args!("start {}", file.display()), &e))?;
        let (sender, lines) = sync_channel(UNHEARD_MAX);
        let output = child.stdout.take();
        let read = move || {
            let lines = output
                .into_iter()
                .flat_map(|out| BufReader::new(out).lines());
            for line in lines.map_while(std::io::Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("hamq-companion".to_owned())
            .spawn(read)
            .map_err(|e| Error::system("start a thread", &e))?;
        Ok(Self {
            input: child.stdin.take(),
            child,
            lines,
        })
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it a line.
    ///
    /// # Errors
    /// `ServiceNotAvailable` when it has ended.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let said = self.input.as_mut().map(|input| {
            let written = input.write_all(format!("{line}\n").as_bytes());
            written.and_then(|()| input.flush())
        });
        match said {
            Some(Ok(())) => Ok(()),
            _ => Err(gone()),
        }
    }

    /// Its next line; none when `limit` is over first.
    ///
    /// # Errors
    /// `ServiceNotAvailable` when it has ended.
    pub fn hear(&self, limit: Duration) -> Result<Option<String>> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }
}

impl Drop for Companion {
    /// Lets go of it and waits for its end: what it undoes is undone when this returns.
    fn drop(&mut self) {
        self.input = None;
        // It has ended, or it cannot be waited for: either way there is nothing left to do.
        drop(self.child.wait());
    }
}

fn gone() -> Error {
    Error::new(
        ErrorKind::ServiceNotAvailable,
        "the companion process has ended",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Companion {
        Companion::start(&["sh".into(), "-c".into()], &[script]).unwrap()
    }

    #[test]
    fn it_is_told_and_heard_and_ends_with_its_input() {
        let patience = Duration::from_secs(20);
        let mut companion = shell("read a; echo \"got $a\"; cat; echo end");
        companion.say("one").unwrap();
        assert_eq!(
            companion.hear(patience).unwrap().as_deref(),
            Some("got one")
        );
        assert_eq!(companion.hear(Duration::ZERO).unwrap(), None);
        companion.input = None;
        assert_eq!(companion.hear(patience).unwrap().as_deref(), Some("end"));
        assert!(companion.hear(patience).is_err());
        assert!(companion.say("two").is_err());
    }
}
