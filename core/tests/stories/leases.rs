//! Competing consumers: a message is hidden for a time, settled by who has it, or back.

use hamq_core::ErrorKind;
use hamq_core::queue::message::{Acknowledge, LeaseId, Message};
use hamq_core::queue::request::{
    PoisonPolicy, PoisonTarget, Reply, Request, Select, Settle, Take, Transaction,
};

use crate::store::*;

#[test]
fn what_is_completed_is_gone_for_good_and_kept_in_the_journal() {
    let mut store = Store::new();
    store.create("admin", false);
    store.create_with("q", |properties| properties.journal = true);
    let mut message = Message::new("work");
    message.acknowledge = Acknowledge(0xE);
    message.admin_queue = "admin".into();
    store.send("q", message);
    let lease = store.lease(BOB, "q", 1000);
    assert!(store.bodies("q").is_empty());
    assert_eq!(store.status("q").locked_count, 1);
    assert!(store.bodies("q;JOURNAL").is_empty());
    store.must(BOB, settle("q", &[lease], Settle::Complete));
    for _ in 0..2 {
        assert_eq!(store.status("q").message_count, 0);
        assert_eq!(store.bodies("q;JOURNAL"), ["work"]);
        let told: Vec<_> = store.messages("admin").iter().map(|m| m.class).collect();
        assert_eq!(told, [0x4000]);
        store.crash();
    }
}

#[test]
fn what_is_released_is_back_at_once_in_its_place_and_counted() {
    let mut store = Store::new();
    store.create("q", false);
    store.send_all("q", &["1", "2"]);
    let lease = store.lease(BOB, "q", 1000);
    store.must(BOB, settle("q", &[lease], Settle::Release));
    for _ in 0..2 {
        assert_eq!(store.bodies("q"), ["1", "2"]);
        assert_eq!(store.messages("q")[0].abort_count, 1);
        store.crash();
    }
}

#[test]
fn what_is_rejected_is_a_dead_letter() {
    let mut store = Store::new();
    store.create("admin", false);
    store.create("q", false);
    let mut message = Message::new("bad");
    message.acknowledge = Acknowledge(0xE);
    message.admin_queue = "admin".into();
    store.send("q", message);
    let lease = store.lease(BOB, "q", 1000);
    store.must(BOB, settle("q", &[lease], Settle::Reject));
    store.crash();
    let dead = store.messages("system$;DEADLETTER");
    assert_eq!((dead[0].class, dead[0].destination.as_str()), (0xC004, "q"));
    assert_eq!(store.messages("admin")[0].class, 0xC004);
    assert_eq!(store.status("q").message_count, 0);
}

#[test]
fn a_lease_that_runs_out_gives_the_message_to_who_waits() {
    let mut store = Store::new();
    store.create("q", false);
    store.send_all("q", &["work"]);
    let old = store.lease(BOB, "q", 1000);
    let ann = store.start(ANN, waits("q", Select::First, Take::Lease(1000), u64::MAX));
    store.pass(999);
    assert!(store.told(ann).is_none());
    store.pass(1);
    let Some(Ok(Reply::Message(message))) = store.told(ann) else {
        panic!("the lease has run out");
    };
    // One delivery came to nothing.
    assert_eq!(message.abort_count, 1);
    for how in [
        Settle::Complete,
        Settle::Release,
        Settle::Reject,
        Settle::Extend(9),
    ] {
        let late = settle("q", &[old], how);
        store.refused(BOB, late, ErrorKind::MessageAlreadyReceived);
    }
    store.must(
        ANN,
        settle("q", &[message.lease.unwrap()], Settle::Complete),
    );
    assert_eq!(store.status("q").message_count, 0);
}

#[test]
fn an_extended_lease_runs_from_then_on() {
    let mut store = Store::new();
    store.create("q", false);
    store.send_all("q", &["work"]);
    let lease = store.lease(BOB, "q", 1000);
    store.pass(900);
    store.must(BOB, settle("q", &[lease], Settle::Extend(1000)));
    store.pass(999);
    assert!(store.bodies("q").is_empty());
    store.must(BOB, settle("q", &[lease], Settle::Extend(100)));
    store.pass(100);
    assert_eq!(store.bodies("q"), ["work"]);
    let late = settle("q", &[lease], Settle::Extend(1000));
    store.refused(BOB, late, ErrorKind::MessageAlreadyReceived);
}

#[test]
fn after_a_restart_an_old_lease_settles_nothing() {
    for crashing in [true, false] {
        let mut store = Store::new();
        store.create("q", false);
        store.send_all("q", &["work"]);
        let old = store.lease(BOB, "q", 1000);
        match crashing {
            true => store.crash(),
            false => store.reopen(),
        }
        assert_eq!(store.bodies("q"), ["work"]);
        store.refused(
            BOB,
            settle("q", &[old], Settle::Complete),
            ErrorKind::MessageAlreadyReceived,
        );
        let new = store.lease(ANN, "q", 1000);
        assert_ne!(new, old);
        store.refused(
            BOB,
            settle("q", &[old], Settle::Complete),
            ErrorKind::MessageAlreadyReceived,
        );
        store.must(ANN, settle("q", &[new], Settle::Complete));
    }
}

#[test]
fn many_leases_are_settled_together_or_not_at_all() {
    let mut store = Store::new();
    store.create("q", false);
    store.send_all("q", &["1", "2", "3"]);
    let request = many("q", Take::Lease(1000), 10, Transaction::None);
    let Reply::Messages(all) = store.must(BOB, request) else {
        panic!("a list");
    };
    let leases: Vec<LeaseId> = all.iter().map(|m| m.lease.unwrap()).collect();
    store.must(BOB, settle("q", &leases[..1], Settle::Release));
    let error = store
        .ask(BOB, settle("q", &leases, Settle::Complete))
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::MessageAlreadyReceived);
    assert!(
        error.message.contains(&leases[0].lookup_id.to_string()),
        "{error:?}"
    );
    assert_eq!(store.status("q").message_count, 3);
    store.must(BOB, settle("q", &leases[1..], Settle::Complete));
    store.crash();
    assert_eq!(store.bodies("q"), ["1"]);
}

#[test]
fn a_lease_that_is_named_twice_is_settled_once() {
    for how in [
        Settle::Complete,
        Settle::Release,
        Settle::Reject,
        Settle::Extend(5),
    ] {
        let mut store = Store::new();
        store.create("q", false);
        store.send_all("q", &["1"]);
        let lease = store.lease(BOB, "q", 1000);
        store.must(BOB, settle("q", &[lease, lease], how));
        store.pass(0);
        let counts: Vec<_> = store.messages("q").iter().map(|m| m.abort_count).collect();
        assert!(counts.iter().all(|count| *count == 1), "{how:?} {counts:?}");
    }
}

#[test]
fn a_message_has_a_lease_or_a_transaction_never_both() {
    let mut store = Store::new();
    store.create("q", true);
    let ids = store.send_all("q", &["1", "2"]);
    let transaction = store.begin(ANN, 1);
    for transaction in [transaction, Transaction::Single] {
        let both = Request::Receive {
            queue: "q".into(),
            select: Select::First,
            take: Take::Lease(1000),
            timeout_ms: 0,
            transaction,
        };
        store.refused(ANN, both, ErrorKind::InvalidParameter);
    }
    let lease = store.lease(ANN, "q", 1000);
    let leased = receive_in("q", Select::LookupId(ids[0]), transaction);
    store.refused(ANN, leased, ErrorKind::MessageAlreadyReceived);
    store.refused(ANN, reject("q", ids[0], 1), ErrorKind::MessageNotFound);
    let leased = move_to("q", ids[0], "q;x", transaction);
    store.refused(ANN, leased, ErrorKind::MessageAlreadyReceived);
    assert_eq!(body(&store.one(ANN, receive("q", transaction))), "2");
    let held = take("q", Select::LookupId(ids[1]), Take::Lease(1000));
    store.refused(ANN, held, ErrorKind::MessageAlreadyReceived);
    store.must(ANN, settle("q", &[lease], Settle::Complete));
    store.must(ANN, commit(1));
    assert_eq!(store.status("q").message_count, 0);
}

#[test]
fn the_length_of_a_lease_has_bounds() {
    let mut store = Store::new();
    store.create("q", false);
    store.send_all("q", &["1"]);
    for length in [0, u32::MAX] {
        let request = take("q", Select::First, Take::Lease(length));
        store.refused(BOB, request, ErrorKind::InvalidParameter);
    }
    let lease = store.lease(BOB, "q", 12 * 60 * 60 * 1000);
    store.refused(
        BOB,
        settle("q", &[lease], Settle::Extend(0)),
        ErrorKind::InvalidParameter,
    );
    store.must(BOB, settle("q", &[], Settle::Complete));
    assert_eq!(store.status("q").locked_count, 1);
}

#[test]
fn a_lease_outlives_the_session_that_took_it_and_anybody_settles_it() {
    let mut store = Store::new();
    store.create("q", false);
    store.send_all("q", &["1"]);
    let lease = store.lease(BOB, "q", 1000);
    store.end_session(BOB);
    assert!(store.bodies("q").is_empty());
    store.must(ANN, settle("q", &[lease], Settle::Complete));
    assert_eq!(store.status("q").message_count, 0);
}

#[test]
fn leases_that_run_out_or_are_released_count_as_attempts_of_the_poison_policy() {
    let mut store = Store::new();
    store.create_with("q", |properties| {
        properties.poison = PoisonPolicy {
            receive_retry_count: 3,
            retry_cycles_max: 0,
            retry_cycle_delay_ms: 0,
            then: PoisonTarget::Reject,
        };
    });
    store.send_all("q", &["bad"]);
    for attempt in 0..4 {
        let lease = store.lease(BOB, "q", 1000);
        match attempt % 2 {
            0 => store.pass(1000),
            _ => drop(store.must(BOB, settle("q", &[lease], Settle::Release))),
        }
    }
    store.crash();
    assert_eq!(store.status("q").message_count, 0);
    assert_eq!(store.messages("system$;DEADLETTER")[0].class, 0xC004);
}

#[test]
fn a_great_many_leases_run_out_in_order() {
    let mut store = Store::with_snapshots(16 * 1024);
    store.create("q", false);
    let bodies: Vec<String> = (0..240).map(|n| n.to_string()).collect();
    for body in &bodies {
        store.send_all("q", &[body]);
    }
    for _ in 0..8 {
        store.must(BOB, many("q", Take::Lease(1000), 30, Transaction::None));
    }
    assert_eq!(store.status("q").locked_count, 240);
    store.pass(1000);
    assert_eq!(store.bodies("q"), bodies);
    store.crash();
    assert!(store.messages("q").iter().all(|m| m.abort_count == 1));
}

#[test]
fn a_lease_that_is_none_is_refused_also_where_there_is_no_message() {
    let mut store = Store::new();
    store.create("q", false);
    for milliseconds in [0, u32::MAX] {
        let lease = take("q", Select::First, Take::Lease(milliseconds));
        store.refused(ANN, lease, ErrorKind::InvalidParameter);
    }
}
