//! A frame: the unit of the protocol. Parsing is pure and total: any bytes give a frame, a wish for more
//! bytes, or an error, never a panic and never an allocation that the sender chose.
//!
//! ```text
//!  length 4 | head 4 | crc 4 | kind 1 | correlation 8 | payload … | content …
//!  '--- covered ---'         '-------- head, covered --------'    '- messages, each with its own crc
//! ```
//!
//! Messages carry the checksum of their sender from end to end (`queue::encoded`), so the frame's does not go over
//! them a second time.

use crate::error::{Error, ErrorKind, Result};

/// Longest frame, counted like its length field: many messages that one request may get, and one body of 4 MiB
/// with all its properties.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes before the counted part: the length, the length of the head and the checksum.
pub const PREFIX_BYTES: usize = 12;
/// Bytes of the counted part before the payload: the kind and the correlation.
pub const FIXED_BYTES: usize = 9;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal,)+) => {
        /// What a frame carries.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[doc = $doc])* $name = $number,)+
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            const fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($number => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// 1, client: the first frame of a connection.
    Hello = 1,
    /// 2, server: the answer to Hello.
    Welcome = 2,
    /// 3, server: no, with the error; the connection ends after it.
    Refused = 3,
    /// 4, client: a request to a queue manager that has no kind of its own.
    Request = 4,
    /// 5, queue manager: an outcome that has no kind of its own.
    Reply = 5,
    /// 6, client: a command to a node agent.
    Command = 6,
    /// 7, node agent: its outcome.
    CommandReply = 7,
    /// 8, client: are you there?
    Ping = 8,
    /// 9, server: yes.
    Pong = 9,
    /// 10, client: the request Send; its content is the message.
    Send = 10,
    /// 11, client: the request Receive.
    Receive = 11,
    /// 12, client: the request ReceiveMany.
    ReceiveMany = 12,
    /// 13, queue manager: the reply Sent to one request or to several in a row.
    Sent = 13,
    /// 14, queue manager: the reply Messages (one for Message); its content are the messages.
    Messages = 14,
}

impl Kind {
    /// Whether messages may follow its head.
    const fn has_content(self) -> bool {
        matches!(self, Self::Send | Self::Messages)
    }
}

/// A frame that lies in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it carries.
    pub kind: Kind,
    /// The number of the request or command; 0 where there is none.
    pub correlation: u64,
    /// What the checksum covers.
    pub payload: &'a [u8],
    /// Messages, which have checksums of their own.
    pub content: &'a [u8],
}

/// Why bytes are no frame. The stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is outside of its bounds.
    #[error("a frame of {0} bytes (9 to 16777216 are allowed)")]
    Length(usize),
    /// The head is longer than the frame, or too short.
    #[error("a frame whose head has {0} bytes")]
    Head(usize),
    /// The checksum does not fit.
    #[error("a frame whose checksum does not fit")]
    Checksum,
    /// The kind is not known.
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    /// Something follows the head of a frame that carries no messages.
    #[error("a {0:?} with messages")]
    Content(Kind),
}

impl From<FrameError> for Error {
    fn from(error: FrameError) -> Self {
        Self::new(
            ErrorKind::ServiceNotAvailable,
            format!("the other side does not speak the protocol: it sent {error}"),
        )
        .hint("check that the address and port are those of a node agent or queue manager")
    }
}

/// How many bytes the frame that begins in `buffer` will have in all; `None` when too few are there to say so.
///
/// # Errors
/// [`FrameError::Length`].
pub fn needed(buffer: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some((length, _)) = number(buffer) else {
        return Ok(None);
    };
    if !(FIXED_BYTES..=FRAME_BYTES_MAX).contains(&length) {
        return Err(FrameError::Length(length));
    }
    Ok(Some(PREFIX_BYTES + length))
}

/// The first frame of `buffer` and the bytes it takes; `None` when it is not complete yet.
///
/// # Errors
/// [`FrameError`]: the bytes can never become a frame.
pub fn parse(buffer: &[u8]) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let Some(whole) = needed(buffer)? else {
        return Ok(None);
    };
    let Some((head, rest)) = number(&buffer[4..]) else {
        return Ok(None);
    };
    if !(FIXED_BYTES..=whole - PREFIX_BYTES).contains(&head) {
        return Err(FrameError::Head(head));
    }
    let (Some((checksum, _)), Some(counted)) = (number(rest), buffer.get(PREFIX_BYTES..whole))
    else {
        return Ok(None);
    };
    let (head, content) = counted.split_at(head);
    if checksum_of(&buffer[..8], head) as usize != checksum {
        return Err(FrameError::Checksum);
    }
    let (fixed, payload) = head.split_at(FIXED_BYTES);
    let kind = Kind::from_byte(fixed[0]).ok_or(FrameError::Kind(fixed[0]))?;
    if !content.is_empty() && !kind.has_content() {
        return Err(FrameError::Content(kind));
    }
    let correlation = fixed[1..]
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let frame = Frame {
        kind,
        correlation,
        payload,
        content,
    };
    Ok(Some((frame, whole)))
}

fn checksum_of(lengths: &[u8], head: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(lengths), head)
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*head) as usize, rest))
}

/// Appends a frame without messages to `out`; `payload` appends its content. On an error `out` is as it was before.
///
/// # Errors
/// Those of `payload`; [`ErrorKind::InsufficientResources`] when the frame is too long.
pub fn append(
    out: &mut Vec<u8>,
    kind: Kind,
    correlation: u64,
    payload: impl FnOnce(&mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    append_with(out, kind, correlation, payload, |_| ())
}

/// As [`append`]; `content` appends messages behind the payload.
///
/// # Errors
/// As [`append`].
pub fn append_with(
    out: &mut Vec<u8>,
    kind: Kind,
    correlation: u64,
    payload: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    content: impl FnOnce(&mut Vec<u8>),
) -> Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX_BYTES]);
    out.push(kind as u8);
    out.extend_from_slice(&correlation.to_le_bytes());
    let outcome = payload(out).and_then(|()| {
        let head = out.len() - start - PREFIX_BYTES;
        content(out);
        seal(&mut out[start..], head)
    });
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}

/// Fills in the lengths and the checksum of a frame.
fn seal(frame: &mut [u8], head: usize) -> Result<()> {
    let length = frame.len() - PREFIX_BYTES;
    if length > FRAME_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::InsufficientResources,
            format!("{length} bytes do not fit into one frame"),
        )
        .hint(format!("a frame has at most {FRAME_BYTES_MAX} bytes")));
    }
    let field = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
    frame[..4].copy_from_slice(&field(length));
    frame[4..8].copy_from_slice(&field(head));
    let checksum = checksum_of(&frame[..8], &frame[PREFIX_BYTES..PREFIX_BYTES + head]);
    frame[8..PREFIX_BYTES].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: Kind, correlation: u64, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        append(&mut out, kind, correlation, |out| {
            out.extend_from_slice(payload);
            Ok(())
        })
        .unwrap();
        out
    }

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let bytes = frame(Kind::Ping, 0x0102, b"");
        assert_eq!(bytes[..8], [9, 0, 0, 0, 9, 0, 0, 0], "lengths");
        let covered = [&bytes[..8], &bytes[12..]].concat();
        assert_eq!(bytes[8..12], crc32c::crc32c(&covered).to_le_bytes());
        assert_eq!(bytes[12..], [8, 2, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_length_out_of_bounds_is_refused_before_anything_is_read() {
        for length in [0_u32, 8, 16 * 1024 * 1024 + 1, u32::MAX] {
            let error = parse(&length.to_le_bytes()).unwrap_err();
            assert_eq!(error, FrameError::Length(length as usize));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = frame(Kind::Request, 7, b"payload");
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(
                !matches!(parse(&bad), Ok(Some(_))),
                "bit {bit} went unnoticed"
            );
        }
    }

    #[test]
    fn only_frames_of_messages_have_content_and_a_head_lies_in_its_frame() {
        let with_content = |kind| {
            let mut out = Vec::new();
            let append_one = |out: &mut Vec<u8>| out.extend_from_slice(b"message");
            append_with(&mut out, kind, 3, |_| Ok(()), append_one).unwrap();
            out
        };
        let send = with_content(Kind::Send);
        assert_eq!(parse(&send).unwrap().unwrap().0.content, b"message");
        let error = parse(&with_content(Kind::Ping)).unwrap_err();
        assert_eq!(error, FrameError::Content(Kind::Ping));
        for head in [0_u8, 8, 17] {
            let mut bad = send.clone();
            bad[4] = head;
            assert_eq!(parse(&bad), Err(FrameError::Head(head.into())));
        }
    }

    #[test]
    fn a_payload_that_does_not_fit_leaves_the_buffer_as_it_was() {
        let mut out = frame(Kind::Ping, 1, b"");
        let before = out.clone();
        let too_long = vec![0; FRAME_BYTES_MAX];
        let error = append(&mut out, Kind::Reply, 2, |out| {
            out.extend_from_slice(&too_long);
            Ok(())
        })
        .unwrap_err();
        assert_eq!(error.kind, ErrorKind::InsufficientResources);
        assert_eq!(out, before);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            kind in 0..Kind::ALL.len(), correlation: u64, payload: Vec<u8>, behind: Vec<u8>
        ) {
            let kind = Kind::ALL[kind];
            let mut bytes = frame(kind, correlation, &payload);
            let length = bytes.len();
            for cut in 0..length {
                prop_assert_eq!(parse(&bytes[..cut]), Ok(None));
            }
            bytes.extend_from_slice(&behind);
            let (frame, taken) = parse(&bytes).unwrap().unwrap();
            prop_assert_eq!(taken, length);
            prop_assert_eq!(frame, Frame { kind, correlation, payload: &payload, content: &[] });
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
