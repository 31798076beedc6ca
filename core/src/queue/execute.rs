//! One request: decided, recorded, applied, answered.

use std::cell::RefCell;

use super::access::AccessList;
use super::change::{
    Arrival, CHANGE_BYTES, Change, Content, EFFECT_BYTES, Effect, Part, Stamp, Tell,
};
use super::decide::{Candidate, Decision, Hand, Handed};
use super::encoded::Encoded;
use super::engine::{Asked, Contents, Engine};
use super::entry::Entry;
use super::index::Pages;
use super::message::{Delivery, LeaseId, MessageId, Received, SentIn};
use super::outcome::{Delivered, Outcome};
use super::request::{Caller, DelayedMessage, QueueProperties, Reply, Request, RequestId};
use super::state::RESERVE;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Position;

/// Bytes of one change at most: a transaction, and what is told of it.
const RECORD_BYTES_MAX: usize = 256 * 1024 * 1024;

impl Engine {
    /// Executes a request; none when it has to wait.
    pub(super) fn execute(
        &mut self,
        from: &Caller,
        id: &RequestId,
        request: &Request,
    ) -> Result<Option<Reply>> {
        // Afterwards a transaction that ends is known no more.
        let bound = self.bytes_of(from, request);
        check_end(request, bound)?;
        let now = self.now();
        let contents = Contents {
            log: RefCell::new(&mut self.log),
            cache: &self.cache,
        };
        match self.state.decide(&contents, from, id, request, now)? {
            Decision::Known(outcome) => self.reply(outcome).map(Some),
            Decision::Answer(Reply::Counters(counters)) => {
                Ok(Some(Reply::Counters(self.with_own_counters(counters))))
            }
            Decision::Answer(reply) => Ok(Some(reply)),
            Decision::Wait => Ok(None),
            Decision::Refuse(change, error) => {
                self.record_own(&change);
                Err(error)
            }
            Decision::Delayed(queue, found) => self.delayed(queue, found).map(Some),
            Decision::Hand(hand) => self.hand(from, id, &hand).map(Some),
            Decision::Read(parts, offset, length) => {
                let bytes = read_parts(&contents, &parts, offset, length)?;
                Ok(Some(Reply::Bytes(bytes)))
            }
            Decision::Change(change) => {
                self.make_room_beyond(request, bound, &change)?;
                let outcome = self.record(&change)?;
                self.reply_to(&change, outcome).map(Some)
            }
        }
    }

    /// Executes the run of sends that `asked` begins with; gives their replies, none if it begins with none.
    pub(super) fn execute_run(&mut self, asked: &[Asked]) -> Vec<Reply> {
        let refuses = self.full.is_some() || self.stuck.is_some() || self.failure.is_some();
        if refuses || asked.len() < 2 {
            return Vec::new();
        }
        let run = asked.iter().map(|a| (&a.from, &a.id, &a.request));
        let Some(change) = self.state.decide_run(run, self.now()) else {
            return Vec::new();
        };
        if self.record(&change).is_err() {
            return Vec::new(); // the store has failed, and each is told
        }
        self.serve_woken();
        let sent = |lookup_id| Reply::Sent {
            id: self.state.message_id(lookup_id),
            lookup_id,
        };
        change.arrived().into_iter().map(sent).collect()
    }

    /// What a change brings beside can be more than was foreseen for its request; never for the end of a transaction,
    /// which cannot be refused any more.
    fn make_room_beyond(&mut self, request: &Request, bound: usize, change: &Change) -> Result<()> {
        let size = size_of(change);
        debug_assert!(
            size <= bound || !ends_transaction(request),
            "{size} bytes, {bound} foreseen for {request:?}"
        );
        if size <= bound {
            return Ok(());
        }
        let made = self.make_room_for(change);
        if let (Err(error), true) = (&made, ends_transaction(request)) {
            // The transaction is over in memory and never will be in the log.
            self.failure = Some(error.clone());
        }
        made
    }

    fn make_room_for(&mut self, change: &Change) -> Result<()> {
        let bytes = size_of(change);
        if bytes > RECORD_BYTES_MAX {
            let text = format!("this would add {bytes} bytes to the log at once");
            return Err(Error::new(ErrorKind::InsufficientResources, text)
                .hint("it is acknowledgements that make so much: receive some messages first"));
        }
        self.make_room(change.effects.len() + 2, bytes, true)
    }

    /// The answer to who asked for a change; of the queue manager's own properties, what they are now.
    fn reply_to(&mut self, change: &Change, outcome: Outcome) -> Result<Reply> {
        match change.effects.last() {
            Some(Effect::Machine { .. }) => Ok(Reply::Machine(self.state.machine_status())),
            Some(Effect::Permit { access, .. }) => Ok(Reply::Access(access.clone())),
            _ => self.reply(outcome),
        }
    }

    /// Logs and applies a change; gives the outcome.
    ///
    /// # Errors
    /// What does not fit the state is final: the store fails.
    pub(super) fn record(&mut self, change: &Change) -> Result<Outcome> {
        let recorded = self.try_record(change);
        recorded.inspect_err(|error| self.failure = Some(error.clone()))
    }

    fn try_record(&mut self, change: &Change) -> Result<Outcome> {
        let contents = Contents {
            log: RefCell::new(&mut self.log),
            cache: &self.cache,
        };
        let volatile = self.state.volatile(&contents, change)?;
        // An express message alone leaves no record; whoever only learns a key's message does.
        let logged = change.effects.is_empty() || volatile.iter().any(|v| !v);
        let mut places = Vec::new();
        if logged {
            let client = self.client_number(&change.stamp)?;
            places = self.append(change, client, &volatile);
        }
        if volatile.contains(&true) {
            self.reserve(change.stamp)?;
        }
        let contents = Contents {
            log: RefCell::new(&mut self.log),
            cache: &self.cache,
        };
        let applied = self.state.apply(&contents, change, &places, logged)?;
        self.remember_contents(change, &places);
        self.notice_dead_letters(change);
        for queue in applied.deleted {
            self.cancel(queue);
        }
        Ok(applied.outcome)
    }

    /// Writes a change into the log's batch; gives where its contents lie.
    fn append(&mut self, change: &Change, client: u32, volatile: &[bool]) -> Vec<Position> {
        let mut parts = Vec::new();
        let place = self.log.record(|out| {
            let before = out.len();
            change.encode(out, &mut parts, client, volatile);
            debug_assert!(
                out.len() - before <= size_of(change),
                "larger than its bound"
            );
        });
        places(place, &parts)
    }

    /// The number of the client; names it in the log if it has none.
    fn client_number(&mut self, stamp: &Stamp) -> Result<u32> {
        let Some(request) = &stamp.request else {
            return Ok(0);
        };
        if let Some(number) = self.state.outcomes.number_of(&request.client) {
            return Ok(number);
        }
        let number = self.state.outcomes.next_number();
        self.record_aside(
            stamp.time_ms,
            Effect::Client {
                number,
                client: request.client,
            },
        )?;
        Ok(number)
    }

    /// Numbers for messages that leave no record are reserved, many at a time.
    fn reserve(&mut self, stamp: Stamp) -> Result<()> {
        if self.state.counter < self.state.reserved {
            return Ok(());
        }
        let counter = self.state.counter + RESERVE;
        self.record_aside(stamp.time_ms, Effect::Reserve { counter })
    }

    fn record_aside(&mut self, time_ms: u64, effect: Effect) -> Result<()> {
        let stamp = Stamp {
            request: None,
            time_ms,
        };
        let change = Change::one(stamp, Tell::Done, effect);
        self.append(&change, 0, &[]);
        let pages = super::index::NoPages;
        self.state.apply(&pages, &change, &[], true).map(drop)
    }

    fn remember_contents(&mut self, change: &Change, places: &[Position]) {
        let mut places = places.iter();
        let mut remember = |effect: &Effect| match effect {
            Effect::Arrive(arrival) if !arrival.express => {
                if let Content::New(content) = &arrival.content
                    && let Some(place) = places.next()
                {
                    self.cache.insert(*place, content.share());
                }
            }
            Effect::Part { bytes, .. } | Effect::Relocate { bytes, .. } => {
                if let Some(place) = places.next() {
                    self.cache.insert(*place, bytes.clone());
                }
            }
            _ => {}
        };
        for effect in &change.effects {
            match effect {
                Effect::Prepare { effects, .. } => effects.iter().for_each(&mut remember),
                effect => remember(effect),
            }
        }
    }

    fn hand(&mut self, from: &Caller, id: &RequestId, hand: &Hand) -> Result<Reply> {
        let many = hand.many;
        let contents = Contents {
            log: RefCell::new(&mut self.log),
            cache: &self.cache,
        };
        // Read before it is taken: one that cannot be read is not lost.
        let read = hand
            .candidates
            .iter()
            .map(|c| content_of(&contents, &c.entry));
        let read: Vec<Encoded> = read.collect::<Result<_>>()?;
        let now = self.now();
        let contents = Contents {
            log: RefCell::new(&mut self.log),
            cache: &self.cache,
        };
        let outcome = match self.state.hand(&contents, from, id, hand, &read, now)? {
            Handed::Done(outcome) => outcome,
            Handed::Change(change) => {
                self.make_room_for(&change)?;
                self.record(&change)?
            }
        };
        let delivered = outcome.delivered().iter().zip(read);
        let mut messages = Vec::with_capacity(delivered.len());
        for (delivered, content) in delivered {
            self.cache.spend(delivered.entry.position);
            messages.push(self.received(delivered, content));
        }
        Ok(match (many, messages.pop()) {
            (false, Some(one)) => Reply::Message(Box::new(one)),
            (_, last) => {
                messages.extend(last);
                Reply::Messages(messages)
            }
        })
    }

    /// Messages that are not due yet, as they are shown.
    fn delayed(&mut self, queue: u32, found: Vec<(u64, Candidate)>) -> Result<Reply> {
        let mut all = Vec::with_capacity(found.len());
        for (due_ms, Candidate { lookup_id, entry }) in found {
            let content = self.load(&entry)?;
            let delivered = Delivered {
                queue,
                lookup_id,
                entry,
                lease: 0,
            };
            let message = self.received(&delivered, content);
            all.push(DelayedMessage { due_ms, message });
        }
        Ok(Reply::Delayed(all))
    }

    fn received(&self, delivered: &Delivered, content: Encoded) -> Received {
        let entry = &delivered.entry;
        let lookup_id = delivered.lookup_id;
        let extra = entry.extra.as_deref();
        let sent_ms = content.head().map_or(0, |head| head.sent_ms);
        let transactional = self.state.is_transactional(delivered.queue);
        let alone = transactional.then_some(SentIn {
            transaction: lookup_id & ((1 << 56) - 1),
            first: true,
            last: true,
        });
        Received {
            content,
            id: self.state.id_of(lookup_id, entry),
            lookup_id,
            sent_ms: if sent_ms == 0 {
                entry.arrived_ms
            } else {
                sent_ms
            },
            arrived_ms: entry.arrived_ms,
            delivery: if entry.express {
                Delivery::Express
            } else {
                Delivery::Recoverable
            },
            class: extra.map_or(0, |extra| extra.class),
            sender: self.state.principal(entry.sender).to_owned(),
            destination: extra.map_or_else(String::new, |extra| extra.destination.clone()),
            abort_count: extra.map_or(0, |extra| extra.abort_count),
            move_count: extra.map_or(0, |extra| extra.move_count),
            last_move_ms: extra.map_or(0, |extra| extra.last_move_ms),
            transaction: extra.and_then(|extra| extra.transaction).or(alone),
            body_bytes: entry.body_bytes,
            lease: (delivered.lease != 0).then_some(LeaseId {
                lookup_id,
                delivery: delivered.lease,
            }),
        }
    }

    fn reply(&mut self, outcome: Outcome) -> Result<Reply> {
        Ok(match outcome {
            Outcome::Done => Reply::Done,
            Outcome::Queue(status) => Reply::Queue(status),
            Outcome::Sent(lookup_id) => Reply::Sent {
                id: self.state.message_id(lookup_id),
                lookup_id,
            },
            Outcome::Staged => Reply::Sent {
                id: MessageId::NONE,
                lookup_id: 0,
            },
            Outcome::Message(delivered) => {
                let content = self.load(&delivered.entry)?;
                Reply::Message(Box::new(self.received(&delivered, content)))
            }
            Outcome::Messages(all) => {
                let mut messages = Vec::with_capacity(all.len());
                for delivered in &all {
                    let content = self.load(&delivered.entry)?;
                    messages.push(self.received(delivered, content));
                }
                Reply::Messages(messages)
            }
        })
    }

    fn load(&mut self, entry: &Entry) -> Result<Encoded> {
        let contents = Contents {
            log: RefCell::new(&mut self.log),
            cache: &self.cache,
        };
        content_of(&contents, entry)
    }
}

fn content_of(pages: &dyn Pages, entry: &Entry) -> Result<Encoded> {
    let content = super::decide::content_of(pages, entry)?;
    content.verify()?;
    Ok(content)
}

/// `length` bytes from `offset` of a body whose parts lie there.
fn read_parts(pages: &dyn Pages, parts: &[Position], offset: u64, length: u32) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut start = 0_u64;
    for part in parts {
        let end = start + u64::from(part.length);
        let wanted = offset + bytes.len() as u64;
        if wanted < end && (bytes.len() as u64) < u64::from(length) {
            let content = pages.read(*part)?;
            let from = usize::try_from(wanted - start).unwrap_or(usize::MAX);
            let left = length as usize - bytes.len();
            let piece = content.get(from..).unwrap_or(&[]);
            bytes.extend_from_slice(&piece[..piece.len().min(left)]);
        }
        start = end;
    }
    Ok(bytes)
}

/// A transaction that would be too large a record is refused and stays open: it can be aborted.
fn check_end(request: &Request, bytes: usize) -> Result<()> {
    let gives_back = matches!(
        request,
        Request::Abort { .. } | Request::Resolve { commit: false, .. }
    );
    if bytes <= RECORD_BYTES_MAX || gives_back || !ends_transaction(request) {
        return Ok(());
    }
    let text = format!("the transaction may add {bytes} bytes to the log at once");
    Err(Error::new(ErrorKind::InsufficientResources, text).hint(
        "it has not ended: abort it, and do less in one; acknowledgements that repeat large messages count as well",
    ))
}

const fn ends_transaction(request: &Request) -> bool {
    matches!(
        request,
        Request::Commit { .. }
            | Request::Prepare { .. }
            | Request::Abort { .. }
            | Request::Resolve { .. }
    )
}

/// Upper bound of the bytes of a change.
pub(super) fn size_of(change: &Change) -> usize {
    CHANGE_BYTES + size_of_all(&change.effects)
}

/// Upper bound of the bytes of effects.
pub(super) fn size_of_all<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> usize {
    effects.into_iter().map(size_of_effect).sum()
}

fn size_of_effect(effect: &Effect) -> usize {
    EFFECT_BYTES
        + match effect {
            Effect::Arrive(arrival) => size_of_arrival(arrival),
            Effect::Part { bytes, .. } | Effect::Relocate { bytes, .. } => bytes.len(),
            Effect::Create {
                name,
                access,
                properties,
                ..
            } => size_of_new_queue(name.len(), properties, access),
            Effect::Configure { properties, .. } => {
                size_of_new_queue(0, properties, &AccessList::default())
            }
            Effect::Permit { access, .. } => size_of_access(access),
            Effect::Principal { name, .. } => name.len(),
            Effect::Purge { held, .. } => held.len() * 10,
            Effect::Prepare {
                branch,
                taken,
                effects,
            } => branch.0.len() + taken.len() * 16 + size_of_all(effects),
            Effect::Resolved { branch } => branch.0.len(),
            _ => 0,
        }
}

/// Of a message that arrives, beside what every effect has.
pub(super) fn size_of_arrival(arrival: &Arrival) -> usize {
    let content = match &arrival.content {
        Content::New(content) => content.len(),
        Content::Stored(_) => 0,
    };
    // A part has a segment, an offset and a length.
    content + arrival.key.len() + arrival.parts.len() * 16
}

/// Of a queue that comes into being, beside what every effect has.
pub(super) fn size_of_new_queue(
    name: usize,
    properties: &QueueProperties,
    access: &AccessList,
) -> usize {
    let texts = properties.label.len() + properties.multicast_address.len();
    name + texts + size_of_access(access) + 256
}

fn size_of_access(access: &AccessList) -> usize {
    let entries = access.entries.iter().map(|entry| entry.trustee.len() + 16);
    access.owner.len() + entries.sum::<usize>() + 16
}

/// Where the contents of a record at `base` lie.
pub(super) fn places(base: Position, parts: &[Part]) -> Vec<Position> {
    let place = |part: &Part| Position {
        segment: base.segment,
        offset: base.offset.saturating_add(part.0),
        length: part.1,
    };
    parts.iter().map(place).collect()
}
