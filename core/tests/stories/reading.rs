//! Which message a read finds, and that looking changes nothing.

use hamq_core::ErrorKind;
use hamq_core::queue::message::{Message, MessageId};
use hamq_core::queue::request::{Reply, Request, Select, Take, Transaction};
use uuid::Uuid;

use crate::store::*;

fn at(store: &mut Store, select: Select) -> String {
    body(&store.one(ANN, peek("q", select)))
}

fn with_priority(body: &str, priority: u8) -> Message {
    let mut message = Message::new(body);
    message.priority = priority;
    message
}

#[test]
fn the_highest_priority_comes_first_and_within_it_the_earliest() {
    let mut store = Store::new();
    store.create("q", false);
    for (body, priority) in [("a", 3), ("b", 0), ("c", 7), ("d", 3), ("e", 7)] {
        store.send("q", with_priority(body, priority));
    }
    assert_eq!(store.bodies("q"), ["c", "e", "a", "d", "b"]);
    assert_eq!(at(&mut store, Select::First), "c");
    assert_eq!(at(&mut store, Select::Last), "b");
}

#[test]
fn next_and_previous_step_over_what_is_held_and_what_is_gone() {
    let mut store = Store::new();
    store.create("q", false);
    let ids = store.send_all("q", &["a", "b", "c", "d", "e"]);
    store.must(BOB, take("q", Select::LookupId(ids[1]), Take::Lease(1000)));
    store.must(BOB, take("q", Select::LookupId(ids[3]), Take::Remove));
    assert_eq!(at(&mut store, Select::After(ids[0])), "c");
    assert_eq!(at(&mut store, Select::After(ids[2])), "e");
    assert_eq!(at(&mut store, Select::Before(ids[4])), "c");
    assert_eq!(at(&mut store, Select::Before(ids[2])), "a");
    store.refused(
        ANN,
        peek("q", Select::After(ids[4])),
        ErrorKind::ReceiveTimeout,
    );
    for nothing in [Select::Before(ids[0]), Select::Before(0)] {
        store.refused(ANN, peek("q", nothing), ErrorKind::MessageNotFound);
    }
    store.refused(
        ANN,
        peek("q", Select::After(u64::MAX)),
        ErrorKind::ReceiveTimeout,
    );
}

#[test]
fn a_place_tells_whether_its_message_is_there_held_or_gone() {
    let mut store = Store::new();
    store.create("q", false);
    let ids = store.send_all("q", &["a", "b"]);
    assert_eq!(at(&mut store, Select::LookupId(ids[1])), "b");
    store.must(BOB, take("q", Select::LookupId(ids[0]), Take::Lease(1000)));
    let held = peek("q", Select::LookupId(ids[0]));
    store.refused(ANN, held, ErrorKind::MessageAlreadyReceived);
    store.must(BOB, take("q", Select::LookupId(ids[1]), Take::Remove));
    let gone = peek("q", Select::LookupId(ids[1]));
    store.refused(ANN, gone, ErrorKind::MessageNotFound);
    store.refused(
        ANN,
        peek("q", Select::LookupId(0)),
        ErrorKind::MessageNotFound,
    );
    store.refused(ANN, peek("q", Select::Last), ErrorKind::MessageNotFound);
}

#[test]
fn a_message_is_found_by_its_id_and_no_other_managers_id_finds_it() {
    let mut store = Store::new();
    store.create("q", false);
    store.send_all("q", &["a", "b", "c"]);
    let b = store.messages("q")[1].clone();
    assert_eq!(at(&mut store, Select::Id(b.id)), "b");
    let foreign = MessageId {
        manager: Uuid::from_u128(5),
        ordinal: b.id.ordinal,
    };
    store.refused(
        ANN,
        peek("q", Select::Id(foreign)),
        ErrorKind::MessageNotFound,
    );
    store.must(BOB, take("q", Select::Id(b.id), Take::Lease(1000)));
    let held = peek("q", Select::Id(b.id));
    store.refused(ANN, held.clone(), ErrorKind::MessageAlreadyReceived);
    store.pass(1000);
    assert_eq!(body(&store.one(ANN, held.clone())), "b");
    store.crash();
    assert_eq!(body(&store.one(ANN, held)), "b");
}

#[test]
fn a_correlation_id_finds_the_first_available_of_its_messages() {
    let mut store = Store::new();
    store.create("q", false);
    for (body, id, priority) in [("a", 1, 3), ("b", 2, 3), ("c", 1, 3), ("d", 1, 7)] {
        let mut message = with_priority(body, priority);
        message.correlation_id = correlation(id);
        store.send("q", message);
    }
    store.send("q", Message::new("none"));
    let one = Select::Correlation(correlation(1));
    assert_eq!(at(&mut store, one), "d");
    store.must(BOB, take("q", one, Take::Lease(5000)));
    assert_eq!(body(&store.one(ANN, take("q", one, Take::Remove))), "a");
    store.crash();
    assert_eq!(at(&mut store, one), "d");
    store.must(ANN, take("q", one, Take::Remove));
    assert_eq!(body(&store.one(ANN, take("q", one, Take::Remove))), "c");
    store.refused(ANN, peek("q", one), ErrorKind::ReceiveTimeout);
    assert_eq!(at(&mut store, Select::Correlation(correlation(2))), "b");
}

#[test]
fn all_ids_find_their_message_in_a_long_queue() {
    let mut store = Store::with_snapshots(4096);
    store.create("q", false);
    for n in 0..600 {
        let mut message = with_priority(&n.to_string(), (n % 8) as u8);
        message.correlation_id = correlation(n % 200);
        store.send("q", message);
    }
    store.reopen();
    let all = store.messages("q");
    assert_eq!(all.len(), 600);
    for (place, message) in all.iter().enumerate().step_by(7) {
        let expected = body(message);
        assert_eq!(at(&mut store, Select::Id(message.id)), expected);
        assert_eq!(
            at(&mut store, Select::LookupId(message.lookup_id)),
            expected
        );
        if let Some(next) = all.get(place + 1) {
            assert_eq!(at(&mut store, Select::After(message.lookup_id)), body(next));
            assert_eq!(at(&mut store, Select::Before(next.lookup_id)), expected);
        }
    }
    for n in 0..200 {
        let wanted = correlation(n);
        let mine = |m: &&hamq_core::queue::message::Received| {
            m.message().unwrap().correlation_id == wanted
        };
        let first = body(all.iter().find(mine).unwrap());
        assert_eq!(at(&mut store, Select::Correlation(wanted)), first);
    }
}

#[test]
fn a_lot_is_bounded_by_count_and_by_bytes_but_has_at_least_one() {
    let mut store = Store::new();
    store.create("q", false);
    let large = "x".repeat(1000);
    store.send_all("q", &[&large, &large, &large, "small"]);
    let lot = |count_max, bytes_max, after| Request::ReceiveMany {
        queue: "q".into(),
        after,
        take: Take::Peek,
        count_max,
        bytes_max,
        timeout_ms: 0,
        transaction: Transaction::None,
    };
    let mut count = |request| match store.must(ANN, request) {
        Reply::Messages(all) => all.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(count(lot(2, u32::MAX, 0)), 2);
    assert_eq!(count(lot(0, u32::MAX, 0)), 1);
    assert_eq!(count(lot(100, 0, 0)), 1);
    assert_eq!(count(lot(100, 2500, 0)), 2);
    assert_eq!(count(lot(u32::MAX, u32::MAX, 0)), 4);
    let second = store.messages("q")[1].lookup_id;
    let mut count = |request| match store.must(ANN, request) {
        Reply::Messages(all) => all.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(count(lot(100, u32::MAX, second)), 2);
}

#[test]
fn looking_changes_nothing_not_even_over_a_crash() {
    let mut store = Store::new();
    store.create_with("q", |properties| properties.journal = true);
    store.send_all("q", &["a", "b", "c"]);
    let before = (store.messages("q"), store.status("q"));
    for _ in 0..3 {
        for select in [Select::First, Select::Last, Select::After(0)] {
            store.must(BOB, peek("q", select));
        }
        store.must(BOB, many("q", Take::Peek, 10, Transaction::None));
    }
    assert_eq!((store.messages("q"), store.status("q")), before);
    store.crash();
    assert_eq!((store.messages("q"), store.status("q")), before);
    assert_eq!(before.1.journal_message_count, 0);
}

#[test]
fn a_peek_in_a_transaction_holds_nothing() {
    let mut store = Store::new();
    store.create("q", true);
    store.send_all("q", &["a"]);
    let transaction = store.begin(ANN, 1);
    let look = Request::Receive {
        queue: "q".into(),
        select: Select::First,
        take: Take::Peek,
        timeout_ms: 0,
        transaction,
    };
    store.must(ANN, look);
    assert_eq!(body(&store.one(BOB, receive("q", Transaction::None))), "a");
    store.must(ANN, commit(1));
    assert!(store.bodies("q").is_empty());
}
