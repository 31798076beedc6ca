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

#[test]
fn an_interrupt_is_not_caught_by_a_script() {
    let Some(terminal) = open() else {
        return;
    };
    terminal.text("try { echo begun; Start-Sleep 600s } catch (e) { echo caught }; echo never");
    terminal.key("Enter");
    terminal.sees("\nbegun\n");
    terminal.key("C-c");
    let screen = is_ready(&terminal);
    assert!(
        !screen.contains("\ncaught") && !screen.contains("\nnever"),
        "{screen}"
    );
}

#[test]
fn a_key_explains_the_command_at_the_cursor_and_leaves_the_line() {
    let Some(terminal) = open() else {
        return;
    };
    terminal.text("Start-Sleep 6");
    terminal.key("F1");
    terminal.sees("Waits.");
    terminal.until("the line again", |screen| {
        screen.trim_end().ends_with("HAMQ> Start-Sleep 6")
    });
}

#[test]
fn the_history_tells_how_lines_ended() {
    let Some(terminal) = open() else {
        return;
    };
    for line in [
        "echo fine",
        "Get-Help nothing-of-it",
        "Get-History -Failed -As csv",
    ] {
        is_ready(&terminal);
        terminal.text(line);
        terminal.key("Enter");
    }
    let screen = terminal.sees("Id,Time,ExitCode,ElapsedMs,Command");
    assert!(screen.contains(",Get-Help nothing-of-it\n"), "{screen}");
    assert!(!screen.contains(",echo fine"), "{screen}");
}

#[test]
fn a_transcript_runs_again() {
    let Some(terminal) = open() else {
        return;
    };
    let path = terminal.home.path().join("t.rhai");
    let start = format!("Start-Transcript {}", path.display());
    for line in [
        start.as_str(),
        "echo written",
        "Get-Help nothing-of-it",
        "Stop-Transcript",
    ] {
        is_ready(&terminal);
        terminal.text(line);
        terminal.key("Enter");
    }
    terminal.until("the path", |screen| {
        screen.contains("\n/") && screen.contains("t.rhai")
    });
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("\necho written\n#= written\n#< 0 after"),
        "{text}"
    );
    assert!(text.contains("\n#! Get-Help nothing-of-it\n"), "{text}");
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_hamq"))
        .env("HAMQ_HOME", terminal.home.path().join("home"))
        .arg("run")
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "written\n");
    assert!(ran.status.success());
}

#[test]
fn a_pasted_block_is_one_entry() {
    let Some(terminal) = open() else {
        return;
    };
    terminal.tmux(&["set-buffer", "echo one\necho two\n  | % { \"$_!\" }"]);
    terminal.tmux(&["paste-buffer", "-p"]);
    terminal.sees("| % {");
    assert!(!terminal.tmux(&["capture-pane", "-p"]).contains("\none\n"));
    terminal.key("Enter");
    terminal.sees("\none\ntwo!\n");
}
