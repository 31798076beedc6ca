//! What became of requests, remembered so that one sent again is not executed again (DESIGN.md D7).
//!
//! ```text
//!  client -> floor | sequence -> outcome, sequence -> outcome, ...      pruned by `acknowledged`
//! ```
//!
//! Everything here follows from records and their times alone, so replay remembers the same.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::entry::Entry;
use super::request::{QueueStatus, RequestId};
use crate::error::{Error, ErrorKind, Result};

/// A client that has changed nothing for this long is forgotten.
pub const CLIENT_IDLE_MS_MAX: u64 = 60 * 60 * 1000;
/// Clients remembered at most; then the longest idle one is forgotten.
pub const CLIENTS_MAX: usize = 10_000;
/// Outcomes remembered of one client at most; then its oldest is forgotten.
pub const OUTCOMES_MAX: usize = 65_536;

/// What became of a request that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// A queue as it was.
    Queue(Box<QueueStatus>),
    /// Sent; the id follows from the lookup id.
    Sent(u64),
    /// Part of a transaction now.
    Staged,
    /// A message was handed out; its body is kept.
    Message(Box<Delivered>),
    /// Messages were handed out; their bodies are kept.
    Messages(Vec<Delivered>),
}

/// A message that was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The queue's number.
    pub queue: u32,
    /// Its place.
    pub lookup_id: u64,
    /// What the queue knew of it.
    pub entry: Entry,
    /// Which delivery, if it is a lease; else 0.
    pub lease: u32,
}

impl Outcome {
    /// The messages whose bodies it keeps.
    #[must_use]
    pub fn delivered(&self) -> &[Delivered] {
        match self {
            Self::Message(one) => std::slice::from_ref(one),
            Self::Messages(all) => all,
            _ => &[],
        }
    }
}

/// What is remembered of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// What the log calls it.
    pub number: u32,
    /// Below this nothing is known any more.
    pub floor: u64,
    /// Time of its last record.
    pub last_ms: u64,
    /// By sequence.
    pub outcomes: BTreeMap<u64, Outcome>,
}

impl Client {
    /// Forgets what is below the floor.
    fn prune(&mut self, gone: &mut Vec<Outcome>) {
        while let Some(first) = self.outcomes.first_entry() {
            if *first.key() >= self.floor {
                break;
            }
            gone.push(first.remove());
        }
    }
}

/// All clients.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    clients: BTreeMap<Uuid, Client>,
    numbers: BTreeMap<u32, Uuid>,
    next_number: u32,
    /// By the second of the last record.
    idle: BTreeSet<(u64, Uuid)>,
    /// Reads and staged operations: forgotten at a restart.
    passing: BTreeMap<Uuid, BTreeMap<u64, Outcome>>,
}

/// Idleness is looked at in steps of this many milliseconds, so that a busy client costs nothing.
const IDLE_STEP_MS: u64 = 1024;

impl Outcomes {
    /// What became of a request, if it was executed.
    ///
    /// # Errors
    /// `InvalidRequest` when its outcome has been forgotten: nobody can say whether it was executed.
    pub fn find(&self, id: &RequestId) -> Result<Option<&Outcome>> {
        let client = self.clients.get(&id.client);
        let floor = client.map_or(0, |c| c.floor).max(id.acknowledged);
        if id.sequence < floor {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                format!(
                    "request {} was acknowledged up to {floor} before",
                    id.sequence
                ),
            )
            .hint("a client sends a request again only while it has not acknowledged its reply"));
        }
        let durable = client.and_then(|c| c.outcomes.get(&id.sequence));
        let passing = || self.passing.get(&id.client)?.get(&id.sequence);
        Ok(durable.or_else(passing))
    }

    /// The number by which the log calls a client, if it has one.
    #[must_use]
    pub fn number_of(&self, client: &Uuid) -> Option<u32> {
        self.clients.get(client).map(|c| c.number)
    }

    /// The client that the log calls by this number.
    #[must_use]
    pub fn client_of(&self, number: u32) -> Option<Uuid> {
        self.numbers.get(&number).copied()
    }

    /// The number for the next client that has none.
    #[must_use]
    pub const fn next_number(&self) -> u32 {
        self.next_number
    }

    /// A client gets its number; returns the outcomes that are forgotten for it.
    pub fn name(&mut self, number: u32, client: Uuid, time_ms: u64) -> Vec<Outcome> {
        self.restore(
            client,
            Client {
                number,
                last_ms: time_ms,
                ..Client::default()
            },
        );
        let mut gone = Vec::new();
        self.forget_idle(time_ms, &mut gone);
        gone
    }

    /// A client has seen the replies to all requests below `id.acknowledged`; returns what is forgotten.
    pub fn acknowledge(&mut self, id: &RequestId) -> Vec<Outcome> {
        let mut gone = Vec::new();
        if let Some(client) = self.clients.get_mut(&id.client)
            && client.floor < id.acknowledged
        {
            client.floor = id.acknowledged;
            client.prune(&mut gone);
        }
        gone
    }

    /// Whether nothing is known of `count` requests from `first` on, whose client has seen all replies below
    /// `acknowledged`.
    #[must_use]
    pub fn are_new(&self, first: &RequestId, acknowledged: u64, count: usize) -> bool {
        let run = first.sequence..first.sequence.saturating_add(count as u64);
        let client = self.clients.get(&first.client);
        let floor = client.map_or(0, |c| c.floor).max(acknowledged);
        let durable = client.is_some_and(|c| c.outcomes.range(run.clone()).next().is_some());
        let passing = self.passing.get(&first.client);
        let passing = passing.is_some_and(|outcomes| outcomes.range(run).next().is_some());
        first.sequence >= floor && !durable && !passing
    }

    /// Remembers the outcome of a change's request; returns the outcomes that are forgotten for it.
    pub fn remember(
        &mut self,
        request: &RequestId,
        time_ms: u64,
        outcome: Outcome,
    ) -> Vec<Outcome> {
        self.remember_all(request, time_ms, std::iter::once(outcome))
    }

    /// Remembers the outcomes of a run: of `request` and those that followed it, one for each lookup id.
    pub fn remember_run(
        &mut self,
        request: &RequestId,
        time_ms: u64,
        lookup_ids: &[u64],
    ) -> Vec<Outcome> {
        let outcomes = lookup_ids.iter().copied().map(Outcome::Sent);
        self.remember_all(request, time_ms, outcomes)
    }

    fn remember_all(
        &mut self,
        request: &RequestId,
        time_ms: u64,
        mut outcomes: impl Iterator<Item = Outcome>,
    ) -> Vec<Outcome> {
        let Some(client) = self.clients.get_mut(&request.client) else {
            debug_assert!(false, "a client without a number");
            return outcomes.by_ref().collect();
        };
        let step = |ms: u64| ms / IDLE_STEP_MS;
        if step(client.last_ms) != step(time_ms) {
            self.idle.remove(&(step(client.last_ms), request.client));
            self.idle.insert((step(time_ms), request.client));
        }
        client.last_ms = time_ms;
        client.floor = client.floor.max(request.acknowledged);
        let sequence = |at: usize| request.sequence.saturating_add(at as u64);
        let all = outcomes.enumerate().map(|(at, o)| (sequence(at), o));
        client.outcomes.extend(all);
        let mut gone = Vec::new();
        client.prune(&mut gone);
        while client.outcomes.len() > OUTCOMES_MAX {
            if let Some((sequence, outcome)) = client.outcomes.pop_first() {
                client.floor = sequence + 1;
                gone.push(outcome);
            }
        }
        self.forget_idle(time_ms, &mut gone);
        gone
    }

    fn forget_idle(&mut self, now_ms: u64, gone: &mut Vec<Outcome>) {
        while let Some(&(last, client)) = self.idle.first() {
            let idle_ms = now_ms.saturating_sub((last + 1) * IDLE_STEP_MS);
            if self.clients.len() <= CLIENTS_MAX && idle_ms <= CLIENT_IDLE_MS_MAX {
                break;
            }
            self.idle.pop_first();
            if let Some(forgotten) = self.clients.remove(&client) {
                self.numbers.remove(&forgotten.number);
                gone.extend(forgotten.outcomes.into_values());
            }
        }
    }

    /// Remembers until the restart; returns what is forgotten for it.
    pub fn remember_passing(&mut self, id: &RequestId, outcome: Outcome) -> Vec<Outcome> {
        let mut gone = Vec::new();
        if self.passing.len() >= CLIENTS_MAX && !self.passing.contains_key(&id.client) {
            let first = self.passing.pop_first();
            gone.extend(first.into_iter().flat_map(|c| c.1.into_values()));
        }
        let outcomes = self.passing.entry(id.client).or_default();
        outcomes.insert(id.sequence, outcome);
        while let Some(first) = outcomes.first_entry() {
            if *first.key() >= id.acknowledged && outcomes.len() <= OUTCOMES_MAX {
                break;
            }
            gone.extend(outcomes.pop_first().map(|o| o.1));
        }
        gone
    }

    /// A session has ended: its transactions are gone, so what they answered is no longer true.
    pub fn end_session(&mut self, client: Uuid) -> Vec<Outcome> {
        let Some(outcomes) = self.passing.get_mut(&client) else {
            return Vec::new();
        };
        // An express send keeps its outcome: it did happen, and the client may ask again.
        let gone = outcomes.extract_if(.., |_, o| !matches!(o, Outcome::Sent(_)));
        let gone = gone.map(|o| o.1).collect();
        if outcomes.is_empty() {
            self.passing.remove(&client);
        }
        gone
    }

    /// The clients, for a snapshot.
    pub fn clients(&self) -> impl ExactSizeIterator<Item = (&Uuid, &Client)> {
        self.clients.iter()
    }

    /// A client as a snapshot has it.
    pub fn restore(&mut self, id: Uuid, client: Client) {
        self.idle.insert((client.last_ms / IDLE_STEP_MS, id));
        self.numbers.insert(client.number, id);
        self.next_number = self.next_number.max(client.number.saturating_add(1));
        self.clients.insert(id, client);
    }

    /// Every outcome that is remembered.
    pub fn all(&self) -> impl Iterator<Item = &Outcome> {
        let durable = self.clients.values().flat_map(|c| c.outcomes.values());
        durable.chain(self.passing.values().flat_map(BTreeMap::values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(client: u128, sequence: u64) -> RequestId {
        RequestId {
            client: Uuid::from_u128(client),
            sequence,
            acknowledged: 0,
        }
    }

    /// Remembers, after naming the client if it is new.
    fn remember(all: &mut Outcomes, id: RequestId, time_ms: u64, outcome: Outcome) -> Vec<Outcome> {
        let mut gone = Vec::new();
        if all.number_of(&id.client).is_none() {
            gone = all.name(all.next_number(), id.client, time_ms);
        }
        gone.extend(all.remember(&id, time_ms, outcome));
        gone
    }

    #[test]
    fn one_client_too_many_makes_the_longest_idle_one_forgotten() {
        let mut all = Outcomes::default();
        let at = |client: usize| client as u64 * IDLE_STEP_MS;
        for client in 0..CLIENTS_MAX {
            // Far less than an hour in all.
            let gone = remember(
                &mut all,
                request(client as u128, 1),
                at(client) / 8,
                Outcome::Done,
            );
            assert!(gone.is_empty());
        }
        let now = at(CLIENTS_MAX) / 8 + 2 * IDLE_STEP_MS;
        // The first is no longer the longest idle one.
        remember(&mut all, request(0, 2), now, Outcome::Done);
        let gone = remember(&mut all, request(u128::MAX, 1), now, Outcome::Sent(1));
        assert_eq!(gone, [Outcome::Done]);
        assert_eq!(all.clients().len(), CLIENTS_MAX);
        assert_eq!(all.find(&request(1, 1)), Ok(None));
        assert_eq!(all.find(&request(0, 1)), Ok(Some(&Outcome::Done)));
    }

    #[test]
    fn a_client_is_forgotten_when_it_was_idle_for_longer_than_the_limit() {
        let mut all = Outcomes::default();
        remember(&mut all, request(1, 1), 5, Outcome::Done);
        let limit = CLIENT_IDLE_MS_MAX + IDLE_STEP_MS;
        assert!(remember(&mut all, request(2, 1), limit, Outcome::Done).is_empty());
        let beyond = remember(&mut all, request(2, 2), limit + 1, Outcome::Done);
        assert_eq!(beyond, [Outcome::Done]);
        assert_eq!(all.clients().len(), 1);
        assert_eq!(all.client_of(0), None, "its number is free");
    }

    #[test]
    fn what_a_client_has_seen_is_forgotten_at_once() {
        let mut all = Outcomes::default();
        for sequence in 1..=3 {
            remember(&mut all, request(1, sequence), 0, Outcome::Sent(sequence));
        }
        let mut seen = request(1, 4);
        seen.acknowledged = 3;
        assert_eq!(all.acknowledge(&seen), [Outcome::Sent(1), Outcome::Sent(2)]);
        assert!(all.find(&request(1, 2)).is_err());
        assert_eq!(all.find(&request(1, 3)), Ok(Some(&Outcome::Sent(3))));
    }

    #[test]
    fn one_outcome_too_many_is_refused_and_not_executed_again() {
        let mut all = Outcomes::default();
        let count = OUTCOMES_MAX as u64;
        for sequence in 1..=count {
            let gone = remember(&mut all, request(1, sequence), 0, Outcome::Sent(sequence));
            assert!(gone.is_empty());
        }
        let gone = remember(&mut all, request(1, count + 1), 0, Outcome::Done);
        assert_eq!(gone, [Outcome::Sent(1)]);
        let error = all.find(&request(1, 1)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert_eq!(all.find(&request(1, 2)), Ok(Some(&Outcome::Sent(2))));
    }

    #[test]
    fn what_is_remembered_in_memory_only_is_bounded_by_clients_and_by_outcomes() {
        let mut all = Outcomes::default();
        for client in 0..=CLIENTS_MAX {
            all.remember_passing(&request(client as u128, 1), Outcome::Staged);
        }
        assert_eq!(all.all().count(), CLIENTS_MAX);
        let count = OUTCOMES_MAX as u64;
        for sequence in 2..=count {
            all.remember_passing(&request(9, sequence), Outcome::Staged);
        }
        let gone = all.remember_passing(&request(9, count + 1), Outcome::Staged);
        assert_eq!(gone, [Outcome::Staged]);
    }
}
