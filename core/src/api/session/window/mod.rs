//! The requests of a session that are not answered yet. Pure: no socket, no clock.
//!
//! Numbers rise by one with each request. `first` is the lowest that is not answered: everything below it
//! is acknowledged to the queue manager, which then forgets the outcomes.
//!
//! A receive that waits is asked in slices of half a second, each a request of its own. That bounds how long
//! `first` can stand still while others go on, and it lets a caller stop waiting without the risk that
//! a message is taken from the queue for nobody.
//!
//! A commit that its caller gave up while nobody answered goes on without a caller: it is sent again like everything else,
//! and who asks for the same commit once more gets its outcome. A second commit would be told that the transaction is not
//! open, which is no answer to whether the first one happened.
//!
//! A number that is held is not acknowledged although it is answered: the queue manager keeps what belongs to its
//! outcome, a large body.

mod fate;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fate::{
    AfterLoss, AfterReply, after_loss, after_reply, cancelled, dropped, ends_transaction,
    set_timeout, takes_messages, timeout, transaction_of,
};

use super::slot::Slot;
use crate::api::wire::payload::append_request;
use crate::error::{Error, Result};
use crate::queue::request::{Reply, Request, TransactionId};

/// Requests under way at the same time.
pub(super) const OUTSTANDING_MAX: usize = 4096;
/// Numbers between the lowest unanswered request and the newest.
const SPAN_MAX: usize = 64 * 1024;
/// Outcomes kept of commits that were given up.
const SETTLED_MAX: usize = 1024;
/// How long one request of a waiting receive waits at the queue manager.
pub(super) const SLICE: Duration = Duration::from_millis(500);

/// Time since the session began.
pub(super) type Moment = Duration;

#[derive(Debug)]
struct Pending {
    request: Request,
    /// Roughly what it takes on the wire.
    bytes: usize,
    /// `None`: its caller has given up, and may ask again.
    slot: Option<Arc<Slot>>,
    /// Of a receive: when its caller stops waiting. `None`: never, or it does not wait.
    deadline: Option<Moment>,
    /// Its caller does not want it any more, but its outcome must not get lost.
    cancelled: Option<Moment>,
}

/// A request that is finished: the slot to fill, with what. Filled by the caller, outside of its lock.
pub(super) type Finished = (Arc<Slot>, Result<Reply>);

/// What a reply means for the connection.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Go on.
    Fine,
    /// The queue manager is no longer one: leave it and find its successor.
    Leave(Error),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The number of `pending[0]`.
    first: u64,
    pending: VecDeque<Option<Pending>>,
    outstanding: usize,
    /// Those of them that nobody waits for.
    given_up: usize,
    /// Outcomes of commits that came when nobody waited for them.
    settled: BTreeMap<TransactionId, (Request, Result<Reply>)>,
    /// Requests from this number on were not written to the present connection.
    unsent: u64,
    /// What the unsent ones take on the wire, roughly.
    unsent_bytes: usize,
    /// Transactions that began on the present connection, or will, and are not known to have ended.
    begun: HashSet<TransactionId>,
    /// Answered numbers that are not acknowledged yet.
    held: BTreeSet<u64>,
}

impl Window {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self {
            first: 1,
            unsent: 1,
            ..Self::default()
        }
    }

    /// Whether nobody waits for anything.
    pub(super) fn is_empty(&self) -> bool {
        self.outstanding == self.given_up
    }

    /// How many are under way.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Whether there is room for this one more. Parts of a body that is read are let through while it is held.
    pub(super) fn has_room(&self, request: &Request) -> bool {
        let span = match request {
            Request::ReadBody { .. } => self.pending.len(),
            _ => usize::try_from(self.next() - self.acknowledged()).unwrap_or(usize::MAX),
        };
        self.outstanding < OUTSTANDING_MAX && span < SPAN_MAX
    }

    /// Roughly how many bytes wait to be written.
    pub(super) fn unsent_bytes(&self) -> usize {
        self.unsent_bytes
    }

    /// The queue manager may forget the outcome of this number.
    pub(super) fn release(&mut self, number: u64) {
        self.held.remove(&number);
    }

    /// Whether something waits to be written.
    pub(super) fn has_unsent(&self) -> bool {
        self.unsent < self.next()
    }

    /// Takes a request. One that belongs to a transaction of an earlier connection is answered at once; a commit that was
    /// given up is the same one again.
    pub(super) fn push(
        &mut self,
        request: Request,
        slot: Arc<Slot>,
        now: Moment,
    ) -> Option<Finished> {
        let slot = match self.take_up(&request, slot) {
            TakenUp::Waits => return None,
            TakenUp::Finished(finished) => return Some(finished),
            TakenUp::New(slot) => slot,
        };
        if let Request::Begin { transaction } = request {
            self.begun.insert(transaction);
        } else if let Some(gone) = transaction_of(&request).filter(|id| !self.begun.contains(id)) {
            return Some((slot, Err(dropped(gone))));
        }
        let deadline = timeout(&request)
            .filter(|ms| *ms < u64::MAX)
            .map(|ms| now.saturating_add(Duration::from_millis(ms)));
        self.append(Pending {
            bytes: bytes_of(&request),
            request,
            slot: Some(slot),
            deadline,
            cancelled: None,
        });
        None
    }

    /// Appends the frames of unsent requests to `out`, up to `bytes_max` or a little more.
    pub(super) fn encode_unsent(
        &mut self,
        out: &mut Vec<u8>,
        bytes_max: usize,
        now: Moment,
    ) -> Vec<Finished> {
        let mut finished = Vec::new();
        while out.len() < bytes_max && self.has_unsent() {
            let number = self.unsent;
            self.unsent += 1;
            let acknowledged = self.acknowledged();
            let Some(pending) = self.at(number) else {
                continue;
            };
            let (wait, bytes) = (pending.wait(now), pending.bytes);
            set_timeout(&mut pending.request, millis(wait));
            let appended = append_request(out, number, acknowledged, &pending.request);
            self.unsent_bytes = self.unsent_bytes.saturating_sub(bytes);
            if let Err(error) = appended {
                finished.extend(self.finish(number, Err(error)));
            }
        }
        finished
    }

    /// A reply came.
    pub(super) fn answer(
        &mut self,
        number: u64,
        reply: Result<Reply>,
        now: Moment,
    ) -> (Verdict, Option<Finished>) {
        let Some(pending) = self.at(number) else {
            return (Verdict::Fine, None);
        };
        match after_reply(pending, &reply, now) {
            AfterReply::Deliver => (Verdict::Fine, self.deliver(number, reply)),
            AfterReply::WaitOn => {
                self.ask_again(number);
                (Verdict::Fine, None)
            }
            AfterReply::Cancelled => (Verdict::Fine, self.finish(number, Err(cancelled()))),
            AfterReply::Leave => match reply {
                Err(error) => (Verdict::Leave(error), None),
                Ok(_) => (Verdict::Fine, None),
            },
        }
    }

    /// The connection is lost: parts of transactions end, everything else will be sent again.
    pub(super) fn lost(&mut self) -> Vec<Finished> {
        // What was never sent of a transaction that was never begun is as good as ever.
        let unsent = self.unsent;
        let begins = (unsent..self.next()).filter_map(|number| match self.at(number)?.request {
            Request::Begin { transaction } => Some(transaction),
            _ => None,
        });
        self.begun = begins.collect();
        let untouched = self.begun.clone();
        let finished = self.end_where(|pending| match after_loss(&pending.request) {
            AfterLoss::Abort(transaction) if !untouched.contains(&transaction) => {
                Some(dropped(transaction))
            }
            AfterLoss::Abort(_) | AfterLoss::SendAgain => None,
        });
        self.unsent = self.first;
        self.unsent_bytes = self
            .pending
            .iter()
            .flatten()
            .map(|pending| pending.bytes)
            .sum();
        finished
    }

    /// The virtual server did not come back in time.
    pub(super) fn fail_all(&mut self, error: &Error) -> Vec<Finished> {
        self.end_where(|_| Some(error.clone()))
    }

    /// Finds the commit that this one asks for again.
    fn take_up(&mut self, request: &Request, slot: Arc<Slot>) -> TakenUp {
        let Some(transaction) = transaction_of(request).filter(|_| ends_transaction(request))
        else {
            return TakenUp::New(slot);
        };
        if let Some((settled, reply)) = self.settled.get(&transaction)
            && settled == request
        {
            return TakenUp::Finished((slot, reply.clone()));
        }
        let mut given_up = self
            .pending
            .iter_mut()
            .flatten()
            .filter(|p| p.slot.is_none());
        match given_up.find(|pending| pending.request == *request) {
            Some(pending) => {
                pending.slot = Some(slot);
                self.given_up -= 1;
                TakenUp::Waits
            }
            None => TakenUp::New(slot),
        }
    }

    /// The caller gives up everything that is under way. A receive that may have taken a message is
    /// waited for until its slice is over.
    pub(super) fn cancel(&mut self, now: Moment) -> Vec<Finished> {
        let unsent = self.unsent;
        self.end_where_numbered(|number, pending| {
            if takes_messages(&pending.request) && number < unsent {
                pending.cancelled = Some(now);
                return None;
            }
            Some(cancelled())
        })
    }

    /// Ends cancelled receives whose slice is long over: nobody answers.
    pub(super) fn end_cancelled(&mut self, now: Moment) -> Vec<Finished> {
        self.end_where(|pending| {
            let since = pending.cancelled?;
            (now.saturating_sub(since) > SLICE * 2).then(|| {
                cancelled().hint("it is not known whether a message was taken: nobody answers")
            })
        })
    }

    /// Panics when the fields contradict each other; for tests and debug builds.
    pub(super) fn check_invariants(&self) {
        let counted = self.pending.iter().flatten().count();
        assert_eq!(counted, self.outstanding, "outstanding requests");
        let unheard = self.pending.iter().flatten().filter(|p| p.slot.is_none());
        assert_eq!(unheard.count(), self.given_up, "requests without a caller");
        assert!(
            self.pending.front().is_none_or(Option::is_some),
            "the first is unanswered"
        );
        assert!(
            self.unsent >= self.first.min(self.next()) && self.unsent <= self.next(),
            "unsent {} is outside of {}..={}",
            self.unsent,
            self.first,
            self.next()
        );
    }

    /// Every reply below this number was seen and is not needed any more.
    fn acknowledged(&self) -> u64 {
        self.held
            .first()
            .map_or(self.first, |held| self.first.min(*held))
    }

    fn next(&self) -> u64 {
        self.first + self.pending.len() as u64
    }

    fn at(&mut self, number: u64) -> Option<&mut Pending> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.pending.get_mut(index)?.as_mut()
    }

    fn append(&mut self, pending: Pending) {
        self.unsent_bytes += pending.bytes;
        self.pending.push_back(Some(pending));
        self.outstanding += 1;
    }

    fn remove(&mut self, number: u64) -> Option<Pending> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let pending = self.pending.get_mut(index)?.take()?;
        self.outstanding -= 1;
        self.given_up -= usize::from(pending.slot.is_none());
        if number >= self.unsent {
            self.unsent_bytes = self.unsent_bytes.saturating_sub(pending.bytes);
        }
        while matches!(self.pending.front(), Some(None)) {
            self.pending.pop_front();
            self.first += 1;
        }
        self.unsent = self.unsent.max(self.first);
        Some(pending)
    }

    fn finish(&mut self, number: u64, outcome: Result<Reply>) -> Option<Finished> {
        let pending = self.remove(number)?;
        Some((pending.slot?, outcome))
    }

    /// Its caller gets the error; a commit goes on without it.
    fn give_up(&mut self, number: u64, error: Error) -> Option<Finished> {
        let pending = self.at(number)?;
        if !ends_transaction(&pending.request) {
            return self.finish(number, Err(error));
        }
        let slot = pending.slot.take()?;
        self.given_up += 1;
        Some((slot, Err(error)))
    }

    /// The next slice of a waiting receive.
    fn ask_again(&mut self, number: u64) {
        if let Some(pending) = self.remove(number) {
            self.append(pending);
        }
    }

    /// The caller gets the reply. A transaction that was committed or aborted is over; a number whose outcome must
    /// be kept is held.
    fn deliver(&mut self, number: u64, reply: Result<Reply>) -> Option<Finished> {
        let pending = self.remove(number)?;
        match pending.request {
            Request::Commit { transaction }
            | Request::Abort { transaction }
            | Request::Prepare { transaction, .. } => {
                self.begun.remove(&transaction);
            }
            _ => {}
        }
        let Some(slot) = pending.slot else {
            self.settle(pending.request, reply);
            return None;
        };
        if reply.is_ok() && slot.hold(number) {
            self.held.insert(number);
        }
        Some((slot, reply))
    }

    /// Keeps an outcome for who asks again.
    fn settle(&mut self, request: Request, reply: Result<Reply>) {
        if let Some(transaction) = transaction_of(&request) {
            self.settled.insert(transaction, (request, reply));
        }
        if self.settled.len() > SETTLED_MAX {
            self.settled.pop_first(); // transactions are numbered upwards
        }
    }

    fn end_where(&mut self, mut error: impl FnMut(&Pending) -> Option<Error>) -> Vec<Finished> {
        self.end_where_numbered(|_, pending| error(pending))
    }

    fn end_where_numbered(
        &mut self,
        mut error: impl FnMut(u64, &mut Pending) -> Option<Error>,
    ) -> Vec<Finished> {
        let numbers = self.first..self.next();
        numbers
            .filter_map(|number| {
                let error = error(number, self.at(number)?)?;
                self.give_up(number, error)
            })
            .collect()
    }
}

/// What a commit is that comes in.
enum TakenUp {
    New(Arc<Slot>),
    /// The same one is under way, and has a caller again.
    Waits,
    /// Its outcome is known.
    Finished(Finished),
}

impl Pending {
    /// How long the queue manager shall wait for a message now.
    fn wait(&self, now: Moment) -> Duration {
        if timeout(&self.request).is_none() || self.cancelled.is_some() {
            return Duration::ZERO;
        }
        self.deadline
            .map_or(SLICE, |deadline| deadline.saturating_sub(now).min(SLICE))
    }
}

/// Roughly what a request takes on the wire.
fn bytes_of(request: &Request) -> usize {
    match request {
        Request::Send { message, .. } => 64 + message.len(),
        Request::WriteBody { bytes, .. } => 64 + bytes.len(),
        _ => 64,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
