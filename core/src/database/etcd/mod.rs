//! The cluster database in etcd, for nodes on several machines.
//!
//! ```text
//!  calls ──> session ── commit (pure: markers), leases (pure: whose time is over) ──> client ──> grpc ──> members
//!              ▲      └─ expiry                                   endpoints (pure: whom to ask next)
//!              ├── watcher        events: what to read, which leases were renewed
//!              └── housekeeping   ends leases that are over; compaction
//! ```
//!
//! All of it runs on a thread of its own, so that nothing that a node does delays a renewal.
//!
//! # Leases are rows, not etcd's leases
//!
//! The trait promises that an expired lease never comes back, and that a holder may act until its last
//! renewal, counted from when it was *sent*, plus the time to live. etcd's own leases do not keep that: up to
//! 3.4 they expire by the wall clock (a jump ends or freezes them), every change of leader refreshes all of
//! them, a stalled former leader acknowledges renewals that count for nothing and revokes what others have
//! renewed, and the shortest time to live is two seconds. So here a lease is a row:
//!
//! 1. *Renewing* is a transaction guarded by the row's existence, through the log of a majority. It cannot lie:
//!    either it is committed after it was sent, or the row is gone.
//! 2. *Expiring* is a transaction guarded by the row's revision, by anybody who has seen the same renewal for
//!    the whole time to live and a hundredth more on a boot-time clock of its own. It removes the row and all
//!    its entries at once; writing with a lease gives its row a new revision, so that none is missed.
//! 3. Let a holder send its last successful renewal at S. It is committed at C ≥ S, and seen by an observer at
//!    O ≥ C. The observer acts at O + TTL·1.01 or later; the holder has stopped at S + TTL by its own clock.
//!    Clocks are only asked for durations, and may differ by a hundredth.
//! 4. Once the row is removed it never exists again: its number is random, only the request that grants it
//!    writes a row that is not there, and of that request there is one copy for each number.
//!
//! No wall clock, no change of leader, no member that is behind takes part. A late event makes an observer
//! wait longer; a stale one makes a transaction that is refused. What remains is that etcd's transactions are
//! atomic and durable; `version` says of which versions that is not true.
//!
//! After the database was away nobody could renew: observers then wait half of the time to live more.
//!
//! The price is a write for each renewal, some per second and node, and the compaction that goes with it.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::location::EtcdLocation;
use super::{Answer, Commit, Database, LeaseId, Location, Range, Transaction, check_bounds};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::Clock;

mod client;
mod commit;
mod endpoints;
mod expiry;
mod grpc;
mod housekeeping;
mod keys;
mod leases;
mod message;
mod protobuf;
mod session;
mod tls;
mod version;
mod watcher;

#[cfg(test)]
mod tests;

use session::Session;

/// A handle on the keys under one prefix; a process needs one.
pub struct EtcdDatabase {
    session: Arc<Session>,
    runtime: Handle,
    /// Dropping it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl EtcdDatabase {
    /// A handle on `location`. Nothing is asked of etcd yet.
    ///
    /// # Errors
    /// `InvalidParameter` without a prefix, or when a certificate cannot be used.
    pub fn open(location: EtcdLocation, clock: Arc<dyn Clock>) -> Result<Self> {
        if location.prefix.is_empty() {
            let text = format!("{location} has no prefix for the keys of the cluster");
            return Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint("add one that no other cluster uses: etcd://…/hamq/lab"));
        }
        let session = Arc::new(Session::new(location, clock)?);
        let (stop, stopped) = oneshot::channel();
        let runtime = start_thread(stopped)?;
        runtime.spawn(watcher::run(Arc::clone(&session)));
        runtime.spawn(housekeeping::end_leases(Arc::clone(&session)));
        if !session.client.location.no_compaction {
            runtime.spawn(housekeeping::compact(Arc::clone(&session)));
        }
        Ok(Self {
            session,
            runtime,
            _stop: stop,
        })
    }

    /// Removes everything under the prefix, also that of a cluster that still runs.
    pub fn destroy(&self) -> Answer<()> {
        self.ask(|session| async move { session.destroy().await })
    }

    /// Lets a call run on the handle's thread, to its end also when the caller has gone.
    fn ask<T, F>(&self, call: impl FnOnce(Arc<Session>) -> F) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let running = self.runtime.spawn(call(Arc::clone(&self.session)));
        Box::pin(async move {
            running.await.unwrap_or_else(|e| {
                let text = format!("the thread of the cluster database has ended: {e}");
                Err(Error::new(ErrorKind::Internal, text))
            })
        })
    }
}

/// A thread with a runtime that lives until `stopped` ends.
fn start_thread(stopped: oneshot::Receiver<()>) -> Result<Handle> {
    let failed = |e: std::io::Error| Error::system("start the thread of the cluster database", &e);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("hamq-etcd".to_owned())
        .spawn(move || drop(runtime.block_on(stopped)))
        .map_err(failed)?;
    Ok(handle)
}

impl Database for EtcdDatabase {
    fn read(&self, prefix: &str) -> Answer<Range> {
        let prefix = prefix.to_owned();
        self.ask(|session| async move { session.read(&prefix).await })
    }

    fn commit(&self, transaction: Transaction) -> Answer<Commit> {
        if let Err(error) = check_bounds(&transaction) {
            return Box::pin(std::future::ready(Err(error)));
        }
        self.ask(|session| async move { session.commit(&transaction).await })
    }

    fn grant(&self, ttl: Duration) -> Answer<LeaseId> {
        self.ask(move |session| async move { session.grant(ttl).await })
    }

    fn renew(&self, lease: LeaseId) -> Answer<bool> {
        self.ask(move |session| async move { session.renew(lease).await })
    }

    fn revoke(&self, lease: LeaseId) -> Answer<()> {
        self.ask(move |session| async move { session.revoke(lease).await })
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.session.subscribe()
    }

    fn location(&self) -> String {
        Location::Etcd(self.session.client.location.clone()).to_string()
    }

    fn retire(&self, revision: u64, successor: &str) -> Answer<Commit> {
        let successor = successor.to_owned();
        self.ask(move |session| async move { session.retire(revision, &successor).await })
    }

    fn retired(&self) -> Answer<Option<String>> {
        self.ask(|session| async move { session.retired().await })
    }

    fn notices(&self) -> Answer<Vec<String>> {
        self.ask(|session| async move { Ok(version::notices(&session.client).await) })
    }
}
