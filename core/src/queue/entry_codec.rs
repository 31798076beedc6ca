//! An entry as bytes: in pages and snapshots.

use super::codec::{Decoder, Encoder, malformed};
use super::entry::{Entry, Extra, Wishes};
use super::message::SentIn;
use crate::error::Result;
use crate::log::Position;

const HAS_EXTRA: u8 = 1;

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

/// An express entry is never written.
pub(super) fn encode(to: &mut Encoder<'_>, entry: &Entry) {
    to.u8(u8::from(entry.extra.is_some()));
    to.u8(entry.wishes.0);
    encode_position(to, entry.position);
    to.varint(entry.body_bytes);
    to.varint(entry.arrived_ms);
    to.varint(entry.sender.into());
    if let Some(extra) = &entry.extra {
        encode_extra(to, extra);
    }
}

pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Entry> {
    let bits = from.u8()?;
    if bits & !HAS_EXTRA != 0 {
        return Err(malformed("unknown bits of an entry"));
    }
    let wishes = Wishes(from.u8()?);
    Ok(Entry {
        position: decode_position(from)?,
        body_bytes: from.varint()?,
        arrived_ms: from.varint()?,
        sender: from.varint16()?,
        express: false,
        wishes,
        extra: match bits & HAS_EXTRA {
            0 => None,
            _ => Some(Box::new(decode_extra(from)?)),
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
        }
    }
}
