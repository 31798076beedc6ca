//! Subqueues, and moves within a family and out of dead-letter queues and journals.

use hamq_core::ErrorKind;
use hamq_core::queue::message::{Lifetime, Message};
use hamq_core::queue::request::{QueueKind, Select, Take, Transaction};

use crate::store::*;

#[test]
fn a_move_keeps_the_message_and_counts_itself() {
    let mut store = Store::new();
    store.create("q", true);
    let mut message = Message::new("x");
    message.label = "label".into();
    message.correlation_id = correlation(1);
    let id = store.send("q", message);
    store.receive_and_abort("q", 1);
    let before = store.messages("q")[0].clone();
    assert_eq!(before.abort_count, 1);
    store.pass(5000);
    store.must(ANN, move_to("q", id, "Q;Work", Transaction::Single));
    for _ in 0..2 {
        let moved = store.messages("q;WORK")[0].clone();
        assert_eq!((moved.id, moved.lookup_id), (before.id, before.lookup_id));
        assert_eq!(moved.content, before.content);
        assert_eq!((moved.abort_count, moved.move_count), (0, 1));
        assert_eq!(moved.last_move_ms, moved.arrived_ms + 5000);
        let found = peek("q;work", Select::Correlation(correlation(1)));
        assert_eq!(store.one(ANN, found).id, before.id);
        store.crash();
    }
    // Between subqueues, and back.
    store.must(ANN, move_to("q;work", id, "q;other", Transaction::Single));
    store.must(ANN, move_to("q;other", id, "q", Transaction::Single));
    assert_eq!(store.messages("q")[0].move_count, 3);
    let status = store.status("q;work");
    assert_eq!(
        (status.kind, status.name.as_str()),
        (QueueKind::Subqueue, "q;Work")
    );
}

#[test]
fn a_message_that_is_moved_back_is_in_its_old_place() {
    let mut store = Store::new();
    store.create("q", false);
    let ids = store.send_all("q", &["1", "2", "3"]);
    store.must(ANN, move_to("q", ids[0], "q;x", Transaction::None));
    store.must(ANN, move_to("q;x", ids[0], "q", Transaction::None));
    store.crash();
    assert_eq!(store.bodies("q"), ["1", "2", "3"]);
}

#[test]
fn only_the_family_moves() {
    let mut store = Store::new();
    store.create("q", false);
    store.create("qq", false);
    let ids = store.send_all("q", &["1"]);
    store.send_all("qq", &["2"]);
    let kinds = [
        ("qq", ErrorKind::UnsupportedFormatNameOperation),
        ("qq;x", ErrorKind::UnsupportedFormatNameOperation),
        ("q;JOURNAL", ErrorKind::UnsupportedFormatNameOperation),
        (
            "system$;DEADLETTER",
            ErrorKind::UnsupportedFormatNameOperation,
        ),
        ("none", ErrorKind::UnsupportedFormatNameOperation),
        ("q", ErrorKind::InvalidParameter),
        ("q;xactonly", ErrorKind::IllegalQueuePathName),
        ("q;DeadXact", ErrorKind::IllegalQueuePathName),
        ("q;", ErrorKind::IllegalQueuePathName),
    ];
    for (to, kind) in kinds {
        store.refused(ANN, move_to("q", ids[0], to, Transaction::None), kind);
    }
    let longest = format!("q;{}", "s".repeat(31));
    store.must(ANN, move_to("q", ids[0], &longest, Transaction::None));
    let longer = format!("q;{}", "s".repeat(32));
    let too_long = move_to(&longest, ids[0], &longer, Transaction::None);
    store.refused(ANN, too_long, ErrorKind::IllegalQueuePathName);
    store.refused(
        ANN,
        move_to("q", 99, "q;x", Transaction::None),
        ErrorKind::MessageNotFound,
    );
    assert_eq!(store.bodies("q"), Vec::<String>::new());
}

#[test]
fn a_subqueue_is_read_but_not_sent_to() {
    let mut store = Store::new();
    store.create("q", false);
    let ids = store.send_all("q", &["1"]);
    let send = send("q;x", Message::new("no"), Transaction::None);
    store.refused(ANN, send.clone(), ErrorKind::QueueNotFound);
    store.must(ANN, move_to("q", ids[0], "q;x", Transaction::None));
    store.refused(ANN, send, ErrorKind::UnsupportedFormatNameOperation);
    store.refused(ANN, delete("q;x"), ErrorKind::InvalidState);
    let request = take("q;x", Select::First, Take::Remove);
    assert_eq!(body(&store.one(ANN, request)), "1");
    store.must(ANN, delete("q;x"));
    store.crash();
    store.refused(ANN, peek("q;x", Select::First), ErrorKind::QueueNotFound);
}

#[test]
fn a_move_of_a_transactional_queue_needs_a_transaction_and_of_another_none() {
    let mut store = Store::new();
    store.create("t", true);
    store.create("n", false);
    let (t, n) = (
        store.send_all("t", &["1"])[0],
        store.send_all("n", &["1"])[0],
    );
    let transaction = store.begin(ANN, 1);
    store.refused(
        ANN,
        move_to("t", t, "t;x", Transaction::None),
        ErrorKind::TransactionUsage,
    );
    store.refused(
        ANN,
        move_to("n", n, "n;x", Transaction::Single),
        ErrorKind::TransactionUsage,
    );
    store.refused(
        ANN,
        move_to("n", n, "n;x", transaction),
        ErrorKind::TransactionUsage,
    );
}

fn dead(store: &mut Store, queue: &str, body: &str) -> u64 {
    let mut message = Message::new(body);
    message.time_to_be_received = Lifetime(1);
    store.send(queue, message)
}

#[test]
fn dead_letters_go_back_to_a_queue() {
    let mut store = Store::new();
    store.create("n", false);
    store.create("t", true);
    let ids = [
        dead(&mut store, "n", "late"),
        dead(&mut store, "t", "late too"),
    ];
    store.pass(2000);
    assert!(store.bodies("n").is_empty());
    store.crash();
    let queues = ["system$;DEADLETTER", "system$;DEADXACT"];
    store.must(ANN, move_to(queues[0], ids[0], "n", Transaction::None));
    let transaction = store.begin(ANN, 1);
    store.must(ANN, move_to(queues[1], ids[1], "t", transaction));
    assert!(store.bodies("t").is_empty());
    store.must(ANN, commit(1));
    store.pass(2000);
    for _ in 0..2 {
        for (queue, expected) in [("n", "late"), ("t", "late too")] {
            let all = store.messages(queue);
            assert_eq!((all.len(), body(&all[0])), (1, expected.to_owned()));
            // It is a message of its queue again, not a dead letter.
            assert_eq!((all[0].class, all[0].destination.as_str()), (0, ""));
        }
        assert!(queues.iter().all(|queue| store.bodies(queue).is_empty()));
        store.crash();
    }
    let sub = move_to("system$;DEADLETTER", ids[0], "n;x", Transaction::None);
    assert!(store.ask(ANN, sub).is_err());
}

#[test]
fn a_dead_letter_that_fails_again_is_a_dead_letter_again() {
    let mut store = Store::new();
    store.create("t", true);
    let id = dead(&mut store, "t", "late");
    store.pass(2000);
    store.must(
        ANN,
        move_to("system$;DEADXACT", id, "t", Transaction::Single),
    );
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("t", transaction));
    store.must(ANN, reject("t", id, 1));
    store.must(ANN, commit(1));
    store.crash();
    let letter = &store.messages("system$;DEADXACT")[0];
    assert_eq!((letter.class, letter.destination.as_str()), (0xC004, "t"));
}

#[test]
fn what_is_received_from_a_subqueue_is_kept_in_the_journal_of_the_queue() {
    let mut store = Store::new();
    store.create_with("q", |properties| properties.journal = true);
    let ids = store.send_all("q", &["1"]);
    store.must(ANN, move_to("q", ids[0], "q;x", Transaction::None));
    store.must(ANN, take("q;x", Select::First, Take::Remove));
    store.crash();
    let copy = &store.messages("q;JOURNAL")[0];
    assert_eq!(
        (body(copy), copy.destination.as_str()),
        ("1".to_owned(), "q;x")
    );
}

#[test]
fn copies_of_one_message_do_not_meet_in_a_queue() {
    let mut store = Store::new();
    store.create_with("q", |properties| properties.journal = true);
    let mut message = Message::new("x");
    message.journal = hamq_core::queue::message::Journal::JOURNAL;
    let id = store.send("q", message);
    store.must(ANN, take("q", Select::First, Take::Remove));
    assert_eq!(store.bodies("q;JOURNAL"), ["x"]);
    assert_eq!(store.bodies("system$;JOURNAL"), ["x"]);
    store.must(ANN, move_to("system$;JOURNAL", id, "q", Transaction::None));
    let again = move_to("q;JOURNAL", id, "q", Transaction::None);
    store.refused(ANN, again, ErrorKind::InvalidParameter);
    // Received again, it has been journalled already.
    store.must(ANN, take("q", Select::First, Take::Remove));
    store.crash();
    assert_eq!(store.bodies("q;JOURNAL"), ["x"]);
    assert_eq!(store.status("q").message_count, 0);
}

#[test]
fn a_family_is_deleted_together() {
    let mut store = Store::new();
    store.create("q", false);
    store.create("q2", false);
    let ids = store.send_all("q", &["1", "2"]);
    store.send_all("q2", &["other"]);
    store.must(ANN, move_to("q", ids[0], "q;x", Transaction::None));
    let waiting = store.start(BOB, waits("q;y", Select::First, Take::Remove, 1));
    assert!(store.told(waiting).unwrap().is_err());
    let waiting = store.start(
        BOB,
        waits("q;JOURNAL", Select::First, Take::Remove, u64::MAX),
    );
    store.must(ANN, delete("q"));
    let gone = store.told(waiting).unwrap().unwrap_err();
    assert_eq!(gone.kind, ErrorKind::QueueDeleted);
    store.crash();
    for queue in ["q", "q;x", "q;JOURNAL"] {
        store.refused(ANN, peek(queue, Select::First), ErrorKind::QueueNotFound);
    }
    assert_eq!(store.bodies("q2"), ["other"]);
}
