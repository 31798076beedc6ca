//! Bytes of the queue's records: little-endian numbers, length-prefixed texts.

use uuid::Uuid;

use super::message::{Delivery, Message, MessageId};
use crate::error::{Error, ErrorKind, Result};

/// Appends values to bytes.
#[derive(Default)]
pub(super) struct Encoder(pub(super) Vec<u8>);

impl Encoder {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn count(&mut self, value: usize) {
        self.u32(u32::try_from(value).unwrap_or(u32::MAX));
    }

    pub(super) fn uuid(&mut self, value: Uuid) {
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.count(value.len());
        self.0.extend_from_slice(value);
    }
}

/// Takes values off bytes; every read is checked.
pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count);
        let part = end.and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or_else(|| malformed("it ends too early"))?;
        self.at += count;
        Ok(part)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        let part = self.take(4)?.try_into();
        part.map(u32::from_le_bytes)
            .map_err(|_| malformed("number"))
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        let part = self.take(8)?.try_into();
        part.map(u64::from_le_bytes)
            .map_err(|_| malformed("number"))
    }

    /// A count of items of at least `item_bytes` each, which the rest must have room for.
    pub(super) fn count(&mut self, item_bytes: usize) -> Result<usize> {
        let count = self.u32()? as usize;
        if count.saturating_mul(item_bytes) > self.bytes.len() - self.at {
            return Err(malformed("a count is larger than its bytes"));
        }
        Ok(count)
    }

    pub(super) fn uuid(&mut self) -> Result<Uuid> {
        Uuid::from_slice(self.take(16)?).map_err(|_| malformed("GUID"))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let count = self.u32()? as usize;
        self.take(count)
    }

    pub(super) fn text(&mut self) -> Result<String> {
        let bytes = self.bytes()?.to_vec();
        String::from_utf8(bytes).map_err(|_| malformed("a text is not UTF-8"))
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(malformed("it goes on too long"))
        }
    }
}

/// A record that has a good checksum and still makes no sense.
pub(super) fn malformed(what: &str) -> Error {
    Error::new(
        ErrorKind::StoreDamaged,
        format!("a record of the message store cannot be read: {what}"),
    )
    .hint("was it written by a newer version?")
}

/// Upper bound of the bytes of an encoded message beside its label and body.
pub(super) const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// A message with a checksum of its own, so that it can be read alone later.
pub(super) fn encode_message(to: &mut Encoder, message: &Message) {
    let start = to.0.len();
    to.u32(0);
    to.u8(message.priority);
    to.u8(u8::from(message.delivery == Delivery::Recoverable));
    to.u32(message.body_type);
    to.u32(message.app_specific);
    to.uuid(message.correlation_id.manager);
    to.u32(message.correlation_id.ordinal);
    to.bytes(message.label.as_bytes());
    to.bytes(&message.body);
    let crc = crc32c::crc32c(&to.0[start + 4..]);
    to.0[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Reads what `encode_message` wrote; `verify` unless a larger checksum has been checked already.
pub(super) fn decode_message(from: &mut Decoder<'_>, verify: bool) -> Result<Message> {
    let crc = from.u32()?;
    let start = from.at;
    let priority = from.u8()?;
    let recoverable = from.u8()? == 1;
    let body_type = from.u32()?;
    let app_specific = from.u32()?;
    let correlation_id = MessageId {
        manager: from.uuid()?,
        ordinal: from.u32()?,
    };
    let label = from.text()?;
    let body = from.bytes()?.to_vec();
    if verify && crc32c::crc32c(&from.bytes[start..from.at]) != crc {
        return Err(malformed("a message's checksum is wrong"));
    }
    Ok(Message {
        body,
        body_type,
        label,
        priority,
        delivery: if recoverable {
            Delivery::Recoverable
        } else {
            Delivery::Express
        },
        correlation_id,
        app_specific,
    })
}
