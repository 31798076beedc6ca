//! Messages of rtnetlink: a header, a fixed part, attributes; all in the machine's byte order.
//!
//! ```text
//!  0        4     6      8         12        16
//!  | length | type | flags | sequence | port | fixed part … | attribute | attribute …
//!                                              attribute: | length u16 | kind u16 | data … pad to 4
//! ```
//!
//! What the kernel sends is checked all the same: a length that does not fit ends the reading.

#![expect(
    clippy::host_endian_bytes,
    reason = "netlink is in the byte order of the machine"
)]

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 16;

/// `NLM_F_REQUEST`.
pub(super) const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`.
pub(super) const ACK: u16 = 0x4;
/// `NLM_F_DUMP`.
pub(super) const DUMP: u16 = 0x300;
/// `NLM_F_REPLACE`.
pub(super) const REPLACE: u16 = 0x100;
/// `NLM_F_CREATE`.
pub(super) const CREATE: u16 = 0x400;

/// `NLMSG_ERROR`.
pub(super) const ERROR: u16 = 2;
/// `NLMSG_DONE`.
pub(super) const DONE: u16 = 3;

/// A request that is being written.
pub(super) struct Request(Vec<u8>);

impl Request {
    pub(super) fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | REQUEST).to_ne_bytes());
        bytes.extend_from_slice(fixed);
        pad(&mut bytes);
        Self(bytes)
    }

    pub(super) fn attribute(mut self, kind: u16, data: &[u8]) -> Self {
        let length = u16::try_from(data.len() + 4).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(data);
        pad(&mut self.0);
        self
    }

    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A message that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

/// Takes the next message off `bytes`; none at the end, or when the rest is none.
pub(super) fn next_message<'a>(bytes: &mut &'a [u8]) -> Option<Message<'a>> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    if length < HEADER_BYTES || length > bytes.len() {
        return None;
    }
    let message = Message {
        kind: u16_at(bytes, 4)?,
        sequence: u32_at(bytes, 8)?,
        body: &bytes[HEADER_BYTES..length],
    };
    *bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(message)
}

/// The attributes behind a fixed part.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        // The two highest bits of a kind are flags.
        let kind = u16_at(bytes, 2)? & 0x3fff;
        let data = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, data))
    })
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let four = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes(four.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(four.try_into().ok()?))
}

pub(super) fn u32_bytes(value: u32) -> [u8; 4] {
    value.to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let request = Request::new(20, ACK, &[1, 2, 3, 4, 5]).attribute(3, b"eth0:hamq\0");
        let bytes = request.attribute(8, &u32_bytes(7)).finish(42);
        assert_eq!(bytes.len() % 4, 0);
        let mut rest = bytes.as_slice();
        let message = next_message(&mut rest).unwrap();
        assert_eq!((message.kind, message.sequence), (20, 42));
        assert!(rest.is_empty() && next_message(&mut rest).is_none());
        let found: Vec<_> = attributes(&message.body[8..]).collect();
        assert_eq!(found, [(3, b"eth0:hamq\0".as_slice()), (8, &u32_bytes(7))]);
    }

    #[test]
    fn lengths_that_lie_end_the_reading() {
        let good = Request::new(20, 0, &[0; 8]).attribute(1, &[1; 4]).finish(1);
        for at in 0..good.len() {
            for byte in [0, 1, 3, 5, 0x7f, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = byte;
                for cut in [bytes.len(), at] {
                    let mut rest = &bytes[..cut];
                    while let Some(message) = next_message(&mut rest) {
                        let body = message.body.get(8..).unwrap_or_default();
                        assert!(attributes(body).count() <= body.len());
                    }
                }
            }
        }
    }
}
