//! The tables, and every statement on them.
//!
//! A lease counts by CLOCK_BOOTTIME of one kernel: after a reboot (another boot id) it has expired.
//! An entry whose lease has expired does not exist, whether or not its row was removed already.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::super::{Commit, Entry, Guard, LeaseId, Location, Range, Transaction, Write};
use super::access::{Access, Durability};
use crate::error::Result;
use crate::sys::clock::Clock;

/// True of an entry `e` that exists at the time ?2 of the boot ?1.
const LIVES: &str = "(e.lease IS NULL OR EXISTS (SELECT 1 FROM leases l
    WHERE l.id = e.lease AND l.boot_id = ?1 AND l.expires_boot_ns > ?2))";

/// The tables as one connection sees them.
pub(super) struct Store {
    access: Access,
    clock: Arc<dyn Clock>,
    boot_id: String,
    revision_written: u64,
}

impl Store {
    pub(super) fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        Ok(Self {
            access: Access::open(path)?,
            clock,
            boot_id: crate::sys::process::boot_id()?,
            revision_written: 0,
        })
    }

    pub(super) fn read(&mut self, prefix: &str) -> Result<Range> {
        // The time is taken before the snapshot: a renewal in between may not look like an expiry.
        let now = self.now();
        self.access.sql(|c| c.execute_batch("BEGIN"))?;
        let range = self.check_living().and_then(|()| {
            let revision = self.revision()?;
            let entries = self.entries(prefix, now)?;
            Ok(Range { revision, entries })
        });
        self.access.roll_back();
        range
    }

    fn entries(&self, prefix: &str, now: i64) -> Result<Vec<Entry>> {
        let text = format!(
            "SELECT e.key, e.value, e.version, e.lease FROM entries e
             WHERE e.key >= ?3 AND {LIVES} ORDER BY e.key"
        );
        self.access.sql(|c| {
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
        let version: Option<i64> = self.access.sql(|c| {
            c.prepare_cached(&text)?
                .query_row(params![self.boot_id, now, guard.key], |r| r.get(0))
                .optional()
        })?;
        Ok(version.map_or(0, unsigned) == guard.version)
    }

    fn lease_lives(&self, lease: LeaseId, now: i64) -> Result<bool> {
        self.access.sql(|c| {
            c.prepare_cached(
                "SELECT 1 FROM leases WHERE id = ?3 AND boot_id = ?1 AND expires_boot_ns > ?2",
            )?
            .exists(params![self.boot_id, now, signed(lease.0)])
        })
    }

    fn apply(&self, write: &Write, revision: u64) -> Result<()> {
        self.access
            .sql(|c| match write {
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
            store.access.sql(|c| {
                c.prepare_cached(
                    "INSERT INTO leases (ttl_ns, expires_boot_ns, boot_id) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![
                    ttl_ns,
                    now.saturating_add(ttl_ns),
                    store.boot_id
                ])
            })?;
            let id = LeaseId(unsigned(store.access.last_row()));
            Ok(Outcome::Keep(id))
        })
    }

    pub(super) fn renew(&mut self, lease: LeaseId) -> Result<bool> {
        self.transact(Durability::Ordered, |store, now| {
            let rows = store.access.sql(|c| {
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
            store
                .access
                .sql(|c| c.execute("DELETE FROM leases WHERE id = ?1", [signed(lease.0)]))?;
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
        self.access.sql(|c| {
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
        self.access
            .sql(|c| {
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
        let revision = self.access.sql(|c| {
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
        let next: Option<i64> = self.access.sql(|c| {
            c.prepare_cached(
                "SELECT min(expires_boot_ns) FROM leases WHERE boot_id = ?1 AND expires_boot_ns > ?2",
            )?
            .query_row(params![self.boot_id, now], |r| r.get(0))
        })?;
        let text = format!("SELECT 1 FROM entries e WHERE e.lease IS NOT NULL AND NOT {LIVES}");
        let remains = self
            .access
            .sql(|c| c.prepare_cached(&text)?.exists(params![self.boot_id, now]))?;
        let until = next.map(|at| Duration::from_nanos(unsigned(at.saturating_sub(now))));
        Ok((until, remains))
    }

    pub(super) fn path(&self) -> &Path {
        self.access.path()
    }

    /// Marks the file as moved, if nothing was written after `revision`.
    pub(super) fn retire(&mut self, revision: u64, successor: &str) -> Result<Commit> {
        self.transact_always(Durability::Synced, |store, now| {
            store.purge(now)?;
            if let Some(to) = store.moved_to()? {
                return Ok(Outcome::Undo(match to == successor {
                    true => Commit::Done { revision },
                    false => Commit::Refused,
                }));
            }
            if store.revision()? != revision {
                return Ok(Outcome::Undo(Commit::Refused));
            }
            store
                .access
                .sql(|c| c.execute("INSERT INTO meta VALUES ('moved to', ?1)", [successor]))?;
            let revision = store.raise()?;
            Ok(Outcome::Keep(Commit::Done { revision }))
        })
    }

    /// Where everything has moved, if it has.
    pub(super) fn moved_to(&self) -> Result<Option<String>> {
        self.access.sql(|c| {
            c.prepare_cached("SELECT value FROM meta WHERE name = 'moved to'")?
                .query_row([], |row| row.get(0))
                .optional()
        })
    }

    fn check_living(&self) -> Result<()> {
        match self.moved_to()? {
            None => Ok(()),
            to => {
                let from = Location::Sqlite(self.path().to_owned());
                Err(super::super::moved(&from, to))
            }
        }
    }

    /// Runs `act` alone among all processes, at the time that it is given, and keeps or undoes it; not in a
    /// file that has moved.
    fn transact<T>(
        &mut self,
        durability: Durability,
        act: impl FnOnce(&mut Self, i64) -> Result<Outcome<T>>,
    ) -> Result<T> {
        self.transact_always(durability, |store, now| {
            store.check_living()?;
            act(store, now)
        })
    }

    fn transact_always<T>(
        &mut self,
        durability: Durability,
        act: impl FnOnce(&mut Self, i64) -> Result<Outcome<T>>,
    ) -> Result<T> {
        self.access.set_durability(durability)?;
        let revision_before = self.revision_written;
        self.access.begin()?;
        let now = self.now();
        let result = match act(self, now) {
            Ok(Outcome::Keep(value)) => self.access.end().map(|()| value),
            Ok(Outcome::Undo(value)) => {
                self.access.roll_back();
                Ok(value)
            }
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.access.roll_back();
            self.revision_written = revision_before;
        }
        if self.revision_written != revision_before {
            self.access.ring();
        }
        result
    }

    fn now(&self) -> i64 {
        nanoseconds(self.clock.boot())
    }
}

enum Outcome<T> {
    Keep(T),
    Undo(T),
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
