//! Dead letters, journals and lifetimes: what becomes of a message that is not simply received.

use hamq_core::ErrorKind;
use hamq_core::queue::message::{Delivery, Journal, Lifetime};
use hamq_core::queue::request::{
    MachineProperties, PoisonTarget, Request, Settle, Transaction, TransactionId,
};

use crate::world::*;

const BOTH: Journal = Journal(3);

fn short(body: &str) -> hamq_core::queue::message::Message {
    message(body, |m| m.time_to_be_received = Lifetime(10))
}

#[test]
fn an_expired_message_is_a_dead_letter_with_its_reason_and_destination() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create("q");
        world.create_transactional("t");
        world.send("q", &short("plain")).unwrap();
        world.send_alone("t", &short("transactional")).unwrap();
        world
            .send(
                "q",
                &message("unwanted", |m| {
                    *m = short("unwanted");
                    m.journal = Journal::NONE;
                }),
            )
            .unwrap();
        world.advance(9);
        assert_eq!((world.count("q"), world.count("t")), (2, 1), "not yet");
        world.restart(restart);
        world.advance(1);
        assert_eq!((world.count("q"), world.count("t")), (0, 0));
        world.restart(restart);
        for (queue, body, from) in [
            (DEAD, "plain", "q"),
            (DEAD_TRANSACTIONAL, "transactional", "t"),
        ] {
            let dead = world.peek_all(queue);
            assert_eq!(dead.len(), 1, "{queue}");
            assert_eq!(super::world::body(&dead[0]), body);
            assert_eq!(
                (dead[0].class, dead[0].destination.as_str()),
                (0xC002, from)
            );
        }
        world.advance(100);
        assert_eq!(world.count(DEAD), 1, "a dead letter does not die again");
    }
}

#[test]
fn what_expired_while_nothing_ran_is_never_handed_out() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create("q");
        world.send("q", &short("late")).unwrap();
        world.clock.advance(std::time::Duration::from_secs(11));
        world.restart(restart);
        assert_eq!(
            world.receive("q").unwrap_err().kind,
            ErrorKind::ReceiveTimeout
        );
        assert_eq!(world.bodies(DEAD), ["late"]);
    }
}

#[test]
fn a_lifetime_counts_from_the_sending_not_from_the_arrival() {
    let mut world = World::new();
    world.create("q");
    let now = hamq_core::sys::clock::Clock::wall_ms(&*world.clock);
    world
        .send(
            "q",
            &message("old", |m| {
                *m = short("old");
                m.sent_ms = now - 8_000;
            }),
        )
        .unwrap();
    world
        .send(
            "q",
            &message("ahead", |m| {
                *m = short("ahead");
                m.sent_ms = now + 1_000_000;
            }),
        )
        .unwrap();
    world.advance(3);
    assert_eq!(world.bodies("q"), ["ahead"]);
    world.advance(7);
    assert_eq!(
        world.count("q"),
        0,
        "a clock that is ahead gives no longer life"
    );
}

#[test]
fn more_messages_than_one_round_deals_with_expire_and_none_is_handed_out() {
    let mut world = World::new();
    world.create("q");
    for n in 0..1500 {
        world
            .send(
                "q",
                &message("", |m| {
                    *m = short(&n.to_string());
                    m.journal = Journal::NONE;
                }),
            )
            .unwrap();
    }
    world.send("q", &message("lives", |_| {})).unwrap();
    world.clock.advance(std::time::Duration::from_secs(11));
    assert_eq!(body(&world.receive("q").unwrap()), "lives");
    world.step();
    assert_eq!(world.count("q"), 0);
}

#[test]
fn a_held_message_expires_when_its_transaction_aborts_and_not_when_it_commits() {
    for commits in [true, false] {
        let mut world = World::new();
        world.create_transactional("t");
        world.send_alone("t", &short("m")).unwrap();
        world.begin(1);
        world.receive_in(1, "t").unwrap();
        world.advance(11);
        assert_eq!(
            world.count(DEAD_TRANSACTIONAL),
            0,
            "its fate is that of the transaction"
        );
        if commits {
            world.commit(1).unwrap();
        } else {
            world.abort(1);
            let error = world
                .receive_as(OWNER, "t", Transaction::Single)
                .unwrap_err();
            assert_eq!(
                error.kind,
                ErrorKind::ReceiveTimeout,
                "too late for anybody"
            );
        }
        world.step();
        world.restart(Restart::Crash);
        let dead = u64::from(!commits);
        assert_eq!(
            (world.count("t"), world.count(DEAD_TRANSACTIONAL)),
            (0, dead)
        );
    }
}

#[test]
fn a_leased_message_expires_when_the_lease_runs_out() {
    let mut world = World::new();
    world.create("q");
    world.send("q", &short("m")).unwrap();
    world.lease("q", 20_000).unwrap();
    world.advance(15);
    assert_eq!((world.count("q"), world.count(DEAD)), (1, 0));
    world.advance(6);
    assert_eq!((world.count("q"), world.count(DEAD)), (0, 1));
    world.restart(Restart::Crash);
    assert_eq!((world.count("q"), world.count(DEAD)), (0, 1));
}

#[test]
fn a_message_that_is_not_due_expires_all_the_same() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create("q");
        world
            .send(
                "q",
                &message("never due", |m| {
                    *m = short("never due");
                    m.delay_ms = 60_000;
                }),
            )
            .unwrap();
        world.restart(restart);
        world.advance(11);
        assert_eq!(
            (world.count("q"), world.bodies(DEAD)),
            (0, vec!["never due".into()])
        );
        world.restart(restart);
        world.advance(60);
        assert_eq!((world.count("q"), world.count(DEAD)), (0, 1));
    }
}

#[test]
fn a_message_expires_while_it_waits_for_its_next_retry_cycle() {
    let mut world = World::new();
    world.create_with("q", |p| {
        p.poison.receive_retry_count = 1;
        p.poison.retry_cycle_delay_ms = 60_000;
    });
    world.send("q", &short("m")).unwrap();
    for _ in 0..2 {
        let lease = world.lease("q", 1000).unwrap().lease.unwrap();
        world.settle("q", lease, Settle::Release).unwrap();
    }
    assert_eq!(world.count("q;retry"), 1);
    world.advance(61);
    assert_eq!((world.count("q"), world.count("q;retry")), (0, 0));
    assert_eq!(world.bodies(DEAD), ["m"]);
    world.restart(Restart::Crash);
    assert_eq!(world.count(DEAD), 1);
}

#[test]
fn a_rejected_or_poisonous_message_is_a_dead_letter() {
    let mut world = World::new();
    world.create_with("q", |p| {
        p.poison.receive_retry_count = 1;
        p.poison.retry_cycles_max = 0;
        p.poison.then = PoisonTarget::Reject;
    });
    world.send("q", &message("rejected", |_| {})).unwrap();
    let lease = world.lease("q", 1000).unwrap().lease.unwrap();
    world.settle("q", lease, Settle::Reject).unwrap();
    world.send("q", &message("poison", |_| {})).unwrap();
    for _ in 0..2 {
        world.lease("q", 1000).unwrap();
        world.advance(2);
    }
    assert_eq!(world.count(DEAD), 2);
    world.restart(Restart::Crash);
    assert_eq!(world.bodies(DEAD), ["rejected", "poison"]);
    assert!(
        world
            .peek_all(DEAD)
            .iter()
            .all(|m| m.class == 0xC004 && m.destination == "q")
    );
    assert_eq!(world.count("q"), 0);
}

#[test]
fn a_rejection_in_a_transaction_counts_only_if_it_commits() {
    for commits in [true, false] {
        let mut world = World::new();
        world.create_transactional("t");
        world.send_alone("t", &message("m", |_| {})).unwrap();
        world.begin(1);
        let lookup_id = world.receive_in(1, "t").unwrap().lookup_id;
        let transaction = TransactionId(1);
        let queue = "t".to_owned();
        world
            .ask(Request::Reject {
                transaction,
                queue,
                lookup_id,
            })
            .unwrap();
        if commits {
            world.commit(1).unwrap();
        } else {
            world.abort(1);
        }
        let expected = if commits { (0, 1) } else { (1, 0) };
        assert_eq!(
            (world.count("t"), world.count(DEAD_TRANSACTIONAL)),
            expected
        );
    }
}

#[test]
fn an_application_has_a_dead_letter_queue_of_its_own() {
    let mut world = World::new();
    world.create_transactional("t");
    world.create_transactional("mine");
    world.create("plain");
    let own = |name: &str| {
        message("m", |m| {
            *m = short("m");
            m.dead_letter_queue = name.into();
        })
    };
    world.send_alone("t", &own("mine")).unwrap();
    world.send_alone("t", &own(".\\private$\\mine")).unwrap();
    world.send_alone("mine", &own("mine")).unwrap();
    world.advance(11);
    assert_eq!(world.count("mine"), 2);
    assert!(
        world
            .peek_all("mine")
            .iter()
            .all(|m| m.class == 0xC002 && m.destination == "t")
    );
    assert_eq!(
        world.count(DEAD_TRANSACTIONAL),
        1,
        "a queue does not keep its own dead"
    );
    world.purge(DEAD_TRANSACTIONAL);
    world.send_alone("t", &own("mine")).unwrap();
    world.delete("mine");
    world.advance(11);
    assert_eq!(
        world.count(DEAD_TRANSACTIONAL),
        1,
        "the system's if it is gone"
    );
    for name in ["nowhere", "plain"] {
        let error = world.send_alone("t", &own(name)).unwrap_err();
        assert!(error.hint.is_some(), "{name}: {error}");
    }
    world.create_transactional("mine");
    let error = world.send("plain", &own("mine")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::IllegalPropertyValue, "{error}");
    let mut none = own("mine");
    none.journal = Journal::NONE;
    let error = world.send_alone("t", &none).unwrap_err();
    assert_eq!(error.kind, ErrorKind::IllegalPropertyValue, "{error}");
}

#[test]
fn a_queue_journals_what_is_received_from_it_and_nothing_else() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create_with("q", |p| p.journal = true);
        for body in ["received", "purged", "expired"] {
            let mut one = short(body);
            one.journal = Journal::NONE;
            world.send("q", &one).unwrap();
        }
        world.receive("q").unwrap();
        let lease = world.lease("q", 5_000).unwrap().lease.unwrap();
        world.settle("q", lease, Settle::Complete).unwrap();
        world.advance(11);
        world.restart(restart);
        assert_eq!(world.bodies("q;JOURNAL"), ["received", "purged"]);
        assert_eq!(world.status("q").journal_message_count, 2);
        let journalled = world.receive("q;JOURNAL").unwrap();
        assert_eq!(
            (journalled.class, journalled.destination.as_str()),
            (0, "q")
        );
        assert_eq!(world.count("q;JOURNAL"), 1, "nothing is journalled twice");
        world.restart(restart);
        assert_eq!(world.bodies("q;JOURNAL"), ["purged"]);
    }
}

#[test]
fn a_transactional_receive_is_journalled_when_it_commits() {
    let mut world = World::new();
    world.create_with("t", |p| (p.transactional, p.journal) = (true, true));
    world.send_alone("t", &message("m", |_| {})).unwrap();
    world.begin(1);
    world.receive_in(1, "t").unwrap();
    world.abort(1);
    assert_eq!(world.count("t;JOURNAL"), 0);
    world.begin(2);
    world.receive_in(2, "t").unwrap();
    world.commit(2).unwrap();
    world.restart(Restart::Crash);
    assert_eq!(
        (world.count("t"), world.bodies("t;JOURNAL")),
        (0, vec!["m".into()])
    );
}

#[test]
fn the_senders_copy_is_kept_at_arrival_or_of_a_transactional_message_at_receipt() {
    for restart in RESTARTS {
        let mut world = World::new();
        world.create("q");
        world.create_transactional("t");
        let kept = |body: &str| message(body, |m| m.journal = BOTH);
        world.send("q", &kept("plain")).unwrap();
        world.send_alone("t", &kept("transactional")).unwrap();
        world.restart(restart);
        assert_eq!(world.bodies(JOURNAL), ["plain"]);
        world.receive("q").unwrap();
        world.receive_as(OWNER, "t", Transaction::Single).unwrap();
        world.restart(restart);
        assert_eq!(world.bodies(JOURNAL), ["plain", "transactional"]);
        assert_eq!(world.peek_all(JOURNAL)[1].destination, "t");
    }
}

#[test]
fn an_express_message_is_journalled_in_memory_only() {
    let mut world = World::new();
    world.create_with("q", |p| p.journal = true);
    world
        .send(
            "q",
            &message("express", |m| {
                m.delivery = Delivery::Express;
                m.journal = BOTH;
            }),
        )
        .unwrap();
    assert_eq!(world.bodies(JOURNAL), ["express"]);
    world.receive("q").unwrap();
    assert_eq!(world.bodies("q;JOURNAL"), ["express"]);
    world.restart(Restart::Crash);
    assert_eq!((world.count(JOURNAL), world.count("q;JOURNAL")), (0, 0));
}

#[test]
fn a_full_journal_takes_no_more_and_stops_nobody() {
    let mut world = World::new();
    world.create_with("q", |p| (p.journal, p.journal_quota_bytes) = (true, 15));
    for _ in 0..3 {
        world
            .send("q", &message("0123456789", |m| m.journal = BOTH))
            .unwrap();
        world.receive("q").unwrap();
    }
    assert_eq!(
        (
            world.count("q"),
            world.count("q;JOURNAL"),
            world.count(JOURNAL)
        ),
        (0, 1, 3)
    );
    world.receive("q;JOURNAL").unwrap();
    world.purge(JOURNAL);
    let properties = MachineProperties {
        journal_quota_bytes: 15,
        ..Default::default()
    };
    world.ask(Request::SetMachine { properties }).unwrap();
    for _ in 0..3 {
        world
            .send("q", &message("0123456789", |m| m.journal = BOTH))
            .unwrap();
    }
    assert_eq!((world.count("q"), world.count(JOURNAL)), (3, 1));
}

#[test]
fn a_copy_does_not_come_to_where_the_message_is_already() {
    let mut world = World::new();
    world.create_with("q", |p| p.journal = true);
    world
        .send("q", &message("m", |m| m.journal = BOTH))
        .unwrap();
    let lookup_id = world.peek_all(JOURNAL)[0].lookup_id;
    let back = |from: &str| Request::Move {
        queue: from.into(),
        lookup_id,
        to: "q".into(),
        transaction: Transaction::None,
    };
    let error = world.ask(back(JOURNAL)).unwrap_err();
    assert!(error.hint.is_some(), "{error}");
    world.receive("q").unwrap();
    world.ask(back("q;JOURNAL")).unwrap();
    world.ask(back(JOURNAL)).unwrap_err();
    world.receive("q").unwrap();
    world.restart(Restart::Crash);
    assert_eq!(
        (
            world.count("q"),
            world.count("q;JOURNAL"),
            world.count(JOURNAL)
        ),
        (0, 1, 1)
    );
}

#[test]
fn a_message_that_was_too_long_on_its_way_is_refused() {
    let mut world = World::new();
    world.create("q");
    let now = hamq_core::sys::clock::Clock::wall_ms(&*world.clock);
    let late = |seconds: u32, age_ms: u64| {
        message("m", |m| {
            m.time_to_reach_queue = Lifetime(seconds);
            m.sent_ms = now - age_ms;
        })
    };
    world.send("q", &late(10, 10_000)).unwrap();
    world.send("q", &late(0, 10_000)).unwrap();
    let error = world.send("q", &late(10, 10_001)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
    assert!(error.hint.is_some());
    let properties = MachineProperties {
        long_live_seconds: 60,
        ..Default::default()
    };
    world.ask(Request::SetMachine { properties }).unwrap();
    let long = Lifetime::LONG_LIVED.0;
    world.send("q", &late(long, 60_000)).unwrap();
    world.send("q", &late(long, 60_001)).unwrap_err();
    assert_eq!(world.count("q"), 3);
}
