//! What an operator is told of the engine: events, the repeated ones at most so often.
//!
//! Event ids are those of the original's event log (msmq.md 7.4) where it has one.

use std::collections::BTreeMap;

use super::change::{Change, Effect};
use super::engine::Engine;
use super::request::Request;
use super::trace::class_name;
use crate::error::{Error, ErrorKind};

/// A queue's quota was exceeded.
const QUEUE_QUOTA: u16 = 2182;
/// The machine's quota was exceeded, or the disk is full.
const MACHINE_QUOTA: u16 = 2183;
/// A queue lost messages to the dead-letter queue; the original has no event for it.
const DEAD_LETTERS: u16 = 0;

const HOUR_MS: u64 = 60 * 60 * 1000;
const MINUTE_MS: u64 = 60 * 1000;
/// Queues that are remembered at most; of more nothing is told until some are forgotten.
const REMEMBERED_MAX: usize = 1024;

/// When something was told last, and how often it happened since.
#[derive(Default)]
pub(super) struct Notices(BTreeMap<(u16, String), (u64, u64)>);

impl Notices {
    /// Whether it may be told now; then how often it was not told before.
    fn due(&mut self, event: u16, queue: &str, now_ms: u64, every_ms: u64) -> Option<u64> {
        let key = (event, queue.to_owned());
        if let Some((last, untold)) = self.0.get_mut(&key) {
            if now_ms < *last + every_ms {
                *untold += 1;
                return None;
            }
            *last = now_ms;
            return Some(std::mem::take(untold));
        }
        if self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, (last, _)| now_ms < *last + HOUR_MS);
        }
        if self.0.len() >= REMEMBERED_MAX {
            return None;
        }
        self.0.insert(key, (now_ms, 0));
        Some(0)
    }
}

impl Engine {
    /// A send was refused for want of room: told once an hour per queue.
    pub(super) fn notice_refusal(&mut self, request: &Request, error: &Error) {
        let Request::Send { queue, .. } = request else {
            return;
        };
        if error.kind != ErrorKind::InsufficientResources
            || !tracing::enabled!(tracing::Level::WARN)
        {
            return;
        }
        let (event, of) = match error.message.starts_with("queue ") {
            true => (QUEUE_QUOTA, queue.as_str()),
            false => (MACHINE_QUOTA, ""),
        };
        let now_ms = self.now().boot_ms;
        if let Some(untold) = self.notices.due(event, of, now_ms, HOUR_MS) {
            let reason = error.message.as_str();
            tracing::warn!(event_id = event, %queue, reason, untold, "message refused");
        }
    }

    /// A change made dead letters: told once a minute per queue, each one on the level debug.
    pub(super) fn notice_dead_letters(&mut self, change: &Change) {
        for effect in &change.effects {
            let Effect::Copy {
                queue,
                lookup_id,
                to,
                class,
            } = effect
            else {
                continue;
            };
            if *class == 0 || !tracing::enabled!(tracing::Level::WARN) {
                continue;
            }
            let name = |number: &u32| self.state.queues.get(number).map(|q| q.name.clone());
            let (queue, to) = (
                name(queue).unwrap_or_default(),
                name(to).unwrap_or_default(),
            );
            let class = class_name(*class);
            let id = self.state.message_id(*lookup_id);
            tracing::debug!(%queue, %to, %class, %id, "dead letter");
            let now_ms = self.now().boot_ms;
            if let Some(untold) = self.notices.due(DEAD_LETTERS, &queue, now_ms, MINUTE_MS) {
                tracing::warn!(%queue, %to, %class, %id, untold, "messages became dead letters");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_an_hour_per_queue_with_what_was_not_told() {
        let mut notices = Notices::default();
        let mut due = |queue, now| notices.due(QUEUE_QUOTA, queue, now, HOUR_MS);
        assert_eq!(due("a", 5), Some(0));
        assert_eq!(due("a", 6), None);
        assert_eq!(due("b", 7), Some(0));
        assert_eq!(due("a", HOUR_MS + 4), None);
        assert_eq!(due("a", HOUR_MS + 5), Some(2));
        assert_eq!(due("a", HOUR_MS + 6), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut notices = Notices::default();
        for n in 0..3 * REMEMBERED_MAX {
            notices.due(QUEUE_QUOTA, &n.to_string(), 1, HOUR_MS);
        }
        assert_eq!(notices.0.len(), REMEMBERED_MAX);
        assert_eq!(
            notices.due(QUEUE_QUOTA, "later", HOUR_MS + 1, HOUR_MS),
            Some(0)
        );
    }
}
