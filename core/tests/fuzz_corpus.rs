//! Replays what the fuzz targets start from and what they have found, without a fuzzer.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

#[path = "../fuzz/checks/mod.rs"]
mod checks;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Larger inputs do not belong into a repository.
const INPUT_BYTES_MAX: u64 = 4096;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn inputs(target: &str) -> Vec<PathBuf> {
    let folder = fuzz_folder().join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_kept_input_passes_its_check() {
    for (target, check) in checks::ALL {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "{target} has no corpus");
        for input in inputs {
            let data = fs::read(&input).unwrap();
            let passes = std::panic::catch_unwind(|| check(&data));
            assert!(passes.is_ok(), "{} breaks {target}", input.display());
            assert!(data.len() as u64 <= INPUT_BYTES_MAX, "{}", input.display());
        }
    }
}

#[test]
fn every_target_has_a_check_and_every_corpus_a_target() {
    let manifest = fs::read_to_string(fuzz_folder().join("Cargo.toml")).unwrap();
    let bins: BTreeSet<String> = manifest
        .split("\n[[bin]]\n")
        .skip(1)
        .filter_map(|bin| bin.lines().find_map(|line| line.strip_prefix("name = ")))
        .map(|name| name.trim_matches('"').to_owned())
        .collect();
    let checks: BTreeSet<String> = checks::ALL.iter().map(|(name, _)| (*name).into()).collect();
    let folders: BTreeSet<String> = fs::read_dir(fuzz_folder().join("corpus"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(bins, checks);
    assert_eq!(folders, checks);
}
