//! What the database does, in terms of calls that may be repeated.
//!
//! | operation | why it may be executed again |
//! | --- | --- |
//! | read | it changes nothing |
//! | commit | its marker (`commit`) |
//! | grant | each copy grants a lease of its own; an orphan expires |
//! | renew | a renewal more |
//! | expire, revoke | guarded by the lease's revision; what is gone is gone |
//!
//! A read is linearizable, and refused when its revision is lower than one that this handle has seen: a
//! member that answers from the past (etcd 3.4.20 to 3.4.41 after a pause) is passed over.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore, watch};

use super::super::location::EtcdLocation;
use super::super::{Commit, Range, Transaction};
use super::client::{CALL_MAX, Client, Verdict};
use super::commit::{self, Outcome, Slot};
use super::keys::{Keys, Kind, META_LIVING, Renewal, meta_moved, parse_moved};
use super::leases::Leases;
use super::message::{self, Compare, KeyValue, Operation, Txn, TxnReply, method};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::Clock;

/// Commits of one handle that are under way at once; more wait.
const SLOTS: usize = 8;
/// Tries of what others keep outrunning.
const TRIES_MAX: usize = 50;

/// The state of a handle, shared by its calls and its background tasks.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) keys: Keys,
    pub(super) clock: Arc<dyn Clock>,
    leases: Mutex<Leases>,
    changes: watch::Sender<u64>,
    /// The highest revision that a member has told us of.
    seen: AtomicU64,
    /// The highest revision at which this handle has written under the prefix.
    written: AtomicU64,
    handle: String,
    serial: AtomicU64,
    free: Mutex<Vec<Slot>>,
    permits: Semaphore,
    prepared: OnceCell<()>,
}

/// What was there at one revision.
pub(super) struct Look {
    pub(super) revision: u64,
    pub(super) rows: Vec<KeyValue>,
    pub(super) leases: Vec<KeyValue>,
}

impl Session {
    pub(super) fn new(location: EtcdLocation, clock: Arc<dyn Clock>) -> Result<Self> {
        let keys = Keys::new(&location.prefix);
        let handle = uuid::Uuid::new_v4().simple().to_string();
        let slots = (0..SLOTS).map(|slot| Slot {
            key: keys.marker(&handle, slot),
            known: 0,
            serial: 0,
            now_ms: 0,
        });
        Ok(Self {
            client: Client::new(location, Arc::clone(&clock))?,
            free: Mutex::new(slots.collect()),
            keys,
            clock,
            leases: Mutex::default(),
            changes: watch::Sender::new(0),
            seen: AtomicU64::new(0),
            written: AtomicU64::new(0),
            handle,
            serial: AtomicU64::new(0),
            permits: Semaphore::new(SLOTS),
            prepared: OnceCell::new(),
        })
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::SeqCst)
    }

    /// This handle has written under the prefix at `revision`.
    pub(super) fn wrote(&self, revision: u64) {
        self.written.fetch_max(revision, Ordering::SeqCst);
    }

    /// Everything up to `revision` is known; `news` says whether entries changed, which wakes the watchers.
    pub(super) fn saw(&self, revision: u64, news: bool) {
        self.seen.fetch_max(revision, Ordering::SeqCst);
        self.changes.send_if_modified(|known| {
            *known = revision.max(*known);
            news
        });
    }

    /// All entries under `prefix`, without those of leases that are over.
    pub(super) async fn read(&self, prefix: &str) -> Result<Range> {
        self.settle().await?;
        let (from, to) = self.keys.entries(prefix);
        let found = self.look(vec![Operation::Range(from, to)]).await?;
        let entries = found
            .rows
            .iter()
            .filter_map(|row| self.keys.parse_entry(row));
        Ok(Range {
            revision: found.revision,
            entries: entries.collect(),
        })
    }

    /// Reads `what`, and all leases with it, at one revision.
    pub(super) async fn look(&self, what: Vec<Operation>) -> Result<Look> {
        self.prepare().await?;
        let mut success = what;
        let (from, to) = self.keys.leases();
        success.extend([Operation::Range(from, to), Operation::Get(self.keys.meta())]);
        let steps = success.len();
        let txn = Txn {
            success,
            ..Txn::default()
        };
        let reply = self.txn(CALL_MAX, || txn.clone()).await?;
        let meta = reply.rows(steps - 1).first();
        if let Some(Outcome::Moved(to)) = commit::living(meta.map(|row| &row.value[..])) {
            return Err(self.moved(to));
        }
        self.learn(reply.header.revision, reply.rows(steps - 2));
        let mut read = reply.read;
        let _meta = read.pop();
        Ok(Look {
            revision: reply.header.revision,
            leases: read.pop().unwrap_or_default(),
            rows: read.pop().unwrap_or_default(),
        })
    }

    fn learn(&self, revision: u64, leases: &[KeyValue]) {
        let found = leases
            .iter()
            .filter_map(|row| match self.keys.kind(&row.key) {
                Kind::Lease(lease) => Some((lease, Renewal::parse(&row.value)?, row.revision)),
                Kind::Entry | Kind::Other => None,
            });
        self.leases().all(found, revision, self.clock.boot());
        self.saw(revision, false);
    }

    /// Reads all leases, and tells watchers that anything may have changed. Gives the revision.
    pub(super) async fn refresh(&self) -> Result<u64> {
        let found = self.look(Vec::new()).await?;
        self.saw(found.revision, true);
        Ok(found.revision)
    }

    /// A transaction; a reply from the past is not taken.
    pub(super) async fn txn(&self, within: Duration, build: impl Fn() -> Txn) -> Result<TxnReply> {
        let judge = |bytes| {
            let reply = match TxnReply::decode(bytes) {
                Ok(reply) => reply,
                Err(malformed) => return malformed.into(),
            };
            let (seen, got) = (self.seen.load(Ordering::SeqCst), reply.header.revision);
            if got < seen {
                return Verdict::Unfit(format!("it is behind: at revision {got}, not {seen}"));
            }
            Verdict::Fit(reply)
        };
        let encode = || build().encode();
        self.client.call(method::TXN, within, encode, judge).await
    }

    /// Makes the meta row, once, where nothing is yet.
    pub(super) async fn prepare(&self) -> Result<()> {
        let made = self.prepared.get_or_try_init(|| async {
            let txn = Txn {
                compare: vec![Compare::Version(self.keys.meta(), 0)],
                success: vec![Operation::Put(self.keys.meta(), META_LIVING.to_vec())],
                failure: Vec::new(),
            };
            self.txn(CALL_MAX, || txn.clone()).await.map(|_| ())
        });
        made.await.copied()
    }

    /// A guarded transaction.
    pub(super) async fn commit(&self, transaction: &Transaction) -> Result<Commit> {
        self.settle().await?;
        self.prepare().await?;
        let permit = self.permits.acquire().await;
        let _permit = permit.map_err(|_| Error::new(ErrorKind::Internal, "no slots any more"))?;
        let mut slot = self.take_slot();
        let outcome = self.commit_in(transaction, &mut slot).await;
        match &outcome {
            // Copies may hang somewhere: the slot's marker is not known any more.
            Err(_) => slot = self.fresh_slot(&slot),
            Ok(Commit::Done { revision }) if !transaction.writes.is_empty() => {
                self.wrote(*revision);
                self.saw(*revision, true);
            }
            Ok(_) => {}
        }
        self.free().push(slot);
        outcome
    }

    async fn commit_in(&self, transaction: &Transaction, slot: &mut Slot) -> Result<Commit> {
        slot.serial = self.serial.fetch_add(1, Ordering::SeqCst) + 1;
        slot.now_ms = self.clock.wall_ms();
        for _ in 0..TRIES_MAX {
            let copies = AtomicU32::new(0);
            let request = commit::request(transaction, &self.keys, slot);
            let build = || {
                copies.fetch_add(1, Ordering::SeqCst);
                request.clone()
            };
            let reply = self
                .txn(CALL_MAX, build)
                .await
                .map_err(|e| may_be_done(e, &copies))?;
            match commit::outcome(transaction, &reply, slot, copies.into_inner()) {
                Outcome::Settled(commit) => return Ok(commit),
                Outcome::Again => {}
                Outcome::Unknown => return Err(unknown("its marker was swept away")),
                Outcome::Moved(to) => return Err(self.moved(to)),
            }
        }
        Err(unknown("its marker keeps changing: two handles share it"))
    }

    fn free(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_slot(&self) -> Slot {
        let slot = self.free().pop();
        // There are as many slots as permits, except while a commit is dropped halfway.
        slot.unwrap_or_else(|| self.new_slot())
    }

    fn fresh_slot(&self, former: &Slot) -> Slot {
        Slot {
            serial: former.serial,
            ..self.new_slot()
        }
    }

    /// A slot whose marker was never written.
    fn new_slot(&self) -> Slot {
        let number = self.serial.fetch_add(1, Ordering::SeqCst) + 1;
        let number = SLOTS + usize::try_from(number).unwrap_or(0);
        Slot {
            key: self.keys.marker(&self.handle, number),
            known: 0,
            serial: 0,
            now_ms: 0,
        }
    }

    /// Marks everything as moved, if no entry was written after `revision`, and no marker: each commit writes
    /// one, also if it only deletes.
    pub(super) async fn retire(&self, revision: u64, successor: &str) -> Result<Commit> {
        self.settle().await?;
        self.prepare().await?;
        let (entries, to) = self.keys.entries("");
        let (markers, markers_to) = self.keys.markers();
        let txn = Txn {
            compare: vec![
                Compare::Value(self.keys.meta(), META_LIVING.to_vec()),
                Compare::NotAfter(entries, to, revision),
                Compare::NotAfter(markers, markers_to, revision),
            ],
            success: vec![Operation::Put(self.keys.meta(), meta_moved(successor))],
            failure: vec![Operation::Get(self.keys.meta())],
        };
        let reply = self.txn(CALL_MAX, || txn.clone()).await?;
        let meta = reply.rows(0).first();
        let moved = meta.and_then(|row| parse_moved(&row.value));
        if reply.succeeded || moved.is_some_and(|to| to == successor) {
            let revision = reply.header.revision;
            return Ok(Commit::Done { revision });
        }
        Ok(Commit::Refused)
    }

    /// Where everything has moved, if it has.
    pub(super) async fn retired(&self) -> Result<Option<String>> {
        let txn = Txn {
            success: vec![Operation::Get(self.keys.meta())],
            ..Txn::default()
        };
        let reply = self.txn(CALL_MAX, || txn.clone()).await?;
        let meta = reply.rows(0).first();
        Ok(meta.and_then(|row| parse_moved(&row.value)))
    }

    /// Removes everything under the prefix.
    pub(super) async fn destroy(&self) -> Result<()> {
        let (from, to) = self.keys.all();
        let request = message::delete_range(&from, &to);
        let call = self.client.call(
            method::DELETE_RANGE,
            CALL_MAX,
            || request.clone(),
            |_| Verdict::Fit(()),
        );
        call.await
    }

    pub(super) fn moved(&self, to: Option<String>) -> Error {
        super::super::moved(
            &super::super::Location::Etcd(self.client.location.clone()),
            to,
        )
    }
}

/// An error after which copies of a commit may still be executed says so.
fn may_be_done(error: Error, copies: &AtomicU32) -> Error {
    if error.kind != ErrorKind::Timeout && copies.load(Ordering::SeqCst) <= 1 {
        return error; // the one member that was asked refused it
    }
    Error {
        message: format!(
            "it is not known whether this was written: {}",
            error.message
        ),
        ..error
    }
}

fn unknown(why: &str) -> Error {
    let text = format!("it is not known whether this was written: {why}");
    Error::new(ErrorKind::Timeout, text).hint("look at what is there, then decide again")
}
