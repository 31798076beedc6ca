//! Applying a change: live and in replay alike.

use super::change::{Arrival, Change, Content, Counts, Effect, Tell};
use super::entry::{Entry, Wishes};
use super::index::Pages;
use super::message::Journal;
use super::outcome::{Delivered, Outcome};
use super::request::{BodyId, QueueKind};
use super::state::{State, key, release};
use super::stored_queue::{Holder, JOURNAL_BIT, Queue};
use super::transaction::PreparedTransaction;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Position;

/// What applying a change came to.
pub struct Applied {
    /// What is told to who asked.
    pub outcome: Outcome,
    /// Queues that are no more.
    pub deleted: Vec<u32>,
}

/// What the effects of one change have in common.
struct Applying<'a> {
    places: std::slice::Iter<'a, Position>,
    time_ms: u64,
    left: Vec<Delivered>,
    sent: Option<u64>,
    shown: Option<Outcome>,
    deleted: Vec<u32>,
    cause: super::trace::Cause,
}

impl Applying<'_> {
    fn next_place(&mut self) -> Position {
        self.places.next().copied().unwrap_or_default()
    }
}

impl State {
    /// Which effects leave no record, because they concern messages that are only in memory.
    ///
    /// # Errors
    /// Those of reading a page.
    pub(super) fn volatile(&mut self, pages: &dyn Pages, change: &Change) -> Result<Vec<bool>> {
        let has_express = self.has_express;
        let mut all = Vec::new();
        let mut arriving = std::collections::BTreeSet::new();
        for effect in &change.effects {
            all.push(match effect {
                Effect::Arrive(arrival) => {
                    if arrival.express {
                        arriving.insert(arrival.lookup_id);
                    }
                    arrival.express
                }
                // A copy of what arrives with this change is not in its queue yet.
                Effect::Copy { lookup_id, .. } if arriving.contains(lookup_id) => true,
                Effect::Leave { queue, lookup_id }
                | Effect::Copy {
                    queue, lookup_id, ..
                }
                | Effect::Move {
                    queue, lookup_id, ..
                }
                | Effect::Count {
                    queue, lookup_id, ..
                } if has_express => {
                    let entry = self.queue_mut(*queue)?.get(pages, *lookup_id)?;
                    entry.is_some_and(|entry| entry.express)
                }
                _ => false,
            });
        }
        Ok(all)
    }

    /// Applies a change whose contents lie at `places`; `logged`: it is in the log.
    ///
    /// # Errors
    /// `StoreDamaged` when the change does not fit the state, or a page cannot be read.
    pub fn apply(
        &mut self,
        pages: &dyn Pages,
        change: &Change,
        places: &[Position],
        logged: bool,
    ) -> Result<Applied> {
        let mut on = Applying {
            places: places.iter(),
            time_ms: change.stamp.time_ms,
            left: Vec::new(),
            sent: None,
            shown: None,
            deleted: Vec::new(),
            cause: super::trace::Cause::of(change),
        };
        self.time_ms = self.time_ms.max(change.stamp.time_ms);
        for effect in &change.effects {
            self.effect(pages, effect, &mut on, change.tell)?;
        }
        let outcome = self.outcome(change.tell, &mut on);
        let outcome = match &change.stamp.request {
            // What is not in the log is remembered as long as what it did: until the restart.
            Some(request) if !logged => self.pass(request, outcome),
            _ => outcome,
        };
        if let Some(request) = change.stamp.request.as_ref().filter(|_| logged) {
            for delivered in outcome.delivered() {
                self.hold(&delivered.entry);
            }
            let time_ms = change.stamp.time_ms;
            let gone = match change.tell {
                Tell::SentEach => self
                    .outcomes
                    .remember_run(request, time_ms, &change.arrived()),
                _ => self.outcomes.remember(request, time_ms, outcome.clone()),
            };
            self.release_outcomes(&gone);
        }
        Ok(Applied {
            outcome,
            deleted: on.deleted,
        })
    }

    fn outcome(&self, tell: Tell, on: &mut Applying<'_>) -> Outcome {
        match tell {
            // Those of a run are told one by one.
            Tell::Done | Tell::SentEach => Outcome::Done,
            Tell::Sent => Outcome::Sent(on.sent.unwrap_or_default()),
            Tell::SentBefore(lookup_id) => Outcome::Sent(lookup_id),
            Tell::Queue(number) => on.shown.take().unwrap_or_else(|| {
                let queue = self.queues.get(&number);
                queue.map_or(Outcome::Done, |queue| {
                    Outcome::Queue(Box::new(self.status(queue)))
                })
            }),
            Tell::Message => match on.left.pop() {
                Some(delivered) => Outcome::Message(Box::new(delivered)),
                None => Outcome::Done,
            },
            Tell::Messages => Outcome::Messages(std::mem::take(&mut on.left)),
        }
    }

    fn effect(
        &mut self,
        pages: &dyn Pages,
        effect: &Effect,
        on: &mut Applying<'_>,
        tell: Tell,
    ) -> Result<()> {
        if !matches!(effect, Effect::Leave { .. }) {
            self.trail.note(&mut on.cause, effect, false);
        }
        match effect {
            Effect::Arrive(arrival) => self.arrive(pages, arrival, on),
            Effect::Leave { queue, lookup_id } => self.leave(pages, *queue, *lookup_id, on, tell),
            Effect::Copy {
                queue,
                lookup_id,
                to,
                class,
            } => self.copy(pages, (*queue, *lookup_id), *to, *class, on),
            Effect::Move {
                queue,
                lookup_id,
                to,
                due_ms,
                counts,
            } => self.shift(pages, (*queue, *lookup_id), *to, *due_ms, *counts, on),
            Effect::Count {
                queue,
                lookup_id,
                counts,
            } => self.count(pages, *queue, *lookup_id, *counts),
            Effect::Relocate {
                queue,
                lookup_id,
                part,
                ..
            } => {
                let place = on.next_place();
                self.relocate(pages, *queue, *lookup_id, *part, place)
            }
            Effect::Part {
                client,
                body,
                bytes,
            } => {
                let place = on.next_place();
                self.hold_place(place);
                let upload = self.uploads.entry((*client, BodyId(*body))).or_default();
                upload.parts.push(place);
                upload.bytes += bytes.len() as u64;
                Ok(())
            }
            Effect::Parts { client, body } => {
                if let Some(upload) = self.uploads.remove(&(*client, BodyId(*body))) {
                    self.release_all(upload.parts.into_iter());
                }
                Ok(())
            }
            Effect::Prepare {
                branch,
                taken,
                effects,
            } => self.prepare(pages, branch, taken, effects, on),
            Effect::Resolved { branch } => self.resolved(pages, branch),
            other => self.effect_on_queues(pages, other, on),
        }
    }

    /// Effects on the queue manager and on whole queues.
    fn effect_on_queues(
        &mut self,
        pages: &dyn Pages,
        effect: &Effect,
        on: &mut Applying<'_>,
    ) -> Result<()> {
        match effect {
            Effect::Store { guid } => self.guid = *guid,
            Effect::Reserve { counter } => self.reserved = self.reserved.max(*counter),
            Effect::Client { number, client } => {
                let gone = self.outcomes.name(*number, *client, on.time_ms);
                self.release_outcomes(&gone);
            }
            Effect::Principal { number, name } => self.name_principal(*number, name),
            Effect::Create {
                queue,
                name,
                kind,
                properties,
                access,
            } => {
                let mut new = Queue::new(*queue, name.clone(), *kind, on.time_ms);
                new.properties = (**properties).clone();
                new.access = access.clone();
                self.create(new, on.time_ms);
            }
            Effect::Configure { queue, properties } => {
                self.queue_mut(*queue)?.modified_ms = on.time_ms;
                self.configure(*queue, properties);
            }
            Effect::Permit { queue: 0, access } => self.access = access.clone(),
            Effect::Permit { queue, access } => self.permit(*queue, access),
            Effect::Machine { properties } => self.machine = *properties,
            Effect::Delete { queue } => self.delete(*queue, on),
            Effect::Purge { queue, held } => self.purge(pages, *queue, held)?,
            Effect::Fault { queue, lookup_id } => {
                self.queue_mut(*queue)?.faulted = Some(*lookup_id).filter(|id| *id != 0);
            }
            // Those on single messages were applied by `effect`.
            _ => {}
        }
        Ok(())
    }

    pub(super) fn name_principal(&mut self, number: u16, name: &str) {
        let at = usize::from(number);
        if self.principals.len() <= at {
            self.principals.resize(at + 1, String::new());
        }
        name.clone_into(&mut self.principals[at]);
        self.principal_numbers.insert(name.to_owned(), number);
    }

    /// A queue comes into being, with its journal if it is a user's.
    fn create(&mut self, new: Queue, time_ms: u64) {
        let number = new.number;
        if new.kind == QueueKind::Private {
            let name = format!("{};JOURNAL", new.name);
            let journal = number | JOURNAL_BIT;
            let mut journal = Queue::new(journal, name, QueueKind::Journal, time_ms);
            journal.access = new.access.clone();
            self.add_queue(journal);
        }
        if number < super::state::MACHINE_JOURNAL {
            self.next_queue = self.next_queue.max(number + 1);
        }
        self.add_queue(new);
    }

    /// The queues that belong to a user's queue: its journal and subqueues.
    pub(super) fn family(&self, number: u32) -> Vec<u32> {
        let Some(queue) = self.queues.get(&number) else {
            return Vec::new();
        };
        if queue.kind != QueueKind::Private {
            return Vec::new();
        }
        let prefix = format!("{};", key(&queue.name));
        let behind = self.names.range(prefix.clone()..);
        let members = behind.take_while(|(name, _)| name.starts_with(&prefix));
        members.map(|(_, number)| *number).collect()
    }

    /// A queue and its subqueues, which share its properties (msmq.md 2.1), have others. Its journal has none.
    fn configure(&mut self, number: u32, properties: &super::request::QueueProperties) {
        for member in self.family(number).into_iter().chain([number]) {
            if let Some(queue) = self.queues.get_mut(&member)
                && !queue.is_journal()
            {
                queue.properties = properties.clone();
            }
        }
    }

    fn permit(&mut self, number: u32, access: &super::access::AccessList) {
        for number in self.family(number).into_iter().chain([number]) {
            if let Some(queue) = self.queues.get_mut(&number) {
                queue.access = access.clone();
            }
        }
    }

    fn delete(&mut self, number: u32, on: &mut Applying<'_>) {
        if let Some(queue) = self.queues.get(&number) {
            on.shown = Some(Outcome::Queue(Box::new(self.status(queue))));
        }
        for number in self.family(number).into_iter().chain([number]) {
            self.drop_queue(number);
            on.deleted.push(number);
        }
    }

    fn drop_queue(&mut self, number: u32) {
        let Some(mut queue) = self.queues.remove(&number) else {
            return;
        };
        self.names.remove(&key(&queue.name));
        self.usage.subtract(number, queue.bytes());
        for (segment, count) in queue.index.clear() {
            release(&mut self.in_use, segment, count);
        }
        for (lookup_id, locked) in std::mem::take(&mut queue.locked) {
            if let Holder::Lease { until_ms, .. } = locked.by {
                self.leases.remove(&(until_ms, number, lookup_id));
            }
            self.release(&locked.entry);
        }
        for (lookup_id, delayed) in std::mem::take(&mut queue.delayed) {
            self.due.remove(&(delayed.due_ms, number, lookup_id));
            self.release(&delayed.entry);
        }
    }

    fn purge(&mut self, pages: &dyn Pages, number: u32, held: &[u64]) -> Result<()> {
        let queue = self.queue_mut(number)?;
        queue.faulted = None;
        for lookup_id in held {
            if !queue.locked.contains_key(lookup_id) {
                // In replay no transaction holds it: it is available then, and is kept apart until the log is read.
                queue.lock(pages, *lookup_id, Holder::Nobody)?;
            }
            if let Some(locked) = queue.locked.get_mut(lookup_id) {
                locked.purged = true;
            }
        }
        self.purge_side(number, held)?;
        let queue = self.queue_mut(number)?;
        let bytes = queue.index.bytes();
        queue.totals.left += queue.index.len();
        for (segment, count) in queue.index.clear() {
            release(&mut self.in_use, segment, count);
        }
        self.usage.subtract(number, bytes);
        Ok(())
    }

    /// What is delayed, and in replay what an earlier purge left to a transaction that has aborted since.
    fn purge_side(&mut self, number: u32, held: &[u64]) -> Result<()> {
        let queue = self.queue_mut(number)?;
        let delayed: Vec<(u64, u64)> = queue.delayed.iter().map(|d| (d.1.due_ms, *d.0)).collect();
        let dead = queue.locked.keys().filter(|id| !held.contains(id));
        let mut side: Vec<u64> = dead.copied().collect();
        for (due_ms, lookup_id) in delayed {
            self.due.remove(&(due_ms, number, lookup_id));
            side.push(lookup_id);
        }
        for lookup_id in side {
            // It is not in the index: no page is needed for it.
            let queue = self.queue_mut(number)?;
            if let Some(entry) = queue.remove(&super::index::NoPages, lookup_id)? {
                self.usage.subtract(number, entry.body_bytes);
                self.release(&entry);
            }
        }
        Ok(())
    }

    fn arrive(
        &mut self,
        pages: &dyn Pages,
        arrival: &Arrival,
        on: &mut Applying<'_>,
    ) -> Result<()> {
        let position = match (&arrival.content, arrival.express) {
            (_, true) => Position::default(),
            (Content::New(_), false) => on.next_place(),
            (Content::Stored(position), false) => *position,
        };
        let entry = entry_of(arrival, position, on.time_ms);
        self.hold(&entry);
        self.has_express |= arrival.express;
        self.count_place(arrival.lookup_id);
        on.sent = on.sent.or(Some(arrival.lookup_id));
        if !arrival.key.is_empty() {
            let queue = self.queue_mut(arrival.queue)?;
            let window = queue.properties.duplicate_window_ms;
            let message = (arrival.lookup_id, arrival.express);
            queue
                .keys
                .remember(&arrival.key, message, on.time_ms, window);
        }
        self.put_in(
            pages,
            arrival.queue,
            arrival.lookup_id,
            entry,
            arrival.due_ms,
            on,
        )
    }

    /// A message comes into a queue, available or delayed.
    fn put_in(
        &mut self,
        pages: &dyn Pages,
        number: u32,
        lookup_id: u64,
        entry: Entry,
        due_ms: u64,
        on: &mut Applying<'_>,
    ) -> Result<()> {
        let (expires_ms, bytes) = (entry.expires_ms(), entry.body_bytes);
        let queue = self.queue_mut(number)?;
        if due_ms > on.time_ms {
            // One that dies before it is due wakes to die.
            let due_ms = expires_ms.map_or(due_ms, |at| at.min(due_ms));
            queue.insert_delayed(lookup_id, entry, due_ms);
            self.due.insert((due_ms, number, lookup_id));
            self.usage.add(number, bytes);
            return Ok(());
        }
        queue.insert(pages, lookup_id, entry)?;
        self.usage.add(number, bytes);
        if let Some(expires_ms) = expires_ms {
            self.expiries.insert((expires_ms, number));
        }
        self.has_message(number);
        Ok(())
    }

    /// Takes a message out of its queue, wherever it is there.
    fn take_out(&mut self, pages: &dyn Pages, number: u32, lookup_id: u64) -> Result<Entry> {
        let queue = self.queue_mut(number)?;
        let due = queue.delayed.get(&lookup_id).map(|d| d.due_ms);
        let lease = match queue.locked.get(&lookup_id).map(|l| &l.by) {
            Some(Holder::Lease { until_ms, .. }) => Some(*until_ms),
            _ => None,
        };
        let entry = queue.remove(pages, lookup_id)?;
        if let Some(due_ms) = due {
            self.due.remove(&(due_ms, number, lookup_id));
        }
        if let Some(until_ms) = lease {
            self.leases.remove(&(until_ms, number, lookup_id));
        }
        let entry = entry.ok_or_else(|| not_there(number, lookup_id))?;
        self.usage.subtract(number, entry.body_bytes);
        Ok(entry)
    }

    fn leave(
        &mut self,
        pages: &dyn Pages,
        number: u32,
        lookup_id: u64,
        on: &mut Applying<'_>,
        tell: Tell,
    ) -> Result<()> {
        let locked = &self.queue_mut(number)?.locked;
        if locked.get(&lookup_id).is_some_and(|locked| locked.purged) {
            on.cause.purged(lookup_id);
        }
        let entry = self.take_out(pages, number, lookup_id)?;
        let expired = entry.expires_ms().is_some_and(|at| at <= on.time_ms);
        let effect = Effect::Leave {
            queue: number,
            lookup_id,
        };
        self.trail.note(&mut on.cause, &effect, expired);
        self.release(&entry);
        if matches!(tell, Tell::Message | Tell::Messages) {
            on.left.push(Delivered {
                queue: number,
                lookup_id,
                entry,
                lease: 0,
            });
        }
        Ok(())
    }

    fn copy(
        &mut self,
        pages: &dyn Pages,
        (number, lookup_id): (u32, u64),
        to: u32,
        class: u16,
        on: &mut Applying<'_>,
    ) -> Result<()> {
        let queue = self.queue_mut(number)?;
        let name = queue.name.clone();
        let entry = queue.get(pages, lookup_id)?;
        let entry = entry.ok_or_else(|| not_there(number, lookup_id))?;
        let entry = copy_of(entry, name, class);
        if self.is_in(pages, to, lookup_id)? {
            // Taken before and moved back: the first copy is still there.
            return Ok(());
        }
        self.hold(&entry);
        self.put_in(pages, to, lookup_id, entry, 0, on)
    }

    fn shift(
        &mut self,
        pages: &dyn Pages,
        (number, lookup_id): (u32, u64),
        to: u32,
        due_ms: u64,
        counts: Counts,
        on: &mut Applying<'_>,
    ) -> Result<()> {
        let from = self.queue_mut(number)?;
        let (is_copy, is_dead) = (from.is_journal(), from.is_dead_letters());
        let mut entry = self.take_out(pages, number, lookup_id)?;
        if self.is_in(pages, to, lookup_id)? {
            // Moved back from two journals: it is one message again.
            self.release(&entry);
            return Ok(());
        }
        if is_copy {
            revive(&mut entry, is_dead);
        }
        let time_ms = on.time_ms;
        let extra = entry.extra_mut();
        extra.move_count += 1;
        extra.last_move_ms = time_ms;
        set_counts(extra, counts);
        self.put_in(pages, to, lookup_id, entry, due_ms, on)
    }

    /// Whether a queue has this message. Places are unique in a store: another one there is a copy of it.
    fn is_in(&mut self, pages: &dyn Pages, number: u32, lookup_id: u64) -> Result<bool> {
        let queue = self.queue_mut(number)?;
        Ok(queue.get(pages, lookup_id)?.is_some())
    }

    fn count(
        &mut self,
        pages: &dyn Pages,
        number: u32,
        lookup_id: u64,
        counts: Counts,
    ) -> Result<()> {
        let queue = self.queue_mut(number)?;
        let there = queue.change(pages, lookup_id, |entry| {
            set_counts(entry.extra_mut(), counts);
        })?;
        if there {
            Ok(())
        } else {
            Err(not_there(number, lookup_id))
        }
    }

    fn relocate(
        &mut self,
        pages: &dyn Pages,
        number: u32,
        lookup_id: u64,
        part: u32,
        place: Position,
    ) -> Result<()> {
        let mut before = None;
        let queue = self.queue_mut(number)?;
        queue.change(pages, lookup_id, |entry| {
            let slot = entry.place_mut(part);
            before = slot.map(|slot| std::mem::replace(slot, place));
        })?;
        let before = before.ok_or_else(|| not_there(number, lookup_id))?;
        release(&mut self.in_use, before.segment, 1);
        self.hold_place(place);
        Ok(())
    }

    fn prepare(
        &mut self,
        pages: &dyn Pages,
        branch: &super::request::BranchId,
        taken: &[(u32, u64)],
        effects: &[Effect],
        on: &mut Applying<'_>,
    ) -> Result<()> {
        for (number, lookup_id) in taken {
            let by = Holder::Branch(branch.clone());
            // One that is not there was only in memory, before a restart: it is taken by nobody.
            self.queue_mut(*number)?.lock(pages, *lookup_id, by)?;
        }
        let mut stored = effects.to_vec();
        for effect in &mut stored {
            if let Effect::Arrive(arrival) = effect
                && let Content::New(_) = arrival.content
            {
                arrival.content = Content::Stored(on.next_place());
            }
        }
        for place in stored.iter().flat_map(stored_places) {
            self.hold_place(place);
        }
        let staged = self.staged_by(&stored);
        for (queue, bytes) in &staged {
            self.usage.stage(*queue, *bytes);
        }
        let prepared = PreparedTransaction {
            branch: branch.clone(),
            taken: taken.to_vec(),
            effects: stored,
            staged,
        };
        self.prepared.insert(branch.clone(), prepared);
        Ok(())
    }

    fn resolved(&mut self, pages: &dyn Pages, branch: &super::request::BranchId) -> Result<()> {
        let Some(prepared) = self.prepared.remove(branch) else {
            return Ok(());
        };
        self.usage.unstage(&prepared.staged);
        let places: Vec<Position> = prepared.effects.iter().flat_map(stored_places).collect();
        self.release_all(places.into_iter());
        for (number, lookup_id) in prepared.taken {
            let held = self
                .queues
                .get(&number)
                .and_then(|queue| queue.locked.get(&lookup_id));
            if held.is_some_and(|locked| locked.by == Holder::Branch(branch.clone())) {
                self.unlock(pages, number, lookup_id)?;
                self.has_message(number);
            }
        }
        Ok(())
    }
}

impl State {
    fn has_message(&mut self, queue: u32) {
        if self.woken.last() != Some(&queue) {
            self.woken.push(queue);
        }
    }
}

/// Places in the log that an effect of a prepared transaction needs.
pub(super) fn stored_places(effect: &Effect) -> Vec<Position> {
    match effect {
        Effect::Arrive(arrival) => {
            let own = match arrival.content {
                Content::Stored(position) => Some(position),
                Content::New(_) => None,
            };
            own.into_iter()
                .chain(arrival.parts.iter().copied())
                .collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn set_counts(extra: &mut super::entry::Extra, counts: Counts) {
    extra.abort_count = counts.abort_count;
    extra.delivery_count = counts.delivery_count;
    extra.retry_cycle = counts.retry_cycle;
}

/// What a queue knows of a message that arrives, with its content at `position`.
pub(super) fn entry_of(arrival: &Arrival, position: Position, time_ms: u64) -> Entry {
    let mut entry = Entry {
        position,
        body_bytes: arrival.body_bytes,
        arrived_ms: time_ms,
        sender: arrival.sender,
        express: arrival.express,
        wishes: arrival.wishes,
        extra: None,
    };
    describe(&mut entry, arrival);
    entry
}

/// What a journal knows of a message's copy that came from this queue.
pub(super) fn copy_of(entry: &Entry, from: String, class: u16) -> Entry {
    let mut entry = entry.clone();
    let extra = entry.extra_mut();
    if class != 0 {
        extra.class = class;
    }
    extra.destination = from;
    extra.expires_ms = 0;
    // Nobody is told of a copy's fate, and it has no copies of its own.
    entry.wishes = Wishes::new(super::message::Acknowledge::NONE, Journal::NONE);
    entry
}

/// A copy is moved back to a queue: it is a message again, and kept if it fails once more.
fn revive(entry: &mut Entry, is_dead: bool) {
    let extra = entry.extra_mut();
    if is_dead {
        extra.class = 0;
    }
    extra.destination.clear();
    entry.wishes = Wishes::new(super::message::Acknowledge::NONE, Journal::DEAD_LETTER);
}

/// What few messages have, from their arrival.
fn describe(entry: &mut Entry, arrival: &Arrival) {
    let content = match (&arrival.content, arrival.express) {
        (Content::New(message), true) => Some(message.clone()),
        _ => None,
    };
    let plain = content.is_none()
        && arrival.expires_ms == 0
        && arrival.correlation_id.is_none()
        && arrival.class == 0
        && arrival.parts.is_empty()
        && arrival.transaction.is_none();
    if plain {
        return;
    }
    let extra = entry.extra_mut();
    extra.content = content;
    extra.expires_ms = arrival.expires_ms;
    extra.correlation_id = arrival.correlation_id;
    extra.class = arrival.class;
    extra.parts.clone_from(&arrival.parts);
    extra.transaction = arrival.transaction;
}

fn not_there(queue: u32, lookup_id: u64) -> Error {
    Error::new(
        ErrorKind::StoreDamaged,
        format!("a record is about message {lookup_id:#x} of queue {queue}, where it is not"),
    )
}
