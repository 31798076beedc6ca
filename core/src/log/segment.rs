//! A segment: a preallocated file that begins with a header and is filled with batches.

use super::token::{TOKEN_BYTES, Token, u32_at, u64_at};

/// A header's and a sector's size: batches begin on a sector, so that a torn write never touches an earlier one.
pub(super) const SECTOR_BYTES: u64 = 512;
pub(super) const HEADER_BYTES: u64 = SECTOR_BYTES;
const MAGIC: &[u8; 8] = b"HAMQSEG1";
/// Version 1 knew no recycled files: it had no count of lives.
const VERSION: u32 = 2;
/// Bytes before the checksum, of version 1 and of this one.
const ENCODED_BYTES_1: usize = 8 + 4 + 2 * (4 + TOKEN_BYTES) + 8 + 8;
const ENCODED_BYTES: usize = ENCODED_BYTES_1 + 4;

/// Where some bytes of a record lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The segment's number; within the chain only one segment has it.
    pub segment: u32,
    /// Bytes from its beginning.
    pub offset: u32,
    /// How many bytes.
    pub length: u32,
}

/// The identity of a segment: its number and who wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentId {
    pub(super) number: u32,
    pub(super) token: Token,
}

impl SegmentId {
    pub(super) fn file_name(self) -> String {
        format!("{:010}-{}.seg", self.number, self.token)
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let (number, token) = name.strip_suffix(".seg")?.split_once('-')?;
        // The last number is nobody's: there is always a next one.
        let number = number.parse().ok().filter(|number| *number < u32::MAX)?;
        Some(Self {
            number,
            token: Token::parse(token)?,
        })
    }

    pub(super) fn encode(self) -> [u8; 4 + TOKEN_BYTES] {
        let mut bytes = [0; 4 + TOKEN_BYTES];
        bytes[..4].copy_from_slice(&self.number.to_le_bytes());
        bytes[4..].copy_from_slice(&self.token.encode());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        Self {
            number: u32_at(bytes, 0),
            token: Token::decode(bytes.get(4..).unwrap_or(&[])),
        }
    }
}

/// What a segment's first sector says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: SegmentId,
    /// The segment before it; number 0 for none.
    pub(super) previous: SegmentId,
    /// Where reading of the previous one ends: nothing beyond was ever part of the log.
    pub(super) previous_end: u64,
    /// The number of the first batch in this segment.
    pub(super) first_batch: u64,
    /// How often the file was a segment before: if ever, old batches lie where none was written since.
    pub(super) lives: u32,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENCODED_BYTES + 4);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.id.encode());
        bytes.extend_from_slice(&self.previous.encode());
        bytes.extend_from_slice(&self.previous_end.to_le_bytes());
        bytes.extend_from_slice(&self.first_batch.to_le_bytes());
        bytes.extend_from_slice(&self.lives.to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// `None` when there is no valid header: a segment that was prepared and never begun.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let length = match u32_at(bytes, 8) {
            1 => ENCODED_BYTES_1,
            VERSION => ENCODED_BYTES,
            _ => return None,
        };
        let body = bytes.get(..length)?;
        let valid = &body[..8] == MAGIC && u32_at(bytes, length) == crc32c::crc32c(body);
        valid.then(|| Self {
            id: SegmentId::decode(&body[12..]),
            previous: SegmentId::decode(&body[32..]),
            previous_end: u64_at(body, 52),
            first_batch: u64_at(body, 60),
            lives: u32_at(body, ENCODED_BYTES_1),
        })
    }

    /// The version of a header that a later version of this program wrote.
    pub(super) fn newer_version(bytes: &[u8]) -> Option<u32> {
        let version = u32_at(bytes, 8);
        (bytes.starts_with(MAGIC) && version > VERSION).then_some(version)
    }
}

/// The next beginning of a sector.
pub(super) const fn align(offset: u64) -> u64 {
    offset.div_ceil(SECTOR_BYTES) * SECTOR_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_any_flipped_bit_is_noticed() {
        let id = |number| SegmentId {
            number,
            token: Token {
                epoch: 5,
                incarnation: 6,
                nonce: 7,
            },
        };
        let header = Header {
            id: id(3),
            previous: id(2),
            previous_end: 4096,
            first_batch: 99,
            lives: 4,
        };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Some(header));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert_eq!(Header::decode(&bad), None);
        }
        let mut newer = bytes;
        newer[8] = 3;
        assert_eq!(Header::newer_version(&newer), Some(3));
        assert_eq!(SegmentId::parse(&id(3).file_name()), Some(id(3)));
    }
}
