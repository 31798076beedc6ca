//! The runbooks of the deployment guide: every step of it is quoted, and every runbook is tried on a real cluster.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The procedures of the guide have so many steps in all.
const STEPS: usize = 67;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/runbooks")
}

fn runbooks() -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder()).unwrap();
    let paths = files.map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut all: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "rhai"))
        .map(|path| (name(&path), std::fs::read_to_string(&path).unwrap()))
        .filter(|(name, _)| name != "steps" && name != "test")
        .collect();
    all.sort();
    all
}

/// The steps that the comments of a runbook quote: `// 41. …`, `// 7., 8. …`.
fn quoted(text: &str) -> Vec<usize> {
    let comments = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("//"));
    let words = comments.flat_map(str::split_whitespace);
    let step = |word: &str| word.trim_end_matches(',').strip_suffix('.')?.parse().ok();
    words.filter_map(step).collect()
}

#[test]
fn every_step_of_the_guide_is_in_a_runbook_and_no_runbook_is_without() {
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (name, text) in runbooks() {
        let steps = quoted(&text);
        assert!(!steps.is_empty(), "{name} quotes no step");
        let steps: BTreeSet<usize> = steps.into_iter().collect();
        for step in steps {
            found.entry(step).or_default().push(name.clone());
        }
    }
    let missing: Vec<usize> = (1..=STEPS).filter(|n| !found.contains_key(n)).collect();
    assert_eq!(missing, [0_usize; 0], "not in any runbook");
    let odd: Vec<_> = found
        .iter()
        .filter(|(n, names)| **n > STEPS || names.len() != 1)
        .collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[test]
fn every_runbook_takes_what_if_and_has_help_and_a_test() {
    let tests = std::fs::read_to_string(folder().join("test.rhai")).unwrap();
    for (name, text) in runbooks() {
        let page = Command::new(env!("CARGO_BIN_EXE_hamq"))
            .args([
                "run",
                &folder().join(format!("{name}.rhai")).display().to_string(),
                "-?",
            ])
            .output()
            .unwrap();
        let page = String::from_utf8(page.stdout).unwrap();
        assert!(page.contains("[-WhatIf]"), "{name}\n{page}");
        assert!(
            text.contains("[switch] $Undo") || name == "delete-virtual-server",
            "{name}"
        );
        assert!(
            tests.contains(&format!("/{name}.rhai\"")),
            "{name} has no test"
        );
    }
}

#[test]
fn the_runbooks_do_what_they_say_on_a_cluster() {
    let home = tempfile::tempdir().unwrap();
    let report = home.path().join("report.xml");
    let ran = Command::new(env!("CARGO_BIN_EXE_hamq"))
        .arg("test")
        .arg(folder().join("test.rhai"))
        .arg("-JUnit")
        .arg(&report)
        .env("HAMQ_HOME", home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let out =
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{out}");
    let xml = std::fs::read_to_string(&report).unwrap();
    assert!(xml.contains("failures=\"0\" errors=\"0\""), "{xml}");
}
