//! A transcript for every command: what it was asked and what it answered, on a real cluster of three nodes.
//!
//! `transcripts.txt` is played from its top to its bottom, each command by a `hamq -c` of its own; what differs from
//! run to run (times, identities, folders, addresses, processes) is written as `<time>`, `<guid>` and so on, and the
//! widths of columns do not count. A command without a transcript fails the test. `HAMQ_WRITE=1` writes the answers anew.
#![allow(clippy::unwrap_used, reason = "tests")]

mod machine;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use machine::Machine;
use regex_lite::Regex;

/// A command with what it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Transcript {
    /// The command it is a transcript of.
    of: String,
    /// The lines that were typed.
    typed: String,
    /// What came back.
    answer: String,
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts.txt")
}

/// Sections `== NAME`, in each lines that begin with `> ` and then the answer.
fn read(text: &str) -> Vec<Transcript> {
    let section = |section: &str| {
        let (of, rest) = section.split_once('\n').unwrap_or((section, ""));
        let typed = rest.lines().map_while(|line| line.strip_prefix("> "));
        let typed: Vec<&str> = typed.collect();
        let answer: Vec<&str> = rest.lines().skip(typed.len()).collect();
        Transcript {
            of: of.trim().to_owned(),
            typed: typed.join("\n"),
            answer: answer.join("\n").trim().to_owned(),
        }
    };
    text.split("\n== ").skip(1).map(section).collect()
}

fn write(head: &str, transcripts: &[Transcript]) -> String {
    let mut out = head.to_owned();
    for Transcript { of, typed, answer } in transcripts {
        let typed: Vec<String> = typed.lines().map(|line| format!("> {line}")).collect();
        let _ = write!(out, "\n== {of}\n{}\n{answer}\n", typed.join("\n"));
    }
    out
}

/// The answer without what differs from run to run.
fn normal(answer: &str, machine: &Machine) -> String {
    let folder = machine.0.path().display().to_string();
    let mut text = answer.replace(&folder, "<folder>");
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(user).unwrap();
    text = text.replace(&format!(" {} ", user.trim()), " <user> ");
    for (pattern, with) in [
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
        (
            r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
            "<guid>",
        ),
        (r"<guid>\\\d+", "<message id>"),
        (r"\b127\.\d+\.\d+\.(\d+)\b", "127.x.y.$1"),
        (r"\b127\.\d+\.\d+\b", "127.x.y"),
        (r"process \d+", "process <n>"),
        (r"\b\d+(\.\d+)?(ms|µs)\b", "<duration>"),
        (r"-{3,}", "---"),
        (r"(\S) {2,}", "$1  "),
        (r"[ \t]+\n", "\n"),
    ] {
        text = Regex::new(pattern)
            .unwrap()
            .replace_all(&text, with)
            .into_owned();
    }
    text.trim().to_owned()
}

#[test]
fn every_command_has_a_transcript() {
    let text = std::fs::read_to_string(golden()).unwrap();
    let transcripts = read(&text);
    let there: BTreeSet<&str> = transcripts.iter().map(|t| t.of.as_str()).collect();
    let all: BTreeSet<&str> = hamq_shell::cmdlet::all().map(|spec| spec.name).collect();
    let missing: Vec<_> = all.difference(&there).collect();
    assert!(
        missing.is_empty(),
        "without a transcript in {}: {missing:?}",
        golden().display()
    );
    let unknown: Vec<_> = there.difference(&all).collect();
    assert!(unknown.is_empty(), "transcripts of no command: {unknown:?}");
    for transcript in &transcripts {
        let typed = transcript.typed.to_lowercase();
        assert!(
            typed.contains(&transcript.of.to_lowercase()),
            "{transcript:?} does not use it"
        );
    }
}

#[test]
fn the_commands_answer_as_the_transcripts_say() {
    let text = std::fs::read_to_string(golden()).unwrap();
    let head = text.split("\n== ").next().unwrap_or_default();
    let recorded = read(&text);
    let machine = Machine::new();
    let play = |transcript: &Transcript| Transcript {
        answer: normal(&machine.hamq(&transcript.typed), &machine),
        ..transcript.clone()
    };
    let played: Vec<Transcript> = recorded.iter().map(play).collect();
    if std::env::var_os("HAMQ_WRITE").is_some() {
        std::fs::write(golden(), write(head, &played)).unwrap();
        return;
    }
    let mut different = String::new();
    for (expected, found) in recorded.iter().zip(&played).filter(|(a, b)| a != b) {
        let _ = write!(
            different,
            "\n== {}\n> {}\n--- recorded\n{}\n--- found\n{}\n",
            expected.of, expected.typed, expected.answer, found.answer
        );
    }
    assert!(
        different.is_empty(),
        "HAMQ_WRITE=1 writes them anew\n{different}"
    );
}
