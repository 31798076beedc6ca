//! A leaf's entries as bytes: a page in the log, or part of a snapshot.
//!
//! ```text
//!  page:   crc32c of the rest 4 | version 1 | slots
//!  slots:  count varint | (lookup id: how much above the one before, varint | entry: what differs)*
//! ```
//!
//! A plain entry behind one of its kind takes 5 bytes.

use super::super::codec::{Decoder, Encoder, malformed};
use super::super::entry::Entry;
use super::super::entry_codec::{decode_after, encode_after};
use super::slots::Slots;
use crate::error::Result;

const VERSION: u8 = 1;
/// Bytes of the shortest entry: id, bits, offset, arrival.
const ENTRY_BYTES_MIN: usize = 4;

pub(super) fn encode(slots: &Slots) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    let mut to = Encoder(&mut bytes);
    to.u8(VERSION);
    encode_slots(&mut to, slots.len(), slots.iter());
    let crc = crc32c::crc32c(&bytes[4..]);
    bytes[..4].copy_from_slice(&crc.to_le_bytes());
    bytes
}

pub(super) fn decode(bytes: &[u8]) -> Result<Slots> {
    let mut from = Decoder::new(bytes);
    let crc = from.u32()?;
    if crc32c::crc32c(&bytes[4..]) != crc {
        return Err(malformed("the checksum of a page does not fit"));
    }
    if from.u8()? != VERSION {
        return Err(malformed("unknown version of a page"));
    }
    let slots = decode_slots(&mut from)?;
    from.end()?;
    Ok(slots)
}

/// Reads a page and writes it again: what it holds, in the form that this version gives it.
///
/// # Errors
/// `StoreDamaged` when the bytes are no page.
pub fn rewrite(bytes: &[u8]) -> Result<Vec<u8>> {
    decode(bytes).map(|slots| encode(&slots))
}

pub(super) fn encode_slots<'a>(
    to: &mut Encoder<'_>,
    count: usize,
    entries: impl Iterator<Item = (u64, &'a Entry)>,
) {
    to.count(count);
    let nothing = Entry::default();
    let mut last = (0, &nothing);
    for (id, entry) in entries {
        to.varint(id - last.0);
        encode_after(to, last.1, entry);
        last = (id, entry);
    }
}

/// At least one, rising.
pub(super) fn decode_slots(from: &mut Decoder<'_>) -> Result<Slots> {
    let count = from.count(ENTRY_BYTES_MIN)?;
    let mut slots = Slots::with_capacity(count);
    let nothing = Entry::default();
    for slot in 0..count {
        let (id, before) = match slot.checked_sub(1) {
            None => (0, &nothing),
            Some(last) => (slots.id(last), slots.entry(last)),
        };
        let above = from.varint()?;
        let entry = decode_after(from, before)?;
        let next = id.checked_add(above).filter(|_| slot == 0 || above > 0);
        slots.push(
            next.ok_or_else(|| malformed("the ids of a page do not rise"))?,
            entry,
        );
    }
    if count == 0 {
        return Err(malformed("a page is empty"));
    }
    Ok(slots)
}
