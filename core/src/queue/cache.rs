//! Recent messages in memory, oldest place in the log first to go.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::Message;
use crate::log::Position;

/// Bytes of bodies kept at most.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Messages by where they lie. Trimmed between rounds only: a round's own messages are not in the log yet.
#[derive(Default)]
pub(super) struct Cache {
    messages: BTreeMap<Position, Arc<Message>>,
    spent: Vec<Position>,
    bytes: usize,
}

impl Cache {
    pub(super) fn insert(&mut self, position: Position, message: Arc<Message>) {
        self.bytes += message.body.len();
        if let Some(before) = self.messages.insert(position, message) {
            self.bytes -= before.body.len();
        }
    }

    pub(super) fn get(&self, position: &Position) -> Option<Arc<Message>> {
        self.messages.get(position).cloned()
    }

    /// It has left its queue: of no more use after this round.
    pub(super) fn spend(&mut self, position: Position) {
        self.spent.push(position);
    }

    pub(super) fn trim(&mut self) {
        for position in std::mem::take(&mut self.spent) {
            if let Some(gone) = self.messages.remove(&position) {
                self.bytes -= gone.body.len();
            }
        }
        while self.bytes > BYTES_MAX
            && let Some((_, gone)) = self.messages.pop_first()
        {
            self.bytes -= gone.body.len();
        }
    }
}
