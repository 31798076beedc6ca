//! The part of protobuf's encoding that etcd's messages use: varints, and fields of bytes.
//!
//! A message is a sequence of fields, each a key (`number << 3 | kind`) and a value. Unknown fields are
//! passed over, as the format demands. Nothing here trusts a length.

use bytes::{BufMut, Bytes, BytesMut};

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// The bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of etcd is malformed")]
pub(super) struct Malformed;

/// A message being written. Values that are zero or empty are left out, as proto3 does.
#[derive(Clone, Debug, Default)]
pub(super) struct Writer(BytesMut);

impl Writer {
    pub(super) fn number(mut self, field: u64, value: u64) -> Self {
        if value != 0 {
            self.number_always(field, value);
        }
        self
    }

    /// Also zero: for a member of a `oneof`, whose presence says something.
    pub(super) fn chosen(mut self, field: u64, value: u64) -> Self {
        self.number_always(field, value);
        self
    }

    fn number_always(&mut self, field: u64, value: u64) {
        self.varint(field << 3 | VARINT);
        self.varint(value);
    }

    pub(super) fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        if !value.is_empty() {
            self.bytes_always(field, value);
        }
        self
    }

    /// A message inside, also an empty one.
    pub(super) fn message(mut self, field: u64, value: &Self) -> Self {
        self.bytes_always(field, &value.0);
        self
    }

    fn bytes_always(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | BYTES);
        self.varint(value.len() as u64);
        self.0.put_slice(value);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.put_u8((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        self.0.put_u8(value as u8);
    }

    pub(super) fn finish(self) -> Bytes {
        self.0.freeze()
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    Bytes(Bytes),
    /// Of a kind that none of our messages uses.
    Other,
}

impl Value {
    pub(super) fn number(&self) -> Result<u64, Malformed> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Bytes(_) | Self::Other => Err(Malformed),
        }
    }

    pub(super) fn flag(&self) -> Result<bool, Malformed> {
        Ok(self.number()? != 0)
    }

    pub(super) fn bytes(&self) -> Result<Bytes, Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Number(_) | Self::Other => Err(Malformed),
        }
    }

    pub(super) fn text(&self) -> Result<String, Malformed> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Malformed)
    }
}

/// The fields of a message, one after the other.
pub(super) struct Reader(Bytes);

impl Reader {
    pub(super) const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The next field; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            VARINT => Value::Number(self.varint()?),
            BYTES => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Value::Bytes(self.take(length)?)
            }
            FIXED64 => self.take(8).map(|_| Value::Other)?,
            FIXED32 => self.take(4).map(|_| Value::Other)?,
            _ => return Err(Malformed),
        };
        Ok(Some((key >> 3, value)))
    }

    fn take(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if length > self.0.len() {
            return Err(Malformed);
        }
        Ok(self.0.split_to(length))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let part = u64::from(byte & 0x7F);
            if shift == 63 && part > 1 {
                return Err(Malformed);
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let inner = Writer::default().chosen(1, 0);
        let bytes = Writer::default()
            .number(1, u64::MAX)
            .number(2, 0)
            .bytes(3, b"key")
            .message(64, &inner)
            .finish();
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.next(), Ok(Some((1, Value::Number(u64::MAX)))));
        assert_eq!(
            reader.next(),
            Ok(Some((3, Value::Bytes(Bytes::from_static(b"key")))))
        );
        let (field, value) = reader.next().unwrap().unwrap();
        assert_eq!(field, 64);
        let mut inner = Reader::new(value.bytes().unwrap());
        assert_eq!(inner.next(), Ok(Some((1, Value::Number(0)))));
        assert_eq!(reader.next(), Ok(None));
    }

    #[test]
    fn the_bytes_are_those_of_the_published_example() {
        // "Protocol Buffers, Encoding": field 1 = 150, field 2 = "testing".
        let bytes = Writer::default().number(1, 150).bytes(2, b"testing");
        let published = b"\x08\x96\x01\x12\x07testing";
        assert_eq!(&bytes.finish()[..], published);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let mut reader = Reader::new(Bytes::from(bytes));
            while let Ok(Some((_, value))) = reader.next() {
                let _ = (value.number(), value.text());
            }
        }
    }
}
