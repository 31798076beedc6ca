//! What a handle does beside its calls: it ends leases that are over, and keeps etcd from growing.
//!
//! etcd keeps every former value until it is told to forget, and renewals are writes. One handle of all, the
//! one that moves the `compacted` row first, tells it every five minutes to forget what is older than the
//! last five; and it sweeps away markers of handles that are gone. Other users of the same etcd see no more
//! than they would with its own `--auto-compaction-retention`; `compaction=no` leaves it to that.

use std::sync::Arc;
use std::time::Duration;

use super::client::{CALL_MAX, Verdict};
use super::commit::marked_ms;
use super::message::{self, Compare, Operation, Txn, TxnReply, method};
use super::session::Session;
use crate::error::Result;

/// Longest pause between two looks at the leases.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How often etcd is told to forget.
const COMPACT_INTERVAL: Duration = Duration::from_secs(300);
/// A marker that was not written for so long belongs to a handle that is gone, or has forgotten it.
const MARKER_MS_MAX: u64 = 24 * 3600 * 1000;
/// Markers removed in one go.
const MARKERS_MAX: usize = 64;

/// Ends leases when they are over, also when nobody calls.
pub(super) async fn end_leases(session: Arc<Session>) {
    loop {
        let pause = session.next_expiry().unwrap_or(LOOK_INTERVAL);
        // A moment later than the expiry itself: at that very instant it may not be over yet.
        tokio::time::sleep(pause.min(LOOK_INTERVAL) + Duration::from_micros(200)).await;
        if let Err(error) = session.settle().await {
            tracing::debug!(%error, "leases that are over could not be ended yet");
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

/// Compacts and sweeps for as long as the handle lives.
pub(super) async fn compact(session: Arc<Session>) {
    let mut known = None;
    loop {
        match turn(&session, known).await {
            Ok(next) => known = Some(next),
            Err(error) => tracing::warn!(%error, "etcd was not compacted"),
        }
        tokio::time::sleep(COMPACT_INTERVAL).await;
    }
}

/// Who compacted last, and the revision at that time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    version: u64,
    revision: u64,
}

/// One turn: whoever writes the row first compacts to the revision of the turn before.
pub(super) async fn turn(session: &Session, known: Option<Turn>) -> Result<Turn> {
    let key = session.keys.compacted();
    let Some(known) = known else {
        return look(session).await;
    };
    let txn = Txn {
        compare: vec![Compare::Version(key.clone(), known.version)],
        success: vec![Operation::Put(key, known.revision.to_string().into_bytes())],
        failure: Vec::new(),
    };
    let reply = call(session, &txn).await?;
    if !reply.succeeded {
        return look(session).await;
    }
    let request = message::compact(known.revision);
    let compacted = session.client.call(
        method::COMPACT,
        CALL_MAX,
        || request.clone(),
        |_| Verdict::Fit(()),
    );
    if let Err(error) = compacted.await {
        // Another user of this etcd may have compacted further.
        tracing::debug!(%error, revision = known.revision, "etcd did not compact");
    }
    sweep(session).await?;
    Ok(Turn {
        version: known.version + 1,
        revision: reply.header.revision,
    })
}

async fn look(session: &Session) -> Result<Turn> {
    let txn = Txn {
        success: vec![Operation::Get(session.keys.compacted())],
        ..Txn::default()
    };
    let reply = call(session, &txn).await?;
    Ok(Turn {
        version: reply.rows(0).first().map_or(0, |row| row.version),
        revision: reply.header.revision,
    })
}

/// Removes markers of long ago. The wall clock decides about nothing but rubbish.
async fn sweep(session: &Session) -> Result<()> {
    let (from, to) = session.keys.markers();
    let txn = Txn {
        success: vec![Operation::Range(from, to)],
        ..Txn::default()
    };
    let reply = call(session, &txn).await?;
    let old_before = session.clock.wall_ms().saturating_sub(MARKER_MS_MAX);
    let rows = reply.rows(0).iter();
    let old = rows.filter(|row| marked_ms(&row.value).is_none_or(|at| at < old_before));
    for row in old.take(MARKERS_MAX) {
        let txn = Txn {
            compare: vec![Compare::Revision(row.key.to_vec(), row.revision)],
            success: vec![Operation::Delete(row.key.to_vec())],
            failure: Vec::new(),
        };
        call(session, &txn).await?;
    }
    Ok(())
}

async fn call(session: &Session, txn: &Txn) -> Result<TxnReply> {
    let judge = |bytes| TxnReply::decode(bytes).map_or_else(Into::into, Verdict::Fit);
    let request = txn.encode();
    session
        .client
        .call(method::TXN, CALL_MAX, || request.clone(), judge)
        .await
}
