//! The message store on a disk that fails, tears, fills up and dies, and with two owners at once.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test fails where it stands"
)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use hamq_core::log::NoFence;
use hamq_core::queue::manager::{Manager, ManagerOptions, OpenReport, Tuning};
use hamq_core::queue::message::{Delivery, Message};
use hamq_core::queue::request::{
    QueueProperties, Reply, Request, RequestId, Select, Take, Transaction, TransactionId,
};
use hamq_core::sys::clock::FakeClock;
use hamq_core::sys::disk::Disk;
use hamq_core::sys::disk_fake::{FakeDisk, Fault, Survivors};
use hamq_core::{Error, ErrorKind, Result};
use uuid::Uuid;

fn open_fenced(disk: &FakeDisk, epoch: Option<u64>, fenced: bool) -> Result<(Manager, OpenReport)> {
    let options = ManagerOptions {
        name: "vs1".into(),
        epoch,
        owner: "n1".into(),
        deadline: None,
        on_failure: Box::new(|_| {}),
    };
    let tuning = Tuning {
        segment_bytes: 8192,
        snapshot_bytes: 12_000,
        fence: (!fenced).then(|| Box::new(NoFence) as Box<_>),
    };
    let clock = Arc::new(FakeClock::default());
    Manager::open_with(Arc::new(disk.clone()), clock, options, tuning)
}

fn open(disk: &FakeDisk, epoch: Option<u64>) -> Result<(Manager, OpenReport)> {
    open_fenced(disk, epoch, true)
}

fn ask(manager: &Manager, id: RequestId, request: Request) -> Result<Reply> {
    let (sender, receiver) = sync_channel(1);
    manager.submit(id, request, Box::new(move |r| drop(sender.send(r))));
    receiver.recv().unwrap()
}

fn create(queue: &str, transactional: bool) -> Request {
    Request::CreateQueue {
        queue: queue.into(),
        properties: QueueProperties {
            transactional,
            ..QueueProperties::default()
        },
    }
}

fn send(queue: &str, body: &str, transaction: Transaction) -> Request {
    Request::Send {
        queue: queue.into(),
        message: Message::new(body).encode(),
        body: None,
        transaction,
    }
}

fn receive(queue: &str, transaction: Transaction) -> Request {
    Request::Receive {
        queue: queue.into(),
        select: Select::First,
        take: Take::Remove,
        timeout_ms: 0,
        transaction,
    }
}

fn body(reply: Reply) -> String {
    match reply {
        Reply::Message(received) => String::from_utf8(received.body().to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A client that asks again with the same identity until it knows, over crashes of the store.
struct Story {
    disk: FakeDisk,
    manager: Option<Manager>,
    client: Uuid,
    sequence: u64,
    seed: u64,
    survivors: Survivors,
    crashes: u32,
}

impl Story {
    fn new(disk: FakeDisk, seed: u64, survivors: Survivors) -> Self {
        Self {
            disk,
            manager: None,
            client: Uuid::from_u128(7),
            sequence: 0,
            seed,
            survivors,
            crashes: 0,
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        assert!(self.crashes < 5, "it does not recover");
        let after = self
            .disk
            .crash(self.seed + u64::from(self.crashes), self.survivors);
        // The old process lives on with the old image, and harms nobody.
        self.manager = None;
        self.disk = after;
    }

    fn once(&mut self, request: &Request) -> Result<Reply> {
        let id = RequestId {
            client: self.client,
            sequence: self.sequence,
            acknowledged: self.sequence,
        };
        if self.manager.is_none() {
            self.manager = Some(open(&self.disk, None)?.0);
        }
        ask(self.manager.as_ref().unwrap(), id, request.clone())
    }

    fn ask(&mut self, request: Request) -> Result<Reply> {
        self.sequence += 1;
        let mut refused = 0;
        loop {
            match self.once(&request) {
                Err(error) if error.kind == ErrorKind::InsufficientResources && refused < 3 => {
                    refused += 1;
                }
                Err(Error {
                    kind:
                        ErrorKind::System
                        | ErrorKind::MessageStorageFailed
                        | ErrorKind::ServiceNotAvailable
                        | ErrorKind::InsufficientResources,
                    ..
                }) => self.crash(),
                // The medium did not answer a read: the message is still there.
                Err(error) if error.message.contains("os error 5") => self.crash(),
                other => return other,
            }
        }
    }

    /// Moves the first message of `a` to `b` in a transaction, from its beginning again if it was lost.
    fn transfer(&mut self) -> String {
        loop {
            let id = TransactionId(self.sequence + 1);
            self.ask(Request::Begin { transaction: id }).unwrap();
            match self.try_transfer(id) {
                Ok(text) => return text,
                Err(error) => assert_eq!(error.kind, ErrorKind::TransactionAborted, "{error}"),
            }
        }
    }

    fn try_transfer(&mut self, id: TransactionId) -> Result<String> {
        let text = body(self.ask(receive("a", Transaction::In(id)))?);
        self.ask(send("b", &format!("moved {text}"), Transaction::In(id)))?;
        self.ask(Request::Commit { transaction: id })?;
        Ok(text)
    }

    fn drain(&mut self, queue: &str) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            match self.ask(receive(queue, Transaction::None)) {
                Ok(reply) => all.push(body(reply)),
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::ReceiveTimeout, "{error}");
                    return all;
                }
            }
        }
    }

    /// The fixed workload: every operation exactly once, each answer the expected one, in order.
    fn play(&mut self) {
        let long = "x".repeat(900);
        self.ask(create("a", true)).unwrap();
        self.ask(create("b", true)).unwrap();
        self.ask(create("plain", false)).unwrap();
        let (mut a, mut b, mut plain) = (VecDeque::new(), Vec::new(), VecDeque::new());
        for n in 0..14 {
            let text = format!("{n} {long}");
            self.ask(send("a", &text, Transaction::Single)).unwrap();
            a.push_back(text.clone());
            self.ask(send("plain", &text, Transaction::None)).unwrap();
            plain.push_back(text);
            if n % 3 == 2 {
                let expected = a.pop_front().unwrap();
                assert_eq!(self.transfer(), expected);
                b.push(format!("moved {expected}"));
                let got = body(self.ask(receive("plain", Transaction::None)).unwrap());
                assert_eq!(Some(got), plain.pop_front());
            }
        }
        assert_eq!(self.drain("a"), Vec::from(a));
        assert_eq!(self.drain("b"), b);
        assert_eq!(self.drain("plain"), Vec::from(plain));
    }
}

/// How many operations the workload makes on a sound disk.
fn operations() -> u64 {
    let mut story = Story::new(FakeDisk::new(), 1, Survivors::None);
    story.play();
    story.disk.operations()
}

fn every_operation_fails(fault: Fault, survivors: Survivors) {
    let count = operations();
    assert!(count > 150, "the workload is too small: {count}");
    for n in 0..count {
        let disk = FakeDisk::new();
        disk.fail_at(n, fault);
        Story::new(disk, n, survivors).play();
    }
}

#[test]
fn nothing_is_lost_or_done_twice_whichever_operation_fails_once() {
    every_operation_fails(Fault::Io, Survivors::None);
    every_operation_fails(Fault::Io, Survivors::Subset);
}

#[test]
fn nothing_is_lost_or_done_twice_whichever_operation_the_process_dies_in() {
    for survivors in [
        Survivors::None,
        Survivors::All,
        Survivors::Prefix,
        Survivors::Subset,
    ] {
        every_operation_fails(Fault::Die, survivors);
    }
}

#[test]
fn nothing_is_lost_or_done_twice_whichever_operation_finds_the_disk_full() {
    every_operation_fails(Fault::Full, Survivors::Prefix);
}

#[test]
fn negative_control_a_disk_that_lies_about_its_syncs_is_caught() {
    let disk = FakeDisk::lying();
    let (manager, _) = open(&disk, None).unwrap();
    manager.call(create("q", false)).unwrap();
    manager
        .call(send("q", "acknowledged", Transaction::None))
        .unwrap();
    let after = disk.crash(1, Survivors::None);
    let (manager, report) = open(&after, None).unwrap();
    assert_eq!(report.messages, 0);
    let error = manager.call(receive("q", Transaction::None)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::QueueNotFound, "the loss is seen");
}

#[test]
fn negative_control_the_workload_notices_what_a_lying_disk_loses() {
    let middle = operations() / 2;
    let noticed = (middle..middle + 10).any(|n| {
        let disk = FakeDisk::lying();
        disk.fail_at(n, Fault::Die);
        let mut story = Story::new(disk, n, Survivors::None);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story.play())).is_err()
    });
    assert!(
        noticed,
        "the checker must fail where acknowledged messages are lost"
    );
}

/// Two owners; gives what was acknowledged to the zombie after the take-over, and what the newcomer has.
fn zombie(fenced: bool) -> (Result<Reply>, Vec<String>) {
    let disk = FakeDisk::new();
    let (old, _) = open_fenced(&disk, Some(1), fenced).unwrap();
    old.call(create("q", false)).unwrap();
    old.call(send("q", "before", Transaction::None)).unwrap();
    let (new, report) = open(&disk, Some(2)).unwrap();
    assert_eq!((report.epoch, report.messages), (2, 1));
    let late = old.call(send("q", "by the zombie", Transaction::None));
    new.call(send("q", "by the new owner", Transaction::None))
        .unwrap();
    new.close().unwrap();
    let (again, report) = open(&disk, Some(3)).unwrap();
    assert_eq!(report.messages, 2);
    let mut all = Vec::new();
    while let Ok(reply) = again.call(receive("q", Transaction::None)) {
        all.push(body(reply));
    }
    (late, all)
}

#[test]
fn a_zombie_is_never_acknowledged_and_its_bytes_are_never_read() {
    let (late, all) = zombie(true);
    assert_eq!(late.unwrap_err().kind, ErrorKind::Fenced);
    assert_eq!(all, ["before", "by the new owner"]);
}

#[test]
fn negative_control_without_the_fence_two_owners_acknowledge() {
    let (late, all) = zombie(false);
    assert!(late.is_ok(), "the zombie acknowledged");
    assert_eq!(
        all,
        ["before", "by the new owner"],
        "and what it acknowledged is lost"
    );
}

#[test]
fn a_lower_epoch_is_refused_and_the_same_one_restarts_in_place() {
    let disk = FakeDisk::new();
    let (first, _) = open(&disk, Some(5)).unwrap();
    assert_eq!(open(&disk, Some(4)).err().unwrap().kind, ErrorKind::Fenced);
    let (second, _) = open(&disk, Some(5)).unwrap();
    assert_eq!(
        first
            .call(Request::ListQueues {
                after: String::new(),
                count_max: 1000,
                all: false
            })
            .unwrap_err()
            .kind,
        ErrorKind::Fenced
    );
    assert!(
        second
            .call(Request::ListQueues {
                after: String::new(),
                count_max: 1000,
                all: false
            })
            .is_ok()
    );
}

#[test]
fn a_take_over_at_any_step_of_a_send_either_sees_it_or_stops_its_acknowledgement() {
    for step in ["write", "sync", "read"] {
        let disk = FakeDisk::new();
        let (old, _) = open(&disk, Some(1)).unwrap();
        old.call(create("q", false)).unwrap();
        let new: Arc<Mutex<Option<Manager>>> = Arc::default();
        let (once, kept, inside) = (AtomicBool::new(true), Arc::clone(&new), disk.clone());
        disk.set_hook(Some(Arc::new(move |what, _| {
            if what == step && once.swap(false, Ordering::SeqCst) {
                *kept.lock().unwrap() = Some(open(&inside, Some(2)).unwrap().0);
            }
        })));
        let sent = old.call(send("q", "at the same time", Transaction::None));
        disk.set_hook(None);
        assert_eq!(sent.unwrap_err().kind, ErrorKind::Fenced, "at {step}");
        let new = new.lock().unwrap().take().unwrap();
        let seen = new.call(receive("q", Transaction::None)).is_ok();
        assert_eq!(
            seen,
            step != "write",
            "what was written before the reading is there, at {step}"
        );
    }
}

/// Everything in the queue of a store that is opened once more.
fn all_in(disk: &FakeDisk) -> Vec<String> {
    let (manager, _) = open(disk, None).unwrap();
    let mut all = Vec::new();
    while let Ok(reply) = manager.call(receive("q", Transaction::None)) {
        all.push(body(reply));
    }
    all
}

/// Sends and receives until old segments are dead; three messages are left.
fn work(manager: &Manager, name: &str) -> Vec<String> {
    let long = "w".repeat(1500);
    for n in 0..12 {
        let text = format!("{name} {n} {long}");
        manager.call(send("q", &text, Transaction::None)).unwrap();
    }
    while let Ok(reply) = manager.call(receive("q", Transaction::None)) {
        if body(reply).starts_with(&format!("{name} 11")) {
            break;
        }
    }
    let left: Vec<String> = (0..3).map(|n| format!("{name} left {n}")).collect();
    for text in &left {
        manager.call(send("q", text, Transaction::None)).unwrap();
    }
    left
}

/// Stops `frozen` before each of its operations in turn, lets another own the store and work meanwhile, then
/// lets it go on; what the other left must be there. Gives how many operations there were.
fn freeze_everywhere(frozen: impl Fn(&FakeDisk, Manager)) -> u64 {
    for n in 0.. {
        let disk = FakeDisk::new();
        let (old, _) = open(&disk, Some(1)).unwrap();
        old.call(create("q", false)).unwrap();
        work(&old, "old");
        let (count, left) = (AtomicU64::new(0), Arc::new(Mutex::new(None)));
        let (kept, inside) = (Arc::clone(&left), disk.clone());
        disk.set_hook(Some(Arc::new(move |_, _| {
            if count.fetch_add(1, Ordering::SeqCst) == n {
                let (new, _) = open(&inside, Some(9)).unwrap();
                *kept.lock().unwrap() = Some(work(&new, "new"));
                new.close().unwrap();
            }
        })));
        frozen(&disk, old);
        disk.set_hook(None);
        let Some(left) = left.lock().unwrap().take() else {
            return n;
        };
        assert_eq!(all_in(&disk), left, "stopped before operation {n}");
    }
    0
}

#[test]
fn an_owner_stopped_anywhere_in_a_snapshot_removes_nothing_of_the_next_one() {
    let stops = freeze_everywhere(|_, old| drop(old.close()));
    assert!(stops > 8, "{stops}");
}

#[test]
fn an_owner_stopped_anywhere_in_its_opening_removes_nothing_of_the_next_one() {
    let stops = freeze_everywhere(|disk, old| {
        // The first one is still there as well, and begins its next segment.
        let second = open(disk, Some(2));
        let long = "z".repeat(7000);
        drop(old.call(send("q", &long, Transaction::None)));
        drop(second);
    });
    assert!(stops > 20, "{stops}");
}

#[test]
fn a_full_disk_refuses_sends_and_still_gives_messages_out_until_sends_work_again() {
    let disk = FakeDisk::new();
    disk.set_capacity(Some(100_000));
    let (manager, _) = open(&disk, None).unwrap();
    manager.call(create("q", false)).unwrap();
    let text = "y".repeat(1000);
    let mut sent = 0;
    let error = loop {
        match manager.call(send("q", &text, Transaction::None)) {
            Ok(_) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 1000);
    };
    assert_eq!(error.kind, ErrorKind::InsufficientResources);
    assert!(sent > 30, "{sent}");
    for _ in 0..sent {
        manager.call(receive("q", Transaction::None)).unwrap();
    }
    let empty = manager.call(receive("q", Transaction::None)).unwrap_err();
    assert_eq!(empty.kind, ErrorKind::ReceiveTimeout);
    manager.call(send("q", &text, Transaction::None)).unwrap();
}

#[test]
fn damage_in_the_middle_is_refused_with_its_place_and_never_skipped() {
    let disk = FakeDisk::new();
    let (manager, _) = open(&disk, None).unwrap();
    manager.call(create("q", false)).unwrap();
    for _ in 0..4 {
        manager.call(send("q", "z", Transaction::None)).unwrap();
    }
    let names = disk.list().unwrap();
    let segment = names.iter().find(|n| n.starts_with("0000000001")).unwrap();
    let after = disk.crash(1, Survivors::None);
    after.damage(segment, 512 * 4 + 60);
    let error = open(&after, None).err().unwrap();
    assert_eq!(error.kind, ErrorKind::StoreDamaged);
    assert!(error.message.contains("2048"), "{error}");
}

#[test]
fn opening_needs_little_room_and_segments_grow_with_use() {
    let disk = FakeDisk::new();
    let options = ManagerOptions {
        name: "vs1".into(),
        epoch: None,
        owner: "n1".into(),
        deadline: None,
        on_failure: Box::new(|_| {}),
    };
    let clock = Arc::new(FakeClock::default());
    let (manager, _) = Manager::open(Arc::new(disk.clone()), clock, options).unwrap();
    manager.call(create("q", false)).unwrap();
    let small = disk.used_bytes();
    assert!(small < 2 * 1024 * 1024, "{small}");
    for _ in 0..3 {
        let text = "g".repeat(900_000);
        manager.call(send("q", &text, Transaction::None)).unwrap();
    }
    assert!(disk.used_bytes() > 4 * 1024 * 1024);
    drop(manager);
    assert_eq!(all_in(&disk).len(), 3);
}

#[test]
fn express_messages_end_with_the_process_and_their_ids_are_not_given_again() {
    let disk = FakeDisk::new();
    let express = || {
        let mut message = Message::new("fast");
        message.delivery = Delivery::Express;
        Request::Send {
            queue: "q".into(),
            message: message.encode(),
            body: None,
            transaction: Transaction::None,
        }
    };
    let (manager, _) = open(&disk, None).unwrap();
    manager.call(create("q", false)).unwrap();
    let Reply::Sent { id: first, .. } = manager.call(express()).unwrap() else {
        panic!()
    };
    drop(manager);
    let (manager, report) = open(&disk, None).unwrap();
    assert_eq!(report.messages, 0);
    let Reply::Sent { id: second, .. } = manager.call(express()).unwrap() else {
        panic!()
    };
    assert_eq!(first.manager, second.manager);
    assert!(second.ordinal > first.ordinal);
}
