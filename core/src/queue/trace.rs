//! What happened to a message, and where it is now.
//!
//! ```text
//!  apply (live and in replay) -> Trail: the last 65,536 steps of all messages, 2 MiB   \
//!  index, locks, delays       -> where it is now                                        -> Request::Trace
//!  the retained log           -> older steps: `hamq store trace`, beside the queue manager (offline/)
//! ```
//!
//! Older steps are not looked for in the log by the queue manager itself: that would read all of it, in the way of
//! senders. Another process can, without disturbing it.

use serde::{Deserialize, Serialize};

use super::change::{Change, Effect, Tell};
use super::index::Pages;
use super::message::MessageId;
use super::state::State;
use super::stored_queue::{Holder, JOURNAL_BIT};
use crate::error::Result;

/// Steps that are remembered.
const STEPS_MAX: usize = 65_536;

/// One step of a message's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// Unix milliseconds.
    pub time_ms: u64,
    /// The queue's local name.
    pub queue: String,
    /// What happened: `Arrived`, `Received`, `Moved`, `DeadLettered`, `Expired`, …; where it is: `Waiting`, `Held`, `Delayed`.
    pub what: String,
    /// Who did it or why; empty: nothing to say.
    pub detail: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Arrived,
    /// Handed out under this lease.
    Delivered(u32),
    Received,
    /// To this queue.
    Moved(u32),
    /// To this journal.
    Journaled(u32),
    /// To this queue, with this class.
    DeadLettered(u32, u16),
    Expired,
    /// With this class, and no dead letter was kept.
    Removed(u16),
    /// The poison policy took it out.
    Dropped,
    /// So many aborted receives and deliveries by now.
    Aborted(u32, u32),
    /// A transaction that takes it was prepared.
    Prepared,
    /// The whole queue.
    Purged,
    /// The whole queue.
    Deleted,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    time_ms: u64,
    /// 0: every message of the queue.
    lookup_id: u64,
    queue: u32,
    what: What,
}

/// What the effects of one change have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cause {
    time_ms: u64,
    tell: Tell,
    by_request: bool,
    /// The message that an effect before was about, and the class or the counter it got.
    class: (u64, u16),
    counted: u64,
}

impl Cause {
    pub(super) const fn of(change: &Change) -> Self {
        Self {
            time_ms: change.stamp.time_ms,
            tell: change.tell,
            by_request: change.stamp.request.is_some(),
            class: (0, 0),
            counted: 0,
        }
    }

    /// A message that was purged while it was held leaves: if it was given back before, that is why.
    pub(super) const fn purged(&mut self, lookup_id: u64) {
        if self.counted == lookup_id {
            self.class = (lookup_id, 0xC001);
        }
    }
}

/// Steps in the order in which they happened, the oldest forgotten first.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    steps: Vec<Step>,
    /// Where the next one goes once it is full.
    next: usize,
    /// Only steps of messages with this ordinal; none: of all.
    only: Option<u32>,
}

impl Default for Trail {
    fn default() -> Self {
        Self {
            // Memory that was never written costs nothing; no step ever allocates.
            steps: Vec::with_capacity(STEPS_MAX),
            next: 0,
            only: None,
        }
    }
}

impl Trail {
    /// Of the messages with this ordinal alone.
    pub(super) fn of(ordinal: u32) -> Self {
        Self {
            only: Some(ordinal),
            ..Self::default()
        }
    }

    fn push(&mut self, time_ms: u64, queue: u32, lookup_id: u64, what: What) {
        let other = self.only.is_some_and(|only| ordinal_of(lookup_id) != only);
        if other && lookup_id != 0 {
            return;
        }
        let step = Step {
            time_ms,
            lookup_id,
            queue,
            what,
        };
        if self.steps.len() < STEPS_MAX {
            self.steps.push(step);
        } else {
            self.steps[self.next] = step;
            self.next = (self.next + 1) % STEPS_MAX;
        }
    }

    /// An effect happens. `expired`: of a message that leaves, that its time is over.
    pub(super) fn note(&mut self, cause: &mut Cause, effect: &Effect, expired: bool) {
        let time_ms = cause.time_ms;
        let (queue, lookup_id, what) = match effect {
            Effect::Arrive(arrival) => (arrival.queue, arrival.lookup_id, What::Arrived),
            Effect::Leave { queue, lookup_id } => {
                (*queue, *lookup_id, left(cause, *lookup_id, expired))
            }
            Effect::Copy {
                queue,
                lookup_id,
                to,
                class: 0,
            } => (*queue, *lookup_id, What::Journaled(*to)),
            Effect::Copy {
                queue,
                lookup_id,
                to,
                class,
            } => {
                cause.class = (*lookup_id, *class);
                (*queue, *lookup_id, What::DeadLettered(*to, *class))
            }
            Effect::Move {
                queue,
                lookup_id,
                to,
                ..
            } => (*queue, *lookup_id, What::Moved(*to)),
            Effect::Count {
                queue,
                lookup_id,
                counts,
            } => {
                cause.counted = *lookup_id;
                let what = What::Aborted(counts.abort_count, counts.delivery_count);
                (*queue, *lookup_id, what)
            }
            Effect::Prepare { taken, .. } => {
                for (queue, lookup_id) in taken {
                    self.push(time_ms, *queue, *lookup_id, What::Prepared);
                }
                return;
            }
            Effect::Purge { queue, .. } => (*queue, 0, What::Purged),
            Effect::Delete { queue } => (*queue, 0, What::Deleted),
            _ => return,
        };
        self.push(time_ms, queue, lookup_id, what);
    }

    /// It was handed out under a lease.
    pub(super) fn delivered(&mut self, time_ms: u64, queue: u32, lookup_id: u64, lease: u32) {
        self.push(time_ms, queue, lookup_id, What::Delivered(lease));
    }

    /// The steps of one message, and those of whole queues while it was in them. `name` finds a queue's name.
    pub(super) fn steps(&self, ordinal: u32, name: &dyn Fn(u32) -> String) -> Vec<TraceStep> {
        let (newer, older) = self.steps.split_at(self.next);
        let mut places: Vec<u32> = Vec::new();
        let mut steps = Vec::new();
        for step in older.iter().chain(newer) {
            let whole = step.lookup_id == 0;
            if whole && !is_in(&places, *step) || !whole && ordinal_of(step.lookup_id) != ordinal {
                continue;
            }
            follow(&mut places, *step);
            steps.push(TraceStep {
                time_ms: step.time_ms,
                queue: name(step.queue),
                what: word(step.what).to_owned(),
                detail: detail(step.what, name),
            });
        }
        steps
    }

    /// Whether some steps were forgotten.
    pub(super) const fn is_full(&self) -> bool {
        self.steps.len() >= STEPS_MAX
    }
}

const fn ordinal_of(lookup_id: u64) -> u32 {
    (lookup_id & 0xffff_ffff) as u32
}

fn left(cause: &Cause, lookup_id: u64, expired: bool) -> What {
    let class = if cause.class.0 == lookup_id {
        cause.class.1
    } else {
        0
    };
    match cause.tell {
        _ if class == 0xC002 => What::Expired,
        _ if class != 0 => What::Removed(class),
        Tell::Message | Tell::Messages => What::Received,
        _ if cause.counted == lookup_id => What::Dropped,
        _ if cause.by_request => What::Received,
        _ if expired => What::Expired,
        _ => What::Removed(0),
    }
}

/// Whether a message in these queues is touched by what happens to a whole queue.
fn is_in(places: &[u32], step: Step) -> bool {
    places.contains(&step.queue)
        || step.what == What::Deleted && places.contains(&(step.queue | JOURNAL_BIT))
}

/// Where the message is after a step.
fn follow(places: &mut Vec<u32>, step: Step) {
    match step.what {
        What::Arrived => places.push(step.queue),
        What::Journaled(to) | What::DeadLettered(to, _) => places.push(to),
        What::Moved(to) => {
            places.retain(|place| *place != step.queue);
            places.push(to);
        }
        What::Received
        | What::Expired
        | What::Removed(_)
        | What::Dropped
        | What::Purged
        | What::Deleted => places.retain(|place| *place != step.queue),
        What::Delivered(_) | What::Aborted(..) | What::Prepared => {}
    }
}

const fn word(what: What) -> &'static str {
    match what {
        What::Arrived => "Arrived",
        What::Delivered(_) => "Delivered",
        What::Received => "Received",
        What::Moved(_) => "Moved",
        What::Journaled(_) => "CopiedToJournal",
        What::DeadLettered(..) => "DeadLettered",
        What::Expired => "Expired",
        What::Removed(_) => "Removed",
        What::Dropped => "Dropped",
        What::Aborted(..) => "Aborted",
        What::Prepared => "Prepared",
        What::Purged => "Purged",
        What::Deleted => "Deleted",
    }
}

fn detail(what: What, name: &dyn Fn(u32) -> String) -> String {
    match what {
        What::Delivered(lease) => format!("lease {lease}"),
        What::Moved(to) | What::Journaled(to) => format!("to {}", name(to)),
        What::DeadLettered(to, class) => format!("to {}: {}", name(to), class_name(class)),
        What::Removed(0) | What::Expired => String::new(),
        What::Removed(class) => class_name(class),
        What::Dropped => "by the queue's poison policy".to_owned(),
        What::Aborted(aborts, deliveries) => {
            format!("{aborts} aborted receives, {deliveries} deliveries")
        }
        What::Purged | What::Deleted => "the whole queue".to_owned(),
        What::Arrived | What::Received | What::Prepared => String::new(),
    }
}

/// The name of an acknowledgement class (MQMSG_CLASS_*).
#[must_use]
pub fn class_name(class: u16) -> String {
    let name = match class {
        0x0002 => "ACK_REACH_QUEUE",
        0x4000 => "ACK_RECEIVE",
        0x8000 => "NACK_BAD_DST_Q",
        0x8001 => "NACK_DELETED",
        0x8002 => "NACK_REACH_QUEUE_TIMEOUT",
        0x8003 => "NACK_Q_EXCEED_QUOTA",
        0x8004 => "NACK_ACCESS_DENIED",
        0x8005 => "NACK_HOP_COUNT_EXCEEDED",
        0x8006 => "NACK_BAD_SIGNATURE",
        0x8007 => "NACK_BAD_ENCRYPTION",
        0x8009 => "NACK_NOT_TRANSACTIONAL_Q",
        0x800A => "NACK_NOT_TRANSACTIONAL_MSG",
        0xC000 => "NACK_Q_DELETED",
        0xC001 => "NACK_Q_PURGED",
        0xC002 => "NACK_RECEIVE_TIMEOUT",
        0xC004 => "NACK_RECEIVE_REJECTED",
        other => return format!("class {other:#06x}"),
    };
    name.to_owned()
}

impl State {
    /// What happened to a message, as far as it is remembered, and last where it is now.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn trace(&mut self, pages: &dyn Pages, id: MessageId) -> Result<Vec<TraceStep>> {
        let ordinal = if id.manager == self.guid {
            id.ordinal
        } else {
            0
        };
        let name = |number| {
            let queue = self.queues.get(&number);
            queue.map_or_else(
                || format!("queue {number}, deleted since"),
                |q| q.name.clone(),
            )
        };
        let mut steps = match ordinal {
            0 => Vec::new(),
            ordinal => self.trail.steps(ordinal, &name),
        };
        let begins = steps.first().is_some_and(|step| step.what == "Arrived");
        let forgotten = self.trail.is_full() && !begins;
        for number in self.queues.keys().copied().collect::<Vec<_>>() {
            self.trace_now(pages, number, (ordinal, id), &mut steps)?;
        }
        if forgotten && let Some(first) = steps.first().cloned() {
            let earlier = TraceStep {
                time_ms: 0,
                queue: first.queue,
                what: "Earlier".to_owned(),
                detail: "steps are in the log: hamq store trace FOLDER ID".to_owned(),
            };
            steps.insert(0, earlier);
        }
        Ok(steps)
    }

    /// Where the message is now in one queue, if it is there.
    fn trace_now(
        &mut self,
        pages: &dyn Pages,
        number: u32,
        (ordinal, id): (u32, MessageId),
        steps: &mut Vec<TraceStep>,
    ) -> Result<()> {
        let now_ms = self.time_ms;
        let Some(queue) = self.queues.get_mut(&number) else {
            return Ok(());
        };
        let name = queue.name.clone();
        let mut step = |what: &str, detail: String| {
            steps.push(TraceStep {
                time_ms: now_ms,
                queue: name.clone(),
                what: what.to_owned(),
                detail,
            });
        };
        let same = |lookup_id: &u64| ordinal != 0 && ordinal_of(*lookup_id) == ordinal;
        for (_, locked) in queue.locked.iter().filter(|l| same(l.0)) {
            step("Held", held_by(&locked.by));
        }
        for (_, delayed) in queue.delayed.iter().filter(|d| same(d.0)) {
            step("Delayed", format!("until {}", delayed.due_ms));
        }
        if let Some(lookup_id) = queue.index.find_id(pages, ordinal, id)?
            && let Some(entry) = queue.index.get(pages, lookup_id)?
        {
            let expiry = entry.expires_ms();
            let expiry = expiry.map_or_else(String::new, |at| format!(", expires at {at}"));
            step("Waiting", format!("since {}{expiry}", entry.arrived_ms));
        }
        Ok(())
    }
}

fn held_by(holder: &Holder) -> String {
    match holder {
        Holder::Transaction(client, transaction) => {
            format!("by transaction {} of client {client}", transaction.0)
        }
        Holder::Lease { delivery, .. } => format!("by lease {delivery}"),
        Holder::Branch(branch) => {
            let branch = String::from_utf8_lossy(&branch.0);
            format!("by prepared transaction {branch:?}")
        }
        Holder::Nobody => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trail_forgets_the_oldest_steps_and_never_grows() {
        let mut trail = Trail::default();
        let (count, capacity) = (STEPS_MAX as u64 + 10, trail.steps.capacity());
        for n in 1..=count {
            trail.push(n, 20, n, What::Arrived);
        }
        assert_eq!(trail.steps.capacity(), capacity);
        assert!(size_of::<Step>() <= 32);
        let name = |number: u32| number.to_string();
        assert!(trail.is_full() && trail.steps(10, &name).is_empty());
        let newest = u32::try_from(count).unwrap();
        let steps = trail.steps(newest, &name);
        assert_eq!((steps.len(), steps[0].time_ms), (1, count));
        let order: Vec<u64> = [11, 12]
            .iter()
            .map(|n| trail.steps(*n, &name)[0].time_ms)
            .collect();
        assert_eq!(order, [11, 12]);
    }

    #[test]
    fn a_purge_is_a_step_only_of_messages_that_were_there() {
        let mut trail = Trail::default();
        trail.push(1, 20, 7, What::Arrived);
        trail.push(2, 20, 7, What::Moved(21));
        trail.push(3, 20, 0, What::Purged);
        trail.push(4, 21, 0, What::Purged);
        trail.push(5, 21, 0, What::Purged);
        let steps = trail.steps(7, &|number| number.to_string());
        let seen: Vec<_> = steps.iter().map(|s| (s.time_ms, s.what.as_str())).collect();
        assert_eq!(seen, [(1, "Arrived"), (2, "Moved"), (4, "Purged")]);
        assert_eq!(steps[1].detail, "to 21");
    }
}
