//! Quotas: what they count, and that a commit never meets one.

use hamq_core::ErrorKind;
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{
    BranchId, MachineProperties, Request, Settle, Take, Transaction, TransactionId,
};

use crate::world::*;

fn ten() -> Message {
    message("0123456789", |_| {})
}

fn machine(world: &mut World, set: impl FnOnce(&mut MachineProperties)) {
    let mut properties = MachineProperties::default();
    set(&mut properties);
    world.ask(Request::SetMachine { properties }).unwrap();
}

fn is_full(outcome: hamq_core::Result<hamq_core::queue::request::Reply>) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InsufficientResources, "{error}");
}

fn branch() -> BranchId {
    BranchId(b"branch".to_vec())
}

#[test]
fn a_quota_counts_what_other_transactions_have_staged_until_they_end() {
    let mut world = World::new();
    world.create_with("t", |p| (p.transactional, p.quota_bytes) = (true, 25));
    world.begin(1);
    world.begin(2);
    world.send_in(1, "t", &ten()).unwrap();
    world.send_in(2, "t", &ten()).unwrap();
    is_full(world.send_in(2, "t", &ten()));
    is_full(world.send_alone("t", &ten()));
    world.abort(1);
    world.send_alone("t", &ten()).unwrap();
    is_full(world.send_alone("t", &ten()));
    world.commit(2).unwrap();
    assert_eq!(world.status("t").bytes_in_queue, 20);
}

#[test]
fn the_machines_quota_counts_what_is_staged_for_any_queue() {
    let mut world = World::new();
    world.create_transactional("t");
    world.create("q");
    machine(&mut world, |m| m.quota_bytes = 15);
    world.begin(1);
    world.send_in(1, "t", &ten()).unwrap();
    is_full(world.send("q", &ten()));
    // The session ends, and with it the transaction.
    world.end_session(OWNER);
    world.send("q", &ten()).unwrap();
}

#[test]
fn a_prepared_transaction_keeps_its_room_over_a_restart_until_it_is_resolved() {
    for (restart, commit) in [(Restart::Crash, true), (Restart::Close, false)] {
        let mut world = World::new();
        world.create_with("t", |p| (p.transactional, p.quota_bytes) = (true, 15));
        world.begin(1);
        world.send_in(1, "t", &ten()).unwrap();
        let prepare = Request::Prepare {
            transaction: TransactionId(1),
            branch: branch(),
        };
        world.ask(prepare).unwrap();
        is_full(world.send_alone("t", &ten()));
        world.restart(restart);
        is_full(world.send_alone("t", &ten()));
        let branch = branch();
        world.ask(Request::Resolve { branch, commit }).unwrap();
        assert_eq!(world.count("t"), u64::from(commit));
        assert_eq!(world.send_alone("t", &ten()).is_ok(), !commit);
    }
}

#[test]
fn a_journal_is_not_filled_beyond_its_quota_by_one_request() {
    let lot = |take| Request::ReceiveMany {
        queue: "q".into(),
        after: 0,
        take,
        count_max: 3,
        bytes_max: 1000,
        timeout_ms: 0,
        transaction: Transaction::None,
    };
    for leased in [false, true] {
        let mut world = World::new();
        world.create_with("q", |p| (p.journal, p.journal_quota_bytes) = (true, 15));
        for _ in 0..3 {
            world.send("q", &ten()).unwrap();
        }
        let take = if leased {
            Take::Lease(1000)
        } else {
            Take::Remove
        };
        let reply = world.ask(lot(take)).unwrap();
        if leased {
            let hamq_core::queue::request::Reply::Messages(all) = reply else {
                panic!("{reply:?}");
            };
            let leases = all.iter().filter_map(|m| m.lease).collect();
            let (queue, how) = ("q".into(), Settle::Complete);
            world.ask(Request::Settle { queue, leases, how }).unwrap();
        }
        assert_eq!((world.count("q"), world.count("q;JOURNAL")), (0, 1));
    }
}

#[test]
fn a_journal_is_not_filled_beyond_its_quota_by_transactions_that_commit_later() {
    let mut world = World::new();
    world.create_with("t", |p| {
        p.transactional = true;
        (p.journal, p.journal_quota_bytes) = (true, 15);
    });
    for _ in 0..3 {
        world.send_alone("t", &ten()).unwrap();
    }
    world.begin(1);
    world.begin(2);
    world.receive_in(1, "t").unwrap();
    world.receive_in(2, "t").unwrap();
    world.commit(1).unwrap();
    world.commit(2).unwrap();
    assert_eq!(world.count("t;JOURNAL"), 1);
    world.receive("t;JOURNAL").unwrap();
    world.begin(3);
    world.receive_in(3, "t").unwrap();
    world.commit(3).unwrap();
    assert_eq!(world.count("t;JOURNAL"), 1, "there is room again");
}

#[test]
fn the_machines_journal_quota_counts_the_journals_of_queues() {
    let mut world = World::new();
    world.create_with("q", |p| p.journal = true);
    machine(&mut world, |m| m.journal_quota_bytes = 15);
    for _ in 0..2 {
        world.send("q", &ten()).unwrap();
        world.receive("q").unwrap();
    }
    assert_eq!(world.count("q;JOURNAL"), 1);
}

#[test]
fn what_is_moved_purged_deleted_and_given_back_is_counted_once_or_no_more() {
    let mut world = World::new();
    world.create("q");
    world.create_transactional("t");
    machine(&mut world, |m| m.quota_bytes = 45);
    for queue in ["q", "q"] {
        world.send(queue, &ten()).unwrap();
    }
    world
        .send("q", &message("0123456789", |m| m.delay_ms = 5000))
        .unwrap();
    world.send_alone("t", &ten()).unwrap();
    is_full(world.send("q", &ten()));
    let move_one = |world: &mut World| {
        let lookup_id = world.peek_all("q")[0].lookup_id;
        let (queue, to) = ("q".into(), "q;side".into());
        let transaction = Transaction::None;
        world.ask(Request::Move {
            queue,
            lookup_id,
            to,
            transaction,
        })
    };
    move_one(&mut world).unwrap();
    is_full(world.send("q", &ten()));
    world.begin(1);
    world.receive_in(1, "t").unwrap();
    world.purge("t");
    is_full(world.send("q", &ten()));
    world.abort(1);
    world.send("q", &ten()).unwrap();
    world.advance(5);
    is_full(world.send("q", &ten()));
    world.lease("q", 1000).unwrap();
    world.advance(2);
    is_full(world.send("q", &ten()));
    for restart in RESTARTS {
        world.restart(restart);
        is_full(world.send("q", &ten()));
    }
    world.delete("q");
    for _ in 0..4 {
        world.send_alone("t", &ten()).unwrap();
    }
    is_full(world.send_alone("t", &ten()));
}
