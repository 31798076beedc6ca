//! A store whose disk can crash and whose time is told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hamq_core::queue::access::Access;
use hamq_core::queue::engine::{Engine, ManagerOptions, Tuning};
use hamq_core::queue::message::{LeaseId, Message, MessageId, Received};
use hamq_core::queue::request::{
    Answer, BranchId, Caller, PoisonPolicy, PoisonTarget, QueueProperties, QueueStatus, Reply,
    Request, RequestId, Select, Settle, Take, Transaction, TransactionId,
};
use hamq_core::queue::serve::Serve;
use hamq_core::sys::clock::FakeClock;
use hamq_core::sys::disk_fake::{FakeDisk, Survivors};
use hamq_core::{ErrorKind, Result};
use uuid::Uuid;

/// The client of all requests for which no other is named.
pub const ANN: u128 = 1;
/// Another one.
pub const BOB: u128 = 2;

/// A request that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// An engine that is stepped by hand.
pub struct Store {
    disk: FakeDisk,
    pub clock: Arc<FakeClock>,
    engine: Engine,
    sequences: HashMap<u128, u64>,
    tickets: u64,
    told: HashMap<Ticket, Result<Reply>>,
    last: HashMap<u128, Request>,
    snapshot_bytes: u64,
}

fn open(disk: &FakeDisk, clock: &Arc<FakeClock>, snapshot_bytes: u64) -> Engine {
    let options = ManagerOptions {
        name: "vs1".into(),
        epoch: None,
        owner: "n1".into(),
        deadline: None,
        on_failure: Box::new(|error| panic!("the store failed: {error:?}")),
    };
    let tuning = Tuning {
        segment_bytes: 64 * 1024,
        snapshot_bytes,
        fence: None,
    };
    let disk = Arc::new(disk.clone());
    Engine::open(disk, Arc::clone(clock) as _, options, tuning)
        .unwrap()
        .0
}

impl Store {
    /// An empty one.
    pub fn new() -> Self {
        Self::with_snapshots(1024 * 1024)
    }

    /// One that writes a snapshot after so many bytes of log.
    pub fn with_snapshots(snapshot_bytes: u64) -> Self {
        let disk = FakeDisk::new();
        let clock = Arc::new(FakeClock::default());
        Self {
            engine: open(&disk, &clock, snapshot_bytes),
            disk,
            clock,
            sequences: HashMap::new(),
            tickets: 0,
            told: HashMap::new(),
            last: HashMap::new(),
            snapshot_bytes,
        }
    }

    /// One that is there already, opened at the time that the clock always begins with; its clients go on behind
    /// this number of a request.
    #[allow(
        dead_code,
        reason = "the tests that share this file use different parts"
    )]
    pub fn on(disk: &FakeDisk, sequence: u64) -> Self {
        let clock = Arc::new(FakeClock::default());
        let snapshot_bytes = 1024 * 1024;
        Self {
            engine: open(disk, &clock, snapshot_bytes),
            disk: disk.clone(),
            clock,
            sequences: HashMap::from([(ANN, sequence), (BOB, sequence)]),
            tickets: 0,
            told: HashMap::new(),
            last: HashMap::new(),
            snapshot_bytes,
        }
    }

    /// What of it would be left if it died now.
    #[allow(
        dead_code,
        reason = "the tests that share this file use different parts"
    )]
    pub fn left(&self) -> FakeDisk {
        self.disk.crash(7, Survivors::None)
    }

    /// The process dies, nothing that was not synced is left, and another one opens the store.
    pub fn crash(&mut self) {
        let left = self.disk.crash(7, Survivors::None);
        self.disk = left;
        self.engine = open(&self.disk, &self.clock, self.snapshot_bytes);
    }

    /// It is closed, with a snapshot, and opened again.
    pub fn reopen(&mut self) {
        self.engine.close(&mut Vec::new()).unwrap();
        self.engine = open(&self.disk, &self.clock, self.snapshot_bytes);
    }

    /// So many milliseconds pass, and the engine looks at the clock.
    pub fn pass(&mut self, milliseconds: u64) {
        self.clock.advance(Duration::from_millis(milliseconds));
        for _ in 0..4 {
            self.step();
        }
    }

    fn step(&mut self) {
        let mut out = Vec::new();
        self.engine.step(&mut out);
        for (answer, outcome) in out {
            if let Answer::Connection { sequence, .. } = answer {
                let before = self.told.insert(Ticket(sequence), outcome);
                assert!(before.is_none(), "a request was answered twice");
            }
        }
    }

    /// Hands in a request; its answer may come later.
    pub fn start(&mut self, client: u128, request: Request) -> Ticket {
        *self.sequences.entry(client).or_default() += 1;
        self.last.insert(client, request.clone());
        self.submit(client, request)
    }

    /// A client asks its last request again: it has not seen the reply.
    pub fn start_again(&mut self, client: u128) -> Ticket {
        self.submit(client, self.last[&client].clone())
    }

    /// The same, of a request that does not wait.
    pub fn again(&mut self, client: u128) -> Result<Reply> {
        let ticket = self.start_again(client);
        self.told(ticket).expect("it does not wait")
    }

    /// Hands in requests that do not wait, together; gives their outcomes.
    pub fn burst(&mut self, client: u128, requests: &[Request]) -> Vec<Result<Reply>> {
        let first = self.sequences.get(&client).map_or(1, |last| last + 1);
        self.burst_again(client, first, requests)
    }

    /// The same requests again, the first of which had this sequence.
    pub fn burst_again(
        &mut self,
        client: u128,
        first: u64,
        requests: &[Request],
    ) -> Vec<Result<Reply>> {
        let last = self.sequences.entry(client).or_default();
        *last = (*last).max(first + requests.len() as u64 - 1);
        let hand_in = |(sequence, request): (u64, &Request)| {
            self.hand_in(client, sequence, 1, request.clone())
        };
        let tickets: Vec<_> = (first..).zip(requests).map(hand_in).collect();
        let told = |ticket| self.told(ticket).expect("it does not wait");
        tickets.into_iter().map(told).collect()
    }

    /// The sequence of a client's last request.
    pub fn sequence(&self, client: u128) -> u64 {
        self.sequences[&client]
    }

    fn submit(&mut self, client: u128, request: Request) -> Ticket {
        let sequence = self.sequences[&client];
        let ticket = self.hand_in(client, sequence, sequence, request);
        self.step();
        ticket
    }

    /// A request that does not wait, under a number of the caller's choice.
    #[allow(
        dead_code,
        reason = "the tests that share this file use different parts"
    )]
    pub fn submit_as(
        &mut self,
        client: u128,
        sequence: u64,
        acknowledged: u64,
        request: Request,
    ) -> Result<Reply> {
        let ticket = self.hand_in(client, sequence, acknowledged, request);
        self.told(ticket).expect("it does not wait")
    }

    fn hand_in(
        &mut self,
        client: u128,
        sequence: u64,
        acknowledged: u64,
        request: Request,
    ) -> Ticket {
        let client = Uuid::from_u128(client);
        let id = RequestId {
            client,
            sequence,
            acknowledged,
        };
        let from = Caller {
            client,
            access: Arc::new(Access::owner_of_all("n1".to_owned())),
        };
        self.tickets += 1;
        let answer = Answer::Connection {
            connection: 0,
            sequence: self.tickets,
        };
        self.engine.submit(&from, id, request, answer);
        Ticket(self.tickets)
    }

    /// What a request was told, if it was.
    pub fn told(&mut self, ticket: Ticket) -> Option<Result<Reply>> {
        self.step();
        self.told.remove(&ticket)
    }

    /// A request that does not wait.
    pub fn ask(&mut self, client: u128, request: Request) -> Result<Reply> {
        let ticket = self.start(client, request);
        self.told(ticket).expect("it does not wait")
    }

    /// The same, and it must succeed.
    pub fn must(&mut self, client: u128, request: Request) -> Reply {
        self.ask(client, request).unwrap()
    }

    /// The same, and it must fail in this way.
    pub fn refused(&mut self, client: u128, request: Request, kind: ErrorKind) {
        let error = self.ask(client, request).unwrap_err();
        assert_eq!(error.kind, kind, "{error:?}");
    }

    /// A client's connection ends.
    pub fn end_session(&mut self, client: u128) {
        self.engine.end_session(Uuid::from_u128(client));
        self.step();
    }

    pub fn create(&mut self, queue: &str, transactional: bool) {
        self.create_with(queue, |p| p.transactional = transactional);
    }

    pub fn create_with(&mut self, queue: &str, set: impl FnOnce(&mut QueueProperties)) {
        let mut properties = QueueProperties::default();
        set(&mut properties);
        let queue = queue.to_owned();
        self.must(ANN, Request::CreateQueue { queue, properties });
    }

    /// A transactional queue with a poison policy.
    pub fn create_poison(
        &mut self,
        queue: &str,
        receive_retry_count: u32,
        retry_cycles_max: u32,
        then: PoisonTarget,
    ) {
        self.create_with(queue, |properties| {
            properties.transactional = true;
            properties.poison = PoisonPolicy {
                receive_retry_count,
                retry_cycles_max,
                retry_cycle_delay_ms: 60_000,
                then,
            };
        });
    }

    /// Sends messages that are not part of a larger transaction; gives their lookup ids.
    pub fn send_all(&mut self, queue: &str, bodies: &[&str]) -> Vec<u64> {
        let send = |store: &mut Self, body: &&str| store.send(queue, Message::new(*body));
        bodies.iter().map(|body| send(self, body)).collect()
    }

    pub fn send(&mut self, queue: &str, message: Message) -> u64 {
        let transaction = match self.status(queue).properties.transactional {
            true => Transaction::Single,
            false => Transaction::None,
        };
        match self.must(ANN, send(queue, message, transaction)) {
            Reply::Sent { lookup_id, .. } => lookup_id,
            other => panic!("{other:?}"),
        }
    }

    pub fn status(&mut self, queue: &str) -> QueueStatus {
        match self.must(
            ANN,
            Request::GetQueue {
                queue: queue.into(),
            },
        ) {
            Reply::Queue(status) => *status,
            other => panic!("{other:?}"),
        }
    }

    /// The bodies of all messages that are available, in order.
    pub fn bodies(&mut self, queue: &str) -> Vec<String> {
        self.messages(queue).iter().map(body).collect()
    }

    /// All messages that are available, in order.
    pub fn messages(&mut self, queue: &str) -> Vec<Received> {
        match self.ask(ANN, many(queue, Take::Peek, 1000, Transaction::None)) {
            Ok(Reply::Messages(all)) => all,
            Err(error) if error.kind == ErrorKind::ReceiveTimeout => Vec::new(),
            Err(error) if error.kind == ErrorKind::QueueNotFound => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    pub fn one(&mut self, client: u128, request: Request) -> Received {
        match self.must(client, request) {
            Reply::Message(received) => *received,
            other => panic!("{other:?}"),
        }
    }

    pub fn begin(&mut self, client: u128, number: u64) -> Transaction {
        let transaction = TransactionId(number);
        self.must(client, Request::Begin { transaction });
        Transaction::In(transaction)
    }

    /// Receives the first message in a transaction of its own number and aborts it.
    pub fn receive_and_abort(&mut self, queue: &str, number: u64) -> Received {
        let transaction = self.begin(ANN, number);
        let received = self.one(ANN, receive(queue, transaction));
        self.must(ANN, abort(number));
        received
    }

    /// Receives the first with a lease of so many milliseconds.
    pub fn lease(&mut self, client: u128, queue: &str, milliseconds: u32) -> LeaseId {
        let request = take(queue, Select::First, Take::Lease(milliseconds));
        self.one(client, request).lease.unwrap()
    }
}

pub fn body(received: &Received) -> String {
    String::from_utf8(received.body().to_vec()).unwrap()
}

pub fn send(queue: &str, message: Message, transaction: Transaction) -> Request {
    Request::Send {
        queue: queue.into(),
        message: message.encode(),
        transaction,
        body: None,
    }
}

/// Receives the first, without waiting.
pub fn receive(queue: &str, transaction: Transaction) -> Request {
    receive_in(queue, Select::First, transaction)
}

pub fn receive_in(queue: &str, select: Select, transaction: Transaction) -> Request {
    Request::Receive {
        queue: queue.into(),
        select,
        take: Take::Remove,
        timeout_ms: 0,
        transaction,
    }
}

/// Receives, peeks or leases outside of transactions, without waiting.
pub fn take(queue: &str, select: Select, take: Take) -> Request {
    waits(queue, select, take, 0)
}

pub fn waits(queue: &str, select: Select, take: Take, timeout_ms: u64) -> Request {
    Request::Receive {
        queue: queue.into(),
        select,
        take,
        timeout_ms,
        transaction: Transaction::None,
    }
}

pub fn peek(queue: &str, select: Select) -> Request {
    take(queue, select, Take::Peek)
}

pub fn many(queue: &str, take: Take, count_max: u32, transaction: Transaction) -> Request {
    Request::ReceiveMany {
        queue: queue.into(),
        after: 0,
        take,
        count_max,
        bytes_max: u32::MAX,
        timeout_ms: 0,
        transaction,
    }
}

pub fn settle(queue: &str, leases: &[LeaseId], how: Settle) -> Request {
    Request::Settle {
        queue: queue.into(),
        leases: leases.to_vec(),
        how,
    }
}

pub fn move_to(queue: &str, lookup_id: u64, to: &str, transaction: Transaction) -> Request {
    Request::Move {
        queue: queue.into(),
        lookup_id,
        to: to.into(),
        transaction,
    }
}

pub fn reject(queue: &str, lookup_id: u64, number: u64) -> Request {
    Request::Reject {
        transaction: TransactionId(number),
        queue: queue.into(),
        lookup_id,
    }
}

pub fn commit(number: u64) -> Request {
    let transaction = TransactionId(number);
    Request::Commit { transaction }
}

pub fn abort(number: u64) -> Request {
    let transaction = TransactionId(number);
    Request::Abort { transaction }
}

pub fn prepare(number: u64, branch: &str) -> Request {
    Request::Prepare {
        transaction: TransactionId(number),
        branch: BranchId(branch.as_bytes().to_vec()),
    }
}

pub fn resolve(branch: &str, commit: bool) -> Request {
    Request::Resolve {
        branch: BranchId(branch.as_bytes().to_vec()),
        commit,
    }
}

pub fn purge(queue: &str) -> Request {
    Request::PurgeQueue {
        queue: queue.into(),
    }
}

pub fn delete(queue: &str) -> Request {
    Request::DeleteQueue {
        queue: queue.into(),
    }
}

/// A correlation id that only means something to its users.
pub fn correlation(number: u32) -> MessageId {
    MessageId {
        manager: Uuid::from_u128(77),
        ordinal: number,
    }
}
