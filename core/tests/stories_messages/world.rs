//! One queue manager on a disk and a clock that tests move; several people who ask it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hamq_core::Result;
use hamq_core::queue::access::Access;
use hamq_core::queue::engine::{Engine, ManagerOptions, Tuning};
use hamq_core::queue::message::{LeaseId, Message, Received};
use hamq_core::queue::request::{
    Answer, Caller, QueueProperties, QueueStatus, Reply, Request, RequestId, Select, Settle, Take,
    Transaction, TransactionId,
};
use hamq_core::queue::serve::Serve;
use hamq_core::sys::clock::{Clock, FakeClock};
use hamq_core::sys::disk_fake::{FakeDisk, Survivors};
use uuid::Uuid;

/// Who embeds the queue manager: an administrator.
pub(crate) const OWNER: &str = "owner";
pub(crate) const DEAD: &str = "system$;DEADLETTER";
pub(crate) const DEAD_TRANSACTIONAL: &str = "system$;DEADXACT";
pub(crate) const JOURNAL: &str = "system$;JOURNAL";

/// How a store comes back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Restart {
    /// The machine dies: the log is replayed.
    Crash,
    /// It stops in order: a snapshot is read.
    Close,
}

pub(crate) const RESTARTS: [Restart; 2] = [Restart::Crash, Restart::Close];

pub(crate) struct World {
    disk: FakeDisk,
    pub(crate) clock: Arc<FakeClock>,
    engine: Option<Engine>,
    epoch: u64,
    sequences: HashMap<Uuid, u64>,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self {
            disk: FakeDisk::new(),
            clock: Arc::default(),
            engine: None,
            epoch: 0,
            sequences: HashMap::new(),
        };
        world.open();
        world
    }

    fn open(&mut self) {
        self.epoch += 1;
        let options = ManagerOptions {
            name: "vs1".into(),
            epoch: Some(self.epoch),
            owner: "n1".into(),
            deadline: None,
            on_failure: Box::new(|_| {}),
        };
        let tuning = Tuning {
            segment_bytes: 64 * 1024,
            ..Tuning::default()
        };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let disk = Arc::new(self.disk.clone());
        let (mut engine, _) = Engine::open(disk, clock, options, tuning).unwrap();
        engine.settle_in();
        self.engine = Some(engine);
    }

    pub(crate) fn restart(&mut self, how: Restart) {
        match how {
            Restart::Crash => {
                self.engine = None;
                self.disk = self.disk.crash(7, Survivors::None);
            }
            Restart::Close => self.engine().close(&mut Vec::new()).unwrap(),
        }
        self.open();
    }

    fn engine(&mut self) -> &mut Engine {
        self.engine.as_mut().unwrap()
    }

    pub(crate) fn advance(&mut self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.step();
    }

    /// Time passes and nobody asks anything.
    pub(crate) fn step(&mut self) {
        let mut out = Vec::new();
        for _ in 0..100 {
            self.engine().step(&mut out);
            let boot = self.clock.boot();
            if self.engine().wake_at().is_none_or(|at| at > boot) {
                break;
            }
        }
        assert!(
            self.engine().failure().is_none(),
            "{:?}",
            self.engine().failure()
        );
        assert!(out.is_empty(), "nobody asked");
    }

    pub(crate) fn ask_as(&mut self, user: &str, request: Request) -> Result<Reply> {
        let id = self.next_id(user);
        self.ask_with(user, id, request)
    }

    pub(crate) fn next_id(&mut self, user: &str) -> RequestId {
        let client = client_of(user);
        let sequence = self.sequences.entry(client).or_default();
        *sequence += 1;
        RequestId {
            client,
            sequence: *sequence,
            acknowledged: *sequence,
        }
    }

    pub(crate) fn ask_with(
        &mut self,
        user: &str,
        id: RequestId,
        request: Request,
    ) -> Result<Reply> {
        let access = match user {
            OWNER => Access::owner_of_all(OWNER),
            "" => Access::anonymous(),
            user => Access {
                user: user.into(),
                groups: Vec::new(),
                administrator: false,
            },
        };
        let caller = Caller {
            client: id.client,
            access: Arc::new(access),
        };
        let answer = Answer::Connection {
            connection: 1,
            sequence: id.sequence,
        };
        self.engine().submit(&caller, id, request, answer);
        let mut out = Vec::new();
        for _ in 0..10 {
            self.engine().step(&mut out);
            if let Some((_, outcome)) = out.pop() {
                let failure = self.engine().failure();
                assert!(failure.is_none(), "the store failed: {failure:?}");
                return outcome;
            }
        }
        panic!("no answer");
    }

    pub(crate) fn ask(&mut self, request: Request) -> Result<Reply> {
        self.ask_as(OWNER, request)
    }

    pub(crate) fn end_session(&mut self, user: &str) {
        self.engine().end_session(client_of(user));
        self.step();
    }

    pub(crate) fn create(&mut self, queue: &str) {
        self.create_with(queue, |_| {});
    }

    pub(crate) fn create_transactional(&mut self, queue: &str) {
        self.create_with(queue, |p| p.transactional = true);
    }

    pub(crate) fn create_with(&mut self, queue: &str, set: impl FnOnce(&mut QueueProperties)) {
        let mut properties = QueueProperties::default();
        set(&mut properties);
        let queue = queue.to_owned();
        self.ask(Request::CreateQueue { queue, properties })
            .unwrap();
    }

    pub(crate) fn send(&mut self, queue: &str, message: &Message) -> Result<Reply> {
        self.ask(send(queue, message, Transaction::None))
    }

    /// In a transaction of its own.
    pub(crate) fn send_alone(&mut self, queue: &str, message: &Message) -> Result<Reply> {
        self.ask(send(queue, message, Transaction::Single))
    }

    pub(crate) fn send_in(&mut self, number: u64, queue: &str, message: &Message) -> Result<Reply> {
        let transaction = Transaction::In(TransactionId(number));
        self.ask(send(queue, message, transaction))
    }

    pub(crate) fn receive_as(
        &mut self,
        user: &str,
        queue: &str,
        how: Transaction,
    ) -> Result<Received> {
        let reply = self.ask_as(user, receive(queue, Take::Remove, how))?;
        Ok(message_of(reply))
    }

    pub(crate) fn receive(&mut self, queue: &str) -> Result<Received> {
        self.receive_as(OWNER, queue, Transaction::None)
    }

    pub(crate) fn receive_in(&mut self, number: u64, queue: &str) -> Result<Received> {
        self.receive_as(OWNER, queue, Transaction::In(TransactionId(number)))
    }

    pub(crate) fn lease(&mut self, queue: &str, milliseconds: u32) -> Result<Received> {
        let request = receive(queue, Take::Lease(milliseconds), Transaction::None);
        self.ask(request).map(message_of)
    }

    pub(crate) fn settle(&mut self, queue: &str, lease: LeaseId, how: Settle) -> Result<Reply> {
        let queue = queue.to_owned();
        let leases = vec![lease];
        self.ask(Request::Settle { queue, leases, how })
    }

    pub(crate) fn begin(&mut self, number: u64) {
        let transaction = TransactionId(number);
        self.ask(Request::Begin { transaction }).unwrap();
    }

    pub(crate) fn commit(&mut self, number: u64) -> Result<Reply> {
        let transaction = TransactionId(number);
        self.ask(Request::Commit { transaction })
    }

    pub(crate) fn abort(&mut self, number: u64) {
        let transaction = TransactionId(number);
        self.ask(Request::Abort { transaction }).unwrap();
    }

    pub(crate) fn purge(&mut self, queue: &str) {
        let queue = queue.to_owned();
        self.ask(Request::PurgeQueue { queue }).unwrap();
    }

    pub(crate) fn delete(&mut self, queue: &str) {
        let queue = queue.to_owned();
        self.ask(Request::DeleteQueue { queue }).unwrap();
    }

    /// All available messages of a queue, without taking any.
    pub(crate) fn peek_all(&mut self, queue: &str) -> Vec<Received> {
        let request = Request::ReceiveMany {
            queue: queue.into(),
            after: 0,
            take: Take::Peek,
            count_max: 1000,
            bytes_max: u32::MAX,
            timeout_ms: 0,
            transaction: Transaction::None,
        };
        match self.ask(request) {
            Ok(Reply::Messages(all)) => all,
            Ok(other) => panic!("{other:?}"),
            Err(error) if error.kind == hamq_core::ErrorKind::ReceiveTimeout => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn bodies(&mut self, queue: &str) -> Vec<String> {
        self.peek_all(queue).iter().map(body).collect()
    }

    pub(crate) fn count(&mut self, queue: &str) -> u64 {
        self.status(queue).message_count
    }

    pub(crate) fn status(&mut self, queue: &str) -> QueueStatus {
        let queue = queue.to_owned();
        match self.ask(Request::GetQueue { queue }) {
            Ok(Reply::Queue(status)) => *status,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn client_of(user: &str) -> Uuid {
    let mut bytes = [1_u8; 16];
    for (to, from) in bytes.iter_mut().zip(user.bytes()) {
        *to = from;
    }
    Uuid::from_bytes(bytes)
}

pub(crate) fn send(queue: &str, message: &Message, transaction: Transaction) -> Request {
    Request::Send {
        queue: queue.into(),
        message: message.encode(),
        transaction,
        body: None,
    }
}

pub(crate) fn receive(queue: &str, take: Take, transaction: Transaction) -> Request {
    Request::Receive {
        queue: queue.into(),
        select: Select::First,
        take,
        timeout_ms: 0,
        transaction,
    }
}

pub(crate) fn message_of(reply: Reply) -> Received {
    match reply {
        Reply::Message(received) => *received,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn body(received: &Received) -> String {
    String::from_utf8(received.body().to_vec()).unwrap()
}

/// A message with this body that `change` changes.
pub(crate) fn message(body: &str, change: impl FnOnce(&mut Message)) -> Message {
    let mut message = Message::new(body);
    change(&mut message);
    message
}
