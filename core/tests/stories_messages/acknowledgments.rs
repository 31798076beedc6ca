//! What the administration queue hears of a message's fate.

use hamq_core::ErrorKind;
use hamq_core::queue::message::{Acknowledge, Delivery, Message, MessageId, Received};
use hamq_core::queue::request::{PoisonTarget, Reply, Request, Settle, Take, Transaction};

use crate::world::*;

const ALL: Acknowledge = Acknowledge(0xF);
const NOTHING: [u16; 0] = [];

fn told(body: &str, which: Acknowledge) -> Message {
    message(body, |m| {
        m.acknowledge = which;
        m.admin_queue = "admin".into();
        m.label = "an order".into();
        m.app_specific = 42;
        m.body_type = 8;
    })
}

fn world() -> World {
    let mut world = World::new();
    world.create("admin");
    world.create("q");
    world.create_transactional("t");
    world
}

fn id_of(reply: hamq_core::Result<Reply>) -> MessageId {
    match reply.unwrap() {
        Reply::Sent { id, .. } => id,
        other => panic!("{other:?}"),
    }
}

/// The only acknowledgement there is: of this class, about that message of that queue.
fn only(world: &mut World, class: u16, about: MessageId, queue: &str) -> Received {
    let mut all = world.peek_all("admin");
    assert_eq!(all.len(), 1, "{:x?}", classes(world));
    let one = all.remove(0);
    let message = one.message().unwrap();
    assert_eq!(one.class, class);
    assert_eq!(message.correlation_id, about);
    assert_eq!(message.response_queue, format!("vs1\\private$\\{queue}"));
    assert_eq!(
        (message.label.as_str(), message.app_specific),
        ("an order", 42)
    );
    assert_eq!(
        message.acknowledge,
        Acknowledge::NONE,
        "nobody is told of it"
    );
    let body = if class & 0x8000 == 0 { "" } else { "goods" };
    assert_eq!(
        super::world::body(&one),
        body,
        "negative ones give the body back"
    );
    one
}

fn classes(world: &mut World) -> Vec<u16> {
    world.peek_all("admin").iter().map(|m| m.class).collect()
}

#[test]
fn arrival_is_told_at_once_and_receipt_when_it_is_received() {
    for restart in RESTARTS {
        let mut world = world();
        let id = id_of(world.send("q", &told("goods", ALL)));
        only(&mut world, 0x0002, id, "q");
        world.restart(restart);
        let first = only(&mut world, 0x0002, id, "q");
        assert_eq!(first.delivery, Delivery::Recoverable);
        world.receive("admin").unwrap();
        assert_eq!(body(&world.receive("q").unwrap()), "goods");
        world.restart(restart);
        only(&mut world, 0x4000, id, "q");
    }
}

#[test]
fn only_what_was_asked_for_is_told() {
    let mut world = world();
    world
        .send("q", &told("a", Acknowledge::NEGATIVE_RECEIVE))
        .unwrap();
    world.receive("q").unwrap();
    world
        .send("q", &told("b", Acknowledge::POSITIVE_RECEIVE))
        .unwrap();
    world.purge("q");
    world.send("q", &told("c", Acknowledge::NONE)).unwrap();
    world.receive("q").unwrap();
    assert_eq!(classes(&mut world), NOTHING);
    world
        .send("q", &told("d", Acknowledge::POSITIVE_ARRIVAL))
        .unwrap();
    world.receive("q").unwrap();
    assert_eq!(classes(&mut world), [0x0002]);
}

#[test]
fn a_peek_tells_nobody() {
    let mut world = world();
    world
        .send("q", &told("goods", Acknowledge::FULL_RECEIVE))
        .unwrap();
    world
        .ask(receive("q", Take::Peek, Transaction::None))
        .unwrap();
    assert_eq!(classes(&mut world), NOTHING);
}

#[test]
fn a_transaction_tells_only_when_it_commits() {
    let mut world = world();
    world.begin(1);
    world.send_in(1, "t", &told("goods", ALL)).unwrap();
    assert_eq!(classes(&mut world), NOTHING);
    world.commit(1).unwrap();
    let id = world.peek_all("t")[0].id;
    only(&mut world, 0x0002, id, "t");
    world.purge("admin");
    world.begin(2);
    world.receive_in(2, "t").unwrap();
    world.abort(2);
    assert_eq!(classes(&mut world), NOTHING, "it was not received");
    world.begin(3);
    world.receive_in(3, "t").unwrap();
    assert_eq!(classes(&mut world), NOTHING);
    world.commit(3).unwrap();
    only(&mut world, 0x4000, id, "t");
}

#[test]
fn several_in_one_transaction_are_told_of_each() {
    let mut world = world();
    world.begin(1);
    for n in 0..3 {
        world.send_in(1, "t", &told(&n.to_string(), ALL)).unwrap();
    }
    world.commit(1).unwrap();
    let ids: Vec<_> = world.peek_all("t").iter().map(|m| m.id).collect();
    let told: Vec<_> = world
        .peek_all("admin")
        .iter()
        .map(|m| m.message().unwrap().correlation_id)
        .collect();
    assert_eq!(ids, told);
    assert_eq!(world.bodies("t"), ["0", "1", "2"]);
    world.restart(Restart::Crash);
    assert_eq!(
        world.peek_all("t").iter().map(|m| m.id).collect::<Vec<_>>(),
        told
    );
}

#[test]
fn a_deleted_queue_is_told_of_available_delayed_and_held_messages() {
    let mut world = world();
    let ids = [
        id_of(world.send("q", &told("goods", Acknowledge::NEGATIVE_RECEIVE))),
        id_of(world.send(
            "q",
            &message("goods", |m| {
                *m = told("goods", Acknowledge::NEGATIVE_RECEIVE);
                m.delay_ms = 60_000;
            }),
        )),
    ];
    world.lease("q", 60_000).unwrap();
    world.delete("q");
    assert_eq!(classes(&mut world), [0xC000, 0xC000]);
    let mut about: Vec<_> = world
        .peek_all("admin")
        .iter()
        .map(|m| m.message().unwrap().correlation_id)
        .collect();
    about.sort();
    assert_eq!(about, ids);
    assert_eq!(
        world.count(DEAD),
        0,
        "who deletes a queue wants its messages gone"
    );
}

#[test]
fn a_purge_is_told_and_gives_the_bodies_back() {
    for restart in RESTARTS {
        let mut world = world();
        let id = id_of(world.send("q", &told("goods", Acknowledge::NEGATIVE_RECEIVE)));
        world.purge("q");
        world.restart(restart);
        only(&mut world, 0xC001, id, "q");
        assert_eq!((world.count("q"), world.count(DEAD)), (0, 0));
    }
}

#[test]
fn a_purge_of_messages_that_are_not_due_is_told() {
    let mut world = world();
    let mut delayed = told("goods", Acknowledge::NEGATIVE_RECEIVE);
    delayed.delay_ms = 60_000;
    let id = id_of(world.send("q", &delayed));
    world.purge("q");
    only(&mut world, 0xC001, id, "q");
    assert_eq!(world.count("q"), 0);
}

#[test]
fn a_purge_of_many_large_messages_has_room_for_all_it_tells() {
    let mut world = world();
    let large = "x".repeat(10_000);
    for _ in 0..40 {
        world
            .send("q", &told(&large, Acknowledge::NEGATIVE_RECEIVE))
            .unwrap();
    }
    world.purge("q");
    world.restart(Restart::Crash);
    assert_eq!((world.count("admin"), world.count("q")), (40, 0));
    assert!(world.bodies("admin").iter().all(|body| *body == large));
}

#[test]
fn receiving_many_with_long_labels_has_room_for_all_it_tells() {
    let mut world = world();
    for _ in 0..200 {
        let mut long = told("goods", Acknowledge::POSITIVE_RECEIVE);
        long.label = "€".repeat(249);
        long.journal = hamq_core::queue::message::Journal::JOURNAL;
        world.send("q", &long).unwrap();
    }
    let request = Request::ReceiveMany {
        queue: "q".into(),
        after: 0,
        take: Take::Remove,
        count_max: 1000,
        bytes_max: u32::MAX,
        timeout_ms: 0,
        transaction: Transaction::None,
    };
    world.ask(request).unwrap();
    world.restart(Restart::Crash);
    assert_eq!((world.count("admin"), world.count("q")), (200, 0));
}

#[test]
fn a_message_that_expires_is_told() {
    for restart in RESTARTS {
        let mut world = world();
        let mut short = told("goods", Acknowledge::NACK_RECEIVE);
        short.time_to_be_received = hamq_core::queue::message::Lifetime(10);
        let id = id_of(world.send("q", &short));
        world.restart(restart);
        world.advance(11);
        only(&mut world, 0xC002, id, "q");
        assert_eq!(world.peek_all(DEAD)[0].class, 0xC002);
        world.restart(restart);
        only(&mut world, 0xC002, id, "q");
    }
}

#[test]
fn a_rejected_message_is_told_by_lease_transaction_and_poison() {
    let mut world = world();
    let id = id_of(world.send("q", &told("goods", Acknowledge::NACK_RECEIVE)));
    let lease = world.lease("q", 1000).unwrap().lease.unwrap();
    world.settle("q", lease, Settle::Reject).unwrap();
    only(&mut world, 0xC004, id, "q");
    world.purge("admin");

    let id = id_of(world.send_alone("t", &told("goods", Acknowledge::NACK_RECEIVE)));
    world.begin(1);
    let lookup_id = world.receive_in(1, "t").unwrap().lookup_id;
    let transaction = hamq_core::queue::request::TransactionId(1);
    let queue = "t".to_owned();
    world
        .ask(Request::Reject {
            transaction,
            queue,
            lookup_id,
        })
        .unwrap();
    world.commit(1).unwrap();
    only(&mut world, 0xC004, id, "t");
    world.purge("admin");

    world.create_with("p", |p| {
        p.poison.receive_retry_count = 1;
        p.poison.retry_cycles_max = 0;
        p.poison.then = PoisonTarget::Reject;
    });
    let id = id_of(world.send("p", &told("goods", Acknowledge::NACK_RECEIVE)));
    for _ in 0..2 {
        let lease = world.lease("p", 1000).unwrap().lease.unwrap();
        world.settle("p", lease, Settle::Release).unwrap();
    }
    only(&mut world, 0xC004, id, "p");
    assert_eq!((world.count(DEAD), world.count(DEAD_TRANSACTIONAL)), (2, 1));
}

#[test]
fn what_is_told_of_an_express_message_is_express_as_well() {
    let mut world = world();
    let mut express = told("goods", ALL);
    express.delivery = Delivery::Express;
    let id = id_of(world.send("q", &express));
    let ack = only(&mut world, 0x0002, id, "q");
    assert_eq!(ack.delivery, Delivery::Express);
    world.purge("admin");
    world.receive("q").unwrap();
    let ack = only(&mut world, 0x4000, id, "q");
    assert_eq!(ack.delivery, Delivery::Express);
    world.restart(Restart::Crash);
    assert_eq!(classes(&mut world), NOTHING);
}

#[test]
fn the_body_of_an_encrypted_message_is_not_given_back() {
    let mut world = world();
    let mut secret = told("cipher text", Acknowledge::NACK_RECEIVE);
    let security = hamq_core::queue::message::Security {
        privacy_level: 5,
        symmetric_key: vec![1; 32],
        connector_type: Some(uuid::Uuid::from_u128(1)),
        ..Default::default()
    };
    secret.security = Some(Box::new(security));
    world.send("q", &secret).unwrap();
    world.purge("q");
    assert_eq!(world.bodies("admin"), [""]);
}

#[test]
fn an_administration_queue_that_cannot_hear_is_refused_at_once() {
    let mut world = world();
    for (name, kind) in [
        ("nowhere", ErrorKind::QueueNotFound),
        ("other\\private$\\admin", ErrorKind::QueueNotFound),
        ("t", ErrorKind::IllegalPropertyValue),
        (DEAD, ErrorKind::QueueNotFound),
    ] {
        let mut lost = told("goods", ALL);
        lost.admin_queue = name.into();
        let error = world.send("q", &lost).unwrap_err();
        assert_eq!(error.kind, kind, "{name}: {error}");
        assert!(error.hint.is_some());
    }
    assert_eq!(world.count("q"), 0);
    for name in [
        "vs1\\private$\\admin",
        ".\\private$\\ADMIN",
        "DIRECT=OS:vs1\\private$\\admin",
    ] {
        let mut heard = told("goods", Acknowledge::POSITIVE_ARRIVAL);
        heard.admin_queue = name.into();
        world.send("q", &heard).unwrap();
        assert_eq!(classes(&mut world), [0x0002], "{name}");
        world.purge("admin");
    }
}

#[test]
fn an_administration_queue_that_is_gone_costs_nobody_a_message() {
    let mut world = world();
    world
        .send("q", &told("goods", Acknowledge::POSITIVE_RECEIVE))
        .unwrap();
    world.delete("admin");
    assert_eq!(body(&world.receive("q").unwrap()), "goods");
    world.restart(Restart::Crash);
    assert_eq!(world.count("q"), 0);
}

#[test]
fn a_prepared_transaction_tells_with_the_ids_that_its_messages_get() {
    for restart in RESTARTS {
        let mut world = world();
        world.send_alone("t", &told("0", ALL)).unwrap();
        world.purge("admin");
        world.begin(1);
        world.receive_in(1, "t").unwrap();
        for body in ["1", "2"] {
            world.send_in(1, "t", &told(body, ALL)).unwrap();
        }
        let branch = hamq_core::queue::request::BranchId(b"branch".to_vec());
        let transaction = hamq_core::queue::request::TransactionId(1);
        let prepare = Request::Prepare {
            transaction,
            branch: branch.clone(),
        };
        world.ask(prepare).unwrap();
        world.send_alone("t", &message("between", |_| {})).unwrap();
        world.restart(restart);
        assert_eq!(classes(&mut world), NOTHING);
        let commit = true;
        world.ask(Request::Resolve { branch, commit }).unwrap();
        world.restart(restart);
        assert_eq!(world.bodies("t"), ["between", "1", "2"]);
        let ids: Vec<_> = world.peek_all("t").iter().map(|m| m.id).collect();
        let about: Vec<_> = world.peek_all("admin")[1..]
            .iter()
            .map(|m| m.message().unwrap().correlation_id)
            .collect();
        assert_eq!(classes(&mut world), [0x4000, 0x0002, 0x0002]);
        assert_eq!(about, ids[1..]);
    }
}
