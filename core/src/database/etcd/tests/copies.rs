//! One slot's commits in several copies that arrive in any order, late or without an answer, and whichever of them is heard:
//! each count happens once, and its outcome is told truthfully. No etcd is needed: a map stands for it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::commit::{Outcome, Slot, outcome, request};
use super::super::keys::{Keys, META_LIVING, entry_value};
use super::super::message::{Compare, Header, KeyValue, Operation, Txn, TxnReply};
use super::*;

/// As much of etcd as a commit needs.
#[derive(Default)]
struct Map {
    revision: u64,
    rows: BTreeMap<Vec<u8>, (Vec<u8>, u64)>,
}

impl Map {
    fn put(&mut self, key: &[u8], value: &[u8], revision: u64) {
        self.revision = revision;
        self.rows.insert(key.to_vec(), (value.to_vec(), revision));
    }

    fn holds(&self, compare: &Compare) -> bool {
        let row = |key: &Vec<u8>| self.rows.get(key);
        match compare {
            Compare::Revision(key, at) => row(key).map_or(0, |(_, revision)| *revision) == *at,
            Compare::Value(key, value) => row(key).is_some_and(|(found, _)| found == value),
            other => panic!("a commit without leases does not ask {other:?}"),
        }
    }

    fn play(&mut self, txn: &Txn, revision: u64, read: &mut Vec<Vec<KeyValue>>) -> bool {
        let succeeded = txn.compare.iter().all(|compare| self.holds(compare));
        let operations = if succeeded {
            &txn.success
        } else {
            &txn.failure
        };
        for operation in operations {
            match operation {
                Operation::Put(key, value) => self.put(key, value, revision),
                Operation::Nested(nested) => {
                    self.play(nested, revision, &mut Vec::new());
                }
                Operation::Get(key) => {
                    let found = self.rows.get(key).map(|(value, revision)| KeyValue {
                        value: value.clone().into(),
                        revision: *revision,
                        ..KeyValue::default()
                    });
                    read.push(found.into_iter().collect());
                    continue;
                }
                other => panic!("a count does not {other:?}"),
            }
            read.push(Vec::new());
        }
        succeeded
    }

    fn execute(&mut self, txn: &Txn) -> TxnReply {
        let mut read = Vec::new();
        let succeeded = self.play(txn, self.revision + 1, &mut read);
        let header = Header {
            revision: self.revision,
            ..Header::default()
        };
        TxnReply {
            header,
            succeeded,
            read,
        }
    }
}

/// A counter, its slot, and copies of its commits that are on their way.
struct Counter {
    map: Map,
    keys: Keys,
    slot: Slot,
    under_way: Vec<(u64, Txn)>,
    commit: Option<(Transaction, u32)>,
    serial: u64,
    others: u64,
    done: u64,
    unknown: u64,
}

impl Counter {
    fn new() -> Self {
        let keys = Keys::new("p");
        let mut map = Map::default();
        map.put(&keys.meta(), META_LIVING, 1);
        map.put(&keys.entry("n"), &entry_value(b"0", None), 2);
        let slot = Slot {
            key: keys.marker("h", 0),
            known: 0,
            serial: 0,
            now_ms: 7,
        };
        Self {
            map,
            keys,
            slot,
            under_way: Vec::new(),
            commit: None,
            serial: 0,
            others: 0,
            done: 0,
            unknown: 0,
        }
    }

    fn counted(&self) -> (u64, u64) {
        let (value, revision) = &self.map.rows[&self.keys.entry("n")];
        let number = (0..).find(|n: &u64| *value == entry_value(n.to_string().as_bytes(), None));
        (number.unwrap(), *revision)
    }

    /// Sends one more copy of the commit that is not settled, or of a new one.
    fn send(&mut self) {
        let (transaction, copies) = self.commit.take().unwrap_or_else(|| {
            self.serial += 1;
            self.slot.serial = self.serial;
            let (number, revision) = self.counted();
            let write = put("n", &(number + 1).to_string(), None);
            // A guard that may hold again: of what is refused now nothing may be done later.
            let guards = [("n", revision), ("lock", 0)];
            (transaction(&guards, vec![write]), 0)
        });
        let txn = request(&transaction, &self.keys, &self.slot);
        self.under_way.push((self.serial, txn));
        self.commit = Some((transaction, copies + 1));
    }

    /// One copy is executed; its answer is heard if its commit is not settled, and it is not lost.
    fn deliver(&mut self, index: usize, lost: bool) {
        if self.under_way.is_empty() {
            return;
        }
        let (serial, txn) = self.under_way.swap_remove(index % self.under_way.len());
        let reply = self.map.execute(&txn);
        let Some((transaction, copies)) = &self.commit else {
            return;
        };
        if lost || serial != self.serial {
            return;
        }
        let (transaction, copies) = (transaction.clone(), *copies);
        match outcome(&transaction, &reply, &mut self.slot, copies) {
            Outcome::Settled(Commit::Done { .. }) => self.done += 1,
            Outcome::Settled(Commit::Refused) => {}
            Outcome::Again => {
                self.commit = Some((transaction, 0));
                return;
            }
            Outcome::Unknown => self.give_up(),
            Outcome::Moved(to) => panic!("moved to {to:?}"),
        }
        self.commit = None;
    }

    /// Nobody answers: the outcome is not known, and the slot is not used again.
    fn give_up(&mut self) {
        if self.commit.take().is_some() {
            self.unknown += 1;
        }
        self.serial += 1;
        self.slot.key = self.keys.marker("h", usize::try_from(self.serial).unwrap());
        self.slot.known = 0;
    }

    fn another_locks_or_unlocks(&mut self) {
        let (key, revision) = (self.keys.entry("lock"), self.map.revision + 1);
        match self.map.rows.remove(&key) {
            Some(_) => self.map.revision = revision,
            None => self.map.put(&key, b"", revision),
        }
    }

    fn another_counts(&mut self) {
        let (number, _) = self.counted();
        let value = entry_value((number + 1).to_string().as_bytes(), None);
        let (key, revision) = (self.keys.entry("n"), self.map.revision + 1);
        self.map.put(&key, &value, revision);
        self.others += 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whichever_copies_arrive_late_each_count_happens_once_and_is_told_truly(
        steps in proptest::collection::vec((0..19_u8, any::<usize>()), 1..200)
    ) {
        let mut counter = Counter::new();
        for (what, which) in steps {
            match what {
                0..=5 => counter.send(),
                6..=9 => counter.deliver(which, false),
                10..=12 => counter.deliver(which, true),
                13..=14 => counter.another_counts(),
                15..=17 => counter.another_locks_or_unlocks(),
                _ => counter.give_up(),
            }
            let mine = counter.counted().0 - counter.others;
            let open = u64::from(counter.commit.is_some());
            let told = counter.done..=counter.done + counter.unknown + open;
            prop_assert!(told.contains(&mine), "{mine} counted, {told:?} told");
        }
    }
}
