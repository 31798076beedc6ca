//! A frame: the unit of the protocol. Parsing is pure and total: any bytes give a frame, a wish for more
//! bytes, or an error, never a panic and never an allocation that the sender chose.

use crate::error::{Error, ErrorKind, Result};

/// Longest frame, counted like its length field: a body of 4 MiB with its properties fits easily.
pub const FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes before the counted part: the length and the checksum.
pub const PREFIX_BYTES: usize = 8;
/// Bytes of the counted part before the payload: the kind and the correlation.
pub const FIXED_BYTES: usize = 9;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// 1, client: the first frame of a connection.
    Hello = 1,
    /// 2, server: the answer to Hello.
    Welcome = 2,
    /// 3, server: no, with the error; the connection ends after it.
    Refused = 3,
    /// 4, client: a request to a queue manager.
    Request = 4,
    /// 5, queue manager: its outcome.
    Reply = 5,
    /// 6, client: a command to a node agent.
    Command = 6,
    /// 7, node agent: its outcome.
    CommandReply = 7,
    /// 8, client: are you there?
    Ping = 8,
    /// 9, server: yes.
    Pong = 9,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Hello,
        Self::Welcome,
        Self::Refused,
        Self::Request,
        Self::Reply,
        Self::Command,
        Self::CommandReply,
        Self::Ping,
        Self::Pong,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A frame that lies in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it carries.
    pub kind: Kind,
    /// The number of the request or command; 0 where there is none.
    pub correlation: u64,
    /// The content.
    pub payload: &'a [u8],
}

/// Why bytes are no frame. The stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is outside of its bounds.
    #[error("a frame of {0} bytes (9 to 8388608 are allowed)")]
    Length(usize),
    /// The checksum does not fit.
    #[error("a frame whose checksum does not fit")]
    Checksum,
    /// The kind is not known.
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
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

/// The first frame of `buffer` and the bytes it takes; `None` when it is not complete yet.
///
/// # Errors
/// [`FrameError`]: the bytes can never become a frame.
pub fn parse(buffer: &[u8]) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let Some((length, rest)) = number(buffer) else {
        return Ok(None);
    };
    let length = length as usize;
    if !(FIXED_BYTES..=FRAME_BYTES_MAX).contains(&length) {
        return Err(FrameError::Length(length));
    }
    let Some((checksum, rest)) = number(rest) else {
        return Ok(None);
    };
    let Some(counted) = rest.get(..length) else {
        return Ok(None);
    };
    if crc32c::crc32c(counted) != checksum {
        return Err(FrameError::Checksum);
    }
    let (fixed, payload) = counted.split_at(FIXED_BYTES);
    let kind = Kind::from_byte(fixed[0]).ok_or(FrameError::Kind(fixed[0]))?;
    let correlation = fixed[1..]
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let frame = Frame {
        kind,
        correlation,
        payload,
    };
    Ok(Some((frame, PREFIX_BYTES + length)))
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*head), rest))
}

/// Appends a frame to `out`; `payload` appends its content. On an error `out` is as it was before.
///
/// # Errors
/// Those of `payload`; [`ErrorKind::InsufficientResources`] when the frame is too long.
pub fn append(
    out: &mut Vec<u8>,
    kind: Kind,
    correlation: u64,
    payload: impl FnOnce(&mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX_BYTES]);
    out.push(kind as u8);
    out.extend_from_slice(&correlation.to_le_bytes());
    let outcome = payload(out).and_then(|()| seal(out, start));
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}

/// Fills in the length and the checksum of the frame that starts at `start`.
fn seal(out: &mut [u8], start: usize) -> Result<()> {
    let counted = &out[start + PREFIX_BYTES..];
    let length = counted.len();
    if length > FRAME_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::InsufficientResources,
            format!("{length} bytes do not fit into one frame"),
        )
        .hint(format!("a frame has at most {FRAME_BYTES_MAX} bytes")));
    }
    let checksum = crc32c::crc32c(counted);
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + PREFIX_BYTES].copy_from_slice(&checksum.to_le_bytes());
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
        assert_eq!(bytes[..4], [9, 0, 0, 0], "length");
        assert_eq!(bytes[4..8], crc32c::crc32c(&bytes[8..]).to_le_bytes());
        assert_eq!(bytes[8..], [8, 2, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_length_out_of_bounds_is_refused_before_anything_is_read() {
        for length in [0_u32, 8, 8 * 1024 * 1024 + 1, u32::MAX] {
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
            prop_assert_eq!(frame, Frame { kind, correlation, payload: &payload });
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
