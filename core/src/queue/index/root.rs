//! The leaves in a snapshot: where their pages lie, or what is in those that have none.
//!
//! ```text
//!  leaves varint | (0, slots of the page's format
//!                 | 1, first id: how much above the leaf before, last id: how much above the first, slots, position,
//!                   runs of slots (left, removed, left, ...), bytes, uses, earliest expiry, bits)*
//! ```
//!
//! A page costs some 40 bytes here, whatever it holds.

use super::super::codec::{Decoder, Encoder, malformed};
use super::super::entry_codec::{decode_position, encode_position};
use super::leaf::{Leaf, band};
use super::page;
use super::removed::Removed;
use super::slots::Slots;
use super::summary::{Summary, earlier};
use super::top::Top;
use crate::error::Result;

const INLINE: u8 = 0;
const PAGED: u8 = 1;
/// Bytes of the shortest leaf.
const LEAF_BYTES_MIN: usize = 6;
/// No version has larger pages.
const SLOTS_LIMIT: u64 = 1 << 16;

impl Top {
    pub(super) fn encode(&self, to: &mut Encoder<'_>) {
        to.count(self.leaves.len());
        let mut last = 0;
        for leaf in &self.leaves {
            last = leaf.encode(to, last);
        }
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let mut top = Self::default();
        for _ in 0..from.count(LEAF_BYTES_MIN)? {
            let last = top.leaves.back().map(|leaf| leaf.last);
            let leaf = Leaf::decode(from, last.unwrap_or(0))?;
            let rises = last.is_none_or(|last| last < leaf.first);
            if !rises || band(leaf.first) != band(leaf.last) {
                return Err(malformed("the pages of a queue are not in order"));
            }
            let bytes = top.bytes.checked_add(leaf.summary.bytes);
            top.bytes = bytes.ok_or_else(|| malformed("more bytes than there can be"))?;
            top.len += leaf.len() as u64;
            top.resident += leaf.slots.len() as u64;
            top.earliest_ms = earlier(top.earliest_ms, leaf.summary.earliest_ms);
            top.leaves.push_back(leaf);
        }
        Ok(top)
    }
}

impl Leaf {
    /// `before` is the last id of the leaf before. Gives that of this one: who reads it knows no slots that are
    /// empty and in no page.
    fn encode(&self, to: &mut Encoder<'_>, before: u64) -> u64 {
        let Some(page) = self.page else {
            to.u8(INLINE);
            page::encode_slots(to, self.len(), self.iter());
            let last = self.removed.previous_absent(self.count - 1);
            return last.map_or(self.last, |slot| self.slots.id(slot));
        };
        to.u8(PAGED);
        to.varint(self.first - before);
        to.varint(self.last - self.first);
        to.count(self.count);
        encode_position(to, page);
        self.removed.encode(to, self.count);
        self.summary.encode(to);
        self.last
    }

    fn decode(from: &mut Decoder<'_>, before: u64) -> Result<Self> {
        match from.u8()? {
            INLINE => Ok(Self::of(page::decode_slots(from)?)),
            PAGED => Self::decode_paged(from, before),
            _ => Err(malformed("unknown kind of a page")),
        }
    }

    fn decode_paged(from: &mut Decoder<'_>, before: u64) -> Result<Self> {
        let beyond = || malformed("a lookup id is too large");
        let first = before.checked_add(from.varint()?).ok_or_else(beyond)?;
        let last = first.checked_add(from.varint()?).ok_or_else(beyond)?;
        let count = from.varint()?;
        if count > SLOTS_LIMIT || count == 0 || count - 1 > last - first {
            return Err(malformed("a page has more slots than it can have"));
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let page = Some(decode_position(from)?);
        let removed = Removed::decode(from, count)?;
        if removed.len() == count {
            return Err(malformed("a page holds nothing"));
        }
        Ok(Self {
            first,
            last,
            count,
            removed,
            summary: Summary::decode(from)?,
            page,
            slots: Slots::default(),
            touched: 0,
        })
    }
}
