//! What every backend must do: the same stories on each.

use std::sync::Arc;
use std::time::Duration;

use super::members::Members;
use super::*;
use crate::sys::clock::{Clock, FakeClock};

const TTL: Duration = Duration::from_secs(5);
/// Bound of a wait for an event that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A backend under test: opens further handles on one database.
struct Lab {
    clock: Arc<FakeClock>,
    make: Box<dyn Fn() -> Arc<dyn Database>>,
    opened: std::sync::Mutex<Vec<Arc<dyn Database>>>,
    /// How much later than at its exact end a lease may be over.
    slack: Duration,
    _folder: Option<tempfile::TempDir>,
}

impl Lab {
    fn new(
        clock: Arc<FakeClock>,
        folder: Option<tempfile::TempDir>,
        make: impl Fn() -> Arc<dyn Database> + 'static,
    ) -> Self {
        Self {
            clock,
            make: Box::new(make),
            opened: std::sync::Mutex::default(),
            slack: Duration::ZERO,
            _folder: folder,
        }
    }

    fn open(&self) -> Arc<dyn Database> {
        let database = (self.make)();
        self.opened.lock().unwrap().push(Arc::clone(&database));
        database
    }

    /// So much time passes after every handle has seen what there is.
    async fn pass_exactly(&self, time: Duration) {
        let opened = self.opened.lock().unwrap().clone();
        for database in opened {
            database.read("").await.unwrap();
        }
        self.clock.advance(time);
    }

    /// At least so much time.
    async fn pass(&self, time: Duration) {
        self.pass_exactly(time + self.slack).await;
    }
}

fn memory() -> Lab {
    let clock = Arc::new(FakeClock::default());
    let database = MemoryDatabase::new(clock.clone() as Arc<dyn Clock>);
    Lab::new(clock, None, move || Arc::new(database.clone()))
}

fn sqlite() -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(FakeClock::default());
    let path = folder.path().join("cluster.db");
    let time = clock.clone() as Arc<dyn Clock>;
    Lab::new(clock, Some(folder), move || {
        Arc::new(SqliteDatabase::open(&path, Arc::clone(&time)).unwrap())
    })
}

/// Handles on one prefix of a real etcd, on a clock that a test moves.
fn etcd(members: &Members, prefix: &str) -> Lab {
    let clock = Arc::new(FakeClock::default());
    let time = clock.clone() as Arc<dyn Clock>;
    let location: Location = members.location(prefix).parse().unwrap();
    Lab {
        slack: TTL / 50,
        ..Lab::new(clock, None, move || {
            open(&location, Arc::clone(&time)).unwrap()
        })
    }
}

fn put(key: &str, value: &str) -> Write {
    put_leased(key, value, None)
}

fn put_leased(key: &str, value: &str, lease: Option<LeaseId>) -> Write {
    Write::Put {
        key: key.to_owned(),
        value: value.as_bytes().to_vec(),
        lease,
    }
}

fn guard(key: &str, version: u64) -> Guard {
    Guard {
        key: key.to_owned(),
        version,
    }
}

async fn commit(database: &dyn Database, guards: Vec<Guard>, writes: Vec<Write>) -> Commit {
    let transaction = Transaction { guards, writes };
    database.commit(transaction).await.unwrap()
}

async fn keys(database: &dyn Database, prefix: &str) -> Vec<String> {
    let range = database.read(prefix).await.unwrap();
    range.entries.into_iter().map(|entry| entry.key).collect()
}

async fn changed(watch: &mut tokio::sync::watch::Receiver<u64>) {
    tokio::time::timeout(PATIENCE, watch.changed())
        .await
        .expect("no change was announced")
        .unwrap();
}

macro_rules! on_every_backend {
    ($($story:ident),+ $(,)?) => {
        mod on_memory { $( #[tokio::test] async fn $story() { super::$story(super::memory()).await } )+ }
        mod on_sqlite { $( #[tokio::test] async fn $story() { super::$story(super::sqlite()).await } )+ }
        /// On one etcd, so one after the other: each counts revisions.
        async fn on_etcd(members: &Members) {
            $( eprintln!(stringify!($story)); $story(etcd(members, stringify!($story))).await; )+
        }
    };
}

on_every_backend! {
    a_transaction_happens_whole_at_one_revision,
    a_guard_that_does_not_hold_writes_nothing,
    a_prefix_reads_its_keys_in_order,
    an_entry_lives_exactly_as_long_as_its_lease,
    an_expired_key_counts_as_absent_for_guards,
    an_expired_lease_never_comes_back,
    a_write_with_a_dead_lease_is_refused,
    revoking_removes_at_once_and_raises_the_revision,
    a_key_taken_over_without_a_lease_survives_the_former_lease,
    of_many_claimers_exactly_one_wins,
    guarded_increments_are_not_lost,
    a_watcher_on_another_handle_hears_of_a_commit,
    a_watcher_hears_of_an_expiry_by_itself,
    what_is_too_large_is_refused,
}

#[tokio::test]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_every_story_is_the_same() {
    on_etcd(&Members::start(3)).await;
}

async fn a_transaction_happens_whole_at_one_revision(lab: Lab) {
    let (one, other) = (lab.open(), lab.open());
    let before = one.read("").await.unwrap().revision;
    let done = commit(&*one, vec![], vec![put("a", "1"), put("b", "2")]).await;
    assert_eq!(
        done,
        Commit::Done {
            revision: before + 1
        }
    );
    let range = other.read("").await.unwrap();
    assert_eq!(range.revision, before + 1);
    assert_eq!(range.entries[0].value, b"1");
    assert!(
        range
            .entries
            .iter()
            .all(|e| e.version == before + 1 && e.lease.is_none())
    );

    let writes = vec![
        Write::Delete {
            key: "a".to_owned(),
        },
        Write::Delete {
            key: "x".to_owned(),
        },
    ];
    commit(&*other, vec![guard("a", before + 1)], writes).await;
    assert_eq!(keys(&*one, "").await, ["b"]);
    assert_eq!(one.read("").await.unwrap().revision, before + 2);
}

async fn a_guard_that_does_not_hold_writes_nothing(lab: Lab) {
    let database = lab.open();
    commit(&*database, vec![guard("a", 0)], vec![put("a", "1")]).await;
    let version = database.read("a").await.unwrap().entries[0].version;
    for wrong in [guard("a", 0), guard("a", version + 1), guard("b", 7)] {
        let writes = vec![put("a", "2"), put("c", "2")];
        let outcome = commit(&*database, vec![guard("a", version), wrong], writes).await;
        assert_eq!(outcome, Commit::Refused);
    }
    // A refusal may leave a mark that nobody reads, and raise the revision; the entries are as they were.
    let range = database.read("").await.unwrap();
    let versions: Vec<u64> = range.entries.iter().map(|e| e.version).collect();
    assert_eq!(versions, [version]);
    let outcome = commit(&*database, vec![guard("a", version)], vec![]).await;
    let revision = range.revision;
    assert_eq!(
        outcome,
        Commit::Done { revision },
        "a mere question changes nothing"
    );
}

async fn a_prefix_reads_its_keys_in_order(lab: Lab) {
    let database = lab.open();
    let writes = ["o/b", "o/a", "o", "p/a", "O/a", "o0"]
        .map(|key| put(key, ""))
        .to_vec();
    commit(&*database, vec![], writes).await;
    assert_eq!(keys(&*database, "o/").await, ["o/a", "o/b"]);
    assert_eq!(keys(&*database, "z").await, [""; 0]);
    assert_eq!(keys(&*database, "").await.len(), 6);
}

async fn an_entry_lives_exactly_as_long_as_its_lease(lab: Lab) {
    let (one, other) = (lab.open(), lab.open());
    let lease = one.grant(TTL).await.unwrap();
    commit(
        &*one,
        vec![],
        vec![put_leased("a", "", Some(lease)), put("b", "")],
    )
    .await;
    lab.pass_exactly(TTL - Duration::from_nanos(1)).await;
    assert_eq!(other.read("a").await.unwrap().entries[0].lease, Some(lease));
    assert!(other.renew(lease).await.unwrap());
    lab.pass_exactly(TTL - Duration::from_nanos(1)).await;
    assert_eq!(keys(&*other, "").await, ["a", "b"]);
    lab.pass(Duration::from_nanos(1)).await;
    assert_eq!(keys(&*other, "").await, ["b"]);
    assert_eq!(keys(&*one, "").await, ["b"]);
}

async fn an_expired_key_counts_as_absent_for_guards(lab: Lab) {
    let (one, other) = (lab.open(), lab.open());
    let lease = one.grant(TTL).await.unwrap();
    commit(&*one, vec![], vec![put_leased("a", "1", Some(lease))]).await;
    let version = one.read("a").await.unwrap().entries[0].version;
    lab.pass(TTL).await;
    let late = commit(&*one, vec![guard("a", version)], vec![put("a", "late")]).await;
    assert_eq!(late, Commit::Refused);
    let claim = commit(&*other, vec![guard("a", 0)], vec![put("a", "2")]).await;
    assert!(matches!(claim, Commit::Done { .. }));
    assert_eq!(one.read("a").await.unwrap().entries[0].value, b"2");
}

async fn an_expired_lease_never_comes_back(lab: Lab) {
    let database = lab.open();
    let lease = database.grant(TTL).await.unwrap();
    lab.pass(TTL).await;
    assert!(!database.renew(lease).await.unwrap());
    assert!(!database.renew(LeaseId(lease.0 + 1000)).await.unwrap());
    assert_ne!(database.grant(TTL).await.unwrap(), lease);
}

async fn a_write_with_a_dead_lease_is_refused(lab: Lab) {
    let database = lab.open();
    let lease = database.grant(TTL).await.unwrap();
    lab.pass(TTL).await;
    let outcome = commit(
        &*database,
        vec![],
        vec![put("b", ""), put_leased("a", "", Some(lease))],
    );
    assert_eq!(outcome.await, Commit::Refused);
    assert_eq!(keys(&*database, "").await, [""; 0]);
}

async fn revoking_removes_at_once_and_raises_the_revision(lab: Lab) {
    let (one, other) = (lab.open(), lab.open());
    let lease = one.grant(TTL).await.unwrap();
    commit(
        &*one,
        vec![],
        vec![put_leased("a", "", Some(lease)), put("b", "")],
    )
    .await;
    let before = one.read("").await.unwrap().revision;
    other.revoke(lease).await.unwrap();
    let range = one.read("").await.unwrap();
    assert_eq!((range.entries.len(), range.revision), (1, before + 1));
    assert!(!one.renew(lease).await.unwrap());
    other.revoke(lease).await.unwrap();
    assert_eq!(one.read("").await.unwrap().revision, before + 1);
}

async fn a_key_taken_over_without_a_lease_survives_the_former_lease(lab: Lab) {
    let database = lab.open();
    let lease = database.grant(TTL).await.unwrap();
    commit(&*database, vec![], vec![put_leased("a", "", Some(lease))]).await;
    commit(&*database, vec![], vec![put("a", "2")]).await;
    lab.pass(TTL).await;
    assert_eq!(keys(&*database, "").await, ["a"]);
}

async fn of_many_claimers_exactly_one_wins(lab: Lab) {
    let claims: Vec<_> = (0..8)
        .map(|node| {
            let database = lab.open();
            tokio::spawn(async move {
                let writes = vec![put("owner/VS1", &node.to_string())];
                commit(&*database, vec![guard("owner/VS1", 0)], writes).await
            })
        })
        .collect();
    let mut won = 0;
    for claim in claims {
        won += usize::from(claim.await.unwrap() != Commit::Refused);
    }
    assert_eq!(won, 1);
}

async fn guarded_increments_are_not_lost(lab: Lab) {
    const EACH: u64 = 10;
    let first = lab.open();
    commit(&*first, vec![], vec![put("n", "0")]).await;
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let database = lab.open();
            tokio::spawn(async move {
                let mut done = 0;
                while done < EACH {
                    let entry = database.read("n").await.unwrap().entries.remove(0);
                    let count: u64 = String::from_utf8(entry.value).unwrap().parse().unwrap();
                    let writes = vec![put("n", &(count + 1).to_string())];
                    let outcome = commit(&*database, vec![guard("n", entry.version)], writes).await;
                    done += u64::from(outcome != Commit::Refused);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(first.read("n").await.unwrap().entries[0].value, b"40");
}

async fn a_watcher_on_another_handle_hears_of_a_commit(lab: Lab) {
    let (one, other) = (lab.open(), lab.open());
    let mut watch = other.watch();
    for round in 0..20 {
        let Commit::Done { revision } =
            commit(&*one, vec![], vec![put("a", &round.to_string())]).await
        else {
            panic!("refused");
        };
        while *watch.borrow_and_update() < revision {
            changed(&mut watch).await;
        }
    }
}

async fn a_watcher_hears_of_an_expiry_by_itself(lab: Lab) {
    let (one, other) = (lab.open(), lab.open());
    let lease = one.grant(TTL).await.unwrap();
    commit(&*one, vec![], vec![put_leased("a", "", Some(lease))]).await;
    let mut watch = other.watch();
    while other.read("").await.unwrap().revision > *watch.borrow_and_update() {
        changed(&mut watch).await;
    }
    lab.pass(TTL).await;
    changed(&mut watch).await;
    assert_eq!(keys(&*other, "").await, [""; 0]);
}

async fn what_is_too_large_is_refused(lab: Lab) {
    let database = lab.open();
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    let many = vec![put("a", ""); TRANSACTION_ITEMS_MAX + 1];
    for writes in [vec![put("", "")], vec![put(&long, "")], many] {
        let transaction = Transaction {
            guards: vec![],
            writes,
        };
        let error = database.commit(transaction).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidParameter);
    }
    assert_eq!(keys(&*database, "").await, [""; 0]);
}
