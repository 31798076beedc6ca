//! What time brings: delayed messages are due, leases run out, messages expire, unfinished bodies are dropped.

use std::collections::BTreeSet;

use super::acknowledgment::RECEIVE_TIMEOUT;
use super::poison::{RETRY, counts_of};
use crate::error::Result;
use crate::queue::change::{Change, Effect, Tell};
use crate::queue::execute::size_of_all;
use crate::queue::index::Pages;
use crate::queue::request::QueueKind;
use crate::queue::state::{Now, State};

/// Messages dealt with in one call at most, so that nobody waits long behind them.
const COUNT_MAX: usize = 1_000;
/// Bytes that their dead letters and acknowledgements add at most before the next round.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// What became of the time.
#[derive(Default)]
pub struct Woken {
    /// This is to be logged and applied.
    pub change: Option<Change>,
    /// There is more to do at once.
    pub more: bool,
}

impl State {
    /// When `wake` has something to do: by the wall clock, and by the boot clock.
    #[must_use]
    pub fn next_event(&self) -> (Option<u64>, Option<u64>) {
        let due = self.due.first().map(|due| due.0);
        let expiry = self.expiries.first().map(|expiry| expiry.0);
        let at_once = self.orphans.first().map(|_| 0);
        let wall = due.into_iter().chain(expiry).chain(at_once).min();
        let lease = self.leases.first().map(|lease| lease.0);
        let absence = self.absent.next_end();
        (wall, lease.into_iter().chain(absence).min())
    }

    /// Deals with what has become due: delays first, then leases, then lifetimes.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn wake(&mut self, pages: &dyn Pages, now: Now) -> Result<Woken> {
        let mut effects = Vec::new();
        let mut left = COUNT_MAX;
        // One after the other: what comes out of a delay or a lease may have expired in it, and nothing may
        // leave twice in one change.
        self.end_orphans(pages, &mut effects, &mut left)?;
        if effects.is_empty() {
            self.wake_delayed(pages, &mut effects, &mut left, now)?;
        }
        if effects.is_empty() {
            self.end_leases(pages, &mut effects, &mut left, now)?;
        }
        if effects.is_empty() {
            self.expire(pages, &mut effects, &mut left, now)?;
        }
        if effects.is_empty() {
            self.drop_unfinished_bodies(&mut effects, now);
        }
        let more = left == 0 || !effects.is_empty();
        let change = (!effects.is_empty()).then(|| Change {
            stamp: self.own_stamp(now),
            tell: Tell::Done,
            effects,
        });
        Ok(Woken { change, more })
    }

    /// Messages that were purged while a transaction or a lease held them, which a restart has ended.
    fn end_orphans(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        left: &mut usize,
    ) -> Result<()> {
        while size_of_all(&*effects) < BYTES_MAX
            && *left > 0
            && let Some((number, lookup_id)) = self.orphans.pop_first()
        {
            *left -= 1;
            self.give_back(pages, effects, number, lookup_id)?;
        }
        Ok(())
    }

    fn wake_delayed(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        left: &mut usize,
        now: Now,
    ) -> Result<()> {
        while let Some(&(due_ms, number, lookup_id)) = self.due.first()
            && due_ms <= now.wall_ms
            && *left > 0
        {
            *left -= 1;
            self.due.pop_first();
            let Some(queue) = self.queues.get_mut(&number) else {
                continue;
            };
            let entry = queue.delayed.get(&lookup_id).map(|d| d.entry.clone());
            let expires_ms = entry
                .as_ref()
                .and_then(crate::queue::entry::Entry::expires_ms);
            // Dead by now: what deals with lifetimes finds it where it is.
            let expired = expires_ms.is_some_and(|at| at <= now.wall_ms);
            queue.wake(pages, lookup_id)?;
            let parent = match (queue.kind, queue.name.split_once(';')) {
                (QueueKind::Subqueue, Some((parent, sub))) if sub.eq_ignore_ascii_case(RETRY) => {
                    Some(parent.to_owned())
                }
                _ => None,
            };
            let parent = parent.and_then(|name| self.number_of(&name));
            if let Some(expires_ms) = expires_ms {
                self.expiries.insert((expires_ms, number));
            }
            match (parent, entry.filter(|_| !expired)) {
                // The retry cycle is over: back to the queue, to be received again.
                (Some(to), Some(entry)) => effects.push(Effect::Move {
                    queue: number,
                    lookup_id,
                    to,
                    due_ms: 0,
                    counts: counts_of(&entry),
                }),
                _ => self.woken.push(number),
            }
        }
        Ok(())
    }

    fn end_leases(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        left: &mut usize,
        now: Now,
    ) -> Result<()> {
        while let Some(&(until_ms, number, lookup_id)) = self.leases.first()
            && until_ms <= now.boot_ms
            && *left > 0
        {
            *left -= 1;
            self.leases.pop_first();
            self.give_back_received(pages, effects, (number, lookup_id), now)?;
        }
        Ok(())
    }

    pub(super) fn has_expired(
        &mut self,
        pages: &dyn Pages,
        number: u32,
        lookup_id: u64,
        now: Now,
    ) -> Result<bool> {
        let Some(queue) = self.queues.get_mut(&number) else {
            return Ok(false);
        };
        let entry = queue.get(pages, lookup_id)?;
        let expires_ms = entry.and_then(crate::queue::entry::Entry::expires_ms);
        Ok(expires_ms.is_some_and(|at| at <= now.wall_ms))
    }

    /// Messages whose lifetime is over. Each queue is looked at once: what is dead is still there until the
    /// effects are applied.
    fn expire(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        left: &mut usize,
        now: Now,
    ) -> Result<()> {
        let mut seen = BTreeSet::new();
        while let Some(&(expires_ms, number)) = self.expiries.first()
            && expires_ms <= now.wall_ms
            && *left > 0
        {
            self.expiries.pop_first();
            let Some(queue) = self.queues.get_mut(&number) else {
                continue;
            };
            if !seen.insert(number) {
                continue;
            }
            let dead = queue.index.expired(pages, now.wall_ms, *left)?;
            let all = dead.len() < *left;
            *left -= dead.len();
            // The dead ones are still counted in the bound: it is looked at again a little later.
            let rest = queue.index.next_expiry_ms();
            let rest = rest.map(|at| at.max(now.wall_ms + 1)).filter(|_| all);
            self.expiries.insert((rest.unwrap_or(expires_ms), number));
            if all && rest.is_none() {
                self.expiries.remove(&(expires_ms, number));
            }
            let mut bytes = 0;
            for lookup_id in dead {
                let before = effects.len();
                self.expire_one(pages, effects, number, lookup_id)?;
                bytes += size_of_all(&effects[before..]);
                if bytes > BYTES_MAX {
                    // The rest in the next round: a batch has its bound.
                    self.expiries.insert((expires_ms, number));
                    *left = 0;
                    break;
                }
            }
        }
        Ok(())
    }

    fn expire_one(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        number: u32,
        lookup_id: u64,
    ) -> Result<()> {
        let Some(queue) = self.queues.get_mut(&number) else {
            return Ok(());
        };
        let Some(entry) = queue.get(pages, lookup_id)?.cloned() else {
            return Ok(());
        };
        if let Some(queue) = self.queues.get(&number) {
            let message = (lookup_id, &entry);
            self.after_failure(effects, queue, message, RECEIVE_TIMEOUT, pages)?;
        }
        effects.push(Effect::Leave {
            queue: number,
            lookup_id,
        });
        Ok(())
    }
}
