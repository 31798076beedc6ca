//! What is inside a frame: encoding and decoding side by side.
//!
//! The data plane is Postcard, compact and typed; commands are CBOR, because their arguments are dynamic.

use serde::{Serialize, de::DeserializeOwned};

use super::frame::{Kind, append};
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

/// Appends a Request frame: `sequence` is its correlation, `acknowledged` its first field.
///
/// # Errors
/// When it does not fit.
pub fn append_request(
    out: &mut Vec<u8>,
    sequence: u64,
    acknowledged: u64,
    request: &Request,
) -> Result<()> {
    append(out, Kind::Request, sequence, |out| {
        postcard_into(out, &(acknowledged, request))
    })
}

/// Reads the payload of a Request frame: `acknowledged` and the request.
///
/// # Errors
/// When it is none.
pub fn read_request(payload: &[u8]) -> Result<(u64, Request)> {
    read_postcard("request", payload)
}

/// Appends a Reply frame. A reply that does not fit is replaced by the error that says so.
///
/// # Errors
/// When not even that fits.
pub fn append_reply(out: &mut Vec<u8>, sequence: u64, reply: &Result<Reply>) -> Result<()> {
    append(out, Kind::Reply, sequence, |out| postcard_into(out, reply)).or_else(|error| {
        let refusal: Result<Reply> = Err(error);
        append(out, Kind::Reply, sequence, |out| {
            postcard_into(out, &refusal)
        })
    })
}

/// Reads the payload of a Reply frame.
///
/// # Errors
/// When it is none; the outcome itself is the inner result.
pub fn read_reply(payload: &[u8]) -> Result<Result<Reply>> {
    read_postcard("reply", payload)
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

fn unreadable(what: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidParameter,
        format!("a {what} that cannot be read: {why}"),
    )
    .hint("client and server may be of different versions")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::frame::parse;
    use super::*;
    use crate::queue::message::{Message, MessageId};
    use crate::queue::request::{Select, Transaction, TransactionId};

    fn send(body: Vec<u8>, label: String, priority: u8) -> Request {
        let mut message = Message::new(body);
        message.label = label;
        message.priority = priority;
        Request::Send {
            queue: "orders".into(),
            message,
            transaction: Transaction::In(TransactionId(9)),
        }
    }

    proptest! {
        #[test]
        fn a_request_comes_out_as_it_went_in(
            body: Vec<u8>, label: String, priority: u8, sequence: u64, acknowledged: u64
        ) {
            let request = send(body, label, priority);
            let mut out = Vec::new();
            append_request(&mut out, sequence, acknowledged, &request).unwrap();
            let (frame, _) = parse(&out).unwrap().unwrap();
            prop_assert_eq!(frame.correlation, sequence);
            prop_assert_eq!(read_request(frame.payload).unwrap(), (acknowledged, request));
        }

        #[test]
        fn any_payload_is_survived(bytes: Vec<u8>) {
            let _ = read_request(&bytes);
            let _ = read_reply(&bytes);
            let _ = read_command(&bytes);
            let _ = read_command_reply(&bytes);
            let _ = read_postcard::<Hello>("hello", &bytes);
        }
    }

    #[test]
    fn an_error_travels_with_its_kind_and_hint() {
        let error = Error::new(ErrorKind::QueueNotFound, "no queue a").hint("make one");
        let mut out = Vec::new();
        append_reply(&mut out, 3, &Err(error.clone())).unwrap();
        append_command_reply(&mut out, 4, &Err(error.clone())).unwrap();
        let (first, taken) = parse(&out).unwrap().unwrap();
        assert_eq!(read_reply(first.payload).unwrap(), Err(error.clone()));
        let (second, _) = parse(&out[taken..]).unwrap().unwrap();
        assert_eq!(read_command_reply(second.payload).unwrap(), Err(error));
    }

    #[test]
    fn a_reply_that_does_not_fit_becomes_an_error_and_spoils_no_neighbour() {
        let mut out = Vec::new();
        let sent = Reply::Sent {
            id: MessageId::NONE,
            lookup_id: 1,
        };
        append_reply(&mut out, 1, &Ok(sent)).unwrap();
        let before = out.len();
        let mut huge = Message::new(vec![0; super::super::frame::FRAME_BYTES_MAX]);
        huge.label = "huge".into();
        let received = crate::queue::message::Received {
            message: huge,
            id: MessageId::NONE,
            lookup_id: 0,
            sent_ms: 0,
            arrived_ms: 0,
        };
        append_reply(&mut out, 2, &Ok(Reply::Message(Box::new(received)))).unwrap();
        let (frame, _) = parse(&out[before..]).unwrap().unwrap();
        let error = read_reply(frame.payload).unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::InsufficientResources);
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut payload = postcard::to_allocvec(&(1_u64, Request::ListQueues)).unwrap();
        payload.push(0);
        assert!(read_request(&payload).is_err());
        let receive = Request::Receive {
            queue: "q".into(),
            select: Select::First,
            peek: false,
            timeout_ms: u64::MAX,
            transaction: Transaction::None,
        };
        let payload = postcard::to_allocvec(&(1_u64, &receive)).unwrap();
        assert_eq!(read_request(&payload).unwrap(), (1, receive));
    }
}
