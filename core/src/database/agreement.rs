//! All backends give the same answers to any sequence of calls.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::members::Members;
use super::*;
use crate::sys::clock::{Clock, FakeClock};

const KEYS: [&str; 4] = ["a", "a/1", "a/2", "b"];
const TTL: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
enum Step {
    /// A put, guarded by what the key is, was, or was not.
    Put(usize, Option<usize>, GuardBy),
    Delete(usize),
    Grant,
    Renew(usize),
    Revoke(usize),
    Advance(u64),
}

#[derive(Clone, Copy, Debug)]
enum GuardBy {
    Nothing,
    Absence,
    /// The version as the key was last seen.
    LastSeen,
}

fn step() -> impl Strategy<Value = Step> {
    let guard = prop_oneof![
        Just(GuardBy::Nothing),
        Just(GuardBy::Absence),
        Just(GuardBy::LastSeen)
    ];
    let key = 0..KEYS.len();
    prop_oneof![
        5 => (key.clone(), prop::option::of(0..4_usize), guard).prop_map(|(k, l, g)| Step::Put(k, l, g)),
        1 => key.prop_map(Step::Delete),
        2 => Just(Step::Grant),
        2 => (0..4_usize).prop_map(Step::Renew),
        1 => (0..4_usize).prop_map(Step::Revoke),
        3 => (0..4_u64).prop_map(Step::Advance),
    ]
}

/// One backend with what its caller remembers.
struct Side {
    database: Box<dyn Database>,
    leases: Vec<LeaseId>,
    seen: [u64; KEYS.len()],
}

/// What a caller can tell of a step: the outcome, and then each key with value and lease.
type Told = (Option<bool>, Vec<(String, Vec<u8>, Option<usize>)>);

impl Side {
    async fn take(&mut self, step: &Step, number: usize) -> Told {
        let outcome = match step {
            Step::Put(key, lease, guard) => self.put(*key, *lease, *guard, number).await,
            Step::Delete(key) => {
                let write = Write::Delete {
                    key: KEYS[*key].to_owned(),
                };
                self.commit(vec![], write).await
            }
            Step::Grant => {
                self.leases.push(self.database.grant(TTL).await.unwrap());
                None
            }
            Step::Renew(lease) => match self.leases.get(*lease) {
                Some(lease) => Some(self.database.renew(*lease).await.unwrap()),
                None => None,
            },
            Step::Revoke(lease) => {
                if let Some(lease) = self.leases.get(*lease) {
                    self.database.revoke(*lease).await.unwrap();
                }
                None
            }
            Step::Advance(_) => None,
        };
        (outcome, self.look(number).await)
    }

    async fn put(&self, key: usize, lease: Option<usize>, by: GuardBy, n: usize) -> Option<bool> {
        let guard = |version| {
            vec![Guard {
                key: KEYS[key].to_owned(),
                version,
            }]
        };
        let guards = match by {
            GuardBy::Nothing => vec![],
            GuardBy::Absence => guard(0),
            GuardBy::LastSeen => guard(self.seen[key]),
        };
        let write = Write::Put {
            key: KEYS[key].to_owned(),
            value: n.to_be_bytes().to_vec(),
            lease: lease.and_then(|lease| self.leases.get(lease).copied()),
        };
        self.commit(guards, write).await
    }

    async fn commit(&self, guards: Vec<Guard>, write: Write) -> Option<bool> {
        let writes = vec![write];
        let outcome = self.database.commit(Transaction { guards, writes }).await;
        Some(outcome.unwrap() != Commit::Refused)
    }

    async fn look(&mut self, number: usize) -> Vec<(String, Vec<u8>, Option<usize>)> {
        let range = self.database.read("a").await.unwrap();
        for entry in &range.entries {
            assert!(entry.version <= range.revision);
            // Every third look is remembered, so that some guards are out of date.
            if let Some(key) = KEYS
                .iter()
                .position(|key| *key == entry.key && number.is_multiple_of(3))
            {
                self.seen[key] = entry.version;
            }
        }
        let lease = |id| self.leases.iter().position(|known| Some(*known) == id);
        let told = |entry: Entry| (entry.key, entry.value, lease(entry.lease));
        range.entries.into_iter().map(told).collect()
    }
}

/// A database whose clock goes a little faster than the steps say.
struct Run {
    side: Side,
    clock: Arc<FakeClock>,
    haste: u32,
}

impl Run {
    fn new(make: impl FnOnce(Arc<dyn Clock>) -> Box<dyn Database>) -> Self {
        let clock = Arc::new(FakeClock::default());
        let database = make(Arc::clone(&clock) as Arc<dyn Clock>);
        let side = Side {
            database,
            leases: Vec::new(),
            seen: [0; KEYS.len()],
        };
        Self {
            side,
            clock,
            haste: 0,
        }
    }

    fn advance(&self, time: Duration) {
        self.clock.advance(time + time * self.haste / 100);
    }
}

/// Takes the steps on both sides, and compares what can be told.
async fn agree(steps: &[Step], one: &mut Run, other: &mut Run) -> Result<(), TestCaseError> {
    for (number, step) in steps.iter().enumerate() {
        if let Step::Advance(seconds) = step {
            let time = Duration::from_secs(*seconds);
            one.advance(time);
            other.advance(time);
        }
        let told = one.side.take(step, number).await;
        prop_assert_eq!(told, other.side.take(step, number).await, "{:?}", step);
    }
    Ok(())
}

fn memory() -> Run {
    Run::new(|clock| Box::new(MemoryDatabase::new(clock)))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn memory_and_sqlite_agree(steps in prop::collection::vec(step(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster.db");
        let mut sqlite = Run::new(|clock| Box::new(SqliteDatabase::open(path, clock).unwrap()));
        runtime().block_on(agree(&steps, &mut memory(), &mut sqlite))?;
    }
}

#[test]
#[ignore = "needs etcd: tests/run etcd"]
fn on_etcd_memory_agrees_too() {
    let members = Members::start(3);
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(24)
    });
    let cases = std::cell::Cell::new(0);
    let outcome = runner.run(&prop::collection::vec(step(), 1..60), |steps| {
        cases.set(cases.get() + 1);
        let location = members.location(&format!("hamq/case{}", cases.get()));
        let Ok(Location::Etcd(location)) = location.parse() else {
            panic!("{location}");
        };
        let mut etcd = Run::new(|clock| Box::new(EtcdDatabase::open(location, clock).unwrap()));
        // An observer waits a hundredth longer than a lease lasts.
        etcd.haste = 2;
        runtime().block_on(agree(&steps, &mut memory(), &mut etcd))
    });
    outcome.unwrap();
}
