//! What an aborted receive brings: the message's counts, and the queue's poison policy (msmq.md 3.9).
//!
//! | aborts so far | cycles so far | then |
//! | --- | --- | --- |
//! | <= ReceiveRetryCount | any | it is available again |
//! | more | < MaxRetryCycles | to the `retry` subqueue, and back after RetryCycleDelay |
//! | more | the rest | ReceiveErrorHandling: Fault, Drop, Reject, Move to `poison` |

use super::acknowledgment::{QUEUE_PURGED, RECEIVE_REJECTED};
use crate::error::Result;
use crate::queue::change::{Counts, Effect};
use crate::queue::entry::Entry;
use crate::queue::index::Pages;
use crate::queue::request::{PoisonTarget, QueueKind};
use crate::queue::state::{Now, State};

/// The subqueue where a message waits for its next cycle.
pub(super) const RETRY: &str = "retry";
/// The subqueue where poisonous messages stay.
const POISON: &str = "poison";

impl State {
    /// Who held a message does not take it: it is available again, or dies if it was purged meanwhile.
    ///
    /// # Errors
    /// Those of reading a page.
    pub(super) fn give_back(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        queue: u32,
        lookup_id: u64,
    ) -> Result<()> {
        let Some(of) = self.queues.get(&queue) else {
            return Ok(());
        };
        match of.locked.get(&lookup_id) {
            Some(held) if held.purged => {
                let message = (lookup_id, &held.entry);
                // That it was given back tells its end from a commit's.
                effects.push(Effect::Count {
                    queue,
                    lookup_id,
                    counts: counts_of(&held.entry),
                });
                self.after_failure(effects, of, message, QUEUE_PURGED, pages)?;
                effects.push(Effect::Leave { queue, lookup_id });
                Ok(())
            }
            Some(_) => self.unlock(pages, queue, lookup_id),
            None => Ok(()),
        }
    }

    /// The same for a receive that was aborted: it counts.
    ///
    /// # Errors
    /// Those of reading a page.
    pub(super) fn give_back_received(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        (queue, lookup_id): (u32, u64),
        now: Now,
    ) -> Result<()> {
        let held = self.queues.get(&queue).map(|of| &of.locked);
        let held = held.and_then(|locked| locked.get(&lookup_id));
        let lives = held.is_some_and(|held| !held.purged);
        self.give_back(pages, effects, queue, lookup_id)?;
        // One that has expired meanwhile ends by that, not by its aborts.
        if lives && !self.has_expired(pages, queue, lookup_id, now)? {
            self.after_abort(pages, effects, queue, lookup_id, now)?;
        }
        Ok(())
    }

    /// The effects of an aborted receive of a message, which is available again or still held.
    ///
    /// # Errors
    /// Those of reading a page.
    pub(super) fn after_abort(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        number: u32,
        lookup_id: u64,
        now: Now,
    ) -> Result<()> {
        let Some(queue) = self.queues.get_mut(&number) else {
            return Ok(());
        };
        let Some(entry) = queue.get(pages, lookup_id)?.cloned() else {
            return Ok(());
        };
        let policy = queue.properties.poison.clone();
        let (kind, name) = (queue.kind, queue.name.clone());
        let mut counts = counts_of(&entry);
        counts.abort_count += 1;
        counts.delivery_count += 1;
        let retries = policy.receive_retry_count;
        let now_ms = self.time_ms.max(now.wall_ms);
        if retries == 0 || counts.abort_count <= retries || kind != QueueKind::Private {
            effects.push(Effect::Count {
                queue: number,
                lookup_id,
                counts,
            });
            return Ok(());
        }
        if counts.retry_cycle < policy.retry_cycles_max {
            counts.retry_cycle += 1;
            counts.abort_count = 0;
            let to = self.subqueue(effects, &format!("{name};{RETRY}"))?;
            effects.push(Effect::Move {
                queue: number,
                lookup_id,
                to,
                due_ms: now_ms.saturating_add(policy.retry_cycle_delay_ms),
                counts,
            });
            return Ok(());
        }
        self.end_poisonous(
            pages,
            effects,
            (number, lookup_id),
            &entry,
            counts,
            policy.then,
        )
    }

    fn end_poisonous(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        (queue, lookup_id): (u32, u64),
        entry: &Entry,
        counts: Counts,
        then: PoisonTarget,
    ) -> Result<()> {
        match then {
            PoisonTarget::Fault => {
                effects.push(Effect::Count {
                    queue,
                    lookup_id,
                    counts,
                });
                effects.push(Effect::Fault { queue, lookup_id });
            }
            PoisonTarget::Drop => {
                // The count before it says why it leaves.
                effects.push(Effect::Count {
                    queue,
                    lookup_id,
                    counts,
                });
                effects.push(Effect::Leave { queue, lookup_id });
            }
            PoisonTarget::Reject => {
                if let Some(of) = self.queues.get(&queue) {
                    let message = (lookup_id, entry);
                    self.after_failure(effects, of, message, RECEIVE_REJECTED, pages)?;
                }
                effects.push(Effect::Leave { queue, lookup_id });
            }
            PoisonTarget::Move => {
                let name = self.queues.get(&queue).map(|q| q.name.clone());
                let to =
                    self.subqueue(effects, &format!("{};{POISON}", name.unwrap_or_default()))?;
                effects.push(Effect::Move {
                    queue,
                    lookup_id,
                    to,
                    due_ms: 0,
                    // They count what happens in the queue that it is in (msmq.md 1.2).
                    counts: Counts::default(),
                });
            }
        }
        Ok(())
    }
}

pub(super) fn counts_of(entry: &Entry) -> Counts {
    let extra = entry.extra.as_ref();
    Counts {
        abort_count: extra.map_or(0, |extra| extra.abort_count),
        delivery_count: extra.map_or(0, |extra| extra.delivery_count),
        retry_cycle: extra.map_or(0, |extra| extra.retry_cycle),
    }
}
