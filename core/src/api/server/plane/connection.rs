//! One client's connection: what it may do next, what came in, what goes out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::connections::Key;
use super::flow::{Flow, Share, clamp};
use super::outgoing::Outgoing;
use crate::api::wire::payload::{read_postcard, read_request};
use crate::api::wire::{Frame, FrameBuffer, Hello, Kind};
use crate::error::{Error, ErrorKind, Result};
use crate::queue::access::Access;
use crate::queue::request::{Answer, Caller, Reply, Request, RequestId};
use crate::queue::serve::Serve;
use crate::sys::network::{Filled, Poller, Stream};

/// Where a connection is in its life.
#[derive(Debug)]
enum Phase {
    /// Its Hello has not come yet.
    Greeting,
    /// Requests come and go.
    Speaking(Caller),
    /// It was refused; it ends when that is written.
    Leaving,
}

/// What became of the frames that are here.
#[derive(Debug)]
pub(super) enum Taken {
    /// All were taken: more may be read.
    All,
    /// There is no room for more now.
    Full,
    /// The first one is here.
    Hello(Hello),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    phase: Phase,
    incoming: FrameBuffer,
    outgoing: Outgoing,
    share: Share,
    began: Duration,
    heard: Duration,
    /// It waits for room: nothing is read from it.
    held_back: bool,
    /// It has outgoing bytes and is on the list of those that will be written to.
    dirty: bool,
    /// What the poller watches it for: reading, writing.
    watched: (bool, bool),
    /// Who has proven to be at its other end, before it came here.
    guest: Option<Access>,
}

impl Connection {
    pub(super) fn new(stream: Stream, now: Duration) -> Self {
        Self {
            stream,
            phase: Phase::Greeting,
            incoming: FrameBuffer::default(),
            outgoing: Outgoing::default(),
            share: Share::default(),
            began: now,
            heard: now,
            held_back: false,
            dirty: false,
            watched: (true, false),
            guest: None,
        }
    }

    /// One of a client that has proven who it is.
    pub(super) fn of_guest(stream: Stream, access: Access, now: Duration) -> Self {
        Self {
            guest: Some(access),
            ..Self::new(stream, now)
        }
    }

    /// Who has proven to be there.
    pub(super) fn guest(&self) -> Option<&Access> {
        self.guest.as_ref()
    }

    /// Whether its other end is beyond a socket file.
    pub(super) const fn is_over_ip(&self) -> bool {
        self.guest.is_some() || matches!(self.stream, Stream::Tcp(_))
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(super) fn is_held_back(&self) -> bool {
        self.held_back
    }

    /// Reads once what is there.
    pub(super) fn fill(&mut self, scratch: &mut Vec<u8>, now: Duration) -> io::Result<Filled> {
        let filled = self.incoming.fill(&self.stream, scratch)?;
        if let Filled::Bytes(_) = filled {
            self.heard = now;
        }
        Ok(filled)
    }

    /// Takes the frames that are here, as long as there is room for requests.
    pub(super) fn take_frames(
        &mut self,
        key: Key,
        engine: &mut impl Serve,
        flow: &mut Flow,
    ) -> Result<Taken> {
        loop {
            if !self.share.has_room(flow, self.outgoing.waiting()) {
                self.held_back = true;
                return Ok(Taken::Full);
            }
            let Some((frame, whole)) = self.incoming.next_frame()? else {
                self.held_back = false;
                return Ok(Taken::All);
            };
            match (&self.phase, frame.kind) {
                (Phase::Greeting, Kind::Hello) => {
                    return read_postcard("hello", frame.payload).map(Taken::Hello);
                }
                (Phase::Speaking(_), Kind::Ping) => self.outgoing.pong(frame.correlation)?,
                (
                    Phase::Speaking(caller),
                    Kind::Request | Kind::Send | Kind::Receive | Kind::ReceiveMany,
                ) => {
                    let bytes = frame.payload.len() + frame.content.len();
                    let (acknowledged, mut request) = read_request(&frame, whole)?;
                    let sequence = frame.correlation;
                    if let Err(damaged) = verify(&request) {
                        self.outgoing.reply(sequence, &Err(damaged))?;
                        continue;
                    }
                    clamp(&mut request);
                    self.share.admit(flow, bytes, &request);
                    let id = RequestId {
                        client: caller.client,
                        sequence,
                        acknowledged,
                    };
                    let connection = key.bits();
                    let answer = Answer::Connection {
                        connection,
                        sequence,
                    };
                    engine.submit(caller, id, request, answer);
                }
                (Phase::Leaving, _) => return Ok(Taken::All),
                (_, _) => return Err(unexpected(&frame)),
            }
        }
    }

    /// The client said which it is, the system or a certificate which user; it is welcome.
    pub(super) fn welcome(
        &mut self,
        hello: &Hello,
        access: Access,
        name: &str,
        epoch: u64,
    ) -> Result<()> {
        debug_assert!(matches!(self.phase, Phase::Greeting), "{:?}", self.phase);
        self.outgoing.welcome(name, epoch)?;
        self.phase = Phase::Speaking(Caller {
            client: hello.client,
            access: Arc::new(access),
        });
        Ok(())
    }

    pub(super) const fn began(&self) -> Duration {
        self.began
    }

    /// The client is not welcome: it is told why, and nothing more is read.
    pub(super) fn refuse(&mut self, error: &Error) -> Result<()> {
        debug_assert!(matches!(self.phase, Phase::Greeting), "{:?}", self.phase);
        self.phase = Phase::Leaving;
        self.outgoing.refuse(error)
    }

    /// The reply to a request of this connection.
    pub(super) fn reply(
        &mut self,
        sequence: u64,
        reply: &Result<Reply>,
        flow: &mut Flow,
    ) -> Result<()> {
        self.share.release(flow, reply.as_ref().ok());
        self.outgoing.reply(sequence, reply)
    }

    /// Notes that there is something to write; whether that is news.
    pub(super) fn mark_dirty(&mut self) -> bool {
        !self.outgoing.is_empty() && !std::mem::replace(&mut self.dirty, true)
    }

    /// Writes what fits; whether the connection goes on.
    pub(super) fn write(&mut self, now: Duration) -> bool {
        self.dirty = false;
        let written = self.outgoing.write(&self.stream, now);
        let done = matches!(self.phase, Phase::Leaving) && self.outgoing.is_empty();
        written.is_ok() && !done
    }

    /// Has the poller watch for what is wanted now.
    pub(super) fn watch(&mut self, key: Key, poller: &Poller) -> io::Result<()> {
        let wanted = (!self.held_back, self.outgoing.waiting() > 0);
        if wanted != self.watched {
            poller.watch(&self.stream, key.bits(), wanted.0, wanted.1)?;
            self.watched = wanted;
        }
        Ok(())
    }

    /// Whether it has used up its time.
    pub(super) fn is_overdue(&self, flow: &Flow, now: Duration) -> bool {
        let limits = &flow.limits;
        let over = |since: Duration, limit: Duration| now.saturating_sub(since) > limit;
        let blocked = self.outgoing.blocked_since();
        let silent = match self.phase {
            Phase::Greeting | Phase::Leaving => over(self.began, limits.hello_timeout),
            // Who is held back cannot be heard.
            Phase::Speaking(_) => !self.held_back && over(self.heard, limits.silence_max),
        };
        silent || blocked.is_some_and(|since| over(since, limits.write_timeout))
    }

    /// Gives memory back that was not needed since the last call.
    pub(super) fn rest(&mut self) {
        self.outgoing.rest();
    }

    /// The connection ends.
    pub(super) fn end(mut self, flow: &mut Flow) -> Option<Caller> {
        self.share.end(flow);
        match self.phase {
            Phase::Speaking(caller) => Some(caller),
            Phase::Greeting | Phase::Leaving => None,
        }
    }
}

/// The message is checked where it comes in: what the sender made is what is stored.
fn verify(request: &Request) -> Result<()> {
    match request {
        Request::Send { message, .. } => message.verify(),
        _ => Ok(()),
    }
}

fn unexpected(frame: &Frame<'_>) -> Error {
    let text = format!("a client may not send {:?} here", frame.kind);
    Error::new(ErrorKind::InvalidRequest, text)
}
