//! What is inside a frame: encoding and decoding side by side.
//!
//! Requests without a frame of their own (`data`) are Postcard, compact and typed; commands are CBOR, because their
//! arguments are dynamic.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::data::{
    SentRun, append_hot_request, append_messages, append_sent, read_messages, read_receive,
    read_receive_many, read_send, read_sent,
};
use super::frame::{Frame, Kind, append};
use super::handshake::{Hello, Welcome};
use crate::api::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::request::{Reply, Request};

/// Appends a Hello frame.
///
/// # Errors
/// When it does not fit.
pub fn append_hello(out: &mut Vec<u8>, hello: &Hello) -> Result<()> {
    append(out, Kind::Hello, 0, |out| postcard_into(out, hello))
}

/// Appends a Welcome frame.
///
/// # Errors
/// When it does not fit.
pub fn append_welcome(out: &mut Vec<u8>, welcome: &Welcome) -> Result<()> {
    append(out, Kind::Welcome, 0, |out| postcard_into(out, welcome))
}

/// Appends a Refused frame.
///
/// # Errors
/// When it does not fit.
pub fn append_refused(out: &mut Vec<u8>, error: &Error) -> Result<()> {
    append(out, Kind::Refused, 0, |out| postcard_into(out, error))
}

/// Appends a request: `sequence` is its correlation, `acknowledged` its first field.
///
/// # Errors
/// When it does not fit.
pub fn append_request(
    out: &mut Vec<u8>,
    sequence: u64,
    acknowledged: u64,
    request: &Request,
) -> Result<()> {
    if append_hot_request(out, sequence, acknowledged, request)? {
        return Ok(());
    }
    append(out, Kind::Request, sequence, |out| {
        postcard_into(out, &(acknowledged, request))
    })
}

/// Reads a frame that carries a request: `acknowledged` and the request. `whole` are the bytes it lies in.
///
/// # Errors
/// When it is none.
pub fn read_request(frame: &Frame<'_>, whole: &Bytes) -> Result<(u64, Request)> {
    match frame.kind {
        Kind::Send => read_send(frame.payload, whole.slice_ref(frame.content)),
        Kind::Receive => read_receive(frame.payload),
        Kind::ReceiveMany => read_receive_many(frame.payload),
        Kind::Request => read_postcard("request", frame.payload),
        other => Err(unreadable("request", &format!("it is a {other:?}"))),
    }
}

/// Appends a reply. One that does not fit is replaced by the error that says so.
///
/// # Errors
/// When not even that fits.
pub fn append_reply(out: &mut Vec<u8>, sequence: u64, reply: &Result<Reply>) -> Result<()> {
    let appended = match reply {
        Ok(Reply::Sent { id, lookup_id }) => {
            append_sent(out, &SentRun::one(sequence, *id, *lookup_id))
        }
        Ok(Reply::Message(one)) => append_messages(out, sequence, true, std::slice::from_ref(one)),
        Ok(Reply::Messages(all)) => append_messages(out, sequence, false, all),
        other => append(out, Kind::Reply, sequence, |out| postcard_into(out, other)),
    };
    appended.or_else(|error| {
        let refusal: Result<Reply> = Err(error);
        append(out, Kind::Reply, sequence, |out| {
            postcard_into(out, &refusal)
        })
    })
}

/// Reads a frame that carries one reply or several. `whole` are the bytes it lies in.
///
/// # Errors
/// When it is none; the outcomes themselves are inner results.
pub fn read_replies(frame: &Frame<'_>, whole: &Bytes) -> Result<Replies> {
    match frame.kind {
        Kind::Sent => read_sent(frame).map(Replies::Sent),
        Kind::Messages => {
            read_messages(frame, whole).map(|reply| Replies::One(frame.correlation, reply))
        }
        Kind::Reply => {
            let reply = read_postcard("reply", frame.payload)?;
            Ok(Replies::One(frame.correlation, reply))
        }
        other => Err(unreadable("reply", &format!("it is a {other:?}"))),
    }
}

/// What a frame of a queue manager answers.
#[derive(Debug)]
pub enum Replies {
    /// One request.
    One(u64, Result<Reply>),
    /// Sends whose numbers follow each other.
    Sent(SentRun),
}

/// Appends a Command frame.
///
/// # Errors
/// When it does not fit.
pub fn append_command(out: &mut Vec<u8>, number: u64, name: &str, arguments: &Value) -> Result<()> {
    append(out, Kind::Command, number, |out| {
        cbor_into(out, &(name, arguments))
    })
}

/// Reads the payload of a Command frame: its name and its arguments.
///
/// # Errors
/// When it is none.
pub fn read_command(payload: &[u8]) -> Result<(String, Value)> {
    read_cbor("command", payload)
}

/// Appends a CommandReply frame. A reply that does not fit is replaced by the error that says so.
///
/// # Errors
/// When not even that fits.
pub fn append_command_reply(out: &mut Vec<u8>, number: u64, reply: &Result<Value>) -> Result<()> {
    append(out, Kind::CommandReply, number, |out| cbor_into(out, reply)).or_else(|error| {
        let refusal: Result<Value> = Err(error);
        append(out, Kind::CommandReply, number, |out| {
            cbor_into(out, &refusal)
        })
    })
}

/// Reads the payload of a CommandReply frame.
///
/// # Errors
/// When it is none; the outcome itself is the inner result.
pub fn read_command_reply(payload: &[u8]) -> Result<Result<Value>> {
    read_cbor("command reply", payload)
}

/// Reads a Postcard payload that is called `what`.
///
/// # Errors
/// When it is none, or something follows it.
pub fn read_postcard<T: DeserializeOwned>(what: &str, payload: &[u8]) -> Result<T> {
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(unreadable(what, &format!("{} bytes follow it", rest.len()))),
        Err(error) => Err(unreadable(what, &error.to_string())),
    }
}

fn read_cbor<T: DeserializeOwned>(what: &str, payload: &[u8]) -> Result<T> {
    ciborium::from_reader(payload).map_err(|error| unreadable(what, &error.to_string()))
}

fn postcard_into<T: Serialize>(out: &mut Vec<u8>, value: &T) -> Result<()> {
    // `to_extend` wants the buffer itself. It fails only for types that Postcard cannot represent, and
    // those here are not: a request that fails its own round trip fails every test.
    let bytes = postcard::to_extend(value, std::mem::take(out));
    *out = bytes.map_err(|e| Error::new(ErrorKind::Internal, format!("encoding: {e}")))?;
    Ok(())
}

fn cbor_into<T: Serialize>(out: &mut Vec<u8>, value: &T) -> Result<()> {
    ciborium::into_writer(value, out)
        .map_err(|e| Error::new(ErrorKind::Internal, format!("encoding: {e}")))
}

pub(super) fn unreadable(what: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidParameter,
        format!("a {what} that cannot be read: {why}"),
    )
    .hint("client and server may be of different versions")
}

#[cfg(test)]
mod tests {
    use super::super::frame::{FRAME_BYTES_MAX, parse};
    use super::*;
    use crate::queue::request::{Reply, Request};

    fn reply_in(out: Vec<u8>) -> Result<Reply> {
        let whole = Bytes::from(out);
        let (frame, _) = parse(&whole).unwrap().unwrap();
        match read_replies(&frame, &whole).unwrap() {
            Replies::One(_, reply) => reply,
            Replies::Sent(run) => Ok(run.replies().next().unwrap().1),
        }
    }

    #[test]
    fn an_error_travels_with_its_kind_and_hint() {
        let error = Error::new(ErrorKind::QueueNotFound, "no queue a").hint("make one");
        let mut out = Vec::new();
        append_reply(&mut out, 3, &Err(error.clone())).unwrap();
        assert_eq!(reply_in(out), Err(error.clone()));
        let mut out = Vec::new();
        append_command_reply(&mut out, 4, &Err(error.clone())).unwrap();
        let (frame, _) = parse(&out).unwrap().unwrap();
        assert_eq!(read_command_reply(frame.payload).unwrap(), Err(error));
    }

    #[test]
    fn a_reply_that_does_not_fit_becomes_an_error_and_spoils_no_neighbour() {
        let mut out = Vec::new();
        append_reply(&mut out, 1, &Ok(Reply::Done)).unwrap();
        let before = out.len();
        let huge = Reply::Bytes(vec![0; FRAME_BYTES_MAX]);
        append_reply(&mut out, 2, &Ok(huge)).unwrap();
        let error = reply_in(out.split_off(before)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InsufficientResources);
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut payload = postcard::to_allocvec(&(1_u64, Request::Counters)).unwrap();
        let read = |payload: &[u8]| read_postcard::<(u64, Request)>("request", payload);
        assert_eq!(read(&payload).unwrap(), (1, Request::Counters));
        payload.push(0);
        assert!(read(&payload).is_err());
    }

    #[test]
    fn a_request_in_a_request_in_a_request_takes_no_stack() {
        // What a client could send before: each byte one request deeper, until the stack of the queue manager was full.
        let one = Request::what_if(&Request::Counters);
        let mut out = Vec::new();
        append_request(&mut out, 1, 0, &one).unwrap();
        let request = Request::what_if(&one);
        assert!(
            request.meant().is_err(),
            "what is foreseen is not foreseen again"
        );
        let variant = postcard::to_allocvec(&one).unwrap()[0];
        let mut deep = vec![0]; // acknowledged
        deep.resize(1_000_000, variant);
        let read: std::result::Result<(u64, Request), _> = postcard::from_bytes(&deep);
        drop(read); // whatever it is, this thread is still there
    }
}
