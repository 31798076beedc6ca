//! How much may be under way: of one connection, and of all together.
//!
//! Every request costs the bytes it came in plus the bytes that its reply is expected to have, until the reply is
//! appended to the connection's outgoing bytes, which are bounded too.

use std::time::Duration;

use crate::queue::request::{Reply, Request};

/// Bounds of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time.
    pub connections_max: usize,
    /// Requests of one connection under way; a client's own window is half of it.
    pub requests_max: usize,
    /// Bytes of one connection under way.
    pub bytes_max: usize,
    /// Bytes of all connections under way.
    pub total_bytes_max: usize,
    /// Bytes that wait to be written to one connection before no more is read from it.
    pub out_bytes_max: usize,
    /// Bytes read from one connection before the others have their turn.
    pub turn_bytes_max: usize,
    /// How long a client may take for its Hello.
    pub hello_timeout: Duration,
    /// How long a client may be silent: clients that live send a Ping every few seconds.
    pub silence_max: Duration,
    /// How long a client may not take what is written to it.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 16_384,
            requests_max: 8192,
            bytes_max: 64 * 1024 * 1024,
            total_bytes_max: 512 * 1024 * 1024,
            out_bytes_max: 4 * 1024 * 1024,
            turn_bytes_max: 1024 * 1024,
            hello_timeout: Duration::from_secs(2),
            silence_max: Duration::from_secs(20),
            write_timeout: Duration::from_secs(10),
        }
    }
}

/// Most messages that one request gets, so that they fit into one frame with all their properties.
const COUNT_MAX: u32 = 4096;
/// Most bytes beyond the first message that one request gets.
const MANY_BYTES_MAX: u32 = 2 * 1024 * 1024;
/// What a message is taken for until one was seen: a burst of receives must not ask for more than there is memory.
const MESSAGE_BYTES_FIRST_GUESS: usize = 1024 * 1024;
/// What any other reply is taken for.
const REPLY_BYTES: usize = 256;

/// Brings what a request asks for within the bounds of one frame. Getting less than one asked for is part of the
/// request's meaning.
pub(super) fn clamp(request: &mut Request) {
    if let Request::ReceiveMany {
        count_max,
        bytes_max,
        ..
    } = request
    {
        *count_max = (*count_max).min(COUNT_MAX);
        *bytes_max = (*bytes_max).min(MANY_BYTES_MAX);
    }
    if let Request::ReadBody { length, .. } = request {
        *length = (*length).min(2 * MANY_BYTES_MAX);
    }
}

/// What is under way of all connections.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) limits: Limits,
    bytes: usize,
    /// Requests that ever came in.
    admitted: u64,
}

impl Flow {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: 0,
            admitted: 0,
        }
    }

    /// How many requests ever came in.
    pub(super) const fn admitted(&self) -> u64 {
        self.admitted
    }

    fn has_room(&self) -> bool {
        self.bytes < self.limits.total_bytes_max
    }
}

/// What is under way of one connection. Invariant: no requests, no bytes.
#[derive(Debug)]
pub(super) struct Share {
    requests: usize,
    bytes: usize,
    message_bytes: usize,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            requests: 0,
            bytes: 0,
            message_bytes: MESSAGE_BYTES_FIRST_GUESS,
        }
    }
}

impl Share {
    /// Whether another request may come in, when so many bytes wait to be written.
    pub(super) fn has_room(&self, flow: &Flow, outgoing: usize) -> bool {
        let limits = &flow.limits;
        self.requests < limits.requests_max
            && self.bytes < limits.bytes_max
            && outgoing < limits.out_bytes_max
            && (flow.has_room() || self.requests == 0)
    }

    /// A request came in with so many bytes.
    pub(super) fn admit(&mut self, flow: &mut Flow, bytes: usize, request: &Request) {
        let cost = bytes + self.expected(request);
        self.requests += 1;
        self.bytes += cost;
        flow.bytes += cost;
        flow.admitted += 1;
    }

    /// The reply of an admitted request is there. Each is taken for an equal part of what is under way, so that no table of
    /// costs is needed and nothing is left when the last one is answered.
    pub(super) fn release(&mut self, flow: &mut Flow, reply: Option<&Reply>) {
        if let Some(seen) = reply.and_then(message_bytes) {
            // Falls slowly, so that one small message between large ones does not open the gates.
            self.message_bytes = seen.max(self.message_bytes - self.message_bytes / 8);
        }
        if let Some(part) = self.bytes.checked_div(self.requests) {
            self.requests -= 1;
            self.bytes -= part;
            flow.bytes -= part;
        }
    }

    /// The connection ends, with all that is under way.
    pub(super) fn end(&mut self, flow: &mut Flow) {
        flow.bytes -= self.bytes;
        *self = Self::default();
    }

    fn expected(&self, request: &Request) -> usize {
        match request {
            Request::Receive { .. } => self.message_bytes,
            Request::ReceiveMany { bytes_max, .. } | Request::ListDelayed { bytes_max, .. } => {
                self.message_bytes + *bytes_max as usize
            }
            Request::ReadBody { length, .. } => *length as usize,
            _ => REPLY_BYTES,
        }
    }
}

fn message_bytes(reply: &Reply) -> Option<usize> {
    match reply {
        Reply::Message(one) => Some(REPLY_BYTES + one.content.len()),
        Reply::Messages(all) => all.iter().map(|one| REPLY_BYTES + one.content.len()).max(),
        Reply::Delayed(all) => {
            let bytes = all
                .iter()
                .map(|one| REPLY_BYTES + one.message.content.len());
            bytes.max()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(total_bytes_max: usize) -> Flow {
        Flow::new(Limits {
            requests_max: 3,
            bytes_max: 5_000,
            total_bytes_max,
            ..Limits::default()
        })
    }

    #[test]
    fn a_connection_has_room_until_its_requests_its_bytes_or_its_replies_are_too_many() {
        let (mut flow, mut share) = (flow(1_000_000), Share::default());
        for _ in 0..3 {
            assert!(share.has_room(&flow, 0));
            share.admit(&mut flow, 10, &Request::Counters);
        }
        assert!(!share.has_room(&flow, 0), "three are enough");
        share.release(&mut flow, None);
        assert!(share.has_room(&flow, 0));
        assert!(
            !share.has_room(&flow, flow.limits.out_bytes_max),
            "it does not read"
        );
        share.admit(&mut flow, 6_000, &Request::Counters);
        share.release(&mut flow, None);
        share.release(&mut flow, None);
        assert!(share.has_room(&flow, 0));
        share.release(&mut flow, None);
        assert_eq!((share.bytes, flow.bytes), (0, 0), "nothing is left over");
    }

    #[test]
    fn all_together_have_a_bound_but_each_may_ask_for_one_thing() {
        let (mut flow, mut first, mut second) = (flow(1_000), Share::default(), Share::default());
        first.admit(&mut flow, 2_000, &Request::Counters);
        assert!(!first.has_room(&flow, 0));
        assert!(second.has_room(&flow, 0), "nobody is locked out");
        second.admit(&mut flow, 10, &Request::Counters);
        assert!(!second.has_room(&flow, 0));
        first.end(&mut flow);
        assert!(first.has_room(&flow, 0) && second.has_room(&flow, 0));
    }
}
