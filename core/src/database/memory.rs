//! The cluster database in memory: for tests and simulation, with the semantics of the real ones.
//!
//! Clones share one database, as nodes share a quorum disk. Leases expire by the clock that was given;
//! a thread looks at it, so that a watcher hears of an expiry also when nobody calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::{
    Answer, Commit, Database, Entry, Guard, LeaseId, Range, Transaction, Write, check_bounds,
};
use crate::error::Result;
use crate::sys::clock::Clock;

/// How often the clock is looked at while leases exist: a fake clock cannot wake us.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// A database that lives as long as its handles.
#[derive(Clone)]
pub struct MemoryDatabase {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    revision: u64,
    entries: BTreeMap<String, Entry>,
    leases: BTreeMap<LeaseId, Lease>,
    lease_last: u64,
}

#[derive(Clone, Copy)]
struct Lease {
    expires: Duration,
    ttl: Duration,
}

impl MemoryDatabase {
    /// An empty database whose leases expire by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            clock,
            changes: watch::Sender::new(0),
        });
        let weak = Arc::downgrade(&shared);
        std::thread::spawn(move || watch_clock(&weak));
        Self { shared }
    }

    /// Runs `act` on the state as it is now: without what has expired.
    fn with<T>(&self, act: impl FnOnce(&mut State, Duration) -> T) -> T {
        self.shared.with(act)
    }
}

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut State, Duration) -> T) -> T {
        let mut state = self.lock();
        let before = state.revision;
        let now = self.clock.boot();
        state.expire(now);
        let result = act(&mut state, now);
        state.check_invariants();
        if state.revision != before {
            self.changes.send_replace(state.revision);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Expires leases while the database lives. Looks every few milliseconds, also without leases: this
/// backend never serves a real cluster.
fn watch_clock(shared: &Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        shared.with(|_, _| ());
        drop(shared);
        std::thread::sleep(LOOK_INTERVAL);
    }
}

impl State {
    fn expire(&mut self, now: Duration) {
        let dead: Vec<LeaseId> = self
            .leases
            .iter()
            .filter(|(_, lease)| lease.expires <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in dead {
            self.end_lease(id);
        }
    }

    fn end_lease(&mut self, id: LeaseId) {
        self.leases.remove(&id);
        let before = self.entries.len();
        self.entries.retain(|_, entry| entry.lease != Some(id));
        if self.entries.len() != before {
            self.revision += 1;
        }
    }

    fn holds(&self, guard: &Guard) -> bool {
        self.entries.get(&guard.key).map_or(0, |e| e.version) == guard.version
    }

    fn lease_lives(&self, write: &Write) -> bool {
        match write {
            Write::Put {
                lease: Some(id), ..
            } => self.leases.contains_key(id),
            Write::Put { lease: None, .. } | Write::Delete { .. } => true,
        }
    }

    fn commit(&mut self, transaction: Transaction) -> Commit {
        let allowed = transaction.guards.iter().all(|g| self.holds(g))
            && transaction.writes.iter().all(|w| self.lease_lives(w));
        if !allowed {
            return Commit::Refused;
        }
        if !transaction.writes.is_empty() {
            self.revision += 1;
        }
        for write in transaction.writes {
            self.apply(write);
        }
        Commit::Done {
            revision: self.revision,
        }
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Put { key, value, lease } => {
                let entry = Entry {
                    key: key.clone(),
                    value,
                    version: self.revision,
                    lease,
                };
                self.entries.insert(key, entry);
            }
            Write::Delete { key } => {
                self.entries.remove(&key);
            }
        }
    }

    fn range(&self, prefix: &str) -> Range {
        let entries = self.entries.range(prefix.to_owned()..);
        Range {
            revision: self.revision,
            entries: entries
                .take_while(|(key, _)| key.starts_with(prefix))
                .map(|(_, entry)| entry.clone())
                .collect(),
        }
    }

    fn check_invariants(&self) {
        debug_assert!(self.entries.values().all(|e| e.version <= self.revision));
        debug_assert!(
            self.entries
                .values()
                .all(|e| e.lease.is_none_or(|id| self.leases.contains_key(&id))),
            "an entry outlived its lease"
        );
    }
}

fn answer<T: Send + 'static>(result: Result<T>) -> Answer<T> {
    Box::pin(std::future::ready(result))
}

impl Database for MemoryDatabase {
    fn read(&self, prefix: &str) -> Answer<Range> {
        answer(Ok(self.with(|state, _| state.range(prefix))))
    }

    fn commit(&self, transaction: Transaction) -> Answer<Commit> {
        let checked = check_bounds(&transaction);
        answer(checked.map(|()| self.with(|state, _| state.commit(transaction))))
    }

    fn grant(&self, ttl: Duration) -> Answer<LeaseId> {
        answer(Ok(self.with(|state, now| {
            state.lease_last += 1;
            let id = LeaseId(state.lease_last);
            let expires = now.saturating_add(ttl);
            state.leases.insert(id, Lease { expires, ttl });
            id
        })))
    }

    fn renew(&self, lease: LeaseId) -> Answer<bool> {
        answer(Ok(self.with(|state, now| {
            let Some(found) = state.leases.get_mut(&lease) else {
                return false;
            };
            found.expires = now.saturating_add(found.ttl);
            true
        })))
    }

    fn revoke(&self, lease: LeaseId) -> Answer<()> {
        self.with(|state, _| state.end_lease(lease));
        answer(Ok(()))
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    fn location(&self) -> String {
        "memory:".to_owned()
    }
}
