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
