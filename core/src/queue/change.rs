//! A change of a queue manager's durable state: one record of the log. Drawn in docs/format.md.
//!
//! A change states what *has been decided*, never what was asked: replay does not decide again. It is a list of
//! effects that happen together or not at all; so a receive that also journals and acknowledges is
//! one record, and so is a transaction over many queues.

use uuid::Uuid;

use super::access::AccessList;
use super::codec::{Decoder, Encoder, malformed};
use super::encoded::Encoded;
use super::entry::Wishes;
use super::entry_codec::{decode_position, encode_position};
use super::message::{MessageId, SentIn};
use super::property_codec::{
    decode_access, decode_machine, decode_properties, encode_access, encode_machine,
    encode_properties,
};
use super::request::{BranchId, MachineProperties, QueueKind, QueueProperties, RequestId};
use crate::error::Result;
use crate::log::Position;

/// Version of the encoding.
const VERSION: u8 = 2;

/// Upper bound of the bytes of a change beside its messages, names and lists.
pub(super) const CHANGE_BYTES: usize = 128;
/// Upper bound of the bytes of an effect on one message, beside the message.
pub(super) const EFFECT_BYTES: usize = 96;

/// Whose request caused a change, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The request, so that its outcome is remembered again in replay; none: the queue manager itself.
    pub request: Option<RequestId>,
    /// Unix milliseconds, never less than in the change before.
    pub time_ms: u64,
}

/// Where the content of a message that arrives is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// In this change.
    New(Encoded),
    /// In the log already.
    Stored(Position),
}

/// A message that comes into a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The queue's number.
    pub queue: u32,
    /// The place it was given.
    pub lookup_id: u64,
    /// What it says.
    pub content: Content,
    /// Bytes of its body, parts included.
    pub body_bytes: u64,
    /// Who sent it: a principal's number.
    pub sender: u16,
    /// What is to be told and kept of its way.
    pub wishes: Wishes,
    /// When it expires; 0: never.
    pub expires_ms: u64,
    /// Not receivable before; 0: at once.
    pub due_ms: u64,
    /// PROPID_M_CORRELATIONID, unless it is zero.
    pub correlation_id: Option<MessageId>,
    /// PROPID_M_CLASS.
    pub class: u16,
    /// The parts of a large body.
    pub parts: Vec<Position>,
    /// The transaction that sent it.
    pub transaction: Option<SentIn>,
    /// Its idempotency key; empty: none.
    pub key: Vec<u8>,
    /// Whether it is only in memory: then the effect is not written.
    pub express: bool,
}

/// What becomes of one message's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// PROPID_M_ABORT_COUNT.
    pub abort_count: u32,
    /// Deliveries that were not completed.
    pub delivery_count: u32,
    /// How often the poison policy has sent it round.
    pub retry_cycle: u32,
}

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The first of a store: its GUID for ever.
    Store {
        /// The GUID.
        guid: Uuid,
    },
    /// Numbers up to `counter` may have been given to messages that leave no record.
    Reserve {
        /// The bound.
        counter: u64,
    },
    /// A client is called by this number from now on.
    Client {
        /// The number.
        number: u32,
        /// It.
        client: Uuid,
    },
    /// A sender is called by this number from now on.
    Principal {
        /// The number.
        number: u16,
        /// It.
        name: String,
    },
    /// A queue was created.
    Create {
        /// Its number.
        queue: u32,
        /// Its local name.
        name: String,
        /// Its kind.
        kind: QueueKind,
        /// Its properties.
        properties: Box<QueueProperties>,
        /// Who may do what.
        access: AccessList,
    },
    /// A queue has other properties.
    Configure {
        /// Its number.
        queue: u32,
        /// The new ones.
        properties: Box<QueueProperties>,
    },
    /// Others may do what; queue 0 is the queue manager itself.
    Permit {
        /// The queue's number.
        queue: u32,
        /// The new list.
        access: AccessList,
    },
    /// The queue manager has other properties.
    Machine {
        /// The new ones.
        properties: MachineProperties,
    },
    /// A queue was deleted with its messages.
    Delete {
        /// Its number.
        queue: u32,
    },
    /// A queue was emptied.
    Purge {
        /// Its number.
        queue: u32,
        /// Messages that transactions held: they stay, and die when their transaction does not commit.
        held: Vec<u64>,
    },
    /// A message arrived.
    Arrive(Box<Arrival>),
    /// A message left its queue.
    Leave {
        /// The queue's number.
        queue: u32,
        /// Which.
        lookup_id: u64,
    },
    /// A copy of a message came into another queue of this manager: same place, same content.
    Copy {
        /// From.
        queue: u32,
        /// Which.
        lookup_id: u64,
        /// To.
        to: u32,
        /// PROPID_M_CLASS of the copy.
        class: u16,
    },
    /// A message moved to another queue: same place, same content.
    Move {
        /// From.
        queue: u32,
        /// Which.
        lookup_id: u64,
        /// To.
        to: u32,
        /// Not receivable there before; 0: at once.
        due_ms: u64,
        /// Its counters there.
        counts: Counts,
    },
    /// A message's counters changed.
    Count {
        /// The queue's number.
        queue: u32,
        /// Which.
        lookup_id: u64,
        /// The new ones.
        counts: Counts,
    },
    /// A poisonous message stops the receivers of a queue, or no longer.
    Fault {
        /// The queue's number.
        queue: u32,
        /// Which message; 0: none any more.
        lookup_id: u64,
    },
    /// A part of a large body.
    Part {
        /// Whose.
        client: Uuid,
        /// Which body of that client.
        body: u64,
        /// The part.
        bytes: bytes::Bytes,
    },
    /// A body in parts became a message's, or is not wanted any more.
    Parts {
        /// Whose.
        client: Uuid,
        /// Which body of that client.
        body: u64,
    },
    /// A transaction was prepared: what it will do when it commits.
    Prepare {
        /// The coordinator's name for it.
        branch: BranchId,
        /// What it has received and will take.
        taken: Vec<(u32, u64)>,
        /// What happens at its commit, beside taking.
        effects: Vec<Effect>,
    },
    /// A prepared transaction is known no more: it was resolved.
    Resolved {
        /// The coordinator's name for it.
        branch: BranchId,
    },
    /// A message's content was copied here, because its segment is to be freed.
    Relocate {
        /// The queue's number.
        queue: u32,
        /// Which.
        lookup_id: u64,
        /// 0: the message itself; n: the nth part of its body.
        part: u32,
        /// What is copied.
        bytes: bytes::Bytes,
    },
}

/// What is told to who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// It is done.
    Done,
    /// The lookup id of the first arrival.
    Sent,
    /// The lookup id of a message that came before with the same key.
    SentBefore(u64),
    /// This queue, as it is afterwards; of a deleted one as it was before.
    Queue(u32),
    /// The first message that left or moved.
    Message,
    /// All messages that left.
    Messages,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Cause and time.
    pub stamp: Stamp,
    /// What is told.
    pub tell: Tell,
    /// What happens.
    pub effects: Vec<Effect>,
}

/// Where the bytes of an effect lie in its record: offset and length.
pub type Part = (u32, u32);

impl Change {
    /// One with a single effect.
    #[must_use]
    pub fn one(stamp: Stamp, tell: Tell, effect: Effect) -> Self {
        Self {
            stamp,
            tell,
            effects: vec![effect],
        }
    }

    /// Appends the bytes to `out`, and to `parts` where in them each content lies, from the end of `out` as it
    /// was. `client` is the number of the request's client; `skip` says which effects are not written; it may be short.
    pub(super) fn encode(
        &self,
        out: &mut Vec<u8>,
        parts: &mut Vec<Part>,
        client: u32,
        skip: &[bool],
    ) {
        let start = out.len();
        let mut to = Encoder(out);
        to.u8(VERSION);
        match &self.stamp.request {
            None => to.varint(0),
            Some(request) => {
                to.varint(u64::from(client) + 1);
                to.varint(request.sequence);
                to.varint(request.sequence.saturating_sub(request.acknowledged));
            }
        }
        to.varint(self.stamp.time_ms);
        encode_tell(&mut to, self.tell);
        let skip = skip.iter().copied().chain(std::iter::repeat(false));
        for (effect, skip) in self.effects.iter().zip(skip) {
            if !skip {
                encode_effect(&mut to, start, parts, effect);
            }
        }
    }

    /// Reads what `encode` wrote; `client` finds a client by its number.
    ///
    /// # Errors
    /// `StoreDamaged` for anything else.
    pub(super) fn decode(
        bytes: &[u8],
        client: &dyn Fn(u32) -> Option<Uuid>,
    ) -> Result<(Self, Vec<Part>)> {
        let mut from = Decoder::new(bytes);
        if from.u8()? != VERSION {
            return Err(malformed("unknown version"));
        }
        let request = match from.varint32()? {
            0 => None,
            number => Some(decode_request(&mut from, client(number - 1))?),
        };
        let stamp = Stamp {
            request,
            time_ms: from.varint()?,
        };
        let tell = decode_tell(&mut from)?;
        let mut parts = Vec::new();
        let mut effects = Vec::new();
        while !from.is_empty() {
            effects.push(decode_effect(&mut from, &mut parts, 0)?);
        }
        let change = Self {
            stamp,
            tell,
            effects,
        };
        Ok((change, parts))
    }
}

fn decode_request(from: &mut Decoder<'_>, client: Option<Uuid>) -> Result<RequestId> {
    let sequence = from.varint()?;
    let behind = from.varint()?;
    Ok(RequestId {
        client: client.ok_or_else(|| malformed("a client that was never named"))?,
        sequence,
        acknowledged: sequence.saturating_sub(behind),
    })
}

fn encode_tell(to: &mut Encoder<'_>, tell: Tell) {
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
    }
}

fn decode_tell(from: &mut Decoder<'_>) -> Result<Tell> {
    Ok(match from.u8()? {
        0 => Tell::Done,
        1 => Tell::Sent,
        2 => Tell::Queue(from.varint32()?),
        3 => Tell::Message,
        4 => Tell::Messages,
        5 => Tell::SentBefore(from.u64()?),
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

fn encode_effect(to: &mut Encoder<'_>, start: usize, parts: &mut Vec<Part>, effect: &Effect) {
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
fn decode_effect(from: &mut Decoder<'_>, parts: &mut Vec<Part>, depth: u8) -> Result<Effect> {
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

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
