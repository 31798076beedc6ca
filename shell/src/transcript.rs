//! A transcript: a script that runs again, in which all that was shown stands as comments.
//!
//! ```text
//!  #> 2026-11-23T07:00:00Z     when a command was typed
//!  Get-ClusterNode             the command, as it was typed; `#! ` before each of its lines when it failed
//!  #= n1   Up                  what it showed
//!  #< 0 after 12 ms            how it ended
//! ```

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hamq_core::{Error, ErrorKind, Result};

use crate::audit::now;

/// Of one command so much of what it shows is kept.
const SHOWN_MAX: usize = 1 << 20;
/// A command that failed in part can be run again; any other failure would end the script.
const PARTLY: u8 = 3;

/// See the module; closed until it is started.
#[derive(Default)]
pub struct Transcript(RefCell<Option<Open>>);

struct Open {
    path: PathBuf,
    file: File,
    entry: Option<Entry>,
}

struct Entry {
    time: String,
    command: String,
    shown: String,
    cut: bool,
}

impl Transcript {
    /// Writes to `path` from the next command on.
    ///
    /// # Errors
    /// When one is being written already, or the file cannot be.
    pub fn start(&self, path: &Path, append: bool) -> Result<()> {
        let mut open = self.0.borrow_mut();
        if let Some(open) = open.as_ref() {
            let what = format!("a transcript is being written to {}", open.path.display());
            return Err(Error::new(ErrorKind::InvalidState, what).hint("Stop-Transcript ends it"));
        }
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .append(append)
            .truncate(!append);
        let file = options.open(path).and_then(|mut file| {
            writeln!(
                file,
                "# hamq transcript, {}: 'hamq run' runs it again",
                now()
            )?;
            Ok(file)
        });
        let file = file.map_err(|e| Error::system(format!("write {}", path.display()), &e))?;
        *open = Some(Open {
            path: path.to_owned(),
            file,
            entry: None,
        });
        Ok(())
    }

    /// Ends it: the path of the file.
    ///
    /// # Errors
    /// When none is being written.
    pub fn stop(&self) -> Result<PathBuf> {
        match self.0.borrow_mut().take() {
            Some(open) => Ok(open.path),
            None => Err(
                Error::new(ErrorKind::InvalidState, "no transcript is being written")
                    .hint("Start-Transcript FILE begins one"),
            ),
        }
    }

    /// A command is about to run.
    pub(crate) fn begin(&self, command: &str) {
        if let Some(open) = self.0.borrow_mut().as_mut() {
            open.entry = Some(Entry {
                time: now(),
                command: command.trim_end().to_owned(),
                shown: String::new(),
                cut: false,
            });
        }
    }

    /// Something was shown.
    pub(crate) fn shown(&self, text: &str) {
        let mut open = self.0.borrow_mut();
        let Some(entry) = open.as_mut().and_then(|open| open.entry.as_mut()) else {
            return;
        };
        match entry.shown.len() + text.len() <= SHOWN_MAX {
            true => entry.shown.push_str(text),
            false => entry.cut = true,
        }
    }

    /// The command has ended.
    pub(crate) fn end(&self, code: u8, took: Duration) {
        let mut open = self.0.borrow_mut();
        let Some(Open { file, entry, .. }) = open.as_mut() else {
            return;
        };
        if let Some(entry) = entry.take() {
            // A transcript that cannot be written any more is no reason to disturb the work.
            drop(file.write_all(entry.text(code, took).as_bytes()));
        }
    }
}

impl Entry {
    fn text(&self, code: u8, took: Duration) -> String {
        let mut text = format!("#> {}\n", self.time);
        let failed = code != 0 && code != PARTLY;
        for line in self.command.lines() {
            text.push_str(if failed { "#! " } else { "" });
            text.push_str(line);
            text.push('\n');
        }
        for line in self.shown.lines() {
            text.push_str(&format!("#= {line}\n"));
        }
        if self.cut {
            text.push_str("#= … and more\n");
        }
        format!("{text}#< {code} after {} ms\n", took.as_millis())
    }
}

/// The runbook in a transcript: its commands that did not fail.
#[must_use]
pub fn runbook(transcript: &str) -> Vec<String> {
    let marks = ["# hamq transcript", "#> ", "#! ", "#= ", "#< "];
    let kept = |line: &&str| !marks.iter().any(|mark| line.starts_with(mark)) && *line != "#=";
    transcript.lines().filter(kept).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_transcript_is_a_script_with_what_was_shown_as_comments() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.rhai");
        let transcript = Transcript::default();
        transcript.begin("Start-Transcript t.rhai");
        transcript.start(&path, false).unwrap();
        transcript.end(0, Duration::ZERO); // of the command that started it
        transcript.begin("echo 1\n  | % { $_ }");
        transcript.shown("1\n");
        transcript.end(0, Duration::from_millis(7));
        transcript.begin("selct 1");
        transcript.shown("error: no\n");
        transcript.end(2, Duration::ZERO);
        transcript.begin("Stop-Transcript");
        assert_eq!(transcript.stop().unwrap(), path);
        transcript.end(0, Duration::ZERO);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("\necho 1\n  | % { $_ }\n#= 1\n#< 0 after 7 ms\n"),
            "{text}"
        );
        assert!(
            text.contains("\n#! selct 1\n#= error: no\n#< 2 after"),
            "{text}"
        );
        assert!(
            !text.contains("Stop-Transcript") && !text.contains("Start-Transcript"),
            "{text}"
        );
        assert_eq!(runbook(&text), ["echo 1", "  | % { $_ }"]);
    }

    #[test]
    fn one_transcript_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let transcript = Transcript::default();
        assert_eq!(transcript.stop().unwrap_err().kind, ErrorKind::InvalidState);
        transcript.start(&folder.path().join("a"), false).unwrap();
        let again = transcript.start(&folder.path().join("b"), false);
        assert_eq!(again.unwrap_err().kind, ErrorKind::InvalidState);
    }
}
