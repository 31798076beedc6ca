//! A message that is purged while somebody holds it (PurgePending) ends when it is given back, whatever happens between.

use hamq_core::queue::message::{Acknowledge, Message, MessageId};
use hamq_core::queue::request::{BranchId, Reply, Request, TransactionId};

use crate::world::*;

fn told() -> Message {
    message("goods", |m| {
        m.acknowledge = Acknowledge(0xF);
        m.admin_queue = "admin".into();
    })
}

/// A message in `queue` that was sent and told of.
fn world(queue: &str, transactional: bool) -> (World, MessageId) {
    let mut world = World::new();
    world.create("admin");
    world.create_with(queue, |p| p.transactional = transactional);
    let sent = match transactional {
        true => world.send_alone(queue, &told()),
        false => world.send(queue, &told()),
    };
    let Reply::Sent { id, .. } = sent.unwrap() else {
        panic!("not sent");
    };
    world.purge("admin");
    (world, id)
}

/// The negative acknowledgement came, once, and the trace says why.
fn ended_by_the_purge(world: &mut World, id: MessageId) {
    world.step();
    let told: Vec<_> = world.peek_all("admin");
    let classes: Vec<_> = told.iter().map(|m| m.class).collect();
    assert_eq!(classes, [0xC001]);
    assert_eq!(told[0].message().unwrap().correlation_id, id);
    assert_eq!(body(&told[0]), "goods");
}

fn last_step(world: &mut World, id: MessageId) -> (String, String) {
    match world.ask(Request::Trace { id }).unwrap() {
        Reply::Trace(steps) => {
            let last = steps.last().unwrap();
            (last.what.clone(), last.detail.clone())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_restart_gives_back_what_a_lease_or_a_transaction_held() {
    for restart in RESTARTS {
        for transactional in [false, true] {
            let (mut world, id) = world("q", transactional);
            if transactional {
                world.begin(1);
                world.receive_in(1, "q").unwrap();
            } else {
                world.lease("q", 60_000).unwrap();
            }
            world.purge("q");
            assert_eq!((world.count("q"), world.count("admin")), (1, 0));
            world.restart(restart);
            ended_by_the_purge(&mut world, id);
            assert_eq!(world.count("q"), 0);
            // Once for all: a crash behind it tells nobody again.
            for restart in RESTARTS {
                world.restart(restart);
                ended_by_the_purge(&mut world, id);
            }
        }
    }
}

#[test]
fn a_snapshot_between_purge_and_crash_keeps_the_promise() {
    let (mut world, id) = world("q", true);
    world.begin(1);
    world.receive_in(1, "q").unwrap();
    let branch = BranchId(b"b".to_vec());
    let transaction = TransactionId(1);
    let prepare = Request::Prepare {
        transaction,
        branch: branch.clone(),
    };
    world.ask(prepare).unwrap();
    world.purge("q");
    for restart in RESTARTS {
        world.restart(restart);
        world.step();
        assert_eq!(
            (world.count("q"), world.count("admin")),
            (1, 0),
            "it is held"
        );
    }
    let commit = false;
    world.ask(Request::Resolve { branch, commit }).unwrap();
    ended_by_the_purge(&mut world, id);
}

#[test]
fn a_commit_takes_it_all_the_same_before_and_after_a_crash() {
    let (mut world, id) = world("q", true);
    world.begin(1);
    world.receive_in(1, "q").unwrap();
    world.purge("q");
    world.commit(1).unwrap();
    let classes = |world: &mut World| -> Vec<u16> {
        world.peek_all("admin").iter().map(|m| m.class).collect()
    };
    assert_eq!(classes(&mut world), [0x4000]);
    assert_eq!(last_step(&mut world, id).0, "Received");
    for restart in RESTARTS {
        world.restart(restart);
        world.step();
        assert_eq!(classes(&mut world), [0x4000]);
    }
}

#[test]
fn the_trace_says_that_the_purge_was_the_end() {
    let (mut world, id) = world("q", true);
    world.begin(1);
    world.receive_in(1, "q").unwrap();
    world.purge("q");
    world.abort(1);
    ended_by_the_purge(&mut world, id);
    let live = last_step(&mut world, id);
    assert_eq!(live.0, "Removed", "{live:?}");
    world.restart(Restart::Crash);
    assert_eq!(last_step(&mut world, id), live);
}

#[test]
fn a_queue_that_is_deleted_before_the_end_is_told_of_once() {
    let (mut world, _) = world("q", false);
    world.lease("q", 60_000).unwrap();
    world.purge("q");
    world.restart(Restart::Crash);
    world.delete("q");
    world.step();
    assert_eq!(world.count("admin"), 1);
}
