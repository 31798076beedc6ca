//! The cluster database: a small, ordered, versioned key-value store with leases and guarded transactions.
//!
//! Everything that nodes agree on lies here. Each decision is a guarded transaction, never "read, then
//! act" (DESIGN.md D1). Three backends: SQLite in a shared file (`sqlite`, the quorum disk of one machine),
//! etcd (`etcd`, for several machines), and memory (`memory`, for tests and simulation).
//!
//! ```text
//!  location ── open ──┐
//!  agent ── read/commit/grant/renew/revoke ──> Database ──> sqlite::store  (one file, many processes)
//!        <───────────── watch ───────────────          ├─> etcd::session  (some members, many machines)
//!                                                      └─> memory         (one process)
//!  migration ── read, copy, verify, retire ──> from one to another
//!  backup ── to a file, and back with nobody's epoch believed
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::Clock;

pub mod backup;
pub mod etcd;
pub mod location;
pub mod memory;
pub mod migration;
pub mod sqlite;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod conformance;
#[cfg(test)]
#[path = "../../../tests/src/etcd.rs"]
#[expect(unreachable_pub, reason = "shared with the tests of whole clusters")]
mod members;

pub use etcd::EtcdDatabase;
pub use location::Location;
pub use memory::MemoryDatabase;
pub use sqlite::SqliteDatabase;

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// Largest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Most guards, and most writes, of one transaction.
pub const TRANSACTION_ITEMS_MAX: usize = 1024;

/// What a call of the database will answer.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// A session's lease. Keys that were written with it vanish when it expires or is revoked.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct LeaseId(pub u64);

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, for example `owner/VS1`.
    pub key: String,
    /// The value, CBOR by convention.
    pub value: Vec<u8>,
    /// The revision that last wrote it: the fencing token of guards.
    pub version: u64,
    /// The lease it lives by, if it does.
    pub lease: Option<LeaseId>,
}

/// All entries under a prefix at one revision, ordered by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The database's revision when it was read.
    pub revision: u64,
    /// The entries.
    pub entries: Vec<Entry>,
}

/// A condition of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The key.
    pub key: String,
    /// The version it must have; 0 means it must not exist.
    pub version: u64,
}

/// A change of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets a key.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: Vec<u8>,
        /// The lease it shall live by.
        lease: Option<LeaseId>,
    },
    /// Removes a key; nothing happens if it does not exist.
    Delete {
        /// The key.
        key: String,
    },
}

/// Writes that happen together, and only if every guard holds at that moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// All must hold.
    pub guards: Vec<Guard>,
    /// Then all happen, at one new revision.
    pub writes: Vec<Write>,
}

/// The outcome of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Every guard held; the writes are durable at this revision.
    Done {
        /// The new revision.
        revision: u64,
    },
    /// A guard did not hold, or a lease that a write names has expired; nothing was written. A normal
    /// outcome: somebody else was first, or we were too late.
    Refused,
}

/// The database. Cheap to clone behind an `Arc`; calls may be made from any task.
pub trait Database: Send + Sync + 'static {
    /// All keys that start with `prefix`. Keys of expired leases are not there.
    fn read(&self, prefix: &str) -> Answer<Range>;

    /// A guarded transaction.
    fn commit(&self, transaction: Transaction) -> Answer<Commit>;

    /// A new lease that expires `ttl` after its last renewal.
    fn grant(&self, ttl: Duration) -> Answer<LeaseId>;

    /// Renews a lease; false if it has expired or was revoked. An expired lease never comes back.
    fn renew(&self, lease: LeaseId) -> Answer<bool>;

    /// Ends a lease; its keys vanish.
    fn revoke(&self, lease: LeaseId) -> Answer<()>;

    /// A receiver that changes whenever something may have changed, also by another process or by the
    /// expiry of a lease. It carries the last revision seen; a spurious change is allowed, a lost one is not.
    fn watch(&self) -> tokio::sync::watch::Receiver<u64>;

    /// Where it lies: `sqlite:///srv/lab/quorum/cluster.db`. [`Location`] reads it.
    fn location(&self) -> String;

    /// Marks the database as moved to `successor` for good: from then on every call of every handle is
    /// refused and says so. Happens only if nothing was written after `revision`.
    fn retire(&self, revision: u64, successor: &str) -> Answer<Commit> {
        let (_, _) = (revision, successor);
        let text = format!("{} cannot be marked as moved", self.location());
        let error = Error::new(ErrorKind::InvalidRequest, text);
        Box::pin(std::future::ready(Err(error)))
    }

    /// Where it has moved, if it has.
    fn retired(&self) -> Answer<Option<String>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// What an operator should know about it: members that do not answer, versions with known faults.
    fn notices(&self) -> Answer<Vec<String>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

/// Opens the database at a location.
///
/// # Errors
/// Those of the backend.
pub fn open(location: &Location, clock: Arc<dyn Clock>) -> Result<Arc<dyn Database>> {
    Ok(match location {
        Location::Sqlite(path) => Arc::new(SqliteDatabase::open(path, clock)?),
        Location::Etcd(etcd) => Arc::new(EtcdDatabase::open(etcd.clone(), clock)?),
    })
}

/// The error of every call of a database that has moved, or whose rows are gone.
fn moved(from: &Location, to: Option<String>) -> Error {
    match to {
        Some(to) => Error::new(
            ErrorKind::InvalidState,
            format!("the cluster database {from} has moved to {to}"),
        )
        .hint("start the nodes with --database and the new place"),
        None => Error::new(
            ErrorKind::StoreDamaged,
            format!("the cluster database {from} is gone, or of another format"),
        )
        .hint("look with `etcdctl get --prefix` at what is there; restore it from a backup"),
    }
}

/// Refuses a transaction that is larger than any honest one.
fn check_bounds(transaction: &Transaction) -> Result<()> {
    if transaction.guards.len().max(transaction.writes.len()) > TRANSACTION_ITEMS_MAX {
        return Err(too_large(format!(
            "a transaction of {} guards and {} writes exceeds {TRANSACTION_ITEMS_MAX}",
            transaction.guards.len(),
            transaction.writes.len()
        )));
    }
    for write in &transaction.writes {
        let (key, bytes) = match write {
            Write::Put { key, value, .. } => (key, value.len()),
            Write::Delete { key } => (key, 0),
        };
        if key.is_empty() || key.len() > KEY_BYTES_MAX || bytes > VALUE_BYTES_MAX {
            return Err(too_large(format!(
                "key {key:?} with a value of {bytes} bytes: a key has 1 to {KEY_BYTES_MAX} bytes, \
                 a value at most {VALUE_BYTES_MAX}"
            )));
        }
    }
    Ok(())
}

fn too_large(message: String) -> Error {
    Error::new(ErrorKind::InvalidParameter, message).hint("write less in one transaction")
}
