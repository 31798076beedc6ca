//! The I/O of a session: connects, writes what is unsent, reads replies, and comes back after a loss.
//!
//! The first attempts after a loss follow each other within milliseconds, because a virtual server keeps
//! its address when it moves; beside them the name is resolved again by any node that lives.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use uuid::Uuid;

use super::handle::closed;
use super::slot::Slot;
use super::window::{Finished, Moment, Verdict, Window};
use crate::api::wire::frame::append;
use crate::api::wire::payload::{append_hello, read_postcard, read_reply};
use crate::api::wire::{Hello, Incoming, Kind, Role, VERSION, Welcome};
use crate::error::{Error, ErrorKind, Result};
use crate::queue::request::Request;

/// How long a connection may take until it is welcome: a frozen process accepts and says nothing.
pub(crate) const WELCOME_TIMEOUT: Duration = Duration::from_millis(500);
/// How long nothing may be heard while requests are under way.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// How often the link looks whether the other side lives.
const TICK: Duration = Duration::from_millis(250);
/// How often an idle connection says that its client lives, in ticks.
const IDLE_PING_TICKS: u32 = 20;
/// Longest pause between two attempts to connect.
const PAUSE_MAX: Duration = Duration::from_millis(50);
/// Bytes of one write.
const WRITE_BYTES_MAX: usize = 256 * 1024;

/// The future of [`Locate::locate`].
pub(crate) type Located = Pin<Box<dyn Future<Output = Result<SocketAddr>> + Send>>;

/// Finds out where a computer is now.
pub(crate) trait Locate: Send + Sync + 'static {
    /// Its queue manager's address.
    fn locate(&self) -> Located;
}

/// How to start a session.
pub(crate) struct SessionOptions {
    /// The computer's name; empty: whoever listens there.
    pub(crate) wants: String,
    /// Where it was found, if it was.
    pub(crate) address: Option<SocketAddr>,
    /// Who knows where it is now.
    pub(crate) locate: Arc<dyn Locate>,
    /// How long requests are tried again.
    pub(crate) failover_timeout: Duration,
}

/// A session's shared state and task.
pub(super) struct Link {
    client: Uuid,
    options: SessionOptions,
    began: Instant,
    window: Mutex<Window>,
    room: Condvar,
    work: Notify,
    ping: AtomicBool,
    closed: AtomicBool,
    address: Mutex<Option<SocketAddr>>,
    locating: AtomicBool,
    last_error: Mutex<Option<Error>>,
    /// Whether the present connection has answered anything.
    progress: AtomicBool,
}

/// How long and how often it was tried in vain. A connection that answers nothing does not end it.
#[derive(Debug, Default)]
struct Trouble {
    began: Option<Instant>,
    attempts: u32,
}

impl Trouble {
    fn lasts(&mut self) -> Duration {
        self.began.get_or_insert_with(Instant::now).elapsed()
    }
}

impl Link {
    pub(super) fn new(options: SessionOptions) -> Self {
        Self {
            client: Uuid::new_v4(),
            began: Instant::now(),
            window: Mutex::new(Window::new()),
            room: Condvar::new(),
            work: Notify::new(),
            ping: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            address: Mutex::new(options.address),
            locating: AtomicBool::new(false),
            last_error: Mutex::new(None),
            progress: AtomicBool::new(false),
            options,
        }
    }

    /// Takes a request; blocks while there is no room for it.
    pub(super) fn submit(&self, request: Request, slot: Arc<Slot>) {
        let mut window = self.window();
        while !window.has_room() && !self.is_closed() {
            window = self
                .room
                .wait(window)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if self.is_closed() {
            drop(window);
            slot.fill(Err(closed()));
            return;
        }
        let finished = window.push(request, slot, self.now());
        drop(window);
        deliver(finished);
        self.work.notify_one();
    }

    /// Ends all calls that are waiting.
    pub(super) fn cancel(&self) {
        let now = self.now();
        self.finish(|window| window.cancel(now));
        self.work.notify_one();
    }

    /// Ends the session and its task.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.finish(|window| window.fail_all(&closed()));
        self.room.notify_all();
        self.work.notify_one();
    }

    /// The session's task.
    pub(super) async fn run(self: Arc<Self>) {
        let mut trouble = Trouble::default();
        while !self.is_closed() {
            if self.window().is_empty() {
                trouble = Trouble::default();
                self.work.notified().await;
                continue;
            }
            match self.connect(&mut trouble).await {
                Ok(Some((stream, incoming))) => {
                    self.progress.store(false, Ordering::Release);
                    let why = self.converse(stream, incoming).await;
                    self.note(why);
                    self.finish(Window::lost);
                    if self.progress.load(Ordering::Acquire) {
                        trouble = Trouble::default();
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    self.finish(|window| window.fail_all(&error));
                    trouble = Trouble::default();
                }
            }
        }
    }

    /// Tries until it is connected, nothing is under way any more (`None`), or the time is over.
    async fn connect(
        self: &Arc<Self>,
        trouble: &mut Trouble,
    ) -> Result<Option<(TcpStream, Incoming)>> {
        loop {
            if self.is_closed() || self.window().is_empty() {
                return Ok(None);
            }
            if trouble.lasts() > self.options.failover_timeout {
                return Err(self.gave_up());
            }
            if trouble.attempts > 0 {
                tokio::time::sleep(pause(trouble.attempts - 1)).await;
            }
            trouble.attempts += 1;
            let address = *lock(&self.address);
            if address.is_none() || trouble.attempts.is_multiple_of(5) {
                self.locate_again();
            }
            if let Some(address) = address {
                match self.attempt(address).await {
                    Ok(connected) => return Ok(Some(connected)),
                    Err(error) if is_final(&error) => return Err(error),
                    Err(error) => self.note(error),
                }
            }
            let now = self.now();
            self.finish(|window| window.end_cancelled(now));
        }
    }

    async fn attempt(&self, address: SocketAddr) -> Result<(TcpStream, Incoming)> {
        let hello = Hello {
            version: VERSION,
            client: self.client,
            role: Role::Session,
            wants: self.options.wants.clone(),
        };
        let (stream, incoming, _) = connect(address, &hello).await?;
        Ok((stream, incoming))
    }

    /// Asks in the background where the computer is now.
    fn locate_again(self: &Arc<Self>) {
        if self.locating.swap(true, Ordering::AcqRel) {
            return;
        }
        let link = Arc::clone(self);
        tokio::spawn(async move {
            match link.options.locate.locate().await {
                Ok(address) => *lock(&link.address) = Some(address),
                Err(error) => link.note(error),
            }
            link.locating.store(false, Ordering::Release);
        });
    }

    /// Speaks over a connection until it is lost; gives the reason.
    async fn converse(self: &Arc<Self>, stream: TcpStream, incoming: Incoming) -> Error {
        let (read, write) = stream.into_split();
        tokio::select! {
            error = self.read(read, incoming) => error,
            error = self.write(write) => error,
        }
    }

    async fn write(&self, mut stream: OwnedWriteHalf) -> Error {
        let mut out = Vec::new();
        loop {
            if self.is_closed() {
                return closed();
            }
            out.clear();
            if let Err(error) = self.fill(&mut out) {
                return error;
            }
            if out.is_empty() {
                self.work.notified().await;
            } else if let Err(e) = stream.write_all(&out).await {
                return Error::system("write to the queue manager", &e);
            }
            out.shrink_to(2 * WRITE_BYTES_MAX);
        }
    }

    fn fill(&self, out: &mut Vec<u8>) -> Result<()> {
        if self.ping.swap(false, Ordering::AcqRel) {
            append(out, Kind::Ping, 0, |_| Ok(()))?;
        }
        let now = self.now();
        self.finish(|window| window.encode_unsent(out, WRITE_BYTES_MAX, now));
        Ok(())
    }

    async fn read(&self, mut stream: OwnedReadHalf, mut incoming: Incoming) -> Error {
        let mut watch = Watch::new(self.now());
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if let Err(error) = self.take_replies(&mut incoming) {
                return error;
            }
            tokio::select! {
                biased;
                more = incoming.fill(&mut stream) => match more {
                    Ok(true) => watch.heard(self.now()),
                    Ok(false) => return lost("the queue manager closed the connection"),
                    Err(e) => return Error::system("read from the queue manager", &e),
                },
                _ = ticks.tick() => {
                    let now = self.now();
                    self.finish(|window| window.end_cancelled(now));
                    match watch.tick(now, self.window().is_empty()) {
                        Tick::Fine => {}
                        Tick::Ping => {
                            self.ping.store(true, Ordering::Release);
                            self.work.notify_one();
                        }
                        Tick::Silent => return lost("the queue manager does not answer"),
                    }
                }
            }
        }
    }

    /// Hands out all replies that have come.
    fn take_replies(&self, incoming: &mut Incoming) -> Result<()> {
        let now = self.now();
        let mut finished: Vec<Finished> = Vec::new();
        let mut window = self.window();
        let outcome = loop {
            let frame = match incoming.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
            };
            match frame.kind {
                Kind::Reply => match read_reply(frame.payload) {
                    Ok(reply) => {
                        let (verdict, done) = window.answer(frame.correlation, reply, now);
                        finished.extend(done);
                        if let Verdict::Leave(error) = verdict {
                            break Err(error);
                        }
                    }
                    Err(error) => break Err(error),
                },
                Kind::Pong => {}
                Kind::Refused => {
                    break Err(read_postcard("refusal", frame.payload).unwrap_or_else(|e| e));
                }
                other => break Err(lost(&format!("the queue manager sent {other:?}"))),
            }
        };
        if cfg!(debug_assertions) {
            window.check_invariants();
        }
        let more = window.has_unsent();
        drop(window);
        if more {
            self.work.notify_one();
        }
        if !finished.is_empty() {
            self.progress.store(true, Ordering::Release);
        }
        self.hand_out(finished);
        outcome
    }

    /// Changes the window and hands out what is finished by that.
    fn finish(&self, change: impl FnOnce(&mut Window) -> Vec<Finished>) {
        let finished = change(&mut self.window());
        self.hand_out(finished);
    }

    fn hand_out(&self, finished: Vec<Finished>) {
        if !finished.is_empty() {
            deliver(finished);
            self.room.notify_all();
        }
    }

    /// Remembers why the last connection or attempt failed.
    fn note(&self, error: Error) {
        *lock(&self.last_error) = Some(error);
    }

    fn gave_up(&self) -> Error {
        let wants = match (self.options.wants.as_str(), *lock(&self.address)) {
            ("", Some(address)) => address.to_string(),
            (name, _) => name.to_owned(),
        };
        let seconds = self.options.failover_timeout.as_secs_f64();
        let last = lock(&self.last_error).take();
        let text = format!("{wants} did not come back within {seconds} s");
        let hint =
            "Get-ClusterWhy NAME says why a group is not online; what was sent may have arrived";
        match last {
            Some(last) => Error::new(
                ErrorKind::RemoteMachineNotAvailable,
                format!("{text}: {last}"),
            )
            .hint(last.hint.unwrap_or_else(|| hint.to_owned())),
            None => Error::new(ErrorKind::RemoteMachineNotAvailable, text).hint(hint),
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        lock(&self.window)
    }

    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// Connects and introduces itself. Gives the stream, what came behind the welcome, and the welcome.
pub(crate) async fn connect(
    address: SocketAddr,
    hello: &Hello,
) -> Result<(TcpStream, Incoming, Welcome)> {
    tokio::time::timeout(WELCOME_TIMEOUT, introduce(address, hello))
        .await
        .unwrap_or_else(|_| Err(lost(&format!("{address} accepts but does not answer"))))
}

async fn introduce(address: SocketAddr, hello: &Hello) -> Result<(TcpStream, Incoming, Welcome)> {
    let failed = |e: std::io::Error| lost(&format!("{address}: {e}"));
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    let _ = stream.set_nodelay(true);
    let mut out = Vec::new();
    append_hello(&mut out, hello)?;
    stream.write_all(&out).await.map_err(failed)?;
    let mut incoming = Incoming::default();
    loop {
        if let Some(frame) = incoming.next_frame()? {
            let welcome = match frame.kind {
                Kind::Welcome => read_postcard("welcome", frame.payload)?,
                Kind::Refused => return Err(read_postcard("refusal", frame.payload)?),
                other => return Err(lost(&format!("{address} sent {other:?} first"))),
            };
            return Ok((stream, incoming, welcome));
        }
        if !incoming.fill(&mut stream).await.map_err(failed)? {
            return Err(lost(&format!("{address} closed the connection")));
        }
    }
}

/// Whether trying again is of no use: the other side understood and refused.
fn is_final(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::InvalidRequest | ErrorKind::AccessDenied
    )
}

/// 1, 2, 4 … 50 ms.
fn pause(attempts: u32) -> Duration {
    Duration::from_millis(1 << attempts.min(6)).min(PAUSE_MAX)
}

fn deliver(finished: impl IntoIterator<Item = Finished>) {
    for (slot, outcome) in finished {
        slot.fill(outcome);
    }
}

fn lost(why: &str) -> Error {
    Error::new(ErrorKind::ServiceNotAvailable, why)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the other side is still heard. Pure.
#[derive(Debug)]
struct Watch {
    heard: Moment,
    busy_since: Option<Moment>,
    idle_ticks: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Tick {
    Fine,
    Ping,
    Silent,
}

impl Watch {
    fn new(now: Moment) -> Self {
        Self {
            heard: now,
            busy_since: None,
            idle_ticks: 0,
        }
    }

    fn heard(&mut self, now: Moment) {
        self.heard = now;
    }

    /// Silence counts from the last sign of life, or from when there was something to answer.
    fn tick(&mut self, now: Moment, idle: bool) -> Tick {
        if idle {
            self.busy_since = None;
            self.idle_ticks += 1;
            if self.idle_ticks.is_multiple_of(IDLE_PING_TICKS) {
                return Tick::Ping;
            }
            return Tick::Fine;
        }
        let busy_since = *self.busy_since.get_or_insert(now);
        let quiet = now.saturating_sub(self.heard.max(busy_since));
        if quiet >= SILENCE_MAX {
            Tick::Silent
        } else if now.saturating_sub(self.heard) >= TICK / 2 {
            Tick::Ping
        } else {
            Tick::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Duration::from_millis(ms)
    }

    #[test]
    fn silence_counts_from_the_first_unanswered_request_not_from_idle_times() {
        let mut watch = Watch::new(at(0));
        assert_eq!(watch.tick(at(60_000), true), Tick::Fine);
        assert_eq!(watch.tick(at(60_250), false), Tick::Ping);
        assert_eq!(watch.tick(at(61_000), false), Tick::Ping);
        assert_eq!(watch.tick(at(61_250), false), Tick::Silent);
    }

    #[test]
    fn a_busy_connection_that_is_heard_is_left_alone() {
        let mut watch = Watch::new(at(0));
        for tick in 1..100 {
            watch.heard(at(tick * 250 - 10));
            assert_eq!(watch.tick(at(tick * 250), false), Tick::Fine);
        }
    }

    #[test]
    fn an_idle_connection_says_now_and_then_that_it_lives() {
        let mut watch = Watch::new(at(0));
        let pings = (0..80).filter(|tick| watch.tick(at(tick * 250), true) == Tick::Ping);
        assert_eq!(pings.count(), 4);
    }

    #[test]
    fn attempts_begin_at_a_millisecond_and_end_at_fifty() {
        let pauses: Vec<_> = (0..8).map(|n| pause(n).as_millis()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 50, 50]);
    }
}
