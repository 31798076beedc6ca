//! Everything of a database in a file, and back.
//!
//! ```text
//!  file   "HAMQCDB1" | u64 length | CBOR of Backup | SHA-256 of all before it
//!
//!  1  `/restoring` := what is going on; the last entry goes         guarded: nobody holds a lease or writes
//!  2  everything else goes; everything of the backup comes           guarded key by key
//!  3  is read and compared
//!  4  the last entry comes, `/restoring` goes
//! ```
//!
//! The *last entry* is the cluster's own row. Where `/restoring` lies no node joins ([`check_whole`]); a restore that was
//! interrupted is begun anew by the next one, which finds in that row what it must not forget.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::migration::{CHUNK_ENTRIES, chunks, delete, expect_done, guard, put};
use super::{Database, Entry, Guard, Range, Transaction};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::trust::digest;
use crate::sys::{file, folder};

/// What a database holds while it is restored.
pub const RESTORING_KEY: &str = "/restoring";
const MAGIC: &[u8; 8] = b"HAMQCDB1";
const HEAD_BYTES: usize = 16;
const DIGEST_BYTES: usize = 32;
/// Largest file that is read.
const FILE_BYTES_MAX: usize = 512 << 20;

/// A database as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// The cluster's name.
    pub cluster: String,
    /// When it was taken, by the wall clock.
    pub taken_ms: u64,
    /// The database's revision.
    pub revision: u64,
    /// Where it lay.
    pub location: String,
    /// All keys that live by no lease, in order.
    pub rows: Vec<Row>,
}

/// A key with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The key.
    pub key: String,
    /// Its value.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

impl Backup {
    /// What a database holds now. Sessions, which live by leases, are no part of it.
    ///
    /// # Errors
    /// Those of the database; `InvalidState` while it is being restored.
    pub async fn take(database: &dyn Database, cluster: &str, taken_ms: u64) -> Result<Self> {
        let found = database.read("").await?;
        check_whole(&found, &database.location())?;
        let rows = found.entries.into_iter().filter(|e| e.lease.is_none());
        Ok(Self {
            cluster: cluster.to_owned(),
            taken_ms,
            revision: found.revision,
            location: database.location(),
            rows: rows
                .map(|Entry { key, value, .. }| Row { key, value })
                .collect(),
        })
    }

    /// Writes it to a file, durably; only this user reads it. Answers the file's size.
    ///
    /// # Errors
    /// `ObjectAlreadyExists` for a file that is there; those of the file system.
    pub fn write(&self, path: &Path) -> Result<u64> {
        if folder::is_there(path) {
            let text = format!("{} is there already", path.display());
            return Err(Error::new(ErrorKind::ObjectAlreadyExists, text)
                .hint("a backup never replaces another: give a new name"));
        }
        let bytes = self.encode()?;
        folder::write_secret(path, &bytes)?;
        Ok(bytes.len() as u64)
    }

    /// Reads a file that [`Backup::write`] has written; answers its size as well.
    ///
    /// # Errors
    /// `NotFound`; `StoreDamaged` for what is no backup, of another format, or damaged.
    pub fn read(path: &Path) -> Result<(Self, u64)> {
        let bytes = file::read_up_to(path, FILE_BYTES_MAX)?;
        let size = bytes.as_ref().map_or(0, |b| b.len() as u64);
        let decoded = bytes
            .as_deref()
            .map_or(Err("it is too large"), Self::decode);
        decoded.map(|backup| (backup, size)).map_err(|why| {
            let text = format!(
                "{} is no backup of a cluster database: {why}",
                path.display()
            );
            Error::new(ErrorKind::StoreDamaged, text).hint("nothing was changed; give another file")
        })
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        ciborium::into_writer(self, &mut body)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("encode a backup: {e}")))?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend((body.len() as u64).to_le_bytes());
        bytes.extend(body);
        let sum = digest(&bytes);
        bytes.extend(sum.0);
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> std::result::Result<Self, &'static str> {
        let (head, rest) = bytes
            .split_at_checked(HEAD_BYTES)
            .ok_or("it is too short")?;
        let (magic, length) = head.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(match magic.starts_with(&MAGIC[..7]) {
                true => "a later version wrote it",
                false => "it begins with something else",
            });
        }
        let length = length
            .iter()
            .rev()
            .fold(0_u64, |n, b| n << 8 | u64::from(*b));
        if rest.len() as u64 != length.saturating_add(DIGEST_BYTES as u64) {
            return Err("it is cut off");
        }
        let (content, sum) = bytes.split_at(bytes.len() - DIGEST_BYTES);
        if digest(content).0 != *sum {
            return Err("its checksum does not fit");
        }
        ciborium::from_reader(&content[HEAD_BYTES..]).map_err(|_| "its content is of another form")
    }
}

/// Refuses a database whose restore was interrupted.
///
/// # Errors
/// `InvalidState`.
pub fn check_whole(found: &Range, location: &str) -> Result<()> {
    match found.entries.iter().any(|e| e.key == RESTORING_KEY) {
        false => Ok(()),
        true => {
            let text = format!(
                "the cluster database {location} is being restored, or that was interrupted"
            );
            Err(Error::new(ErrorKind::InvalidState, text)
                .hint("Restore-Cluster with the same file completes it"))
        }
    }
}

/// What an interrupted restore has left to remember.
#[must_use]
pub fn interrupted(found: &Range) -> Option<&[u8]> {
    let row = found.entries.iter().find(|e| e.key == RESTORING_KEY)?;
    Some(&row.value)
}

/// Replaces everything in a database by `rows`. `absent` are keys that nobody may write meanwhile; `memory` is kept in the
/// database until it is done.
///
/// # Errors
/// `InvalidState` while a node holds a lease or writes; `StoreDamaged` when what came is not what was written.
pub async fn restore(
    database: &dyn Database,
    rows: &[Row],
    last_key: &str,
    absent: &[String],
    memory: Vec<u8>,
) -> Result<()> {
    let entries: Vec<Entry> = rows.iter().map(entry).collect();
    let Some(last) = entries.iter().find(|e| e.key == last_key) else {
        let text = "the backup holds no cluster";
        return Err(Error::new(ErrorKind::StoreDamaged, text).hint("give another file"));
    };
    let found = database.read("").await?;
    if found.entries.iter().any(|e| e.lease.is_some()) {
        return Err(busy(database));
    }
    begin(database, &found, last_key, absent, memory).await?;
    let found = database.read("").await?;
    let gone: Vec<_> = found
        .entries
        .iter()
        .filter(|e| e.key != RESTORING_KEY)
        .collect();
    for chunk in gone.chunks(CHUNK_ENTRIES) {
        let guards = chunk.iter().map(|e| guard(&e.key, e.version)).collect();
        let writes = chunk.iter().map(|e| delete(&e.key)).collect();
        commit(database, Transaction { guards, writes }).await?;
    }
    for chunk in chunks(entries.iter().filter(|e| e.key != last_key)) {
        let guards = chunk.iter().map(|e| guard(&e.key, 0)).collect();
        let writes = chunk.iter().map(|e| put(&e.key, e.value.clone())).collect();
        commit(database, Transaction { guards, writes }).await?;
    }
    finish(database, &entries, last).await
}

async fn begin(
    database: &dyn Database,
    found: &Range,
    last_key: &str,
    absent: &[String],
    memory: Vec<u8>,
) -> Result<()> {
    let version = |key: &str| {
        let entry = found.entries.iter().find(|e| e.key == key);
        entry.map_or(0, |e| e.version)
    };
    let mut guards: Vec<Guard> = absent.iter().map(|key| guard(key, 0)).collect();
    guards.extend([RESTORING_KEY, last_key].map(|key| guard(key, version(key))));
    let writes = vec![put(RESTORING_KEY, memory), delete(last_key)];
    commit(database, Transaction { guards, writes }).await
}

async fn finish(database: &dyn Database, entries: &[Entry], last: &Entry) -> Result<()> {
    let found = database.read("").await?;
    let came = found.entries.iter().filter(|e| e.key != RESTORING_KEY);
    let expected = entries.iter().filter(|e| e.key != last.key);
    if !came
        .map(|e| (&e.key, &e.value))
        .eq(expected.map(|e| (&e.key, &e.value)))
    {
        let text = format!(
            "what is in {} now differs from what was written",
            database.location()
        );
        return Err(Error::new(ErrorKind::StoreDamaged, text)
            .hint("does another cluster use this place? Restore-Cluster begins anew"));
    }
    let marker = found.entries.iter().find(|e| e.key == RESTORING_KEY);
    let marker = marker.map_or(0, |e| e.version);
    let guards = vec![guard(RESTORING_KEY, marker), guard(&last.key, 0)];
    let writes = vec![put(&last.key, last.value.clone()), delete(RESTORING_KEY)];
    commit(database, Transaction { guards, writes }).await
}

async fn commit(database: &dyn Database, transaction: Transaction) -> Result<()> {
    expect_done(database, database.commit(transaction).await?)
}

fn entry(row: &Row) -> Entry {
    Entry {
        key: row.key.clone(),
        value: row.value.clone(),
        version: 0,
        lease: None,
    }
}

fn busy(database: &dyn Database) -> Error {
    let text = format!("a node still works on {}", database.location());
    Error::new(ErrorKind::InvalidState, text)
        .hint("Stop-Cluster first; the session of a node that was killed ends with its lease")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::members::Members;
    use super::super::{Location, Write, open};
    use super::*;
    use crate::sys::clock::SystemClock;

    const LAST: &str = "/cluster";

    fn at(location: &str) -> Arc<dyn Database> {
        let location: Location = location.parse().unwrap();
        open(&location, Arc::new(SystemClock)).unwrap()
    }

    async fn write(database: &dyn Database, writes: Vec<Write>) {
        let guards = Vec::new();
        commit(database, Transaction { guards, writes })
            .await
            .unwrap();
    }

    async fn content(database: &dyn Database) -> Vec<(String, Vec<u8>)> {
        let found = database.read("").await.unwrap();
        found
            .entries
            .into_iter()
            .map(|e| (e.key, e.value))
            .collect()
    }

    async fn story(database: Arc<dyn Database>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup");
        for n in 0..200 {
            write(&*database, vec![put(&format!("/row/{n:03}"), vec![7; n])]).await;
        }
        write(&*database, vec![put(LAST, b"the cluster".to_vec())]).await;
        let lease = database.grant(Duration::from_secs(60)).await.unwrap();
        let session = Write::Put {
            key: "/session/n1".to_owned(),
            value: vec![],
            lease: Some(lease),
        };
        write(&*database, vec![session]).await;
        let backup = Backup::take(&*database, "lab", 5).await.unwrap();
        assert_eq!(backup.rows.len(), 201, "a session is no part of it");
        backup.write(&path).unwrap();
        let again = backup.write(&path).unwrap_err();
        assert_eq!(again.kind, ErrorKind::ObjectAlreadyExists);
        let (backup, _) = Backup::read(&path).unwrap();

        let absent = ["/session/n1".to_owned()];
        let rows = &backup.rows;
        let error = restore(&*database, rows, LAST, &absent, vec![])
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidState, "a node is there");
        database.revoke(lease).await.unwrap();
        write(&*database, vec![put("/late", vec![]), delete("/row/007")]).await;

        // Interrupted in the middle: nobody takes it for whole, and the next one completes it.
        let found = database.read("").await.unwrap();
        begin(&*database, &found, LAST, &absent, b"memory".to_vec())
            .await
            .unwrap();
        let half = database.read("").await.unwrap();
        assert_eq!(interrupted(&half), Some(&b"memory"[..]));
        assert_eq!(
            check_whole(&half, "here").unwrap_err().kind,
            ErrorKind::InvalidState
        );
        assert!(Backup::take(&*database, "lab", 5).await.is_err());
        restore(&*database, rows, LAST, &absent, vec![])
            .await
            .unwrap();
        let expected: Vec<_> = rows
            .iter()
            .map(|r| (r.key.clone(), r.value.clone()))
            .collect();
        assert_eq!(content(&*database).await, expected);
    }

    #[tokio::test]
    async fn what_was_backed_up_comes_back_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        story(at(folder.path().join("a.db").to_str().unwrap())).await;
    }

    #[tokio::test]
    #[ignore = "needs etcd: tests/run etcd"]
    async fn on_etcd_what_was_backed_up_comes_back_and_nothing_else_stays() {
        let members = Members::start(3);
        story(at(&members.location("hamq/backup"))).await;
    }

    #[test]
    fn a_file_that_is_cut_changed_or_later_is_refused() {
        let backup = Backup {
            cluster: "lab".to_owned(),
            rows: vec![Row {
                key: "/cluster".to_owned(),
                value: vec![1; 50],
            }],
            ..Backup::default()
        };
        let bytes = backup.encode().unwrap();
        assert_eq!(Backup::decode(&bytes), Ok(backup));
        for length in 0..bytes.len() {
            assert!(Backup::decode(&bytes[..length]).is_err(), "cut at {length}");
        }
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(Backup::decode(&changed).is_err(), "changed at {place}");
        }
        let mut later = bytes;
        later[7] = b'2';
        assert_eq!(Backup::decode(&later), Err("a later version wrote it"));
    }
}
