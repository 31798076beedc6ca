//! A transaction that happens once, and whose outcome is told truthfully, also when replies are lost. Pure.
//!
//! Each commit writes, beside its own keys, a *marker*: a key that only this slot of this handle writes,
//! guarded by the revision that the slot last gave it. So of all copies of one commit that may be on their
//! way - to a member that hangs, through a broken connection - at most one is ever executed, and the
//! marker tells which.
//!
//! ```text
//!             all guards hold, marker as known            something else
//!  copy ──┬─> writes, marker := done(serial) ──> Done     │
//!         └─> reads the marker <──────────────────────────┘
//!               done(serial)      another copy was executed           ──> Done, at the marker's revision
//!               refused(serial)   another copy was refused            ──> Refused
//!               as known          a guard does not hold               ──> Refused
//!               gone, only copy   swept away after a day of rest      ──> again, with what is there now
//!               gone, several     cannot be told                      ──> an error that says so
//! ```
//!
//! A copy that is refused and finds the marker as known writes `refused(serial)` in the same step: no other copy, which
//! another member was given beside it or which still hangs somewhere, can be executed after that. A copy of a commit whose
//! outcome was told long ago finds something else, and writes nothing: what it overwrote could no longer be told.

use std::collections::BTreeSet;

use super::super::{Commit, LeaseId, Transaction, Write};
use super::keys::{Keys, META_LIVING, entry_value, parse_moved};
use super::message::{Compare, Operation, Txn, TxnReply};

const DONE: u8 = 1;
const REFUSED: u8 = 2;

/// Where the outcomes of this handle's commits are marked, one at a time.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) key: Vec<u8>,
    /// The marker's revision as far as this slot knows; 0: it does not exist.
    pub(super) known: u64,
    pub(super) serial: u64,
    /// Unix milliseconds, so that what is old can be swept away.
    pub(super) now_ms: u64,
}

/// What one reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Settled(Commit),
    /// Nothing was executed; the marker is now known.
    Again,
    /// The marker of a copy that may have been executed is gone.
    Unknown,
    /// Everything has moved to there; or the meta row is gone.
    Moved(Option<String>),
}

impl Slot {
    fn marker(&self, kind: u8) -> Vec<u8> {
        let (serial, now) = (self.serial.to_be_bytes(), self.now_ms.to_be_bytes());
        [&[kind], serial.as_slice(), now.as_slice()].concat()
    }
}

/// When a marker was written, in Unix milliseconds.
pub(super) fn marked_ms(value: &[u8]) -> Option<u64> {
    let (_, rest) = value.split_first_chunk::<9>()?;
    rest.try_into().ok().map(u64::from_be_bytes)
}

/// The request, the same for each copy.
pub(super) fn request(transaction: &Transaction, keys: &Keys, slot: &Slot) -> Txn {
    let mut txn = Txn {
        compare: vec![Compare::Value(keys.meta(), META_LIVING.to_vec())],
        success: Vec::new(),
        failure: vec![
            Operation::Get(slot.key.clone()),
            Operation::Get(keys.meta()),
        ],
    };
    for guard in &transaction.guards {
        txn.compare
            .push(Compare::Revision(keys.entry(&guard.key), guard.version));
    }
    for lease in leases(transaction) {
        txn.compare.push(Compare::Exists(keys.lease(lease)));
        // Who takes a lease's entries away does so under its revision: it must see the new one.
        txn.success.push(Operation::Touch(keys.lease(lease)));
    }
    txn.success
        .extend(last_writes(transaction).map(|write| operation(write, keys)));
    if transaction.writes.is_empty() {
        // A mere question is asked through the log too, where no member can answer from the past.
        txn.success.push(Operation::Delete(keys.nothing()));
        txn.failure.push(Operation::Delete(keys.nothing()));
        return txn;
    }
    txn.compare
        .push(Compare::Revision(slot.key.clone(), slot.known));
    txn.success
        .push(Operation::Put(slot.key.clone(), slot.marker(DONE)));
    txn.failure.push(Operation::Nested(Txn {
        compare: vec![Compare::Revision(slot.key.clone(), slot.known)],
        success: vec![Operation::Put(slot.key.clone(), slot.marker(REFUSED))],
        failure: Vec::new(),
    }));
    txn
}

fn leases(transaction: &Transaction) -> BTreeSet<LeaseId> {
    let leases = transaction.writes.iter().filter_map(|write| match write {
        Write::Put { lease, .. } => *lease,
        Write::Delete { .. } => None,
    });
    leases.collect()
}

/// etcd refuses two writes of one key: the last one counts.
fn last_writes(transaction: &Transaction) -> impl Iterator<Item = &Write> {
    let mut seen = BTreeSet::new();
    let mut last: Vec<_> = transaction.writes.iter().rev().collect();
    last.retain(|write| seen.insert(key(write)));
    last.into_iter().rev()
}

fn key(write: &Write) -> &str {
    match write {
        Write::Put { key, .. } | Write::Delete { key } => key,
    }
}

fn operation(write: &Write, keys: &Keys) -> Operation {
    match write {
        Write::Put { key, value, lease } => {
            Operation::Put(keys.entry(key), entry_value(value, *lease))
        }
        Write::Delete { key } => Operation::Delete(keys.entry(key)),
    }
}

/// What the reply to one of so many copies of `transaction` says, and what the slot knows from now on.
pub(super) fn outcome(
    transaction: &Transaction,
    reply: &TxnReply,
    slot: &mut Slot,
    copies: u32,
) -> Outcome {
    let revision = reply.header.revision;
    let marked = !transaction.writes.is_empty();
    if reply.succeeded {
        if marked {
            slot.known = revision;
        }
        return Outcome::Settled(Commit::Done { revision });
    }
    let meta = reply.rows(1).first().map(|row| &row.value[..]);
    if !marked {
        return living(meta).unwrap_or(Outcome::Settled(Commit::Refused));
    }
    let (found, value) = match reply.rows(0).first() {
        Some(row) => (row.revision, &row.value[..]),
        None => (0, &[][..]),
    };
    let [done, refused] = [DONE, REFUSED].map(|kind| mark(value) == mark(&slot.marker(kind)));
    let as_known = found == slot.known;
    slot.known = match as_known {
        true => revision,
        false => found,
    };
    if done {
        return Outcome::Settled(Commit::Done { revision: found });
    }
    if let Some(moved) = living(meta) {
        return moved;
    }
    match (refused || as_known, copies) {
        (true, _) => Outcome::Settled(Commit::Refused),
        (false, 0 | 1) => Outcome::Again,
        (false, _) => Outcome::Unknown,
    }
}

/// A marker without its time.
fn mark(value: &[u8]) -> Option<&[u8; 9]> {
    value.first_chunk()
}

/// `None` when the database lives where this row was read.
pub(super) fn living(meta: Option<&[u8]>) -> Option<Outcome> {
    match meta {
        Some(META_LIVING) => None,
        other => Some(Outcome::Moved(other.and_then(parse_moved))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Header, KeyValue};
    use super::*;

    fn transaction() -> Transaction {
        let write = Write::Put {
            key: "a".to_owned(),
            value: b"1".to_vec(),
            lease: None,
        };
        Transaction {
            guards: vec![],
            writes: vec![write],
        }
    }

    fn slot(known: u64) -> Slot {
        Slot {
            key: b"p/m:h:0".to_vec(),
            known,
            serial: 3,
            now_ms: 99,
        }
    }

    fn row(value: Vec<u8>, revision: u64) -> Vec<KeyValue> {
        vec![KeyValue {
            value: value.into(),
            revision,
            ..KeyValue::default()
        }]
    }

    fn reply(revision: u64, succeeded: bool, marker: Vec<KeyValue>, meta: &[u8]) -> TxnReply {
        TxnReply {
            header: Header {
                revision,
                ..Header::default()
            },
            succeeded,
            read: vec![marker, row(meta.to_vec(), 1)],
        }
    }

    /// Each situation of the table above, and what the slot knows afterwards.
    #[test]
    fn every_reply_has_one_meaning() {
        let done = row(slot(0).marker(DONE), 20);
        let refused = row(slot(0).marker(REFUSED), 21);
        let as_known = row(
            Slot {
                serial: 2,
                ..slot(0)
            }
            .marker(DONE),
            7,
        );
        let settled = |commit| Outcome::Settled(commit);
        let at = |revision| settled(Commit::Done { revision });
        let no = settled(Commit::Refused);
        for (what, copies, succeeded, marker, expected, known) in [
            ("executed", 1, true, vec![], at(30), 30),
            (
                "a guard does not hold",
                1,
                false,
                as_known.clone(),
                no.clone(),
                30,
            ),
            ("swept away", 1, false, vec![], Outcome::Again, 0),
            ("a later copy is executed", 3, true, vec![], at(30), 30),
            ("another copy was executed", 2, false, done, at(20), 20),
            (
                "another copy was refused",
                3,
                false,
                refused,
                no.clone(),
                21,
            ),
            ("no copy was executed", 2, false, as_known, no, 30),
            (
                "swept away meanwhile",
                2,
                false,
                vec![],
                Outcome::Unknown,
                0,
            ),
        ] {
            let mut slot = slot(7);
            let reply = reply(30, succeeded, marker, META_LIVING);
            let outcome = outcome(&transaction(), &reply, &mut slot, copies);
            assert_eq!((outcome, slot.known), (expected, known), "{what}");
        }
    }

    #[test]
    fn what_has_moved_is_refused_unless_it_was_done_before() {
        let meta = super::super::keys::meta_moved("sqlite:///x");
        let moved = Outcome::Moved(Some("sqlite:///x".to_owned()));
        let refused = reply(30, false, vec![], &meta);
        assert_eq!(outcome(&transaction(), &refused, &mut slot(7), 1), moved);
        let before = reply(30, false, row(slot(0).marker(DONE), 20), &meta);
        let done = Outcome::Settled(Commit::Done { revision: 20 });
        assert_eq!(outcome(&transaction(), &before, &mut slot(7), 2), done);
    }

    #[test]
    fn a_copy_that_is_refused_forbids_the_others() {
        let txn = request(&transaction(), &Keys::new("p"), &slot(7));
        let Some(Operation::Nested(mark)) = txn.failure.last() else {
            panic!("{txn:?}");
        };
        assert_eq!(mark.compare.len(), 1, "unless another one was executed");
        let [Operation::Put(key, value)] = &mark.success[..] else {
            panic!("{mark:?}");
        };
        assert_eq!((key, value), (&slot(7).key, &slot(7).marker(REFUSED)));
    }

    #[test]
    fn of_two_writes_of_one_key_the_last_counts() {
        let mut twice = transaction();
        twice.writes.push(Write::Delete {
            key: "a".to_owned(),
        });
        let txn = request(&twice, &Keys::new("p"), &slot(7));
        assert!(matches!(
            &txn.success[..],
            [Operation::Delete(_), Operation::Put(..)]
        ));
    }

    #[test]
    fn a_marker_tells_its_age() {
        assert_eq!(marked_ms(&slot(0).marker(DONE)), Some(99));
        assert_eq!(marked_ms(b"short"), None);
    }
}
