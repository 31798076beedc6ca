//! The engine: the pure state, the log, and rounds between them. Driven by one thread, through [`Serve`].
//!
//! ```text
//!  submit* -> step: admit (room in the log?) -> execute each -> write, sync, EPOCH -> outcomes
//!                   time (delays, leases, lifetimes) ^                  -> maybe a checkpoint
//! ```
//!
//! Room is made *before* anything is decided, so that a full disk refuses a request and changes nothing.
//! Nothing is told, and nothing that was just written is shown to a reader, before it is durable.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::cache::Cache;
use super::index::Pages;
use super::request::{Answer, Caller, Reply, Request, RequestId};
use super::serve::{Replies, Serve};
use super::state::{Now, State};
use super::waiting::Waiting;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Fence, Log, Position};
use crate::sys::clock::Clock;

/// How to open a store.
pub struct ManagerOptions {
    /// The computer name it answers to: a virtual server, a node, or `.` when embedded.
    pub name: String,
    /// The epoch to take the store over with. `None`: one more than the store's own (embedded use,
    /// where there is no cluster that hands out epochs).
    pub epoch: Option<u64>,
    /// Who opens it, for reports: a node's name.
    pub owner: String,
    /// Stop acknowledging at this time of the boot clock unless it is extended (DESIGN.md D3b); `None`
    /// relies on the epoch alone.
    pub deadline: Option<Duration>,
    /// Called once, from the manager's thread, when the store is poisoned or fenced; every later request
    /// fails with the same error.
    pub on_failure: Box<dyn FnOnce(Error) + Send>,
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenReport {
    /// The epoch the store now has.
    pub epoch: u64,
    /// Records that were read from the log, beyond the snapshot.
    pub records_replayed: u64,
    /// Bytes of a torn or unsealed tail that were left out.
    pub bytes_cut: u64,
    /// Queues and messages it holds.
    pub queues: u64,
    /// Messages it holds.
    pub messages: u64,
    /// Milliseconds for taking over (epoch written), reading and getting ready.
    pub steps: Vec<(String, f64)>,
}

/// What only tests and benchmarks set.
pub struct Tuning {
    /// Bytes of a log segment.
    pub segment_bytes: u64,
    /// A snapshot is due after so many bytes of log, or twice the last snapshot's size if that is more.
    pub snapshot_bytes: u64,
    /// Replaces the check of the epoch: a negative control.
    pub fence: Option<Box<dyn Fence>>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            segment_bytes: 16 * 1024 * 1024,
            snapshot_bytes: 32 * 1024 * 1024,
            fence: None,
        }
    }
}

/// Requests and bytes of one round at most: small enough that a flight is looked for while more than that waits,
/// and that the first of many takes off while the rest is decided.
const ROUND_REQUESTS_MAX: usize = 512;
const ROUND_BYTES_MAX: usize = 1024 * 1024;

/// Room for what time brings, asked for before it is decided.
const TIME_RECORDS: usize = 16;
const TIME_BYTES: usize = 1024;
/// Changes that time brings in one round at most.
const TIME_CHANGES_MAX: usize = 4;
/// How long that waits when the disk has none.
const TIME_RETRY_MS: u64 = 1000;

/// A request that was submitted.
pub(super) struct Asked {
    pub(super) from: Caller,
    pub(super) id: RequestId,
    pub(super) request: Request,
    pub(super) answer: Answer,
}

/// One queue manager. See the module.
pub struct Engine {
    pub(super) state: State,
    pub(super) log: Log,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) cache: Cache,
    pub(super) waiting: Waiting,
    pub(super) incoming: std::collections::VecDeque<Asked>,
    /// Outcomes of the present round.
    pub(super) answers: Replies,
    /// Why this round may add nothing; and why it may not even remove.
    pub(super) full: Option<Error>,
    pub(super) stuck: Option<Error>,
    pub(super) failure: Option<Error>,
    pub(super) checkpoint: super::checkpoint::Checkpoint,
    /// Threads for the disk; none: everything is done here and now.
    pub(super) background: Option<super::background::Background>,
    /// The batch that one of them is writing.
    pub(super) flight: Option<super::flight::Flight>,
    /// When the last one took off; since when a small batch waits for company.
    pub(super) took_off: Option<Duration>,
    pub(super) lingers_since: Option<Duration>,
    /// Outcomes that may be told.
    pub(super) true_now: Replies,
    /// Called once.
    pub(super) on_failure: Option<Box<dyn FnOnce(Error) + Send>>,
    /// What time it is in this round.
    now: Now,
    /// Time had more to do than one round allows.
    pub(super) more_time: bool,
    /// The disk had no room for what time brings: not before this time of the boot clock again.
    pub(super) time_waits_until_ms: u64,
    /// Clients that are connected, and those of them over IP.
    pub(super) sessions: (u64, u64),
    pub(super) notices: super::notices::Notices,
    /// What opening left for later has been done.
    settled_in: bool,
}

/// Reads what is in memory from there, and the rest from the log.
pub(super) struct Contents<'a> {
    pub(super) log: RefCell<&'a mut Log>,
    pub(super) cache: &'a Cache,
}

impl Pages for Contents<'_> {
    fn read(&self, position: Position) -> Result<bytes::Bytes> {
        match self.cache.get(position) {
            Some(bytes) => Ok(bytes),
            None => self.log.borrow_mut().read(position),
        }
    }
}

impl Engine {
    pub(super) fn new(
        state: State,
        log: Log,
        clock: Arc<dyn Clock>,
        checkpoint: super::checkpoint::Checkpoint,
        on_failure: Box<dyn FnOnce(Error) + Send>,
    ) -> Self {
        Self {
            state,
            log,
            clock,
            cache: Cache::default(),
            waiting: Waiting::default(),
            incoming: std::collections::VecDeque::new(),
            answers: Vec::new(),
            full: None,
            stuck: None,
            failure: None,
            checkpoint,
            settled_in: false,
            background: None,
            flight: None,
            took_off: None,
            lingers_since: None,
            true_now: Vec::new(),
            on_failure: Some(on_failure),
            now: Now::default(),
            more_time: false,
            time_waits_until_ms: 0,
            sessions: (0, 0),
            notices: super::notices::Notices::default(),
        }
    }

    /// Why the store is closed for good, if it is.
    #[must_use]
    pub const fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// The owner's lease was renewed: outcomes may be told until this time of the boot clock.
    pub fn extend_deadline(&mut self, until: Duration) {
        self.log.extend_deadline(until);
    }

    /// What opening left for later: what earlier owners left behind goes. The first step that has nothing else to do
    /// does it, if nobody has before.
    pub fn settle_in(&mut self) {
        self.settled_in = true;
        self.failure = self.log.settle_in().err();
        // What the owner before has left is tidied up also when nothing comes.
        self.is_active();
        self.report_failure();
    }

    /// Nothing waits to be executed or for the disk.
    fn is_at_rest(&self) -> bool {
        self.incoming.is_empty() && self.flight.is_none() && self.failure.is_none()
    }

    /// Tells the first failure to who opened the store.
    fn report_failure(&mut self) {
        if let Some(error) = &self.failure
            && let Some(on_failure) = self.on_failure.take()
        {
            let kind = error.kind.name();
            tracing::error!(kind, reason = %error.message, "the message store has failed");
            on_failure(error.clone());
        }
    }

    /// Tells who waits that it is over, and writes a snapshot.
    ///
    /// # Errors
    /// Those of the file system; the store is consistent all the same.
    pub fn close(&mut self, out: &mut Replies) -> Result<()> {
        while !self.incoming.is_empty() {
            if let Err(error) = self.wait_for_landing() {
                self.failure = Some(error);
            }
            self.step(out);
        }
        let waiters = self.waiting.all();
        self.cancel_all(
            waiters,
            ErrorKind::ServiceNotAvailable,
            "the queue manager is stopping",
        );
        if let Err(error) = self.wait_for_landing() {
            self.failure = Some(error);
        }
        self.settle(out);
        let closed = match &self.failure {
            Some(error) => Err(error.clone()),
            None => self.write().and_then(|()| self.snapshot(true)),
        };
        self.settle(out);
        self.report_failure();
        closed
    }

    /// What time it is in this round.
    pub(super) const fn now(&self) -> Now {
        self.now
    }

    fn look_at_the_clock(&mut self) {
        let boot = self.clock.boot().as_millis();
        self.now = Now {
            wall_ms: self.clock.wall_ms(),
            boot_ms: u64::try_from(boot).unwrap_or(u64::MAX),
        };
    }

    /// The outcome of a request of this round.
    pub(super) fn tell(&mut self, answer: Answer, outcome: Result<Reply>) {
        self.answers.push((answer, outcome));
    }

    fn next_round(&mut self) -> Vec<Asked> {
        let mut bytes = 0;
        let mut round = Vec::new();
        while round.len() < ROUND_REQUESTS_MAX
            && bytes < ROUND_BYTES_MAX
            && let Some(asked) = self.incoming.pop_front()
        {
            bytes += self.bytes_of(&asked.from, &asked.request);
            round.push(asked);
        }
        round
    }

    fn play(&mut self, round: Vec<Asked>) {
        self.time_passes();
        if self.failure.is_none()
            && let Err(error) = self.admit(&round)
        {
            self.failure = Some(error);
        }
        if self.failure.is_none() {
            // What time brought.
            self.serve_woken();
        }
        let mut round = round.into_iter();
        while !round.as_slice().is_empty() {
            let replies = self.execute_run(round.as_slice());
            if replies.is_empty()
                && let Some(asked) = round.next()
            {
                self.handle(asked);
            }
            for (asked, reply) in round.by_ref().take(replies.len()).zip(replies) {
                self.tell(asked.answer, Ok(reply));
            }
        }
        self.end_waits();
    }

    fn handle(&mut self, asked: Asked) {
        if self.failure.is_some() {
            self.tell(asked.answer, Ok(Reply::Done)); // `settle` answers all with the failure
            return;
        }
        let known = || matches!(self.state.outcomes.find(&asked.id), Ok(Some(_)));
        let refused = self
            .refusal(&asked.from, &asked.request)
            .filter(|_| !known());
        let result = match refused {
            Some(error) => Err(error),
            None => self.execute(&asked.from, &asked.id, &asked.request),
        };
        match result {
            Ok(Some(reply)) => self.tell(asked.answer, Ok(reply)),
            Err(error) => {
                self.notice_refusal(&asked.request, &error);
                self.tell(asked.answer, Err(error));
            }
            Ok(None) => self.wait(asked),
        }
        self.serve_woken();
    }

    /// Delays, leases and lifetimes whose time has come. On a disk with no room at all they wait.
    fn time_passes(&mut self) {
        let now = self.now();
        let (wall, boot) = self.state.next_event();
        let due =
            wall.is_some_and(|at| at <= now.wall_ms) || boot.is_some_and(|at| at <= now.boot_ms);
        self.more_time = false;
        if !due || self.failure.is_some() || now.boot_ms < self.time_waits_until_ms {
            return;
        }
        match self.make_room(TIME_RECORDS, TIME_BYTES, true) {
            Err(error) if error.kind == ErrorKind::InsufficientResources => {
                self.time_waits_until_ms = now.boot_ms + TIME_RETRY_MS;
                return;
            }
            Err(error) => {
                self.failure = Some(error);
                return;
            }
            Ok(()) => {}
        }
        self.more_time = true;
        for _ in 0..TIME_CHANGES_MAX {
            if !self.more_time || self.failure.is_some() {
                break;
            }
            self.wake(now);
        }
    }

    /// One change of those that time brings.
    fn wake(&mut self, now: Now) {
        let contents = Contents {
            log: RefCell::new(&mut self.log),
            cache: &self.cache,
        };
        match self.state.wake(&contents, now) {
            Ok(woken) => {
                self.more_time = woken.more;
                if let Some(change) = woken.change {
                    self.record_own(&change);
                }
            }
            Err(error) => self.failure = Some(error),
        }
    }

    /// Logs and applies a change that nobody asked for.
    pub(super) fn record_own(&mut self, change: &super::change::Change) {
        let bytes = super::execute::size_of(change);
        let recorded = self
            .make_room(change.effects.len() + 2, bytes, true)
            .and_then(|()| self.record(change));
        if let Err(error) = recorded {
            self.failure = Some(error);
        }
    }

    /// Makes room in the log for so much more. What has been recorded is written first if it must lie before a
    /// new segment.
    ///
    /// # Errors
    /// As [`Log::prepare`].
    pub(super) fn make_room(&mut self, records: usize, bytes: usize, reserve: bool) -> Result<()> {
        if self.log.has_records() && !self.log.has_room(records, bytes) {
            self.write()?;
        }
        self.log.prepare(records, bytes, reserve)
    }

    /// Makes the round durable, or has it made so; lets out what may be told. After a failure all is that failure.
    pub(super) fn settle(&mut self, out: &mut Replies) {
        if self.failure.is_none()
            && let Err(error) = self.take_off()
        {
            self.failure = Some(error);
        }
        if let Some(error) = self.failure.clone() {
            self.fail_all(&error);
        }
        out.append(&mut self.true_now);
        // Counting costs a look at every queue: not where nothing is checked.
        if cfg!(debug_assertions) && self.failure.is_none() && self.state.counts().1 < 256 {
            self.state.check_invariants();
        }
    }

    fn fail_all(&mut self, error: &Error) {
        self.lingers_since = None;
        for waiter in self.waiting.all() {
            self.tell(waiter.answer, Err(error.clone()));
        }
        let in_flight = self.flight.take().map(super::flight::Flight::into_answers);
        let untold = in_flight.into_iter().flatten();
        let untold: Replies = untold.chain(std::mem::take(&mut self.answers)).collect();
        let failed = untold.into_iter();
        self.true_now
            .extend(failed.map(|(answer, _)| (answer, Err(error.clone()))));
    }
}

impl Serve for Engine {
    fn submit(&mut self, from: &Caller, id: RequestId, request: Request, answer: Answer) {
        self.incoming.push_back(Asked {
            from: from.clone(),
            id,
            request,
            answer,
        });
    }

    fn end_session(&mut self, client: Uuid) {
        // What it asked before is executed before: its session ends behind that.
        let mut out = Vec::new();
        while self
            .incoming
            .iter()
            .any(|asked| asked.from.client == client)
        {
            if !self.may_go_on()
                && let Err(error) = self.wait_for_landing()
            {
                self.failure = Some(error);
            }
            self.step(&mut out);
        }
        self.true_now.append(&mut out);
        let waiters = self.waiting.of_client(client);
        self.cancel_all(
            waiters,
            ErrorKind::OperationCancelled,
            "the session has ended",
        );
        if self.failure.is_none() {
            self.end_transactions(client);
        }
    }

    fn step(&mut self, out: &mut Replies) {
        self.look_at_the_clock();
        self.look_for_landing();
        if self.may_go_on() || self.failure.is_some() {
            let round = self.next_round();
            self.play(round);
            if self.log.has_records() {
                self.is_active();
            }
        }
        self.settle(out);
        self.maybe_checkpoint();
        if !self.settled_in && self.is_at_rest() {
            self.settle_in();
        }
        self.report_failure();
    }

    fn wake_at(&self) -> Option<Duration> {
        let asked = !self.incoming.is_empty() && self.may_go_on();
        let cleans = self.checkpoint.cleaning.has_more();
        let lingers = self.lingers_since.is_some();
        let unsettled = !self.settled_in && self.is_at_rest();
        if asked || self.more_time || cleans || lingers || unsettled || !self.true_now.is_empty() {
            return Some(Duration::ZERO);
        }
        let (wall, boot) = self.state.next_event();
        let wall_now = self.clock.wall_ms();
        let boot_now = self.clock.boot();
        let not_before = Duration::from_millis(self.time_waits_until_ms);
        let wall = wall.map(|at| boot_now + Duration::from_millis(at.saturating_sub(wall_now)));
        let boot = boot.map(Duration::from_millis);
        let waits = self.waiting.next_deadline();
        let [wall, boot] = [wall, boot].map(|at| at.map(|at| at.max(not_before)));
        let idle = self.checkpoint.idle_at;
        [wall, boot, waits, idle].into_iter().flatten().min()
    }

    fn set_sessions(&mut self, sessions: u64, over_ip: u64) {
        self.sessions = (sessions, over_ip);
    }

    fn is_busy(&self) -> bool {
        self.flight.is_some()
    }

    fn set_waker(&mut self, wake: Arc<dyn Fn() + Send + Sync>) {
        match super::background::Background::start(wake) {
            Ok(background) => self.background = Some(background),
            Err(error) => self.failure = Some(error),
        }
    }
}

impl Engine {
    fn end_transactions(&mut self, client: Uuid) {
        self.look_at_the_clock();
        let now = self.now();
        let contents = Contents {
            log: RefCell::new(&mut self.log),
            cache: &self.cache,
        };
        match self.state.end_session(&contents, client, now) {
            Ok(Some(change)) => self.record_own(&change),
            Ok(None) => {}
            Err(error) => self.failure = Some(error),
        }
        if self.failure.is_none() {
            self.serve_woken();
        }
    }
}
