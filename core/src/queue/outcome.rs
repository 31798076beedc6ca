//! What became of requests, remembered so that one sent again is not executed again (DESIGN.md D7).
//!
//! ```text
//!  client -> floor | sequence -> outcome, sequence -> outcome, ...      pruned by `acknowledged`
//! ```
//!
//! Everything here follows from records and their times alone, so replay remembers the same.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::entry::Body;
use super::record::Stamp;
use super::request::{QueueStatus, RequestId, TransactionId};
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
    Queue(QueueStatus),
    /// Sent; the id follows from the lookup id.
    Sent(u64),
    /// Part of a transaction now.
    Staged,
    /// A transaction has begun.
    Began(TransactionId),
    /// A message was handed out; its body is kept.
    Message(Delivered),
}

/// A message that left its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its place before.
    pub lookup_id: u64,
    /// Unix milliseconds.
    pub arrived_ms: u64,
    /// Where the content still is.
    pub body: Body,
}

/// What is remembered of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Below this nothing is known any more.
    pub floor: u64,
    /// Time of its last record.
    pub last_ms: u64,
    /// By sequence.
    pub outcomes: BTreeMap<u64, Outcome>,
}

/// All clients.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    clients: BTreeMap<Uuid, Client>,
    idle: BTreeSet<(u64, Uuid)>,
    /// Reads and staged operations: forgotten at a restart.
    passing: BTreeMap<Uuid, BTreeMap<u64, Outcome>>,
}

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

    /// Remembers the outcome of a record's request; returns the outcomes that are forgotten for it.
    pub fn remember(&mut self, stamp: &Stamp, outcome: Outcome) -> Vec<Outcome> {
        let request = &stamp.request;
        let client = self.clients.entry(request.client).or_default();
        self.idle.remove(&(client.last_ms, request.client));
        self.idle.insert((stamp.time_ms, request.client));
        client.last_ms = stamp.time_ms;
        client.floor = client.floor.max(request.acknowledged);
        client.outcomes.insert(request.sequence, outcome);
        let mut gone = Vec::new();
        while let Some(first) = client.outcomes.first_entry() {
            if *first.key() >= client.floor {
                break;
            }
            gone.push(first.remove());
        }
        while client.outcomes.len() > OUTCOMES_MAX {
            if let Some((sequence, outcome)) = client.outcomes.pop_first() {
                client.floor = sequence + 1;
                gone.push(outcome);
            }
        }
        self.forget_idle(stamp.time_ms, &mut gone);
        gone
    }

    fn forget_idle(&mut self, now_ms: u64, gone: &mut Vec<Outcome>) {
        while let Some(&(last_ms, client)) = self.idle.first() {
            if self.clients.len() <= CLIENTS_MAX
                && now_ms.saturating_sub(last_ms) <= CLIENT_IDLE_MS_MAX
            {
                break;
            }
            self.idle.pop_first();
            let forgotten = self.clients.remove(&client);
            gone.extend(forgotten.into_iter().flat_map(|c| c.outcomes.into_values()));
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
        self.idle.insert((client.last_ms, id));
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

    fn stamp(client: u128, sequence: u64, time_ms: u64) -> Stamp {
        let request = RequestId {
            client: Uuid::from_u128(client),
            sequence,
            acknowledged: 0,
        };
        Stamp { request, time_ms }
    }

    #[test]
    fn one_client_too_many_makes_the_longest_idle_one_forgotten() {
        let mut all = Outcomes::default();
        for client in 0..CLIENTS_MAX {
            let stamp = stamp(client as u128, 1, client as u64);
            assert!(all.remember(&stamp, Outcome::Done).is_empty());
        }
        // The first is no longer the longest idle one.
        all.remember(&stamp(0, 2, 20_000), Outcome::Done);
        let gone = all.remember(&stamp(u128::MAX, 1, 20_001), Outcome::Sent(1));
        assert_eq!(gone, [Outcome::Done]);
        assert_eq!(all.clients().len(), CLIENTS_MAX);
        assert_eq!(all.find(&stamp(1, 1, 0).request), Ok(None));
        let kept = all.find(&stamp(0, 1, 0).request);
        assert_eq!(kept, Ok(Some(&Outcome::Done)));
    }

    #[test]
    fn a_client_is_forgotten_when_it_was_idle_for_longer_than_the_limit() {
        let mut all = Outcomes::default();
        all.remember(&stamp(1, 1, 5), Outcome::Done);
        let at_the_limit = stamp(2, 1, 5 + CLIENT_IDLE_MS_MAX);
        assert!(all.remember(&at_the_limit, Outcome::Done).is_empty());
        let beyond = stamp(2, 2, 6 + CLIENT_IDLE_MS_MAX);
        assert_eq!(all.remember(&beyond, Outcome::Done), [Outcome::Done]);
        assert_eq!(all.clients().len(), 1);
    }

    #[test]
    fn one_outcome_too_many_is_refused_and_not_executed_again() {
        let mut all = Outcomes::default();
        let count = OUTCOMES_MAX as u64;
        for sequence in 1..=count {
            let gone = all.remember(&stamp(1, sequence, 0), Outcome::Sent(sequence));
            assert!(gone.is_empty());
        }
        let gone = all.remember(&stamp(1, count + 1, 0), Outcome::Done);
        assert_eq!(gone, [Outcome::Sent(1)]);
        let error = all.find(&stamp(1, 1, 0).request).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        let second = all.find(&stamp(1, 2, 0).request);
        assert_eq!(second, Ok(Some(&Outcome::Sent(2))));
    }

    #[test]
    fn what_is_remembered_in_memory_only_is_bounded_by_clients_and_by_outcomes() {
        let mut all = Outcomes::default();
        for client in 0..=CLIENTS_MAX {
            all.remember_passing(&stamp(client as u128, 1, 0).request, Outcome::Staged);
        }
        assert_eq!(all.all().count(), CLIENTS_MAX);
        let count = OUTCOMES_MAX as u64;
        for sequence in 2..=count {
            all.remember_passing(&stamp(9, sequence, 0).request, Outcome::Staged);
        }
        let gone = all.remember_passing(&stamp(9, count + 1, 0).request, Outcome::Staged);
        assert_eq!(gone, [Outcome::Staged]);
    }
}
