//! The prompt on a terminal, driven through tmux; passed over where there is none.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::print_stderr, reason = "a test that is passed over says so")]

mod terminal;

use std::time::Duration;

use terminal::Terminal;

/// How long a screen may take to show what it should.
const PATIENCE: Duration = Duration::from_secs(20);

/// One with a prompt on it.
fn open() -> Option<Terminal> {
    let terminal = Terminal::open(env!("CARGO_BIN_EXE_hamq"), PATIENCE)?;
    terminal.sees("HAMQ>");
    Some(terminal)
}

/// Waits for a fresh prompt on the last line that has anything.
fn is_ready(terminal: &Terminal) -> String {
    terminal.until("prompt", |screen| screen.trim_end().ends_with("HAMQ>"))
}

#[test]
fn a_command_is_completed_and_run() {
    let Some(terminal) = open() else {
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
    let Some(terminal) = open() else {
        return;
    };
    terminal.text("for n in [4, 5] {");
    terminal.key("Enter");
    terminal.text("echo \"n is $n\"");
    terminal.key("Enter");
    terminal.text("}");
    terminal.key("Enter");
    terminal.sees("n is 4\nn is 5\n");
    is_ready(&terminal);
}

#[test]
fn an_error_points_at_the_word_it_is_about() {
    let Some(terminal) = open() else {
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
    let Some(terminal) = open() else {
        return;
    };
    terminal.text("echo begun; Start-Sleep 600s; echo never");
    terminal.key("Enter");
    terminal.sees("\nbegun\n");
    terminal.key("C-c");
    let screen = is_ready(&terminal);
    assert!(!screen.contains("\nnever"), "{screen}");
    terminal.text("echo on we go");
    terminal.key("Enter");
    terminal.sees("\non\nwe\ngo\n");
}

#[test]
fn what_was_typed_is_remembered() {
    let Some(terminal) = open() else {
        return;
    };
    terminal.text("echo remembered");
    terminal.key("Enter");
    terminal.sees("\nremembered\n");
    is_ready(&terminal);
    terminal.key("Up");
    terminal.until("the line again", |screen| {
        screen.matches("HAMQ> echo remembered").count() == 2
    });
}
