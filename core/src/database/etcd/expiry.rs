//! Leases as calls: granted, renewed, ended when their time is over. `leases` says when that is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::super::{Entry, LeaseId};
use super::client::CALL_MAX;
use super::commit::{self, Outcome};
use super::keys::{Kind, META_LIVING, Renewal, parse_moved};
use super::message::{Compare, Operation, Txn};
use super::session::Session;
use crate::error::{Error, ErrorKind, Result};

/// Entries that are removed in one transaction.
const CHUNK: usize = 64;
/// The bits of a lease's number that tell the copies of its grant apart.
const COPIES: u64 = 0xFFFF;
/// Tries of what others keep outrunning.
const TRIES_MAX: usize = 50;

impl Session {
    pub(super) async fn grant(&self, ttl: Duration) -> Result<LeaseId> {
        self.settle().await?;
        self.prepare().await?;
        let random = uuid::Uuid::new_v4().as_u64_pair().1 >> 1;
        let renewal = Renewal::new(ttl);
        let copies = AtomicU64::new(0);
        let build = || {
            // Another row for each copy: one that hangs, and is executed when the lease is long over, may not
            // bring it back. Its own row is nobody's, and expires. The reply says whose it is to.
            let copy = copies.fetch_add(1, Ordering::SeqCst);
            let lease = self
                .keys
                .lease(LeaseId((random & !COPIES) | ((copy + 1) & COPIES)));
            Txn {
                compare: vec![Compare::Value(self.keys.meta(), META_LIVING.to_vec())],
                success: vec![
                    Operation::Put(lease.clone(), renewal.encode()),
                    Operation::Get(lease),
                ],
                failure: vec![Operation::Get(self.keys.meta())],
            }
        };
        let reply = self.txn(CALL_MAX, build).await?;
        if !reply.succeeded {
            let meta = reply.rows(0).first();
            return Err(self.moved(meta.and_then(|row| parse_moved(&row.value))));
        }
        let made = reply.rows(1).first().map(|row| self.keys.kind(&row.key));
        let Some(Kind::Lease(lease)) = made else {
            let text = "etcd's reply to a grant does not name the lease";
            return Err(Error::new(ErrorKind::Internal, text));
        };
        let revision = reply.header.revision;
        self.leases()
            .observe(lease, renewal, revision, self.clock.boot());
        self.wrote(revision);
        self.saw(revision, false);
        Ok(lease)
    }

    /// Gives up after half of the lease: a renewal is worth as much as the time at which it was sent.
    pub(super) async fn renew(&self, lease: LeaseId) -> Result<bool> {
        self.settle().await?;
        self.prepare().await?;
        if self.leases().ttl(lease).is_none() {
            self.look(Vec::new()).await?; // another handle's, perhaps
        }
        let Some(ttl) = self.leases().ttl(lease) else {
            return Ok(false);
        };
        let renewal = Renewal::new(ttl);
        let txn = Txn {
            compare: vec![
                Compare::Value(self.keys.meta(), META_LIVING.to_vec()),
                Compare::Exists(self.keys.lease(lease)),
            ],
            success: vec![Operation::Put(self.keys.lease(lease), renewal.encode())],
            failure: vec![Operation::Get(self.keys.meta())],
        };
        let reply = self.txn((ttl / 2).min(CALL_MAX), || txn.clone()).await?;
        let revision = reply.header.revision;
        if reply.succeeded {
            self.wrote(revision);
            self.leases()
                .observe(lease, renewal, revision, self.clock.boot());
        } else {
            let meta = reply.rows(0).first().map(|row| &row.value[..]);
            if let Some(Outcome::Moved(to)) = commit::living(meta) {
                return Err(self.moved(to));
            }
            self.leases().gone(lease, revision);
        }
        self.saw(revision, false);
        Ok(reply.succeeded)
    }

    pub(super) async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.settle().await?;
        self.end(lease, None).await
    }

    /// Ends the leases that are over: before every other operation, so that nothing is decided on entries
    /// that do not exist any more.
    pub(super) async fn settle(&self) -> Result<()> {
        let due = self.leases().due(self.clock.boot(), self.client.back());
        for (lease, renewal) in due {
            self.end(lease, Some(renewal)).await?;
        }
        Ok(())
    }

    fn is_due(&self, lease: LeaseId) -> bool {
        let due = self.leases().due(self.clock.boot(), self.client.back());
        due.iter().any(|(over, _)| *over == lease)
    }

    /// When the next lease will be over.
    pub(super) fn next_expiry(&self) -> Option<Duration> {
        let next = self.leases().next(self.client.back())?;
        Some(next.saturating_sub(self.clock.boot()))
    }

    /// Removes a lease with its entries, in transactions guarded by its revision; not if `only` was not its
    /// last renewal.
    async fn end(&self, lease: LeaseId, only: Option<Renewal>) -> Result<()> {
        for _ in 0..TRIES_MAX {
            let (from, to) = self.keys.entries("");
            let found = self.look(vec![Operation::Range(from, to)]).await?;
            // As it was when the entries were read: they are all that it has at this revision.
            let row = found
                .leases
                .iter()
                .find(|row| row.key == self.keys.lease(lease));
            let Some((revision, renewal)) = row.map(|r| (r.revision, Renewal::parse(&r.value)))
            else {
                self.saw(found.revision, true);
                return Ok(());
            };
            if only.is_some() && (only != renewal || !self.is_due(lease)) {
                // It was renewed after all, or looking has shown that the database was away: there is time to.
                return Ok(());
            }
            let entries = found
                .rows
                .iter()
                .filter_map(|row| self.keys.parse_entry(row));
            let mut its: Vec<Entry> = entries.filter(|e| e.lease == Some(lease)).collect();
            let last = its.len() <= CHUNK;
            its.truncate(CHUNK);
            let txn = self.removal(lease, revision, &its, last);
            let reply = self.txn(CALL_MAX, || txn.clone()).await?;
            if reply.succeeded && last {
                self.leases().gone(lease, reply.header.revision);
                self.wrote(reply.header.revision);
                self.saw(reply.header.revision, !its.is_empty());
                return Ok(());
            }
        }
        let text = "a lease could not be removed: others kept changing its entries";
        Err(Error::new(ErrorKind::Timeout, text).hint("try again"))
    }

    fn removal(&self, lease: LeaseId, revision: u64, its: &[Entry], last: bool) -> Txn {
        let mut txn = Txn {
            compare: vec![Compare::Revision(self.keys.lease(lease), revision)],
            ..Txn::default()
        };
        for entry in its {
            let key = self.keys.entry(&entry.key);
            txn.compare
                .push(Compare::Revision(key.clone(), entry.version));
            txn.success.push(Operation::Delete(key));
        }
        if last {
            txn.success.push(Operation::Delete(self.keys.lease(lease)));
        }
        txn
    }
}
