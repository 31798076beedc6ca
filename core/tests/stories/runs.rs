//! Sends that come together become one record, and nobody can tell.

use hamq_core::queue::message::{Acknowledge, Delivery, Journal, Message};
use hamq_core::queue::request::{Reply, Request, Transaction};
use hamq_core::{ErrorKind, Result};

use crate::chaos::Dice;
use crate::store::*;

/// What a reply says, without the store's GUID.
fn said(outcome: &Result<Reply>) -> std::result::Result<u64, ErrorKind> {
    match outcome {
        Ok(Reply::Sent { lookup_id, .. }) => Ok(*lookup_id),
        Ok(_) => Ok(0),
        Err(error) => Err(error.kind),
    }
}

fn queues(store: &mut Store) {
    store.create("plain", false);
    store.create("tx", true);
    store.create("admin", false);
    store.create_with("small", |p| p.quota_bytes = 300);
}

/// Mostly plain sends to one queue, and now and then anything that must not be part of a run.
fn anything(dice: &mut Dice, number: usize) -> Request {
    let mut message = Message::new(format!("{number} {}", "x".repeat(dice.roll(60))));
    let queue = dice.any(&[
        "plain", "plain", "plain", "plain", "tx", "tx", "small", "none",
    ]);
    let right = match queue {
        "tx" => Transaction::Single,
        _ => Transaction::None,
    };
    message.priority = dice.any(&[3, 3, 3, 7, 0]);
    match dice.roll(24) {
        0 => message.delivery = Delivery::Express,
        1 => message.idempotency_key = dice.any(&["k", "l"]).into(),
        2 => {
            message.admin_queue = r".\private$\admin".into();
            message.acknowledge = Acknowledge::FULL_REACH_QUEUE;
        }
        3 => message.journal = Journal::JOURNAL,
        4 => message.label = "l".repeat(1000),
        5 => message.delay_ms = 10_000,
        6 => message.time_to_be_received = hamq_core::queue::message::Lifetime(1),
        7 => return send(queue, message, Transaction::Single),
        8 => return receive(queue, right),
        _ => {}
    }
    send(queue, message, right)
}

fn everything(store: &mut Store) -> Vec<(String, u64, u16, String)> {
    let mut all = Vec::new();
    for queue in [
        "plain",
        "tx",
        "admin",
        "small",
        "system$;JOURNAL",
        "system$;DEADLETTER",
    ] {
        for message in store.messages(queue) {
            all.push((
                queue.to_owned(),
                message.lookup_id,
                message.class,
                body(&message),
            ));
        }
    }
    all
}

#[test]
fn a_burst_does_what_its_requests_do_one_by_one() {
    for seed in 1..=60 {
        let mut dice = Dice(seed * 0x9e37_79b9);
        let (mut together, mut alone) = (Store::new(), Store::new());
        queues(&mut together);
        queues(&mut alone);
        for round in 0..4 {
            let count = 1 + dice.roll(40);
            let requests: Vec<_> = (0..count)
                .map(|number| anything(&mut dice, 100 * round + number))
                .collect();
            let first = together.sequence(ANN) + 1;
            let told = together.burst(ANN, &requests);
            for (request, told) in requests.iter().zip(&told) {
                let expected = said(&alone.ask(ANN, request.clone()));
                assert_eq!(said(told), expected, "seed {seed}: {request:?}");
            }
            assert_eq!(
                everything(&mut together),
                everything(&mut alone),
                "seed {seed}"
            );
            if dice.roll(2) == 0 {
                let express = requests.iter().any(is_express);
                if !express {
                    together.crash();
                    alone.crash();
                }
                assert_eq!(
                    everything(&mut together),
                    everything(&mut alone),
                    "seed {seed}"
                );
            }
            assert!(first <= together.sequence(ANN));
            together.pass(1200);
            alone.pass(1200);
        }
    }
}

fn is_express(request: &Request) -> bool {
    matches!(request, Request::Send { message, .. }
        if message.head().unwrap().delivery == Delivery::Express)
}

#[test]
fn each_send_of_a_burst_is_remembered_across_a_crash_and_across_a_snapshot() {
    let mut store = Store::new();
    store.create("q", true);
    let requests: Vec<_> = (0..50)
        .map(|n| send("q", Message::new(format!("{n}")), Transaction::Single))
        .collect();
    let first = store.sequence(ANN) + 1;
    let told = store.burst(ANN, &requests);
    let ids: Vec<_> = told.iter().map(said).collect();
    assert!(ids.iter().all(Result::is_ok) && ids.is_sorted_by_key(|id| id.as_ref().ok().copied()));
    for again in 0..3 {
        match again {
            0 => {}
            1 => store.crash(),
            _ => store.reopen(),
        }
        // All of it, its end, and one in its middle beside a new one.
        let told = store.burst_again(ANN, first, &requests);
        assert_eq!(told.iter().map(said).collect::<Vec<_>>(), ids);
        let told = store.burst_again(ANN, first + 30, &requests[30..]);
        assert_eq!(told.iter().map(said).collect::<Vec<_>>(), ids[30..]);
    }
    let beyond = [requests[49].clone(), requests[0].clone()];
    let told = store.burst_again(ANN, first + 49, &beyond);
    assert_eq!(said(&told[0]), ids[49]);
    assert!(told[1].is_ok());
    assert_eq!(store.bodies("q").len(), 51, "only the second was new");
}

#[test]
fn a_burst_wakes_who_waits_and_reaches_nobody_before_it_is_durable() {
    let mut store = Store::new();
    store.create("q", false);
    let waits = |n| {
        (
            n,
            waits(
                "q",
                hamq_core::queue::request::Select::First,
                hamq_core::queue::request::Take::Remove,
                60_000,
            ),
        )
    };
    let readers: Vec<_> = [BOB, 3, 4].map(waits).into();
    let tickets: Vec<_> = readers
        .into_iter()
        .map(|(who, ask)| store.start(who, ask))
        .collect();
    let requests: Vec<_> = ["1", "2", "3", "4"]
        .map(|b| send("q", Message::new(b), Transaction::None))
        .into();
    assert!(store.burst(ANN, &requests).iter().all(Result::is_ok));
    let got = tickets
        .into_iter()
        .map(|ticket| match store.told(ticket).unwrap().unwrap() {
            Reply::Message(message) => body(&message),
            other => panic!("{other:?}"),
        });
    assert_eq!(got.collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!(store.bodies("q"), ["4"]);
}
