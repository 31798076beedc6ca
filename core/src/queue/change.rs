//! A change of a queue manager's durable state: one record of the log. Drawn in docs/format.md.
//!
//! A change states what *has been decided*, never what was asked: replay does not decide again. It is a list of
//! effects that happen together or not at all; so a receive that also journals and acknowledges is
//! one record, and so is a transaction over many queues.

use uuid::Uuid;

use super::access::AccessList;
use super::change_codec::{decode_effect, decode_request, decode_tell, encode_effect, encode_tell};
use super::codec::{Decoder, Encoder, malformed};
use super::encoded::Encoded;
use super::entry::Wishes;
use super::message::{MessageId, SentIn};
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
        effects: Vec<Self>,
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
    /// The lookup id of each arrival, to as many requests that followed each other.
    SentEach,
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

    /// The lookup ids of the messages that arrive, in their order.
    #[must_use]
    pub fn arrived(&self) -> Vec<u64> {
        let arrived = self.effects.iter().filter_map(|effect| match effect {
            Effect::Arrive(arrival) => Some(arrival.lookup_id),
            _ => None,
        });
        arrived.collect()
    }

    /// Appends the bytes to `out`, and to `parts` where in them each content lies, from the end of `out` as it
    /// was. `client` is the number of the request's client; `skip` says which effects are not written; it may be short.
    pub fn encode(&self, out: &mut Vec<u8>, parts: &mut Vec<Part>, client: u32, skip: &[bool]) {
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
    pub fn decode(bytes: &[u8], client: &dyn Fn(u32) -> Option<Uuid>) -> Result<(Self, Vec<Part>)> {
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

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
