//! What a queue manager is to do, as plainly as it can be said: a list of messages per queue, and a rule per request.
//!
//! The model gives messages numbers of its own. The lookup id that the store gives one is learned where it is first
//! seen, and must be above all that were seen before.

use std::collections::{BTreeMap, BTreeSet};

use hamq_core::ErrorKind;
use hamq_core::queue::request::{PoisonTarget, QueueProperties, Settle};

use crate::steps::Wishes;

pub(crate) const DEAD: &str = "system$;DEADLETTER";
pub(crate) const DEAD_TRANSACTIONAL: &str = "system$;DEADXACT";
pub(crate) const MACHINE_JOURNAL: &str = "system$;JOURNAL";

/// What may be asked for of acknowledgements, by its bit.
pub(crate) const POSITIVE_ARRIVAL: u8 = 1;
const POSITIVE_RECEIVE: u8 = 2;
const NEGATIVE_RECEIVE: u8 = 8;
/// What may be asked for of copies, by its bit.
const DEAD_LETTER: u8 = 1;
const JOURNAL: u8 = 2;

/// Classes of acknowledgements and dead letters (MS-MQMQ 2.2.18.1.6).
const REACHED: u16 = 0x0002;
const RECEIVED: u16 = 0x4000;
const DELETED: u16 = 0xC000;
const PURGED: u16 = 0xC001;
const EXPIRED: u16 = 0xC002;
const REJECTED: u16 = 0xC004;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Private,
    Subqueue,
    Journal,
}

/// Who holds a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    Transaction(u128, u64),
    Lease { delivery: u32, until_ms: u64 },
    Branch(u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Available,
    Held { by: Holder, purged: bool },
    Delayed { due_ms: u64 },
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The model's number of it; its copies have the same.
    pub(crate) number: u64,
    pub(crate) priority: u8,
    pub(crate) body: String,
    pub(crate) label: String,
    pub(crate) class: u16,
    pub(crate) acknowledge: u8,
    pub(crate) journal: u8,
    pub(crate) own_dead_letters: bool,
    pub(crate) expires_ms: Option<u64>,
    pub(crate) due_ms: u64,
    pub(crate) key: Option<u8>,
    pub(crate) express: bool,
    /// Of what the message says itself: a number of the application's, or the message it is about.
    pub(crate) correlation: Option<Correlation>,
    pub(crate) arrived_ms: u64,
    pub(crate) aborts: u32,
    pub(crate) cycle: u32,
    pub(crate) moves: u32,
    pub(crate) last_move_ms: u64,
    pub(crate) destination: String,
    /// First and last of a transaction with several.
    pub(crate) sent_in: Option<(bool, bool)>,
    pub(crate) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Correlation {
    Given(u8),
    Of(u64),
}

impl Message {
    fn is_available(&self) -> bool {
        self.place == Place::Available
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    pub(crate) properties: QueueProperties,
    pub(crate) messages: Vec<Message>,
    pub(crate) faulted: Option<u64>,
    /// Key, message, time, and whether it outlives a restart.
    pub(crate) keys: Vec<(u8, u64, u64, bool)>,
}

impl Queue {
    pub(crate) fn bytes(&self) -> u64 {
        self.messages.iter().map(|m| m.body.len() as u64).sum()
    }

    fn find(&self, number: u64) -> Option<&Message> {
        self.messages.iter().find(|m| m.number == number)
    }

    fn take(&mut self, number: u64) -> Option<Message> {
        let at = self.messages.iter().position(|m| m.number == number)?;
        if self.faulted == Some(number) {
            self.faulted = None;
        }
        Some(self.messages.remove(at))
    }
}

/// What is done when something is decided: in this order, together.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Arrive(u64, Box<Message>),
    Copy(u64, u64, u64, u16),
    Leave(u64, u64),
    /// From, message, to (by its name), due, and whether its counts begin anew.
    Move(u64, u64, String, u64, Counts),
    Count(u64, u64, u32),
    Fault(u64, u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Counts {
    Anew,
    Kept,
    NextCycle,
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Send(u64, Box<Message>),
    Receive(u64, u64),
    Move(u64, u64, String),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) operations: Vec<Operation>,
    /// What else its receives bring.
    aftermath: Vec<(u64, u64, Deed)>,
    rejected: BTreeSet<(u64, u64)>,
    /// Bytes that quotas count already, by the queue that they go to.
    staged: Vec<(u64, u64)>,
}

/// A transaction that waits for its coordinator.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    taken: Vec<(u64, u64)>,
    moved: BTreeSet<(u64, u64)>,
    deeds: Vec<Deed>,
    staged: Vec<(u64, u64)>,
}

pub(crate) type Refused = ErrorKind;

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) now_ms: u64,
    pub(crate) queues: BTreeMap<String, Queue>,
    pub(crate) transactions: BTreeMap<(u128, u64), Transaction>,
    pub(crate) prepared: BTreeMap<u8, Prepared>,
    pub(crate) ids: BTreeMap<u64, u64>,
    pub(crate) machine_quota: Option<u64>,
    pub(crate) journal_quota: Option<u64>,
    next: u64,
    next_queue: u64,
}

/// How a request takes part in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Alone,
    Single,
    In(u64),
}

impl Model {
    pub(crate) fn new() -> Self {
        let mut model = Self {
            now_ms: 1_700_000_000_000,
            ..Self::default()
        };
        for name in [DEAD, DEAD_TRANSACTIONAL, MACHINE_JOURNAL] {
            model.add(name, Kind::Journal, QueueProperties::default());
        }
        model
    }

    fn add(&mut self, name: &str, kind: Kind, properties: QueueProperties) -> u64 {
        self.next_queue += 1;
        let queue = Queue {
            number: self.next_queue,
            kind,
            properties,
            messages: Vec::new(),
            faulted: None,
            keys: Vec::new(),
        };
        self.queues.insert(name.to_owned(), queue);
        self.next_queue
    }

    pub(crate) fn queue(&self, name: &str) -> Result<&Queue, Refused> {
        self.queues.get(name).ok_or(ErrorKind::QueueNotFound)
    }

    fn by_number(&self, number: u64) -> Option<(&String, &Queue)> {
        self.queues.iter().find(|(_, q)| q.number == number)
    }

    fn by_number_mut(&mut self, number: u64) -> Option<&mut Queue> {
        self.queues.values_mut().find(|q| q.number == number)
    }

    /// The queue that a subqueue or journal belongs to.
    fn parent(name: &str) -> &str {
        name.split_once(';').map_or(name, |parts| parts.0)
    }

    // ---- queues ----

    pub(crate) fn create(
        &mut self,
        name: &str,
        properties: QueueProperties,
    ) -> Result<(), Refused> {
        if self.queues.contains_key(name) {
            return Err(ErrorKind::QueueExists);
        }
        self.add(name, Kind::Private, properties);
        self.add(
            &format!("{name};JOURNAL"),
            Kind::Journal,
            QueueProperties::default(),
        );
        Ok(())
    }

    pub(crate) fn set(&mut self, name: &str, properties: QueueProperties) -> Result<(), Refused> {
        self.queue(name)?;
        let queue = self.queues.get_mut(name).expect("it is there");
        if queue.kind != Kind::Private {
            return Err(ErrorKind::InvalidParameter);
        }
        if queue.properties.transactional != properties.transactional {
            return Err(ErrorKind::IllegalPropertyValue);
        }
        queue.properties = properties;
        Ok(())
    }

    pub(crate) fn delete(&mut self, name: &str) -> Result<(), Refused> {
        let queue = self.queue(name)?;
        match queue.kind {
            Kind::Private => {}
            Kind::Subqueue if !queue.messages.is_empty() => return Err(ErrorKind::InvalidState),
            Kind::Subqueue if self.is_awaited(name) => return Err(ErrorKind::InvalidState),
            Kind::Subqueue => {}
            Kind::Journal => return Err(ErrorKind::InvalidParameter),
        }
        let family: Vec<String> = match queue.kind {
            Kind::Private => {
                let inner = format!("{name};");
                let names = self
                    .queues
                    .keys()
                    .filter(|n| n.starts_with(&inner) || *n == name);
                names.cloned().collect()
            }
            _ => vec![name.to_owned()],
        };
        let mut deeds = Vec::new();
        for name in &family {
            let number = self.queues[name].number;
            let messages = self.queues[name].messages.clone();
            for message in &messages {
                deeds.extend(self.failure(number, message, DELETED));
            }
        }
        self.do_all(deeds);
        for name in family {
            self.queues.remove(&name);
        }
        Ok(())
    }

    /// A subqueue that a prepared transaction moves to stays.
    fn is_awaited(&self, name: &str) -> bool {
        let to_it = |deed: &Deed| matches!(deed, Deed::Move(_, _, to, ..) if to == name);
        self.prepared.values().any(|p| p.deeds.iter().any(to_it))
    }

    pub(crate) fn purge(&mut self, name: &str) -> Result<(), Refused> {
        let queue = self.queue(name)?;
        let number = queue.number;
        let messages = queue.messages.clone();
        let dead = |m: &&Message| !matches!(m.place, Place::Held { .. });
        let held: BTreeSet<u64> = messages
            .iter()
            .filter(|m| !dead(m))
            .map(|m| m.number)
            .collect();
        let deeds: Vec<Deed> = messages
            .iter()
            .filter(dead)
            .flat_map(|m| self.failure(number, m, PURGED))
            .collect();
        self.do_all(deeds);
        let queue = self.queues.get_mut(name).expect("it is there");
        queue.faulted = None;
        queue.messages.retain(|m| held.contains(&m.number));
        for message in &mut queue.messages {
            if let Place::Held { purged, .. } = &mut message.place {
                *purged = true;
            }
        }
        Ok(())
    }

    // ---- sending ----

    /// The highest number of a message.
    pub(crate) const fn newest(&self) -> u64 {
        self.next
    }

    /// What is told of it: the number of the message, or none when it is staged.
    pub(crate) fn send(
        &mut self,
        client: u128,
        name: &str,
        wishes: &Wishes,
        how: How,
    ) -> Result<Option<u64>, Refused> {
        let queue = self.queue(name)?;
        if queue.kind != Kind::Private {
            return Err(ErrorKind::UnsupportedFormatNameOperation);
        }
        check_usage(queue, how)?;
        let (number, transactional) = (queue.number, queue.properties.transactional);
        if wishes.late_s > wishes.reach_s {
            return Err(ErrorKind::Timeout);
        }
        if wishes.acknowledge != 0 {
            self.queue("admin")?;
        }
        if wishes.own_dead_letters {
            let usable = self.queues.contains_key("u");
            if !transactional || wishes.journal & DEAD_LETTER == 0 || !usable {
                return Err(ErrorKind::IllegalPropertyValue);
            }
        }
        if let Some(known) = wishes.key.and_then(|key| self.sent_before(number, key)) {
            return Ok(Some(known));
        }
        self.check_quota(name, wishes)?;
        let message = self.message(wishes, transactional);
        if let How::In(transaction) = how {
            let open = self.open(client, transaction)?;
            open.staged.push((number, message.body.len() as u64));
            open.operations
                .push(Operation::Send(number, Box::new(message)));
            return Ok(None);
        }
        let told = message.number;
        let deeds = self.arrival(number, message);
        self.do_all(deeds);
        Ok(Some(told))
    }

    fn message(&mut self, wishes: &Wishes, transactional: bool) -> Message {
        self.next += 1;
        let sent_ms = self.now_ms - u64::from(wishes.late_s) * 1000;
        let lives = |s: u8| sent_ms + u64::from(s) * 1000;
        Message {
            number: self.next,
            priority: if transactional { 0 } else { wishes.priority },
            body: wishes.body.clone(),
            label: wishes.label(),
            class: 0,
            acknowledge: wishes.acknowledge,
            journal: wishes.journal,
            own_dead_letters: wishes.own_dead_letters,
            expires_ms: wishes.lives_s.map(lives),
            due_ms: if wishes.delay_ms == 0 {
                0
            } else {
                sent_ms + u64::from(wishes.delay_ms)
            },
            key: wishes.key,
            express: wishes.express && !transactional,
            correlation: wishes.correlation.map(Correlation::Given),
            arrived_ms: self.now_ms,
            aborts: 0,
            cycle: 0,
            moves: 0,
            last_move_ms: 0,
            destination: String::new(),
            sent_in: None,
            place: Place::Available,
        }
    }

    fn sent_before(&self, queue: u64, key: u8) -> Option<u64> {
        let (_, queue) = self.by_number(queue)?;
        let window = queue.properties.duplicate_window_ms;
        let known = queue.keys.iter().rev().find(|k| k.0 == key)?;
        (known.2 + window >= self.now_ms).then_some(known.1)
    }

    fn check_quota(&self, name: &str, wishes: &Wishes) -> Result<(), Refused> {
        let queue = &self.queues[name];
        let bytes = wishes.body.len() as u64;
        let quota = queue.properties.quota_bytes;
        let staged = self.staged(|to| to == queue.number);
        if quota != u64::MAX && queue.bytes() + staged + bytes > quota {
            return Err(ErrorKind::InsufficientResources);
        }
        let all: u64 = self.queues.values().map(Queue::bytes).sum();
        match self.machine_quota {
            Some(quota) if all + self.staged(|_| true) + bytes > quota => {
                Err(ErrorKind::InsufficientResources)
            }
            _ => Ok(()),
        }
    }

    /// Bytes that the transactions of all clients will bring to these queues.
    fn staged(&self, to: impl Fn(u64) -> bool) -> u64 {
        let open = self.transactions.values().flat_map(|open| &open.staged);
        let prepared = self.prepared.values().flat_map(|branch| &branch.staged);
        let all = open.chain(prepared).filter(|staged| to(staged.0));
        all.map(|staged| staged.1).sum()
    }

    fn is_journal(&self, queue: u64) -> bool {
        self.by_number(queue)
            .is_some_and(|q| q.1.kind == Kind::Journal)
    }

    /// A message comes in, and what that brings.
    fn arrival(&mut self, queue: u64, message: Message) -> Vec<Deed> {
        let transactional = self
            .by_number(queue)
            .is_some_and(|q| q.1.properties.transactional);
        let mut deeds = vec![Deed::Arrive(queue, Box::new(message.clone()))];
        if message.journal & JOURNAL != 0 && !transactional && self.machine_has_room(&message, &[])
        {
            deeds.push(Deed::Copy(
                queue,
                message.number,
                self.queues[MACHINE_JOURNAL].number,
                0,
            ));
        }
        if message.acknowledge & POSITIVE_ARRIVAL != 0 {
            deeds.extend(self.acknowledgement(&message, REACHED));
        }
        deeds
    }

    /// `copied`: what the same change brings to journals before.
    fn machine_has_room(&self, message: &Message, copied: &[(u64, u64)]) -> bool {
        let journals = self.queues.values().filter(|q| q.kind == Kind::Journal);
        let there: u64 = journals.map(Queue::bytes).sum();
        let coming =
            self.staged(|to| self.is_journal(to)) + copied.iter().map(|c| c.1).sum::<u64>();
        self.journal_quota
            .is_none_or(|quota| there + coming + message.body.len() as u64 <= quota)
    }

    /// To the administration queue, if it is still there.
    fn acknowledgement(&mut self, of: &Message, class: u16) -> Option<Deed> {
        let admin = self.queues.get("admin")?.number;
        self.next += 1;
        let body = if class & 0x8000 == 0 {
            String::new()
        } else {
            of.body.clone()
        };
        let message = Message {
            number: self.next,
            priority: 3,
            body,
            class,
            acknowledge: 0,
            journal: 0,
            own_dead_letters: false,
            expires_ms: None,
            due_ms: 0,
            key: None,
            correlation: Some(Correlation::Of(of.number)),
            arrived_ms: self.now_ms,
            aborts: 0,
            cycle: 0,
            moves: 0,
            last_move_ms: 0,
            destination: String::new(),
            sent_in: None,
            place: Place::Available,
            ..of.clone()
        };
        Some(Deed::Arrive(admin, Box::new(message)))
    }

    // ---- receiving ----

    /// The messages that can be received, in order.
    pub(crate) fn available(&self, name: &str) -> Vec<&Message> {
        let mut all: Vec<&Message> = self
            .queues
            .get(name)
            .into_iter()
            .flat_map(|q| &q.messages)
            .filter(|m| m.is_available())
            .collect();
        all.sort_by_key(|m| self.ids.get(&m.number).copied().unwrap_or(u64::MAX));
        all
    }

    /// Whether a queue may be received from this way.
    pub(crate) fn check_receive(
        &self,
        name: &str,
        peek: bool,
        lease: bool,
        how: How,
        named: bool,
    ) -> Result<(), Refused> {
        let queue = self.queue(name)?;
        if !peek {
            if lease && how != How::Alone {
                return Err(ErrorKind::InvalidParameter);
            }
            // Receiving without a transaction is allowed everywhere.
            if how != How::Alone && queue.kind != Kind::Journal {
                check_usage(queue, how)?;
            }
            if queue.faulted.is_some() && !named {
                return Err(ErrorKind::InvalidState);
            }
        }
        Ok(())
    }

    /// Messages leave for good.
    pub(crate) fn remove(&mut self, name: &str, numbers: &[u64]) {
        let queue = self.queues[name].number;
        let (mut deeds, mut copied) = (Vec::new(), Vec::new());
        for number in numbers {
            deeds.extend(self.reception(queue, *number, &mut copied));
            deeds.push(Deed::Leave(queue, *number));
        }
        self.do_all(deeds);
    }

    pub(crate) fn hold(&mut self, name: &str, numbers: &[u64], client: u128, transaction: u64) {
        let queue = self.queues[name].number;
        let mut copied = Vec::new();
        for number in numbers {
            let deeds = self.reception(queue, *number, &mut copied);
            self.lock(queue, *number, Holder::Transaction(client, transaction));
            let open = self
                .transactions
                .get_mut(&(client, transaction))
                .expect("it is open");
            open.operations.push(Operation::Receive(queue, *number));
            open.aftermath
                .extend(deeds.into_iter().map(|deed| (queue, *number, deed)));
        }
        let open = self.transactions.get_mut(&(client, transaction));
        open.expect("it is open").staged.extend(copied);
    }

    pub(crate) fn lock(&mut self, queue: u64, number: u64, by: Holder) {
        let queue = self.by_number_mut(queue).expect("it is there");
        let message = queue.messages.iter_mut().find(|m| m.number == number);
        message.expect("it is there").place = Place::Held { by, purged: false };
    }

    /// What a reception brings beside: copies and an acknowledgement.
    /// `copied`: bytes that it and those before bring to journals.
    fn reception(&mut self, queue: u64, number: u64, copied: &mut Vec<(u64, u64)>) -> Vec<Deed> {
        let Some((name, of)) = self.by_number(queue) else {
            return Vec::new();
        };
        let Some(message) = of.find(number).cloned() else {
            return Vec::new();
        };
        let (kind, transactional) = (of.kind, of.properties.transactional);
        let mut deeds = Vec::new();
        if kind == Kind::Journal {
            return deeds;
        }
        let parent = Self::parent(name);
        let properties = &self.queues[parent].properties;
        let journal = &self.queues[&format!("{parent};JOURNAL")];
        let bytes = message.body.len() as u64;
        let to = journal.number;
        let before: u64 = copied.iter().filter(|c| c.0 == to).map(|c| c.1).sum();
        let used = journal.bytes() + self.staged(|staged| staged == to) + before;
        let quota = properties.journal_quota_bytes;
        let room = quota == u64::MAX || used + bytes <= quota;
        if properties.journal && room && self.machine_has_room(&message, copied) {
            copied.push((to, bytes));
            deeds.push(Deed::Copy(queue, number, to, 0));
        }
        let wanted = message.journal & JOURNAL != 0 && transactional;
        if wanted && self.machine_has_room(&message, copied) {
            let to = self.queues[MACHINE_JOURNAL].number;
            copied.push((to, bytes));
            deeds.push(Deed::Copy(queue, number, to, 0));
        }
        if message.acknowledge & POSITIVE_RECEIVE != 0 {
            deeds.extend(self.acknowledgement(&message, RECEIVED));
        }
        deeds
    }

    /// What it brings that a message ends without being received.
    fn failure(&mut self, queue: u64, message: &Message, class: u16) -> Vec<Deed> {
        let Some((_, of)) = self.by_number(queue) else {
            return Vec::new();
        };
        let (kind, transactional) = (of.kind, of.properties.transactional);
        let mut deeds = Vec::new();
        if kind == Kind::Journal {
            return deeds;
        }
        // Who purges or deletes has asked for it.
        if message.journal & DEAD_LETTER != 0 && class != PURGED && class != DELETED {
            let own = self
                .queues
                .get("u")
                .filter(|_| message.own_dead_letters)
                .map(|q| q.number);
            let system = if transactional {
                DEAD_TRANSACTIONAL
            } else {
                DEAD
            };
            let to = own
                .filter(|own| *own != queue)
                .unwrap_or(self.queues[system].number);
            deeds.push(Deed::Copy(queue, message.number, to, class));
        }
        if message.acknowledge & NEGATIVE_RECEIVE != 0 {
            deeds.extend(self.acknowledgement(message, class));
        }
        deeds
    }

    // ---- leases ----

    pub(crate) fn settle(
        &mut self,
        name: &str,
        number: u64,
        delivery: u32,
        how: Settle,
    ) -> Result<(), Refused> {
        let of = self.queue(name)?;
        let queue = of.number;
        let held = of.find(number).is_some_and(|m| {
            matches!(&m.place, Place::Held { by: Holder::Lease { delivery: d, .. }, .. } if *d == delivery)
        });
        if !held {
            return Err(ErrorKind::MessageAlreadyReceived);
        }
        let message = of.find(number).expect("it is held").clone();
        let mut deeds = Vec::new();
        match how {
            Settle::Complete => {
                deeds = self.reception(queue, number, &mut Vec::new());
                deeds.push(Deed::Leave(queue, number));
            }
            Settle::Reject => {
                deeds = self.failure(queue, &message, REJECTED);
                deeds.push(Deed::Leave(queue, number));
            }
            Settle::Release => self.give_back(&mut deeds, queue, number, true),
            Settle::Extend(ms) => {
                let until = self.now_ms + u64::from(ms);
                let queue = self.by_number_mut(queue).expect("it is there");
                let message = queue.messages.iter_mut().find(|m| m.number == number);
                if let Place::Held {
                    by: Holder::Lease { until_ms, .. },
                    ..
                } = &mut message.expect("it is held").place
                {
                    *until_ms = until;
                }
            }
        }
        self.do_all(deeds);
        Ok(())
    }

    // ---- moving ----

    pub(crate) fn movement(
        &mut self,
        client: u128,
        name: &str,
        number: u64,
        to: &str,
        how: How,
    ) -> Result<(), Refused> {
        let source = self.queue(name)?;
        let queue = source.number;
        if name == to {
            return Err(ErrorKind::InvalidParameter);
        }
        let target = self.queues.get(to);
        let is_journal = target.is_some_and(|t| t.kind == Kind::Journal);
        let family =
            source.kind != Kind::Journal && Self::parent(name) == Self::parent(to) && !is_journal;
        let from_journal =
            source.kind == Kind::Journal && target.is_some_and(|t| t.kind == Kind::Private);
        if !family && !from_journal {
            return Err(ErrorKind::UnsupportedFormatNameOperation);
        }
        if source.kind != Kind::Journal {
            check_usage(source, how)?;
        }
        let due_ms = match source.find(number).map(|message| &message.place) {
            Some(Place::Available) => 0,
            Some(Place::Held { .. }) => return Err(ErrorKind::MessageAlreadyReceived),
            // It waits there as long as it would have here; a transaction holds only what can be received.
            Some(Place::Delayed { .. }) if matches!(how, How::In(_)) => {
                return Err(ErrorKind::InvalidState);
            }
            Some(Place::Delayed { due_ms }) => *due_ms,
            None => return Err(ErrorKind::MessageNotFound),
        };
        if target.is_some_and(|t| t.find(number).is_some()) {
            return Err(ErrorKind::InvalidParameter);
        }
        if let How::In(transaction) = how {
            self.open(client, transaction)?;
            self.lock(queue, number, Holder::Transaction(client, transaction));
            let open = self.open(client, transaction)?;
            open.operations
                .push(Operation::Move(queue, number, to.to_owned()));
            return Ok(());
        }
        self.do_all(vec![Deed::Move(
            queue,
            number,
            to.to_owned(),
            due_ms,
            Counts::Anew,
        )]);
        Ok(())
    }

    // ---- transactions ----

    pub(crate) fn open(
        &mut self,
        client: u128,
        transaction: u64,
    ) -> Result<&mut Transaction, Refused> {
        self.transactions
            .get_mut(&(client, transaction))
            .ok_or(ErrorKind::TransactionAborted)
    }

    pub(crate) fn reject(
        &mut self,
        client: u128,
        transaction: u64,
        name: &str,
        number: u64,
    ) -> Result<(), Refused> {
        let queue = self.queue(name)?.number;
        let open = self.open(client, transaction)?;
        let received =
            |o: &Operation| matches!(o, Operation::Receive(q, m) if (*q, *m) == (queue, number));
        if !open.operations.iter().any(received) {
            return Err(ErrorKind::MessageNotFound);
        }
        open.rejected.insert((queue, number));
        open.aftermath.retain(|a| (a.0, a.1) != (queue, number));
        Ok(())
    }

    /// Whether all that it is about is still there.
    fn can_commit(&self, open: &Transaction) -> bool {
        let held = |queue: u64, number: u64| {
            let message = self.by_number(queue).and_then(|q| q.1.find(number));
            message.is_some_and(|m| matches!(m.place, Place::Held { .. }))
        };
        open.operations.iter().all(|operation| match operation {
            Operation::Send(queue, _) => self.by_number(*queue).is_some(),
            Operation::Receive(queue, number) => held(*queue, *number),
            Operation::Move(queue, number, to) => {
                held(*queue, *number) && self.queues.contains_key(Self::parent(to))
            }
        })
    }

    pub(crate) fn commit(&mut self, client: u128, transaction: u64) -> Result<(), Refused> {
        let open = self.open(client, transaction)?.clone();
        if !self.can_commit(&open) {
            self.abort(client, transaction)?;
            return Err(ErrorKind::TransactionAborted);
        }
        self.transactions.remove(&(client, transaction));
        let deeds = self.deeds_of(open, true);
        self.do_all(deeds);
        Ok(())
    }

    fn deeds_of(&mut self, open: Transaction, leaves: bool) -> Vec<Deed> {
        let mut deeds: Vec<Deed> = open.aftermath.into_iter().map(|a| a.2).collect();
        let mut seen = BTreeSet::new();
        let mut operations = open.operations;
        operations.retain(|operation| match operation {
            Operation::Send(queue, message) => message.key.is_none_or(|key| {
                seen.insert((*queue, key)) && self.sent_before(*queue, key).is_none()
            }),
            _ => true,
        });
        let count = operations
            .iter()
            .filter(|o| matches!(o, Operation::Send(..)))
            .count();
        let mut sent = 0;
        for operation in operations {
            match operation {
                Operation::Receive(queue, number) => {
                    if open.rejected.contains(&(queue, number)) {
                        let message = self
                            .by_number(queue)
                            .and_then(|q| q.1.find(number))
                            .cloned();
                        if let Some(message) = message {
                            deeds.extend(self.failure(queue, &message, REJECTED));
                        }
                    }
                    if leaves {
                        deeds.push(Deed::Leave(queue, number));
                    }
                }
                Operation::Move(queue, number, to) => {
                    deeds.push(Deed::Move(queue, number, to, 0, Counts::Anew));
                }
                Operation::Send(queue, mut message) => {
                    sent += 1;
                    message.sent_in = (count > 1).then_some((sent == 1, sent == count));
                    deeds.extend(self.arrival(queue, *message));
                }
            }
        }
        deeds
    }

    /// Gives whether it leaves a record.
    pub(crate) fn abort(&mut self, client: u128, transaction: u64) -> Result<(), Refused> {
        self.open(client, transaction)?;
        let open = self
            .transactions
            .remove(&(client, transaction))
            .expect("it is open");
        let mut deeds = Vec::new();
        for operation in open.operations {
            match operation {
                Operation::Receive(queue, number) => {
                    self.give_back(&mut deeds, queue, number, true)
                }
                Operation::Move(queue, number, _) => {
                    self.give_back(&mut deeds, queue, number, false)
                }
                Operation::Send(..) => {}
            }
        }
        self.do_all(deeds);
        Ok(())
    }

    pub(crate) fn end_session(&mut self, client: u128) {
        let open: Vec<u64> = self
            .transactions
            .keys()
            .filter(|k| k.0 == client)
            .map(|k| k.1)
            .collect();
        for transaction in open {
            self.abort(client, transaction).expect("it is open");
        }
    }

    pub(crate) fn prepare(
        &mut self,
        client: u128,
        transaction: u64,
        branch: u8,
    ) -> Result<(), Refused> {
        let open = self.open(client, transaction)?.clone();
        if self.prepared.contains_key(&branch) {
            return Err(ErrorKind::InvalidRequest);
        }
        if !self.can_commit(&open) {
            self.abort(client, transaction)?;
            return Err(ErrorKind::TransactionAborted);
        }
        self.transactions.remove(&(client, transaction));
        let mut taken = Vec::new();
        let mut moved = BTreeSet::new();
        for operation in &open.operations {
            match operation {
                Operation::Receive(queue, number) => taken.push((*queue, *number)),
                Operation::Move(queue, number, to) => {
                    taken.push((*queue, *number));
                    moved.insert((*queue, *number));
                    self.subqueue(to);
                }
                Operation::Send(..) => {}
            }
        }
        let deeds = self.deeds_of(open, false);
        for (queue, number) in &taken {
            if let Some(queue) = self.by_number_mut(*queue)
                && let Some(message) = queue.messages.iter_mut().find(|m| m.number == *number)
                && let Place::Held { by, .. } = &mut message.place
            {
                *by = Holder::Branch(branch);
            }
        }
        let staged = self.staged_by(&deeds);
        self.prepared.insert(
            branch,
            Prepared {
                taken,
                moved,
                deeds,
                staged,
            },
        );
        Ok(())
    }

    fn staged_by(&self, deeds: &[Deed]) -> Vec<(u64, u64)> {
        let staged = deeds.iter().filter_map(|deed| match deed {
            Deed::Arrive(queue, message) => Some((*queue, message.body.len() as u64)),
            Deed::Copy(queue, number, to, _) => {
                let message = self.by_number(*queue).and_then(|q| q.1.find(*number));
                let held = message.filter(|m| matches!(m.place, Place::Held { .. }));
                held.map(|m| (*to, m.body.len() as u64))
            }
            _ => None,
        });
        staged.collect()
    }

    pub(crate) fn resolve(&mut self, branch: u8, commit: bool) -> Result<(), Refused> {
        let Some(prepared) = self.prepared.remove(&branch) else {
            return if commit {
                Err(ErrorKind::TransactionAborted)
            } else {
                Ok(())
            };
        };
        let held = |model: &Self, (queue, number): (u64, u64)| {
            let message = model.by_number(queue).and_then(|q| q.1.find(number));
            message.is_some_and(
                |m| matches!(&m.place, Place::Held { by: Holder::Branch(b), .. } if *b == branch),
            )
        };
        let mut deeds = Vec::new();
        if commit {
            // A key may have come in meanwhile, and a queue may be gone with all that is in it.
            for deed in prepared.deeds {
                let known = match &deed {
                    Deed::Arrive(queue, message) => message
                        .key
                        .is_some_and(|key| self.sent_before(*queue, key).is_some()),
                    Deed::Move(queue, number, ..) => !held(self, (*queue, *number)),
                    _ => false,
                };
                if !known {
                    deeds.push(deed);
                }
            }
            for taken in prepared.taken {
                if held(self, taken) && !prepared.moved.contains(&taken) {
                    deeds.push(Deed::Leave(taken.0, taken.1));
                }
            }
        } else {
            for taken in prepared.taken {
                if held(self, taken) {
                    let counts = !prepared.moved.contains(&taken);
                    self.give_back(&mut deeds, taken.0, taken.1, counts);
                }
            }
        }
        self.do_all(deeds);
        Ok(())
    }

    /// Who held it does not take it. `counts`: it was a receive.
    fn give_back(&mut self, deeds: &mut Vec<Deed>, queue: u64, number: u64, counts: bool) {
        let now = self.now_ms;
        let Some(of) = self.by_number_mut(queue) else {
            return;
        };
        let Some(message) = of.messages.iter_mut().find(|m| m.number == number) else {
            return;
        };
        let Place::Held { purged, .. } = message.place else {
            return;
        };
        if purged {
            let message = message.clone();
            deeds.extend(self.failure(queue, &message, PURGED));
            deeds.push(Deed::Leave(queue, number));
            return;
        }
        message.place = Place::Available;
        let message = message.clone();
        // One that has expired ends by that.
        if counts && message.expires_ms.is_none_or(|at| at > now) {
            self.after_abort(deeds, queue, &message);
        }
    }

    /// The count, or what the poison policy does.
    fn after_abort(&mut self, deeds: &mut Vec<Deed>, queue: u64, message: &Message) {
        let (name, of) = self.by_number(queue).expect("it is there");
        let (name, kind, policy) = (name.clone(), of.kind, of.properties.poison.clone());
        let aborts = message.aborts + 1;
        let retries = policy.receive_retry_count;
        if retries == 0 || aborts <= retries || kind != Kind::Private {
            deeds.push(Deed::Count(queue, message.number, aborts));
        } else if message.cycle < policy.retry_cycles_max {
            let due = self.now_ms + policy.retry_cycle_delay_ms;
            let to = format!("{name};retry");
            deeds.push(Deed::Move(
                queue,
                message.number,
                to,
                due,
                Counts::NextCycle,
            ));
        } else {
            match policy.then {
                PoisonTarget::Fault => {
                    deeds.push(Deed::Count(queue, message.number, aborts));
                    deeds.push(Deed::Fault(queue, message.number));
                }
                PoisonTarget::Drop => deeds.push(Deed::Leave(queue, message.number)),
                PoisonTarget::Reject => {
                    deeds.extend(self.failure(queue, message, REJECTED));
                    deeds.push(Deed::Leave(queue, message.number));
                }
                PoisonTarget::Move => {
                    let to = format!("{name};poison");
                    deeds.push(Deed::Move(queue, message.number, to, 0, Counts::Anew));
                }
            }
        }
    }

    // ---- time ----

    /// What is due: delays, then leases, then lifetimes.
    pub(crate) fn settle_time(&mut self) {
        let now = self.now_ms;
        let mut deeds = Vec::new();
        for (name, queue) in &mut self.queues {
            for message in &mut queue.messages {
                let Place::Delayed { due_ms } = message.place else {
                    continue;
                };
                if due_ms > now {
                    continue;
                }
                message.place = Place::Available;
                let expired = message.expires_ms.is_some_and(|at| at <= now);
                if let Some(parent) = name.strip_suffix(";retry")
                    && !expired
                {
                    deeds.push(Deed::Move(
                        queue.number,
                        message.number,
                        parent.to_owned(),
                        0,
                        Counts::Kept,
                    ));
                }
            }
        }
        self.do_all(deeds);
        let mut ended = Vec::new();
        for queue in self.queues.values() {
            for message in &queue.messages {
                if let Place::Held {
                    by: Holder::Lease { until_ms, .. },
                    ..
                } = message.place
                    && until_ms <= now
                {
                    let id = self.ids.get(&message.number).copied();
                    ended.push((until_ms, queue.number, id, message.number));
                }
            }
        }
        ended.sort_unstable();
        let mut deeds = Vec::new();
        for (_, queue, _, number) in ended {
            self.give_back(&mut deeds, queue, number, true);
        }
        self.do_all(deeds);
        let mut dead = Vec::new();
        for queue in self.queues.values() {
            let over = queue
                .messages
                .iter()
                .filter(|m| m.is_available() && m.expires_ms.is_some_and(|at| at <= now));
            dead.extend(over.map(|m| (queue.number, m.clone())));
        }
        let mut deeds = Vec::new();
        for (queue, message) in dead {
            deeds.extend(self.failure(queue, &message, EXPIRED));
            deeds.push(Deed::Leave(queue, message.number));
        }
        self.do_all(deeds);
    }

    /// The process ends, orderly or not, and another one goes on.
    pub(crate) fn restart(&mut self) {
        self.transactions.clear();
        let mut purged = Vec::new();
        for queue in self.queues.values_mut() {
            queue.messages.retain_mut(|message| match &message.place {
                _ if message.express => false,
                Place::Held {
                    by: Holder::Branch(_),
                    ..
                } => true,
                Place::Held { purged: true, .. } => {
                    purged.push((queue.number, message.clone()));
                    false
                }
                Place::Held { .. } => {
                    message.place = Place::Available;
                    true
                }
                _ => true,
            });
            queue.keys.retain(|key| key.3);
            let there: BTreeSet<u64> = queue.messages.iter().map(|m| m.number).collect();
            queue.faulted = queue.faulted.filter(|number| there.contains(number));
        }
        // What an express message was to bring is gone with it.
        let there: BTreeSet<(u64, u64)> = self
            .queues
            .values()
            .flat_map(|q| q.messages.iter().map(|m| (q.number, m.number)))
            .collect();
        for prepared in self.prepared.values_mut() {
            prepared.taken.retain(|taken| there.contains(taken));
        }
        // Who held them is gone, and the purge has its way.
        let told = purged
            .iter()
            .flat_map(|(queue, message)| self.failure(*queue, message, PURGED))
            .collect();
        self.do_all(told);
        self.settle_time();
    }

    // ---- deeds ----

    /// The number of a queue; a subqueue comes into being.
    fn subqueue(&mut self, name: &str) -> Option<u64> {
        if let Some(queue) = self.queues.get(name) {
            return Some(queue.number);
        }
        let properties = self.queues.get(Self::parent(name))?.properties.clone();
        Some(self.add(name, Kind::Subqueue, properties))
    }

    fn do_all(&mut self, deeds: Vec<Deed>) {
        for deed in deeds {
            self.do_one(deed);
        }
    }

    fn do_one(&mut self, deed: Deed) {
        let now = self.now_ms;
        match deed {
            Deed::Arrive(queue, message) => self.put_in(queue, *message),
            Deed::Copy(from, number, to, class) => self.copy(from, number, to, class),
            Deed::Leave(queue, number) => {
                if let Some(queue) = self.by_number_mut(queue) {
                    queue.take(number);
                }
            }
            Deed::Move(queue, number, to, due_ms, counts) => {
                let Some(to) = self.subqueue(&to) else { return };
                let Some(from) = self.by_number_mut(queue) else {
                    return;
                };
                let kind = from.kind;
                let is_dead = self.is_dead_letters(queue);
                let Some(mut message) = self.by_number_mut(queue).and_then(|q| q.take(number))
                else {
                    return;
                };
                if self
                    .by_number(to)
                    .is_some_and(|q| q.1.find(number).is_some())
                {
                    return;
                }
                if kind == Kind::Journal {
                    revive(&mut message, is_dead);
                }
                message.moves += 1;
                message.last_move_ms = now;
                match counts {
                    Counts::Anew => (message.aborts, message.cycle) = (0, 0),
                    Counts::Kept => {}
                    Counts::NextCycle => (message.aborts, message.cycle) = (0, message.cycle + 1),
                }
                self.place_in(to, message, due_ms);
            }
            Deed::Count(queue, number, aborts) => {
                if let Some(queue) = self.by_number_mut(queue)
                    && let Some(message) = queue.messages.iter_mut().find(|m| m.number == number)
                {
                    message.aborts = aborts;
                }
            }
            Deed::Fault(queue, number) => {
                if let Some(queue) = self.by_number_mut(queue) {
                    queue.faulted = Some(number);
                }
            }
        }
    }

    fn is_dead_letters(&self, queue: u64) -> bool {
        let name = self.by_number(queue).map(|q| q.0.as_str());
        matches!(name, Some(DEAD | DEAD_TRANSACTIONAL))
    }

    fn put_in(&mut self, queue: u64, mut message: Message) {
        message.arrived_ms = self.now_ms;
        let (number, key, due_ms, now, express) = (
            message.number,
            message.key,
            message.due_ms,
            self.now_ms,
            message.express,
        );
        let Some(of) = self.by_number_mut(queue) else {
            return;
        };
        if let Some(key) = key {
            of.keys.push((key, number, now, !express));
        }
        self.place_in(queue, message, due_ms);
    }

    fn place_in(&mut self, queue: u64, mut message: Message, due_ms: u64) {
        message.place = Place::Available;
        if due_ms > self.now_ms {
            // One that dies before it is due wakes to die.
            let due_ms = message.expires_ms.map_or(due_ms, |at| at.min(due_ms));
            message.place = Place::Delayed { due_ms };
        }
        if let Some(queue) = self.by_number_mut(queue) {
            queue.messages.push(message);
        }
    }

    fn copy(&mut self, from: u64, number: u64, to: u64, class: u16) {
        let Some((name, of)) = self.by_number(from) else {
            return;
        };
        let Some(message) = of.find(number) else {
            return;
        };
        let mut copy = message.clone();
        if class != 0 {
            copy.class = class;
        }
        copy.destination = name.clone();
        copy.expires_ms = None;
        (copy.acknowledge, copy.journal) = (0, 0);
        copy.place = Place::Available;
        // The application's own dead-letter queue may be gone: the system's is there for ever.
        let there = self.by_number(to).is_some();
        let to = if there {
            to
        } else {
            self.queues[DEAD_TRANSACTIONAL].number
        };
        let target = self.by_number_mut(to).expect("it is there");
        if target.find(number).is_none() {
            target.messages.push(copy);
        }
    }
}

/// A copy that is moved back to a queue is a message again, and kept if it fails once more.
fn revive(message: &mut Message, is_dead: bool) {
    if is_dead {
        message.class = 0;
    }
    message.destination.clear();
    (message.acknowledge, message.journal) = (0, DEAD_LETTER);
}

fn check_usage(queue: &Queue, how: How) -> Result<(), Refused> {
    match (queue.properties.transactional, how) {
        (true, How::Alone) | (false, How::Single | How::In(_)) => Err(ErrorKind::TransactionUsage),
        _ => Ok(()),
    }
}
