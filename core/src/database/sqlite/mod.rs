//! The cluster database in one SQLite file: the quorum disk of one machine.
//!
//! ```text
//!  handle ── bounded channel ──> writer thread ──> store (BEGIN IMMEDIATE … COMMIT, synchronous) ─> file
//!         ── bounded channel ──> reader thread ──> store (a snapshot; never waits for a writer)   ─> file
//!         <──── watch ────────── watcher thread <─ inotify on the folder, next lease expiry, slow poll
//! ```
//!
//! Several processes open the file at once. All locks are the kernel's, so a process that dies leaves
//! none behind; write-ahead logging keeps the file consistent whenever it dies. One that is *frozen*
//! while it holds the write lock is the exception: see `lock`.
//!
//! A call that was dropped while it waited may still be executed, as with any database over a wire.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::{Answer, Commit, Database, LeaseId, Location, Range, Transaction, check_bounds};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::Clock;

mod access;
mod lock;
mod store;
mod watcher;

use store::Store;

/// Calls that wait for one of the threads; more wait in their callers.
const JOBS_MAX: usize = 64;

type Job = Box<dyn FnOnce(&mut Store) + Send>;

/// A handle on the database file; a process needs one.
pub struct SqliteDatabase {
    path: PathBuf,
    writer: mpsc::Sender<Job>,
    reader: mpsc::Sender<Job>,
    changes: Arc<watch::Sender<u64>>,
    /// Closing it ends the watcher.
    _stop: std::os::unix::net::UnixStream,
}

impl SqliteDatabase {
    /// Opens the database at `path`, or creates it; its folder must exist on a local file system.
    ///
    /// # Errors
    /// `NotFound` without the folder, `StoreDamaged` when the file is something else, and what the
    /// system says.
    pub fn open(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self> {
        let path = access::locate(path.as_ref())?;
        let writing = Store::open(&path, Arc::clone(&clock))?;
        let reading = Store::open(&path, Arc::clone(&clock))?;
        let watching = Store::open(&path, clock)?;
        let changes = Arc::new(watch::Sender::new(writing.revision()?));
        let writer = start_thread("hamq-database-w", writing)?;
        let reader = start_thread("hamq-database-r", reading)?;
        let (stop, stopped) = std::os::unix::net::UnixStream::pair()
            .map_err(|e| Error::system("make the database watcher's pipe", &e))?;
        watcher::start(watching, stopped, Arc::clone(&changes), writer.downgrade())?;
        Ok(Self {
            path,
            writer,
            reader,
            changes,
            _stop: stop,
        })
    }

    /// Lets `act` run on one of the threads.
    fn ask<T: Send + 'static>(
        thread: &mpsc::Sender<Job>,
        act: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let thread = thread.clone();
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let job: Job = Box::new(move |store| {
                // Nobody waits any more: the outcome stands all the same.
                let _ = reply.send(act(store));
            });
            thread.send(job).await.map_err(|_| ended())?;
            answer.await.map_err(|_| ended())?
        })
    }

    /// As `ask` on the writer; own watchers hear of the change without the way over the file.
    fn change<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let changes = Arc::clone(&self.changes);
        Self::ask(&self.writer, move |store| {
            let result = act(store);
            watcher::announce(&changes, store.revision_written());
            result
        })
    }
}

fn ended() -> Error {
    Error::new(
        ErrorKind::Internal,
        "the thread of the cluster database has ended",
    )
}

/// A thread that owns `store` and runs jobs on it until the handle is gone.
fn start_thread(name: &str, mut store: Store) -> Result<mpsc::Sender<Job>> {
    let (sender, mut jobs) = mpsc::channel::<Job>(JOBS_MAX);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            while let Some(job) = jobs.blocking_recv() {
                job(&mut store);
            }
        })
        .map_err(|e| Error::system("start the thread of the cluster database", &e))?;
    Ok(sender)
}

impl Database for SqliteDatabase {
    fn read(&self, prefix: &str) -> Answer<Range> {
        let prefix = prefix.to_owned();
        Self::ask(&self.reader, move |store| store.read(&prefix))
    }

    fn commit(&self, transaction: Transaction) -> Answer<Commit> {
        if let Err(error) = check_bounds(&transaction) {
            return Box::pin(std::future::ready(Err(error)));
        }
        self.change(move |store| store.commit(&transaction))
    }

    fn grant(&self, ttl: Duration) -> Answer<LeaseId> {
        self.change(move |store| store.grant(ttl))
    }

    fn renew(&self, lease: LeaseId) -> Answer<bool> {
        self.change(move |store| store.renew(lease))
    }

    fn revoke(&self, lease: LeaseId) -> Answer<()> {
        self.change(move |store| store.revoke(lease))
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn location(&self) -> String {
        Location::Sqlite(self.path.clone()).to_string()
    }

    fn retire(&self, revision: u64, successor: &str) -> Answer<Commit> {
        let successor = successor.to_owned();
        self.change(move |store| store.retire(revision, &successor))
    }

    fn retired(&self) -> Answer<Option<String>> {
        Self::ask(&self.writer, |store| store.moved_to())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::SystemClock;

    fn refused(path: &Path) -> Error {
        match SqliteDatabase::open(path, Arc::new(SystemClock)) {
            Ok(_) => panic!("{} was opened", path.display()),
            Err(error) => error,
        }
    }

    #[test]
    fn what_is_no_cluster_database_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("notes.txt");
        std::fs::write(
            &text,
            "not a database, but long enough to be taken for one".repeat(20),
        )
        .unwrap();
        assert_eq!(refused(&text).kind, ErrorKind::StoreDamaged);

        let foreign = folder.path().join("shop.db");
        let shop = rusqlite::Connection::open(&foreign).unwrap();
        shop.execute_batch("CREATE TABLE orders (id)").unwrap();
        let error = refused(&foreign);
        assert!(error.message.contains("another program"), "{error}");
        let tables: i64 = shop
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .unwrap();
        assert_eq!(tables, 1);
        let mode: String = shop
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "delete", "the mode of a foreign database was changed");

        let missing = folder.path().join("no/cluster.db");
        let error = refused(&missing);
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(!missing.parent().unwrap().exists());
    }

    #[tokio::test]
    async fn what_was_committed_is_there_after_all_handles_have_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster.db");
        let write = super::super::Write::Put {
            key: "k".to_owned(),
            value: vec![0, 1, 255],
            lease: None,
        };
        let transaction = Transaction {
            guards: Vec::new(),
            writes: vec![write],
        };
        let first = SqliteDatabase::open(&path, Arc::new(SystemClock)).unwrap();
        first.commit(transaction).await.unwrap();
        drop(first);
        let second = SqliteDatabase::open(&path, Arc::new(SystemClock)).unwrap();
        let range = second.read("").await.unwrap();
        assert_eq!(
            (range.revision, &*range.entries[0].value),
            (1, &[0, 1, 255][..])
        );
        assert_eq!(second.location(), format!("sqlite://{}", path.display()));
    }
}
