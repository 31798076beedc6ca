//! The poison policy to the letter: (1 + cycles) * (1 + retries) attempts, and then what the queue says.

use hamq_core::ErrorKind;
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{PoisonTarget, Select, Take, Transaction};

use crate::store::*;

/// Aborts receives until the message no longer comes back; gives how many.
fn attempts(store: &mut Store, crashing: bool) -> u64 {
    let mut count = 0;
    for n in 1..100 {
        if store.status("q").faulted.is_some() {
            break;
        }
        if store.bodies("q").is_empty() {
            store.pass(59_999);
            assert!(store.bodies("q").is_empty(), "it is back too early");
            store.pass(1);
            if store.bodies("q").is_empty() {
                break;
            }
        }
        store.receive_and_abort("q", n);
        count += 1;
        if crashing {
            store.crash();
        }
    }
    count
}

#[test]
fn a_message_is_tried_so_often_and_moved_to_poison() {
    for (retries, cycles) in [(5, 2), (1, 0), (2, 3), (1, 1)] {
        for crashing in [false, true] {
            let mut store = Store::with_snapshots(8192);
            store.create_poison("q", retries, cycles, PoisonTarget::Move);
            let id = store.send("q", Message::new("bad"));
            let tried = attempts(&mut store, crashing);
            assert_eq!(tried, u64::from((1 + cycles) * (1 + retries)));
            store.crash();
            let poison = store.messages("q;poison");
            assert_eq!(
                (body(&poison[0]), poison[0].lookup_id),
                ("bad".to_owned(), id)
            );
            // Counted since it entered the queue that it is in.
            assert_eq!(poison[0].abort_count, 0);
            // To retry and back for each cycle, and to poison.
            assert_eq!(poison[0].move_count, 2 * cycles + 1);
            assert_eq!(store.status("q").message_count, 0);
        }
    }
}

#[test]
fn the_retry_delay_counts_from_the_abort_and_goes_on_over_a_crash() {
    let mut store = Store::new();
    store.create_poison("q", 1, 1, PoisonTarget::Move);
    store.send_all("q", &["bad"]);
    // Nothing has happened for a day: that must not shorten the delay.
    store.receive_and_abort("q", 1);
    let transaction = store.begin(ANN, 2);
    store.must(ANN, receive("q", transaction));
    store.pass(24 * 60 * 60 * 1000);
    store.must(ANN, abort(2));
    assert!(store.bodies("q").is_empty());
    let retry = store.status("q;retry");
    assert_eq!((retry.message_count, retry.delayed_count), (1, 1));
    store.pass(30_000);
    store.crash();
    store.pass(29_999);
    assert!(store.bodies("q").is_empty());
    store.pass(1);
    let back = store.messages("q");
    assert_eq!(
        (back.len(), back[0].abort_count, back[0].move_count),
        (1, 0, 2)
    );
    store.crash();
    store.pass(0);
    assert_eq!(store.bodies("q"), ["bad"]);
    assert_eq!(store.status("q;retry").message_count, 0);
}

#[test]
fn fault_stops_the_queue_until_somebody_acts() {
    let mut store = Store::new();
    store.create_poison("q", 1, 0, PoisonTarget::Fault);
    let ids = store.send_all("q", &["bad", "good"]);
    assert_eq!(attempts(&mut store, false), 2);
    for _ in 0..2 {
        assert_eq!(store.status("q").faulted, Some(ids[0]));
        assert_eq!(store.bodies("q"), ["bad", "good"]);
        for blocked in [
            receive("q", Transaction::Single),
            receive_in("q", Select::Last, Transaction::Single),
            many("q", Take::Remove, 10, Transaction::Single),
            take("q", Select::First, Take::Lease(1000)),
        ] {
            store.refused(ANN, blocked, ErrorKind::InvalidState);
        }
        store.crash();
    }
    store.must(ANN, move_to("q", ids[0], "q;poison", Transaction::Single));
    assert_eq!(store.status("q").faulted, None);
    store.crash();
    assert_eq!(store.status("q").faulted, None);
    assert_eq!(
        body(&store.one(ANN, receive("q", Transaction::Single))),
        "good"
    );
}

#[test]
fn a_stopped_queue_gives_its_poisonous_message_to_who_names_it() {
    let mut store = Store::new();
    store.create_poison("q", 1, 0, PoisonTarget::Fault);
    let ids = store.send_all("q", &["bad", "good"]);
    attempts(&mut store, false);
    let named = |transaction| receive_in("q", Select::LookupId(ids[0]), transaction);
    let transaction = store.begin(ANN, 50);
    store.must(ANN, named(transaction));
    store.must(ANN, abort(50));
    assert_eq!(store.status("q").faulted, Some(ids[0]));
    store.must(ANN, named(Transaction::Single));
    assert_eq!(
        body(&store.one(ANN, receive("q", Transaction::Single))),
        "good"
    );
}

#[test]
fn a_purge_ends_the_stop() {
    let mut store = Store::with_snapshots(2048);
    store.create_poison("q", 1, 0, PoisonTarget::Fault);
    store.send_all("q", &["bad"]);
    attempts(&mut store, false);
    store.reopen();
    assert!(store.status("q").faulted.is_some());
    store.must(ANN, purge("q"));
    store.crash();
    assert_eq!(store.status("q").faulted, None);
}

#[test]
fn drop_deletes_and_reject_sends_to_the_dead_letters() {
    for (then, dead) in [(PoisonTarget::Drop, 0), (PoisonTarget::Reject, 1)] {
        let mut store = Store::new();
        store.create_poison("q", 1, 1, then);
        store.send_all("q", &["bad"]);
        assert_eq!(attempts(&mut store, true), 4);
        store.crash();
        let letters = store.messages("system$;DEADXACT");
        assert_eq!(letters.len(), dead);
        assert!(
            letters
                .iter()
                .all(|m| m.class == 0xC004 && m.destination == "q")
        );
        assert_eq!(store.status("q").message_count, 0);
        assert!(store.bodies("q;poison").is_empty());
    }
}

#[test]
fn many_transactions_of_one_session_send_all_their_messages_round() {
    let mut store = Store::new();
    for queue in ["q", "r"] {
        store.create_poison(queue, 1, 1, PoisonTarget::Move);
        store.send_all(queue, &["1", "2"]);
    }
    for round in 0..2 {
        for (n, queue) in ["q", "q", "r", "r"].into_iter().enumerate() {
            let transaction = store.begin(ANN, round * 10 + n as u64);
            store.must(ANN, receive(queue, transaction));
        }
        store.end_session(ANN);
    }
    for _ in 0..2 {
        for queue in ["q", "r"] {
            assert!(store.bodies(queue).is_empty());
            let retry = store.status(&format!("{queue};retry"));
            assert_eq!(
                (retry.message_count, retry.delayed_count),
                (2, 2),
                "{queue}"
            );
        }
        store.crash();
    }
    store.pass(60_000);
    assert_eq!(store.bodies("q"), ["1", "2"]);
    assert_eq!(store.bodies("r"), ["1", "2"]);
}

#[test]
fn a_message_that_others_wait_for_is_handed_on_after_each_abort() {
    let mut store = Store::new();
    store.create_poison("q", 2, 0, PoisonTarget::Move);
    store.send_all("q", &["bad"]);
    let transaction = store.begin(ANN, 1);
    store.must(ANN, receive("q", transaction));
    let bob = store.start(BOB, waits("q", Select::First, Take::Lease(1000), u64::MAX));
    store.must(ANN, abort(1));
    assert!(store.told(bob).unwrap().is_ok());
    store.pass(1000);
    assert_eq!(store.messages("q")[0].abort_count, 2);
    store.receive_and_abort("q", 2);
    assert_eq!(store.bodies("q;poison"), ["bad"]);
}

#[test]
fn no_policy_only_counts() {
    let mut store = Store::new();
    store.create("q", true);
    store.send_all("q", &["x"]);
    for n in 1..=30 {
        store.receive_and_abort("q", n);
    }
    assert_eq!(store.messages("q")[0].abort_count, 30);
}
