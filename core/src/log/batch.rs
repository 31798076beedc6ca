//! A batch: the records of one sync, checked as one.
//!
//! ```text
//!  magic 4 | records 4 | token 16 | batch number 8 | payload bytes 4 | crc32c of all else 4 | payload
//!  payload = (length 4 | bytes) per record
//! ```

use super::segment::{HEADER_BYTES, Header, align};
use super::token::{TOKEN_BYTES, Token, u32_at, u64_at};

pub(super) const BATCH_HEADER_BYTES: usize = 4 + 4 + TOKEN_BYTES + 8 + 4 + 4;
pub(super) const RECORD_HEADER_BYTES: usize = 4;
const MAGIC: u32 = 0x4854_4142; // "BATH"
const CRC_AT: usize = BATCH_HEADER_BYTES - 4;

/// Room before the batch for the header of its segment, so that both go out in one write.
const ROOM_BYTES: usize = HEADER_BYTES as usize;

/// Memory that is kept for the next batch; one that was larger gives it back.
const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The memory of what goes out begins at a multiple of this, so that the disk can fetch it from there by itself
/// (see [`crate::sys::disk::DiskFile::write_at`]).
const MEMORY_BYTES: usize = 4096;

/// A batch in the making; its memory is used again and again.
#[derive(Default)]
pub(super) struct Batch {
    /// Nothing up to `start`, then room for a segment's header, the batch, and the rest of its last sector.
    bytes: Vec<u8>,
    start: usize,
    padding: usize,
    count: u32,
}

impl Batch {
    /// Adds the record that `write` appends; gives where its bytes begin in the batch, and how many they are.
    pub(super) fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> (usize, usize) {
        if self.bytes.is_empty() {
            self.start = misalignment(&self.bytes);
            self.bytes
                .resize(self.start + ROOM_BYTES + BATCH_HEADER_BYTES, 0);
        }
        let length_at = self.bytes.len();
        let start = length_at + RECORD_HEADER_BYTES;
        self.bytes.resize(start, 0);
        write(&mut self.bytes);
        assert!(self.bytes.len() >= start, "a record is only appended");
        let length = self.bytes.len() - start;
        let encoded = u32::try_from(length).unwrap_or(u32::MAX);
        self.bytes[length_at..start].copy_from_slice(&encoded.to_le_bytes());
        self.count += 1;
        (start - self.start - ROOM_BYTES, length)
    }

    /// Where the next record's bytes will begin, from the batch's beginning.
    pub(super) fn next_record_at(&self) -> usize {
        self.length() + RECORD_HEADER_BYTES
    }

    /// Bytes of the batch so far, its header included.
    pub(super) fn length(&self) -> usize {
        let used = self.bytes.len() - self.start - self.padding;
        used.max(ROOM_BYTES + BATCH_HEADER_BYTES) - ROOM_BYTES
    }

    /// The batch without the rest of its last sector.
    fn batch_mut(&mut self) -> &mut [u8] {
        let begin = self.start + ROOM_BYTES;
        let end = begin + self.length();
        &mut self.bytes[begin..end]
    }

    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Completes the batch; no record is added any more.
    pub(super) fn seal(&mut self, token: Token, number: u64) {
        let count = self.count;
        let batch = self.batch_mut();
        let payload = u32::try_from(batch.len() - BATCH_HEADER_BYTES).unwrap_or(u32::MAX);
        batch[..4].copy_from_slice(&MAGIC.to_le_bytes());
        batch[4..8].copy_from_slice(&count.to_le_bytes());
        batch[8..24].copy_from_slice(&token.encode());
        batch[24..32].copy_from_slice(&number.to_le_bytes());
        batch[32..36].copy_from_slice(&payload.to_le_bytes());
    }

    /// Sets the checksum of a sealed batch and makes it whole sectors: the costly part, which needs nothing but the
    /// bytes.
    pub(super) fn check(&mut self) {
        let batch = self.batch_mut();
        let crc = checksum(batch);
        batch[CRC_AT..BATCH_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        self.padding = padding(self.length());
        self.bytes.resize(self.bytes.len() + self.padding, 0);
        self.realign();
    }

    /// Moves all to where the memory is aligned; it is not after the memory has grown.
    fn realign(&mut self) {
        let aligned = misalignment(&self.bytes);
        let used = self.bytes.len() - self.start;
        if aligned == self.start || aligned + used > self.bytes.capacity() {
            return; // it may go out from anywhere, only with more work
        }
        self.bytes.resize((aligned + used).max(self.bytes.len()), 0);
        self.bytes
            .copy_within(self.start..self.start + used, aligned);
        self.bytes.truncate(aligned + used);
        self.start = aligned;
    }

    /// The bytes of a sealed and checked batch, in whole sectors.
    pub(super) fn sectors(&self) -> &[u8] {
        self.bytes.get(self.start + ROOM_BYTES..).unwrap_or(&[])
    }

    /// The header of the batch's segment and the batch right behind it, in whole sectors.
    pub(super) fn sectors_behind(&mut self, header: &Header) -> &[u8] {
        let all = &mut self.bytes[self.start..];
        all[..ROOM_BYTES].fill(0);
        let header = header.encode();
        all[..header.len()].copy_from_slice(&header);
        all
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        (self.start, self.padding, self.count) = (0, 0, 0);
    }
}

/// Bytes from the beginning of the memory to where it is aligned.
fn misalignment(bytes: &[u8]) -> usize {
    let offset = bytes.as_ptr().align_offset(MEMORY_BYTES);
    if offset < MEMORY_BYTES { offset } else { 0 }
}

/// Bytes that a batch of `length` bytes leaves of its last sector.
fn padding(length: usize) -> usize {
    usize::try_from(align(length as u64)).map_or(0, |whole| whole - length)
}

fn checksum(bytes: &[u8]) -> u32 {
    let head = crc32c::crc32c(&bytes[..CRC_AT]);
    crc32c::crc32c_append(head, &bytes[BATCH_HEADER_BYTES..])
}

/// What a batch says of itself in its first bytes, unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) length: usize,
}

/// The batch of `token` that `bytes` begin, by what it says itself.
pub(super) fn head(bytes: &[u8], token: Token) -> Option<Head> {
    let head = bytes.get(..BATCH_HEADER_BYTES)?;
    if u32_at(head, 0) != MAGIC || Token::decode(&head[8..]) != token {
        return None;
    }
    let payload = usize::try_from(u32_at(head, 32)).ok()?;
    // The last number is nobody's: there is always a next one.
    let number = Some(u64_at(head, 24)).filter(|number| *number < u64::MAX)?;
    Some(Head {
        number,
        length: BATCH_HEADER_BYTES.checked_add(payload)?,
    })
}

/// A batch that was read and is whole.
pub(super) struct Read<'a> {
    pub(super) number: u64,
    pub(super) length: usize,
    payload: &'a [u8],
}

/// The whole batch of `token` at the beginning of `bytes`, if there is one.
pub(super) fn read(bytes: &[u8], token: Token) -> Option<Read<'_>> {
    let Head { number, length } = head(bytes, token)?;
    let whole = bytes.get(..length)?;
    (checksum(whole) == u32_at(whole, CRC_AT)).then(|| Read {
        number,
        length,
        payload: &whole[BATCH_HEADER_BYTES..],
    })
}

impl<'a> Read<'a> {
    /// Each record, with where it begins from the batch's beginning.
    pub(super) const fn records(&self) -> Records<'a> {
        Records {
            payload: self.payload,
            at: 0,
        }
    }
}

/// The records of a batch, in order.
pub(super) struct Records<'a> {
    payload: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at + RECORD_HEADER_BYTES;
        if start > self.payload.len() {
            return None;
        }
        let length = u32_at(self.payload, self.at) as usize;
        let record = self.payload.get(start..start.checked_add(length)?)?;
        self.at = start + length;
        Some((BATCH_HEADER_BYTES + start, record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(batch: &mut Batch, record: &[u8]) -> (usize, usize) {
        batch.record(|to| to.extend_from_slice(record))
    }

    #[test]
    fn a_batch_comes_back_only_whole_and_only_for_its_token() {
        let token = Token {
            epoch: 1,
            incarnation: 2,
            nonce: 3,
        };
        let mut batch = Batch::default();
        let at = batch.next_record_at();
        assert_eq!(push(&mut batch, b"one"), (at, 3));
        push(&mut batch, b"");
        push(&mut batch, b"three");
        batch.seal(token, 7);
        batch.check();
        let bytes = batch.sectors()[..batch.length()].to_vec();
        assert_eq!(batch.sectors().len() % 512, 0);
        let back = read(&bytes, token).unwrap();
        assert_eq!((back.number, back.length), (7, bytes.len()));
        let records: Vec<&[u8]> = back.records().map(|r| r.1).collect();
        assert_eq!(records, [b"one".as_slice(), b"", b"three"]);
        assert_eq!(back.records().next().unwrap().0, at);
        assert!(read(&bytes, Token::default()).is_none());
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 4;
            assert!(read(&bad, token).is_none(), "byte {at}");
            assert!(read(&bytes[..at], token).is_none());
        }
    }

    #[test]
    fn a_batch_goes_out_from_aligned_memory_also_when_it_has_grown() {
        let mut batch = Batch::default();
        for round in 0..3 {
            for size in [10, 5_000, 100_000, 3_000_000] {
                push(&mut batch, &vec![round; size]);
            }
            batch.seal(Token::default(), 1);
            let length = batch.length();
            batch.check();
            assert_eq!(batch.length(), length);
            let bytes = batch.sectors();
            assert!(read(bytes, Token::default()).is_some_and(|read| read.length == length));
            assert!(round == 0 || bytes.as_ptr().align_offset(512) == 0);
            batch.clear();
        }
    }

    #[test]
    fn the_memory_of_a_batch_is_kept_unless_it_was_huge() {
        let mut batch = Batch::default();
        push(&mut batch, &vec![1; 100_000]);
        batch.clear();
        assert!(batch.is_empty() && batch.bytes.capacity() >= 100_000);
        push(&mut batch, &vec![1; 3 * KEPT_BYTES_MAX]);
        batch.clear();
        assert!(batch.bytes.capacity() <= KEPT_BYTES_MAX);
    }
}
