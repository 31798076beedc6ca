//! What is not in the log must not change what a snapshot needs.

use hamq_core::queue::request::{Select, Take};

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
