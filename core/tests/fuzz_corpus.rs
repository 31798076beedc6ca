//! Replays what the fuzz targets start from and what they have found, without a fuzzer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    reason = "a test fails where it stands"
)]
#![allow(unreachable_pub, reason = "modules of one test")]

#[path = "../fuzz/checks/mod.rs"]
mod checks;
#[allow(dead_code, reason = "the fixture uses the rest")]
#[path = "store_fixture/script.rs"]
mod script;
#[allow(dead_code, reason = "the stories use the rest")]
#[path = "stories/store.rs"]
mod store;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hamq_core::log::inspect;
use hamq_core::log::{Log, LogOptions};
use hamq_core::sys::clock::FakeClock;
use hamq_core::sys::disk::Disk;
use hamq_core::sys::disk_fake::FakeDisk;

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

/// Two messages of a page, without its checksum.
const PAGE: [u8; 15] = [1, 2, 9, 0, 3, 40, 5, 4, 2, 0x1f, 1, 1, 30, 12, 1];

/// What a store writes, as inputs of the record reader: one record of each kind of effect and more, a page, the
/// payload of a snapshot, and the files of a small log.
fn written() -> Vec<(String, Vec<u8>)> {
    let stores = script::write();
    let input = |what: u8, bytes: &[u8]| [&[what], bytes].concat();
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut seen = BTreeSet::new();
    for record in stores.iter().flat_map(|(_, disk)| script::records(disk)) {
        let client = |number: u32| Some(uuid::Uuid::from_u128(number.into()));
        let Ok((change, _)) = hamq_core::queue::change::Change::decode(&record, &client) else {
            continue;
        };
        let kinds: Vec<_> = change.effects.iter().map(std::mem::discriminant).collect();
        if record.len() < 1000 && seen.insert(format!("{kinds:?}")) {
            all.push((format!("record_{:02}", all.len()), input(0, &record)));
        }
    }
    all.push(("page".into(), input(1, &PAGE)));
    let of: Arc<dyn Disk> = Arc::new(small_state());
    let (_, state) = inspect::newest_snapshot(&of).unwrap().unwrap();
    all.push(("state".into(), input(2, &state)));
    for (name, owners) in [("files_of_one", 1), ("files_of_two", 2)] {
        all.push((name.into(), input(3, &small_log(owners))));
    }
    all
}

fn small_state() -> FakeDisk {
    let mut store = store::Store::new();
    store.create("q", true);
    store.send_all("q", &["a", "b", "c"]);
    let transaction = store.begin(store::ANN, 1);
    store.must(store::ANN, store::receive("q", transaction));
    store.must(store::ANN, store::prepare(1, "x"));
    store.reopen();
    store.left()
}

/// The files of a log with a record a batch, as the reader's input names them.
fn small_log(owners: u64) -> Vec<u8> {
    let disk = FakeDisk::new();
    for epoch in 1..=owners {
        let options = LogOptions {
            epoch: Some(epoch),
            owner: "n1".into(),
            segment_bytes: 2048,
            deadline: None,
            fence: None,
        };
        let clock = Arc::new(FakeClock::default());
        let disk = Arc::new(disk.clone());
        let (mut log, _) = Log::open(disk, clock, options, &mut |_, _| Ok(())).unwrap();
        for n in 0..2 {
            log.prepare(1, 10, false).unwrap();
            log.record(|to| to.extend_from_slice(&[n; 10]));
            log.commit().unwrap();
        }
    }
    let mut out = Vec::new();
    for name in disk.list().unwrap() {
        let (number, token) = name.split_once('-').unwrap_or_default();
        let which = match (number, token.split('-').next()) {
            ("0000000001", Some("1")) => 0,
            ("0000000002", Some("2")) => 3,
            _ => continue,
        };
        let mut bytes = vec![0; 1536];
        disk.open(&name).unwrap().read_at(0, &mut bytes).unwrap();
        // The token's nonce is a random number; in the input it is that of the name.
        let token = [
            bytes[16..28].to_vec(),
            vec![1 + u8::from(which == 3), 0, 0, 0],
        ]
        .concat();
        bytes[16..32].copy_from_slice(&token);
        if which == 3 {
            bytes[48..52].copy_from_slice(&[1, 0, 0, 0]);
        }
        for at in [512, 1024] {
            bytes[at + 8..at + 24].copy_from_slice(&token);
        }
        out.push(which);
        out.extend_from_slice(&1536_u16.to_le_bytes());
        out.extend_from_slice(&bytes);
    }
    out
}

/// `HAMQ_WRITE=1` keeps them as what the fuzzer starts from.
#[test]
fn what_a_store_writes_is_read_to_its_end() {
    let all = written();
    assert!(all.len() > 20, "{} inputs", all.len());
    for (name, input) in all {
        let read = checks::record_reader::check_is_read(&input);
        assert!(read.is_ok(), "{name}: {read:?}");
        assert!(
            input.len() as u64 <= INPUT_BYTES_MAX,
            "{name}: {}",
            input.len()
        );
        if std::env::var_os("HAMQ_WRITE").is_some() {
            let folder = fuzz_folder().join("corpus/record_reader");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), input).unwrap();
        }
    }
}
