//! Whatever comes over a connection is a frame, the beginning of one, or an error; whatever is inside a frame is
//! read or refused; and what is read is written so that it is read as the same again.

use bytes::Bytes;
use hamq_core::api::wire::frame::{Frame, Kind, append_with, needed, parse};
use hamq_core::api::wire::payload::{
    Replies, append_reply, append_request, read_command, read_command_reply, read_postcard,
    read_replies, read_request,
};
use hamq_core::api::wire::{Hello, Welcome};
use hamq_core::queue::request::Request;
use hamq_core::{Error, Result};

/// Reads the input as a stream, and as the payload and content of a frame of each kind.
pub(crate) fn check(data: &[u8]) {
    as_stream(data);
    let cut = data
        .first()
        .map_or(0, |first| usize::from(*first).min(data.len()));
    let (payload, content) = data.split_at(cut);
    for kind in Kind::ALL {
        as_frame(*kind, payload, content);
    }
}

fn as_stream(data: &[u8]) {
    let whole = Bytes::copy_from_slice(data);
    let mut at = 0;
    while let Ok(Some((frame, length))) = parse(&whole[at..]) {
        assert_eq!(needed(&whole[at..]), Ok(Some(length)));
        assert!(frame.payload.len() + frame.content.len() < length);
        inside(&frame, &whole);
        at += length;
    }
}

/// A frame with a checksum that fits, so that what is inside is looked at.
fn as_frame(kind: Kind, payload: &[u8], content: &[u8]) {
    let mut out = Vec::new();
    let appended = append_with(
        &mut out,
        kind,
        7,
        |out| {
            out.extend_from_slice(payload);
            Ok(())
        },
        |out| out.extend_from_slice(content),
    );
    assert!(appended.is_ok());
    let whole = Bytes::from(out);
    match parse(&whole) {
        Ok(Some((frame, length))) => {
            assert_eq!(
                (frame.kind, frame.correlation, length),
                (kind, 7, whole.len())
            );
            inside(&frame, &whole);
        }
        Ok(None) => panic!("a whole frame is taken for a part of one"),
        Err(error) => assert!(!content.is_empty(), "{error}"),
    }
}

fn inside(frame: &Frame<'_>, whole: &Bytes) {
    match frame.kind {
        Kind::Hello => explains_itself(read_postcard::<Hello>("hello", frame.payload)),
        Kind::Welcome => explains_itself(read_postcard::<Welcome>("welcome", frame.payload)),
        Kind::Refused => explains_itself(read_postcard::<Error>("refusal", frame.payload)),
        Kind::Command => explains_itself(read_command(frame.payload)),
        Kind::CommandReply => explains_itself(read_command_reply(frame.payload)),
        Kind::Request | Kind::Send | Kind::Receive | Kind::ReceiveMany => request(frame, whole),
        Kind::Reply | Kind::Sent | Kind::Messages => replies(frame, whole),
        Kind::Ping | Kind::Pong => {}
    }
}

fn request(frame: &Frame<'_>, whole: &Bytes) {
    match read_request(frame, whole) {
        Ok((acknowledged, request)) => {
            let mut out = Vec::new();
            append_request(&mut out, 9, acknowledged, &request).unwrap_or_else(|e| panic!("{e}"));
            let whole = Bytes::from(out);
            let Ok(Some((again, _))) = parse(&whole) else {
                panic!("{request:?} is no frame");
            };
            assert_eq!(
                read_request(&again, &whole),
                Ok((acknowledged, request.clone()))
            );
            if let Request::Send { message, .. } = request {
                let _ = message.verify();
            }
        }
        Err(error) => explains_itself::<()>(Err(error)),
    }
}

fn replies(frame: &Frame<'_>, whole: &Bytes) {
    match read_replies(frame, whole) {
        Ok(Replies::One(number, reply)) => {
            let mut out = Vec::new();
            append_reply(&mut out, number, &reply).unwrap_or_else(|e| panic!("{e}"));
            assert!(matches!(parse(&out), Ok(Some(_))));
        }
        Ok(Replies::Sent(run)) => {
            assert!(run.replies().take(100).count() <= 100);
        }
        Err(error) => explains_itself::<()>(Err(error)),
    }
}

fn explains_itself<T>(read: Result<T>) {
    if let Err(error) = read {
        assert!(!error.message.is_empty() && error.hint.is_some());
    }
}
