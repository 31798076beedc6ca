//! Moving everything from one database to another, so that at no moment both are the cluster's.
//!
//! ```text
//!  1  target   `moving` := from where, and the last entry       only where nothing is yet
//!  2  target   all entries but the last                         guarded by their absence
//!  3  both     are read and compared
//!  4  source   marked as moved to the target                    if nothing was written since 2
//!  5  target   the last entry := as in `moving`, which goes     the cluster is there from now on
//! ```
//!
//! Until 4 the source is the cluster's, and a new attempt begins anew; from 4 on it is the target, which a new
//! attempt completes. The *last entry* is one without which no node begins to act: the cluster's own row.

use serde::{Deserialize, Serialize};

use super::{Commit, Database, Entry, Guard, Transaction, Write};
use crate::error::{Error, ErrorKind, Result};

/// What a target holds before it is the cluster's.
const MOVING_KEY: &str = "moving";
/// Entries of one transaction; etcd takes 128 steps by default.
pub(super) const CHUNK_ENTRIES: usize = 64;
/// Bytes of one transaction; etcd takes 1.5 MiB by default.
const CHUNK_BYTES: usize = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Moving {
    from: String,
    #[serde(with = "serde_bytes")]
    last: Vec<u8>,
}

/// Moves everything from `source` to `target`, or completes a move that was interrupted.
///
/// # Errors
/// `InvalidState` while a node holds a lease or writes, or when the source has moved elsewhere;
/// `ObjectAlreadyExists` when the target holds something; `StoreDamaged` when the copy is not the same.
pub async fn migrate(source: &dyn Database, target: &dyn Database, last_key: &str) -> Result<()> {
    if let Some(successor) = source.retired().await? {
        if successor == target.location() {
            return complete(source, target, last_key).await;
        }
        let text = format!("{} has moved to {successor} already", source.location());
        return Err(Error::new(ErrorKind::InvalidState, text).hint("move it on from there"));
    }
    let found = source.read("").await?;
    let last = found.entries.iter().find(|entry| entry.key == last_key);
    let last = last.ok_or_else(|| {
        let text = format!("{} holds no cluster", source.location());
        Error::new(ErrorKind::ClusterNotFound, text).hint("Get-Cluster shows where it lies")
    })?;
    if found.entries.iter().any(|entry| entry.lease.is_some()) {
        return Err(busy(source));
    }
    clear(source, target).await?;
    begin(source, target, last).await?;
    let rest = || found.entries.iter().filter(|entry| entry.key != last_key);
    for chunk in chunks(rest()) {
        write(target, chunk).await?;
    }
    verify(target, rest().collect()).await?;
    match source.retire(found.revision, &target.location()).await? {
        Commit::Done { .. } => complete(source, target, last_key).await,
        Commit::Refused => Err(busy(source)),
    }
}

fn busy(source: &dyn Database) -> Error {
    let text = format!("a node still works on {}", source.location());
    Error::new(ErrorKind::InvalidState, text)
        .hint("Stop-Cluster first; the session of a node that was killed ends with its lease")
}

/// Removes what an earlier attempt from the same source has left; refuses anything else.
async fn clear(source: &dyn Database, target: &dyn Database) -> Result<()> {
    let found = target.read("").await?;
    if found.entries.is_empty() {
        return Ok(());
    }
    let moving = found.entries.iter().find(|entry| entry.key == MOVING_KEY);
    let ours = moving
        .and_then(parse)
        .filter(|moving| moving.from == source.location());
    let Some((moving, _)) = moving.zip(ours) else {
        let text = format!("{} is not empty", target.location());
        return Err(Error::new(ErrorKind::ObjectAlreadyExists, text)
            .hint("give each cluster a place of its own"));
    };
    let rest: Vec<_> = found
        .entries
        .iter()
        .filter(|entry| entry.key != MOVING_KEY)
        .collect();
    for chunk in rest.chunks(CHUNK_ENTRIES) {
        remove(target, chunk).await?;
    }
    remove(target, &[moving]).await
}

async fn remove(target: &dyn Database, entries: &[&Entry]) -> Result<()> {
    let transaction = Transaction {
        guards: entries
            .iter()
            .map(|entry| guard(&entry.key, entry.version))
            .collect(),
        writes: entries.iter().map(|entry| delete(&entry.key)).collect(),
    };
    expect_done(target, target.commit(transaction).await?)
}

async fn begin(source: &dyn Database, target: &dyn Database, last: &Entry) -> Result<()> {
    let moving = Moving {
        from: source.location(),
        last: last.value.clone(),
    };
    let mut value = Vec::new();
    ciborium::into_writer(&moving, &mut value)
        .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
    let transaction = Transaction {
        guards: vec![guard(MOVING_KEY, 0)],
        writes: vec![put(MOVING_KEY, value)],
    };
    expect_done(target, target.commit(transaction).await?)
}

async fn write(target: &dyn Database, entries: Vec<&Entry>) -> Result<()> {
    let transaction = Transaction {
        guards: entries.iter().map(|entry| guard(&entry.key, 0)).collect(),
        writes: entries
            .iter()
            .map(|entry| put(&entry.key, entry.value.clone()))
            .collect(),
    };
    expect_done(target, target.commit(transaction).await?)
}

/// The copy is the same, key by key.
async fn verify(target: &dyn Database, expected: Vec<&Entry>) -> Result<()> {
    let found = target.read("").await?;
    let copied = found.entries.iter().filter(|entry| entry.key != MOVING_KEY);
    let same = copied
        .map(|entry| (&entry.key, &entry.value))
        .eq(expected.iter().map(|entry| (&entry.key, &entry.value)));
    if same {
        return Ok(());
    }
    let text = format!(
        "the copy in {} differs from what was written",
        target.location()
    );
    Err(Error::new(ErrorKind::StoreDamaged, text)
        .hint("nothing has moved; does another cluster use this place?"))
}

/// Makes the target the cluster's.
async fn complete(source: &dyn Database, target: &dyn Database, last_key: &str) -> Result<()> {
    let found = target.read("").await?;
    if found.entries.iter().any(|entry| entry.key == last_key) {
        return Ok(()); // it was completed before
    }
    let row = found.entries.iter().find(|entry| entry.key == MOVING_KEY);
    let Some((row, moving)) = row.and_then(|row| Some((row, parse(row)?))) else {
        let (from, to) = (source.location(), target.location());
        let text = format!("{from} has moved to {to}, but nothing of it is there");
        return Err(Error::new(ErrorKind::StoreDamaged, text)
            .hint("somebody has removed it there: restore that place from a backup"));
    };
    let transaction = Transaction {
        guards: vec![guard(MOVING_KEY, row.version), guard(last_key, 0)],
        writes: vec![put(last_key, moving.last), delete(MOVING_KEY)],
    };
    expect_done(target, target.commit(transaction).await?)
}

fn parse(row: &Entry) -> Option<Moving> {
    ciborium::from_reader(&row.value[..]).ok()
}

/// Entries in portions that a transaction takes.
pub(super) fn chunks<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Vec<&'a Entry>> {
    let mut chunks = vec![Vec::new()];
    let mut bytes = 0;
    for entry in entries {
        let full = chunks
            .last()
            .is_some_and(|chunk| chunk.len() == CHUNK_ENTRIES);
        bytes += entry.key.len() * 2 + entry.value.len();
        if full || bytes > CHUNK_BYTES {
            chunks.push(Vec::new());
            bytes = entry.key.len() * 2 + entry.value.len();
        }
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(entry);
        }
    }
    chunks.retain(|chunk| !chunk.is_empty());
    chunks
}

pub(super) fn expect_done(target: &dyn Database, commit: Commit) -> Result<()> {
    match commit {
        Commit::Done { .. } => Ok(()),
        Commit::Refused => {
            let text = format!("somebody else writes to {}", target.location());
            Err(Error::new(ErrorKind::InvalidState, text)
                .hint("give each cluster a place of its own"))
        }
    }
}

pub(super) fn guard(key: &str, version: u64) -> Guard {
    Guard {
        key: key.to_owned(),
        version,
    }
}

pub(super) fn put(key: &str, value: Vec<u8>) -> Write {
    Write::Put {
        key: key.to_owned(),
        value,
        lease: None,
    }
}

pub(super) fn delete(key: &str) -> Write {
    Write::Delete {
        key: key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::members::Members;
    use super::super::{Location, open};
    use super::*;
    use crate::sys::clock::SystemClock;

    const LAST: &str = "/cluster";

    fn at(location: &str) -> Arc<dyn Database> {
        let location: Location = location.parse().unwrap();
        open(&location, Arc::new(SystemClock)).unwrap()
    }

    async fn fill(database: &dyn Database, entries: usize) {
        let mut writes = vec![put(LAST, b"the cluster".to_vec())];
        writes.extend((0..entries).map(|n| put(&format!("/row/{n:04}"), vec![7; n])));
        for chunk in writes.chunks(100) {
            let transaction = Transaction {
                guards: vec![],
                writes: chunk.to_vec(),
            };
            database.commit(transaction).await.unwrap();
        }
    }

    async fn content(database: &dyn Database) -> Vec<(String, Vec<u8>)> {
        let found = database.read("").await.unwrap();
        found
            .entries
            .into_iter()
            .map(|e| (e.key, e.value))
            .collect()
    }

    /// From `from` to `to`, with all that may come between.
    async fn story(from: Arc<dyn Database>, to: Arc<dyn Database>) {
        fill(&*from, 300).await;
        let before = content(&*from).await;

        let lease = from.grant(Duration::from_secs(60)).await.unwrap();
        let session = Write::Put {
            key: "/session/n1".to_owned(),
            value: vec![],
            lease: Some(lease),
        };
        let writes = vec![session];
        let guards = vec![];
        from.commit(Transaction { guards, writes }).await.unwrap();
        let error = migrate(&*from, &*to, LAST).await.unwrap_err();
        assert_eq!(
            error.kind,
            ErrorKind::InvalidState,
            "a node is there: {error}"
        );
        from.revoke(lease).await.unwrap();

        // An attempt that was interrupted is begun anew.
        let last = from.read(LAST).await.unwrap().entries.remove(0);
        begin(&*from, &*to, &last).await.unwrap();
        expect_done(&*to, put_one(&*to, "/row/0001").await).unwrap();

        migrate(&*from, &*to, LAST).await.unwrap();
        assert_eq!(content(&*to).await, before);
        let error = from.read("").await.unwrap_err();
        assert!(error.message.contains(&to.location()), "{error}");
        let writes = vec![put("late", vec![])];
        let late = from
            .commit(Transaction {
                guards: vec![],
                writes,
            })
            .await;
        assert_eq!(late.unwrap_err().kind, ErrorKind::InvalidState);
        assert!(from.grant(Duration::from_secs(1)).await.is_err());

        migrate(&*from, &*to, LAST).await.unwrap();
        assert_eq!(content(&*to).await, before, "a second time changes nothing");
    }

    async fn put_one(database: &dyn Database, key: &str) -> Commit {
        let transaction = Transaction {
            guards: vec![],
            writes: vec![put(key, b"half".to_vec())],
        };
        database.commit(transaction).await.unwrap()
    }

    #[tokio::test]
    async fn everything_moves_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| at(folder.path().join(name).to_str().unwrap());
        story(file("a.db"), file("b.db")).await;
    }

    #[tokio::test]
    async fn a_place_in_use_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| at(folder.path().join(name).to_str().unwrap());
        let (from, to) = (file("a.db"), file("b.db"));
        fill(&*from, 3).await;
        put_one(&*to, "/precious").await;
        let error = migrate(&*from, &*to, LAST).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ObjectAlreadyExists);
        assert_eq!(content(&*to).await.len(), 1);
        assert_eq!(content(&*from).await.len(), 4, "the source is as it was");
    }

    #[tokio::test]
    #[ignore = "needs etcd: tests/run etcd"]
    async fn on_etcd_everything_moves_there_and_back() {
        let members = Members::start(3);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| at(folder.path().join(name).to_str().unwrap());
        story(file("a.db"), at(&members.location("hamq/there"))).await;
        story(at(&members.location("hamq/from")), file("back.db")).await;
    }
}
