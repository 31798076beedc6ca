//! Stores that earlier versions wrote are opened by this one, and are what they were.
//!
//! `core/tests/fixtures/store-vN/*` hold the files of stores whose segments have format N and, in `picture.txt`,
//! what can be seen of them. A version that writes another format keeps the older folders and adds its own:
//! `HAMQ_WRITE=1 cargo test -p hamq-core --test store_fixture`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    reason = "a test fails where it stands"
)]
#![allow(unreachable_pub, reason = "modules of one test")]

mod script;
#[allow(dead_code, reason = "the stories use the rest")]
#[path = "../stories/store.rs"]
mod store;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hamq_core::log::inspect;
use hamq_core::queue::offline;
use hamq_core::sys::disk::{self, Disk};
use hamq_core::sys::disk_fake::{FakeDisk, Survivors};

use store::Store;

/// Every one that was ever kept: none of them is removed.
const KEPT: [&str; 1] = ["store-v2"];
/// One with every kind of record, and one of whose segments little was alive.
const STORES: [&str; 2] = ["rich", "cleaned"];
/// No client of a store has asked so often.
const LATER: u64 = 1_000_000;
const PICTURE: &str = "picture.txt";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A copy, so that opening changes nothing of what is kept.
fn copy_of(folder: &Path) -> FakeDisk {
    let copy = FakeDisk::new();
    let names = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in names.map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        if name != PICTURE {
            let file = copy.create(&name, 0).unwrap();
            file.write_at(0, &fs::read(entry.path()).unwrap()).unwrap();
            file.sync().unwrap();
        }
    }
    copy.sync_folder().unwrap();
    copy
}

/// The versions of everything that a store holds, by its bytes.
fn versions(disk: &FakeDisk) -> BTreeSet<(&'static str, u32)> {
    let mut found = BTreeSet::new();
    for name in disk.list().unwrap() {
        let mut bytes = [0; 12];
        let count = disk.open(&name).unwrap().read_at(0, &mut bytes).unwrap();
        let version = u32::from_le_bytes(bytes[8..].try_into().unwrap());
        match &bytes[..8] {
            b"HAMQSEG1" if count == 12 => found.insert(("segment", version)),
            b"HAMQSNP1" if count == 12 => found.insert(("snapshot", version)),
            b"HAMQEPO1" if count == 12 => found.insert(("epoch", 1)),
            _ => false,
        };
    }
    for record in script::records(disk) {
        match record[0] {
            // A page: its own version is behind its checksum.
            0xff => found.insert(("page", record[5].into())),
            version => found.insert(("change", version.into())),
        };
    }
    let of: Arc<dyn Disk> = Arc::new(disk.clone());
    if let Some((_, state)) = inspect::newest_snapshot(&of).unwrap() {
        found.insert(("state", state[0].into()));
    }
    let mut store = Store::on(disk, 2 * LATER);
    let message = store.messages("orders").remove(0);
    found.insert(("message", message.content.as_bytes()[4].into()));
    found
}

/// The stores of today; put where there are none of their format. What is there stays as it is.
fn written_now() -> [(&'static str, FakeDisk); 2] {
    let written = script::write();
    let rich = copy_of_disk(&written[0].1);
    let segment = versions(&rich).into_iter().find(|v| v.0 == "segment");
    let folder = fixtures().join(format!("store-v{}", segment.unwrap().1));
    if std::env::var_os("HAMQ_WRITE").is_some() && !folder.exists() {
        for (name, disk) in &written {
            keep(disk, &folder.join(name), name);
        }
    }
    written
}

fn copy_of_disk(disk: &FakeDisk) -> FakeDisk {
    disk.crash(1, Survivors::None)
}

fn keep(disk: &FakeDisk, folder: &Path, store: &str) {
    fs::create_dir_all(folder).unwrap();
    for name in disk.list().unwrap() {
        let file = disk.open(&name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    }
    let picture = script::picture(&mut Store::on(&copy_of(folder), LATER), store);
    fs::write(folder.join(PICTURE), picture).unwrap();
}

/// Every store that was kept: its format, its name, its folder.
fn kept() -> Vec<(&'static str, &'static str, PathBuf)> {
    let stores = KEPT
        .iter()
        .flat_map(|format| STORES.iter().map(move |store| (*format, *store)));
    stores
        .map(|(format, store)| (format, store, fixtures().join(format).join(store)))
        .collect()
}

#[test]
fn every_store_that_was_kept_is_opened_and_is_what_it_was() {
    for (_, name, folder) in kept() {
        let expected = fs::read_to_string(folder.join(PICTURE)).unwrap();
        let mut store = Store::on(&copy_of(&folder), LATER);
        similar(&folder, &script::picture(&mut store, name), &expected);
        store.reopen();
        similar(&folder, &script::picture(&mut store, name), &expected);
    }
}

/// Points at the line that differs.
fn similar(folder: &Path, is: &str, was: &str) {
    for (is, was) in is.lines().zip(was.lines()) {
        assert_eq!(is, was, "{}", folder.display());
    }
    assert_eq!(
        is.lines().count(),
        was.lines().count(),
        "{}",
        folder.display()
    );
}

#[test]
fn the_offline_check_finds_each_of_them_intact() {
    for (_, _, folder) in kept() {
        let disk = disk::read_only(&folder).unwrap();
        let report = offline::check(&disk).unwrap();
        assert!(
            report.is_sound(),
            "{}: {:#?}",
            folder.display(),
            report.faults
        );
        assert!(
            report.queues.iter().any(|queue| queue.messages > 0),
            "{report:#?}"
        );
    }
}

#[test]
fn every_format_that_this_version_writes_has_a_store_that_was_kept() {
    let now = versions(&written_now()[0].1);
    let rich = |format: &&str| fixtures().join(format).join("rich");
    let kept: Vec<_> = KEPT
        .iter()
        .map(|format| versions(&copy_of(&rich(format))))
        .collect();
    assert!(
        kept.contains(&now),
        "this version writes {now:?}; keep stores of it beside the older ones, see the head of this file: {kept:?}"
    );
    let folders = fs::read_dir(fixtures()).unwrap();
    let folders = folders.map(|e| e.unwrap().file_name().into_string().unwrap());
    let folders: BTreeSet<String> = folders.collect();
    assert_eq!(
        folders,
        KEPT.map(str::to_owned).into(),
        "KEPT names them all"
    );
}
