//! Receives that wait for a message, first come first served.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use uuid::Uuid;

use super::request::{Answer, Caller, Request, RequestId};

/// One that waits.
pub(super) struct Waiter {
    pub(super) from: Caller,
    pub(super) id: RequestId,
    pub(super) request: Request,
    /// Boot clock; none waits for ever.
    pub(super) deadline: Option<Duration>,
    pub(super) answer: Answer,
}

/// All that wait, by the queue's number.
#[derive(Default)]
pub(super) struct Waiting {
    queues: BTreeMap<u32, VecDeque<Waiter>>,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.queues.values().map(VecDeque::len).sum()
    }

    /// Adds one; gives the one with the same identity that it replaces, because its client asked again.
    pub(super) fn add(&mut self, queue: u32, waiter: Waiter) -> Vec<Waiter> {
        let same =
            |w: &Waiter| w.id.client == waiter.id.client && w.id.sequence == waiter.id.sequence;
        let replaced = self.take_if(same);
        self.queues.entry(queue).or_default().push_back(waiter);
        replaced
    }

    /// Takes all of a queue, in order.
    pub(super) fn take(&mut self, queue: u32) -> VecDeque<Waiter> {
        self.queues.remove(&queue).unwrap_or_default()
    }

    /// Puts back those that still wait.
    pub(super) fn put_back(&mut self, queue: u32, waiters: VecDeque<Waiter>) {
        if !waiters.is_empty() {
            self.queues.insert(queue, waiters);
        }
    }

    pub(super) fn expired(&mut self, now: Duration) -> Vec<Waiter> {
        self.take_if(|w| w.deadline.is_some_and(|deadline| deadline <= now))
    }

    pub(super) fn of_client(&mut self, client: Uuid) -> Vec<Waiter> {
        self.take_if(|w| w.id.client == client)
    }

    pub(super) fn all(&mut self) -> Vec<Waiter> {
        self.take_if(|_| true)
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let all = self.queues.values().flatten();
        all.filter_map(|w| w.deadline).min()
    }

    fn take_if(&mut self, wanted: impl Fn(&Waiter) -> bool) -> Vec<Waiter> {
        let mut taken = Vec::new();
        for waiters in self.queues.values_mut() {
            if waiters.iter().any(&wanted) {
                let (out, stay): (Vec<_>, Vec<_>) =
                    std::mem::take(waiters).into_iter().partition(&wanted);
                taken.extend(out);
                waiters.extend(stay);
            }
        }
        self.queues.retain(|_, waiters| !waiters.is_empty());
        taken
    }
}
