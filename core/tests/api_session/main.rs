//! Sessions and commands over real sockets, against a queue manager that keeps everything in memory.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::too_many_lines,
    reason = "a double and its stories: a panic is a failure, the double one table of all requests"
)]

mod plane;
mod silence;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hamq_core::api::client::{Client, ClientOptions, Session};
use hamq_core::api::host::CommandHost;
use hamq_core::api::message::{ReceiveMsmqQueue, SendMsmqQueue};
use hamq_core::api::queue::{GetMsmqQueue, NewMsmqQueue};
use hamq_core::api::server::plane::{Control, Limits, Plane, ServedManager};
use hamq_core::api::server::serve_commands;
use hamq_core::api::value::{Body, Value};
use hamq_core::queue::encoded::Encoded;
use hamq_core::queue::message::{Delivery, Message, MessageId, Received};
use hamq_core::queue::request::{
    Answer, BodySource, Caller, QueueKind, QueueProperties, QueueStatus, Reply, Request, RequestId,
    Select, Take, Transaction, TransactionId,
};
use hamq_core::queue::serve::{Replies, Serve};
use hamq_core::sys::network::{Listener, listen};
use hamq_core::sys::trust::Door;
use hamq_core::{Error, ErrorKind, Result};
use uuid::Uuid;

const PATIENT: Duration = Duration::from_secs(60);

/// An address that no other test and no other run uses.
fn address(port: u16) -> SocketAddr {
    static LAST: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let last = LAST.fetch_add(1, Ordering::Relaxed);
    let ip = Ipv4Addr::new(127, 64 + high % 64, low, last);
    SocketAddr::new(IpAddr::V4(ip), port)
}

#[derive(Default)]
struct State {
    transactional: BTreeMap<String, bool>,
    messages: VecDeque<Received>,
    waiting: VecDeque<(RequestId, Answer)>,
    ready: Replies,
    outcomes: HashMap<(Uuid, u64), Reply>,
    open: HashMap<(Uuid, TransactionId), Vec<Encoded>>,
    bodies: BTreeMap<u64, Vec<u8>>,
    next: u64,
    callers: Vec<Caller>,
    executed: u64,
    ended: u64,
}

/// A queue manager without a disk: it outlives its servers as a store outlives its processes.
/// It has one list of messages, whatever the queue.
#[derive(Default)]
struct Memory {
    state: Mutex<State>,
    /// So many replies get lost from now on.
    lose: AtomicU64,
    /// So many requests are answered with Fenced from now on.
    fenced: AtomicU64,
    /// Nothing is answered any more.
    frozen: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

type Waker = Arc<dyn Fn() + Send + Sync>;

fn count_down(counter: &AtomicU64) -> bool {
    let less = |n: u64| n.checked_sub(1);
    counter
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        .is_ok()
}

fn fail<T>(kind: ErrorKind, text: &str) -> Result<T> {
    Err(Error::new(kind, text))
}

impl State {
    fn execute(&mut self, id: RequestId, request: &Request) -> Option<Result<Reply>> {
        if let Some(known) = self.outcomes.get(&(id.client, id.sequence)) {
            return Some(Ok(known.clone()));
        }
        assert!(id.acknowledged <= id.sequence);
        let outcome = self.decide(id, request)?;
        self.executed += 1;
        if let Ok(reply) = &outcome {
            self.outcomes
                .insert((id.client, id.sequence), reply.clone());
        }
        Some(outcome)
    }

    fn decide(&mut self, id: RequestId, request: &Request) -> Option<Result<Reply>> {
        let sent = |lookup_id| {
            Ok(Reply::Sent {
                id: MessageId::NONE,
                lookup_id,
            })
        };
        Some(match request {
            Request::CreateQueue { queue, properties } => {
                self.transactional
                    .insert(queue.clone(), properties.transactional);
                Ok(Reply::Queue(Box::new(self.status(queue))))
            }
            Request::ListQueues { .. } => Ok(Reply::Queues(
                self.transactional.keys().map(|q| self.status(q)).collect(),
            )),
            Request::GetQueue { queue } => match self.transactional.contains_key(queue) {
                true => Ok(Reply::Queue(Box::new(self.status(queue)))),
                false => fail(ErrorKind::QueueNotFound, "no such queue"),
            },
            Request::Send {
                message,
                transaction: Transaction::In(transaction),
                ..
            } => match self.open.get_mut(&(id.client, *transaction)) {
                Some(staged) => {
                    staged.push(message.clone());
                    sent(0)
                }
                None => fail(ErrorKind::TransactionAborted, "no such transaction"),
            },
            Request::Send {
                queue,
                message,
                transaction,
                ..
            } => match self.transactional.get(queue) {
                None => fail(ErrorKind::QueueNotFound, "no such queue"),
                Some(single) if *single != (*transaction == Transaction::Single) => {
                    fail(ErrorKind::TransactionUsage, "the other nature")
                }
                Some(_) => sent(self.put(message.clone())),
            },
            Request::Receive {
                select,
                take,
                timeout_ms,
                ..
            } => {
                let fits = |m: &Received| match select {
                    Select::After(lookup) => m.lookup_id > *lookup,
                    Select::LookupId(lookup) => m.lookup_id == *lookup,
                    _ => true,
                };
                match self.messages.iter().position(fits) {
                    Some(at) if *take == Take::Peek => {
                        Ok(Reply::Message(Box::new(self.messages[at].clone())))
                    }
                    Some(at) => Ok(Reply::Message(Box::new(self.messages.remove(at).unwrap()))),
                    None if *timeout_ms == 0 => fail(ErrorKind::ReceiveTimeout, "nothing there"),
                    None => return None,
                }
            }
            Request::ReceiveMany {
                after,
                take,
                count_max,
                ..
            } => {
                let found = self.messages.iter().filter(|m| m.lookup_id > *after);
                let found: Vec<_> = found.take(*count_max as usize).cloned().collect();
                if *take != Take::Peek {
                    self.messages.retain(|m| !found.contains(m));
                }
                match found.is_empty() {
                    true => fail(ErrorKind::ReceiveTimeout, "nothing there"),
                    false => Ok(Reply::Messages(found)),
                }
            }
            Request::WriteBody {
                body,
                offset,
                bytes,
            } => {
                let written = self.bodies.entry(body.0).or_default();
                assert_eq!(written.len() as u64, *offset, "in order and without a gap");
                written.extend(bytes);
                Ok(Reply::Done)
            }
            Request::ReadBody {
                source,
                offset,
                length,
            } => {
                let BodySource::Received(sequence) = source else {
                    panic!("the tests do not ask for {source:?}");
                };
                assert!(id.acknowledged <= *sequence, "its outcome may be forgotten");
                let body = self.bodies.values().next().unwrap();
                let from = usize::try_from(*offset).unwrap();
                let end = (from + *length as usize).min(body.len());
                Ok(Reply::Bytes(body[from..end].to_vec()))
            }
            Request::Begin { transaction } => {
                self.open.insert((id.client, *transaction), Vec::new());
                Ok(Reply::Done)
            }
            Request::Commit { transaction } => match self.open.remove(&(id.client, *transaction)) {
                Some(staged) => {
                    for message in staged {
                        self.put(message);
                    }
                    Ok(Reply::Done)
                }
                None => fail(ErrorKind::TransactionAborted, "no such transaction"),
            },
            other => panic!("the tests do not ask for {other:?}"),
        })
    }

    fn put(&mut self, content: Encoded) -> u64 {
        self.next += 1;
        let received = received(content, self.next);
        match self.waiting.pop_front() {
            Some((id, respond)) => {
                let reply = Reply::Message(Box::new(received));
                self.outcomes
                    .insert((id.client, id.sequence), reply.clone());
                self.ready.push((respond, Ok(reply)));
            }
            None => self.messages.push_back(received),
        }
        self.next
    }

    fn status(&self, queue: &str) -> QueueStatus {
        QueueStatus {
            name: queue.to_owned(),
            kind: QueueKind::Private,
            number: 1,
            properties: QueueProperties {
                transactional: self.transactional[queue],
                ..QueueProperties::default()
            },
            message_count: self.messages.len() as u64,
            bytes_in_queue: 0,
            locked_count: 0,
            delayed_count: 0,
            journal_message_count: 0,
            bytes_in_journal: 0,
            created_ms: 0,
            modified_ms: 0,
            faulted: None,
        }
    }
}

impl Memory {
    fn texts(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let text = |m: &Received| String::from_utf8(m.body().to_vec()).unwrap();
        state.messages.iter().map(text).collect()
    }

    fn until(&self, holds: impl Fn(&State) -> bool) {
        while !holds(&self.state.lock().unwrap()) {
            std::thread::yield_now();
        }
    }
}

fn received(content: Encoded, lookup_id: u64) -> Received {
    Received {
        body_bytes: content.body().len() as u64,
        content,
        id: MessageId::NONE,
        lookup_id,
        sent_ms: 0,
        arrived_ms: 0,
        delivery: Delivery::Recoverable,
        class: 0,
        sender: String::new(),
        destination: String::new(),
        abort_count: 0,
        move_count: 0,
        last_move_ms: 0,
        transaction: None,
        lease: None,
    }
}

/// The part of it that a server drives; it is lost with its server.
struct Engine(Arc<Memory>);

impl Serve for Engine {
    fn submit(&mut self, from: &Caller, id: RequestId, request: Request, answer: Answer) {
        assert_eq!(from.client, id.client);
        let mut state = self.0.state.lock().unwrap();
        if !state.callers.contains(from) {
            state.callers.push(from.clone());
        }
        if count_down(&self.0.fenced) {
            let fenced = fail(ErrorKind::Fenced, "a newer epoch");
            return state.ready.push((answer, fenced));
        }
        match state.execute(id, &request) {
            None => state.waiting.push_back((id, answer)),
            Some(_) if count_down(&self.0.lose) => {}
            Some(outcome) => state.ready.push((answer, outcome)),
        }
    }

    fn end_session(&mut self, client: Uuid) {
        let mut state = self.0.state.lock().unwrap();
        state.open.retain(|(owner, _), _| *owner != client);
        state.waiting.retain(|(id, _)| id.client != client);
        state.ended += 1;
    }

    fn step(&mut self, out: &mut Replies) {
        if !self.0.frozen.load(Ordering::SeqCst) {
            out.append(&mut self.0.state.lock().unwrap().ready);
        }
    }

    fn wake_at(&self) -> Option<Duration> {
        None
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn set_waker(&mut self, wake: Arc<dyn Fn() + Send + Sync>) {
        *self.0.waker.lock().unwrap() = Some(wake);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap();
        state.open.clear();
        state.waiting.clear();
        state.ready.clear();
    }
}

/// A machine with a queue manager's server and a client elsewhere.
struct Stage {
    machine: tokio::runtime::Runtime,
    memory: Arc<Memory>,
    at: SocketAddr,
    server: Option<(Control<Engine>, JoinHandle<Result<Engine>>)>,
    client: Client,
    home: tempfile::TempDir,
}

impl Stage {
    fn new(failover_timeout: Duration) -> Self {
        let home = tempfile::tempdir().unwrap();
        let options = ClientOptions {
            home: home.path().into(),
            program: vec!["/does/not/exist".into()],
            failover_timeout,
        };
        Self {
            machine: tokio::runtime::Runtime::new().unwrap(),
            memory: Arc::default(),
            at: address(7801),
            server: None,
            client: Client::new(options).unwrap(),
            home,
        }
    }

    fn folder(&self) -> &std::path::Path {
        self.home.path()
    }

    fn started() -> (Self, Session) {
        let mut stage = Self::new(PATIENT);
        stage.start();
        let session = stage.client.session(&stage.at.to_string()).unwrap();
        session.call(create()).unwrap();
        (stage, session)
    }

    fn start(&mut self) {
        self.start_at(vec![Listener::tcp(self.at).unwrap()], Limits::default());
    }

    fn start_at(&mut self, listeners: Vec<Listener>, limits: Limits) {
        let served = ServedManager {
            name: "VS1".into(),
            epoch: 1,
        };
        let engine = Engine(Arc::clone(&self.memory));
        let (plane, control) = Plane::new(listeners, engine, served, limits).unwrap();
        self.server = Some((control, plane.spawn().unwrap()));
    }

    /// Ends the server and all its connections as a kill would.
    fn stop(&mut self) {
        if let Some((control, thread)) = self.server.take() {
            control.stop();
            drop(thread.join().unwrap());
        }
    }

    /// As `stop`, and starts another.
    fn fail_over(&mut self) {
        self.stop();
        self.start();
    }

    /// Two agents in front of it, of which the first is down, and the client connected to them.
    fn connect(&self) {
        let agent = address(7800);
        let listener = self.machine.block_on(async { listen(agent) }).unwrap();
        let host = Arc::new(Agent(self.at));
        self.machine
            .spawn(serve_commands(listener, Door::Open, host, "lab".into()));
        self.client
            .connect(&format!("{},{agent}", address(7800)))
            .unwrap();
        assert_eq!(self.client.cluster().as_deref(), Some("lab"));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An agent that believes VS1 and VS2 to be at the same address.
struct Agent(SocketAddr);

impl CommandHost for Agent {
    fn audit(&self, _: &hamq_core::api::host::Given, _: &hamq_core::Result<Value>) {}

    fn admits(&self, _: &hamq_core::sys::trust::Caller, _: &str) -> hamq_core::Result<()> {
        Ok(())
    }

    fn run(
        &self,
        name: String,
        arguments: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value>> + Send>> {
        let address = self.0.to_string();
        Box::pin(async move {
            assert_eq!(name, "Resolve-MsmqComputer");
            match arguments.as_map().unwrap()[0].1.as_text().unwrap() {
                "VS1" | "VS2" => Ok(Value::Map(vec![("Address".into(), address.into())])),
                other => fail(
                    ErrorKind::ResolveAddress,
                    &format!("nobody is called {other}"),
                ),
            }
        })
    }
}

fn create() -> Request {
    Request::CreateQueue {
        queue: "q".into(),
        properties: QueueProperties::default(),
    }
}

fn send(text: &str, transaction: Transaction) -> Request {
    Request::Send {
        queue: "q".into(),
        message: Message::new(text).encode(),
        transaction,
        body: None,
    }
}

fn receive(timeout_ms: u64) -> Request {
    Request::Receive {
        queue: "q".into(),
        select: Select::First,
        take: Take::Remove,
        timeout_ms,
        transaction: Transaction::None,
    }
}

fn list() -> Request {
    Request::ListQueues {
        after: String::new(),
        count_max: 100,
        all: false,
    }
}

fn body(reply: Result<Reply>) -> String {
    match reply {
        Ok(Reply::Message(received)) => String::from_utf8(received.body().to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn thousands_of_sends_through_five_failovers_arrive_once_and_in_order() {
    let (mut stage, session) = Stage::started();
    let mut tickets = Vec::new();
    for number in 0..5000 {
        tickets.push(session.submit(send(&number.to_string(), Transaction::None)));
        if number % 1000 == 500 {
            stage.memory.lose.store(3, Ordering::SeqCst);
            stage.fail_over();
            stage.memory.lose.store(0, Ordering::SeqCst);
            stage.fail_over();
        }
    }
    for ticket in tickets {
        assert!(matches!(ticket.wait(), Ok(Reply::Sent { .. })));
    }
    let expected: Vec<_> = (0..5000).map(|n| n.to_string()).collect();
    assert!(
        stage.memory.texts() == expected,
        "lost, twice or out of order"
    );
}

#[test]
fn a_reply_that_was_lost_with_the_connection_is_asked_for_again() {
    let (mut stage, session) = Stage::started();
    stage.memory.lose.store(1, Ordering::SeqCst);
    let ticket = session.submit(send("once", Transaction::None));
    stage.memory.until(|state| state.executed == 2);
    stage.fail_over();
    assert!(ticket.wait().is_ok());
    assert_eq!(stage.memory.texts(), ["once"]);
}

#[test]
fn a_queue_manager_that_lost_its_store_is_left_and_its_successor_found() {
    let (stage, session) = Stage::started();
    stage.memory.fenced.store(4, Ordering::SeqCst);
    session.call(send("kept", Transaction::None)).unwrap();
    assert_eq!(stage.memory.texts(), ["kept"]);
}

#[test]
fn a_receive_waits_for_a_message_that_is_sent_later_also_through_a_failover() {
    let (mut stage, session) = Stage::started();
    let waiting = session.submit(receive(u64::MAX));
    stage.memory.until(|state| !state.waiting.is_empty());
    stage.fail_over();
    session.call(send("late", Transaction::None)).unwrap();
    assert_eq!(body(waiting.wait()), "late");
}

#[test]
fn a_transaction_ends_with_its_connection_and_nothing_of_it_is_seen() {
    let (mut stage, session) = Stage::started();
    let transaction = session.begin();
    session
        .call(send("half", Transaction::In(transaction)))
        .unwrap();
    stage.fail_over();
    session.call(list()).unwrap();
    let error = session.call(Request::Commit { transaction }).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TransactionAborted);
    assert!(stage.memory.texts().is_empty());

    let transaction = session.begin();
    session
        .call(send("whole", Transaction::In(transaction)))
        .unwrap();
    session.call(Request::Commit { transaction }).unwrap();
    assert_eq!(stage.memory.texts(), ["whole"]);
}

#[test]
fn a_commit_whose_reply_was_lost_says_that_it_committed() {
    let (mut stage, session) = Stage::started();
    let transaction = session.begin();
    session
        .call(send("x", Transaction::In(transaction)))
        .unwrap();
    stage.memory.lose.store(1, Ordering::SeqCst);
    let ticket = session.submit(Request::Commit { transaction });
    stage.memory.until(|state| state.executed == 4);
    stage.fail_over();
    assert_eq!(ticket.wait(), Ok(Reply::Done));
    assert_eq!(stage.memory.texts(), ["x"]);
}

#[test]
fn cancelling_ends_a_wait_and_the_session_goes_on() {
    let (stage, session) = Stage::started();
    let waiting = session.submit(receive(u64::MAX));
    stage.memory.until(|state| !state.waiting.is_empty());
    stage.client.cancel();
    let error = waiting.wait().unwrap_err();
    assert_eq!(error.kind, ErrorKind::OperationCancelled);
    stage.memory.state.lock().unwrap().waiting.clear();
    session.call(send("after", Transaction::None)).unwrap();
    assert_eq!(body(session.call(receive(0))), "after");
}

#[test]
fn a_frozen_queue_manager_is_given_up_in_time_and_named() {
    let stage = Stage::new(Duration::from_millis(300));
    // The kernel accepts for a process that never does.
    let _frozen = std::net::TcpListener::bind(stage.at).unwrap();
    let session = stage.client.session(&stage.at.to_string()).unwrap();
    let error = session.call(list()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::RemoteMachineNotAvailable);
    assert!(error.message.contains(&stage.at.to_string()), "{error}");
    assert!(error.hint.is_some());
}

#[test]
fn a_queue_manager_that_accepts_and_freezes_is_left_for_its_successor() {
    let mut stage = Stage::new(PATIENT);
    let frozen = std::net::TcpListener::bind(stage.at).unwrap();
    let session = stage.client.session(&stage.at.to_string()).unwrap();
    let ticket = session.submit(create());
    let (stream, _) = frozen.accept().unwrap();
    drop(frozen);
    stage.start();
    assert!(
        ticket.wait().is_ok(),
        "while the old connection is still open"
    );
    drop(stream);
}

fn send_command(name: &str, text: &str) -> SendMsmqQueue {
    SendMsmqQueue {
        name: name.into(),
        body: Some(Body(text.as_bytes().to_vec())),
        label: Some("l".into()),
        ..SendMsmqQueue::default()
    }
}

fn receive_command(peek: bool, count: Option<u64>) -> ReceiveMsmqQueue {
    ReceiveMsmqQueue {
        name: "vs1/private$/q".into(),
        peek,
        count,
        ..ReceiveMsmqQueue::default()
    }
}

fn new_queue(transactional: bool) -> NewMsmqQueue {
    NewMsmqQueue {
        name: "VS1/private$/q".into(),
        transactional,
        ..NewMsmqQueue::default()
    }
}

#[test]
fn the_queue_commands_work_by_the_virtual_servers_name() {
    let (stage, _session) = Stage::started();
    stage.connect();
    let queue = stage.client.run(new_queue(true)).unwrap();
    assert_eq!(
        (queue.name.as_str(), queue.transactional),
        ("VS1\\private$\\q", true)
    );
    for text in ["one", "two", "three"] {
        stage
            .client
            .run(send_command("VS1/private$/q", text))
            .unwrap();
    }
    let queues = stage
        .client
        .run(GetMsmqQueue {
            name: "VS1".into(),
            ..GetMsmqQueue::default()
        })
        .unwrap();
    assert_eq!((queues.len(), queues[0].message_count), (1, 3));
    let peeked = stage.client.run(receive_command(true, Some(2))).unwrap();
    let texts: Vec<_> = peeked.iter().map(|m| m.body.text().unwrap()).collect();
    assert_eq!(texts, ["one", "two"]);
    assert_eq!(
        stage
            .client
            .run(receive_command(false, Some(9)))
            .unwrap()
            .len(),
        3
    );
    let error = stage.client.run(receive_command(false, None)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::ReceiveTimeout);
}

#[test]
fn a_queue_that_changed_its_nature_is_looked_up_again() {
    let (stage, _session) = Stage::started();
    stage.connect();
    stage.client.run(new_queue(false)).unwrap();
    stage
        .client
        .run(send_command("VS1/private$/q", "plain"))
        .unwrap();
    stage
        .memory
        .state
        .lock()
        .unwrap()
        .transactional
        .insert("q".into(), true);
    stage
        .client
        .run(send_command("VS1/private$/q", "single"))
        .unwrap();
    assert_eq!(stage.memory.texts(), ["plain", "single"]);
}

#[test]
fn errors_say_which_name_is_off() {
    let mut stage = Stage::new(Duration::from_millis(300));
    stage.start();
    stage.connect();
    let get = |name: &str| {
        stage
            .client
            .run(GetMsmqQueue {
                name: name.into(),
                ..GetMsmqQueue::default()
            })
            .unwrap_err()
    };
    let error = get("VS9");
    assert_eq!(error.kind, ErrorKind::ResolveAddress);
    assert!(error.message.contains("VS9"));
    assert_eq!(get("./private$/q").kind, ErrorKind::ResolveAddress);
    let error = get("VS2");
    assert_eq!(error.kind, ErrorKind::RemoteMachineNotAvailable);
    assert!(error.message.contains("this is VS1"), "{error}");
    let error = stage
        .client
        .invoke("Get-MsmqQueu", Value::Null)
        .unwrap_err();
    assert_eq!(error.hint.unwrap(), "did you mean Get-MsmqQueue?");
    let error = stage
        .client
        .run(send_command("VS1/private$/none", "x"))
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::QueueNotFound);
}
