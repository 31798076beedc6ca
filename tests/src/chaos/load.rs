//! The load: on a transactional queue and on one that is not, senders and a receiver that know what was acknowledged.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hamq_core::api::client::{Client, Session};
use hamq_core::api::queue::NewMsmqQueue;
use hamq_core::drill::{Ledger, MessageKey, Verdict};
use hamq_core::queue::message::{Message, Received};
use hamq_core::queue::request::{Reply, Request, Select, Take, Transaction, TransactionId};
use hamq_core::{Error, ErrorKind, Result};

/// Senders of each queue.
const SENDERS: u32 = 2;
/// Between two messages of a sender.
const PACE: Duration = Duration::from_millis(4);
/// After an error that does not go away at once.
const ERROR_PAUSE: Duration = Duration::from_millis(20);
/// How long a receiver waits for a message.
const RECEIVE_WAIT_MS: u64 = 200;
/// How long a commit may stay without an outcome.
const COMMIT_PATIENCE: Duration = Duration::from_secs(60);
/// Messages of one transaction.
const TRANSACTION_MESSAGES_MAX: usize = 32;

/// Bytes of a message of a backlog.
const BACKLOG_MESSAGE: usize = 64 * 1024;

/// A load that runs until it is finished.
pub struct Load {
    lanes: Vec<Arc<Lane>>,
    threads: Vec<JoinHandle<()>>,
}

/// Fills a queue `backlog` of a virtual server with so many MiB of messages that nobody takes.
///
/// # Errors
/// Those of the commands.
pub fn fill(client: &Client, computer: &str, mib: u64) -> Result<()> {
    client.run(NewMsmqQueue {
        name: format!("{computer}\\private$\\backlog"),
        ..NewMsmqQueue::default()
    })?;
    let session = client.new_session(computer)?;
    let mut message = Message::new(vec![b'x'; BACKLOG_MESSAGE]);
    message.label = "backlog".to_owned();
    for _ in 0..(mib << 20).div_ceil(BACKLOG_MESSAGE as u64) {
        session.call(Request::Send {
            queue: "backlog".into(),
            message: message.encode(),
            body: None,
            transaction: Transaction::None,
        })?;
    }
    Ok(())
}

/// One queue and all that is known of its messages.
struct Lane {
    queue: &'static str,
    transactional: bool,
    run: String,
    ledger: Mutex<Ledger>,
    gaps: Mutex<Gaps>,
    /// Receives outside a transaction whose outcome was never learned: each may have taken a message.
    doubtful: AtomicU64,
    stop_sending: AtomicBool,
    stop_receiving: AtomicBool,
    last_error: Mutex<String>,
}

/// The longest time without a confirmed send since a fault.
#[derive(Default)]
struct Gaps {
    from: Option<Instant>,
    struck: Option<Instant>,
    last: Option<Instant>,
    longest: Duration,
    served: bool,
}

/// What a lane adds up to.
#[derive(Clone, Debug)]
pub struct LaneVerdict {
    /// The queue.
    pub queue: &'static str,
    /// The ledger's.
    pub verdict: Verdict,
    /// Receives whose outcome was never learned.
    pub doubtful: u64,
    /// The last error a client met.
    pub last_error: String,
}

impl LaneVerdict {
    /// Whether every promise was kept: nothing lost (but by a receive outside a transaction that nobody got an answer to),
    /// twice, altered, or out of order.
    #[must_use]
    pub const fn passed(&self) -> bool {
        let v = &self.verdict;
        v.lost <= self.doubtful && v.duplicated == 0 && v.altered == 0 && v.out_of_order == 0
    }
}

impl Load {
    /// Starts it on the queues `orders` (transactional) and `events` of a virtual server. Call it where the client is.
    ///
    /// # Errors
    /// When the virtual server's name is not known.
    pub fn start(client: &Client, computer: &str) -> Result<Self> {
        let lanes = [("orders", true), ("events", false)].map(|lane| Arc::new(Lane::new(lane)));
        let mut threads = Vec::new();
        for lane in &lanes {
            for sender in 0..SENDERS {
                let (lane, session) = (Arc::clone(lane), client.new_session(computer)?);
                threads.push(std::thread::spawn(move || lane.send_all(&session, sender)));
            }
            let (lane, session) = (Arc::clone(lane), client.new_session(computer)?);
            threads.push(std::thread::spawn(move || lane.receive_all(&session)));
        }
        Ok(Self {
            lanes: lanes.into(),
            threads,
        })
    }

    /// A fault is about to be made: gaps count from here.
    pub fn begin(&self) {
        for lane in &self.lanes {
            let mut gaps = lock(&lane.gaps);
            let now = Some(Instant::now());
            *gaps = Gaps {
                from: now,
                last: gaps.last,
                ..Gaps::default()
            };
        }
    }

    /// It has been made: what begins from now on proves service.
    pub fn struck(&self) {
        for lane in &self.lanes {
            let mut gaps = lock(&lane.gaps);
            (gaps.struck, gaps.served) = (Some(Instant::now()), false);
        }
    }

    /// Whether every queue has confirmed a send that began after the fault.
    #[must_use]
    pub fn is_served(&self) -> bool {
        self.lanes.iter().all(|lane| lock(&lane.gaps).served)
    }

    /// The longest time without a confirmed send on a queue since the fault, the present one included.
    #[must_use]
    pub fn outage(&self) -> Duration {
        let gaps = self.lanes.iter().map(|lane| lock(&lane.gaps).longest());
        gaps.max().unwrap_or_default()
    }

    /// Messages confirmed up to now.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        let all = self.lanes.iter();
        all.map(|lane| lock(&lane.ledger).verdict().acknowledged)
            .sum()
    }

    /// The last error that a client met.
    #[must_use]
    pub fn last_error(&self) -> String {
        let all = self.lanes.iter().map(|lane| lock(&lane.last_error).clone());
        all.collect::<Vec<_>>().join("; ")
    }

    /// Stops the senders, receives what is left for at most `patience`, and adds up.
    #[must_use]
    pub fn finish(mut self, patience: Duration) -> Vec<LaneVerdict> {
        for lane in &self.lanes {
            lane.stop_sending.store(true, Ordering::SeqCst);
        }
        let end = Instant::now() + patience;
        let left = |lane: &Arc<Lane>| lock(&lane.ledger).waiting() > 0;
        while self.lanes.iter().any(left) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        // One receive more would bring a duplicate to light.
        std::thread::sleep(Duration::from_millis(2 * RECEIVE_WAIT_MS));
        self.stop();
        self.lanes.iter().map(|lane| lane.verdict()).collect()
    }

    fn stop(&mut self) {
        for lane in &self.lanes {
            lane.stop_sending.store(true, Ordering::SeqCst);
            lane.stop_receiving.store(true, Ordering::SeqCst);
        }
        for thread in self.threads.drain(..) {
            // One that panicked shows in the verdict: its messages are missing.
            drop(thread.join());
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Gaps {
    fn sent(&mut self, began: Instant) {
        let now = Instant::now();
        let from = self.last.max(self.from).unwrap_or(began);
        self.longest = self.longest.max(now.saturating_duration_since(from));
        self.last = Some(now);
        self.served |= self.struck.is_some_and(|struck| began >= struck);
    }

    fn longest(&self) -> Duration {
        let open = self.last.max(self.from).map(|last| last.elapsed());
        self.longest.max(open.unwrap_or_default())
    }
}

impl Lane {
    fn new((queue, transactional): (&'static str, bool)) -> Self {
        Self {
            queue,
            transactional,
            run: uuid::Uuid::new_v4().simple().to_string(),
            ledger: Mutex::default(),
            gaps: Mutex::default(),
            doubtful: AtomicU64::new(0),
            stop_sending: AtomicBool::new(false),
            stop_receiving: AtomicBool::new(false),
            last_error: Mutex::default(),
        }
    }

    fn send_all(&self, session: &Session, sender: u32) {
        let mut number = 0;
        while !self.stop_sending.load(Ordering::SeqCst) {
            number += 1;
            let began = Instant::now();
            self.send_one(session, MessageKey { sender, number });
            std::thread::sleep(PACE.saturating_sub(began.elapsed()));
        }
    }

    fn send_one(&self, session: &Session, key: MessageKey) {
        let mut message = Message::new(body(key));
        message.label = format!("{}/{}/{}", self.run, key.sender, key.number);
        let transaction = match self.transactional {
            true => Transaction::Single,
            false => Transaction::None,
        };
        let request = Request::Send {
            queue: self.queue.into(),
            message: message.encode(),
            body: None,
            transaction,
        };
        lock(&self.ledger).sent(key);
        let began = Instant::now();
        match session.call(request) {
            Ok(_) => {
                lock(&self.gaps).sent(began);
                lock(&self.ledger).acknowledged(key);
            }
            Err(error) => {
                lock(&self.ledger).unknown(key);
                self.note(&error);
            }
        }
    }

    fn receive_all(&self, session: &Session) {
        while !self.stop_receiving.load(Ordering::SeqCst) {
            let outcome = match self.transactional {
                true => self.receive_some(session),
                false => self.receive_plainly(session),
            };
            match outcome {
                Ok(()) => {}
                Err(error) if error.kind == ErrorKind::ReceiveTimeout => {}
                // Its messages are back in their places: the next transaction gets them.
                Err(error) if error.kind == ErrorKind::TransactionAborted => {}
                Err(error) => self.note(&error),
            }
        }
    }

    /// One transaction, entered once it has committed. One that failed is ended: what it holds would otherwise come behind
    /// what the next one takes.
    fn receive_some(&self, session: &Session) -> Result<()> {
        let transaction = session.begin();
        let outcome = self.receive_in(session, transaction);
        if outcome.is_err() {
            // It may be over already, or nobody is there to end it: a new owner knows it no longer.
            drop(session.call(Request::Abort { transaction }));
        }
        outcome
    }

    fn receive_in(&self, session: &Session, transaction: TransactionId) -> Result<()> {
        let mut taken = Vec::new();
        while taken.len() < TRANSACTION_MESSAGES_MAX {
            let wait = if taken.is_empty() { RECEIVE_WAIT_MS } else { 0 };
            match self.receive(session, wait, Transaction::In(transaction)) {
                Ok(received) => taken.push(received),
                Err(error) if error.kind == ErrorKind::ReceiveTimeout => break,
                Err(error) => return Err(error),
            }
        }
        session.commit(transaction, COMMIT_PATIENCE)?;
        taken.iter().for_each(|received| self.enter(received));
        Ok(())
    }

    fn receive_plainly(&self, session: &Session) -> Result<()> {
        let received = self.receive(session, RECEIVE_WAIT_MS, Transaction::None);
        if matches!(&received, Err(error) if error.kind != ErrorKind::ReceiveTimeout) {
            self.doubtful.fetch_add(1, Ordering::SeqCst);
        }
        self.enter(&received?);
        Ok(())
    }

    fn receive(
        &self,
        session: &Session,
        timeout_ms: u64,
        transaction: Transaction,
    ) -> Result<Received> {
        let request = Request::Receive {
            queue: self.queue.into(),
            select: Select::First,
            take: Take::Remove,
            timeout_ms,
            transaction,
        };
        match session.call(request)? {
            Reply::Message(received) => Ok(*received),
            other => Err(Error::new(
                ErrorKind::Internal,
                format!("answered {other:?}"),
            )),
        }
    }

    fn enter(&self, received: &Received) {
        let label = received.content.label().unwrap_or_default();
        let mut ledger = lock(&self.ledger);
        match self.key(label) {
            Some(key) if body(key).as_bytes() == received.body() => ledger.received(key, true),
            _ => ledger.altered(&format!("a message labelled {label:?}")),
        }
    }

    fn key(&self, label: &str) -> Option<MessageKey> {
        let rest = label.strip_prefix(&self.run)?.strip_prefix('/')?;
        let (sender, number) = rest.split_once('/')?;
        Some(MessageKey {
            sender: sender.parse().ok()?,
            number: number.parse().ok()?,
        })
    }

    fn note(&self, error: &Error) {
        *lock(&self.last_error) = error.to_string();
        std::thread::sleep(ERROR_PAUSE);
    }

    fn verdict(&self) -> LaneVerdict {
        LaneVerdict {
            queue: self.queue,
            verdict: lock(&self.ledger).verdict(),
            doubtful: self.doubtful.load(Ordering::SeqCst),
            last_error: lock(&self.last_error).clone(),
        }
    }
}

/// 200 bytes or so that follow from the key.
fn body(key: MessageKey) -> String {
    format!("order {} of {} ", key.number, key.sender).repeat(10)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
