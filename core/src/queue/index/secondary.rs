//! From a correlation id, or an id that does not follow from the lookup id, to messages.

use std::collections::BTreeSet;

use super::super::entry::Entry;
use super::super::message::MessageId;

/// Built when it is first asked, then kept up to date: most queues are never asked. Exact and in order, so
/// that an answer needs no look at a message.
#[derive(Clone, Debug)]
pub(super) struct Secondary {
    /// What it is about.
    pub(super) of: fn(&Entry) -> Option<MessageId>,
    pairs: Option<BTreeSet<(MessageId, u64)>>,
}

impl Secondary {
    pub(super) const fn new(of: fn(&Entry) -> Option<MessageId>) -> Self {
        Self { of, pairs: None }
    }

    pub(super) const fn is_built(&self) -> bool {
        self.pairs.is_some()
    }

    pub(super) fn build(&mut self, pairs: Vec<(MessageId, u64)>) {
        self.pairs = Some(pairs.into_iter().collect());
    }

    pub(super) fn add(&mut self, key: Option<MessageId>, id: u64) {
        if let (Some(pairs), Some(key)) = (&mut self.pairs, key) {
            pairs.insert((key, id));
        }
    }

    pub(super) fn remove(&mut self, key: Option<MessageId>, id: u64) {
        if let (Some(pairs), Some(key)) = (&mut self.pairs, key) {
            pairs.remove(&(key, id));
        }
    }

    /// The first with this key at or behind `from`.
    pub(super) fn find(&self, key: MessageId, from: u64) -> Option<u64> {
        let pairs = self.pairs.as_ref()?;
        pairs
            .range((key, from)..=(key, u64::MAX))
            .next()
            .map(|pair| pair.1)
    }

    /// Asserts that it says this and nothing else.
    pub(super) fn check_invariants(&self, pairs: impl Iterator<Item = (MessageId, u64)>) {
        if let Some(known) = &self.pairs {
            assert_eq!(&pairs.collect::<BTreeSet<_>>(), known, "a secondary index");
        }
    }
}
