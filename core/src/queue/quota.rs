//! Bytes of bodies that quotas count: running totals, so that a send looks at no other queue.
//!
//! A quota counts what lies in a queue *and* what open and prepared transactions of all clients have staged for it. So it
//! refuses a send when it is made, and never a commit. Acknowledgements and dead letters are counted and never
//! refused: they are the queue manager's own word. A journal copy that does not fit is left out.
//!
//! | quota | counts |
//! | --- | --- |
//! | QueueQuota | the queue: available, held and delayed messages; what is staged for it |
//! | JournalQuota | the same of its journal |
//! | MachineQuota | the same of all queues, journals and dead letters included |
//! | MachineJournalQuota | the same of all journals and dead-letter queues |

use std::collections::BTreeMap;

use super::change::Effect;
use super::state::{MACHINE_JOURNAL, State, TRANSACTIONAL_DEAD_LETTER};
use super::stored_queue::{JOURNAL_BIT, Queue};
use crate::error::{Error, ErrorKind, Result};

/// Bytes by the number of the queue that they go to.
pub(super) type Staged = BTreeMap<u32, u64>;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// In all queues, journals among them.
    all: u64,
    /// In journals and dead-letter queues.
    journals: u64,
    /// What transactions will bring, by queue; no zeros.
    staged: Staged,
    /// The same in all, and of it what goes to journals.
    staged_all: u64,
    staged_journals: u64,
}

/// Whether copies are kept in the queue of this number; as [`Queue::is_journal`], also of one that is gone.
const fn is_journal(queue: u32) -> bool {
    queue & JOURNAL_BIT != 0 || (queue >= MACHINE_JOURNAL && queue <= TRANSACTIONAL_DEAD_LETTER)
}

impl Usage {
    /// Bytes that are there: in queues that are no journals, and in those that are.
    pub(super) const fn bytes(&self) -> (u64, u64) {
        (self.all.saturating_sub(self.journals), self.journals)
    }

    /// A body came into a queue.
    pub(super) const fn add(&mut self, queue: u32, bytes: u64) {
        self.all += bytes;
        if is_journal(queue) {
            self.journals += bytes;
        }
    }

    /// Bodies have left a queue.
    pub(super) fn subtract(&mut self, queue: u32, bytes: u64) {
        debug_assert!(self.all >= bytes, "more bytes leave than there are");
        self.all = self.all.saturating_sub(bytes);
        if is_journal(queue) {
            self.journals = self.journals.saturating_sub(bytes);
        }
    }

    /// A transaction will bring this.
    pub(super) fn stage(&mut self, queue: u32, bytes: u64) {
        if bytes == 0 {
            return;
        }
        *self.staged.entry(queue).or_default() += bytes;
        self.staged_all += bytes;
        if is_journal(queue) {
            self.staged_journals += bytes;
        }
    }

    /// It has ended.
    pub(super) fn unstage(&mut self, gone: &Staged) {
        for (queue, bytes) in gone {
            if let Some(staged) = self.staged.get_mut(queue) {
                *staged = staged.saturating_sub(*bytes);
                if *staged == 0 {
                    self.staged.remove(queue);
                }
            }
            self.staged_all = self.staged_all.saturating_sub(*bytes);
            if is_journal(*queue) {
                self.staged_journals = self.staged_journals.saturating_sub(*bytes);
            }
        }
    }

    fn staged_for(&self, queue: u32) -> u64 {
        self.staged.get(&queue).copied().unwrap_or_default()
    }
}

impl State {
    /// Whether a queue and the queue manager have room for a message of so many bytes.
    ///
    /// # Errors
    /// `InsufficientResources`.
    pub(super) fn check_quota(&self, number: u32, bytes: u64) -> Result<()> {
        let Some(queue) = self.queues.get(&number) else {
            return Ok(());
        };
        let used = queue.bytes() + self.usage.staged_for(number);
        if exceeds(queue.properties.quota_bytes, used, bytes) {
            let what = format!("queue {}", queue.name);
            return Err(full(
                &what,
                "Set-MsmqQueue -QueueQuota",
                used,
                queue.properties.quota_bytes,
                bytes,
            ));
        }
        let used = self.usage.all + self.usage.staged_all;
        if exceeds(self.machine.quota_bytes, used, bytes) {
            let quota = self.machine.quota_bytes;
            return Err(full(
                "the queue manager",
                "Set-MsmqQueueManager -MessageQuota",
                used,
                quota,
                bytes,
            ));
        }
        Ok(())
    }

    /// Whether the machine's journals may grow, `copied` aside: what the same change copies before.
    pub(super) fn journals_have_room(&self, copied: &Staged, bytes: u64) -> bool {
        let copied: u64 = copied.values().sum();
        let used = self.usage.journals + self.usage.staged_journals + copied;
        !exceeds(self.machine.journal_quota_bytes, used, bytes)
    }

    /// The same for one queue's journal.
    pub(super) fn journal_has_room(
        &self,
        journal: &Queue,
        quota: u64,
        copied: &Staged,
        bytes: u64,
    ) -> bool {
        let copied_there = copied.get(&journal.number).copied().unwrap_or_default();
        let used = journal.bytes() + self.usage.staged_for(journal.number) + copied_there;
        !exceeds(quota, used, bytes) && self.journals_have_room(copied, bytes)
    }

    /// What the effects of a prepared transaction will bring to each queue.
    pub(super) fn staged_by(&self, effects: &[Effect]) -> Staged {
        let mut staged = Staged::new();
        for effect in effects {
            let (to, bytes) = match effect {
                Effect::Arrive(arrival) => (arrival.queue, arrival.body_bytes),
                Effect::Copy {
                    queue,
                    lookup_id,
                    to,
                    ..
                } => {
                    let held = self.queues.get(queue).map(|queue| &queue.locked);
                    let held = held.and_then(|locked| locked.get(lookup_id));
                    (*to, held.map_or(0, |held| held.entry.body_bytes))
                }
                _ => continue,
            };
            *staged.entry(to).or_default() += bytes;
        }
        staged
    }

    /// Asserts that the totals are true.
    pub(super) fn check_usage_totals(&self) {
        let mut usage = Usage::default();
        for queue in self.queues.values() {
            assert_eq!(queue.is_journal(), is_journal(queue.number), "journals");
            usage.add(queue.number, queue.bytes());
        }
        let open = self.transactions.values().map(|open| &open.staged);
        let prepared = self.prepared.values().map(|prepared| &prepared.staged);
        for (queue, bytes) in open.chain(prepared).flatten() {
            usage.stage(*queue, *bytes);
        }
        assert_eq!(usage, self.usage, "bytes that quotas count");
    }
}

const fn exceeds(quota: u64, used: u64, bytes: u64) -> bool {
    quota != u64::MAX && used.saturating_add(bytes) > quota
}

fn full(what: &str, raise: &str, used: u64, quota: u64, bytes: u64) -> Error {
    let text = format!("{what} is full: {used} of {quota} bytes are used, {bytes} more do not fit");
    let hint = format!("nothing was stored; receive messages, or raise the quota with {raise}");
    Error::new(ErrorKind::InsufficientResources, text).hint(hint)
}
