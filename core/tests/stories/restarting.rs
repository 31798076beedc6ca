//! What is not in the log must not change what a snapshot needs.

use hamq_core::queue::request::{Select, Take};
use hamq_core::sys::disk::Disk as _;

use crate::store::*;

#[test]
fn a_snapshot_that_is_there_already_keeps_the_segments_it_names() {
    let mut store = Store::new();
    store.create("q", false);
    store.send_all("q", &["1", "2"]);
    // Bob's reply is kept in case that he asks again: its message lies in the first segment.
    store.must(BOB, take("q", Select::First, Take::Remove));
    store.must(ANN, take("q", Select::First, Take::Remove));
    store.reopen();
    store.send_all("q", &["3"]);
    store.must(ANN, take("q", Select::First, Take::Remove));
    store.reopen();
    // Something is written, and the idle store is tidied up.
    store.create("r", false);
    store.pass(600);
    // Bob has seen his reply. That is not written, so the next snapshot is the one that is there.
    assert!(store.ask(BOB, peek("q", Select::First)).is_err());
    store.reopen();
    store.send_all("q", &["4"]);
    store.reopen();
    assert_eq!(store.bodies("q"), ["4"]);
}

#[test]
fn owners_that_die_before_a_checkpoint_is_due_leave_no_segments_for_ever() {
    let mut store = Store::with_snapshots(64 * 1024);
    store.create("q", false);
    for turn in 0..60 {
        store.send_all("q", &["1", "2", "3"]);
        for _ in 0..3 {
            store.must(ANN, take("q", Select::First, Take::Remove));
        }
        // None of them rests before, or writes enough.
        store.crash();
        let names = store.left().list().unwrap();
        let left = names.iter().filter(|name| name.ends_with(".seg")).count();
        assert!(left < 30, "{left} segments after {turn} owners");
    }
}
