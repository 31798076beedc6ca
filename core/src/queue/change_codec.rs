//! Effects as bytes. Drawn in docs/format.md.

use uuid::Uuid;

use super::codec::{Decoder, Encoder, malformed};
use super::encoded::Encoded;
use super::entry::Wishes;
use super::entry_codec::{decode_position, encode_position};
use super::message::SentIn;
use super::property_codec::{
    decode_access, decode_machine, decode_properties, encode_access, encode_machine,
    encode_properties,
};
use super::request::{BranchId, QueueKind, RequestId};
use crate::error::Result;

use super::change::{Arrival, Content, Counts, Effect, Part, Tell};

pub(super) fn decode_request(from: &mut Decoder<'_>, client: Option<Uuid>) -> Result<RequestId> {
    let sequence = from.varint()?;
    let behind = from.varint()?;
    Ok(RequestId {
        client: client.ok_or_else(|| malformed("a client that was never named"))?,
        sequence,
        acknowledged: sequence.saturating_sub(behind),
    })
}

pub(super) fn encode_tell(to: &mut Encoder<'_>, tell: Tell) {
    match tell {
        Tell::Done => to.u8(0),
        Tell::Sent => to.u8(1),
        Tell::Queue(number) => {
            to.u8(2);
            to.varint(number.into());
        }
        Tell::Message => to.u8(3),
        Tell::Messages => to.u8(4),
        Tell::SentBefore(lookup_id) => {
            to.u8(5);
            to.u64(lookup_id);
        }
        Tell::SentEach => to.u8(6),
    }
}

pub(super) fn decode_tell(from: &mut Decoder<'_>) -> Result<Tell> {
    Ok(match from.u8()? {
        0 => Tell::Done,
        1 => Tell::Sent,
        2 => Tell::Queue(from.varint32()?),
        3 => Tell::Message,
        4 => Tell::Messages,
        5 => Tell::SentBefore(from.u64()?),
        6 => Tell::SentEach,
        _ => return Err(malformed("unknown outcome")),
    })
}

/// The priority and the counter apart: the counter alone is short.
fn encode_place(to: &mut Encoder<'_>, lookup_id: u64) {
    to.u8((lookup_id >> 56) as u8);
    to.varint(lookup_id & ((1 << 56) - 1));
}

fn decode_place(from: &mut Decoder<'_>) -> Result<u64> {
    let priority = u64::from(from.u8()?);
    let counter = from.varint()?;
    if counter >> 56 != 0 {
        return Err(malformed("a lookup id is too large"));
    }
    Ok(priority << 56 | counter)
}

fn part(start: usize, from: usize, to: usize) -> Part {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (number(from - start), number(to - from))
}

pub(super) fn encode_effect(
    to: &mut Encoder<'_>,
    start: usize,
    parts: &mut Vec<Part>,
    effect: &Effect,
) {
    match effect {
        Effect::Arrive(arrival) => {
            to.u8(1);
            encode_arrival(to, start, parts, arrival);
        }
        Effect::Leave { queue, lookup_id } => {
            to.u8(2);
            encode_message(to, *queue, *lookup_id);
        }
        Effect::Copy {
            queue,
            lookup_id,
            to: target,
            class,
        } => {
            to.u8(3);
            encode_message(to, *queue, *lookup_id);
            to.varint((*target).into());
            to.varint((*class).into());
        }
        Effect::Move {
            queue,
            lookup_id,
            to: target,
            due_ms,
            counts,
        } => {
            to.u8(4);
            encode_message(to, *queue, *lookup_id);
            to.varint((*target).into());
            to.varint(*due_ms);
            encode_counts(to, *counts);
        }
        Effect::Count {
            queue,
            lookup_id,
            counts,
        } => {
            to.u8(5);
            encode_message(to, *queue, *lookup_id);
            encode_counts(to, *counts);
        }
        Effect::Relocate {
            queue,
            lookup_id,
            part: number,
            bytes,
        } => {
            to.u8(6);
            encode_message(to, *queue, *lookup_id);
            to.varint((*number).into());
            encode_bytes(to, start, parts, bytes);
        }
        other => encode_collected(to, start, parts, other),
    }
}

/// Effects on what belongs together: parts of a body, a prepared transaction.
fn encode_collected(to: &mut Encoder<'_>, start: usize, parts: &mut Vec<Part>, effect: &Effect) {
    match effect {
        Effect::Part {
            client,
            body,
            bytes,
        } => {
            to.u8(7);
            to.uuid(*client);
            to.varint(*body);
            encode_bytes(to, start, parts, bytes);
        }
        Effect::Parts { client, body } => {
            to.u8(8);
            to.uuid(*client);
            to.varint(*body);
        }
        Effect::Prepare {
            branch,
            taken,
            effects,
        } => {
            to.u8(9);
            to.bytes(&branch.0);
            to.count(taken.len());
            for (queue, lookup_id) in taken {
                encode_message(to, *queue, *lookup_id);
            }
            to.count(effects.len());
            for effect in effects {
                encode_effect(to, start, parts, effect);
            }
        }
        Effect::Resolved { branch } => {
            to.u8(10);
            to.bytes(&branch.0);
        }
        other => encode_rare(to, other),
    }
}

/// Effects on the queue manager and its queues.
fn encode_rare(to: &mut Encoder<'_>, effect: &Effect) {
    match effect {
        Effect::Store { guid } => {
            to.u8(32);
            to.uuid(*guid);
        }
        Effect::Reserve { counter } => {
            to.u8(33);
            to.varint(*counter);
        }
        Effect::Client { number, client } => {
            to.u8(34);
            to.varint((*number).into());
            to.uuid(*client);
        }
        Effect::Principal { number, name } => {
            to.u8(35);
            to.varint((*number).into());
            to.text(name);
        }
        Effect::Create {
            queue,
            name,
            kind,
            properties,
            access,
        } => {
            to.u8(36);
            to.varint((*queue).into());
            to.text(name);
            to.u8(kind_number(*kind));
            encode_properties(to, properties);
            encode_access(to, access);
        }
        Effect::Configure { queue, properties } => {
            to.u8(37);
            to.varint((*queue).into());
            encode_properties(to, properties);
        }
        Effect::Permit { queue, access } => {
            to.u8(38);
            to.varint((*queue).into());
            encode_access(to, access);
        }
        Effect::Machine { properties } => {
            to.u8(39);
            encode_machine(to, properties);
        }
        Effect::Delete { queue } => {
            to.u8(40);
            to.varint((*queue).into());
        }
        Effect::Purge { queue, held } => {
            to.u8(41);
            to.varint((*queue).into());
            to.count(held.len());
            held.iter().for_each(|id| to.u64(*id));
        }
        Effect::Fault { queue, lookup_id } => {
            to.u8(42);
            encode_message(to, *queue, *lookup_id);
        }
        // Those of single messages were written by `encode_effect`.
        _ => {}
    }
}

/// Effects of a prepared transaction are one level deep.
pub(super) fn decode_effect(
    from: &mut Decoder<'_>,
    parts: &mut Vec<Part>,
    depth: u8,
) -> Result<Effect> {
    Ok(match from.u8()? {
        1 => Effect::Arrive(Box::new(decode_arrival(from, parts)?)),
        2 => {
            let (queue, lookup_id) = decode_message(from)?;
            Effect::Leave { queue, lookup_id }
        }
        3 => {
            let (queue, lookup_id) = decode_message(from)?;
            Effect::Copy {
                queue,
                lookup_id,
                to: from.varint32()?,
                class: from.varint16()?,
            }
        }
        4 => {
            let (queue, lookup_id) = decode_message(from)?;
            Effect::Move {
                queue,
                lookup_id,
                to: from.varint32()?,
                due_ms: from.varint()?,
                counts: decode_counts(from)?,
            }
        }
        5 => {
            let (queue, lookup_id) = decode_message(from)?;
            Effect::Count {
                queue,
                lookup_id,
                counts: decode_counts(from)?,
            }
        }
        6 => {
            let (queue, lookup_id) = decode_message(from)?;
            Effect::Relocate {
                queue,
                lookup_id,
                part: from.varint32()?,
                bytes: decode_bytes(from, parts)?,
            }
        }
        7 => Effect::Part {
            client: from.uuid()?,
            body: from.varint()?,
            bytes: decode_bytes(from, parts)?,
        },
        8 => Effect::Parts {
            client: from.uuid()?,
            body: from.varint()?,
        },
        9 if depth == 0 => decode_prepare(from, parts)?,
        10 => Effect::Resolved {
            branch: BranchId(from.bytes()?.to_vec()),
        },
        rare => decode_rare(from, rare)?,
    })
}

/// Appends a single effect, for a snapshot.
pub(super) fn encode_one(out: &mut Vec<u8>, effect: &Effect) {
    let start = out.len();
    encode_effect(&mut Encoder(out), start, &mut Vec::new(), effect);
}

/// Reads what `encode_one` wrote.
pub(super) fn decode_one(bytes: &[u8]) -> Result<Effect> {
    decode_effect(&mut Decoder::new(bytes), &mut Vec::new(), 0)
}

fn decode_prepare(from: &mut Decoder<'_>, parts: &mut Vec<Part>) -> Result<Effect> {
    let branch = BranchId(from.bytes()?.to_vec());
    let count = from.count(3)?;
    let taken = (0..count).map(|_| decode_message(from));
    let taken = taken.collect::<Result<_>>()?;
    let count = from.count(1)?;
    let effects = (0..count).map(|_| decode_effect(from, parts, 1));
    Ok(Effect::Prepare {
        branch,
        taken,
        effects: effects.collect::<Result<_>>()?,
    })
}

fn decode_rare(from: &mut Decoder<'_>, tag: u8) -> Result<Effect> {
    Ok(match tag {
        32 => Effect::Store { guid: from.uuid()? },
        33 => Effect::Reserve {
            counter: from.varint()?,
        },
        34 => Effect::Client {
            number: from.varint32()?,
            client: from.uuid()?,
        },
        35 => Effect::Principal {
            number: from.varint16()?,
            name: from.text()?,
        },
        36 => Effect::Create {
            queue: from.varint32()?,
            name: from.text()?,
            kind: kind_of(from.u8()?)?,
            properties: Box::new(decode_properties(from)?),
            access: decode_access(from)?,
        },
        37 => Effect::Configure {
            queue: from.varint32()?,
            properties: Box::new(decode_properties(from)?),
        },
        38 => Effect::Permit {
            queue: from.varint32()?,
            access: decode_access(from)?,
        },
        39 => Effect::Machine {
            properties: decode_machine(from)?,
        },
        40 => Effect::Delete {
            queue: from.varint32()?,
        },
        41 => Effect::Purge {
            queue: from.varint32()?,
            held: {
                let count = from.count(8)?;
                (0..count).map(|_| from.u64()).collect::<Result<_>>()?
            },
        },
        42 => {
            let (queue, lookup_id) = decode_message(from)?;
            Effect::Fault { queue, lookup_id }
        }
        _ => return Err(malformed("unknown effect")),
    })
}

const KINDS: [QueueKind; 8] = [
    QueueKind::Private,
    QueueKind::Journal,
    QueueKind::Subqueue,
    QueueKind::MachineJournal,
    QueueKind::DeadLetter,
    QueueKind::TransactionalDeadLetter,
    QueueKind::Internal,
    QueueKind::Outgoing,
];

pub(super) fn kind_number(kind: QueueKind) -> u8 {
    let at = KINDS.iter().position(|k| *k == kind).unwrap_or_default();
    u8::try_from(at).unwrap_or_default()
}

pub(super) fn kind_of(number: u8) -> Result<QueueKind> {
    let kind = KINDS.get(usize::from(number)).copied();
    kind.ok_or_else(|| malformed("unknown kind of a queue"))
}

fn encode_message(to: &mut Encoder<'_>, queue: u32, lookup_id: u64) {
    to.varint(queue.into());
    encode_place(to, lookup_id);
}

fn decode_message(from: &mut Decoder<'_>) -> Result<(u32, u64)> {
    Ok((from.varint32()?, decode_place(from)?))
}

fn encode_counts(to: &mut Encoder<'_>, counts: Counts) {
    to.varint(counts.abort_count.into());
    to.varint(counts.delivery_count.into());
    to.varint(counts.retry_cycle.into());
}

fn decode_counts(from: &mut Decoder<'_>) -> Result<Counts> {
    Ok(Counts {
        abort_count: from.varint32()?,
        delivery_count: from.varint32()?,
        retry_cycle: from.varint32()?,
    })
}

fn encode_bytes(to: &mut Encoder<'_>, start: usize, parts: &mut Vec<Part>, bytes: &[u8]) {
    to.count(bytes.len());
    let at = to.0.len();
    to.0.extend_from_slice(bytes);
    parts.push(part(start, at, to.0.len()));
}

fn decode_bytes(from: &mut Decoder<'_>, parts: &mut Vec<Part>) -> Result<bytes::Bytes> {
    let bytes = from.bytes()?;
    parts.push(part(0, from.at() - bytes.len(), from.at()));
    Ok(bytes::Bytes::copy_from_slice(bytes))
}

// What an arrival has, as bits; what few have is left out.
const STORED: u64 = 1;
const SENDER: u64 = 2;
const WISHES: u64 = 4;
const EXPIRES: u64 = 8;
const DUE: u64 = 16;
const CORRELATION: u64 = 32;
const CLASS: u64 = 64;
const PARTS: u64 = 128;
const TRANSACTION: u64 = 256;
const KEY: u64 = 512;
const ALL_BITS: u64 = 1023;

fn bits(arrival: &Arrival) -> u64 {
    let has = |yes: bool, bit: u64| if yes { bit } else { 0 };
    has(matches!(arrival.content, Content::Stored(_)), STORED)
        | has(arrival.sender != 0, SENDER)
        | has(arrival.wishes != WISHES_DEFAULT, WISHES)
        | has(arrival.expires_ms != 0, EXPIRES)
        | has(arrival.due_ms != 0, DUE)
        | has(arrival.correlation_id.is_some(), CORRELATION)
        | has(arrival.class != 0, CLASS)
        | has(!arrival.parts.is_empty(), PARTS)
        | has(arrival.transaction.is_some(), TRANSACTION)
        | has(!arrival.key.is_empty(), KEY)
}

/// Dead letters are wanted, nothing else.
const WISHES_DEFAULT: Wishes = Wishes(0x10);

fn encode_arrival(to: &mut Encoder<'_>, start: usize, parts: &mut Vec<Part>, arrival: &Arrival) {
    encode_message(to, arrival.queue, arrival.lookup_id);
    let bits = bits(arrival);
    to.varint(bits);
    to.varint(arrival.body_bytes);
    if bits & SENDER != 0 {
        to.varint(arrival.sender.into());
    }
    if bits & WISHES != 0 {
        to.u8(arrival.wishes.0);
    }
    if bits & EXPIRES != 0 {
        to.varint(arrival.expires_ms);
    }
    if bits & DUE != 0 {
        to.varint(arrival.due_ms);
    }
    if let Some(id) = arrival.correlation_id {
        to.id(id);
    }
    if bits & CLASS != 0 {
        to.varint(arrival.class.into());
    }
    if bits & PARTS != 0 {
        to.count(arrival.parts.len());
        arrival.parts.iter().for_each(|p| encode_position(to, *p));
    }
    if let Some(sent_in) = arrival.transaction {
        to.varint(sent_in.transaction);
        to.u8(u8::from(sent_in.first) | u8::from(sent_in.last) << 1);
    }
    if bits & KEY != 0 {
        to.bytes(&arrival.key);
    }
    match &arrival.content {
        Content::New(message) => encode_bytes(to, start, parts, message.as_bytes()),
        Content::Stored(position) => encode_position(to, *position),
    }
}

fn decode_arrival(from: &mut Decoder<'_>, parts: &mut Vec<Part>) -> Result<Arrival> {
    let (queue, lookup_id) = decode_message(from)?;
    let bits = from.varint()?;
    if bits & !ALL_BITS != 0 {
        return Err(malformed("unknown bits of an arrival"));
    }
    let has = |bit: u64| bits & bit != 0;
    Ok(Arrival {
        queue,
        lookup_id,
        body_bytes: from.varint()?,
        sender: if has(SENDER) { from.varint16()? } else { 0 },
        wishes: if has(WISHES) {
            Wishes(from.u8()?)
        } else {
            WISHES_DEFAULT
        },
        expires_ms: if has(EXPIRES) { from.varint()? } else { 0 },
        due_ms: if has(DUE) { from.varint()? } else { 0 },
        correlation_id: has(CORRELATION).then(|| from.id()).transpose()?,
        class: if has(CLASS) { from.varint16()? } else { 0 },
        parts: {
            let count = if has(PARTS) { from.count(3)? } else { 0 };
            let positions = (0..count).map(|_| decode_position(from));
            positions.collect::<Result<_>>()?
        },
        transaction: has(TRANSACTION).then(|| decode_sent_in(from)).transpose()?,
        key: if has(KEY) {
            from.bytes()?.to_vec()
        } else {
            Vec::new()
        },
        content: if has(STORED) {
            Content::Stored(decode_position(from)?)
        } else {
            Content::New(Encoded::trusted(decode_bytes(from, parts)?))
        },
        express: false,
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
