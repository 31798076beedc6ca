//! What is known of a leaf's messages without looking at them.

use super::super::codec::{Decoder, Encoder, malformed};
use super::super::entry::Entry;
use super::super::message::Acknowledge;
use super::uses::Uses;
use crate::error::Result;

const HAS_CORRELATION: u8 = 1;
const HAS_OWN_ID: u8 = 2;
const HAS_TOLD: u8 = 4;

/// See the module. `bytes` and `uses` are exact; the others may speak of messages that have left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Bytes of the bodies.
    pub(super) bytes: u64,
    /// Places in use, per segment.
    pub(super) uses: Uses,
    /// No message expires earlier.
    pub(super) earliest_ms: Option<u64>,
    /// A message may have a correlation id.
    pub(super) has_correlation: bool,
    /// A message may have an id that does not follow from its lookup id.
    pub(super) has_own_id: bool,
    /// A sender may want to hear of the end of a message that is not received.
    pub(super) has_told: bool,
}

impl Summary {
    pub(super) fn add(&mut self, entry: &Entry) {
        self.bytes += entry.body_bytes;
        entry.positions().for_each(|at| self.uses.add(at.segment));
        self.has_told |= wants_end(entry);
        if let Some(extra) = &entry.extra {
            self.earliest_ms = earlier(self.earliest_ms, entry.expires_ms());
            self.has_correlation |= extra.correlation_id.is_some();
            self.has_own_id |= extra.id.is_some();
        }
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        self.bytes -= entry.body_bytes;
        entry
            .positions()
            .for_each(|at| self.uses.remove(at.segment));
    }

    pub(super) fn encode(&self, to: &mut Encoder<'_>) {
        to.varint(self.bytes);
        self.uses.encode(to);
        to.varint(self.earliest_ms.unwrap_or(0));
        let ids = bit(self.has_correlation, HAS_CORRELATION) | bit(self.has_own_id, HAS_OWN_ID);
        to.u8(ids | bit(self.has_told, HAS_TOLD));
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let (bytes, uses) = (from.varint()?, Uses::decode(from)?);
        let earliest_ms = Some(from.varint()?).filter(|at| *at > 0);
        let bits = from.u8()?;
        if bits & !(HAS_CORRELATION | HAS_OWN_ID | HAS_TOLD) != 0 {
            return Err(malformed("unknown bits of a page"));
        }
        Ok(Self {
            bytes,
            uses,
            earliest_ms,
            has_correlation: bits & HAS_CORRELATION != 0,
            has_own_id: bits & HAS_OWN_ID != 0,
            has_told: bits & HAS_TOLD != 0,
        })
    }
}

const fn bit(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

/// Whether its sender wants to hear of it when it ends without being received.
pub(super) const fn wants_end(entry: &Entry) -> bool {
    entry
        .wishes
        .acknowledge()
        .has(Acknowledge::NEGATIVE_RECEIVE)
}

/// The earlier of two times; none is never.
pub(super) fn earlier(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}
