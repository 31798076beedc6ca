//! Transactions over any queues of one manager: begin, commit, abort, and the two phases for a coordinator.

use std::collections::BTreeSet;

use super::Decision;
use super::acknowledgment::RECEIVE_REJECTED;
use super::send::ACK_REACH_QUEUE;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::change::{Change, Content, Counts, Effect, Tell};
use crate::queue::encoded::Encoded;
use crate::queue::index::Pages;
use crate::queue::message::{MessageId, PRIORITY_MAX, SentIn};
use crate::queue::outcome::Outcome;
use crate::queue::request::{BodyId, BranchId, Caller, RequestId, TransactionId};
use crate::queue::state::{Now, State, TRANSACTIONAL_DEAD_LETTER};
use crate::queue::stored_queue::Holder;
use crate::queue::transaction::{OpenTransaction, Operation};

/// Open transactions at most.
const TRANSACTIONS_MAX: usize = 10_000;
/// Prepared transactions at most.
const PREPARED_MAX: usize = 10_000;
/// Longest name of a branch, in bytes: an XID has 64 + 64.
const BRANCH_BYTES_MAX: usize = 128;

impl State {
    pub(super) fn open_transaction(
        &mut self,
        from: &Caller,
        transaction: TransactionId,
    ) -> Result<&mut OpenTransaction> {
        let open = self.transactions.get_mut(&(from.client, transaction));
        open.ok_or_else(|| {
            let text = format!("transaction {} is not open", transaction.0);
            Error::new(ErrorKind::TransactionAborted, text).hint(
                "it has ended, or its session or the queue manager has, which aborts it: begin a new one",
            )
        })
    }

    /// A transaction is open no longer: nothing is staged for it any more.
    fn close_transaction(&mut self, key: &(uuid::Uuid, TransactionId)) -> Option<OpenTransaction> {
        let open = self.transactions.remove(key)?;
        self.usage.unstage(&open.staged);
        Some(open)
    }

    pub(super) fn decide_begin(
        &mut self,
        from: &Caller,
        id: &RequestId,
        transaction: TransactionId,
    ) -> Result<Decision> {
        if self.transactions.len() >= TRANSACTIONS_MAX {
            let text = format!("{TRANSACTIONS_MAX} transactions are open");
            return Err(
                Error::new(ErrorKind::InsufficientResources, text).hint("commit or abort some")
            );
        }
        let key = (from.client, transaction);
        if self.transactions.contains_key(&key) {
            let text = format!("transaction {} is open already", transaction.0);
            return Err(Error::new(ErrorKind::InvalidRequest, text)
                .hint("a client numbers its transactions upwards and never uses a number again"));
        }
        self.transactions.insert(key, OpenTransaction::default());
        Ok(Decision::Known(self.pass(id, Outcome::Done)))
    }

    pub(super) fn decide_reject(
        &mut self,
        from: &Caller,
        id: &RequestId,
        transaction: TransactionId,
        queue: &str,
        lookup_id: u64,
    ) -> Result<Decision> {
        let (number, _) = self.find_queue(queue)?;
        let open = self.open_transaction(from, transaction)?;
        let message = (number, lookup_id);
        let received = |o: &Operation| matches!(o, Operation::Receive(q, m) if (*q, *m) == message);
        if !open.operations.iter().any(received) {
            let text = format!(
                "transaction {} has not received message {lookup_id} of queue {queue}",
                transaction.0
            );
            return Err(Error::new(ErrorKind::MessageNotFound, text)
                .hint("receive it in the transaction first, then reject it"));
        }
        if !open.rejected.contains(&message) {
            open.rejected.push(message);
            open.aftermath.retain(|a| (a.0, a.1) != message);
        }
        Ok(Decision::Known(self.pass(id, Outcome::Done)))
    }

    pub(super) fn decide_commit(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        id: &RequestId,
        transaction: TransactionId,
        now: Now,
    ) -> Result<Decision> {
        self.open_transaction(from, transaction)?;
        let key = (from.client, transaction);
        if let Err(error) = self.check_commit(key) {
            return self.refuse_commit(pages, key, error, now);
        }
        let Some(open) = self.close_transaction(&key) else {
            return Ok(Decision::Known(Outcome::Done));
        };
        let open = self.without_duplicates(open, now);
        let mut effects = self.effects_of(pages, from, open, true)?;
        self.place_arrivals(&mut effects);
        Ok(Decision::Change(Change {
            stamp: self.stamp(*id, now),
            tell: Tell::Done,
            effects,
        }))
    }

    /// It cannot be committed: it is aborted.
    fn refuse_commit(
        &mut self,
        pages: &dyn Pages,
        key: (uuid::Uuid, TransactionId),
        error: Error,
        now: Now,
    ) -> Result<Decision> {
        let mut effects = Vec::new();
        self.abort(pages, &mut effects, key, now)?;
        let stamp = self.own_stamp(now);
        let tell = Tell::Done;
        Ok(match effects.is_empty() {
            true => return Err(error),
            false => Decision::Refuse(
                Change {
                    stamp,
                    tell,
                    effects,
                },
                error,
            ),
        })
    }

    /// A queue of the transaction may have been deleted meanwhile.
    fn check_commit(&self, key: (uuid::Uuid, TransactionId)) -> Result<()> {
        let Some(open) = self.transactions.get(&key) else {
            return Ok(());
        };
        let gone = open.operations.iter().any(|operation| match operation {
            Operation::Send(arrival, _) => !self.queues.contains_key(&arrival.queue),
            Operation::Receive(queue, id) => !self.is_held(*queue, *id),
            Operation::Move(queue, id, to) => {
                // A subqueue comes into being with the move.
                let parent = to.split_once(';').map_or(to.as_str(), |parts| parts.0);
                !self.is_held(*queue, *id) || self.number_of(parent).is_none()
            }
        });
        if !gone {
            return Ok(());
        }
        let text = format!("transaction {} used a queue that was deleted", key.1.0);
        Err(Error::new(ErrorKind::TransactionAborted, text)
            .hint("it was aborted: its other messages are back in their queues"))
    }

    fn is_held(&self, queue: u32, lookup_id: u64) -> bool {
        let queue = self.queues.get(&queue);
        queue.is_some_and(|queue| queue.locked.contains_key(&lookup_id))
    }

    /// Without messages whose idempotency keys have come in since, or earlier in the same transaction.
    fn without_duplicates(&self, mut open: OpenTransaction, now: Now) -> OpenTransaction {
        let time_ms = self.time_ms.max(now.wall_ms);
        let mut keys = BTreeSet::new();
        open.operations.retain(|operation| match operation {
            Operation::Send(arrival, _) if !arrival.key.is_empty() => {
                keys.insert((arrival.queue, arrival.key.clone()))
                    && (self.sent_before(arrival.queue, &arrival.key, time_ms)).is_none()
            }
            _ => true,
        });
        open
    }

    /// Everything that a transaction does. `leaves`: what it takes included.
    fn effects_of(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        open: OpenTransaction,
        leaves: bool,
    ) -> Result<Vec<Effect>> {
        let mut effects: Vec<Effect> = open.aftermath.into_iter().map(|a| a.2).collect();
        self.drop_impossible(&mut effects);
        let sends = open
            .operations
            .iter()
            .filter(|o| matches!(o, Operation::Send(..)));
        let (count, mut sent) = (sends.count(), 0);
        for operation in open.operations {
            match operation {
                Operation::Receive(queue, lookup_id) => {
                    if open.rejected.contains(&(queue, lookup_id)) {
                        self.reject_held(pages, &mut effects, queue, lookup_id)?;
                    }
                    if leaves {
                        effects.push(Effect::Leave { queue, lookup_id });
                    }
                }
                Operation::Move(queue, lookup_id, to) => {
                    let to = self.subqueue(&mut effects, &to)?;
                    effects.push(Effect::Move {
                        queue,
                        lookup_id,
                        to,
                        due_ms: 0,
                        counts: Counts::default(),
                    });
                }
                Operation::Send(mut arrival, priority) => {
                    sent += 1;
                    if count > 1 {
                        arrival.transaction = Some(SentIn {
                            transaction: self.counter + 1,
                            first: sent == 1,
                            last: sent == count,
                        });
                    }
                    effects.extend(self.name_sender(from, &mut arrival));
                    arrival.lookup_id = self.place(priority, arrivals_of(&effects));
                    let message = match &arrival.content {
                        Content::New(message) => message.clone(),
                        Content::Stored(_) => Encoded::trusted(Vec::new()),
                    };
                    self.arrives(&mut effects, *arrival, &message, true)?;
                }
            }
        }
        let bodies = open.bodies.iter().map(|body| Effect::Parts {
            client: from.client,
            body: body.0,
        });
        effects.extend(bodies);
        dedup_principals(&mut effects);
        Ok(effects)
    }

    /// Gives all arrivals their places, in order, and their transaction its number.
    fn place_arrivals(&self, effects: &mut [Effect]) {
        let number = self.counter + 1;
        let arrivals = effects.iter_mut().filter_map(|effect| match effect {
            Effect::Arrive(arrival) => Some(arrival),
            _ => None,
        });
        for (arrival, taken) in arrivals.zip(0..) {
            let high = u8::try_from(arrival.lookup_id >> 56).unwrap_or_default();
            arrival.lookup_id = self.place(PRIORITY_MAX.saturating_sub(high), taken);
            if let Some(sent) = &mut arrival.transaction {
                sent.transaction = number;
            }
        }
    }

    fn reject_held(
        &self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        number: u32,
        lookup_id: u64,
    ) -> Result<()> {
        let Some(queue) = self.queues.get(&number) else {
            return Ok(());
        };
        let Some(locked) = queue.locked.get(&lookup_id) else {
            return Ok(());
        };
        let message = (lookup_id, &locked.entry);
        self.after_failure(effects, queue, message, RECEIVE_REJECTED, pages)
    }

    pub(super) fn decide_abort(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        id: &RequestId,
        transaction: TransactionId,
        now: Now,
    ) -> Result<Decision> {
        self.open_transaction(from, transaction)?;
        let mut effects = Vec::new();
        self.abort(pages, &mut effects, (from.client, transaction), now)?;
        if effects.is_empty() {
            return Ok(Decision::Known(self.pass(id, Outcome::Done)));
        }
        Ok(Decision::Change(Change {
            stamp: self.stamp(*id, now),
            tell: Tell::Done,
            effects,
        }))
    }

    /// Ends a transaction without a commit: its messages are back. Adds what must be remembered of that.
    ///
    /// # Errors
    /// Those of reading a page.
    pub(super) fn abort(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        key: (uuid::Uuid, TransactionId),
        now: Now,
    ) -> Result<()> {
        let Some(open) = self.close_transaction(&key) else {
            return Ok(());
        };
        for operation in &open.operations {
            match operation {
                Operation::Receive(queue, id) => {
                    self.give_back_received(pages, effects, (*queue, *id), now)?;
                }
                Operation::Move(queue, id, _) => self.give_back(pages, effects, *queue, *id)?,
                Operation::Send(..) => {}
            }
        }
        Ok(())
    }

    /// Aborts a client's transactions, and forgets what it was told: its connection has ended. Leases go on until
    /// they run out, unfinished bodies wait for a while. Gives what must be remembered of that.
    ///
    /// # Errors
    /// Those of reading a page.
    pub fn end_session(
        &mut self,
        pages: &dyn Pages,
        client: uuid::Uuid,
        now: Now,
    ) -> Result<Option<Change>> {
        let range = (client, TransactionId(0))..=(client, TransactionId(u64::MAX));
        let keys: Vec<_> = self.transactions.range(range).map(|t| *t.0).collect();
        let mut effects = Vec::new();
        for key in keys {
            self.abort(pages, &mut effects, key, now)?;
        }
        let bodies = (client, BodyId(0))..=(client, BodyId(u64::MAX));
        if self.uploads.range(bodies).next().is_some() {
            self.absent.leaves(client, now.boot_ms);
        }
        let gone = self.outcomes.end_session(client);
        self.release_outcomes(&gone);
        Ok((!effects.is_empty()).then(|| Change {
            stamp: self.own_stamp(now),
            tell: Tell::Done,
            effects,
        }))
    }

    pub(super) fn decide_prepare(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        id: &RequestId,
        transaction: TransactionId,
        branch: &BranchId,
        now: Now,
    ) -> Result<Decision> {
        self.open_transaction(from, transaction)?;
        self.check_branch(branch)?;
        let key = (from.client, transaction);
        if let Err(error) = self.check_commit(key) {
            return self.refuse_commit(pages, key, error, now);
        }
        let Some(open) = self.close_transaction(&key) else {
            return Ok(Decision::Known(Outcome::Done));
        };
        let taken = open.held().collect();
        let open = self.without_duplicates(open, now);
        let effects = self.effects_of(pages, from, open, false)?;
        // Names of senders are needed at once: the places of messages are given at the commit.
        let is_name = |e: &Effect| matches!(e, Effect::Principal { .. } | Effect::Create { .. });
        let (mut now_effects, later): (Vec<_>, Vec<_>) = effects.into_iter().partition(is_name);
        now_effects.push(Effect::Prepare {
            branch: branch.clone(),
            taken,
            effects: later,
        });
        Ok(Decision::Change(Change {
            stamp: self.stamp(*id, now),
            tell: Tell::Done,
            effects: now_effects,
        }))
    }

    fn check_branch(&self, branch: &BranchId) -> Result<()> {
        if branch.0.is_empty() || branch.0.len() > BRANCH_BYTES_MAX {
            let text = format!("a branch name of {} bytes", branch.0.len());
            return Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint(format!("it has 1 to {BRANCH_BYTES_MAX} bytes")));
        }
        if self.prepared.contains_key(branch) {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "a transaction of that branch name is prepared already",
            )
            .hint("resolve it first"));
        }
        if self.prepared.len() >= PREPARED_MAX {
            let text = format!("{PREPARED_MAX} transactions are prepared and not resolved");
            return Err(Error::new(ErrorKind::InsufficientResources, text)
                .hint("their coordinator must resolve them"));
        }
        Ok(())
    }

    pub(super) fn decide_resolve(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        id: &RequestId,
        branch: &BranchId,
        commit: bool,
        now: Now,
    ) -> Result<Decision> {
        let Some(prepared) = self.prepared.get(branch).cloned() else {
            if !commit {
                // Nothing is known of it, so it did not happen: that is what was asked for.
                return Ok(Decision::Known(self.pass(id, Outcome::Done)));
            }
            return Err(Error::new(
                ErrorKind::TransactionAborted,
                "no transaction of that branch name is prepared",
            )
            .hint("it was resolved before, or never prepared here"));
        };
        debug_assert!(from.client == id.client, "a request of its own client");
        let mut effects = Vec::new();
        if commit {
            effects = prepared.effects;
            let time_ms = self.time_ms.max(now.wall_ms);
            effects.retain(|effect| match effect {
                Effect::Arrive(arrival) if !arrival.key.is_empty() => {
                    (self.sent_before(arrival.queue, &arrival.key, time_ms)).is_none()
                }
                // One that was only in memory is gone since a restart.
                Effect::Move {
                    queue, lookup_id, ..
                }
                | Effect::Copy {
                    queue, lookup_id, ..
                } => self.is_held_by(*queue, *lookup_id, branch),
                _ => true,
            });
            let is_move = |q: u32, m: u64, effects: &[Effect]| {
                let moves = |e: &Effect| matches!(e, Effect::Move { queue, lookup_id, .. } if (*queue, *lookup_id) == (q, m));
                effects.iter().any(moves)
            };
            for (queue, lookup_id) in prepared.taken {
                if self.is_held_by(queue, lookup_id, branch) && !is_move(queue, lookup_id, &effects)
                {
                    effects.push(Effect::Leave { queue, lookup_id });
                }
            }
            self.drop_impossible(&mut effects);
            self.place_prepared(pages, &mut effects)?;
        } else {
            let moved = |message: (u32, u64)| {
                let moves = |e: &Effect| matches!(e, Effect::Move { queue, lookup_id, .. } if (*queue, *lookup_id) == message);
                prepared.effects.iter().any(moves)
            };
            for message in prepared.taken {
                if !self.is_held_by(message.0, message.1, branch) {
                    continue;
                }
                match moved(message) {
                    true => self.give_back(pages, &mut effects, message.0, message.1)?,
                    false => self.give_back_received(pages, &mut effects, message, now)?,
                }
            }
        }
        effects.push(Effect::Resolved {
            branch: branch.clone(),
        });
        Ok(Decision::Change(Change {
            stamp: self.stamp(*id, now),
            tell: Tell::Done,
            effects,
        }))
    }

    /// Leaves out what concerns queues that were deleted since.
    fn drop_impossible(&self, effects: &mut Vec<Effect>) {
        let there = |queue: &u32| self.queues.contains_key(queue);
        effects.retain_mut(|effect| match effect {
            Effect::Arrive(arrival) => there(&arrival.queue),
            Effect::Move { queue, to, .. } => there(queue) && there(to),
            Effect::Copy { queue, to, .. } => {
                if !there(to) {
                    // The application's own dead-letter queue: the system's is there for ever.
                    *to = TRANSACTIONAL_DEAD_LETTER;
                }
                there(queue)
            }
            _ => true,
        });
    }

    /// Gives the arrivals of a prepared transaction their places; acknowledgements name the places.
    fn place_prepared(&self, pages: &dyn Pages, effects: &mut [Effect]) -> Result<()> {
        let ids = |effects: &[Effect]| -> Vec<MessageId> {
            let arrivals = effects.iter().filter_map(|effect| match effect {
                Effect::Arrive(arrival) => Some(self.message_id(arrival.lookup_id)),
                _ => None,
            });
            arrivals.collect()
        };
        let before = ids(effects);
        self.place_arrivals(effects);
        let after = ids(effects);
        for effect in effects {
            let Effect::Arrive(arrival) = effect else {
                continue;
            };
            let of = before
                .iter()
                .position(|id| Some(*id) == arrival.correlation_id);
            let of = of.filter(|_| arrival.class == ACK_REACH_QUEUE);
            let (Some(id), Content::Stored(place)) =
                (of.and_then(|of| after.get(of)), &arrival.content)
            else {
                continue;
            };
            let mut message = Encoded::trusted(pages.read(*place)?).decode()?;
            message.correlation_id = *id;
            arrival.correlation_id = Some(*id);
            arrival.content = Content::New(message.encode());
        }
        Ok(())
    }

    fn is_held_by(&self, queue: u32, lookup_id: u64, branch: &BranchId) -> bool {
        let queue = self.queues.get(&queue);
        let locked = queue.and_then(|queue| queue.locked.get(&lookup_id));
        locked.is_some_and(|locked| matches!(&locked.by, Holder::Branch(by) if by == branch))
    }
}

fn arrivals_of(effects: &[Effect]) -> u64 {
    let arrivals = effects.iter().filter(|e| matches!(e, Effect::Arrive(_)));
    arrivals.count() as u64
}

/// A sender that is new is named once.
fn dedup_principals(effects: &mut Vec<Effect>) {
    let mut named = false;
    effects.retain(|effect| match effect {
        Effect::Principal { .. } => !std::mem::replace(&mut named, true),
        _ => true,
    });
}
