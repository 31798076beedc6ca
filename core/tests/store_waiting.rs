//! Receives that wait, clients that end, and a real folder.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test fails where it stands"
)]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use hamq_core::queue::manager::{Manager, ManagerOptions};
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{BodyId, TransactionId};
use hamq_core::queue::request::{
    QueueProperties, Reply, Request, RequestId, Select, Take, Transaction,
};
use hamq_core::sys::clock::{FakeClock, SystemClock};
use hamq_core::sys::disk::Disk;
use hamq_core::sys::disk_fake::FakeDisk;
use hamq_core::{Error, ErrorKind, Result};
use uuid::Uuid;

fn options(epoch: u64, on_failure: Box<dyn FnOnce(Error) + Send>) -> ManagerOptions {
    ManagerOptions {
        name: "vs1".into(),
        epoch: Some(epoch),
        owner: "n1".into(),
        deadline: None,
        on_failure,
    }
}

fn create(manager: &Manager, transactional: bool) {
    let properties = QueueProperties {
        transactional,
        ..QueueProperties::default()
    };
    let queue = "q".to_owned();
    manager
        .call(Request::CreateQueue { queue, properties })
        .unwrap();
}

fn send(body: &str, transaction: Transaction) -> Request {
    Request::Send {
        queue: "Q".into(),
        message: Message::new(body).encode(),
        body: None,
        transaction,
    }
}

fn receive(timeout_ms: u64, transaction: Transaction) -> Request {
    Request::Receive {
        queue: "q".into(),
        select: Select::First,
        take: Take::Remove,
        timeout_ms,
        transaction,
    }
}

fn start(
    manager: &Manager,
    client: u128,
    sequence: u64,
    request: Request,
) -> Receiver<Result<Reply>> {
    let id = RequestId {
        client: Uuid::from_u128(client),
        sequence,
        acknowledged: sequence,
    };
    let (sender, receiver) = sync_channel(1);
    manager.submit(id, request, Box::new(move |r| drop(sender.send(r))));
    receiver
}

fn body(result: &Result<Reply>) -> String {
    match result {
        Ok(Reply::Message(received)) => String::from_utf8(received.body().to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn fake() -> (Manager, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let disk = Arc::new(FakeDisk::new());
    let opened = Manager::open(disk, Arc::clone(&clock) as _, options(1, Box::new(|_| {})));
    (opened.unwrap().0, clock)
}

#[test]
fn those_who_wait_get_one_message_each_in_the_order_they_came() {
    let (manager, _) = fake();
    create(&manager, false);
    let waiters: Vec<_> = (0..3)
        .map(|n| start(&manager, n, 1, receive(u64::MAX, Transaction::None)))
        .collect();
    for n in 0..3 {
        manager
            .call(send(&n.to_string(), Transaction::None))
            .unwrap();
    }
    for (n, waiter) in waiters.iter().enumerate() {
        assert_eq!(body(&waiter.recv().unwrap()), n.to_string());
    }
}

#[test]
fn a_wait_ends_with_its_time_its_session_or_its_queue() {
    let (manager, clock) = fake();
    create(&manager, false);
    let late = start(&manager, 1, 1, receive(5_000, Transaction::None));
    let ended = start(&manager, 2, 1, receive(u64::MAX, Transaction::None));
    let deleted = start(&manager, 3, 1, receive(u64::MAX, Transaction::None));
    manager
        .call(Request::ListQueues {
            after: String::new(),
            count_max: 1000,
            all: false,
        })
        .unwrap(); // by now all three wait
    clock.advance(Duration::from_secs(6));
    manager
        .call(Request::ListQueues {
            after: String::new(),
            count_max: 1000,
            all: false,
        })
        .unwrap(); // anything makes it look at the clock
    assert_eq!(
        late.recv().unwrap().unwrap_err().kind,
        ErrorKind::ReceiveTimeout
    );
    manager.end_session(Uuid::from_u128(2));
    assert_eq!(
        ended.recv().unwrap().unwrap_err().kind,
        ErrorKind::OperationCancelled
    );
    manager
        .call(Request::DeleteQueue { queue: "q".into() })
        .unwrap();
    assert_eq!(
        deleted.recv().unwrap().unwrap_err().kind,
        ErrorKind::QueueDeleted
    );
}

#[test]
fn what_an_ended_session_held_goes_to_the_next_who_waits() {
    let (manager, _) = fake();
    create(&manager, true);
    manager.call(send("held", Transaction::Single)).unwrap();
    let id = TransactionId(1);
    let begin = Request::Begin { transaction: id };
    start(&manager, 1, 1, begin).recv().unwrap().unwrap();
    let held = start(&manager, 1, 2, receive(0, Transaction::In(id)));
    assert_eq!(body(&held.recv().unwrap()), "held");
    let next = start(&manager, 2, 1, receive(u64::MAX, Transaction::Single));
    manager.end_session(Uuid::from_u128(1));
    assert_eq!(body(&next.recv().unwrap()), "held");
    let commit = Request::Commit { transaction: id };
    let gone = start(&manager, 1, 3, commit).recv().unwrap().unwrap_err();
    assert_eq!(gone.kind, ErrorKind::TransactionAborted);
}

#[test]
fn an_unfinished_body_is_its_clients_own_and_waits_for_it() {
    let (manager, _) = fake();
    create(&manager, false);
    let part = |client| {
        let request = Request::WriteBody {
            body: BodyId(1),
            offset: 0,
            bytes: b"part".to_vec(),
        };
        start(&manager, client, 1, request)
    };
    let send = |client| {
        let mut request = send("", Transaction::None);
        if let Request::Send { body, .. } = &mut request {
            *body = Some(BodyId(1));
        }
        start(&manager, client, 2, request)
    };
    for client in [1, 2] {
        part(client).recv().unwrap().unwrap();
    }
    manager.end_session(Uuid::from_u128(1));
    let none = send(3).recv().unwrap().unwrap_err();
    assert_eq!(none.kind, ErrorKind::InvalidParameter, "a third has none");
    send(2).recv().unwrap().unwrap();
    send(1).recv().unwrap().unwrap();
}

#[test]
fn the_wrong_kind_of_transaction_is_refused_with_advice() {
    let (manager, _) = fake();
    create(&manager, true);
    let error = manager.call(send("x", Transaction::None)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TransactionUsage);
    assert!(error.hint.unwrap().contains("Single"));
}

#[test]
fn an_outcome_that_was_acknowledged_cannot_be_asked_for_again() {
    let (manager, _) = fake();
    create(&manager, false);
    for sequence in 1..3 {
        start(&manager, 1, sequence, send("x", Transaction::None))
            .recv()
            .unwrap()
            .unwrap();
    }
    let error = start(&manager, 1, 1, send("x", Transaction::None))
        .recv()
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
}

#[test]
fn after_the_deadline_nothing_is_acknowledged() {
    let clock = Arc::new(FakeClock::default());
    let mut options = options(1, Box::new(|_| {}));
    options.deadline = Some(Duration::from_secs(10));
    let disk = Arc::new(FakeDisk::new());
    let (manager, _) = Manager::open(disk, Arc::clone(&clock) as _, options).unwrap();
    create(&manager, false);
    clock.advance(Duration::from_secs(9));
    manager.extend_deadline(Duration::from_secs(20));
    clock.advance(Duration::from_secs(9));
    manager.call(send("in time", Transaction::None)).unwrap();
    clock.advance(Duration::from_secs(2));
    let error = manager.call(send("late", Transaction::None)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Fenced);
}

#[test]
fn on_a_real_folder_a_second_owner_stops_the_first_and_has_its_messages() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || -> Arc<dyn Disk> { hamq_core::sys::disk::real(folder.path()).unwrap() };
    let (sender, failures) = sync_channel(1);
    let failed = Box::new(move |error| drop(sender.send(error)));
    let (old, _) = Manager::open(disk(), Arc::new(SystemClock), options(1, failed)).unwrap();
    create(&old, false);
    old.call(send("kept", Transaction::None)).unwrap();
    let second = options(2, Box::new(|_| {}));
    let (new, report) = Manager::open(disk(), Arc::new(SystemClock), second).unwrap();
    assert_eq!((report.queues, report.messages), (1, 1));
    let error = old.call(send("late", Transaction::None)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Fenced);
    assert_eq!(failures.recv().unwrap(), error);
    assert_eq!(body(&new.call(receive(0, Transaction::None))), "kept");
    new.close().unwrap();
    assert!(old.close().is_err());
}
