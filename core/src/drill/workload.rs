//! Senders and consumers, each a thread with a session of its own.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::history::History;
use super::ledger::{Ledger, MessageKey, Verdict};
use super::timeline::Marks;
use crate::api::client::{Client, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;
use crate::queue::message::{Message, Received};
use crate::queue::request::{Reply, Request, Select, Take, Transaction, TransactionId};
use crate::sys::clock::{Clock, SystemClock};

/// Messages that one transaction of a consumer takes.
const TRANSACTION_MESSAGES_MAX: usize = 32;
/// How long a consumer waits for a message before it looks whether it shall stop.
const RECEIVE_WAIT_MS: u64 = 200;
/// How long a thread pauses after an error that will not go away by itself at once.
const ERROR_PAUSE: Duration = Duration::from_millis(50);
/// How long a commit may stay without an outcome.
const COMMIT_PATIENCE: Duration = Duration::from_secs(60);

/// What a load looks like.
#[derive(Clone, Debug)]
pub struct WorkloadOptions {
    /// The queue.
    pub queue: QueuePath,
    /// The bodies that the senders go round.
    pub input: Vec<String>,
    /// Threads that send.
    pub senders: u32,
    /// Threads that receive.
    pub consumers: u32,
    /// Messages a second of each sender; 0 does not pace.
    pub rate: u64,
    /// Where in the input each sender starts.
    pub seed: u64,
}

/// A load that runs.
pub struct Workload {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
    consumers: Vec<JoinHandle<()>>,
}

struct Shared {
    options: WorkloadOptions,
    run: String,
    ledger: Mutex<Ledger>,
    marks: Mutex<Marks>,
    history: Mutex<History>,
    last_error: Mutex<Option<String>>,
    phase: Mutex<Phase>,
    changed: Condvar,
    started: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Loading,
    Draining,
    Ended,
}

impl Workload {
    /// Starts the threads. Each opens a session of its own, as independent clients would.
    ///
    /// # Errors
    /// When the virtual server's name is not known, or a thread cannot start.
    pub fn start(client: &Client, options: WorkloadOptions) -> Result<Self> {
        let computer = options.queue.computer().to_owned();
        let started = SystemClock.boot();
        let shared = Arc::new(Shared {
            history: Mutex::new(History::new(started)),
            run: uuid::Uuid::new_v4().simple().to_string(),
            ledger: Mutex::default(),
            marks: Mutex::default(),
            last_error: Mutex::default(),
            phase: Mutex::new(Phase::Loading),
            changed: Condvar::new(),
            started,
            options,
        });
        let mut workload = Self {
            shared,
            senders: Vec::new(),
            consumers: Vec::new(),
        };
        for sender in 0..workload.shared.options.senders {
            let (shared, session) = (Arc::clone(&workload.shared), client.new_session(&computer)?);
            let run = move || send_all(&shared, &session, sender);
            workload
                .senders
                .push(thread(format!("sender-{sender}"), run)?);
        }
        for consumer in 0..workload.shared.options.consumers {
            let (shared, session) = (Arc::clone(&workload.shared), client.new_session(&computer)?);
            let run = move || receive_all(&shared, &session);
            workload
                .consumers
                .push(thread(format!("consumer-{consumer}"), run)?);
        }
        Ok(workload)
    }

    /// The counters now, without the search for lost messages.
    #[must_use]
    pub fn counters(&self) -> Verdict {
        lock(&self.shared.ledger).counters()
    }

    /// The counters now.
    #[must_use]
    pub fn progress(&self) -> (Verdict, u64) {
        let ledger = lock(&self.shared.ledger);
        (ledger.verdict(), ledger.waiting())
    }

    /// Acknowledged messages that are still to be received.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        lock(&self.shared.ledger).waiting()
    }

    /// Throughput and latency so far.
    pub(super) fn history(&self) -> History {
        lock(&self.shared.history).clone()
    }

    /// Whether the load has ended by itself: somebody else's message came.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.shared.phase() == Phase::Ended
    }

    /// The last error a thread met.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        lock(&self.shared.last_error).clone()
    }

    /// The queue under load.
    #[must_use]
    pub fn queue(&self) -> &QueuePath {
        &self.shared.options.queue
    }

    /// How many messages the input has.
    #[must_use]
    pub fn input_count(&self) -> usize {
        self.shared.options.input.len()
    }

    /// How long it has been running.
    #[must_use]
    pub fn running(&self) -> Duration {
        SystemClock.boot().saturating_sub(self.shared.started)
    }

    /// A fault is about to be, or has just been, made: what gets through from `at` on is its recovery.
    pub fn mark_fault(&self, at: Duration) {
        lock(&self.shared.marks).fault(at);
    }

    /// What got through since the last fault.
    #[must_use]
    pub fn marks(&self) -> Marks {
        *lock(&self.shared.marks)
    }

    /// Stops the senders, waits until everything acknowledged has been received or `timeout` is over,
    /// looks once more for surplus messages, and adds up.
    #[must_use]
    pub fn finish(mut self, timeout: Duration) -> Verdict {
        self.settle(timeout)
    }

    /// As [`Workload::finish`], with the history still to be had.
    pub(super) fn settle(&mut self, timeout: Duration) -> Verdict {
        self.shared.enter(Phase::Draining);
        join(&mut self.senders);
        let end = SystemClock.boot() + timeout;
        while self.waiting() > 0 && !self.has_ended() && SystemClock.boot() < end {
            self.shared.pause(Duration::from_millis(20), Phase::Ended);
        }
        // One more receive of each consumer would bring a duplicate to light.
        self.shared
            .pause(Duration::from_millis(2 * RECEIVE_WAIT_MS), Phase::Ended);
        self.shared.enter(Phase::Ended);
        join(&mut self.consumers);
        self.progress().0
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.shared.enter(Phase::Ended);
        join(&mut self.senders);
        join(&mut self.consumers);
    }
}

impl Shared {
    fn phase(&self) -> Phase {
        *lock(&self.phase)
    }

    /// Goes on to a later phase; what has ended stays so.
    fn enter(&self, phase: Phase) {
        let mut now = lock(&self.phase);
        if *now != Phase::Ended {
            *now = phase;
        }
        drop(now);
        self.changed.notify_all();
    }

    /// Sleeps, but not into the phase `until` or beyond it.
    fn pause(&self, time: Duration, until: Phase) {
        let guard = lock(&self.phase);
        let reached = |phase: &mut Phase| *phase != until && *phase != Phase::Ended;
        drop(self.changed.wait_timeout_while(guard, time, reached));
    }

    fn note(&self, error: &Error) {
        *lock(&self.last_error) = Some(error.to_string());
        self.pause(ERROR_PAUSE, Phase::Ended);
    }

    fn body(&self, key: MessageKey) -> &str {
        let input = &self.options.input;
        let start = u64::from(key.sender)
            .wrapping_mul(7919)
            .wrapping_add(self.options.seed);
        let length = u64::try_from(input.len()).unwrap_or(1);
        let index = usize::try_from(start.wrapping_add(key.number) % length).unwrap_or(0);
        input.get(index).map_or("", String::as_str)
    }

    /// Whether no sender of this load has sent it.
    fn is_strange(&self, received: &Received) -> bool {
        let label = received.content.label().unwrap_or_default();
        self.key(label).is_none()
    }

    fn label(&self, key: MessageKey) -> String {
        format!("{}/{}/{}", self.run, key.sender, key.number)
    }

    fn key(&self, label: &str) -> Option<MessageKey> {
        let (sender, number) = label
            .strip_prefix(&self.run)?
            .strip_prefix('/')?
            .split_once('/')?;
        Some(MessageKey {
            sender: sender.parse().ok()?,
            number: number.parse().ok()?,
        })
    }
}

fn send_all(shared: &Shared, session: &Session, sender: u32) {
    let interval = 1_000_000_000u64
        .checked_div(shared.options.rate)
        .map(Duration::from_nanos);
    let mut due = SystemClock.boot();
    let mut number = 0;
    while shared.phase() == Phase::Loading {
        number += 1;
        send_one(shared, session, MessageKey { sender, number });
        if let Some(interval) = interval {
            // After an outage the sender goes on at its rate; it does not catch up in a burst.
            let now = SystemClock.boot();
            due = (due + interval).max(now.saturating_sub(interval));
            shared.pause(due.saturating_sub(now), Phase::Draining);
        }
    }
}

fn send_one(shared: &Shared, session: &Session, key: MessageKey) {
    let mut message = Message::new(shared.body(key));
    message.label = shared.label(key);
    let request = Request::Send {
        queue: shared.options.queue.queue().to_string(),
        message: message.encode(),
        transaction: Transaction::Single,
        body: None,
    };
    lock(&shared.ledger).sent(key);
    let started = SystemClock.boot();
    match session.call(request) {
        Ok(_) => {
            let ended = SystemClock.boot();
            lock(&shared.marks).sent(started, ended);
            lock(&shared.history).sent(started, ended);
            lock(&shared.ledger).acknowledged(key);
        }
        Err(error) => {
            lock(&shared.ledger).unknown(key);
            shared.note(&error);
        }
    }
}

fn receive_all(shared: &Shared, session: &Session) {
    while shared.phase() != Phase::Ended {
        match receive_some(shared, session) {
            Ok(()) => {}
            // Its messages are back in their places: the next transaction gets them.
            Err(error) if error.kind == ErrorKind::TransactionAborted => {}
            Err(error) => shared.note(&error),
        }
    }
}

/// One transaction. One that failed is ended: what it holds would otherwise come behind what the next one takes.
fn receive_some(shared: &Shared, session: &Session) -> Result<()> {
    let transaction = session.begin();
    let outcome = receive_in(shared, session, transaction);
    if outcome.is_err() {
        // It may be over already, or nobody is there to end it: a new owner knows it no longer.
        drop(session.call(Request::Abort { transaction }));
    }
    outcome
}

/// What is there, up to a bound; entered into the ledger once it has committed.
fn receive_in(shared: &Shared, session: &Session, transaction: TransactionId) -> Result<()> {
    let mut taken = Vec::new();
    let mut timeout_ms = RECEIVE_WAIT_MS;
    while taken.len() < TRANSACTION_MESSAGES_MAX {
        match receive_one(shared, session, transaction, timeout_ms) {
            Ok(received) if shared.is_strange(&received) => {
                return leave(shared, session, transaction, &received);
            }
            Ok(received) => taken.push(received),
            Err(error) if error.kind == ErrorKind::ReceiveTimeout => break,
            Err(error) => return Err(error),
        }
        timeout_ms = 0;
    }
    session.commit(transaction, COMMIT_PATIENCE)?;
    if !taken.is_empty() {
        let ended = SystemClock.boot();
        lock(&shared.marks).received(ended);
        let count = u64::try_from(taken.len()).unwrap_or(u64::MAX);
        lock(&shared.history).received(ended, count);
    }
    for received in taken {
        enter(shared, &received);
    }
    Ok(())
}

fn receive_one(
    shared: &Shared,
    session: &Session,
    transaction: TransactionId,
    timeout_ms: u64,
) -> Result<Received> {
    let reply = session.call(Request::Receive {
        queue: shared.options.queue.queue().to_string(),
        select: Select::First,
        take: Take::Remove,
        timeout_ms,
        transaction: Transaction::In(transaction),
    })?;
    match reply {
        Reply::Message(received) => Ok(*received),
        _ => Err(unexpected()),
    }
}

/// Puts back what was taken, a message of somebody else in it, and ends the load: the drill must not eat it.
fn leave(
    shared: &Shared,
    session: &Session,
    transaction: TransactionId,
    received: &Received,
) -> Result<()> {
    let label = received.content.label().unwrap_or_default().to_owned();
    lock(&shared.ledger).altered(&format!(
        "a message of somebody else, labelled {label:?}, is in the queue (left there; the load ended): it"
    ));
    shared.enter(Phase::Ended);
    session.call(Request::Abort { transaction }).map(drop)
}

fn enter(shared: &Shared, received: &Received) {
    let mut ledger = lock(&shared.ledger);
    let label = received.content.label().unwrap_or_default();
    match shared.key(label) {
        Some(key) if shared.body(key).as_bytes() == received.body() => {
            ledger.received(key, shared.options.consumers == 1);
        }
        _ => ledger.altered(&format!("a message labelled {label:?}")),
    }
}

fn unexpected() -> Error {
    Error::new(
        ErrorKind::Internal,
        "the queue manager answered something else than was asked",
    )
}

fn thread(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let started = std::thread::Builder::new().name(name).spawn(run);
    started.map_err(|error| Error::system("start a thread", &error))
}

fn join(threads: &mut Vec<JoinHandle<()>>) {
    for thread in threads.drain(..) {
        // A panic of a drill's thread shows in the verdict: its messages are missing.
        drop(thread.join());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
