//! The tables, and every statement on them.
//!
//! A lease counts by CLOCK_BOOTTIME of one kernel: after a reboot (another boot id) it has expired.
//! An entry whose lease has expired does not exist, whether or not its row was removed already.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{Commit, Entry, Guard, LeaseId, Range, Transaction, Write};
use super::lock;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::Clock;

/// "HAMQ", in the header of the file.
const APPLICATION_ID: i32 = 0x4841_4D51;
const FORMAT_VERSION: i64 = 1;
/// Longest wait for the write lock.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(5);
/// Longest wait for SQLite's inner locks (recovery after a crash, checkpoint).
const INNER_WAIT_MAX: Duration = Duration::from_secs(2);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS leases (id INTEGER PRIMARY KEY AUTOINCREMENT,
        ttl_ns INTEGER NOT NULL, expires_boot_ns INTEGER NOT NULL, boot_id TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL,
        version INTEGER NOT NULL, lease INTEGER) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS entries_by_lease ON entries (lease) WHERE lease IS NOT NULL;
    INSERT OR IGNORE INTO meta VALUES ('revision', 0), ('format', 1);
";

/// True of an entry `e` that exists at the time ?2 of the boot ?1.
const LIVES: &str = "(e.lease IS NULL OR EXISTS (SELECT 1 FROM leases l
    WHERE l.id = e.lease AND l.boot_id = ?1 AND l.expires_boot_ns > ?2))";

/// How a transaction reaches the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// Synced before the answer.
    Synced,
    /// Ordered, but not synced: enough for leases, which do not outlive the boot.
    Ordered,
}

/// One connection to the file.
pub(super) struct Store {
    path: PathBuf,
    connection: Connection,
    clock: Arc<dyn Clock>,
    boot_id: String,
    /// Written after each change that others should see: their inotify hears it *after* the change is
    /// visible, which the write to the log itself does not promise.
    bell: std::fs::File,
    revision_written: u64,
}

/// The database's absolute path, if its folder is fit for it.
pub(super) fn locate(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path)
        .map_err(|e| Error::system(format_args!("locate {}", path.display()), &e))?;
    let folder = folder_of(&absolute);
    if !folder.is_dir() {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "the cluster database's folder {} does not exist",
                folder.display()
            ),
        )
        .hint("create it on a disk that every node reaches"));
    }
    let kind = rustix::fs::statfs(folder)
        .map_err(|e| Error::system(format_args!("look at {}", folder.display()), &e.into()))?
        .f_type;
    // NFS, SMB, CIFS, SMB2: no shared memory between machines, which the write-ahead log needs.
    if matches!(
        kind & 0xFFFF_FFFF,
        0x6969 | 0x517B | 0xFF53_4D42 | 0xFE53_4D42
    ) {
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            format!(
                "{} is a network file system, where the embedded cluster database is not safe",
                folder.display()
            ),
        )
        .hint("keep the quorum disk on a local file system"));
    }
    Ok(absolute)
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("/"))
}

impl Store {
    pub(super) fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let connection = Connection::open(path).map_err(|e| failed(path, &e))?;
        let mut bell = path.as_os_str().to_owned();
        bell.push("-bell");
        let bell = std::fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&bell)
            .map_err(|e| Error::system(format_args!("open {}", Path::new(&bell).display()), &e))?;
        let mut store = Self {
            path: path.to_owned(),
            connection,
            clock,
            boot_id: crate::sys::process::boot_id()?,
            bell,
            revision_written: 0,
        };
        store.prepare()?;
        Ok(store)
    }

    /// Makes the tables, or checks that they are ours.
    fn prepare(&mut self) -> Result<()> {
        self.sql(|c| c.busy_timeout(INNER_WAIT_MAX))?;
        self.retry(|c| c.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())))?;
        self.sql(|c| c.pragma_update(None, "synchronous", "FULL"))?;
        self.sql(|c| c.pragma_update(None, "wal_autocheckpoint", 256))?;
        let id: i32 = self.sql(|c| c.pragma_query_value(None, "application_id", |r| r.get(0)))?;
        if id == 0 {
            self.create()?;
        }
        let id: i32 = self.sql(|c| c.pragma_query_value(None, "application_id", |r| r.get(0)))?;
        if id != APPLICATION_ID {
            return Err(self.foreign("is the database of another program"));
        }
        let format: i64 = self.sql(|c| {
            c.query_row("SELECT value FROM meta WHERE name = 'format'", [], |r| {
                r.get(0)
            })
        })?;
        if format != FORMAT_VERSION {
            return Err(self.foreign(&format!("has format {format}, not {FORMAT_VERSION}")));
        }
        Ok(())
    }

    fn create(&mut self) -> Result<()> {
        self.begin()?;
        let tables: i64 = self.sql(|c| {
            c.query_row(
                "SELECT count(*) FROM sqlite_schema WHERE name NOT IN ('meta', 'leases', 'entries')
                 AND type = 'table' AND name NOT LIKE 'sqlite_%'",
                [],
                |r| r.get(0),
            )
        })?;
        if tables > 0 {
            self.roll_back();
            return Err(self.foreign("is the database of another program"));
        }
        let made = self
            .sql(|c| c.execute_batch(SCHEMA))
            .and_then(|()| self.sql(|c| c.pragma_update(None, "application_id", APPLICATION_ID)))
            .and_then(|()| self.end());
        made.inspect_err(|_| self.roll_back())
    }

    fn foreign(&self, why: &str) -> Error {
        Error::new(
            ErrorKind::StoreDamaged,
            format!("{} {why}", self.path.display()),
        )
        .hint("give another path for the cluster database")
    }

    pub(super) fn read(&mut self, prefix: &str) -> Result<Range> {
        // The time is taken before the snapshot: a renewal in between may not look like an expiry.
        let now = self.now();
        self.sql(|c| c.execute_batch("BEGIN"))?;
        let range = self.revision().and_then(|revision| {
            let entries = self.entries(prefix, now)?;
            Ok(Range { revision, entries })
        });
        self.roll_back();
        range
    }

    fn entries(&self, prefix: &str, now: i64) -> Result<Vec<Entry>> {
        let text = format!(
            "SELECT e.key, e.value, e.version, e.lease FROM entries e
             WHERE e.key >= ?3 AND {LIVES} ORDER BY e.key"
        );
        self.sql(|c| {
            let mut statement = c.prepare_cached(&text)?;
            let mut rows = statement.query(params![self.boot_id, now, prefix])?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                let key: String = row.get(0)?;
                if !key.starts_with(prefix) {
                    break;
                }
                entries.push(Entry {
                    key,
                    value: row.get(1)?,
                    version: unsigned(row.get(2)?),
                    lease: row
                        .get::<_, Option<i64>>(3)?
                        .map(|id| LeaseId(unsigned(id))),
                });
            }
            Ok(entries)
        })
    }

    pub(super) fn commit(&mut self, transaction: &Transaction) -> Result<Commit> {
        self.transact(Durability::Synced, |store, now| {
            if !store.allowed(transaction, now)? {
                return Ok(Outcome::Undo(Commit::Refused));
            }
            if transaction.writes.is_empty() {
                let revision = store.revision()?;
                return Ok(Outcome::Undo(Commit::Done { revision }));
            }
            store.purge(now)?;
            let revision = store.raise()?;
            for write in &transaction.writes {
                store.apply(write, revision)?;
            }
            Ok(Outcome::Keep(Commit::Done { revision }))
        })
    }

    fn allowed(&self, transaction: &Transaction, now: i64) -> Result<bool> {
        for guard in &transaction.guards {
            if !self.holds(guard, now)? {
                return Ok(false);
            }
        }
        for write in &transaction.writes {
            if let Write::Put {
                lease: Some(lease), ..
            } = write
                && !self.lease_lives(*lease, now)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds(&self, guard: &Guard, now: i64) -> Result<bool> {
        let text = format!("SELECT e.version FROM entries e WHERE e.key = ?3 AND {LIVES}");
        let version: Option<i64> = self.sql(|c| {
            c.prepare_cached(&text)?
                .query_row(params![self.boot_id, now, guard.key], |r| r.get(0))
                .optional()
        })?;
        Ok(version.map_or(0, unsigned) == guard.version)
    }

    fn lease_lives(&self, lease: LeaseId, now: i64) -> Result<bool> {
        self.sql(|c| {
            c.prepare_cached(
                "SELECT 1 FROM leases WHERE id = ?3 AND boot_id = ?1 AND expires_boot_ns > ?2",
            )?
            .exists(params![self.boot_id, now, signed(lease.0)])
        })
    }

    fn apply(&self, write: &Write, revision: u64) -> Result<()> {
        self.sql(|c| match write {
            Write::Put { key, value, lease } => c
                .prepare_cached(
                    "INSERT INTO entries (key, value, version, lease) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (key) DO UPDATE SET value = ?2, version = ?3, lease = ?4",
                )?
                .execute(params![
                    key,
                    value,
                    signed(revision),
                    lease.map(|l| signed(l.0))
                ]),
            Write::Delete { key } => c
                .prepare_cached("DELETE FROM entries WHERE key = ?1")?
                .execute(params![key]),
        })
        .map(|_| ())
    }

    pub(super) fn grant(&mut self, ttl: Duration) -> Result<LeaseId> {
        self.transact(Durability::Ordered, |store, now| {
            let ttl_ns = nanoseconds(ttl);
            store.sql(|c| {
                c.prepare_cached(
                    "INSERT INTO leases (ttl_ns, expires_boot_ns, boot_id) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![
                    ttl_ns,
                    now.saturating_add(ttl_ns),
                    store.boot_id
                ])
            })?;
            let id = LeaseId(unsigned(store.connection.last_insert_rowid()));
            Ok(Outcome::Keep(id))
        })
    }

    pub(super) fn renew(&mut self, lease: LeaseId) -> Result<bool> {
        self.transact(Durability::Ordered, |store, now| {
            let rows = store.sql(|c| {
                c.prepare_cached(
                    "UPDATE leases SET expires_boot_ns = ?2 + ttl_ns
                     WHERE id = ?3 AND boot_id = ?1 AND expires_boot_ns > ?2",
                )?
                .execute(params![store.boot_id, now, signed(lease.0)])
            })?;
            Ok(Outcome::Keep(rows == 1))
        })
    }

    pub(super) fn revoke(&mut self, lease: LeaseId) -> Result<()> {
        self.transact(Durability::Synced, |store, now| {
            store.sql(|c| c.execute("DELETE FROM leases WHERE id = ?1", [signed(lease.0)]))?;
            store.purge_and_raise(now).map(Outcome::Keep)
        })
    }

    /// Removes what has expired; the revision rises if that was anything.
    pub(super) fn clean_up(&mut self) -> Result<()> {
        self.transact(Durability::Synced, |store, now| {
            store.purge_and_raise(now).map(Outcome::Keep)
        })
    }

    fn purge_and_raise(&mut self, now: i64) -> Result<()> {
        if self.purge(now)? > 0 {
            self.raise()?;
        }
        Ok(())
    }

    /// Removes expired leases and their entries; tells how many entries.
    fn purge(&self, now: i64) -> Result<usize> {
        self.sql(|c| {
            c.prepare_cached("DELETE FROM leases WHERE boot_id <> ?1 OR expires_boot_ns <= ?2")?
                .execute(params![self.boot_id, now])?;
            c.prepare_cached(
                "DELETE FROM entries WHERE lease IS NOT NULL AND lease NOT IN (SELECT id FROM leases)",
            )?
            .execute([])
        })
    }

    /// The revision as it is now.
    pub(super) fn revision(&self) -> Result<u64> {
        self.sql(|c| {
            c.prepare_cached("SELECT value FROM meta WHERE name = 'revision'")?
                .query_row([], |r| r.get(0))
        })
        .map(unsigned)
    }

    /// The last revision that this connection wrote; 0 before the first.
    pub(super) const fn revision_written(&self) -> u64 {
        self.revision_written
    }

    fn raise(&mut self) -> Result<u64> {
        let revision = self.sql(|c| {
            c.prepare_cached(
                "UPDATE meta SET value = value + 1 WHERE name = 'revision' RETURNING value",
            )?
            .query_row([], |r| r.get(0))
        })?;
        self.revision_written = unsigned(revision);
        Ok(self.revision_written)
    }

    /// How long until the next lease expires, and whether entries of expired leases lie about.
    pub(super) fn expiry(&self) -> Result<(Option<Duration>, bool)> {
        let now = self.now();
        let next: Option<i64> = self.sql(|c| {
            c.prepare_cached(
                "SELECT min(expires_boot_ns) FROM leases WHERE boot_id = ?1 AND expires_boot_ns > ?2",
            )?
            .query_row(params![self.boot_id, now], |r| r.get(0))
        })?;
        let text = format!("SELECT 1 FROM entries e WHERE e.lease IS NOT NULL AND NOT {LIVES}");
        let remains = self.sql(|c| c.prepare_cached(&text)?.exists(params![self.boot_id, now]))?;
        let until = next.map(|at| Duration::from_nanos(unsigned(at.saturating_sub(now))));
        Ok((until, remains))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `act` alone among all processes, at the time that it is given, and keeps or undoes it.
    fn transact<T>(
        &mut self,
        durability: Durability,
        act: impl FnOnce(&mut Self, i64) -> Result<Outcome<T>>,
    ) -> Result<T> {
        self.sql(|c| {
            let value = if durability == Durability::Synced {
                "FULL"
            } else {
                "NORMAL"
            };
            c.pragma_update(None, "synchronous", value)
        })?;
        let revision_before = self.revision_written;
        self.begin()?;
        let now = self.now();
        let result = match act(self, now) {
            Ok(Outcome::Keep(value)) => self.end().map(|()| value),
            Ok(Outcome::Undo(value)) => {
                self.roll_back();
                Ok(value)
            }
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.roll_back();
            self.revision_written = revision_before;
        }
        if self.revision_written != revision_before {
            self.ring();
        }
        result
    }

    /// Takes the write lock, within bounds, also from a process that is frozen while it holds it.
    fn begin(&mut self) -> Result<()> {
        let started = Instant::now();
        self.sql(|c| c.busy_timeout(Duration::ZERO))?;
        let mut pause = Duration::from_micros(200);
        let mut breaker = lock::Breaker::new(&self.path);
        let result = loop {
            match self.connection.execute_batch("BEGIN IMMEDIATE") {
                Ok(()) => break Ok(()),
                Err(e) if !is_busy(&e) => break Err(failed(&self.path, &e)),
                Err(_) if started.elapsed() > LOCK_WAIT_MAX => break Err(self.locked()),
                Err(_) => {
                    breaker.waited(started.elapsed());
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(5));
                }
            }
        };
        self.sql(|c| c.busy_timeout(INNER_WAIT_MAX))?;
        result
    }

    fn locked(&self) -> Error {
        Error::new(
            ErrorKind::Timeout,
            format!(
                "the cluster database {} stayed locked by {} for {} s",
                self.path.display(),
                lock::holder_text(&self.path),
                LOCK_WAIT_MAX.as_secs()
            ),
        )
        .hint("end or resume the process that holds it")
    }

    fn end(&self) -> Result<()> {
        self.sql(|c| c.execute_batch("COMMIT"))
    }

    fn roll_back(&self) {
        // Nothing to undo is fine: a failed COMMIT may have ended the transaction.
        let _ = self.connection.execute_batch("ROLLBACK");
    }

    fn ring(&self) {
        // If it fails, the others find the change by their slow poll.
        let _ = self.bell.write_at(b"!", 0);
    }

    fn now(&self) -> i64 {
        nanoseconds(self.clock.boot())
    }

    fn sql<T>(&self, act: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        act(&self.connection).map_err(|e| failed(&self.path, &e))
    }

    /// For the one statement that does not wait for locks by itself.
    fn retry<T>(&self, act: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let started = Instant::now();
        loop {
            match act(&self.connection) {
                Err(e) if is_busy(&e) && started.elapsed() < LOCK_WAIT_MAX => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                other => return other.map_err(|e| failed(&self.path, &e)),
            }
        }
    }
}

enum Outcome<T> {
    Keep(T),
    Undo(T),
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

fn failed(path: &Path, error: &rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Code;
    let kind = match error.sqlite_error_code() {
        Some(Code::DiskFull) => ErrorKind::InsufficientResources,
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => ErrorKind::StoreDamaged,
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => ErrorKind::Timeout,
        Some(Code::PermissionDenied | Code::ReadOnly) => ErrorKind::AccessDenied,
        _ => ErrorKind::System,
    };
    Error::new(
        kind,
        format!("cluster database {}: {error}", path.display()),
    )
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
