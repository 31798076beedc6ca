//! The two phases for an outside coordinator: what is prepared survives everything until it is resolved.

use hamq_core::ErrorKind;
use hamq_core::queue::message::{Acknowledge, Message};
use hamq_core::queue::request::{PoisonTarget, Reply, Request, Select, Transaction};

use crate::store::*;

/// A store with a prepared transaction `b`: of queue a it received 1, moved 2, rejected 3; it sent 5 and 6 to b.
fn prepared(snapshot_bytes: u64) -> Store {
    let mut store = Store::with_snapshots(snapshot_bytes);
    store.create("a", true);
    store.create("b", true);
    let ids = store.send_all("a", &["1", "2", "3", "4"]);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("a", transaction));
    store.must(ANN, move_to("a", ids[1], "a;x", transaction));
    store.must(ANN, receive_in("a", Select::LookupId(ids[2]), transaction));
    store.must(ANN, reject("a", ids[2], 1));
    store.must(ANN, send("b", Message::new("5"), transaction));
    store.must(ANN, send("b", Message::new("6"), transaction));
    store.must(ANN, prepare(1, "b"));
    store
}

fn branches(store: &mut Store) -> usize {
    match store.must(ANN, Request::ListPrepared) {
        Reply::Branches(all) => all.len(),
        other => panic!("{other:?}"),
    }
}

fn held(store: &mut Store) {
    assert_eq!(store.bodies("a"), ["4"]);
    assert_eq!(store.status("a").locked_count, 3);
    assert!(store.bodies("b").is_empty());
    assert_eq!(branches(store), 1);
}

/// Every way in which the process may end in between.
fn endings() -> [fn(&mut Store); 4] {
    [
        |_| {},
        Store::crash,
        Store::reopen,
        |store| {
            store.end_session(ANN);
            store.reopen();
            store.crash();
        },
    ]
}

#[test]
fn a_prepared_transaction_commits_after_any_restart() {
    for before in endings() {
        for after in endings() {
            let mut store = prepared(4096);
            before(&mut store);
            held(&mut store);
            store.send_all("b", &["between"]);
            store.must(BOB, resolve("b", true));
            after(&mut store);
            assert_eq!(store.bodies("a"), ["4"]);
            assert_eq!(store.bodies("a;x"), ["2"]);
            assert_eq!(store.bodies("system$;DEADXACT"), ["3"]);
            assert_eq!(store.bodies("b"), ["between", "5", "6"]);
            assert_eq!(store.status("a").locked_count, 0);
            assert_eq!(branches(&mut store), 0);
            store.refused(BOB, resolve("b", true), ErrorKind::TransactionAborted);
        }
    }
}

#[test]
fn a_prepared_transaction_aborts_after_any_restart() {
    for before in endings() {
        for after in endings() {
            let mut store = prepared(4096);
            before(&mut store);
            held(&mut store);
            store.must(BOB, resolve("b", false));
            after(&mut store);
            assert_eq!(store.bodies("a"), ["1", "2", "3", "4"]);
            let counts: Vec<_> = store.messages("a").iter().map(|m| m.abort_count).collect();
            // What was moved was never received.
            assert_eq!(counts, [1, 0, 1, 0]);
            assert!(store.bodies("b").is_empty());
            assert!(store.bodies("system$;DEADXACT").is_empty());
            assert_eq!(branches(&mut store), 0);
            store.must(BOB, resolve("b", false));
        }
    }
}

#[test]
fn an_unknown_branch_aborts_and_does_not_commit() {
    let mut store = Store::new();
    store.must(ANN, resolve("never", false));
    store.refused(ANN, resolve("never", true), ErrorKind::TransactionAborted);
    store.begin(ANN, 1);
    store.refused(ANN, prepare(1, ""), ErrorKind::InvalidParameter);
    store.refused(
        ANN,
        prepare(1, &"x".repeat(129)),
        ErrorKind::InvalidParameter,
    );
    store.must(ANN, prepare(1, "b"));
    store.refused(ANN, commit(1), ErrorKind::TransactionAborted);
    store.begin(ANN, 2);
    store.refused(ANN, prepare(2, "b"), ErrorKind::InvalidRequest);
    store.must(ANN, commit(2));
    store.crash();
    store.must(ANN, resolve("b", true));
}

#[test]
fn a_resolution_that_is_asked_again_after_a_crash_is_remembered() {
    let mut store = prepared(1 << 20);
    store.must(BOB, resolve("b", true));
    store.crash();
    store.again(BOB).unwrap();
    assert_eq!(store.bodies("b"), ["5", "6"]);
}

#[test]
fn two_branches_keep_their_own_order_and_names() {
    let mut store = Store::new();
    store.create("q", true);
    for branch in ["x", "y"] {
        let transaction = store.begin(ANN, u64::from(branch.as_bytes()[0]));
        for n in 1..=2 {
            let message = Message::new(format!("{branch}{n}"));
            store.must(ANN, send("q", message, transaction));
        }
        store.must(ANN, prepare(u64::from(branch.as_bytes()[0]), branch));
    }
    store.crash();
    store.must(BOB, resolve("y", true));
    store.must(BOB, resolve("x", true));
    store.crash();
    assert_eq!(store.bodies("q"), ["y1", "y2", "x1", "x2"]);
    let sent = store.messages("q");
    let sent: Vec<_> = sent.iter().map(|m| m.transaction.unwrap()).collect();
    assert_eq!(sent[0].transaction, sent[1].transaction);
    assert_eq!(sent[2].transaction, sent[3].transaction);
    assert_ne!(sent[0].transaction, sent[2].transaction);
}

#[test]
fn acknowledgements_of_arrival_name_the_ids_that_were_given_at_last() {
    for two_phases in [false, true] {
        let mut store = Store::new();
        store.create("q", true);
        store.create("admin", false);
        let transaction = store.begin(ANN, 1);
        for body in ["1", "2"] {
            let mut message = Message::new(body);
            message.acknowledge = Acknowledge(1);
            message.admin_queue = "admin".into();
            store.must(ANN, send("q", message, transaction));
        }
        if two_phases {
            store.must(ANN, prepare(1, "b"));
            store.send_all("q", &["between"]);
            store.crash();
            store.must(ANN, resolve("b", true));
        } else {
            store.send_all("q", &["between"]);
            store.must(ANN, commit(1));
        }
        store.crash();
        let sent: Vec<_> = store.messages("q")[1..].iter().map(|m| m.id).collect();
        let told = store.messages("admin");
        let named: Vec<_> = told
            .iter()
            .map(|m| m.message().unwrap().correlation_id)
            .collect();
        assert_eq!(named, sent);
        for id in sent {
            store.must(ANN, peek("admin", Select::Correlation(id)));
        }
    }
}

#[test]
fn a_queue_that_is_purged_meanwhile_loses_what_does_not_commit() {
    for commit in [true, false] {
        for between in endings() {
            let mut store = prepared(2048);
            store.must(BOB, purge("a"));
            between(&mut store);
            assert_eq!(store.status("a").locked_count, 3);
            store.must(BOB, resolve("b", commit));
            store.crash();
            assert_eq!(store.status("a").message_count, 0);
            let moved: &[&str] = if commit { &["2"] } else { &[] };
            assert_eq!(store.bodies("a;x"), moved);
            assert_eq!(store.bodies("b").len(), if commit { 2 } else { 0 });
        }
    }
}

#[test]
fn a_queue_that_is_deleted_meanwhile_takes_its_part_with_it() {
    for commit in [true, false] {
        for between in endings() {
            for gone in ["a", "b"] {
                let mut store = prepared(2048);
                store.must(BOB, delete(gone));
                between(&mut store);
                store.must(BOB, resolve("b", commit));
                store.crash();
                assert_eq!(branches(&mut store), 0);
                let left = match gone {
                    "a" => store.bodies("b").len(),
                    _ => store.bodies("a").len(),
                };
                assert_eq!(
                    left,
                    [[4, 1], [0, 2]][usize::from(gone == "a")][usize::from(commit)]
                );
            }
        }
    }
}

#[test]
fn a_subqueue_that_a_branch_moves_to_stays() {
    let mut store = prepared(1 << 20);
    store.refused(BOB, delete("a;x"), ErrorKind::InvalidState);
    store.must(BOB, resolve("b", true));
    assert_eq!(store.bodies("a;x"), ["2"]);
}

#[test]
fn aborted_branches_are_attempts_of_the_poison_policy() {
    let mut store = Store::new();
    store.create_poison("q", 1, 0, PoisonTarget::Move);
    store.send_all("q", &["bad"]);
    for n in 1..=2 {
        let transaction = store.begin(ANN, n);
        store.must(ANN, receive("q", transaction));
        store.must(ANN, prepare(n, "b"));
        store.crash();
        store.must(ANN, resolve("b", false));
    }
    store.crash();
    assert_eq!(store.bodies("q;poison"), ["bad"]);
    assert_eq!(store.status("q").message_count, 0);
}

#[test]
fn who_waits_gets_what_a_branch_gives_back() {
    let mut store = Store::new();
    store.create("q", true);
    store.send_all("q", &["1"]);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("q", transaction));
    store.must(ANN, prepare(1, "b"));
    store.end_session(ANN);
    let mut wait = receive("q", Transaction::Single);
    if let Request::Receive { timeout_ms, .. } = &mut wait {
        *timeout_ms = u64::MAX;
    }
    let bob = store.start(BOB, wait);
    assert!(store.told(bob).is_none());
    store.must(ANN, resolve("b", false));
    assert!(store.told(bob).unwrap().is_ok());
}
