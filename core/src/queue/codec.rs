//! Bytes of the queue's records and messages: little-endian numbers, varints, length-prefixed texts.

use uuid::Uuid;

use super::message::MessageId;
use crate::error::{Error, ErrorKind, Result};

/// Appends values to bytes.
pub(crate) struct Encoder<'a>(pub(crate) &'a mut Vec<u8>);

impl Encoder<'_> {
    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Seven bits a byte, lowest first; the high bit says that more follow.
    pub(crate) fn varint(&mut self, value: u64) {
        let mut rest = value;
        while rest >= 0x80 {
            self.0.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push((rest & 0x7f) as u8);
    }

    /// How far `to` is from `from`, around the end of the numbers where that is nearer: near ones are short.
    pub(crate) fn difference(&mut self, from: u64, to: u64) {
        let by = to.wrapping_sub(from).cast_signed();
        self.varint(((by << 1) ^ (by >> 63)).cast_unsigned());
    }

    pub(crate) fn count(&mut self, value: usize) {
        self.varint(value as u64);
    }

    pub(crate) fn uuid(&mut self, value: Uuid) {
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn id(&mut self, id: MessageId) {
        self.uuid(id.manager);
        self.u32(id.ordinal);
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.count(value.len());
        self.0.extend_from_slice(value);
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }
}

/// Takes values off bytes; every read is checked.
pub(crate) struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count);
        let part = end.and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or_else(|| malformed("it ends too early"))?;
        self.at += count;
        Ok(part)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        let part = self.take(4)?.try_into();
        part.map(u32::from_le_bytes)
            .map_err(|_| malformed("number"))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        let part = self.take(8)?.try_into();
        part.map(u64::from_le_bytes)
            .map_err(|_| malformed("number"))
    }

    pub(crate) fn varint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(malformed("a number is too long"))
    }

    /// The number that is so far from `from`.
    pub(crate) fn difference(&mut self, from: u64) -> Result<u64> {
        let folded = self.varint()?;
        Ok(from.wrapping_add((folded >> 1) ^ (folded & 1).wrapping_neg()))
    }

    /// A varint that fits into 32 bits.
    pub(crate) fn varint32(&mut self) -> Result<u32> {
        u32::try_from(self.varint()?).map_err(|_| malformed("a number is too large"))
    }

    /// A varint that fits into 16 bits.
    pub(crate) fn varint16(&mut self) -> Result<u16> {
        u16::try_from(self.varint()?).map_err(|_| malformed("a number is too large"))
    }

    /// A count of items of at least `item_bytes` each, which the rest must have room for.
    pub(crate) fn count(&mut self, item_bytes: usize) -> Result<usize> {
        let count = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if count.saturating_mul(item_bytes.max(1)) > self.bytes.len() - self.at {
            return Err(malformed("a count is larger than its bytes"));
        }
        Ok(count)
    }

    pub(crate) fn uuid(&mut self) -> Result<Uuid> {
        Uuid::from_slice(self.take(16)?).map_err(|_| malformed("GUID"))
    }

    pub(crate) fn id(&mut self) -> Result<MessageId> {
        Ok(MessageId {
            manager: self.uuid()?,
            ordinal: self.u32()?,
        })
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let count = self.count(1)?;
        self.take(count)
    }

    pub(crate) fn str(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| malformed("a text is not UTF-8"))
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        self.str().map(str::to_owned)
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(malformed("a yes or no is neither")),
        }
    }

    pub(crate) fn end(&self) -> Result<()> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(malformed("it goes on too long"))
        }
    }
}

/// A record that has a good checksum and still makes no sense.
pub(crate) fn malformed(what: &str) -> Error {
    Error::new(
        ErrorKind::StoreDamaged,
        format!("a record of the message store cannot be read: {what}"),
    )
    .hint("was it written by a newer version?")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_varint_comes_back_and_any_bytes_are_survived(value: u64, near: u64, noise: Vec<u8>) {
            let mut bytes = Vec::new();
            Encoder(&mut bytes).varint(value);
            prop_assert_eq!(Decoder::new(&bytes).varint().unwrap(), value);
            bytes.clear();
            Encoder(&mut bytes).difference(near, value);
            prop_assert_eq!(Decoder::new(&bytes).difference(near).unwrap(), value);
            let _ = Decoder::new(&noise).varint();
            let _ = Decoder::new(&noise).difference(near);
        }
    }
}
