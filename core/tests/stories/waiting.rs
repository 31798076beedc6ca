//! Many who wait: first come first served, each message handed to one of them.

use std::time::Duration;

use hamq_core::ErrorKind;
use hamq_core::queue::message::{Message, Received};
use hamq_core::queue::request::{Reply, Request, Select, Take, Transaction};
use hamq_core::{Error, Result};

use crate::store::*;

fn wait(select: Select, how: Take) -> Request {
    waits("q", select, how, u64::MAX)
}

fn got(outcome: Option<Result<Reply>>) -> Vec<String> {
    match outcome {
        Some(Ok(Reply::Message(one))) => vec![body(&one)],
        Some(Ok(Reply::Messages(all))) => all.iter().map(body).collect(),
        Some(Err(error)) => panic!("{error:?}"),
        None | Some(Ok(_)) => Vec::new(),
    }
}

#[test]
fn a_hundred_who_wait_get_one_message_each_in_the_order_they_came() {
    let mut store = Store::new();
    store.create("q", false);
    let waiters: Vec<Ticket> = (0..100)
        .map(|n| store.start(10 + n, wait(Select::First, Take::Remove)))
        .collect();
    for n in 0..60 {
        store.send_all("q", &[&n.to_string()]);
    }
    for (n, waiter) in waiters.iter().enumerate() {
        let expected = if n < 60 {
            vec![n.to_string()]
        } else {
            Vec::new()
        };
        assert_eq!(got(store.told(*waiter)), expected);
    }
    assert_eq!(store.status("q").message_count, 0);
}

#[test]
fn a_lot_takes_what_there_is_and_the_next_gets_the_next() {
    let mut store = Store::new();
    store.create("q", true);
    let lot = |count_max| Request::ReceiveMany {
        queue: "q".into(),
        after: 0,
        take: Take::Remove,
        count_max,
        bytes_max: u32::MAX,
        timeout_ms: u64::MAX,
        transaction: Transaction::Single,
    };
    let waiters = [10, 11, 12].map(|client| store.start(client, lot(2)));
    let transaction = store.begin(ANN, 1);
    for body in ["1", "2", "3", "4", "5"] {
        store.must(ANN, send("q", Message::new(body), transaction));
    }
    assert!(waiters.iter().all(|w| got(store.told(*w)).is_empty()));
    store.must(ANN, commit(1));
    let all = waiters.map(|waiter| got(store.told(waiter)));
    assert_eq!(all, [vec!["1", "2"], vec!["3", "4"], vec!["5"]]);
}

#[test]
fn who_peeks_takes_nothing_from_who_waits_behind() {
    let mut store = Store::new();
    store.create("q", false);
    let peeks = [10, 11].map(|client| store.start(client, wait(Select::First, Take::Peek)));
    let taker = store.start(12, wait(Select::First, Take::Remove));
    let late = store.start(13, wait(Select::First, Take::Peek));
    store.send_all("q", &["x"]);
    for ticket in [peeks[0], peeks[1], taker] {
        assert_eq!(got(store.told(ticket)), ["x"]);
    }
    assert!(store.told(late).is_none());
}

#[test]
fn who_waits_for_another_message_does_not_hold_up_those_behind() {
    let mut store = Store::new();
    store.create("q", false);
    let mine = store.start(10, wait(Select::Correlation(correlation(1)), Take::Remove));
    let any = store.start(11, wait(Select::First, Take::Remove));
    store.send_all("q", &["for anybody"]);
    assert_eq!(got(store.told(any)), ["for anybody"]);
    let mut message = Message::new("mine");
    message.correlation_id = correlation(1);
    store.send("q", message);
    assert_eq!(got(store.told(mine)), ["mine"]);
}

#[test]
fn who_waits_behind_a_place_gets_what_comes_behind_it() {
    let mut store = Store::new();
    store.create("q", false);
    let ids = store.send_all("q", &["1", "2"]);
    let next = store.start(10, wait(Select::After(ids[1]), Take::Peek));
    let mut urgent = Message::new("urgent");
    urgent.priority = 7;
    store.send("q", urgent);
    assert!(store.told(next).is_none());
    store.send_all("q", &["3"]);
    assert_eq!(got(store.told(next)), ["3"]);
}

#[test]
fn a_wait_ends_with_its_time_and_nothing_is_taken_for_it() {
    let mut store = Store::new();
    store.create("q", false);
    let waiter = store.start(10, waits("q", Select::First, Take::Remove, 500));
    store.pass(499);
    assert!(store.told(waiter).is_none());
    store.pass(1);
    let error: Error = store.told(waiter).unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::ReceiveTimeout);
    store.send_all("q", &["x"]);
    assert_eq!(store.bodies("q"), ["x"]);
}

#[test]
fn who_asks_again_waits_once() {
    let mut store = Store::new();
    store.create("q", false);
    let first = store.start(10, wait(Select::First, Take::Remove));
    let second = store.start_again(10);
    let error = store.told(first).unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::OperationCancelled);
    store.send_all("q", &["1", "2"]);
    assert_eq!(got(store.told(second)), ["1"]);
    assert_eq!(store.bodies("q"), ["2"]);
}

#[test]
fn a_wait_in_a_transaction_holds_what_comes_for_it() {
    let mut store = Store::new();
    store.create("q", true);
    let transaction = store.begin(BOB, 1);
    let mut request = receive("q", transaction);
    if let Request::Receive { timeout_ms, .. } = &mut request {
        *timeout_ms = u64::MAX;
    }
    let bob = store.start(BOB, request);
    store.send_all("q", &["x"]);
    assert_eq!(got(store.told(bob)), ["x"]);
    assert_eq!(store.status("q").locked_count, 1);
    store.end_session(BOB);
    assert_eq!(store.bodies("q"), ["x"]);
}

#[test]
fn time_alone_brings_messages_to_who_waits() {
    let mut store = Store::new();
    store.create("q", false);
    let mut message = Message::new("later");
    message.delay_ms = 5000;
    store.send("q", message);
    let waiter = store.start(10, wait(Select::First, Take::Remove));
    store.clock.advance(Duration::from_millis(4999));
    assert!(store.told(waiter).is_none());
    store.clock.advance(Duration::from_millis(1));
    assert_eq!(got(store.told(waiter)), ["later"]);
}

#[test]
fn those_who_wait_on_one_queue_do_not_hear_of_another() {
    let mut store = Store::new();
    store.create("q", false);
    store.create("r", false);
    let q = store.start(10, wait(Select::First, Take::Remove));
    let r = store.start(11, waits("r", Select::First, Take::Remove, u64::MAX));
    store.send_all("r", &["for r"]);
    assert_eq!(got(store.told(r)), ["for r"]);
    assert!(store.told(q).is_none());
    let ids = store.send_all("r", &["moved"]);
    let sub = store.must(ANN, move_to("r", ids[0], "r;x", Transaction::None));
    assert_eq!(sub, Reply::Done);
    let r = store.start(12, waits("r", Select::First, Take::Remove, u64::MAX));
    store.must(ANN, move_to("r;x", ids[0], "r", Transaction::None));
    assert_eq!(got(store.told(r)), ["moved"]);
}

#[test]
fn a_stopped_queue_tells_who_waits() {
    let mut store = Store::new();
    let policy = hamq_core::queue::request::PoisonTarget::Fault;
    store.create_poison("q", 1, 0, policy);
    store.send_all("q", &["bad"]);
    store.receive_and_abort("q", 1);
    let transaction = store.begin(ANN, 2);
    let held: Received = store.one(ANN, receive("q", transaction));
    assert_eq!(held.abort_count, 1);
    let waiter = store.start(10, wait(Select::First, Take::Remove));
    store.must(ANN, abort(2));
    let error = store.told(waiter).unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidState);
}
