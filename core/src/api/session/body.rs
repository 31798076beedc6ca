//! Large bodies: sent and read in parts, a few of them under way at a time.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::{Held, Session, Ticket};
use crate::error::{Error, ErrorKind, Result};
use crate::queue::message::{LARGE_BODY_BYTES_MAX, Message};
use crate::queue::request::{BodyId, BodySource, Reply, Request, Transaction};

/// Bytes of one part.
const PART_BYTES: usize = 1024 * 1024;
/// Parts under way.
const PARTS_MAX: usize = 4;

impl Session {
    /// Sends a message whose body is read from `body` until its end, up to 1 GiB. The body of `message` itself stays empty.
    ///
    /// # Errors
    /// Those of the reader; `IllegalPropertyValue` for a body that is too large; as [`Session::call`].
    pub fn send_large(
        &self,
        queue: &str,
        message: &Message,
        body: &mut dyn Read,
        transaction: Transaction,
    ) -> Result<Reply> {
        let id = self.new_body();
        let sent = self.write_parts(id, body).and_then(|()| {
            self.call(Request::Send {
                queue: queue.to_owned(),
                message: message.encode(),
                transaction,
                body: Some(id),
            })
        });
        if sent.is_err() {
            // Nobody will send it any more. Whether that is heard of in time only saves room.
            drop(self.submit(give_up(id)));
        }
        sent
    }

    /// Writes all of a body, a few parts ahead. What is written stays written when the queue manager fails over.
    fn write_parts(&self, id: BodyId, body: &mut dyn Read) -> Result<()> {
        let mut tickets: VecDeque<Ticket> = VecDeque::new();
        let mut offset = 0;
        loop {
            let bytes = part(body)?;
            if bytes.is_empty() {
                break;
            }
            let part = WrittenPart { body: id, offset };
            offset += bytes.len() as u64;
            tickets.push_back(self.submit(part.request(bytes)?));
            if tickets.len() > PARTS_MAX
                && let Some(oldest) = tickets.pop_front()
            {
                oldest.wait()?;
            }
        }
        tickets
            .into_iter()
            .try_for_each(|ticket| ticket.wait().map(drop))
    }

    /// Reads the body, of so many bytes, of a message that was received and is held.
    #[must_use]
    pub fn read_body(&self, held: Held, bytes: u64) -> BodyReader {
        let source = BodySource::Received(held.sequence());
        BodyReader::new(self.clone(), source, bytes, Some(held))
    }

    /// Reads the body, of so many bytes, of a message that is in a queue.
    #[must_use]
    pub fn read_body_of(&self, queue: &str, lookup_id: u64, bytes: u64) -> BodyReader {
        let source = BodySource::Message {
            queue: queue.to_owned(),
            lookup_id,
        };
        BodyReader::new(self.clone(), source, bytes, None)
    }
}

/// Where a part of a body belongs.
#[derive(Clone, Copy, Debug)]
pub struct WrittenPart {
    /// The body.
    pub body: BodyId,
    /// How much of it is before this part.
    pub offset: u64,
}

impl WrittenPart {
    /// The request that writes `bytes` there.
    ///
    /// # Errors
    /// `IllegalPropertyValue` for a body that becomes too large.
    pub fn request(self, bytes: Vec<u8>) -> Result<Request> {
        if self.offset + bytes.len() as u64 > LARGE_BODY_BYTES_MAX {
            return Err(too_large());
        }
        Ok(Request::WriteBody {
            body: self.body,
            offset: self.offset,
            bytes,
        })
    }
}

/// The request that drops what was written of a body.
#[must_use]
pub const fn give_up(body: BodyId) -> Request {
    Request::WriteBody {
        body,
        offset: 0,
        bytes: Vec::new(),
    }
}

/// Reads a large body from beginning to end; the next parts are on their way meanwhile.
#[derive(Debug)]
pub struct BodyReader {
    session: Session,
    source: BodySource,
    bytes: u64,
    asked: u64,
    ahead: VecDeque<(Ticket, usize)>,
    part: Vec<u8>,
    taken: usize,
    /// Last, so that the outcome is kept until no part is under way.
    _held: Option<Held>,
}

impl BodyReader {
    const fn new(session: Session, source: BodySource, bytes: u64, held: Option<Held>) -> Self {
        Self {
            session,
            source,
            bytes,
            asked: 0,
            ahead: VecDeque::new(),
            part: Vec::new(),
            taken: 0,
            _held: held,
        }
    }

    fn ask(&mut self) {
        while self.ahead.len() < PARTS_MAX && self.asked < self.bytes {
            let rest = usize::try_from(self.bytes - self.asked).unwrap_or(usize::MAX);
            let length = rest.min(PART_BYTES);
            let ticket = self.session.submit(Request::ReadBody {
                source: self.source.clone(),
                offset: self.asked,
                length: u32::try_from(length).unwrap_or(u32::MAX),
            });
            self.asked += length as u64;
            self.ahead.push_back((ticket, length));
        }
    }

    /// The next part; empty at the end.
    fn next_part(&mut self) -> Result<Vec<u8>> {
        self.ask();
        let Some((ticket, length)) = self.ahead.pop_front() else {
            return Ok(Vec::new());
        };
        match ticket.wait()? {
            Reply::Bytes(bytes) if bytes.len() == length => Ok(bytes),
            Reply::Bytes(bytes) => Err(Error::new(
                ErrorKind::StoreDamaged,
                format!("a part of a body has {} bytes, not {length}", bytes.len()),
            )
            .hint("the message says that its body is longer than it is; hamq store check looks closer")),
            other => Err(Error::new(
                ErrorKind::Internal,
                format!("a body was asked for, and {other:?} came"),
            )),
        }
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.part.len() {
            self.part = self.next_part().map_err(io::Error::other)?;
            self.taken = 0;
        }
        let rest = &self.part[self.taken..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

/// The next part of what is sent, full unless it is the last.
fn part(body: &mut dyn Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(PART_BYTES);
    body.take(PART_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::system("read the body that is sent", &e))?;
    Ok(bytes)
}

fn too_large() -> Error {
    Error::new(
        ErrorKind::IllegalPropertyValue,
        format!("the body has more than {LARGE_BODY_BYTES_MAX} bytes"),
    )
    .hint("send it as several messages")
}
