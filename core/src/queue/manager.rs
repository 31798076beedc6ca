//! The queue manager embedded: one thread that drives an engine, and handles on it.
//!
//! Requests come in through one bounded channel. The thread takes all that have come, and calls back with the
//! outcomes when they are durable.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use uuid::Uuid;

use super::access::Access;
use super::engine::{Engine, ManagerOptions, OpenReport, Tuning};
use super::request::{Answer, Caller, Reply, Request, RequestId, Respond};
use super::serve::{Replies, Serve};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::Clock;
use crate::sys::disk::Disk;

/// Requests that wait for the thread at most; more block their submitter.
const CHANNEL_REQUESTS_MAX: usize = 8192;

/// A handle on a running queue manager; clones share it. It stops when the last one is dropped.
#[derive(Clone)]
pub struct Manager {
    shared: Arc<Shared>,
}

struct Shared {
    commands: Mutex<Option<SyncSender<Command>>>,
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

/// What comes through the channel.
enum Command {
    Request(RequestId, Request, Respond),
    EndSession(Uuid),
    ExtendDeadline(Duration),
    Close(SyncSender<Result<()>>),
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
        Self::open_with(disk, clock, options, Tuning::default())
    }

    /// As [`Manager::open`], with sizes and checks that only tests set.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        mut options: ManagerOptions,
        tuning: Tuning,
    ) -> Result<(Self, OpenReport)> {
        let failure = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&failure);
        let on_failure = options.on_failure;
        options.on_failure = Box::new(move |error: Error| {
            *lock(&kept) = Some(error.clone());
            on_failure(error);
        });
        let access = Arc::new(Access::owner_of_all(options.owner.clone()));
        let name = format!("queues of {}", options.name);
        let (engine, report) = Engine::open(disk, Arc::clone(&clock), options, tuning)?;
        let driver = Driver {
            engine,
            clock,
            access,
        };
        Self::start(driver, name, failure).map(|manager| (manager, report))
    }

    fn start(driver: Driver, name: String, failure: Arc<Mutex<Option<Error>>>) -> Result<Self> {
        let (sender, receiver) = sync_channel(CHANNEL_REQUESTS_MAX);
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
            hand_out(&mut out);
            if !open || !closing.is_empty() {
                let result = self.engine.close(&mut out);
                hand_out(&mut out);
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
            Command::EndSession(client) => self.engine.end_session(client),
            Command::ExtendDeadline(until) => self.engine.extend_deadline(until),
            Command::Close(closer) => closing.push(closer),
        }
    }
}

fn hand_out(out: &mut Replies) {
    for (answer, outcome) in out.drain(..) {
        if let Answer::Call(respond) = answer {
            respond(outcome);
        }
    }
}
