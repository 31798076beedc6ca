//! Replies with a frame of their own. Encoding and decoding side by side.

use bytes::Bytes;

use super::why;
use crate::api::wire::frame::{Frame, Kind, append, append_with};
use crate::api::wire::payload::unreadable;
use crate::error::Result;
use crate::queue::codec::{Decoder, Encoder};
use crate::queue::encoded::Encoded;
use crate::queue::message::{Delivery, LeaseId, MessageId, Received, SentIn};
use crate::queue::request::Reply;

/// A message shorter than this part of the bytes it came in is copied out of them: a reader who keeps it must not keep
/// all the others.
const SHARE_PART_MIN: usize = 4;

/// The reply Sent to requests whose numbers follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentRun {
    /// The number of the first.
    pub sequence: u64,
    /// How many.
    pub count: u32,
    /// The id of the first.
    pub id: MessageId,
    /// The place of the first.
    pub lookup_id: u64,
    /// Ids and places rise by one each, as they do in a queue; in a transaction none has one yet.
    pub rises: bool,
}

impl SentRun {
    /// One alone.
    #[must_use]
    pub const fn one(sequence: u64, id: MessageId, lookup_id: u64) -> Self {
        Self {
            sequence,
            count: 1,
            id,
            lookup_id,
            rises: lookup_id != 0,
        }
    }

    /// Takes the next in; `false` if it does not follow.
    pub fn extend(&mut self, next: Self) -> bool {
        let ahead = if self.rises { self.count } else { 0 };
        let follows = self.sequence.checked_add(self.count.into()) == Some(next.sequence)
            && self.rises == next.rises
            && self.id.manager == next.id.manager
            && self.id.ordinal.checked_add(ahead) == Some(next.id.ordinal)
            && self.lookup_id.checked_add(ahead.into()) == Some(next.lookup_id)
            && self.count < u32::MAX;
        if follows {
            self.count += 1;
        }
        follows
    }

    /// Each request's number with its reply.
    pub fn replies(self) -> impl Iterator<Item = (u64, Reply)> {
        (0..self.count).map(move |index| {
            let ahead = if self.rises { index } else { 0 };
            let id = MessageId {
                manager: self.id.manager,
                ordinal: self.id.ordinal.wrapping_add(ahead),
            };
            let lookup_id = self.lookup_id.wrapping_add(ahead.into());
            let sequence = self.sequence.wrapping_add(index.into());
            (sequence, Reply::Sent { id, lookup_id })
        })
    }
}

/// Appends a Sent frame.
///
/// # Errors
/// Never in practice: it is short.
pub fn append_sent(out: &mut Vec<u8>, run: &SentRun) -> Result<()> {
    append(out, Kind::Sent, run.sequence, |out| {
        let mut to = Encoder(out);
        to.varint(run.count.into());
        to.u8(run.rises.into());
        to.id(run.id);
        to.u64(run.lookup_id);
        Ok(())
    })
}

/// Reads a Sent frame. The count is whatever the other side wrote: no allocation may depend on it.
///
/// # Errors
/// When it is none.
pub fn read_sent(frame: &Frame<'_>) -> Result<SentRun> {
    let read = |mut from: Decoder<'_>| {
        let run = SentRun {
            sequence: frame.correlation,
            count: from.varint32()?,
            rises: from.bool()?,
            id: from.id()?,
            lookup_id: from.u64()?,
        };
        from.end().map(|()| run)
    };
    read(Decoder::new(frame.payload)).map_err(|e| why("reply", &e))
}

/// Appends a Messages frame: for the reply Message (`single`) or Messages.
///
/// # Errors
/// When it does not fit.
pub fn append_messages(
    out: &mut Vec<u8>,
    sequence: u64,
    single: bool,
    all: &[Received],
) -> Result<()> {
    let payload = |out: &mut Vec<u8>| {
        let mut to = Encoder(out);
        to.u8(single.into());
        to.count(all.len());
        for received in all {
            put_received(&mut to, received);
        }
        Ok(())
    };
    let content = |out: &mut Vec<u8>| {
        out.reserve(all.iter().map(|received| received.content.len()).sum());
        for received in all {
            out.extend_from_slice(received.content.as_bytes());
        }
    };
    append_with(out, Kind::Messages, sequence, payload, content)
}

const RECOVERABLE: u8 = 1;
const SENDER: u8 = 2;
const DESTINATION: u8 = 4;
const MOVED: u8 = 8;
const TRANSACTION: u8 = 16;
const LEASE: u8 = 32;
const FIRST: u8 = 64;
const LAST: u8 = 128;
/// Least bytes of one message's head.
const RECEIVED_BYTES_MIN: usize = 1 + 20 + 8 + 5;

fn put_received(to: &mut Encoder<'_>, received: &Received) {
    let moved = (received.abort_count, received.move_count) != (0, 0) || received.last_move_ms != 0;
    let sent_in = received.transaction;
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    to.u8(
        flag(received.delivery == Delivery::Recoverable, RECOVERABLE)
            | flag(!received.sender.is_empty(), SENDER)
            | flag(!received.destination.is_empty(), DESTINATION)
            | flag(moved, MOVED)
            | flag(sent_in.is_some(), TRANSACTION)
            | flag(received.lease.is_some(), LEASE)
            | flag(sent_in.is_some_and(|sent| sent.first), FIRST)
            | flag(sent_in.is_some_and(|sent| sent.last), LAST),
    );
    to.id(received.id);
    to.u64(received.lookup_id);
    to.varint(received.sent_ms);
    to.varint(received.arrived_ms);
    to.varint(received.class.into());
    to.varint(received.body_bytes);
    to.count(received.content.len());
    if !received.sender.is_empty() {
        to.text(&received.sender);
    }
    if !received.destination.is_empty() {
        to.text(&received.destination);
    }
    if moved {
        to.varint(received.abort_count.into());
        to.varint(received.move_count.into());
        to.varint(received.last_move_ms);
    }
    if let Some(sent) = sent_in {
        to.varint(sent.transaction);
    }
    if let Some(lease) = received.lease {
        to.u64(lease.lookup_id);
        to.varint(lease.delivery.into());
    }
}

/// Reads a Messages frame; every message is checked by its own checksum. `whole` are the bytes that the frame lies in.
///
/// # Errors
/// When it is none; the outcome itself is the inner result: an error when a message was damaged on its way.
pub fn read_messages(frame: &Frame<'_>, whole: &Bytes) -> Result<Result<Reply>> {
    let mut from = Decoder::new(frame.payload);
    let mut content = frame.content;
    let mut read = || {
        let single = from.bool()?;
        let count = from.count(RECEIVED_BYTES_MIN)?;
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(received(&mut from, &mut content, whole)?);
        }
        from.end()?;
        Ok((single, all))
    };
    let (single, mut all) = read().map_err(|e| why("reply", &e))?;
    if !content.is_empty() || single && all.len() != 1 {
        return Err(unreadable(
            "reply",
            "its messages are not those of its head",
        ));
    }
    if let Some(error) = all.iter().find_map(|one| one.content.verify().err()) {
        return Ok(Err(error));
    }
    Ok(Ok(match single.then(|| all.pop()).flatten() {
        Some(one) => Reply::Message(Box::new(one)),
        None => Reply::Messages(all),
    }))
}

fn received(from: &mut Decoder<'_>, content: &mut &[u8], whole: &Bytes) -> Result<Received> {
    let flags = from.u8()?;
    let has = |bit: u8| flags & bit != 0;
    let id = from.id()?;
    let lookup_id = from.u64()?;
    let (sent_ms, arrived_ms) = (from.varint()?, from.varint()?);
    let (class, body_bytes) = (from.varint16()?, from.varint()?);
    let length = usize::try_from(from.varint()?).unwrap_or(usize::MAX);
    let (own, rest) = content
        .split_at_checked(length)
        .ok_or_else(|| unreadable("reply", "a message is longer than its frame"))?;
    *content = rest;
    let text = |from: &mut Decoder<'_>, bit| {
        if has(bit) {
            from.text()
        } else {
            Ok(String::new())
        }
    };
    let (sender, destination) = (text(from, SENDER)?, text(from, DESTINATION)?);
    let (abort_count, move_count, last_move_ms) = match has(MOVED) {
        true => (from.varint32()?, from.varint32()?, from.varint()?),
        false => (0, 0, 0),
    };
    let transaction = match has(TRANSACTION) {
        true => Some(SentIn {
            transaction: from.varint()?,
            first: has(FIRST),
            last: has(LAST),
        }),
        false => None,
    };
    let lease = match has(LEASE) {
        true => Some(LeaseId {
            lookup_id: from.u64()?,
            delivery: from.varint32()?,
        }),
        false => None,
    };
    Ok(Received {
        content: Encoded::trusted(share(own, whole)),
        id,
        lookup_id,
        sent_ms,
        arrived_ms,
        delivery: if has(RECOVERABLE) {
            Delivery::Recoverable
        } else {
            Delivery::Express
        },
        class,
        sender,
        destination,
        abort_count,
        move_count,
        last_move_ms,
        transaction,
        body_bytes,
        lease,
    })
}

/// The bytes of `own`, which lie in `whole`.
fn share(own: &[u8], whole: &Bytes) -> Bytes {
    if own.len() * SHARE_PART_MIN < whole.len() {
        Bytes::copy_from_slice(own)
    } else {
        whole.slice_ref(own)
    }
}
