//! An entry as bytes: in pages and snapshots.

use super::codec::{Decoder, Encoder, malformed};
use super::entry::{Entry, Extra, Wishes};
use super::message::SentIn;
use crate::error::Result;
use crate::log::Position;

const HAS_EXTRA: u8 = 1;
const SAME_SEGMENT: u8 = 2;
const SAME_SIZE: u8 = 4;
const SAME_WISHES: u8 = 8;
const SAME_SENDER: u8 = 16;
/// Far above any body, and so low that sums do not overflow.
const BODY_BYTES_LIMIT: u64 = 1 << 40;

pub(super) fn encode_position(to: &mut Encoder<'_>, position: Position) {
    to.varint(position.segment.into());
    to.varint(position.offset.into());
    to.varint(position.length.into());
}

pub(super) fn decode_position(from: &mut Decoder<'_>) -> Result<Position> {
    Ok(Position {
        segment: from.varint32()?,
        offset: from.varint32()?,
        length: from.varint32()?,
    })
}

/// Without the one before it. An express entry is never written.
pub(super) fn encode(to: &mut Encoder<'_>, entry: &Entry) {
    encode_after(to, &Entry::default(), entry);
}

/// Reads what `encode` wrote.
pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Entry> {
    decode_after(from, &Entry::default())
}

/// What differs from the entry `before`: neighbours lie side by side in the log and are alike in the rest.
///
/// ```text
///  bits 1 | segment? | offset: difference to the one before in the same segment, else itself | (length, body bytes)?
///  | arrived: difference | wishes 1? | sender? | extra?
/// ```
pub(super) fn encode_after(to: &mut Encoder<'_>, before: &Entry, entry: &Entry) {
    let (at, last) = (entry.position, before.position);
    let bits = sameness(before, entry) | u8::from(entry.extra.is_some());
    to.u8(bits);
    if bits & SAME_SEGMENT == 0 {
        to.varint(at.segment.into());
        to.varint(at.offset.into());
    } else {
        to.difference(last.offset.into(), at.offset.into());
    }
    if bits & SAME_SIZE == 0 {
        to.varint(at.length.into());
        to.varint(entry.body_bytes);
    }
    to.difference(before.arrived_ms, entry.arrived_ms);
    if bits & SAME_WISHES == 0 {
        to.u8(entry.wishes.0);
    }
    if bits & SAME_SENDER == 0 {
        to.varint(entry.sender.into());
    }
    if let Some(extra) = &entry.extra {
        encode_extra(to, extra);
    }
}

fn sameness(before: &Entry, entry: &Entry) -> u8 {
    let sizes = |e: &Entry| (e.position.length, e.body_bytes);
    let bit = |same: bool, bit: u8| if same { bit } else { 0 };
    bit(
        before.position.segment == entry.position.segment,
        SAME_SEGMENT,
    ) | bit(sizes(before) == sizes(entry), SAME_SIZE)
        | bit(before.wishes == entry.wishes, SAME_WISHES)
        | bit(before.sender == entry.sender, SAME_SENDER)
}

/// Reads what `encode_after` wrote.
pub(super) fn decode_after(from: &mut Decoder<'_>, before: &Entry) -> Result<Entry> {
    let bits = from.u8()?;
    if bits & !(HAS_EXTRA | SAME_SEGMENT | SAME_SIZE | SAME_WISHES | SAME_SENDER) != 0 {
        return Err(malformed("unknown bits of an entry"));
    }
    let has = |bit: u8| bits & bit != 0;
    let (segment, offset) = if has(SAME_SEGMENT) {
        (
            before.position.segment,
            from.difference(before.position.offset.into())?,
        )
    } else {
        (from.varint32()?, from.varint()?)
    };
    let (length, body_bytes) = if has(SAME_SIZE) {
        (before.position.length, before.body_bytes)
    } else {
        (from.varint32()?, from.varint()?)
    };
    if body_bytes > BODY_BYTES_LIMIT {
        return Err(malformed("a body is larger than any can be"));
    }
    let offset = u32::try_from(offset).map_err(|_| malformed("an offset is too large"))?;
    Ok(Entry {
        position: Position {
            segment,
            offset,
            length,
        },
        body_bytes,
        arrived_ms: from.difference(before.arrived_ms)?,
        wishes: if has(SAME_WISHES) {
            before.wishes
        } else {
            Wishes(from.u8()?)
        },
        sender: if has(SAME_SENDER) {
            before.sender
        } else {
            from.varint16()?
        },
        express: false,
        extra: if has(HAS_EXTRA) {
            Some(Box::new(decode_extra(from)?))
        } else {
            None
        },
    })
}

fn encode_extra(to: &mut Encoder<'_>, extra: &Extra) {
    to.count(extra.parts.len());
    for part in &extra.parts {
        encode_position(to, *part);
    }
    to.u8(u8::from(extra.id.is_some()));
    if let Some(id) = extra.id {
        to.id(id);
    }
    to.varint(extra.class.into());
    to.text(&extra.destination);
    to.varint(extra.expires_ms);
    to.u8(u8::from(extra.correlation_id.is_some()));
    if let Some(id) = extra.correlation_id {
        to.id(id);
    }
    to.varint(extra.abort_count.into());
    to.varint(extra.delivery_count.into());
    to.varint(extra.move_count.into());
    to.varint(extra.last_move_ms);
    to.varint(extra.retry_cycle.into());
    to.u8(u8::from(extra.transaction.is_some()));
    if let Some(sent_in) = extra.transaction {
        to.varint(sent_in.transaction);
        to.u8(u8::from(sent_in.first) | u8::from(sent_in.last) << 1);
    }
}

fn decode_extra(from: &mut Decoder<'_>) -> Result<Extra> {
    let count = from.count(3)?;
    Ok(Extra {
        content: None,
        parts: (0..count)
            .map(|_| decode_position(from))
            .collect::<Result<_>>()?,
        id: from.bool()?.then(|| from.id()).transpose()?,
        class: from.varint16()?,
        destination: from.text()?,
        expires_ms: from.varint()?,
        correlation_id: from.bool()?.then(|| from.id()).transpose()?,
        abort_count: from.varint32()?,
        delivery_count: from.varint32()?,
        move_count: from.varint32()?,
        last_move_ms: from.varint()?,
        retry_cycle: from.varint32()?,
        transaction: from.bool()?.then(|| decode_sent_in(from)).transpose()?,
    })
}

fn decode_sent_in(from: &mut Decoder<'_>) -> Result<SentIn> {
    let transaction = from.varint()?;
    let bits = from.u8()?;
    Ok(SentIn {
        transaction,
        first: bits & 1 != 0,
        last: bits & 2 != 0,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::message::MessageId;
    use super::*;

    #[test]
    fn an_entry_comes_back_with_and_without_its_extra() {
        let id = MessageId {
            manager: Uuid::from_u128(3),
            ordinal: 4,
        };
        let plain = Entry {
            position: Position {
                segment: 1,
                offset: 2,
                length: 300,
            },
            body_bytes: 1 << 30,
            arrived_ms: 1 << 41,
            sender: 7,
            express: false,
            wishes: Wishes(0x1f),
            extra: None,
        };
        let mut rich = plain.clone();
        *rich.extra_mut() = Extra {
            content: None,
            parts: vec![plain.position; 2],
            id: Some(id),
            class: 0x8002,
            destination: "d".into(),
            expires_ms: 5,
            correlation_id: Some(id),
            abort_count: 6,
            delivery_count: 9,
            move_count: 7,
            last_move_ms: 8,
            retry_cycle: 1,
            transaction: Some(SentIn {
                transaction: 3,
                first: true,
                last: false,
            }),
        };
        for entry in [plain, rich] {
            let mut bytes = Vec::new();
            encode(&mut Encoder(&mut bytes), &entry);
            let mut from = Decoder::new(&bytes);
            assert_eq!(decode(&mut from).unwrap(), entry);
            assert!(from.is_empty());
            for cut in 0..bytes.len() {
                assert!(decode(&mut Decoder::new(&bytes[..cut])).is_err());
            }
            let mut after = entry.clone();
            after.position.offset -= 1;
            bytes.clear();
            encode_after(&mut Encoder(&mut bytes), &entry, &after);
            let again = decode_after(&mut Decoder::new(&bytes), &entry).unwrap();
            assert_eq!(again, after);
        }
    }
}
