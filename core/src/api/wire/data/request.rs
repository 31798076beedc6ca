//! Requests with a frame of their own. Encoding and decoding side by side.

use bytes::Bytes;

use super::why;
use crate::api::wire::frame::{Kind, append, append_with};
use crate::api::wire::payload::unreadable;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::codec::{Decoder, Encoder};
use crate::queue::encoded::Encoded;
use crate::queue::request::{BodyId, Request, Select, Take, Transaction, TransactionId};

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
