//! The loop: waits, reads what is ready, lets the engine go on, writes.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::Duration;

use uuid::Uuid;

use super::connection::{Connection, Taken};
use super::connections::{Connections, Key};
use super::control::{Control, Message};
use super::flow::{Flow, Limits};
use super::seats::Seats;
use crate::api::server::connection::check;
use crate::api::wire::buffer::READ_BYTES;
use crate::api::wire::{Hello, Role};
use crate::error::{Error, Result};
use crate::queue::access::Access;
use crate::queue::request::{Answer, Caller, Request, RequestId};
use crate::queue::serve::{Replies, Serve};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::network::{Event, Filled, Listener, Peers, Poller, User};

/// The tokens of listeners begin here; no key of a connection is as large.
const LISTENERS: u64 = 1 << 63;
/// Connections that one turn accepts from one listener.
const ACCEPTS_MAX: usize = 64;
/// How often the loop looks for clients that have used up their time.
const SWEEP_EVERY: Duration = Duration::from_millis(250);
/// How long the loop looks again and again for the next request before it sleeps, when there was one a moment ago:
/// waking up takes a virtual core 30 us.
const SPIN: Duration = Duration::from_micros(50);

/// What the server says of itself.
#[derive(Clone, Debug)]
pub struct ServedManager {
    /// The computer name it answers to.
    pub name: String,
    /// The epoch of its store.
    pub epoch: u64,
}

/// Clients that were ready at once, at most, for the loop to look again and again.
const SPIN_CLIENTS_MAX: usize = 2;

/// See the module.
pub struct Plane<E> {
    engine: E,
    served: ServedManager,
    listeners: Vec<Listener>,
    control: Receiver<Message<E>>,
    poller: Poller,
    connections: Connections,
    seats: Seats,
    peers: Peers,
    flow: Flow,
    /// Who waits for room.
    held_back: Vec<Key>,
    /// Whom to write to.
    dirty: Vec<Key>,
    scratch: Vec<u8>,
    replies: Replies,
    clock: SystemClock,
    now: Duration,
    swept: Duration,
    /// Nothing is accepted until the next sweep: no more descriptors.
    deaf: bool,
    /// The identity of what is asked through the control, and how often something was.
    own: (Caller, u64),
    spin: bool,
}

impl<E: Serve> Plane<E> {
    /// Prepares to serve `engine` at `listeners`; `run` does it. `access` is whom the control asks as.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(
        listeners: Vec<Listener>,
        engine: E,
        served: ServedManager,
        limits: Limits,
    ) -> Result<(Self, Control<E>)> {
        let failed = |e: std::io::Error| Error::system("prepare the server's event loop", &e);
        let poller = Poller::new().map_err(failed)?;
        for (index, listener) in listeners.iter().enumerate() {
            poller
                .add(listener, LISTENERS + index as u64)
                .map_err(failed)?;
        }
        let (handle, control) = Control::new(poller.waker());
        let own = Caller {
            client: Uuid::new_v4(),
            access: Arc::new(Access::owner_of_all(served.name.clone())),
        };
        let clock = SystemClock;
        let now = clock.boot();
        let spin = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        let mut plane = Self {
            engine,
            served,
            listeners,
            control,
            poller,
            connections: Connections::default(),
            seats: Seats::default(),
            peers: Peers::default(),
            flow: Flow::new(limits),
            held_back: Vec::new(),
            dirty: Vec::new(),
            scratch: Vec::new(),
            replies: Replies::new(),
            clock,
            now,
            swept: now,
            deaf: false,
            own: (own, 0),
            spin,
        };
        let waker = plane.poller.waker();
        plane.engine.set_waker(Arc::new(move || waker.wake()));
        Ok((plane, handle))
    }

    /// Runs in a thread of its own, which gives the engine back.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(self) -> Result<JoinHandle<Result<E>>>
    where
        E: Send + 'static,
    {
        std::thread::Builder::new()
            .name(format!("queues of {}", self.served.name))
            .spawn(|| self.run())
            .map_err(|e| Error::system("start the queue manager's thread", &e))
    }

    /// Serves until the control says stop; gives the engine back. Every connection ends with it.
    ///
    /// # Errors
    /// When the system does not let it wait for events.
    pub fn run(mut self) -> Result<E> {
        let mut ready = Vec::new();
        let mut spin_until = Duration::ZERO;
        loop {
            let spinning = self.now < spin_until && !self.engine.is_busy();
            let timeout = if spinning {
                Some(Duration::ZERO)
            } else {
                self.idle_time()
            };
            let woken = self
                .poller
                .wait(timeout, &mut ready)
                .map_err(|e| Error::system("wait for clients", &e))?;
            self.now = self.clock.boot();
            let idle = !woken && ready.is_empty();
            if idle && spinning {
                rustix::thread::sched_yield();
                if self.engine.wake_at().is_none_or(|at| at > self.now) {
                    continue;
                }
            }
            for event in &ready {
                self.on_event(*event);
            }
            if woken && !self.obey() {
                return Ok(self.engine);
            }
            self.step();
            if self.now.saturating_sub(self.swept) >= SWEEP_EVERY {
                self.sweep();
            }
            // Many clients at once need the processors themselves, and the next of them comes soon anyway.
            if self.spin && !idle && ready.len() <= SPIN_CLIENTS_MAX {
                spin_until = self.clock.boot() + SPIN;
            }
        }
    }

    /// How long nothing will be to do, unless something comes; none: for ever.
    fn idle_time(&self) -> Option<Duration> {
        let until = |at: Duration| at.saturating_sub(self.now);
        let engine = self.engine.wake_at().map(until);
        let sweep =
            (self.connections.len() > 0 || self.deaf).then(|| until(self.swept + SWEEP_EVERY));
        engine.into_iter().chain(sweep).min()
    }

    fn on_event(&mut self, event: Event) {
        if event.token >= LISTENERS {
            self.accept(event.token);
            return;
        }
        let key = Key::from_bits(event.token);
        if event.writable {
            self.write(key);
        }
        if event.readable {
            self.read(key);
        }
        if event.ended && !event.readable {
            self.close(key);
        }
    }

    fn accept(&mut self, token: u64) {
        let index = usize::try_from(token - LISTENERS).unwrap_or(usize::MAX);
        for _ in 0..ACCEPTS_MAX {
            if self.connections.len() >= self.flow.limits.connections_max {
                return self.set_deaf(true);
            }
            let Some(accepted) = self.listeners.get(index).map(Listener::accept) else {
                return;
            };
            match accepted {
                Ok(Some(stream)) => {
                    // The time behind the accept: what is read of the system later knows this connection.
                    self.begin(Connection::new(stream, self.clock.boot()));
                }
                Ok(None) => return,
                Err(_) => return self.set_deaf(true),
            }
        }
    }

    fn begin(&mut self, connection: Connection) {
        let key = self.connections.insert(connection);
        let added = self
            .connections
            .get(key)
            .map(|connection| self.poller.add(connection.stream(), key.bits()));
        if !matches!(added, Some(Ok(()))) {
            self.connections.remove(key);
        }
    }

    /// A listener that cannot give a connection is not asked again before the next sweep.
    fn set_deaf(&mut self, deaf: bool) {
        self.deaf = deaf;
        for (index, listener) in self.listeners.iter().enumerate() {
            let token = LISTENERS + index as u64;
            // It was added: watching it cannot fail, and a failure would only cost turns of the loop.
            let _ = self.poller.watch(listener, token, !deaf, false);
        }
    }

    /// Reads from a connection what is there, or its share of the turn.
    fn read(&mut self, key: Key) {
        let mut budget = self.flow.limits.turn_bytes_max;
        while self.take_frames(key) && budget > 0 {
            let Some(connection) = self.connections.get(key) else {
                return;
            };
            match connection.fill(&mut self.scratch, self.now) {
                Ok(Filled::Bytes(count)) => {
                    budget = budget.saturating_sub(count);
                    if count < READ_BYTES {
                        // That was all: the poller will tell of more.
                        self.take_frames(key);
                        return;
                    }
                }
                Ok(Filled::Nothing) => return,
                Ok(Filled::End) | Err(_) => return self.close(key),
            }
        }
    }

    /// Takes the frames of a connection; whether more may be read.
    fn take_frames(&mut self, key: Key) -> bool {
        loop {
            let Some(connection) = self.connections.get(key) else {
                return false;
            };
            let was_held_back = connection.is_held_back();
            let taken = connection.take_frames(key, &mut self.engine, &mut self.flow);
            if connection.mark_dirty() {
                self.dirty.push(key);
            }
            match taken {
                Ok(Taken::All) => return true,
                Ok(Taken::Full) => {
                    if !was_held_back {
                        self.held_back.push(key);
                        self.watch(key);
                    }
                    return false;
                }
                Ok(Taken::Hello(hello)) => self.greet(key, &hello),
                Err(_) => {
                    self.close(key);
                    return false;
                }
            }
        }
    }

    fn greet(&mut self, key: Key, hello: &Hello) {
        let checked = check(hello, Role::Session, &self.served.name);
        if checked.is_ok()
            && let Some(old) = self.seats.sit(hello.client, key)
        {
            self.drop_connection(old);
            self.engine.end_session(hello.client);
        }
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let (name, epoch) = (&self.served.name, self.served.epoch);
        let told = match checked {
            Ok(()) => {
                let access = match connection.guest() {
                    Some(proven) => proven.clone(),
                    None => {
                        let (began, now) = (connection.began(), self.clock.boot());
                        access_of(self.peers.user_of(connection.stream(), began, now))
                    }
                };
                connection.welcome(hello, access, name, epoch)
            }
            Err(error) => {
                tracing::warn!(client = %hello.client, reason = %error.message, "client refused");
                connection.refuse(&error)
            }
        };
        if connection.mark_dirty() {
            self.dirty.push(key);
        }
        if told.is_err() {
            self.close(key);
        }
    }

    /// Does what other threads want; whether the loop goes on.
    fn obey(&mut self) -> bool {
        while let Ok(message) = self.control.try_recv() {
            match message {
                Message::Stop => return false,
                Message::Act(act) => act(&mut self.engine),
                // Closed at once where there is no room.
                Message::Guest(stream, access) => {
                    if self.connections.len() < self.flow.limits.connections_max {
                        let now = self.clock.boot();
                        self.begin(Connection::of_guest(stream, access, now));
                    }
                }
                Message::Call(request, sender) => {
                    self.count_sessions();
                    let tell = move |outcome| drop(sender.try_send(outcome));
                    self.ask(*request, Answer::Call(Box::new(tell)));
                }
            }
        }
        true
    }

    fn ask(&mut self, request: Request, answer: Answer) {
        let (caller, count) = &mut self.own;
        *count += 1;
        let id = RequestId {
            client: caller.client,
            sequence: *count,
            acknowledged: *count,
        };
        self.engine.submit(caller, id, request, answer);
    }

    /// Lets the engine go on and tells what is done; then there may be room for those who were held back, whose
    /// requests are the next batch.
    fn step(&mut self) {
        loop {
            let mut replies = std::mem::take(&mut self.replies);
            self.engine.step(&mut replies);
            let any = !replies.is_empty();
            for (answer, outcome) in replies.drain(..) {
                self.deliver(answer, outcome);
            }
            self.replies = replies;
            for key in std::mem::take(&mut self.dirty) {
                self.write(key);
            }
            if !any || !self.let_in() {
                return;
            }
        }
    }

    fn deliver(&mut self, answer: Answer, outcome: Result<crate::queue::request::Reply>) {
        let (key, sequence) = match answer {
            Answer::Call(respond) => return respond(outcome),
            Answer::Nobody => return,
            Answer::Connection {
                connection,
                sequence,
            } => (Key::from_bits(connection), sequence),
        };
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let appended = connection.reply(sequence, &outcome, &mut self.flow);
        if connection.mark_dirty() {
            self.dirty.push(key);
        }
        if appended.is_err() {
            self.close(key);
        }
    }

    /// Lets those go on who were held back and have room now; whether any request came in by that.
    fn let_in(&mut self) -> bool {
        let before = self.flow.admitted();
        for key in std::mem::take(&mut self.held_back) {
            self.take_frames(key);
            let Some(connection) = self.connections.get(key) else {
                continue;
            };
            if connection.is_held_back() {
                self.held_back.push(key);
            }
            self.watch(key);
        }
        self.flow.admitted() != before
    }

    fn write(&mut self, key: Key) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        match connection.write(self.now) {
            true => self.watch(key),
            false => self.close(key),
        }
    }

    fn watch(&mut self, key: Key) {
        if let Some(connection) = self.connections.get(key)
            && connection.watch(key, &self.poller).is_err()
        {
            self.close(key);
        }
    }

    /// Ends a connection, and the session of its client unless a newer connection speaks for it.
    fn close(&mut self, key: Key) {
        if let Some(caller) = self.drop_connection(key)
            && self.seats.leave(caller.client, key)
        {
            tracing::debug!(client = %caller.client, "session ended");
            self.engine.end_session(caller.client);
        }
    }

    fn drop_connection(&mut self, key: Key) -> Option<Caller> {
        self.connections.remove(key)?.end(&mut self.flow)
    }

    fn count_sessions(&mut self) {
        let (sessions, over_ip) = self.connections.sessions();
        self.engine.set_sessions(sessions, over_ip);
    }

    /// Drops clients that have used up their time, and memory that nobody needs.
    fn sweep(&mut self) {
        self.swept = self.now;
        self.count_sessions();
        for key in self.connections.keys() {
            let Some(connection) = self.connections.get(key) else {
                continue;
            };
            if connection.is_overdue(&self.flow, self.now) {
                self.close(key);
            } else {
                connection.rest();
            }
        }
        self.scratch = Vec::new();
        self.peers.rest();
        if self.deaf {
            self.set_deaf(false);
        }
    }
}

fn access_of(user: Option<User>) -> Access {
    user.map_or_else(Access::anonymous, |user| Access {
        user: user.name,
        groups: user.groups,
        administrator: user.administrator,
    })
}

impl<E> std::fmt::Debug for Plane<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plane of {}", self.served.name)
    }
}
