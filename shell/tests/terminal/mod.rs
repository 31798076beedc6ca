//! A terminal of 80 columns and 24 lines, driven through tmux, with a state folder of its own.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// See the module.
pub(crate) struct Terminal {
    pub(crate) home: TempDir,
    /// How long a screen may take to show what it should.
    patience: Duration,
}

impl Terminal {
    /// One that runs `program`; none where tmux is not installed.
    pub(crate) fn open(program: &str, patience: Duration) -> Option<Self> {
        let found = Command::new("tmux")
            .arg("-V")
            .stdout(Stdio::null())
            .status();
        if !found.is_ok_and(|status| status.success()) {
            eprintln!("passed over: tmux is not installed");
            return None;
        }
        let terminal = Self {
            home: tempfile::tempdir().unwrap(),
            patience,
        };
        let home = format!("HAMQ_HOME={}", terminal.home.path().join("home").display());
        let begin = [
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "80",
            "-y",
            "24",
        ];
        let run = ["env", &home, "TERM=xterm-256color", program];
        terminal.tmux(&[&begin[..], &run].concat());
        Some(terminal)
    }

    /// Runs tmux on a server of this terminal's own.
    pub(crate) fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .env_remove("TMUX")
            .arg("-S")
            .arg(self.home.path().join("tmux"))
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    pub(crate) fn key(&self, name: &str) {
        self.tmux(&["send-keys", name]);
    }

    /// Waits until the screen fits.
    pub(crate) fn until(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if fits(&screen) {
                return screen;
            }
            assert!(began.elapsed() < self.patience, "no {what} in\n{screen}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    pub(crate) fn sees(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
