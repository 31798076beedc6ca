//! A purge empties a queue; what somebody holds is his until he lets it go, and then it dies.

use hamq_core::queue::message::{Acknowledge, Message};
use hamq_core::queue::request::{Settle, Take, Transaction};

use crate::store::*;

fn told(body: &str, delay_ms: u64) -> Message {
    let mut message = Message::new(body);
    message.acknowledge = Acknowledge(0x8);
    message.admin_queue = "admin".into();
    message.delay_ms = delay_ms;
    message
}

/// Transactional queue q with 1 held by Ann's transaction 1, 2 available, 3 delayed; then purged.
fn purged() -> Store {
    let mut store = Store::with_snapshots(4096);
    store.create("admin", false);
    store.create("q", true);
    for (body, delay_ms) in [("1", 0), ("2", 0), ("3", 60_000)] {
        store.send("q", told(body, delay_ms));
    }
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("q", transaction));
    store.must(BOB, purge("q"));
    store
}

fn acknowledged(store: &mut Store) -> Vec<(String, u16)> {
    let all = store.messages("admin");
    all.iter().map(|m| (body(m), m.class)).collect()
}

#[test]
fn what_is_held_can_still_be_taken() {
    let mut store = purged();
    let status = store.status("q");
    assert_eq!((status.message_count, status.locked_count), (1, 1));
    let nacks = [("2".to_owned(), 0xC001), ("3".to_owned(), 0xC001)];
    assert_eq!(acknowledged(&mut store), nacks);
    store.must(ANN, commit(1));
    store.crash();
    assert_eq!(store.status("q").message_count, 0);
    assert_eq!(acknowledged(&mut store), nacks);
}

#[test]
fn what_is_held_dies_with_an_abort_and_its_sender_is_told() {
    for ends in [
        |store: &mut Store| drop(store.must(ANN, abort(1))),
        |store: &mut Store| store.end_session(ANN),
    ] {
        let mut store = purged();
        ends(&mut store);
        for _ in 0..2 {
            assert_eq!(store.status("q").message_count, 0);
            let last = acknowledged(&mut store).pop().unwrap();
            assert_eq!(last, ("1".to_owned(), 0xC001));
            assert_eq!(acknowledged(&mut store).len(), 3);
            store.crash();
        }
    }
}

#[test]
fn what_is_held_does_not_come_back_after_a_restart() {
    for restart in [Store::crash, Store::reopen] {
        let mut store = purged();
        store.send_all("q", &["after"]);
        restart(&mut store);
        assert_eq!(store.bodies("q"), ["after"]);
        assert_eq!(store.status("q").message_count, 1);
        store.must(BOB, purge("q"));
        restart(&mut store);
        assert_eq!(store.status("q").message_count, 0);
    }
}

#[test]
fn what_is_leased_can_be_completed_and_does_not_come_back() {
    for (how, journaled) in [
        (Some(Settle::Complete), 1),
        (Some(Settle::Release), 0),
        (Some(Settle::Extend(5)), 0),
        (None, 0),
    ] {
        let mut store = Store::new();
        store.create_with("q", |properties| properties.journal = true);
        store.send_all("q", &["1", "2"]);
        let lease = store.lease(BOB, "q", 1000);
        store.must(ANN, purge("q"));
        if let Some(how) = how {
            store.must(BOB, settle("q", &[lease], how));
        }
        store.pass(1000);
        for _ in 0..2 {
            assert_eq!(store.status("q").message_count, 0, "{how:?}");
            assert_eq!(store.bodies("q;JOURNAL").len(), journaled);
            store.crash();
        }
    }
}

#[test]
fn two_purges_while_it_is_held_are_one() {
    let mut store = purged();
    store.send_all("q", &["between"]);
    store.must(BOB, purge("q"));
    store.must(ANN, abort(1));
    store.crash();
    assert_eq!(store.status("q").message_count, 0);
    // 1, 2 and 3; nobody asked about the other.
    assert_eq!(acknowledged(&mut store).len(), 3);
}

#[test]
fn a_purge_of_a_held_move_lets_it_move() {
    let mut store = Store::new();
    store.create("q", true);
    let ids = store.send_all("q", &["1", "2"]);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, move_to("q", ids[0], "q;x", transaction));
    store.must(BOB, purge("q"));
    store.must(ANN, commit(1));
    store.crash();
    assert_eq!(store.bodies("q;x"), ["1"]);
    assert_eq!(store.status("q").message_count, 0);
    store.must(BOB, purge("q;x"));
    store.crash();
    assert_eq!(store.status("q;x").message_count, 0);
}

#[test]
fn a_deleted_queue_tells_of_all_its_messages_also_the_held_ones() {
    let mut store = Store::new();
    store.create("admin", false);
    store.create("q", true);
    for (body, delay_ms) in [("1", 0), ("2", 0), ("3", 60_000)] {
        store.send("q", told(body, delay_ms));
    }
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("q", transaction));
    store.must(BOB, delete("q"));
    store.must(ANN, abort(1));
    store.crash();
    let mut all = acknowledged(&mut store);
    all.sort();
    let expected = ["1", "2", "3"].map(|body| (body.to_owned(), 0xC000));
    assert_eq!(all, expected);
}

#[test]
fn express_messages_are_purged_with_the_others() {
    let mut store = Store::new();
    store.create("q", false);
    for n in 0..4 {
        let mut message = Message::new(n.to_string());
        if n % 2 == 0 {
            message.delivery = hamq_core::queue::message::Delivery::Express;
        }
        store.send("q", message);
    }
    let held = many("q", Take::Lease(1000), 2, Transaction::None);
    store.must(BOB, held);
    store.must(ANN, purge("q"));
    assert_eq!(store.status("q").message_count, 2);
    store.pass(1000);
    assert_eq!(store.status("q").message_count, 0);
    store.crash();
    assert_eq!(store.status("q").message_count, 0);
}
