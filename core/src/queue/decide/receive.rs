//! Receiving and peeking: which messages, and what becomes of them.

use super::Decision;
use super::lease::check_length;
use super::send::check_usage;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::access::Rights;
use crate::queue::change::{Change, Effect, Tell};
use crate::queue::encoded::Encoded;
use crate::queue::entry::Entry;
use crate::queue::index::Pages;
use crate::queue::outcome::{Delivered, Outcome};
use crate::queue::quota::Staged;
use crate::queue::request::{
    Caller, QueueKind, Request, RequestId, Select, Take, Transaction, TransactionId,
};
use crate::queue::state::{Now, State};
use crate::queue::stored_queue::{Holder, Queue};
use crate::queue::transaction::Operation;

/// Messages of one ReceiveMany at most.
const COUNT_MAX: u32 = 65_536;
/// Bytes of one ReceiveMany at most: what fits into one frame.
const BYTES_MAX: u32 = 6 * 1024 * 1024;
/// What a message takes in a frame beside its bytes, for the bound.
const OVERHEAD_BYTES: u64 = 64;

/// A message that was found.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its place.
    pub lookup_id: u64,
    /// What the queue knows of it.
    pub entry: Entry,
}

/// Messages that are to be handed out, once their content has been read: one that cannot be read is not taken.
pub struct Hand {
    /// The queue's number.
    pub queue: u32,
    /// Which; at least one.
    pub candidates: Vec<Candidate>,
    /// What becomes of them.
    pub how: How,
    /// Whether the answer is a list.
    pub many: bool,
}

/// What becomes of a message that is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It stays.
    Peek,
    /// It leaves.
    Remove,
    /// A transaction holds it.
    Lock(TransactionId),
    /// Its reader holds it for so many milliseconds.
    Lease(u32),
}

/// What handing out came to.
pub enum Handed {
    /// This is to be logged and applied; the outcome says the rest.
    Change(Change),
    /// It is done.
    Done(Outcome),
}

struct Wanted<'a> {
    queue: &'a str,
    select: Select,
    take: Take,
    transaction: Transaction,
    count_max: u32,
    bytes_max: u32,
    many: bool,
}

fn wanted(request: &Request) -> Option<Wanted<'_>> {
    match request {
        Request::Receive {
            queue,
            select,
            take,
            transaction,
            ..
        } => Some(Wanted {
            queue,
            select: *select,
            take: *take,
            transaction: *transaction,
            count_max: 1,
            bytes_max: 0,
            many: false,
        }),
        Request::ReceiveMany {
            queue,
            after,
            take,
            count_max,
            bytes_max,
            transaction,
            ..
        } => Some(Wanted {
            queue,
            select: match after {
                0 => Select::First,
                after => Select::After(*after),
            },
            take: *take,
            transaction: *transaction,
            count_max: (*count_max).clamp(1, COUNT_MAX),
            bytes_max: (*bytes_max).min(BYTES_MAX),
            many: true,
        }),
        _ => None,
    }
}

impl State {
    pub(super) fn decide_receive(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        id: &RequestId,
        request: &Request,
        now: Now,
    ) -> Result<Decision> {
        let Some(wanted) = wanted(request) else {
            return Ok(Decision::Wait);
        };
        let needed = self.rights_to_read(wanted.queue, wanted.take);
        let (number, queue) = self.open_queue(from, wanted.queue, needed)?;
        let how = how(queue, wanted.take, wanted.transaction)?;
        check_fault(queue, how, wanted.select)?;
        if let How::Lock(transaction) = how {
            self.open_transaction(from, transaction)?.admit(0)?;
        }
        let candidates = self.find(pages, number, &wanted, now)?;
        debug_assert!(
            id.sequence > 0 || id.client.is_nil(),
            "requests count from 1"
        );
        if candidates.is_empty() {
            return self.missing(pages, number, wanted.select);
        }
        Ok(Decision::Hand(Hand {
            queue: number,
            candidates,
            how,
            many: wanted.many,
        }))
    }

    pub(super) fn rights_to_read(&self, name: &str, take: Take) -> Rights {
        let number = self.number_of(name);
        let kind = number.and_then(|n| Some(self.queues.get(&n)?.kind));
        match (kind, take) {
            (_, Take::Peek) => Rights::PEEK,
            (Some(QueueKind::Journal), _) => Rights::RECEIVE_JOURNAL,
            _ => Rights::RECEIVE,
        }
    }

    fn find(
        &mut self,
        pages: &dyn Pages,
        number: u32,
        wanted: &Wanted<'_>,
        now: Now,
    ) -> Result<Vec<Candidate>> {
        let own = self.guid;
        let Some(queue) = self.queues.get_mut(&number) else {
            return Ok(Vec::new());
        };
        let Some(first) = find_alive(pages, queue, wanted.select, own, now)? else {
            return Ok(Vec::new());
        };
        let mut bytes = first.entry.body_bytes + OVERHEAD_BYTES;
        let mut all = vec![first];
        while (all.len() as u32) < wanted.count_max
            && let Some(last) = all.last()
            && let Some(next) = find_alive(pages, queue, Select::After(last.lookup_id), own, now)?
        {
            bytes += next.entry.body_bytes + OVERHEAD_BYTES;
            // A large body is read in parts: it would not fit beside others.
            if bytes > u64::from(wanted.bytes_max) {
                break;
            }
            all.push(next);
        }
        Ok(all)
    }

    /// Messages that are not due yet, for who has the right to peek.
    pub(super) fn decide_delayed(
        &self,
        from: &Caller,
        name: &str,
        after: u64,
        count_max: u32,
        bytes_max: u32,
    ) -> Result<Decision> {
        let (number, queue) = self.open_queue(from, name, Rights::PEEK)?;
        let behind = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        let count_max = count_max.clamp(1, COUNT_MAX) as usize;
        let bytes_max = u64::from(bytes_max.min(BYTES_MAX));
        let (mut bytes, mut found) = (0, Vec::new());
        for (lookup_id, delayed) in queue.delayed.range(behind).take(count_max) {
            bytes += delayed.entry.body_bytes + OVERHEAD_BYTES;
            if bytes > bytes_max && !found.is_empty() {
                break;
            }
            let candidate = Candidate {
                lookup_id: *lookup_id,
                entry: delayed.entry.clone(),
            };
            found.push((delayed.due_ms, candidate));
        }
        Ok(Decision::Delayed(number, found))
    }

    /// There is no such message: an error where waiting makes no sense.
    fn missing(&mut self, pages: &dyn Pages, number: u32, select: Select) -> Result<Decision> {
        let guid = self.guid;
        let Some(queue) = self.queues.get_mut(&number) else {
            return Ok(Decision::Wait);
        };
        match select {
            Select::First | Select::After(_) | Select::Correlation(_) => Ok(Decision::Wait),
            Select::LookupId(lookup_id) => Err(no_message(queue, lookup_id)),
            Select::Before(_) | Select::Last => Err(Error::new(
                ErrorKind::MessageNotFound,
                format!("queue {} has no message there", queue.name),
            )),
            Select::Id(id) => {
                let held = queue.locked.keys().copied().find(|lookup_id| {
                    id.manager == guid
                        && (*lookup_id & u64::from(u32::MAX)) == u64::from(id.ordinal)
                });
                let _ = pages;
                Err(match held {
                    Some(lookup_id) => no_message(queue, lookup_id),
                    None => Error::new(
                        ErrorKind::MessageNotFound,
                        format!("queue {} has no message {id}", queue.name),
                    )
                    .hint("Get-MsmqMessage -Trace tells what became of it"),
                })
            }
        }
    }

    /// Hands out messages whose contents were read.
    ///
    /// # Errors
    /// Those of the request; then nothing was taken.
    pub fn hand(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        id: &RequestId,
        hand: &Hand,
        contents: &[Encoded],
        now: Now,
    ) -> Result<Handed> {
        match hand.how {
            How::Peek => {
                let delivered = deliver(hand, |_| 0);
                Ok(Handed::Done(outcome(delivered, hand.many)))
            }
            How::Remove => self.take_now(id, hand, contents, now).map(Handed::Change),
            How::Lock(transaction) => {
                self.hold_in(pages, from, hand, contents, transaction)?;
                let outcome = outcome(deliver(hand, |_| 0), hand.many);
                Ok(Handed::Done(self.pass(id, outcome)))
            }
            How::Lease(milliseconds) => {
                let leases = self.lease(pages, hand, milliseconds, now)?;
                let delivered = deliver(hand, |at| leases.get(at).copied().unwrap_or_default());
                let outcome = outcome(delivered, hand.many);
                Ok(Handed::Done(self.pass(id, outcome)))
            }
        }
    }

    fn take_now(
        &self,
        id: &RequestId,
        hand: &Hand,
        contents: &[Encoded],
        now: Now,
    ) -> Result<Change> {
        let mut effects = Vec::with_capacity(hand.candidates.len());
        let mut copied = Staged::new();
        for (candidate, content) in hand.candidates.iter().zip(contents) {
            let Some(queue) = self.queues.get(&hand.queue) else {
                continue;
            };
            let (lookup_id, entry) = (candidate.lookup_id, &candidate.entry);
            self.after_receive(&mut effects, queue, lookup_id, entry, content, &mut copied)?;
            effects.push(Effect::Leave {
                queue: hand.queue,
                lookup_id,
            });
        }
        Ok(Change {
            stamp: self.stamp(*id, now),
            tell: if hand.many {
                Tell::Messages
            } else {
                Tell::Message
            },
            effects,
        })
    }

    fn hold_in(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        hand: &Hand,
        contents: &[Encoded],
        transaction: TransactionId,
    ) -> Result<()> {
        let mut aftermath = Vec::new();
        let mut copied = Staged::new();
        for (candidate, content) in hand.candidates.iter().zip(contents) {
            if let Some(queue) = self.queues.get(&hand.queue) {
                let (lookup_id, entry) = (candidate.lookup_id, &candidate.entry);
                let mut effects = Vec::new();
                self.after_receive(&mut effects, queue, lookup_id, entry, content, &mut copied)?;
                aftermath.extend(effects.into_iter().map(|e| (hand.queue, lookup_id, e)));
            }
        }
        let by = Holder::Transaction(from.client, transaction);
        for candidate in &hand.candidates {
            if let Some(queue) = self.queues.get_mut(&hand.queue) {
                queue.lock(pages, candidate.lookup_id, by.clone())?;
            }
        }
        let open = self.open_transaction(from, transaction)?;
        let taken = hand.candidates.iter();
        let taken = taken.map(|c| Operation::Receive(hand.queue, c.lookup_id));
        open.operations.extend(taken);
        open.aftermath.extend(aftermath);
        for (journal, bytes) in &copied {
            *open.staged.entry(*journal).or_default() += bytes;
        }
        for (journal, bytes) in copied {
            self.usage.stage(journal, bytes);
        }
        Ok(())
    }
}

fn deliver(hand: &Hand, lease: impl Fn(usize) -> u32) -> Vec<Delivered> {
    let all = hand.candidates.iter().enumerate();
    all.map(|(at, candidate)| Delivered {
        queue: hand.queue,
        lookup_id: candidate.lookup_id,
        entry: candidate.entry.clone(),
        lease: lease(at),
    })
    .collect()
}

fn outcome(mut delivered: Vec<Delivered>, many: bool) -> Outcome {
    match (many, delivered.pop()) {
        (false, Some(one)) => Outcome::Message(Box::new(one)),
        (_, last) => {
            delivered.extend(last);
            Outcome::Messages(delivered)
        }
    }
}

fn how(queue: &Queue, take: Take, transaction: Transaction) -> Result<How> {
    let how = match (take, transaction) {
        (Take::Peek, _) => return Ok(How::Peek),
        (Take::Remove, Transaction::None) => return Ok(How::Remove),
        (Take::Remove, Transaction::Single) => How::Remove,
        (Take::Remove, Transaction::In(transaction)) => How::Lock(transaction),
        (Take::Lease(milliseconds), Transaction::None) => {
            check_length(milliseconds)?;
            return Ok(How::Lease(milliseconds));
        }
        (Take::Lease(_), _) => {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                "a receive has a lease or a transaction, not both",
            )
            .hint("settle the lease when the work is done, or use a transaction alone"));
        }
    };
    // Dead letters and journals are taken by transactions as well: nothing is lost when that aborts.
    if !queue.is_journal() {
        check_usage(queue, transaction, "receive from")?;
    }
    Ok(how)
}

/// A stopped queue gives a message only to who names it.
fn check_fault(queue: &Queue, how: How, select: Select) -> Result<()> {
    let named = matches!(select, Select::LookupId(_) | Select::Id(_));
    match queue.faulted {
        Some(lookup_id) if how != How::Peek && !named => Err(Error::new(
            ErrorKind::InvalidState,
            format!("queue {} is stopped by the poisonous message {lookup_id}", queue.name),
        )
        .hint("look at it with -Peek, then move or remove it by its lookup id; Clear-MsmqQueue also ends the stop")),
        _ => Ok(()),
    }
}

/// As `find_one`, without those whose time is over and whose turn to be removed has not come yet.
fn find_alive(
    pages: &dyn Pages,
    queue: &mut Queue,
    select: Select,
    own: uuid::Uuid,
    now: Now,
) -> Result<Option<Candidate>> {
    let mut select = select;
    while let Some(found) = find_one(pages, queue, select, own)? {
        let expires_ms = found.entry.expires_ms();
        if expires_ms.is_none_or(|at| at > now.wall_ms) {
            return Ok(Some(found));
        }
        select = match select {
            Select::First | Select::After(_) => Select::After(found.lookup_id),
            Select::Last | Select::Before(_) => Select::Before(found.lookup_id),
            Select::LookupId(_) | Select::Id(_) | Select::Correlation(_) => return Ok(None),
        };
    }
    Ok(None)
}

fn find_one(
    pages: &dyn Pages,
    queue: &mut Queue,
    select: Select,
    own: uuid::Uuid,
) -> Result<Option<Candidate>> {
    let index = &mut queue.index;
    let found = match select {
        Select::First => index.at_or_after(pages, 0)?,
        Select::After(id) => match id.checked_add(1) {
            Some(id) => index.at_or_after(pages, id)?,
            None => None,
        },
        Select::LookupId(id) => index.get(pages, id)?.map(|entry| (id, entry)),
        Select::Before(id) => match id.checked_sub(1) {
            Some(id) => index.at_or_before(pages, id)?,
            None => None,
        },
        Select::Last => index.at_or_before(pages, u64::MAX)?,
        Select::Correlation(correlation) => match index.find_correlation(pages, correlation, 0)? {
            Some(id) => index.get(pages, id)?.map(|entry| (id, entry)),
            None => None,
        },
        Select::Id(id) => {
            let ordinal = if id.manager == own { id.ordinal } else { 0 };
            match index.find_id(pages, ordinal, id)? {
                Some(id) => index.get(pages, id)?.map(|entry| (id, entry)),
                None => None,
            }
        }
    };
    Ok(found.map(|(lookup_id, entry)| Candidate {
        lookup_id,
        entry: entry.clone(),
    }))
}

pub(super) fn no_message(queue: &Queue, lookup_id: u64) -> Error {
    if queue.locked.contains_key(&lookup_id) {
        return Error::new(
            ErrorKind::MessageAlreadyReceived,
            format!(
                "message {lookup_id} of queue {} is held by a transaction or a lease",
                queue.name
            ),
        )
        .hint("it is back if that ends without taking it");
    }
    Error::new(
        ErrorKind::MessageNotFound,
        format!("queue {} has no message {lookup_id}", queue.name),
    )
}
