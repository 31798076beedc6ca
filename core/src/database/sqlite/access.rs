//! The file and its locks: opening it, taking the write lock, ending a transaction.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::lock;
use crate::error::{Error, ErrorKind, Result};

/// "HAMQ", in the header of the file.
const APPLICATION_ID: i32 = 0x4841_4D51;
const FORMAT_VERSION: i64 = 1;
/// The log is copied into the file when it has this many pages.
const CHECKPOINT_PAGES: i64 = 256;
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

/// How a transaction reaches the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// Synced before the answer.
    Synced,
    /// Ordered, but not synced: enough for leases, which do not outlive the boot.
    Ordered,
}

/// One connection to the file.
pub(super) struct Access {
    path: PathBuf,
    connection: Connection,
    /// Written after each change that others should see: their inotify hears it *after* the change is
    /// visible, which the write to the log itself does not promise.
    bell: std::fs::File,
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

impl Access {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let connection = Connection::open(path).map_err(|e| failed(path, &e))?;
        let mut bell = path.as_os_str().to_owned();
        bell.push("-bell");
        let bell = std::fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&bell)
            .map_err(|e| Error::system(format_args!("open {}", Path::new(&bell).display()), &e))?;
        let mut access = Self {
            path: path.to_owned(),
            connection,
            bell,
        };
        access.prepare()?;
        Ok(access)
    }

    /// Makes the tables, or checks that they are ours; a foreign file is left as it is.
    fn prepare(&mut self) -> Result<()> {
        self.sql(|c| c.busy_timeout(INNER_WAIT_MAX))?;
        let id = self.application_id()?;
        if id != APPLICATION_ID && (id != 0 || self.has_foreign_tables()?) {
            return Err(self.foreign("is the database of another program"));
        }
        self.retry(|c| c.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())))?;
        self.sql(|c| c.pragma_update(None, "synchronous", "FULL"))?;
        self.sql(|c| c.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES))?;
        if id == 0 {
            self.create()?;
        }
        let query = "SELECT value FROM meta WHERE name = 'format'";
        let format: i64 = self.sql(|c| c.query_row(query, [], |row| row.get(0)))?;
        if format != FORMAT_VERSION {
            return Err(self.foreign(&format!("has format {format}, not {FORMAT_VERSION}")));
        }
        Ok(())
    }

    fn application_id(&self) -> Result<i32> {
        self.retry(|c| c.pragma_query_value(None, "application_id", |row| row.get(0)))
    }

    fn has_foreign_tables(&self) -> Result<bool> {
        let query = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'
             AND name NOT IN ('meta', 'leases', 'entries') AND name NOT LIKE 'sqlite_%'";
        let tables: i64 = self.retry(|c| c.query_row(query, [], |row| row.get(0)))?;
        Ok(tables > 0)
    }

    /// Harmless when another process was first.
    fn create(&mut self) -> Result<()> {
        self.begin()?;
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

    /// Takes the write lock, within bounds, also from a process that is frozen while it holds it.
    pub(super) fn begin(&mut self) -> Result<()> {
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

    pub(super) fn end(&self) -> Result<()> {
        self.sql(|c| c.execute_batch("COMMIT"))
    }

    pub(super) fn roll_back(&self) {
        // Nothing to undo is fine: a failed COMMIT may have ended the transaction.
        let _ = self.connection.execute_batch("ROLLBACK");
    }

    pub(super) fn ring(&self) {
        // If it fails, the others find the change by their slow poll.
        let _ = self.bell.write_at(b"!", 0);
    }

    pub(super) fn sql<T>(&self, act: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        act(&self.connection).map_err(|e| failed(&self.path, &e))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The row that the last insertion made.
    pub(super) fn last_row(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// How the transactions that follow reach the disk.
    pub(super) fn set_durability(&self, durability: Durability) -> Result<()> {
        let value = match durability {
            Durability::Synced => "FULL",
            Durability::Ordered => "NORMAL",
        };
        self.sql(|c| c.pragma_update(None, "synchronous", value))
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
