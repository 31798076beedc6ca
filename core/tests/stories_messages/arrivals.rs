//! Delays, quotas, idempotency keys, large bodies, express messages.

use hamq_core::ErrorKind;
use hamq_core::queue::message::{Delivery, Message};
use hamq_core::queue::request::{
    BodyId, BodySource, MachineProperties, PrivacyLevel, Reply, Request, Take, Transaction,
    TransactionId,
};

use crate::world::*;

fn delayed(body: &str, seconds: u64, priority: u8) -> Message {
    message(body, |m| {
        m.delay_ms = seconds * 1000;
        m.priority = priority;
    })
}

fn keyed(body: &str, key: &str) -> Message {
    message(body, |m| m.idempotency_key = key.into())
}

fn express(body: &str) -> Message {
    message(body, |m| m.delivery = Delivery::Express)
}

#[test]
fn a_delayed_message_comes_when_it_is_due_and_then_by_its_priority() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create("q");
        world.send("q", &delayed("low", 10, 1)).unwrap();
        world.send("q", &delayed("high", 20, 6)).unwrap();
        world.send("q", &delayed("now", 0, 3)).unwrap();
        assert_eq!(world.bodies("q"), ["now"]);
        let status = world.status("q");
        assert_eq!((status.message_count, status.delayed_count), (3, 2));
        world.restart(restart);
        world.advance(9);
        assert_eq!(world.bodies("q"), ["now"]);
        world.advance(1);
        assert_eq!(world.bodies("q"), ["now", "low"]);
        world.restart(restart);
        world.advance(10);
        assert_eq!(world.bodies("q"), ["high", "now", "low"]);
        assert_eq!(world.status("q").delayed_count, 0);
    }
}

#[test]
fn a_delay_in_a_transaction_counts_from_its_sending() {
    let mut world = World::new();
    world.create_transactional("t");
    world.begin(1);
    world.send_in(1, "t", &delayed("m", 10, 3)).unwrap();
    world.advance(4);
    world.commit(1).unwrap();
    assert_eq!(world.status("t").delayed_count, 1);
    world.restart(Restart::Crash);
    world.advance(6);
    assert_eq!(world.bodies("t"), ["m"]);
}

#[test]
fn a_full_queue_refuses_what_does_not_fit_until_something_leaves() {
    let mut world = World::new();
    world.create_with("q", |p| p.quota_bytes = 20);
    let ten = message("0123456789", |_| {});
    world.send("q", &ten).unwrap();
    world.send("q", &ten).unwrap();
    let error = world.send("q", &message("x", |_| {})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InsufficientResources);
    assert!(
        error.message.contains("queue q is full: 20 of 20 bytes"),
        "{error}"
    );
    assert!(error.hint.unwrap().contains("QueueQuota"));
    world.lease("q", 1000).unwrap();
    world.send("q", &ten).unwrap_err();
    world.advance(2);
    world.receive("q").unwrap();
    world.send("q", &ten).unwrap();
    assert_eq!(world.status("q").bytes_in_queue, 20);
}

#[test]
fn a_transaction_cannot_fill_a_queue_beyond_its_quota() {
    let mut world = World::new();
    world.create_with("t", |p| (p.transactional, p.quota_bytes) = (true, 20));
    let ten = message("0123456789", |_| {});
    world.begin(1);
    world.send_in(1, "t", &ten).unwrap();
    world.send_in(1, "t", &ten).unwrap();
    let error = world.send_in(1, "t", &ten).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InsufficientResources);
    world.commit(1).unwrap();
    assert_eq!(world.count("t"), 2, "what fitted is committed");
}

#[test]
fn the_machines_quota_is_that_of_all_queues_together() {
    let mut world = World::new();
    world.create("a");
    world.create("b");
    let properties = MachineProperties {
        quota_bytes: 15,
        ..Default::default()
    };
    world.ask(Request::SetMachine { properties }).unwrap();
    let ten = message("0123456789", |_| {});
    world.send("a", &ten).unwrap();
    let error = world.send("b", &ten).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InsufficientResources);
    assert!(error.message.contains("queue manager is full"), "{error}");
    assert!(error.hint.unwrap().contains("Set-MsmqQueueManager"));
    world.restart(Restart::Crash);
    world.send("b", &ten).unwrap_err();
    world.receive("a").unwrap();
    world.send("b", &ten).unwrap();
}

#[test]
fn a_message_with_a_known_key_is_the_first_one_again_also_when_the_queue_is_full() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create_with("q", |p| {
            (p.duplicate_window_ms, p.quota_bytes) = (60_000, 5);
        });
        let first = world.send("q", &keyed("first", "k")).unwrap();
        assert_eq!(world.send("q", &keyed("again", "k")).unwrap(), first);
        world.restart(restart);
        assert_eq!(world.send("q", &keyed("again", "k")).unwrap(), first);
        assert_eq!(world.bodies("q"), ["first"]);
        world.receive("q").unwrap();
        assert_eq!(world.send("q", &keyed("again", "k")).unwrap(), first);
        assert_eq!(world.count("q"), 0, "also after it was received");
        world.advance(61);
        assert_ne!(world.send("q", &keyed("later", "k")).unwrap(), first);
        assert_eq!(world.bodies("q"), ["later"]);
    }
}

#[test]
fn a_key_counts_within_a_transaction_and_between_two() {
    let mut world = World::new();
    world.create_transactional("t");
    world.begin(1);
    world.begin(2);
    for body in ["a", "b"] {
        world.send_in(1, "t", &keyed(body, "k")).unwrap();
        world.send_in(2, "t", &keyed(body, "k")).unwrap();
    }
    world.commit(1).unwrap();
    world.commit(2).unwrap();
    assert_eq!(world.bodies("t"), ["a"]);
    world.begin(3);
    world.send_in(3, "t", &keyed("c", "other")).unwrap();
    world.abort(3);
    world.send_alone("t", &keyed("d", "other")).unwrap();
    assert_eq!(world.bodies("t"), ["a", "d"], "an aborted send was none");
    world.restart(Restart::Crash);
    assert_eq!(world.bodies("t"), ["a", "d"]);
}

fn write(world: &mut World, user: &str, body: u64, bytes: &[u8]) {
    write_at(world, user, body, 0, bytes);
}

fn write_at(world: &mut World, user: &str, body: u64, offset: u64, bytes: &[u8]) {
    world.ask_as(user, part(body, offset, bytes)).unwrap();
}

fn part(body: u64, offset: u64, bytes: &[u8]) -> Request {
    Request::WriteBody {
        body: BodyId(body),
        offset,
        bytes: bytes.to_vec(),
    }
}

fn send_large(
    world: &mut World,
    queue: &str,
    body: u64,
    transaction: Transaction,
) -> hamq_core::Result<Reply> {
    world.ask(Request::Send {
        queue: queue.into(),
        message: message("", |m| m.label = "large".into()).encode(),
        transaction,
        body: Some(BodyId(body)),
    })
}

fn read(
    world: &mut World,
    source: BodySource,
    offset: u64,
    length: u32,
) -> hamq_core::Result<Vec<u8>> {
    match world.ask(Request::ReadBody {
        source,
        offset,
        length,
    })? {
        Reply::Bytes(bytes) => Ok(bytes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_large_body_is_written_and_read_in_parts() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create("q");
        for (offset, part) in [(0, "first "), (6, "second "), (13, "third")] {
            write_at(&mut world, OWNER, 1, offset, part.as_bytes());
        }
        send_large(&mut world, "q", 1, Transaction::None).unwrap();
        world.restart(restart);
        let status = world.status("q");
        assert_eq!((status.message_count, status.bytes_in_queue), (1, 18));
        let peeked = world.peek_all("q").remove(0);
        assert_eq!((peeked.body_bytes, peeked.body()), (18, &b""[..]));
        let source = BodySource::Message {
            queue: "q".into(),
            lookup_id: peeked.lookup_id,
        };
        assert_eq!(
            read(&mut world, source.clone(), 0, 100).unwrap(),
            b"first second third"
        );
        assert_eq!(read(&mut world, source.clone(), 4, 6).unwrap(), b"t seco");
        assert_eq!(read(&mut world, source.clone(), 18, 6).unwrap(), b"");
        assert_eq!(read(&mut world, source.clone(), u64::MAX, 6).unwrap(), b"");
        let id = world.next_id(OWNER);
        let take = receive("q", Take::Remove, Transaction::None);
        world.ask_with(OWNER, id, take).unwrap();
        let of_message = source;
        let source = BodySource::Received(id.sequence);
        let reading = Request::ReadBody {
            source: source.clone(),
            offset: 6,
            length: 6,
        };
        let mut unacknowledged = world.next_id(OWNER);
        unacknowledged.acknowledged = id.sequence;
        let reply = world
            .ask_with(OWNER, unacknowledged, reading.clone())
            .unwrap();
        assert_eq!(reply, Reply::Bytes(b"second".to_vec()));
        world.restart(restart);
        let mut unacknowledged = world.next_id(OWNER);
        unacknowledged.acknowledged = id.sequence;
        let reply = world.ask_with(OWNER, unacknowledged, reading).unwrap();
        assert_eq!(
            reply,
            Reply::Bytes(b"second".to_vec()),
            "until it is acknowledged"
        );
        assert_eq!(
            read(&mut world, of_message, 0, 100).unwrap_err().kind,
            ErrorKind::MessageNotFound
        );
        read(&mut world, source, 0, 1).unwrap_err();
    }
}

#[test]
fn a_large_body_is_sent_in_a_transaction_and_read_while_one_holds_it() {
    let mut world = World::new();
    world.create_transactional("t");
    world.begin(1);
    write(&mut world, OWNER, 1, b"large");
    send_large(&mut world, "t", 1, Transaction::In(TransactionId(1))).unwrap();
    world.commit(1).unwrap();
    world.begin(2);
    let held = world.receive_in(2, "t").unwrap();
    let source = BodySource::Message {
        queue: "t".into(),
        lookup_id: held.lookup_id,
    };
    assert_eq!(read(&mut world, source.clone(), 0, 10).unwrap(), b"large");
    world.abort(2);
    world.restart(Restart::Crash);
    assert_eq!(read(&mut world, source, 0, 10).unwrap(), b"large");
}

#[test]
fn a_body_belongs_to_one_message_and_to_who_wrote_it() {
    let mut world = World::new();
    world.create("q");
    write(&mut world, "alice", 1, b"hers");
    send_large(&mut world, "q", 1, Transaction::None).unwrap_err();
    write(&mut world, OWNER, 1, b"mine");
    send_large(&mut world, "q", 1, Transaction::None).unwrap();
    let error = send_large(&mut world, "q", 1, Transaction::None).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidParameter);
    write(&mut world, OWNER, 2, b"two");
    let two = Request::Send {
        queue: "q".into(),
        message: Message::new("one").encode(),
        transaction: Transaction::None,
        body: Some(BodyId(2)),
    };
    assert_eq!(
        world.ask(two).unwrap_err().kind,
        ErrorKind::IllegalPropertyValue
    );
}

#[test]
fn an_unfinished_body_goes_on_after_a_lost_connection_and_a_restart() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create("q");
        write(&mut world, OWNER, 1, b"one ");
        world.end_session(OWNER);
        world.advance(9 * 60);
        write_at(&mut world, OWNER, 1, 4, b"two ");
        world.advance(9 * 60);
        world.restart(restart);
        world.advance(9 * 60);
        write_at(&mut world, OWNER, 1, 8, b"three");
        send_large(&mut world, "q", 1, Transaction::None).unwrap();
        world.restart(restart);
        let lookup_id = world.peek_all("q")[0].lookup_id;
        let source = BodySource::Message {
            queue: "q".into(),
            lookup_id,
        };
        let whole = read(&mut world, source, 0, 100).unwrap();
        assert_eq!(whole, b"one two three");
    }
}

#[test]
fn a_body_whose_client_stays_away_is_dropped_and_never_goes_on_without_its_beginning() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create("q");
        write(&mut world, OWNER, 1, b"the beginning ");
        world.end_session(OWNER);
        world.restart(restart);
        world.advance(10 * 60 + 1);
        world.restart(restart);
        let error = world.ask(part(1, 14, b"and the end")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidParameter);
        assert!(error.message.contains("14"), "{error}");
        send_large(&mut world, "q", 1, Transaction::None).unwrap_err();
        assert_eq!(world.count("q"), 0);
    }
}

#[test]
fn a_body_that_is_given_up_is_gone_unless_a_transaction_uses_it() {
    let mut world = World::new();
    world.create_transactional("t");
    write(&mut world, OWNER, 1, b"given up");
    world.ask(part(1, 0, b"")).unwrap();
    write(&mut world, OWNER, 1, b"anew");
    world.begin(7);
    send_large(&mut world, "t", 1, Transaction::In(TransactionId(7))).unwrap();
    let error = world.ask(part(1, 0, b"")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidParameter);
    world.commit(7).unwrap();
    world.restart(Restart::Crash);
    assert_eq!(world.status("t").bytes_in_queue, 4);
}

#[test]
fn parts_and_unfinished_bodies_are_bounded() {
    let mut world = World::new();
    let part = |bytes: usize, body: u64| part(body, 0, &vec![0; bytes]);
    let kind = |reply: hamq_core::Result<Reply>| reply.unwrap_err().kind;
    assert_eq!(
        kind(world.ask(part(4 * 1024 * 1024 + 1, 1))),
        ErrorKind::IllegalPropertyValue
    );
    for body in 0..64 {
        world.ask(part(1, body)).unwrap();
    }
    assert_eq!(
        kind(world.ask(part(1, 64))),
        ErrorKind::InsufficientResources
    );
    world.ask(self::part(63, 1, b"2")).unwrap();
    world.ask_as("alice", part(1, 64)).unwrap();
}

#[test]
fn express_messages_are_lost_at_a_restart_and_the_others_keep_their_order() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create("q");
        for n in 0..3 {
            world.send("q", &express(&format!("express {n}"))).unwrap();
            world
                .send("q", &message(&format!("recoverable {n}"), |_| {}))
                .unwrap();
        }
        assert_eq!(
            world.bodies("q"),
            [
                "express 0",
                "recoverable 0",
                "express 1",
                "recoverable 1",
                "express 2",
                "recoverable 2"
            ]
        );
        assert_eq!(world.peek_all("q")[0].delivery, Delivery::Express);
        assert_eq!(world.status("q").message_count, 6);
        assert_eq!(body(&world.receive("q").unwrap()), "express 0");
        assert_eq!(body(&world.receive("q").unwrap()), "recoverable 0");
        let before = world.peek_all("q").last().unwrap().lookup_id;
        world.restart(restart);
        assert_eq!(world.bodies("q"), ["recoverable 1", "recoverable 2"]);
        world.send("q", &message("new", |_| {})).unwrap();
        let last = world.peek_all("q").pop().unwrap();
        assert!(last.lookup_id > before, "numbers are not given twice");
        assert_eq!(body(&last), "new");
    }
}

#[test]
fn a_message_of_a_transaction_is_never_express() {
    let mut world = World::new();
    world.create_transactional("t");
    world.send_alone("t", &express("m")).unwrap();
    world.restart(Restart::Crash);
    assert_eq!(world.peek_all("t")[0].delivery, Delivery::Recoverable);
}

#[test]
fn an_express_message_is_leased_moved_and_dies_like_others() {
    let mut world = World::new();
    world.create("q");
    for body in ["moved", "rejected", "purged"] {
        world.send("q", &express(body)).unwrap();
    }
    let lookup_id = world.peek_all("q")[0].lookup_id;
    world
        .ask(Request::Move {
            queue: "q".into(),
            lookup_id,
            to: "q;sub".into(),
            transaction: Transaction::None,
        })
        .unwrap();
    let lease = world.lease("q", 1000).unwrap().lease.unwrap();
    world
        .settle("q", lease, hamq_core::queue::request::Settle::Reject)
        .unwrap();
    world.lease("q", 1000).unwrap();
    world.purge("q");
    world.advance(2);
    assert_eq!(
        (world.bodies("q;sub"), world.bodies(DEAD), world.count("q")),
        (vec!["moved".into()], vec!["rejected".into()], 0)
    );
    world.restart(Restart::Crash);
    assert_eq!(
        (world.count("q;sub"), world.count(DEAD), world.count("q")),
        (0, 0, 0)
    );
    world.send("q", &message("goes on", |_| {})).unwrap();
}

#[test]
fn an_express_message_that_stopped_its_queue_does_not_stop_it_after_it_is_lost() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create_with("q", |p| {
            p.poison.receive_retry_count = 1;
            p.poison.retry_cycles_max = 0;
            p.poison.then = hamq_core::queue::request::PoisonTarget::Fault;
        });
        world.send("q", &express("poison")).unwrap();
        for _ in 0..2 {
            world.lease("q", 1000).unwrap();
            world.advance(2);
        }
        assert!(world.status("q").faulted.is_some());
        world.restart(restart);
        assert_eq!(world.status("q").faulted, None);
        world.send("q", &message("goes on", |_| {})).unwrap();
        assert_eq!(body(&world.receive("q").unwrap()), "goes on");
    }
}

#[test]
fn nothing_passes_for_signed_or_encrypted_that_nobody_has_signed_or_encrypted() {
    use hamq_core::queue::message::Security;
    let mut world = World::new();
    world.create("q");
    world.create_with("authentic", |p| p.authenticate = true);
    world.create_with("secret", |p| p.privacy = PrivacyLevel::Body);
    world.create_with("open", |p| p.privacy = PrivacyLevel::None);
    let with = |change: fn(&mut Security)| {
        message("x", |m| {
            let mut security = Security::default();
            change(&mut security);
            m.security = Some(Box::new(security));
        })
    };
    let connector = Some(uuid::Uuid::from_u128(7));
    let kind = |world: &mut World, queue: &str, message: &Message| {
        world.send(queue, message).map_err(|error| error.kind).err()
    };
    let forged = [
        with(|s| s.signature = b"forged".to_vec()),
        with(|s| s.authentication_level = 1),
        with(|s| s.privacy_level = 1),
    ];
    for message in &forged {
        for queue in ["q", "authentic", "secret", "open"] {
            let refused = kind(&mut world, queue, message);
            assert_eq!(refused, Some(ErrorKind::UnsupportedOperation), "{queue}");
        }
    }
    let mut signed = with(|s| s.signature = b"by a connector".to_vec());
    let mut encrypted = with(|s| s.privacy_level = 5);
    for message in [&mut signed, &mut encrypted] {
        message.security.as_mut().unwrap().connector_type = connector;
    }
    let denied = Some(ErrorKind::AccessDenied);
    assert_eq!(kind(&mut world, "q", &signed), None);
    assert_eq!(
        kind(&mut world, "authentic", &signed),
        denied,
        "not verified"
    );
    assert_eq!(kind(&mut world, "secret", &signed), denied, "not encrypted");
    assert_eq!(kind(&mut world, "secret", &encrypted), None);
    assert_eq!(kind(&mut world, "open", &encrypted), denied);
    let kept = world.receive("q").unwrap().message().unwrap().security;
    assert_eq!(kept.unwrap().signature, b"by a connector");
}

fn not_due(world: &mut World, queue: &str, after: u64, count_max: u32) -> Vec<(u64, String, u64)> {
    let request = Request::ListDelayed {
        queue: queue.into(),
        after,
        count_max,
        bytes_max: 1000,
    };
    let Ok(Reply::Delayed(all)) = world.ask(request) else {
        panic!("no list of delayed messages");
    };
    let row = |d: &hamq_core::queue::request::DelayedMessage| {
        (d.due_ms, body(&d.message), d.message.lookup_id)
    };
    all.iter().map(row).collect()
}

fn move_to(world: &mut World, lookup_id: u64, from: &str, to: &str) {
    let (queue, to) = (from.into(), to.into());
    let transaction = Transaction::None;
    let request = Request::Move {
        queue,
        lookup_id,
        to,
        transaction,
    };
    world.ask(request).unwrap();
}

#[test]
fn what_is_not_due_is_seen_moved_and_purged() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create("q");
        for (body, seconds) in [("a", 30), ("b", 10), ("c", 20)] {
            world.send("q", &delayed(body, seconds, 3)).unwrap();
        }
        let all = not_due(&mut world, "q", 0, 9);
        let due: Vec<_> = all.iter().map(|d| (d.0 - all[1].0, d.1.as_str())).collect();
        assert_eq!(due, [(20_000, "a"), (0, "b"), (10_000, "c")]);
        assert_eq!(not_due(&mut world, "q", 0, 1), all[..1], "in lots");
        assert_eq!(not_due(&mut world, "q", all[0].2, 9), all[1..]);
        // Set aside, it waits there as long as it would have here.
        move_to(&mut world, all[1].2, "q", "q;aside");
        world.restart(restart);
        assert_eq!(not_due(&mut world, "q;aside", 0, 9)[0].0, all[1].0);
        world.advance(10);
        assert_eq!(world.bodies("q;aside"), ["b"]);
        world.purge("q");
        world.restart(restart);
        world.advance(60);
        assert_eq!(world.count("q"), 0);
        assert!(not_due(&mut world, "q", 0, 9).is_empty());
    }
}

#[test]
fn a_transaction_does_not_move_what_is_not_due() {
    let mut world = World::new();
    world.create_transactional("t");
    world.send_alone("t", &delayed("later", 10, 3)).unwrap();
    let lookup_id = not_due(&mut world, "t", 0, 9)[0].2;
    world.begin(1);
    let request = Request::Move {
        queue: "t".into(),
        lookup_id,
        to: "t;aside".into(),
        transaction: Transaction::In(TransactionId(1)),
    };
    let error = world.ask(request).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidState, "{error}");
    world.advance(10);
    assert_eq!(world.bodies("t"), ["later"]);
}
