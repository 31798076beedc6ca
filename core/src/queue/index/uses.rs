//! How many places in each segment of the log are in use.

use super::super::codec::{Decoder, Encoder, malformed};
use crate::error::Result;

/// Counts by segment, ascending. A leaf's messages lie in a few segments, mostly in the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses(Vec<(u32, u64)>);

impl Uses {
    pub(super) fn add(&mut self, segment: u32) {
        if let Some(last) = self.0.last_mut().filter(|last| last.0 == segment) {
            last.1 += 1;
            return;
        }
        match self.0.binary_search_by_key(&segment, |at| at.0) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (segment, 1)),
        }
    }

    pub(super) fn remove(&mut self, segment: u32) {
        let Ok(at) = self.0.binary_search_by_key(&segment, |at| at.0) else {
            return;
        };
        self.0[at].1 -= 1;
        if self.0[at].1 == 0 {
            self.0.remove(at);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u64)> {
        self.0.iter().copied()
    }

    pub(super) fn encode(&self, to: &mut Encoder<'_>) {
        to.count(self.0.len());
        for (segment, count) in &self.0 {
            to.varint((*segment).into());
            to.varint(*count);
        }
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let mut uses = Vec::new();
        for _ in 0..from.count(2)? {
            // So few that sums over all leaves stay small.
            let (segment, count) = (from.varint32()?, from.varint32()?.into());
            let rises = uses.last().is_none_or(|last: &(u32, u64)| last.0 < segment);
            if !rises || count == 0 {
                return Err(malformed("the segments of a page are not in order"));
            }
            uses.push((segment, count));
        }
        Ok(Self(uses))
    }
}
