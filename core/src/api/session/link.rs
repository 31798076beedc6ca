//! What a session's callers and its keeper share: the window, the present connection, and who reads from it.
//!
//! The callers do the work themselves. A request is written by who submits it when nothing else is under way, by who
//! waits, or when enough has come together; replies are read by one of those who wait, for all. The keeper only connects,
//! watches for silence, and reads and writes what nobody waits for.
//!
//! Invariants: at most one thread is the reader; it holds no lock while it reads or sleeps. When requests are
//! under way, there is a reader, or a waiter was told to become it, or the keeper is attentive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use uuid::Uuid;

use super::SessionOptions;
use super::connect::lost;
use super::handle::closed;
use super::line::{Inbox, Line, Spin};
use super::slot::Slot;
use super::watch::TICK;
use super::window::{Finished, Moment, Verdict, Window};
use crate::api::wire::Kind;
use crate::api::wire::frame::append;
use crate::api::wire::payload::{Replies, read_postcard, read_replies};
use crate::error::{Error, Result};
use crate::queue::request::{Reply, Request, Transaction};
use crate::sys::network::{Endpoint, Filled, Stream};

/// Bytes of one write.
const WRITE_BYTES_MAX: usize = 256 * 1024;
/// Unsent bytes that are written without waiting for more.
const ENOUGH_BYTES: usize = 64 * 1024;
/// What is submitted is written at once, unless something was written this short a time ago.
const WRITE_EVERY: Duration = Duration::from_micros(50);
/// With more requests under way than this, what is submitted waits as long for company: one that went out alone would
/// be synced alone.
const ALONE_MAX: usize = 32;
/// How long a submitter that finds no room waits before it looks again.
const ROOM_WAIT: Duration = Duration::from_millis(20);

/// See the module.
pub(super) struct Link {
    pub(super) client: Uuid,
    pub(super) options: SessionOptions,
    began: Instant,
    state: Mutex<State>,
    room: Condvar,
    /// Wakes the keeper.
    pub(super) keeper: Notify,
    closed: AtomicBool,
    pub(super) address: Mutex<Option<Endpoint>>,
    pub(super) locating: AtomicBool,
    /// It is looked whether another queue manager answers.
    pub(super) doubting: AtomicBool,
    pub(super) last_error: Mutex<Option<Error>>,
    /// What the cluster said when it was last asked where the queue manager is, if it was nowhere.
    pub(super) absent: Mutex<Option<Error>>,
    /// Whether the present connection has answered anything.
    pub(super) progress: AtomicBool,
}

/// What the lock guards.
#[derive(Default)]
pub(super) struct State {
    pub(super) window: Window,
    pub(super) line: Option<Arc<Line>>,
    out: Vec<u8>,
    written: usize,
    /// Somebody reads.
    pub(super) reading: bool,
    /// Who waits for a reply and does not read.
    waiters: Vec<Arc<Slot>>,
    /// How many wait for room.
    crowd: usize,
    /// The keeper looks again within a millisecond.
    pub(super) attentive: bool,
    /// When something was last heard.
    pub(super) heard: Moment,
    /// When something was last written.
    wrote: Moment,
    /// When the first request that is not written yet was submitted.
    first_unsent: Moment,
}

/// Whether a request has time until another one follows: nothing is waited for before its transaction's end.
const fn is_patient(request: &Request) -> bool {
    matches!(
        request,
        Request::Begin { .. }
            | Request::Send {
                transaction: Transaction::In(_),
                ..
            }
    )
}

impl State {
    /// Writes what is unsent, as much as fits now.
    pub(super) fn flush(&mut self, now: Moment) -> Result<Vec<Finished>> {
        let mut finished = Vec::new();
        self.wrote = now;
        let Some(line) = self.line.clone() else {
            return Ok(finished);
        };
        loop {
            if self.written == self.out.len() {
                self.out.clear();
                self.out.shrink_to(2 * WRITE_BYTES_MAX);
                self.written = 0;
                finished.extend(
                    self.window
                        .encode_unsent(&mut self.out, WRITE_BYTES_MAX, now),
                );
            }
            let rest = &self.out[self.written..];
            if rest.is_empty() {
                return Ok(finished);
            }
            match line.stream.write(rest) {
                Ok(0) => return Ok(finished),
                Ok(count) => self.written += count,
                Err(e) => return Err(Error::system("write to the queue manager", &e)),
            }
        }
    }

    /// Whether what was submitted goes out now, without waiting for more.
    fn is_due(&self, now: Moment) -> bool {
        let since = match self.window.outstanding() {
            ..=1 => return true,
            2..=ALONE_MAX => self.wrote,
            _ => self.first_unsent,
        };
        now.saturating_sub(since) >= WRITE_EVERY
    }

    /// Whether bytes wait that did not fit.
    pub(super) fn is_blocked(&self) -> bool {
        self.written < self.out.len()
    }

    /// Asks the other side whether it lives.
    pub(super) fn ping(&mut self) -> Result<()> {
        append(&mut self.out, Kind::Ping, 0, |_| Ok(()))
    }
}

impl Link {
    pub(super) fn new(options: SessionOptions) -> Self {
        let state = State {
            window: Window::new(),
            ..State::default()
        };
        Self {
            client: Uuid::new_v4(),
            began: Instant::now(),
            state: Mutex::new(state),
            room: Condvar::new(),
            keeper: Notify::new(),
            closed: AtomicBool::new(false),
            address: Mutex::new(options.address.clone()),
            locating: AtomicBool::new(false),
            doubting: AtomicBool::new(false),
            last_error: Mutex::new(None),
            absent: Mutex::new(None),
            progress: AtomicBool::new(false),
            options,
        }
    }

    /// Takes a request; blocks while there is no room for it.
    pub(super) fn submit(&self, request: Request, slot: &Arc<Slot>) {
        let mut state = self.wait_for_room(&request);
        if self.is_closed() {
            drop(state);
            slot.fill(Err(closed()));
            return;
        }
        let patient = is_patient(&request);
        let now = self.now();
        if !state.window.has_unsent() {
            state.first_unsent = now;
        }
        if let Some((slot, outcome)) = state.window.push(request, Arc::clone(slot), now) {
            drop(state);
            slot.fill(outcome);
            return;
        }
        if state.line.is_none() {
            drop(state);
            self.keeper.notify_one();
        } else if state.window.unsent_bytes() >= ENOUGH_BYTES || !patient && state.is_due(now) {
            drop(self.flush(state));
        } else if !patient {
            // More may follow at once.
            self.make_attentive(state);
        }
    }

    /// Waits for the outcome of a request, and does what is to do meanwhile.
    pub(super) fn wait(&self, slot: &Arc<Slot>) -> Result<Reply> {
        loop {
            if let Some(outcome) = slot.take() {
                return outcome;
            }
            let mut state = self.flush(self.lock());
            if slot.is_filled() {
                continue;
            }
            if state.line.is_some() && !state.reading {
                self.read_until(state, || slot.is_filled());
            } else {
                state.waiters.push(Arc::clone(slot));
                drop(state);
                if slot.register() {
                    std::thread::park();
                }
                let mut state = self.lock();
                state.waiters.retain(|waiter| !Arc::ptr_eq(waiter, slot));
                if slot.is_filled() {
                    // It may have been told to read.
                    self.pass_on(state);
                }
            }
        }
    }

    fn wait_for_room(&self, request: &Request) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while !state.window.has_room(request) && !self.is_closed() {
            state = self.flush(state);
            if state.line.is_some() && !state.reading {
                self.read_until(state, || self.lock().window.has_room(request));
                state = self.lock();
            } else {
                state.crowd += 1;
                state = match self.room.wait_timeout(state, ROOM_WAIT) {
                    Ok((state, _)) => state,
                    Err(poisoned) => poisoned.into_inner().0,
                };
                state.crowd -= 1;
            }
        }
        state
    }

    /// Becomes the reader until `done`, or until the connection is lost.
    fn read_until(&self, mut state: MutexGuard<'_, State>, done: impl Fn() -> bool) {
        let Some(line) = state.line.clone() else {
            return;
        };
        state.reading = true;
        drop(state);
        let outcome = self.read(&line, &done);
        let mut state = self.lock();
        state.reading = false;
        match outcome {
            Ok(()) => self.pass_on(state),
            Err(error) => self.lose(state, &line, error),
        }
    }

    fn read(&self, line: &Line, done: &impl Fn() -> bool) -> Result<()> {
        let mut inbox = lock(&line.inbox);
        let under_way = self.lock().window.outstanding();
        let mut spin = Spin::begin(under_way);
        // Who does not spin sleeps first: the reply to what was just written cannot be there yet.
        let mut look = spin.is_on() || under_way != 1;
        while !done() {
            if look && self.read_once(line, &mut inbox)? {
                continue;
            }
            look = true;
            if done() || spin.again() {
                continue;
            }
            let blocked = self.lock().is_blocked();
            line.sleep(blocked, TICK)?;
            if blocked {
                drop(self.flush(self.lock()));
            }
        }
        Ok(())
    }

    /// Reads what is there now, if nobody else does: for the keeper. Whether anything was.
    pub(super) fn read_what_is_there(&self) -> bool {
        let mut state = self.lock();
        let Some(line) = state.line.clone().filter(|_| !state.reading) else {
            return false;
        };
        state.reading = true;
        drop(state);
        let mut inbox = lock(&line.inbox);
        let outcome = self.read_once(&line, &mut inbox);
        drop(inbox);
        let mut state = self.lock();
        state.reading = false;
        match outcome {
            Ok(any) => {
                self.pass_on(state);
                any
            }
            Err(error) => {
                self.lose(state, &line, error);
                false
            }
        }
    }

    /// Reads once, and hands out all replies that have come; whether anything came.
    fn read_once(&self, line: &Line, inbox: &mut Inbox) -> Result<bool> {
        let filled = inbox.frames.fill(&line.stream, &mut inbox.scratch);
        match filled.map_err(|e| Error::system("read from the queue manager", &e))? {
            Filled::Nothing => Ok(false),
            Filled::End => Err(lost("the queue manager closed the connection")),
            Filled::Bytes(_) => self.take_replies(inbox).map(|()| true),
        }
    }

    fn take_replies(&self, inbox: &mut Inbox) -> Result<()> {
        let now = self.now();
        let mut finished: Vec<Finished> = Vec::new();
        let mut state = self.lock();
        state.heard = now;
        let mut outcome = Ok(());
        while outcome.is_ok() {
            outcome = match inbox.frames.next_frame() {
                Ok(None) => break,
                Err(error) => Err(error.into()),
                Ok(Some((frame, whole))) => match frame.kind {
                    Kind::Pong => Ok(()),
                    Kind::Refused => {
                        Err(read_postcard("refusal", frame.payload).unwrap_or_else(|e| e))
                    }
                    Kind::Reply | Kind::Sent | Kind::Messages => read_replies(&frame, whole)
                        .and_then(|replies| answer(&mut state.window, replies, now, &mut finished)),
                    other => Err(lost(&format!("the queue manager sent {other:?}"))),
                },
            };
        }
        if cfg!(debug_assertions) {
            state.window.check_invariants();
        }
        if !finished.is_empty() {
            self.progress.store(true, Ordering::Release);
        }
        let more = state.window.has_unsent() && !state.is_blocked();
        let crowd = state.crowd > 0;
        if outcome.is_ok() && more {
            outcome = state.flush(now).map(|failed| finished.extend(failed));
        }
        drop(state);
        deliver(finished);
        if crowd {
            self.room.notify_all();
        }
        outcome
    }

    /// Writes what is unsent.
    fn flush<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if state.line.is_none() || !(state.window.has_unsent() || state.is_blocked()) {
            return state;
        }
        match state.flush(self.now()) {
            Ok(finished) if finished.is_empty() => state,
            Ok(finished) => {
                drop(state);
                deliver(finished);
                self.lock()
            }
            Err(error) => {
                if let Some(line) = state.line.clone() {
                    self.lose(state, &line, error);
                    return self.lock();
                }
                state
            }
        }
    }

    /// Writes what is unsent: for the keeper.
    pub(super) fn flush_now(&self) {
        drop(self.flush(self.lock()));
    }

    /// The reader has read what it wanted: somebody else must go on, if there is anything to read.
    fn pass_on(&self, mut state: MutexGuard<'_, State>) {
        if state.reading || state.line.is_none() {
            return;
        }
        if let Some(next) = state.waiters.pop() {
            drop(state);
            next.wake();
        } else if state.crowd > 0 {
            drop(state);
            self.room.notify_all();
        } else if !state.window.is_empty() {
            self.make_attentive(state);
        }
    }

    fn make_attentive(&self, mut state: MutexGuard<'_, State>) {
        if !std::mem::replace(&mut state.attentive, true) {
            drop(state);
            self.keeper.notify_one();
        }
    }

    /// A connection is ready for use.
    pub(super) fn install(&self, (stream, epoch): (Stream, u64)) -> Result<()> {
        let line = Arc::new(Line::new(stream, epoch)?);
        self.progress.store(false, Ordering::Release);
        let mut state = self.lock();
        state.line = Some(line);
        state.heard = self.now();
        let state = self.flush(state);
        self.pass_on(state);
        self.room.notify_all();
        Ok(())
    }

    /// A connection is lost, if it is still the present one.
    pub(super) fn lose(&self, mut state: MutexGuard<'_, State>, line: &Arc<Line>, error: Error) {
        if !state
            .line
            .as_ref()
            .is_some_and(|present| Arc::ptr_eq(present, line))
        {
            // Another one may be there already, which nobody could read from as long as this one was read.
            self.pass_on(state);
            return;
        }
        state.line = None;
        state.out = Vec::new();
        state.written = 0;
        let finished = state.window.lost();
        drop(state);
        self.note(error);
        // Who still reads from it notices.
        line.stream.shut_down();
        line.waker.wake();
        self.hand_out(finished);
        self.keeper.notify_one();
    }

    /// The present connection is lost, says the keeper.
    pub(super) fn lose_present(&self, error: Error) {
        let line = self.lock().line.clone();
        if let Some(line) = line {
            self.lose_line(&line, error);
        }
    }

    /// This connection is lost, if it is still the present one.
    pub(super) fn lose_line(&self, line: &Arc<Line>, error: Error) {
        self.lose(self.lock(), line, error);
    }

    pub(super) fn is_present(&self, line: &Arc<Line>) -> bool {
        let state = self.lock();
        let present = state.line.as_ref();
        present.is_some_and(|present| Arc::ptr_eq(present, line)) && !self.is_closed()
    }

    /// Ends all calls that are waiting.
    pub(super) fn cancel(&self) {
        let now = self.now();
        self.finish(|window| window.cancel(now));
    }

    /// The outcome of this number is not needed any more.
    pub(super) fn release(&self, number: u64) {
        self.lock().window.release(number);
    }

    /// Ends the session and its keeper.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.lose_present(closed());
        self.finish(|window| window.fail_all(&closed()));
        self.room.notify_all();
        self.keeper.notify_one();
    }

    /// Changes the window and hands out what is finished by that.
    pub(super) fn finish(&self, change: impl FnOnce(&mut Window) -> Vec<Finished>) {
        let mut state = self.lock();
        let finished = change(&mut state.window);
        if !finished.is_empty()
            && state.reading
            && let Some(line) = &state.line
        {
            line.waker.wake();
        }
        drop(state);
        self.hand_out(finished);
    }

    fn hand_out(&self, finished: Vec<Finished>) {
        if !finished.is_empty() {
            deliver(finished);
            self.room.notify_all();
        }
    }

    /// Remembers why the last connection or attempt failed.
    pub(super) fn note(&self, error: Error) {
        *lock(&self.last_error) = Some(error);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn now(&self) -> Moment {
        self.began.elapsed()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// Hands replies to the window; an error when the queue manager is no longer one.
fn answer(
    window: &mut Window,
    replies: Replies,
    now: Moment,
    finished: &mut Vec<Finished>,
) -> Result<()> {
    match replies {
        Replies::One(number, reply) => {
            let (verdict, done) = window.answer(number, reply, now);
            finished.extend(done);
            match verdict {
                Verdict::Fine => Ok(()),
                Verdict::Leave(error) => Err(error),
            }
        }
        Replies::Sent(run) => {
            // No more than were asked for, whatever the frame claims.
            for (number, reply) in run.replies().take(window.outstanding()) {
                finished.extend(window.answer(number, Ok(reply), now).1);
            }
            Ok(())
        }
    }
}

fn deliver(finished: impl IntoIterator<Item = Finished>) {
    for (slot, outcome) in finished {
        slot.fill(outcome);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
