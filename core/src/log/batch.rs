//! A batch: the records of one sync, checked as one.
//!
//! ```text
//!  magic 4 | records 4 | token 16 | batch number 8 | payload bytes 4 | crc32c of all else 4 | payload
//!  payload = (length 4 | bytes) per record
//! ```

use super::token::{TOKEN_BYTES, Token, u32_at, u64_at};

pub(super) const BATCH_HEADER_BYTES: usize = 4 + 4 + TOKEN_BYTES + 8 + 4 + 4;
pub(super) const RECORD_HEADER_BYTES: usize = 4;
const MAGIC: u32 = 0x4854_4142; // "BATH"
const CRC_AT: usize = BATCH_HEADER_BYTES - 4;

/// A batch in the making.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    count: u32,
}

impl Batch {
    pub(super) fn push(&mut self, record: &[u8]) {
        if self.bytes.is_empty() {
            self.bytes.resize(BATCH_HEADER_BYTES, 0);
        }
        let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(record);
        self.count += 1;
    }

    /// Where the next record's bytes will begin, from the batch's beginning.
    pub(super) fn next_record_at(&self) -> usize {
        self.bytes.len().max(BATCH_HEADER_BYTES) + RECORD_HEADER_BYTES
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bytes to write.
    pub(super) fn seal(&mut self, token: Token, number: u64) -> &[u8] {
        let payload = u32::try_from(self.bytes.len() - BATCH_HEADER_BYTES).unwrap_or(u32::MAX);
        self.bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        self.bytes[4..8].copy_from_slice(&self.count.to_le_bytes());
        self.bytes[8..24].copy_from_slice(&token.encode());
        self.bytes[24..32].copy_from_slice(&number.to_le_bytes());
        self.bytes[32..36].copy_from_slice(&payload.to_le_bytes());
        let crc = checksum(&self.bytes);
        self.bytes[CRC_AT..BATCH_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        &self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    let head = crc32c::crc32c(&bytes[..CRC_AT]);
    crc32c::crc32c_append(head, &bytes[BATCH_HEADER_BYTES..])
}

/// A batch that was read and is whole.
pub(super) struct Read<'a> {
    pub(super) number: u64,
    pub(super) length: usize,
    payload: &'a [u8],
}

/// Bytes of the batch of `token` that `head` begins, by what it says itself.
pub(super) fn length(head: &[u8], token: Token) -> Option<usize> {
    let head = head.get(..BATCH_HEADER_BYTES)?;
    if u32_at(head, 0) != MAGIC || Token::decode(&head[8..]) != token {
        return None;
    }
    BATCH_HEADER_BYTES.checked_add(usize::try_from(u32_at(head, 32)).ok()?)
}

/// The whole batch of `token` at the beginning of `bytes`, if there is one.
pub(super) fn read(bytes: &[u8], token: Token) -> Option<Read<'_>> {
    let length = length(bytes, token)?;
    let whole = bytes.get(..length)?;
    (checksum(whole) == u32_at(whole, CRC_AT)).then(|| Read {
        number: u64_at(whole, 24),
        length,
        payload: &whole[BATCH_HEADER_BYTES..],
    })
}

impl<'a> Read<'a> {
    /// Each record, with where it begins from the batch's beginning.
    pub(super) fn records(&self) -> Vec<(usize, &'a [u8])> {
        let mut at = 0;
        let mut records = Vec::new();
        while at + RECORD_HEADER_BYTES <= self.payload.len() {
            let length = u32_at(self.payload, at) as usize;
            let start = at + RECORD_HEADER_BYTES;
            let Some(record) = self.payload.get(start..start + length) else {
                break;
            };
            records.push((BATCH_HEADER_BYTES + start, record));
            at = start + length;
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_comes_back_only_whole_and_only_for_its_token() {
        let token = Token {
            epoch: 1,
            incarnation: 2,
            nonce: 3,
        };
        let mut batch = Batch::default();
        let at = batch.next_record_at();
        batch.push(b"one");
        batch.push(b"");
        batch.push(b"three");
        let bytes = batch.seal(token, 7).to_vec();
        let back = read(&bytes, token).unwrap();
        assert_eq!((back.number, back.length), (7, bytes.len()));
        let records: Vec<&[u8]> = back.records().iter().map(|r| r.1).collect();
        assert_eq!(records, [b"one".as_slice(), b"", b"three"]);
        assert_eq!(back.records()[0].0, at);
        assert!(read(&bytes, Token::default()).is_none());
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 4;
            assert!(read(&bad, token).is_none(), "byte {at}");
            assert!(read(&bytes[..at], token).is_none());
        }
    }
}
