//! A message's place in a queue: small, because ten million of them are held; its content stays in the log.

use super::encoded::Encoded;
use super::message::{Acknowledge, Journal, MessageId, SentIn};
use crate::log::Position;

/// What a queue knows of one message. Its lookup id is the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Where the encoded message lies in the log; nowhere for an express one.
    pub position: Position,
    /// Bytes of the body, parts included.
    pub body_bytes: u64,
    /// Unix milliseconds.
    pub arrived_ms: u64,
    /// Who sent it: a number of [`super::state::State::principals`]; 0: unknown.
    pub sender: u16,
    /// Whether it is only in memory.
    pub express: bool,
    /// What is to be told and kept of its way: [`Wishes`].
    pub wishes: Wishes,
    /// What few messages have.
    pub extra: Option<Box<Extra>>,
}

/// PROPID_M_ACKNOWLEDGE in the low four bits, PROPID_M_JOURNAL in the high ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes(pub u8);

impl Wishes {
    /// Those of a message.
    #[must_use]
    pub const fn new(acknowledge: Acknowledge, journal: Journal) -> Self {
        Self(acknowledge.0 & 0xf | journal.0 << 4)
    }

    /// Which acknowledgements.
    #[must_use]
    pub const fn acknowledge(self) -> Acknowledge {
        Acknowledge(self.0 & 0xf)
    }

    /// Which copies.
    #[must_use]
    pub const fn journal(self) -> Journal {
        Journal(self.0 >> 4)
    }
}

/// What few messages have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// The content of an express message.
    pub content: Option<Encoded>,
    /// Where the parts of a large body lie.
    pub parts: Vec<Position>,
    /// PROPID_M_MSGID when it does not follow from the lookup id.
    pub id: Option<MessageId>,
    /// PROPID_M_CLASS when it is not what the sender set.
    pub class: u16,
    /// Of a copy: where it was going.
    pub destination: String,
    /// It expires then (Unix milliseconds); 0: never.
    pub expires_ms: u64,
    /// PROPID_M_CORRELATIONID, for the index; none: zero.
    pub correlation_id: Option<MessageId>,
    /// Aborted receives since it entered this queue.
    pub abort_count: u32,
    /// Expired or released leases, and all deliveries, since it entered this queue.
    pub delivery_count: u32,
    /// PROPID_M_MOVE_COUNT.
    pub move_count: u32,
    /// PROPID_M_LAST_MOVE_TIME in Unix milliseconds; 0: never.
    pub last_move_ms: u64,
    /// How often the poison policy has sent it round.
    pub retry_cycle: u32,
    /// The transaction that sent it.
    pub transaction: Option<SentIn>,
}

impl Entry {
    /// What few messages have, to be changed.
    pub fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// When it expires, in Unix milliseconds.
    #[must_use]
    pub fn expires_ms(&self) -> Option<u64> {
        let extra = self.extra.as_ref()?;
        Some(extra.expires_ms).filter(|at| *at > 0)
    }

    /// Its correlation id, if it has one.
    #[must_use]
    pub fn correlation_id(&self) -> Option<MessageId> {
        self.extra.as_ref()?.correlation_id
    }

    /// Its message id, if that does not follow from the lookup id.
    #[must_use]
    pub fn own_id(&self) -> Option<MessageId> {
        self.extra.as_ref()?.id
    }

    /// Where its content lies (0), or the nth part of its body.
    pub(super) fn place_mut(&mut self, part: u32) -> Option<&mut Position> {
        match part.checked_sub(1) {
            None => Some(&mut self.position),
            Some(part) => self.extra.as_mut()?.parts.get_mut(part as usize),
        }
    }

    /// Every place in the log that it needs.
    pub fn positions(&self) -> impl Iterator<Item = Position> {
        let parts = self.extra.iter().flat_map(|extra| &extra.parts);
        let head = (!self.express).then_some(self.position);
        head.into_iter().chain(parts.copied())
    }
}
