//! A machine of its own for the `hamq` of a test.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A folder with a home of its own: the cluster `lab` in it, if it is still running, ends with it.
pub(crate) struct Machine(pub(crate) TempDir);

impl Machine {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// What `hamq -c` prints, and its exit code if that is not 0.
    pub(crate) fn hamq(&self, typed: &str) -> String {
        let ran = Command::new(env!("CARGO_BIN_EXE_hamq"))
            .args(["-c", typed])
            .env("HAMQ_HOME", self.0.path().join("home"))
            .env("NO_COLOR", "1")
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let mut answer = String::from_utf8(ran.stdout).unwrap();
        answer.push_str(&String::from_utf8(ran.stderr).unwrap());
        match ran.status.code() {
            Some(0) => {}
            code => {
                let _ = write!(answer, "\n(exit code {})", code.unwrap_or(-1));
            }
        }
        answer
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.hamq("Stop-Cluster lab");
    }
}
