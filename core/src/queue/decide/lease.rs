//! Competing consumers: a message is hidden for a time and settled, or it is back.

use super::Decision;
use super::acknowledgment::{RECEIVE_REJECTED, content_of};
use super::receive::Hand;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::change::{Change, Effect, Tell};
use crate::queue::entry::Entry;
use crate::queue::index::Pages;
use crate::queue::message::LeaseId;
use crate::queue::outcome::Outcome;
use crate::queue::quota::Staged;
use crate::queue::request::{Caller, RequestId, Settle, Take};
use crate::queue::state::{Now, State};
use crate::queue::stored_queue::Holder;

/// Longest lease: 12 hours.
const LEASE_MS_MAX: u32 = 12 * 60 * 60 * 1000;
/// Leases that an error names at most.
const LOST_NAMED_MAX: usize = 16;
/// Leases of one request at most.
const LEASES_MAX: usize = 65_536;

impl State {
    /// Leases messages that were found; gives the number of each delivery.
    pub(super) fn lease(
        &mut self,
        pages: &dyn Pages,
        hand: &Hand,
        milliseconds: u32,
        now: Now,
    ) -> Result<Vec<u32>> {
        check_length(milliseconds)?;
        let mut numbers = Vec::with_capacity(hand.candidates.len());
        for candidate in &hand.candidates {
            let delivery = self.next_lease;
            self.next_lease = self.next_lease.wrapping_add(1).max(1);
            let until_ms = now.boot_ms + u64::from(milliseconds);
            let by = Holder::Lease { delivery, until_ms };
            if let Some(queue) = self.queues.get_mut(&hand.queue) {
                queue.lock(pages, candidate.lookup_id, by)?;
                self.leases
                    .insert((until_ms, hand.queue, candidate.lookup_id));
            }
            self.trail
                .delivered(now.wall_ms, hand.queue, candidate.lookup_id, delivery);
            numbers.push(delivery);
        }
        Ok(numbers)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one request")]
    pub(super) fn decide_settle(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        id: &RequestId,
        name: &str,
        leases: &[LeaseId],
        how: Settle,
        now: Now,
    ) -> Result<Decision> {
        let needed = self.rights_to_read(name, Take::Remove);
        let (number, _) = self.open_queue(from, name, needed)?;
        if leases.len() > LEASES_MAX {
            let text = format!("{} leases in one request", leases.len());
            return Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint(format!("settle at most {LEASES_MAX} at a time")));
        }
        self.check_leases(number, name, leases)?;
        let mut effects = Vec::new();
        let mut copied = Staged::new();
        // One that is named twice is settled once.
        let leases: std::collections::BTreeSet<LeaseId> = leases.iter().copied().collect();
        for lease in leases {
            let message = (number, lease.lookup_id);
            match how {
                Settle::Complete => self.complete(pages, &mut effects, message, &mut copied)?,
                how => self.settle(pages, &mut effects, message, how, now)?,
            }
        }
        if effects.is_empty() {
            return Ok(Decision::Known(self.pass(id, Outcome::Done)));
        }
        Ok(Decision::Change(Change {
            stamp: self.stamp(*id, now),
            tell: Tell::Done,
            effects,
        }))
    }

    /// All of them are held, or nothing is settled.
    pub(super) fn check_leases(&self, number: u32, name: &str, leases: &[LeaseId]) -> Result<()> {
        let queue = self.queues.get(&number);
        let held = |lease: &LeaseId| {
            let locked = queue.and_then(|queue| queue.locked.get(&lease.lookup_id));
            locked.is_some_and(|locked| {
                matches!(locked.by, Holder::Lease { delivery, .. } if delivery == lease.delivery)
            })
        };
        let lost: Vec<&LeaseId> = leases.iter().filter(|lease| !held(lease)).collect();
        if lost.is_empty() {
            return Ok(());
        }
        let named = lost.iter().take(LOST_NAMED_MAX);
        let named: Vec<String> = named.map(|lease| lease.lookup_id.to_string()).collect();
        let text = format!(
            "{} of {} leases of queue {name} have run out: message {}{}",
            lost.len(),
            leases.len(),
            named.join(", "),
            if lost.len() > LOST_NAMED_MAX {
                ", ..."
            } else {
                ""
            }
        );
        Err(Error::new(ErrorKind::MessageAlreadyReceived, text).hint(
            "nothing was settled: another consumer may have these messages now; undo what was done with them, settle the rest, take longer leases",
        ))
    }

    fn settle(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        (number, lookup_id): (u32, u64),
        how: Settle,
        now: Now,
    ) -> Result<()> {
        let queue = number;
        match how {
            // `complete` does it.
            Settle::Complete => {}
            Settle::Reject => {
                if let (Some(entry), Some(of)) =
                    (self.held_entry(number, lookup_id), self.queues.get(&number))
                {
                    let message = (lookup_id, &entry);
                    self.after_failure(effects, of, message, RECEIVE_REJECTED, pages)?;
                }
                effects.push(Effect::Leave { queue, lookup_id });
            }
            Settle::Release => {
                self.give_back_received(pages, effects, (number, lookup_id), now)?;
            }
            Settle::Extend(milliseconds) => self.extend(number, lookup_id, milliseconds, now)?,
        }
        Ok(())
    }

    fn held_entry(&self, number: u32, lookup_id: u64) -> Option<Entry> {
        let queue = self.queues.get(&number)?;
        Some(queue.locked.get(&lookup_id)?.entry.clone())
    }

    fn complete(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        (number, lookup_id): (u32, u64),
        copied: &mut Staged,
    ) -> Result<()> {
        let (Some(entry), Some(queue)) =
            (self.held_entry(number, lookup_id), self.queues.get(&number))
        else {
            return Ok(());
        };
        let content = content_of(pages, &entry)?;
        self.after_receive(effects, queue, lookup_id, &entry, &content, copied)?;
        effects.push(Effect::Leave {
            queue: number,
            lookup_id,
        });
        Ok(())
    }

    fn extend(&mut self, number: u32, lookup_id: u64, milliseconds: u32, now: Now) -> Result<()> {
        check_length(milliseconds)?;
        let until = now.boot_ms + u64::from(milliseconds);
        let queue = self.queues.get_mut(&number);
        let locked = queue.and_then(|queue| queue.locked.get_mut(&lookup_id));
        if let Some(Holder::Lease { until_ms, .. }) = locked.map(|locked| &mut locked.by) {
            let before = std::mem::replace(until_ms, until);
            self.leases.remove(&(before, number, lookup_id));
            self.leases.insert((until, number, lookup_id));
        }
        Ok(())
    }
}

/// Refuses a lease that is none, whether or not there is a message for it.
pub(super) fn check_length(milliseconds: u32) -> Result<()> {
    if milliseconds == 0 || milliseconds > LEASE_MS_MAX {
        let text = format!("a lease of {milliseconds} ms");
        return Err(Error::new(ErrorKind::InvalidParameter, text).hint(format!(
            "use 1 to {LEASE_MS_MAX} ms; extend it while the work goes on"
        )));
    }
    Ok(())
}
