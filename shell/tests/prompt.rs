//! The prompt on a terminal, driven through tmux; passed over where there is none.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::print_stderr, reason = "a test that is passed over says so")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a screen may take to show what it should.
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal of 80 columns and 24 lines with a prompt on it.
struct Terminal {
    home: TempDir,
}

impl Terminal {
    /// None where tmux is not installed.
    fn open() -> Option<Self> {
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
        };
        let home = format!("HAMQ_HOME={}", terminal.home.path().join("home").display());
        let program = env!("CARGO_BIN_EXE_hamq");
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "80",
            "-y",
            "24",
            "env",
            &home,
            "TERM=xterm-256color",
            program,
        ]);
        terminal.sees("HAMQ>");
        Some(terminal)
    }

    /// Runs tmux on a server of this terminal's own.
    fn tmux(&self, arguments: &[&str]) -> String {
        let socket = self.home.path().join("tmux");
        let output = Command::new("tmux")
            .env_remove("TMUX")
            .arg("-S")
            .arg(socket)
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    fn key(&self, name: &str) {
        self.tmux(&["send-keys", name]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen fits.
    fn until(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if fits(&screen) {
                return screen;
            }
            assert!(began.elapsed() < PATIENCE, "no {what} in\n{screen}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn sees(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// Waits for a fresh prompt on the last line that has anything.
    fn is_ready(&self) -> String {
        self.until("prompt", |screen| screen.trim_end().ends_with("HAMQ>"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn a_command_is_completed_and_run() {
    let Some(terminal) = Terminal::open() else {
        return;
    };
    terminal.text("Get-Da");
    terminal.key("Tab");
    terminal.sees("The time, in UTC.");
    terminal.key("Enter");
    terminal.sees("HAMQ> Get-Date");
    terminal.key("Enter");
    terminal.until("time", |screen| {
        screen
            .lines()
            .any(|line| line.starts_with("20") && line.ends_with('Z'))
    });
}

#[test]
fn an_open_bracket_asks_for_another_line() {
    let Some(terminal) = Terminal::open() else {
        return;
    };
    terminal.text("for n in [4, 5] {");
    terminal.key("Enter");
    terminal.text("echo \"n is $n\"");
    terminal.key("Enter");
    terminal.text("}");
    terminal.key("Enter");
    terminal.sees("n is 4\nn is 5\n");
    terminal.is_ready();
}

#[test]
fn an_error_points_at_the_word_it_is_about() {
    let Some(terminal) = Terminal::open() else {
        return;
    };
    terminal.text("Get-Date | where Yeer -eq 1 | selct Year");
    terminal.key("Enter");
    let screen = terminal.sees("hint: did you mean select?");
    let lines: Vec<&str> = screen.lines().collect();
    let at = lines.iter().position(|l| l.starts_with("1 | ")).unwrap();
    let word = lines[at].find("selct").unwrap();
    assert_eq!(lines[at + 1].find('^'), Some(word), "{screen}");
}

#[test]
fn an_interrupt_ends_the_command_and_not_the_shell() {
    let Some(terminal) = Terminal::open() else {
        return;
    };
    terminal.text("echo begun; Start-Sleep 600s; echo never");
    terminal.key("Enter");
    terminal.sees("\nbegun\n");
    terminal.key("C-c");
    let screen = terminal.is_ready();
    assert!(!screen.contains("\nnever"), "{screen}");
    terminal.text("echo on we go");
    terminal.key("Enter");
    terminal.sees("\non\nwe\ngo\n");
}

#[test]
fn what_was_typed_is_remembered() {
    let Some(terminal) = Terminal::open() else {
        return;
    };
    terminal.text("echo remembered");
    terminal.key("Enter");
    terminal.sees("\nremembered\n");
    terminal.is_ready();
    terminal.key("Up");
    terminal.until("the line again", |screen| {
        screen.matches("HAMQ> echo remembered").count() == 2
    });
}
