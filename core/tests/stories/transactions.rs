//! Transactions over several queues: together or not at all, unseen until then, and back in place after an abort.

use hamq_core::ErrorKind;
use hamq_core::queue::message::{Acknowledge, Message};
use hamq_core::queue::request::{Request, Select, Take, Transaction};

use crate::store::*;

#[test]
fn sends_receives_moves_and_rejects_over_many_queues_happen_together() {
    let mut store = Store::new();
    for queue in ["a", "b", "c"] {
        store.create(queue, true);
    }
    let ids = store.send_all("a", &["received", "moved", "rejected", "left"]);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("a", transaction));
    store.must(ANN, move_to("a", ids[1], "a;later", transaction));
    store.must(ANN, receive_in("a", Select::LookupId(ids[2]), transaction));
    store.must(ANN, reject("a", ids[2], 1));
    store.must(ANN, send("b", Message::new("to b"), transaction));
    store.must(ANN, send("c", Message::new("to c"), transaction));
    // Nobody else sees any of it.
    assert_eq!(store.bodies("a"), ["left"]);
    assert_eq!(store.status("a").locked_count, 3);
    let elsewhere = ["b", "c", "a;later", "system$;DEADXACT"];
    for queue in elsewhere {
        assert!(store.bodies(queue).is_empty(), "{queue}");
    }
    store.must(ANN, commit(1));
    for _ in 0..2 {
        assert_eq!(store.bodies("a"), ["left"]);
        let there: Vec<_> = elsewhere.iter().flat_map(|q| store.bodies(q)).collect();
        assert_eq!(there, ["to b", "to c", "moved", "rejected"]);
        let dead = &store.messages("system$;DEADXACT")[0];
        assert_eq!((dead.class, dead.destination.as_str()), (0xC004, "a"));
        assert_eq!(store.status("a").locked_count, 0);
        store.crash();
    }
}

#[test]
fn an_abort_puts_everything_back_in_its_place() {
    let mut store = Store::new();
    store.create("a", true);
    store.create("b", true);
    let ids = store.send_all("a", &["1", "2", "3", "4"]);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive_in("a", Select::LookupId(ids[1]), transaction));
    store.must(ANN, receive("a", transaction));
    store.must(ANN, reject("a", ids[0], 1));
    store.must(ANN, move_to("a", ids[2], "a;later", transaction));
    store.must(ANN, send("b", Message::new("never"), transaction));
    store.send_all("a", &["5"]);
    store.must(ANN, abort(1));
    for _ in 0..2 {
        assert_eq!(store.bodies("a"), ["1", "2", "3", "4", "5"]);
        let counts = store.messages("a");
        let counts: Vec<_> = counts
            .iter()
            .map(|m| (m.abort_count, m.move_count))
            .collect();
        assert_eq!(counts, [(1, 0), (1, 0), (0, 0), (0, 0), (0, 0)]);
        for queue in ["b", "a;later", "system$;DEADXACT"] {
            assert!(store.bodies(queue).is_empty(), "{queue}");
        }
        store.crash();
    }
    store.refused(ANN, commit(1), ErrorKind::TransactionAborted);
}

#[test]
fn what_one_transaction_holds_no_other_gets() {
    let mut store = Store::new();
    store.create("q", true);
    let ids = store.send_all("q", &["1", "2", "3"]);
    let ann = store.begin(ANN, 1);
    let bob = store.begin(BOB, 1);
    assert_eq!(body(&store.one(ANN, receive("q", ann))), "1");
    assert_eq!(body(&store.one(BOB, receive("q", bob))), "2");
    let held = receive_in("q", Select::LookupId(ids[0]), bob);
    store.refused(BOB, held, ErrorKind::MessageAlreadyReceived);
    let held = move_to("q", ids[0], "q;x", bob);
    store.refused(BOB, held, ErrorKind::MessageAlreadyReceived);
    store.refused(BOB, reject("q", ids[0], 1), ErrorKind::MessageNotFound);
    // Nor does its own client move what it has received.
    let own = move_to("q", ids[0], "q;x", ann);
    store.refused(ANN, own, ErrorKind::MessageAlreadyReceived);
    store.must(ANN, abort(1));
    assert_eq!(store.bodies("q"), ["1", "3"]);
    store.must(BOB, commit(1));
    assert_eq!(store.bodies("q"), ["1", "3"]);
}

#[test]
fn abort_counts_are_kept_over_a_crash_and_a_restart() {
    let mut store = Store::new();
    store.create("q", true);
    store.send_all("q", &["1", "2"]);
    for n in 1..=5 {
        assert_eq!(store.receive_and_abort("q", n).abort_count, n as u32 - 1);
        match n % 2 {
            0 => store.crash(),
            _ => store.reopen(),
        }
    }
    // A crash while it is held is no abort of its reader's: the message is simply back.
    let transaction = store.begin(ANN, 9);
    store.must(ANN, receive("q", transaction));
    store.crash();
    let all = store.messages("q");
    let counts: Vec<_> = all.iter().map(|m| (body(m), m.abort_count)).collect();
    assert_eq!(counts, [("1".to_owned(), 5), ("2".to_owned(), 0)]);
}

#[test]
fn a_commit_after_a_queue_of_it_was_deleted_is_an_abort() {
    let mut store = Store::new();
    for queue in ["a", "b", "c"] {
        store.create(queue, true);
    }
    store.send_all("a", &["1"]);
    store.send_all("b", &["2"]);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("a", transaction));
    store.must(ANN, receive("b", transaction));
    store.must(ANN, send("c", Message::new("3"), transaction));
    store.must(BOB, delete("a"));
    store.refused(ANN, commit(1), ErrorKind::TransactionAborted);
    for _ in 0..2 {
        let back = store.messages("b");
        assert_eq!((back.len(), back[0].abort_count), (1, 1));
        assert!(store.bodies("c").is_empty());
        store.crash();
    }
    let transaction = store.begin(ANN, 2);
    store.must(ANN, receive("b", transaction));
    store.must(ANN, send("c", Message::new("3"), transaction));
    store.must(BOB, delete("c"));
    store.refused(ANN, commit(2), ErrorKind::TransactionAborted);
    assert_eq!(store.bodies("b"), ["2"]);
}

#[test]
fn a_queue_of_the_same_name_is_another_queue() {
    let mut store = Store::new();
    store.create("q", true);
    store.create("r", true);
    store.send_all("r", &["x"]);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("r", transaction));
    store.must(ANN, send("q", Message::new("to the old one"), transaction));
    store.must(BOB, delete("q"));
    store.create("q", true);
    store.refused(ANN, commit(1), ErrorKind::TransactionAborted);
    assert!(store.bodies("q").is_empty());
    assert_eq!(store.bodies("r"), ["x"]);
}

#[test]
fn an_acknowledgement_to_a_queue_that_was_deleted_meanwhile_is_dropped() {
    let mut store = Store::new();
    store.create("q", true);
    store.create("admin", false);
    let mut message = Message::new("x");
    message.acknowledge = Acknowledge(0xE);
    message.admin_queue = "admin".into();
    store.send("q", message);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("q", transaction));
    store.must(BOB, delete("admin"));
    store.must(ANN, commit(1));
    store.crash();
    assert!(store.bodies("q").is_empty());
}

#[test]
fn messages_of_one_transaction_know_which_is_its_first_and_its_last() {
    let mut store = Store::new();
    store.create("a", true);
    store.create("b", true);
    let transaction = store.begin(ANN, 1);
    for (queue, body) in [("a", "1"), ("b", "2"), ("a", "3")] {
        store.must(ANN, send(queue, Message::new(body), transaction));
    }
    store.must(ANN, commit(1));
    store.send_all("a", &["alone"]);
    for _ in 0..2 {
        let [a, b] = ["a", "b"].map(|queue| store.messages(queue));
        let sent = |m: &hamq_core::queue::message::Received| m.transaction.unwrap();
        let marks = [&a[0], &b[0], &a[1], &a[2]].map(|m| (sent(m).first, sent(m).last));
        assert_eq!(
            marks,
            [(true, false), (false, false), (false, true), (true, true)]
        );
        assert_eq!(sent(&a[0]).transaction, sent(&b[0]).transaction);
        assert_eq!(sent(&a[0]).transaction, sent(&a[1]).transaction);
        assert_ne!(sent(&a[0]).transaction, sent(&a[2]).transaction);
        store.crash();
    }
}

#[test]
fn a_session_that_ends_aborts_all_its_transactions_and_nobody_elses() {
    let mut store = Store::new();
    store.create("q", true);
    store.send_all("q", &["1", "2", "3"]);
    for n in 1..=2 {
        let transaction = store.begin(ANN, n);
        store.must(ANN, receive("q", transaction));
    }
    let bob = store.begin(BOB, 1);
    store.must(BOB, receive("q", bob));
    store.end_session(ANN);
    assert_eq!(store.bodies("q"), ["1", "2"]);
    for n in 1..=2 {
        store.refused(ANN, commit(n), ErrorKind::TransactionAborted);
    }
    store.must(BOB, commit(1));
    store.crash();
    let counts: Vec<_> = store.messages("q").iter().map(|m| m.abort_count).collect();
    assert_eq!(counts, [1, 1]);
}

#[test]
fn a_commit_that_is_asked_again_after_a_crash_is_remembered() {
    let mut store = Store::new();
    store.create("q", true);
    store.send_all("q", &["1"]);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("q", transaction));
    store.must(ANN, send("q", Message::new("2"), transaction));
    store.must(ANN, commit(1));
    store.crash();
    store.again(ANN).unwrap();
    assert_eq!(store.bodies("q"), ["2"]);
}

#[test]
fn a_transaction_that_does_nothing_commits() {
    let mut store = Store::new();
    store.begin(ANN, 1);
    store.must(ANN, commit(1));
    store.refused(ANN, commit(1), ErrorKind::TransactionAborted);
    store.refused(ANN, abort(2), ErrorKind::TransactionAborted);
    store.begin(ANN, 3);
    let transaction = hamq_core::queue::request::TransactionId(3);
    store.refused(
        ANN,
        Request::Begin { transaction },
        ErrorKind::InvalidRequest,
    );
}

#[test]
fn an_impossible_move_is_refused_when_it_is_asked_for() {
    let mut store = Store::new();
    store.create("q", true);
    store.create("other", true);
    let ids = store.send_all("q", &["1"]);
    let transaction = store.begin(ANN, 1);
    for to in [
        "q;deadletter",
        "q;a+b",
        "q;",
        "q;JOURNAL",
        "q",
        "Q",
        "other",
        "none",
        "q;a;b",
    ] {
        let asked = store.ask(ANN, move_to("q", ids[0], to, transaction));
        assert!(asked.is_err(), "{to}: {asked:?}");
    }
    let long = format!("q;{}", "x".repeat(32));
    assert!(
        store
            .ask(ANN, move_to("q", ids[0], &long, transaction))
            .is_err()
    );
    assert_eq!(store.bodies("q"), ["1"]);
    store.must(ANN, commit(1));
    assert_eq!(store.bodies("q"), ["1"]);
}

#[test]
fn a_move_to_a_queue_that_was_deleted_meanwhile_aborts() {
    let mut store = Store::new();
    store.create("q", false);
    store.create("to", false);
    let mut message = Message::new("late");
    message.time_to_be_received = hamq_core::queue::message::Lifetime(1);
    let id = store.send("q", message);
    store.pass(2000);
    assert_eq!(store.bodies("system$;DEADLETTER"), ["late"]);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, move_to("system$;DEADLETTER", id, "to", transaction));
    store.must(BOB, delete("to"));
    store.refused(ANN, commit(1), ErrorKind::TransactionAborted);
    assert_eq!(store.bodies("system$;DEADLETTER"), ["late"]);
}

#[test]
fn a_receive_outside_of_the_transaction_is_at_once() {
    let mut store = Store::new();
    store.create("q", true);
    store.send_all("q", &["1", "2"]);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("q", transaction));
    assert_eq!(
        body(&store.one(ANN, receive("q", Transaction::Single))),
        "2"
    );
    store.must(ANN, abort(1));
    store.crash();
    assert_eq!(store.bodies("q"), ["1"]);
    let request = take("q", Select::First, Take::Remove);
    assert_eq!(body(&store.one(ANN, request)), "1");
}
