//! The engine with its threads on a real disk: batches in flight, checkpoints, pages, recycled segments and
//! copy-forward all at once, and nothing lost.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use hamq_core::queue::manager::{Manager, ManagerOptions, Tuning};
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{
    QueueProperties, Reply, Request, RequestId, Select, Take, Transaction,
};
use hamq_core::sys::clock::SystemClock;
use hamq_core::sys::disk;
use hamq_core::sys::disk_fake::{FakeDisk, Fault};
use hamq_core::{ErrorKind, Result};
use uuid::Uuid;

const SEGMENT_BYTES: u64 = 64 * 1024;

fn open(folder: &Path) -> Manager {
    let options = ManagerOptions {
        name: ".".into(),
        epoch: None,
        owner: "n1".into(),
        deadline: None,
        on_failure: Box::new(|error| panic!("{error}")),
    };
    let tuning = Tuning {
        segment_bytes: SEGMENT_BYTES,
        snapshot_bytes: 2 * SEGMENT_BYTES,
        fence: None,
    };
    let disk = disk::real(folder).unwrap();
    Manager::open_with_threads(disk, Arc::new(SystemClock), options, tuning)
        .unwrap()
        .0
}

fn create(manager: &Manager, queue: &str) {
    let properties = QueueProperties::default();
    let queue = queue.to_owned();
    manager
        .call(Request::CreateQueue { queue, properties })
        .unwrap();
}

fn send(queue: &str, text: &str) -> Request {
    Request::Send {
        queue: queue.to_owned(),
        message: Message::new(text).encode(),
        transaction: Transaction::None,
        body: None,
    }
}

fn receive_many(queue: &str, count_max: u32) -> Request {
    Request::ReceiveMany {
        queue: queue.to_owned(),
        after: 0,
        take: Take::Remove,
        count_max,
        bytes_max: 1 << 20,
        timeout_ms: 0,
        transaction: Transaction::None,
    }
}

fn bodies(reply: Result<Reply>) -> Vec<String> {
    match reply {
        Ok(Reply::Messages(all)) => {
            let text = |r: &hamq_core::queue::message::Received| {
                String::from_utf8(r.body().to_vec()).unwrap()
            };
            all.iter().map(text).collect()
        }
        Err(error) if error.kind == ErrorKind::ReceiveTimeout => Vec::new(),
        other => panic!("{other:?}"),
    }
}

/// Sends in lots that overlap, numbered from `first`.
fn send_lots(manager: &Manager, queue: &str, first: u32, count: u32) {
    let client = Uuid::new_v4();
    let (done, outcomes) = channel();
    let numbers: Vec<u32> = (first..first + count).collect();
    let lots = numbers.chunks(300);
    let under_way = lots.len();
    let mut sequence = 0;
    for lot in lots {
        let requests = lot.iter().map(|number| {
            sequence += 1;
            let id = RequestId {
                client,
                sequence,
                acknowledged: 1,
            };
            (id, send(queue, &format!("{number:0>400}")))
        });
        let done = done.clone();
        let respond = move |all: Vec<Result<Reply>>| {
            done.send(all.into_iter().all(|outcome| outcome.is_ok()))
                .unwrap();
        };
        manager.submit_many(requests.collect(), Box::new(respond));
    }
    for _ in 0..under_way {
        assert!(outcomes.recv().unwrap());
    }
}

fn segments(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".seg")).count()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_is_sent_in_overlapping_lots_comes_out_once_and_in_order_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let manager = open(folder.path());
    create(&manager, "q");
    send_lots(&manager, "q", 0, 9_000);
    let mut next = 0;
    for _ in 0..4 {
        for text in bodies(manager.call(receive_many("q", 1_000))) {
            assert_eq!(
                text.trim_start_matches('0'),
                next.to_string().trim_start_matches('0')
            );
            next += 1;
        }
    }
    // Not closed in order: what was acknowledged is in the log.
    drop(manager);
    let manager = open(folder.path());
    send_lots(&manager, "q", 9_000, 500);
    loop {
        let some = bodies(manager.call(receive_many("q", 700)));
        if some.is_empty() {
            break;
        }
        for text in some {
            assert_eq!(text, format!("{next:0>400}"));
            next += 1;
        }
    }
    assert_eq!(next, 9_500);
    manager.close().unwrap();
}

/// Sends lots that overlap on a disk whose `n`th operation from now on fails; how many of them were told anything.
fn answered_when_it_fails_at(n: u64) -> usize {
    const LOTS: u64 = 6;
    let disk = FakeDisk::new();
    let options = ManagerOptions {
        name: ".".into(),
        epoch: None,
        owner: "n1".into(),
        deadline: None,
        on_failure: Box::new(|_| {}),
    };
    let clock = Arc::new(SystemClock);
    let (manager, _) = Manager::open(Arc::new(disk.clone()), clock, options).unwrap();
    create(&manager, "q");
    disk.fail_at(disk.operations() + n, Fault::Io);
    let (done, outcomes) = channel();
    for lot in 0..LOTS {
        let requests = (1..=200).map(|at| {
            let id = RequestId {
                client: Uuid::from_u128(5),
                sequence: lot * 200 + at,
                acknowledged: 1,
            };
            (id, send("q", "x"))
        });
        let done = done.clone();
        let respond = move |all: Vec<Result<Reply>>| done.send(all.len()).unwrap();
        manager.submit_many(requests.collect(), Box::new(respond));
    }
    drop(done);
    let told = std::iter::from_fn(|| outcomes.recv_timeout(Duration::from_secs(10)).ok());
    told.filter(|count| *count == 200).count()
}

#[test]
fn whatever_fails_while_a_batch_is_in_flight_everybody_is_told() {
    for n in 1..25 {
        assert_eq!(answered_when_it_fails_at(n), 6, "operation {n}");
    }
}

#[test]
fn an_empty_store_has_at_most_two_segments_and_a_queue_that_is_consumed_needs_few() {
    let folder = tempfile::tempdir().unwrap();
    let manager = open(folder.path());
    create(&manager, "q");
    for turn in 0..20 {
        send_lots(&manager, "q", turn * 500, 500);
        let mut taken = 0;
        while taken < 500 {
            taken += bodies(manager.call(receive_many("q", 500))).len();
        }
    }
    wait_until("the segments are given back", || {
        manager.call(Request::GetMachine).unwrap();
        segments(folder.path()) <= 2
    });
    manager.close().unwrap();
}

#[test]
fn owners_that_were_killed_leave_no_segments_behind_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let mut manager = open(folder.path());
    create(&manager, "q");
    for turn in 0..8 {
        send_lots(&manager, "q", turn * 500, 500);
        let mut taken = 0;
        while taken < 500 {
            taken += bodies(manager.call(receive_many("q", 500))).len();
        }
        // What was received last is kept for who asked until he asks for something else.
        create(&manager, &format!("after-{turn}"));
        // Not closed: no last snapshot is written, as after a kill -9.
        drop(manager);
        manager = open(folder.path());
        wait_until("the segments of those before are given back", || {
            manager.call(Request::GetMachine).unwrap();
            segments(folder.path()) <= 2
        });
    }
    manager.close().unwrap();
}

#[test]
fn one_old_message_in_each_segment_is_copied_forward_and_the_space_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let manager = open(folder.path());
    create(&manager, "q");
    create(&manager, "old");
    let mut kept = BTreeSet::new();
    for turn in 0..40 {
        send_lots(&manager, "q", turn * 300, 300);
        let text = format!("old {turn}");
        manager.call(send("old", &text)).unwrap();
        kept.insert(text);
    }
    let before = segments(folder.path());
    while !bodies(manager.call(receive_many("q", 1_000))).is_empty() {}
    // Something goes on: that is when checkpoints come, and with them the cleaning.
    wait_until("the sparse segments are cleaned", || {
        send_lots(&manager, "q", 0, 300);
        while !bodies(manager.call(receive_many("q", 1_000))).is_empty() {}
        segments(folder.path()) <= before / 3
    });
    manager.close().unwrap();
    let manager = open(folder.path());
    let found = bodies(manager.call(receive_many("old", 1_000)));
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), kept);
    let nothing = manager.call(Request::Receive {
        queue: "old".into(),
        select: Select::First,
        take: Take::Remove,
        timeout_ms: 0,
        transaction: Transaction::None,
    });
    assert_eq!(nothing.unwrap_err().kind, ErrorKind::ReceiveTimeout);
}
