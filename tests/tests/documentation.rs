//! What the documents tell one to type is typed: the session of the README, then those of docs/operating.md, in one shell.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

fn document(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// What follows the prompt in the lines of a document.
fn typed(text: &str) -> Vec<String> {
    let prompt = |line: &str| {
        let (before, typed) = line.split_once("> ")?;
        matches!(before, "HAMQ" | "HAMQ lab").then(|| typed.to_owned())
    };
    text.lines().filter_map(prompt).collect()
}

#[test]
fn every_line_behind_a_prompt_works_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("big.bin"), vec![7; 5_000_000]).unwrap();
    let process = std::process::id();
    let subnet = format!("127.{}.{}", 1 + process % 250, 1 + process / 250 % 250);
    let readme = typed(&document("README.md"));
    assert!(readme.iter().any(|line| line.contains("127.0.9.1")));
    let operating = typed(&document("docs/operating.md"));
    assert!(readme.len() > 10 && operating.len() > 20);
    let lines = readme.iter().chain(&operating).map(|line| {
        line.replace("127.0.9", &subnet)
            .replace("/tmp", folder.path().to_str().unwrap())
            .replace("-Name lab", &format!("-Name docs-{process}"))
    });
    // Each line says that it is done, so that one which silently ends the script is found.
    let script: String = lines
        .enumerate()
        .map(|(number, line)| format!("{line}\necho 'line {number} done'\n"))
        .collect();

    let mut shell = Command::new(PROGRAM)
        .current_dir(folder.path())
        .env("HAMQ_HOME", folder.path().join("home"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = shell.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    let ended = shell.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&ended.stdout);
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{errors}\nafter\n{shown}");
    assert_eq!(errors, "");
    let last = readme.len() + operating.len() - 1;
    assert!(shown.contains(&format!("line {last} done")), "{shown}");
    for text in [
        "order 7",
        "Completed",
        "Rejected",
        "jobs;later",
        "DelayedCount : 1",
    ] {
        assert!(shown.contains(text), "no {text} in {shown}");
    }
    let copy = std::fs::read(folder.path().join("copy.bin")).unwrap();
    assert_eq!(copy, vec![7; 5_000_000]);
}
