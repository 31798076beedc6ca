//! The frames of the data plane that come by the hundred thousand, without a copy of a message more than needed:
//! Send, Receive, `ReceiveMany`, Sent, Messages. Encoding and decoding side by side.

use bytes::Bytes;

use super::frame::{Frame, Kind, append, append_with};
use super::payload::unreadable;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::codec::{Decoder, Encoder};
use crate::queue::encoded::Encoded;
use crate::queue::message::{Delivery, LeaseId, MessageId, Received, SentIn};
use crate::queue::request::{BodyId, Reply, Request, Select, Take, Transaction, TransactionId};

/// A message shorter than this part of the bytes it came in is copied out of them: a reader who keeps it must not keep
/// all the others.
const SHARE_PART_MIN: usize = 4;

/// Appends the frame of a request that has a kind of its own; `false` for any other.
///
/// # Errors
/// When it does not fit.
pub fn append_hot_request(
    out: &mut Vec<u8>,
    sequence: u64,
    acknowledged: u64,
    request: &Request,
) -> Result<bool> {
    let kind = match request {
        Request::Send { message, .. } => {
            let payload = |out: &mut Vec<u8>| put_request(out, acknowledged, request);
            let content = |out: &mut Vec<u8>| out.extend_from_slice(message.as_bytes());
            return append_with(out, Kind::Send, sequence, payload, content).map(|()| true);
        }
        Request::Receive { .. } => Kind::Receive,
        Request::ReceiveMany { .. } => Kind::ReceiveMany,
        _ => return Ok(false),
    };
    append(out, kind, sequence, |out| {
        put_request(out, acknowledged, request)
    })
    .map(|()| true)
}

fn put_request(out: &mut Vec<u8>, acknowledged: u64, request: &Request) -> Result<()> {
    let mut to = Encoder(out);
    to.varint(acknowledged);
    match request {
        Request::Send {
            queue,
            transaction,
            body,
            ..
        } => {
            put_transaction(&mut to, *transaction);
            match body {
                None => to.u8(0),
                Some(body) => {
                    to.u8(1);
                    to.varint(body.0);
                }
            }
            to.text(queue);
        }
        Request::Receive {
            queue,
            select,
            take,
            timeout_ms,
            transaction,
        } => {
            put_select(&mut to, *select);
            put_take(&mut to, *take);
            to.varint(*timeout_ms);
            put_transaction(&mut to, *transaction);
            to.text(queue);
        }
        Request::ReceiveMany {
            queue,
            after,
            take,
            count_max,
            bytes_max,
            timeout_ms,
            transaction,
        } => {
            to.u64(*after);
            put_take(&mut to, *take);
            to.varint(u64::from(*count_max));
            to.varint(u64::from(*bytes_max));
            to.varint(*timeout_ms);
            put_transaction(&mut to, *transaction);
            to.text(queue);
        }
        other => {
            let text = format!("{other:?} has no frame of its own");
            return Err(Error::new(ErrorKind::Internal, text));
        }
    }
    Ok(())
}

/// Reads a Send: `acknowledged` and the request. `content` are the same bytes as the frame's, shared.
/// Whether the message's own checksum fits is for [`Encoded::verify`] to say.
///
/// # Errors
/// When it is none.
pub fn read_send(payload: &[u8], content: Bytes) -> Result<(u64, Request)> {
    let mut from = Decoder::new(payload);
    let read = |from: &mut Decoder<'_>| {
        let acknowledged = from.varint()?;
        let transaction = transaction(from)?;
        let body = match from.bool()? {
            false => None,
            true => Some(BodyId(from.varint()?)),
        };
        let queue = from.text()?;
        from.end()?;
        Ok((acknowledged, transaction, body, queue))
    };
    let (acknowledged, transaction, body, queue) = read(&mut from).map_err(|e| why("send", &e))?;
    let request = Request::Send {
        queue,
        message: Encoded::trusted(content),
        transaction,
        body,
    };
    Ok((acknowledged, request))
}

/// Reads a Receive.
///
/// # Errors
/// When it is none.
pub fn read_receive(payload: &[u8]) -> Result<(u64, Request)> {
    let read = |mut from: Decoder<'_>| {
        let acknowledged = from.varint()?;
        let select = select(&mut from)?;
        let take = take(&mut from)?;
        let timeout_ms = from.varint()?;
        let transaction = transaction(&mut from)?;
        let queue = from.text()?;
        from.end()?;
        let request = Request::Receive {
            queue,
            select,
            take,
            timeout_ms,
            transaction,
        };
        Ok((acknowledged, request))
    };
    read(Decoder::new(payload)).map_err(|e| why("receive", &e))
}

/// Reads a `ReceiveMany`.
///
/// # Errors
/// When it is none.
pub fn read_receive_many(payload: &[u8]) -> Result<(u64, Request)> {
    let read = |mut from: Decoder<'_>| {
        let acknowledged = from.varint()?;
        let after = from.u64()?;
        let take = take(&mut from)?;
        let count_max = from.varint32()?;
        let bytes_max = from.varint32()?;
        let timeout_ms = from.varint()?;
        let transaction = transaction(&mut from)?;
        let queue = from.text()?;
        from.end()?;
        let request = Request::ReceiveMany {
            queue,
            after,
            take,
            count_max,
            bytes_max,
            timeout_ms,
            transaction,
        };
        Ok((acknowledged, request))
    };
    read(Decoder::new(payload)).map_err(|e| why("receive", &e))
}

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

fn put_transaction(to: &mut Encoder<'_>, transaction: Transaction) {
    match transaction {
        Transaction::None => to.u8(0),
        Transaction::Single => to.u8(1),
        Transaction::In(id) => {
            to.u8(2);
            to.varint(id.0);
        }
    }
}

fn transaction(from: &mut Decoder<'_>) -> Result<Transaction> {
    match from.u8()? {
        0 => Ok(Transaction::None),
        1 => Ok(Transaction::Single),
        2 => Ok(Transaction::In(TransactionId(from.varint()?))),
        _ => Err(unreadable("request", "an unknown kind of transaction")),
    }
}

fn put_take(to: &mut Encoder<'_>, take: Take) {
    match take {
        Take::Peek => to.u8(0),
        Take::Remove => to.u8(1),
        Take::Lease(ms) => {
            to.u8(2);
            to.varint(ms.into());
        }
    }
}

fn take(from: &mut Decoder<'_>) -> Result<Take> {
    match from.u8()? {
        0 => Ok(Take::Peek),
        1 => Ok(Take::Remove),
        2 => Ok(Take::Lease(from.varint32()?)),
        _ => Err(unreadable("request", "an unknown way to take a message")),
    }
}

fn put_select(to: &mut Encoder<'_>, select: Select) {
    let mut place = |kind, lookup| {
        to.u8(kind);
        to.u64(lookup);
    };
    match select {
        Select::First => to.u8(0),
        Select::After(lookup) => place(1, lookup),
        Select::LookupId(lookup) => place(2, lookup),
        Select::Before(lookup) => place(3, lookup),
        Select::Last => to.u8(4),
        Select::Correlation(id) => {
            to.u8(5);
            to.id(id);
        }
        Select::Id(id) => {
            to.u8(6);
            to.id(id);
        }
    }
}

fn select(from: &mut Decoder<'_>) -> Result<Select> {
    Ok(match from.u8()? {
        0 => Select::First,
        1 => Select::After(from.u64()?),
        2 => Select::LookupId(from.u64()?),
        3 => Select::Before(from.u64()?),
        4 => Select::Last,
        5 => Select::Correlation(from.id()?),
        6 => Select::Id(from.id()?),
        _ => return Err(unreadable("request", "an unknown choice of a message")),
    })
}

/// The decoder speaks of the message store, whose code it shares.
fn why(what: &str, error: &Error) -> Error {
    let reason = error.message.rsplit(": ").next().unwrap_or_default();
    unreadable(what, reason)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::super::frame::parse;
    use super::super::payload::{
        Replies, append_reply, append_request, read_replies, read_request,
    };
    use super::*;
    use crate::queue::message::Message;

    fn ids() -> impl Strategy<Value = MessageId> {
        (any::<u128>(), any::<u32>()).prop_map(|(manager, ordinal)| MessageId {
            manager: Uuid::from_u128(manager),
            ordinal,
        })
    }

    fn transactions() -> impl Strategy<Value = Transaction> {
        prop_oneof![
            Just(Transaction::None),
            Just(Transaction::Single),
            any::<u64>().prop_map(|id| Transaction::In(TransactionId(id))),
        ]
    }

    fn takes() -> impl Strategy<Value = Take> {
        let lease = any::<u32>().prop_map(Take::Lease);
        prop_oneof![Just(Take::Peek), Just(Take::Remove), lease]
    }

    fn selects() -> impl Strategy<Value = Select> {
        prop_oneof![
            Just(Select::First),
            any::<u64>().prop_map(Select::After),
            any::<u64>().prop_map(Select::LookupId),
            any::<u64>().prop_map(Select::Before),
            Just(Select::Last),
            ids().prop_map(Select::Correlation),
            ids().prop_map(Select::Id),
        ]
    }

    fn requests() -> impl Strategy<Value = Request> {
        let send = (".*", any::<Vec<u8>>(), transactions(), any::<Option<u64>>());
        let receive = (".*", selects(), takes(), any::<u64>(), transactions());
        let many = (
            (".*", any::<u64>(), takes(), any::<u32>(), any::<u32>()),
            (any::<u64>(), transactions()),
        );
        prop_oneof![
            send.prop_map(|(queue, body, transaction, large)| Request::Send {
                queue,
                message: Message::new(body).encode(),
                transaction,
                body: large.map(BodyId),
            }),
            receive.prop_map(|(queue, select, take, timeout_ms, transaction)| {
                Request::Receive {
                    queue,
                    select,
                    take,
                    timeout_ms,
                    transaction,
                }
            }),
            many.prop_map(
                |((queue, after, take, count_max, bytes_max), (timeout_ms, transaction))| {
                    Request::ReceiveMany {
                        queue,
                        after,
                        take,
                        count_max,
                        bytes_max,
                        timeout_ms,
                        transaction,
                    }
                }
            ),
            Just(Request::Counters),
        ]
    }

    fn messages() -> impl Strategy<Value = Received> {
        let numbers = (
            ids(),
            any::<u64>(),
            any::<u64>(),
            any::<u64>(),
            any::<u16>(),
        );
        let texts = (any::<Vec<u8>>(), ".*", ".*", any::<bool>());
        let moves = (0..3_u32, 0..3_u32, 0..3_u64, any::<u64>());
        let rest = (
            any::<Option<(u64, bool, bool)>>(),
            any::<Option<(u64, u32)>>(),
        );
        (numbers, texts, moves, rest).prop_map(|(numbers, texts, moves, (sent_in, lease))| {
            Received {
                content: Message::new(texts.0).encode(),
                id: numbers.0,
                lookup_id: numbers.1,
                sent_ms: numbers.2,
                arrived_ms: numbers.3,
                delivery: if texts.3 {
                    Delivery::Recoverable
                } else {
                    Delivery::Express
                },
                class: numbers.4,
                sender: texts.1,
                destination: texts.2,
                abort_count: moves.0,
                move_count: moves.1,
                last_move_ms: moves.2,
                transaction: sent_in.map(|(transaction, first, last)| SentIn {
                    transaction,
                    first,
                    last,
                }),
                body_bytes: moves.3,
                lease: lease.map(|(lookup_id, delivery)| LeaseId {
                    lookup_id,
                    delivery,
                }),
            }
        })
    }

    fn through(reply: &Reply) -> Result<Reply> {
        let mut out = Vec::new();
        append_reply(&mut out, 5, &Ok(reply.clone())).unwrap();
        let whole = Bytes::from(out);
        let (frame, _) = parse(&whole).unwrap().unwrap();
        match read_replies(&frame, &whole).unwrap() {
            Replies::One(5, reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn a_request_comes_out_as_it_went_in(
            request in requests(), sequence: u64, acknowledged: u64
        ) {
            let mut out = Vec::new();
            append_request(&mut out, sequence, acknowledged, &request).unwrap();
            let whole = Bytes::from(out);
            let (frame, length) = parse(&whole).unwrap().unwrap();
            prop_assert_eq!((frame.correlation, length), (sequence, whole.len()));
            prop_assert_eq!(read_request(&frame, &whole).unwrap(), (acknowledged, request));
        }

        #[test]
        fn messages_come_out_as_they_went_in(all in proptest::collection::vec(messages(), 0..5)) {
            prop_assert_eq!(through(&Reply::Messages(all.clone())), Ok(Reply::Messages(all.clone())));
            for one in all {
                let reply = Reply::Message(Box::new(one));
                prop_assert_eq!(through(&reply), Ok(reply));
            }
        }

        #[test]
        fn any_payload_and_content_are_survived(payload: Vec<u8>, content: Vec<u8>) {
            let mut all = payload.clone();
            all.extend_from_slice(&content);
            let whole = Bytes::from(all);
            let (payload, content) = whole.split_at(payload.len());
            for kind in Kind::ALL.iter().copied() {
                let frame = Frame { kind, correlation: u64::MAX, payload, content };
                let _ = read_request(&frame, &whole);
                if let Ok(Replies::Sent(run)) = read_replies(&frame, &whole) {
                    prop_assert!(run.replies().take(3).count() <= 3);
                }
            }
        }
    }

    #[test]
    fn a_message_that_was_damaged_on_its_way_is_an_error_of_its_request_alone() {
        let mut out = Vec::new();
        let message = Message::new("intact").encode();
        let request = Request::Send {
            queue: "q".into(),
            message,
            transaction: Transaction::None,
            body: None,
        };
        append_request(&mut out, 1, 1, &request).unwrap();
        let last = out.len() - 1;
        out[last] ^= 1;
        let whole = Bytes::from(out);
        let (frame, _) = parse(&whole).unwrap().unwrap();
        let Request::Send { message, .. } = read_request(&frame, &whole).unwrap().1 else {
            panic!("no send");
        };
        assert!(message.verify().is_err());
    }
}
