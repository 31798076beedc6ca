//! Where is message X now, and what happened to it.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::sync::Arc;

use hamq_core::queue::encoded::Encoded;
use hamq_core::queue::manager::{Manager, ManagerOptions, Tuning};
use hamq_core::queue::message::{Delivery, Journal, LeaseId, Lifetime, Message, MessageId};
use hamq_core::queue::offline;
use hamq_core::queue::request::{
    QueueProperties, Reply, Request, Select, Settle, Take, Transaction, TransactionId,
};
use hamq_core::sys::clock::FakeClock;
use hamq_core::sys::disk::Disk;
use hamq_core::sys::disk_fake::FakeDisk;

struct Story {
    disk: FakeDisk,
    clock: Arc<FakeClock>,
    manager: Manager,
}

fn open(disk: &FakeDisk, clock: &Arc<FakeClock>) -> Manager {
    let options = ManagerOptions {
        name: "vs1".into(),
        epoch: None,
        owner: "n1".into(),
        deadline: None,
        on_failure: Box::new(|_| {}),
    };
    let clock = Arc::clone(clock);
    let disk = Arc::new(disk.clone());
    let opened = Manager::open_with(disk, clock, options, Tuning::default());
    opened.unwrap().0
}

impl Story {
    fn begin(queue: &str, properties: QueueProperties) -> Self {
        let (disk, clock) = (FakeDisk::new(), Arc::new(FakeClock::default()));
        let manager = open(&disk, &clock);
        let queue = queue.to_owned();
        let create = Request::CreateQueue { queue, properties };
        manager.call(create).unwrap();
        Self {
            disk,
            clock,
            manager,
        }
    }

    fn send(&self, queue: &str, transaction: Transaction, lifetime: Lifetime) -> (MessageId, u64) {
        let mut message = Message::new("text");
        message.delivery = Delivery::Recoverable;
        message.journal = Journal::DEAD_LETTER;
        message.time_to_be_received = lifetime;
        let send = Request::Send {
            queue: queue.into(),
            message: Encoded::new(&message),
            transaction,
            body: None,
        };
        match self.manager.call(send).unwrap() {
            Reply::Sent { id, lookup_id } => (id, lookup_id),
            other => panic!("{other:?}"),
        }
    }

    fn take(&self, queue: &str, take: Take, transaction: Transaction) -> Option<LeaseId> {
        let request = Request::Receive {
            queue: queue.into(),
            select: Select::First,
            take,
            timeout_ms: 0,
            transaction,
        };
        match self.manager.call(request).unwrap() {
            Reply::Message(received) => received.lease,
            other => panic!("{other:?}"),
        }
    }

    /// What happened, without times.
    fn trace(&self, id: MessageId) -> Vec<String> {
        let Reply::Trace(steps) = self.manager.call(Request::Trace { id }).unwrap() else {
            panic!("a trace")
        };
        let lines = steps.iter();
        lines.map(|s| format!("{} {}", s.queue, s.what)).collect()
    }

    fn restart(&mut self) {
        self.manager.close().unwrap();
        self.manager = open(&self.disk, &self.clock);
    }
}

#[test]
fn a_message_that_was_leased_given_back_moved_and_received() {
    let mut story = Story::begin("orders", QueueProperties::default());
    let (id, lookup_id) = story.send("orders", Transaction::None, Lifetime::INFINITE);
    assert_eq!(story.trace(id), ["orders Arrived", "orders Waiting"]);
    let lease = story.take("orders", Take::Lease(1000), Transaction::None);
    assert_eq!(story.trace(id)[1..], ["orders Delivered", "orders Held"]);
    let settle = Request::Settle {
        queue: "orders".into(),
        leases: vec![lease.unwrap()],
        how: Settle::Release,
    };
    story.manager.call(settle).unwrap();
    let to_later = Request::Move {
        queue: "orders".into(),
        lookup_id,
        to: "orders;later".into(),
        transaction: Transaction::None,
    };
    story.manager.call(to_later).unwrap();
    story.take("orders;later", Take::Remove, Transaction::None);
    let life = story.trace(id);
    let expected = [
        "orders Arrived",
        "orders Delivered",
        "orders Aborted",
        "orders Moved",
        "orders;later Received",
    ];
    assert_eq!(life, expected);
    // Replay feeds it too, with what is in the log: a lease is not, and nothing is behind a snapshot.
    let logged = offline::trace(&(Arc::new(story.disk.clone()) as Arc<dyn Disk>), id).unwrap();
    let logged: Vec<&str> = logged.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(logged, ["Arrived", "Aborted", "Moved", "Received"]);
    story.restart();
    assert!(story.trace(id).is_empty(), "a snapshot has no history");
    let after = offline::trace(&(Arc::new(story.disk.clone()) as Arc<dyn Disk>), id).unwrap();
    assert!(
        after.is_empty() || after.len() == 4,
        "while the log is retained"
    );
}

#[test]
fn replay_remembers_what_happened_before_a_crash() {
    let story = Story::begin("orders", QueueProperties::default());
    let (id, _) = story.send("orders", Transaction::None, Lifetime::INFINITE);
    let lost = hamq_core::sys::disk_fake::Survivors::None;
    let disk = story.disk.crash(1, lost);
    let after = Story {
        manager: open(&disk, &story.clock),
        disk,
        clock: Arc::clone(&story.clock),
    };
    assert_eq!(after.trace(id), ["orders Arrived", "orders Waiting"]);
}

#[test]
fn a_rejected_message_and_one_that_expired_are_dead_letters() {
    let transactional = QueueProperties {
        transactional: true,
        ..QueueProperties::default()
    };
    let story = Story::begin("bank", transactional);
    let (rejected, lookup_id) = story.send("bank", Transaction::Single, Lifetime::INFINITE);
    let transaction = TransactionId(1);
    story.manager.call(Request::Begin { transaction }).unwrap();
    story.take("bank", Take::Remove, Transaction::In(transaction));
    assert_eq!(story.trace(rejected).last().unwrap(), "bank Held");
    let reject = Request::Reject {
        transaction,
        queue: "bank".into(),
        lookup_id,
    };
    story.manager.call(reject).unwrap();
    story.manager.call(Request::Commit { transaction }).unwrap();
    let life = story.trace(rejected);
    let expected = [
        "bank Arrived",
        "bank DeadLettered",
        "bank Removed",
        "system$;DEADXACT Waiting",
    ];
    assert_eq!(life, expected);

    let short = Lifetime(5);
    let (expired, _) = story.send("bank", Transaction::Single, short);
    story.clock.advance(std::time::Duration::from_secs(6));
    let life = story.trace(expired);
    assert_eq!(
        life[1..3],
        ["bank DeadLettered", "bank Expired"],
        "{life:?}"
    );
    let queue = "bank".to_owned();
    let (purged, _) = story.send("bank", Transaction::Single, Lifetime::INFINITE);
    story.manager.call(Request::PurgeQueue { queue }).unwrap();
    assert_eq!(story.trace(purged), ["bank Arrived", "bank Purged"]);
    assert_eq!(story.trace(expired).len(), 4, "it was there no more");
}
