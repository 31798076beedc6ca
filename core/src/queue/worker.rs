//! The queue manager's thread: rounds of take all, decide and apply, one write, one sync, replies.
//!
//! ```text
//!  admit (room in the log?) -> execute each -> commit (write, sync, EPOCH) -> replies -> maybe a snapshot
//! ```
//!
//! Room is made *before* anything is decided, so that a full disk refuses a request and changes nothing.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use uuid::Uuid;

use super::cache::Cache;
use super::codec::{Decoder, MESSAGE_OVERHEAD_BYTES, decode_message};
use super::decide::{Decision, How, Take};
use super::entry::Body;
use super::message::{Message, Received};
use super::outcome::{Delivered, Outcome};
use super::record::{LIST_ITEM_BYTES, Part, RECORD_BYTES, Record};
use super::request::{Reply, Request, RequestId, Respond};
use super::state::{RESERVE, State};
use super::waiting::{Waiter, Waiting};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Log, Position};
use crate::sys::clock::Clock;

/// Requests and bytes of one round at most.
const ROUND_REQUESTS_MAX: usize = 4096;
const ROUND_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What comes through the channel.
pub(super) enum Command {
    Request(RequestId, Request, Respond),
    EndSession(Uuid),
    ExtendDeadline(Duration),
    Close(SyncSender<Result<()>>),
}

pub(super) struct Worker {
    pub(super) state: State,
    pub(super) log: Log,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) snapshot_bytes: u64,
    /// Bytes written since the last snapshot, and that one's own size.
    pub(super) since_snapshot: u64,
    pub(super) last_snapshot: u64,
    cache: Cache,
    waiting: Waiting,
    replies: Vec<(Respond, Result<Reply>)>,
    records: u64,
    /// Why this round may add nothing; and why it may not even remove.
    full: Option<Error>,
    stuck: Option<Error>,
    failure: Option<Error>,
}

impl Worker {
    pub(super) fn new(state: State, log: Log, clock: Arc<dyn Clock>, snapshot_bytes: u64) -> Self {
        Self {
            state,
            log,
            clock,
            snapshot_bytes,
            since_snapshot: 0,
            last_snapshot: 0,
            cache: Cache::default(),
            waiting: Waiting::default(),
            replies: Vec::new(),
            records: 0,
            full: None,
            stuck: None,
            failure: None,
        }
    }

    /// Works until it is closed or the last handle is gone. `failed` is called at the first failure.
    pub(super) fn run(mut self, commands: &Receiver<Command>, failed: impl FnOnce(Error)) {
        let mut failed = Some(failed);
        let mut report = move |failure: &Option<Error>| {
            if let Some(error) = failure
                && let Some(failed) = failed.take()
            {
                failed(error.clone());
            }
        };
        self.failure = self.log.settle_in().err();
        loop {
            report(&self.failure);
            let (round, open) = self.next_round(commands);
            let closing = self.play(round);
            report(&self.failure);
            if !open || !closing.is_empty() {
                let result = self.finish();
                for closer in closing {
                    drop(closer.send(result.clone()));
                }
                return;
            }
        }
    }

    /// Waits for a command or a deadline, then takes all that have come. Also says whether more can come.
    fn next_round(&self, commands: &Receiver<Command>) -> (Vec<Command>, bool) {
        let first = match self.waiting.next_deadline() {
            None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => commands.recv_timeout(deadline.saturating_sub(self.clock.boot())),
        };
        let first = match first {
            Ok(command) => command,
            Err(RecvTimeoutError::Timeout) => return (Vec::new(), true),
            Err(RecvTimeoutError::Disconnected) => return (Vec::new(), false),
        };
        let mut bytes = self.bytes_of(&first);
        let mut round = vec![first];
        while round.len() < ROUND_REQUESTS_MAX
            && bytes < ROUND_BYTES_MAX
            && let Ok(command) = commands.try_recv()
        {
            bytes += self.bytes_of(&command);
            round.push(command);
        }
        (round, true)
    }

    /// One round; gives those who asked to close.
    fn play(&mut self, round: Vec<Command>) -> Vec<SyncSender<Result<()>>> {
        let mut closing = Vec::new();
        if self.failure.is_none()
            && let Err(error) = self.admit(&round)
        {
            self.failure = Some(error);
        }
        for command in round {
            match command {
                Command::Request(id, request, respond) => self.handle(id, request, respond),
                Command::EndSession(client) => self.end_session(client),
                Command::ExtendDeadline(until) => self.log.extend_deadline(until),
                Command::Close(closer) => closing.push(closer),
            }
        }
        self.expire();
        self.settle();
        self.maybe_snapshot();
        closing
    }

    /// Upper bound of the bytes a command adds to the log.
    fn bytes_of(&self, command: &Command) -> usize {
        let Command::Request(_, request, _) = command else {
            return 0;
        };
        let own = match request {
            Request::Send { message, .. } => {
                message.body.len() + message.label.len() + MESSAGE_OVERHEAD_BYTES
            }
            Request::CreateQueue { queue, properties } => queue.len() + properties.label.len(),
            Request::PurgeQueue { queue } => {
                let found = self.state.find_queue(queue);
                // What the same round locks is paid for by those requests.
                found.map_or(0, |(_, queue)| queue.locked.len() * LIST_ITEM_BYTES)
            }
            Request::Commit { transaction } => {
                let open = self.state.transactions.get(transaction);
                open.map_or(0, |t| {
                    t.bytes
                        + t.sent.len() * (MESSAGE_OVERHEAD_BYTES + LIST_ITEM_BYTES)
                        + t.received.len() * LIST_ITEM_BYTES
                })
            }
            _ => 0,
        };
        own + RECORD_BYTES
    }

    /// Makes room in the log for the round: for all of it, or on a full disk for what removes.
    fn admit(&mut self, round: &[Command]) -> Result<()> {
        (self.full, self.stuck) = (None, None);
        // A waiting receive may be served, an express send may need a reservation.
        let extra = self.waiting.len() + 1;
        let records = round.len() + extra;
        let bytes: usize = round.iter().map(|c| self.bytes_of(c)).sum();
        match self
            .log
            .prepare(records, bytes + extra * RECORD_BYTES, false)
        {
            Err(error) if error.kind == ErrorKind::InsufficientResources => self.full = Some(error),
            other => return other,
        }
        let removing = round.iter().filter(|c| !adds(c));
        let bytes: usize = removing.map(|c| self.bytes_of(c)).sum();
        match self
            .log
            .prepare(records, bytes + extra * RECORD_BYTES, true)
        {
            Err(error) if error.kind == ErrorKind::InsufficientResources => {
                self.stuck = Some(error);
                Ok(())
            }
            other => other,
        }
    }

    /// Whether the disk has no room for this request.
    fn refusal(&self, request: &Request) -> Option<Error> {
        let adding = match request {
            Request::Send { .. } | Request::CreateQueue { .. } => true,
            Request::Commit { transaction } => {
                let open = self.state.transactions.get(transaction);
                open.is_some_and(|t| !t.sent.is_empty())
            }
            _ => false,
        };
        let logs = !matches!(
            request,
            Request::ListQueues | Request::Receive { peek: true, .. }
        );
        let cause = if adding { &self.full } else { &None };
        let cause = cause.as_ref().or(self.stuck.as_ref().filter(|_| logs))?;
        Some(
            Error::new(
                ErrorKind::InsufficientResources,
                format!("the disk of the message store is full: {}", cause.message),
            )
            .hint(
                "nothing was stored; receive messages or free space on the disk, then send again",
            ),
        )
    }

    fn handle(&mut self, id: RequestId, request: Request, respond: Respond) {
        if self.failure.is_some() {
            self.replies.push((respond, Ok(Reply::Done))); // `settle` answers all with the failure
            return;
        }
        let again = matches!(request, Request::Receive { .. }).then(|| request.clone());
        let known = matches!(self.state.outcomes.find(&id), Ok(Some(_)));
        let result = match self.refusal(&request).filter(|_| !known) {
            Some(error) => Err(error),
            None => self.execute(&id, request),
        };
        match result {
            Ok(Some(reply)) => self.replies.push((respond, Ok(reply))),
            Err(error) => self.replies.push((respond, Err(error))),
            Ok(None) => self.wait(id, again, respond),
        }
    }

    /// Executes a request; none when it has to wait.
    fn execute(&mut self, id: &RequestId, request: Request) -> Result<Option<Reply>> {
        let (aborts, commits) = match &request {
            Request::Abort { transaction } => (Some(*transaction), None),
            Request::Commit { transaction } => (None, Some(*transaction)),
            _ => (None, None),
        };
        let decision = self.state.decide(id, request, self.clock.wall_ms());
        // A commit that is refused for good aborts.
        let ended = if decision.is_ok() { aborts } else { commits };
        if let Some(transaction) = ended
            && self
                .state
                .transactions
                .get(&transaction)
                .is_some_and(|t| t.client == id.client)
        {
            let queues = self.state.abort(transaction);
            self.serve(queues);
        }
        match decision? {
            Decision::Known(outcome) => self.reply(outcome).map(Some),
            Decision::Answer(reply) => Ok(Some(reply)),
            Decision::Wait => Ok(None),
            Decision::Take(take) => self.take(id, &take).map(Some),
            Decision::Express(queue, message) => {
                let outcome = self.keep_express(id, queue, message)?;
                self.serve(vec![queue]);
                self.reply(outcome).map(Some)
            }
            Decision::Log(record) => {
                let (outcome, changed) = self.record(record)?;
                if let Some(transaction) = commits {
                    self.state.transactions.remove(&transaction);
                }
                // The reply first: what is served next may take the message it tells of.
                let reply = self.reply(outcome).map(Some);
                self.serve(changed);
                reply
            }
        }
    }

    /// Logs and applies a record; gives the outcome and the queues that got messages.
    fn record(&mut self, record: Record) -> Result<(Outcome, Vec<u32>)> {
        let (bytes, parts) = record.encode();
        let base = self.log.next_position(bytes.len());
        let places = places(base, &parts);
        let outcome = self
            .state
            .apply(&record, &places)
            .inspect_err(|error| self.failure = Some(error.clone()))?;
        self.log.push(&bytes);
        self.records += 1;
        let arrivals = match record {
            Record::Enqueue { arrival, .. } => vec![arrival],
            Record::Transaction { sent, .. } => sent,
            Record::DeleteQueue { queue, .. } => {
                self.cancel(queue);
                Vec::new()
            }
            _ => Vec::new(),
        };
        let mut changed = Vec::new();
        for (arrival, place) in arrivals.into_iter().zip(places) {
            changed.push(arrival.queue);
            self.cache.insert(place, Arc::new(arrival.message));
        }
        changed.dedup();
        Ok((outcome, changed))
    }

    fn keep_express(&mut self, id: &RequestId, queue: u32, message: Message) -> Result<Outcome> {
        if self.state.counter >= self.state.reserved {
            let counter = self.state.counter + RESERVE;
            self.record(Record::Reserve { counter })?;
        }
        let stamp = self.state.stamp(*id, self.clock.wall_ms());
        Ok(self.state.enqueue_express(queue, message, &stamp))
    }

    fn take(&mut self, id: &RequestId, take: &Take) -> Result<Reply> {
        // Read before it is taken: one that cannot be read is not lost.
        let message = self.load(&take.body)?;
        let delivered = Delivered {
            lookup_id: take.lookup_id,
            arrived_ms: take.arrived_ms,
            body: take.body.clone(),
        };
        match (take.how, &take.body) {
            (How::Peek, _) => {}
            (How::Lock(by), _) => {
                self.state.lock(id, take, by)?;
                self.state.pass(id, Outcome::Message(delivered.clone()));
            }
            (How::Remove, Body::Memory(_)) => {
                self.state.dequeue_express(take.queue, take.lookup_id, id)?;
            }
            (How::Remove, Body::Log(position)) => {
                let stamp = self.state.stamp(*id, self.clock.wall_ms());
                let (queue, lookup_id) = (take.queue, take.lookup_id);
                self.record(Record::Dequeue {
                    stamp,
                    queue,
                    lookup_id,
                })?;
                self.cache.spend(*position);
            }
        }
        Ok(self.received(&delivered, &message))
    }

    fn received(&self, delivered: &Delivered, message: &Message) -> Reply {
        Reply::Message(Box::new(Received {
            message: message.clone(),
            id: self.state.message_id(delivered.lookup_id),
            lookup_id: delivered.lookup_id,
            sent_ms: delivered.arrived_ms,
            arrived_ms: delivered.arrived_ms,
        }))
    }

    fn load(&mut self, body: &Body) -> Result<Arc<Message>> {
        let position = match body {
            Body::Memory(message) => return Ok(Arc::clone(message)),
            Body::Log(position) => position,
        };
        if let Some(message) = self.cache.get(position) {
            return Ok(message);
        }
        let bytes = self.log.read(*position)?;
        let message = Arc::new(decode_message(&mut Decoder::new(&bytes), true)?);
        Ok(message)
    }

    fn reply(&mut self, outcome: Outcome) -> Result<Reply> {
        Ok(match outcome {
            Outcome::Done => Reply::Done,
            Outcome::Queue(status) => Reply::Queue(status),
            Outcome::Sent(lookup_id) => Reply::Sent {
                id: self.state.message_id(lookup_id),
                lookup_id,
            },
            Outcome::Staged => Reply::Sent {
                id: super::message::MessageId::NONE,
                lookup_id: 0,
            },
            Outcome::Began(transaction) => Reply::Began(transaction),
            Outcome::Message(delivered) => {
                let message = self.load(&delivered.body)?;
                self.received(&delivered, &message)
            }
        })
    }

    fn wait(&mut self, id: RequestId, request: Option<Request>, respond: Respond) {
        let Some(request) = request else { return };
        let Request::Receive {
            queue, timeout_ms, ..
        } = &request
        else {
            return;
        };
        let number = self.state.find_queue(queue).map_or(0, |found| found.0);
        if *timeout_ms == 0 {
            self.replies.push((respond, Err(timeout(&request))));
            return;
        }
        let forever = *timeout_ms == u64::MAX;
        let until = self
            .clock
            .boot()
            .checked_add(Duration::from_millis(*timeout_ms));
        let replaced = self.waiting.add(
            number,
            Waiter {
                id,
                request,
                deadline: until.filter(|_| !forever),
                respond,
            },
        );
        self.cancel_all(
            replaced,
            ErrorKind::OperationCancelled,
            "the client asked again",
        );
    }

    /// Hands new messages of `queues` to those who wait, first come first served.
    fn serve(&mut self, queues: Vec<u32>) {
        for queue in queues {
            let mut still = std::collections::VecDeque::new();
            for waiter in self.waiting.take(queue) {
                let refused = self.refusal(&waiter.request).is_some();
                let result = if refused {
                    Ok(None)
                } else {
                    self.execute(&waiter.id, waiter.request.clone())
                };
                match result {
                    Ok(None) => still.push_back(waiter),
                    Ok(Some(reply)) => self.replies.push((waiter.respond, Ok(reply))),
                    Err(error) => self.replies.push((waiter.respond, Err(error))),
                }
            }
            self.waiting.put_back(queue, still);
        }
    }

    fn cancel(&mut self, queue: u32) {
        let waiters = self.waiting.take(queue).into();
        self.cancel_all(waiters, ErrorKind::QueueDeleted, "the queue was deleted");
    }

    fn cancel_all(&mut self, waiters: Vec<Waiter>, kind: ErrorKind, why: &str) {
        for waiter in waiters {
            self.replies
                .push((waiter.respond, Err(Error::new(kind, why))));
        }
    }

    fn end_session(&mut self, client: Uuid) {
        let waiters = self.waiting.of_client(client);
        self.cancel_all(
            waiters,
            ErrorKind::OperationCancelled,
            "the session has ended",
        );
        let queues = self.state.end_session(client);
        if self.failure.is_none() {
            self.serve(queues);
        }
    }

    fn expire(&mut self) {
        let now = self.clock.boot();
        for waiter in self.waiting.expired(now) {
            let error = timeout(&waiter.request);
            self.replies.push((waiter.respond, Err(error)));
        }
    }

    /// Makes the round durable, then answers; after a failure everything is answered with it.
    fn settle(&mut self) {
        if self.failure.is_none() && !self.replies.is_empty() {
            match self.log.commit() {
                Ok(bytes) => self.since_snapshot += bytes,
                Err(error) => self.failure = Some(error),
            }
        }
        if self.failure.is_some() {
            for waiter in self.waiting.all() {
                self.replies.push((waiter.respond, Ok(Reply::Done)));
            }
        }
        for (respond, result) in std::mem::take(&mut self.replies) {
            respond(self.failure.clone().map_or(result, Err));
        }
        self.cache.trim();
        if cfg!(debug_assertions) && self.failure.is_none() && self.state.counts().1 < 256 {
            self.state.check_invariants();
        }
    }

    fn maybe_snapshot(&mut self) {
        let due = self.snapshot_bytes.max(2 * self.last_snapshot);
        let blocked = self.full.is_some() && self.since_snapshot > 0;
        if self.failure.is_none() && (self.since_snapshot >= due || blocked) {
            // A full disk is no failure: the log goes on without one.
            drop(self.snapshot());
        }
    }

    fn snapshot(&mut self) -> Result<()> {
        let live = self.state.live_segments();
        self.since_snapshot = 0;
        match self.log.snapshot(self.state.encode(), &live) {
            Ok(bytes) => {
                self.last_snapshot = bytes;
                Ok(())
            }
            Err(error) => {
                if error.kind != ErrorKind::InsufficientResources {
                    self.failure = Some(error.clone());
                }
                Err(error)
            }
        }
    }

    fn finish(&mut self) -> Result<()> {
        let waiters = self.waiting.all();
        self.cancel_all(
            waiters,
            ErrorKind::ServiceNotAvailable,
            "the queue manager is stopping",
        );
        self.settle();
        match &self.failure {
            Some(error) => Err(error.clone()),
            None => self.snapshot(),
        }
    }
}

fn adds(command: &Command) -> bool {
    matches!(
        command,
        Command::Request(_, Request::Send { .. } | Request::CreateQueue { .. }, _)
    )
}

/// Where the messages of a record at `base` lie.
pub(super) fn places(base: Position, parts: &[Part]) -> Vec<Position> {
    let place = |part: &Part| Position {
        segment: base.segment,
        offset: base.offset.saturating_add(part.0),
        length: part.1,
    };
    parts.iter().map(place).collect()
}

fn timeout(request: &Request) -> Error {
    let queue = match request {
        Request::Receive { queue, .. } => queue.as_str(),
        _ => "",
    };
    Error::new(
        ErrorKind::ReceiveTimeout,
        format!("no message arrived in queue {queue} in time"),
    )
}
