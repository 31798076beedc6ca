//! The queue manager embedded: one thread that drives an engine, and handles on it.
//!
//! Requests come in through one bounded channel. The thread takes all that have come, and calls back with the
//! outcomes when they are durable.

use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use uuid::Uuid;

use super::access::Access;
use super::engine::Engine;
pub use super::engine::{ManagerOptions, OpenReport, Tuning};
use super::request::{Answer, Caller, Reply, Request, RequestId, Respond};
use super::serve::{Replies, Serve};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::Clock;
use crate::sys::disk::Disk;
use crate::sys::network::own_user;

/// Requests that wait for the thread at most; more block their submitter.
const CHANNEL_REQUESTS_MAX: usize = 8192;

/// A handle on a running queue manager; clones share it. It stops when the last one is dropped.
#[derive(Clone)]
pub struct Manager {
    shared: Arc<Shared>,
}

struct Shared {
    commands: Mutex<Option<Arc<SyncSender<Command>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failure: Arc<Mutex<Option<Error>>>,
    caller: Uuid,
    /// Sequences of `call` that are under way, and the next one.
    calls: Mutex<(BTreeSet<u64>, u64)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Shared {
    fn drop(&mut self) {
        lock(&self.commands).take();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // Its panic has been reported by then; there is nobody to tell.
            drop(thread.join());
        }
    }
}

/// What is called with the outcomes of many requests, once, when all are durable; from the manager's thread, so
/// it must not block.
pub type RespondAll = Box<dyn FnOnce(Vec<Result<Reply>>) + Send>;

/// Outcomes of many requests, until the last one is there.
struct Lot {
    outcomes: Vec<Option<Result<Reply>>>,
    missing: usize,
    respond: Option<RespondAll>,
}

impl Lot {
    fn tell(&mut self, at: usize, outcome: Result<Reply>) {
        if let Some(slot @ None) = self.outcomes.get_mut(at) {
            *slot = Some(outcome);
            self.missing -= 1;
        }
        if self.missing == 0
            && let Some(respond) = self.respond.take()
        {
            respond(self.outcomes.drain(..).flatten().collect());
        }
    }
}

/// What comes through the channel.
enum Command {
    Request(RequestId, Request, Respond),
    Requests(Vec<(RequestId, Request)>, RespondAll),
    EndSession(Uuid),
    ExtendDeadline(Duration),
    Close(SyncSender<Result<()>>),
    /// A thread for the disk has done something.
    Wake,
}

impl Manager {
    /// Opens the store in `disk`, or creates one where there is none, and starts the thread.
    ///
    /// # Errors
    /// `Fenced` when the store has a higher epoch; `StoreDamaged`; those of the file system.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: ManagerOptions,
    ) -> Result<(Self, OpenReport)> {
        Self::open_driver(disk, clock, options, Tuning::default(), true)
    }

    /// As [`Manager::open`], with sizes and checks that only tests set, and with no other thread that touches the
    /// disk: what happens depends on the requests alone.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: ManagerOptions,
        tuning: Tuning,
    ) -> Result<(Self, OpenReport)> {
        Self::open_driver(disk, clock, options, tuning, false)
    }

    /// As [`Manager::open`], with sizes that only tests set, and with the threads that it has.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with_threads(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: ManagerOptions,
        tuning: Tuning,
    ) -> Result<(Self, OpenReport)> {
        Self::open_driver(disk, clock, options, tuning, true)
    }

    fn open_driver(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        mut options: ManagerOptions,
        tuning: Tuning,
        background: bool,
    ) -> Result<(Self, OpenReport)> {
        let failure = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&failure);
        let on_failure = options.on_failure;
        options.on_failure = Box::new(move |error: Error| {
            *lock(&kept) = Some(error.clone());
            on_failure(error);
        });
        // What this process asks, its user asks: queues belong to a user, whoever serves them later.
        let access = Arc::new(Access::owner_of_all(own_user().name));
        let name = format!("queues of {}", options.name);
        let (engine, report) = Engine::open(disk, Arc::clone(&clock), options, tuning)?;
        let driver = Driver {
            engine,
            clock,
            access,
            lots: HashMap::new(),
            next_lot: 0,
        };
        Self::start(driver, name, failure, background).map(|manager| (manager, report))
    }

    fn start(
        mut driver: Driver,
        name: String,
        failure: Arc<Mutex<Option<Error>>>,
        background: bool,
    ) -> Result<Self> {
        let (sender, receiver) = sync_channel(CHANNEL_REQUESTS_MAX);
        let sender = Arc::new(sender);
        if background {
            // Weak: a thread for the disk does not keep the store open.
            let waker = Arc::downgrade(&sender);
            driver.engine.set_waker(Arc::new(move || {
                if let Some(sender) = waker.upgrade() {
                    // With a full channel the driver is awake.
                    drop(sender.try_send(Command::Wake));
                }
            }));
        }
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || driver.run(&receiver))
            .map_err(|error| Error::system("start the queue manager's thread", &error))?;
        Ok(Self {
            shared: Arc::new(Shared {
                commands: Mutex::new(Some(sender)),
                thread: Mutex::new(Some(thread)),
                failure,
                caller: Uuid::new_v4(),
                calls: Mutex::default(),
            }),
        })
    }

    /// Hands in a request; `respond` is called once with its outcome when that is durable. Blocks while
    /// too many requests are waiting.
    pub fn submit(&self, id: RequestId, request: Request, respond: Respond) {
        if let Err(Command::Request(_, _, respond)) =
            self.send(Command::Request(id, request, respond))
        {
            respond(Err(self.gone()));
        }
    }

    /// Hands in many requests at once; `respond` is called once with all outcomes, in their order, when they are
    /// durable. One hand-over and one call for all: that is what makes lots fast.
    pub fn submit_many(&self, requests: Vec<(RequestId, Request)>, respond: RespondAll) {
        if let Err(Command::Requests(requests, respond)) =
            self.send(Command::Requests(requests, respond))
        {
            let gone = self.gone();
            respond(requests.iter().map(|_| Err(gone.clone())).collect());
        }
    }

    /// Gives the command back when there is no thread any more.
    #[expect(
        clippy::result_large_err,
        reason = "the command itself is what comes back"
    )]
    fn send(&self, command: Command) -> Result<(), Command> {
        let Some(commands) = lock(&self.shared.commands).clone() else {
            return Err(command);
        };
        commands.send(command).map_err(|error| error.0)
    }

    fn gone(&self) -> Error {
        let failure = lock(&self.shared.failure).clone();
        failure.unwrap_or_else(|| {
            Error::new(
                ErrorKind::ServiceNotAvailable,
                "the queue manager has been closed",
            )
            .hint("open the store again")
        })
    }

    /// Aborts the open transactions of a client and cancels its waits: its connection has ended.
    pub fn end_session(&self, client: Uuid) {
        // A manager that is gone has no sessions.
        drop(self.send(Command::EndSession(client)));
    }

    /// Asks and waits, with an identity of its own: for embedded use.
    ///
    /// # Errors
    /// Those of the request.
    pub fn call(&self, request: Request) -> Result<Reply> {
        let (sender, receiver) = sync_channel(1);
        let id = self.begin_call();
        let respond = Box::new(move |result| drop(sender.send(result)));
        self.submit(id, request, respond);
        let result = receiver.recv().unwrap_or_else(|_| Err(self.gone()));
        lock(&self.shared.calls).0.remove(&id.sequence);
        result
    }

    fn begin_call(&self) -> RequestId {
        let mut calls = lock(&self.shared.calls);
        calls.1 += 1;
        let sequence = calls.1;
        calls.0.insert(sequence);
        RequestId {
            client: self.shared.caller,
            sequence,
            acknowledged: calls.0.first().copied().unwrap_or(sequence),
        }
    }

    /// The owner's lease was renewed: acknowledgements are allowed until this time of the boot clock.
    pub fn extend_deadline(&self, until: Duration) {
        drop(self.send(Command::ExtendDeadline(until)));
    }

    /// Writes a snapshot, stops the thread and closes the store; waits for it. Closing again does nothing.
    ///
    /// # Errors
    /// Those of the file system; the store is consistent all the same.
    pub fn close(&self) -> Result<()> {
        let (sender, receiver) = sync_channel(1);
        if self.send(Command::Close(sender)).is_err() {
            return lock(&self.shared.failure).clone().map_or(Ok(()), Err);
        }
        let result = receiver.recv().unwrap_or(Ok(()));
        lock(&self.shared.commands).take();
        result
    }
}

/// The thread that drives the engine.
struct Driver {
    engine: Engine,
    clock: Arc<dyn Clock>,
    /// Who embeds the queue manager may do everything.
    access: Arc<Access>,
    /// Lots under way, by their number.
    lots: HashMap<u64, Lot>,
    next_lot: u64,
}

impl Driver {
    /// Works until it is closed or the last handle is gone.
    fn run(mut self, commands: &Receiver<Command>) {
        self.engine.settle_in();
        let mut out = Vec::new();
        let mut more = self.engine.wake_at();
        loop {
            let (mut closing, open) = self.take(commands, more);
            self.engine.step(&mut out);
            self.hand_out(&mut out);
            if !open || !closing.is_empty() {
                let result = self.engine.close(&mut out);
                self.hand_out(&mut out);
                for closer in closing.drain(..) {
                    drop(closer.send(result.clone()));
                }
                return;
            }
            more = self.engine.wake_at();
        }
    }

    /// Waits for a command or a time, then takes all that have come. Also says whether more can come.
    fn take(
        &mut self,
        commands: &Receiver<Command>,
        until: Option<Duration>,
    ) -> (Vec<SyncSender<Result<()>>>, bool) {
        let mut closing = Vec::new();
        let first = match until {
            None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(until) => commands.recv_timeout(until.saturating_sub(self.clock.boot())),
        };
        match first {
            Ok(command) => self.obey(command, &mut closing),
            Err(RecvTimeoutError::Timeout) => return (closing, true),
            Err(RecvTimeoutError::Disconnected) => return (closing, false),
        }
        for _ in 1..CHANNEL_REQUESTS_MAX {
            match commands.try_recv() {
                Ok(command) => self.obey(command, &mut closing),
                Err(_) => break,
            }
        }
        (closing, true)
    }

    fn obey(&mut self, command: Command, closing: &mut Vec<SyncSender<Result<()>>>) {
        match command {
            Command::Request(id, request, respond) => {
                let caller = Caller {
                    client: id.client,
                    access: Arc::clone(&self.access),
                };
                self.engine
                    .submit(&caller, id, request, Answer::Call(respond));
            }
            Command::Requests(requests, respond) => self.submit_lot(requests, respond),
            Command::EndSession(client) => self.engine.end_session(client),
            Command::ExtendDeadline(until) => self.engine.extend_deadline(until),
            Command::Close(closer) => closing.push(closer),
            Command::Wake => {}
        }
    }
}

impl Driver {
    fn submit_lot(&mut self, requests: Vec<(RequestId, Request)>, respond: RespondAll) {
        if requests.is_empty() {
            respond(Vec::new());
            return;
        }
        let lot = Lot {
            outcomes: vec![None; requests.len()],
            missing: requests.len(),
            respond: Some(respond),
        };
        self.lots.insert(self.next_lot, lot);
        for ((id, request), at) in requests.into_iter().zip(0..) {
            let caller = Caller {
                client: id.client,
                access: Arc::clone(&self.access),
            };
            let answer = Answer::Connection {
                connection: self.next_lot,
                sequence: at,
            };
            self.engine.submit(&caller, id, request, answer);
        }
        self.next_lot += 1;
    }

    fn hand_out(&mut self, out: &mut Replies) {
        for (answer, outcome) in out.drain(..) {
            match answer {
                Answer::Call(respond) => respond(outcome),
                Answer::Connection {
                    connection,
                    sequence,
                } => self.tell_lot(connection, sequence, outcome),
                Answer::Nobody => {}
            }
        }
    }

    fn tell_lot(&mut self, number: u64, at: u64, outcome: Result<Reply>) {
        let Some(lot) = self.lots.get_mut(&number) else {
            return;
        };
        lot.tell(usize::try_from(at).unwrap_or(usize::MAX), outcome);
        if lot.missing == 0 {
            self.lots.remove(&number);
        }
    }
}
