//! The cluster database is away for a while, with real processes: a short outage interrupts nothing; a longer one stops in
//! order what a deadline binds, and everything returns by itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hamq_core::api::cluster::GetCluster;
use hamq_core::api::explain::GetClusterLog;
use hamq_core::api::group::{StartClusterGroup, StopClusterGroup};
use hamq_core::api::parameter::SetClusterParameter;
use hamq_core::api::value::{Millis, Value};
use hamq_tests::etcd::Members;
use hamq_tests::lab::Lab;
use hamq_tests::process::{queue_managers, wait_until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");
const LEASE: Duration = Duration::from_secs(4);

fn lab(quorum: Option<String>) -> Lab {
    let lab = Lab::with(PROGRAM, |command| {
        command.quorum = quorum.into_iter().collect();
        command.lease_ttl = Some(Millis(u64::try_from(LEASE.as_millis()).unwrap()));
    })
    .unwrap();
    lab.add_virtual_server().unwrap();
    lab.wait_online("VS1", "n1");
    lab.new_queue("orders", true).unwrap();
    lab
}

/// Its store is on a file system that is not coherent between machines, as far as it knows: the deadline binds it.
fn bind_by_deadline(lab: &Lab) {
    let wait = Some(Millis(60_000));
    let name = "VS1".to_owned();
    lab.client.run(StopClusterGroup { name, wait }).unwrap();
    let set = SetClusterParameter {
        resource: "VS1-MSMQ".into(),
        name: "Coherent".into(),
        value: Some(Value::from("0")),
        delete: false,
    };
    lab.client.run(set).unwrap();
    let name = "VS1".to_owned();
    lab.client.run(StartClusterGroup { name, wait }).unwrap();
    lab.wait_online("VS1", "n1");
}

/// The quorum disk, locked by another program.
struct Locked(rusqlite::Connection);

impl Locked {
    fn new(lab: &Lab) -> Self {
        let clusters = lab.client.run(GetCluster { name: None }).unwrap();
        let quorum = clusters[0].quorum.clone();
        let path = PathBuf::from(quorum.strip_prefix("sqlite://").unwrap());
        let other = rusqlite::Connection::open(path).unwrap();
        other.busy_timeout(Duration::from_secs(5)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(other)
    }

    fn free(self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

/// `away` makes the database unreachable, `back` ends that.
fn short_outage<T>(lab: &Lab, away: impl Fn() -> T, back: impl Fn(T)) {
    let before = lab.group("VS1").unwrap();
    let manager = queue_managers(lab.agent("n1"));
    for round in 0..3 {
        let began = Instant::now();
        let outage = away();
        while began.elapsed() < LEASE * 3 / 10 {
            lab.send("orders", &format!("in outage {round}")).unwrap();
        }
        back(outage);
        // A renewal comes through before the next one.
        let rest = Instant::now();
        while rest.elapsed() < LEASE / 2 {
            lab.send("orders", &format!("after outage {round}"))
                .unwrap();
        }
    }
    let after = lab.group("VS1").unwrap();
    assert_eq!(
        (after.epoch, after.owner_node),
        (before.epoch, before.owner_node)
    );
    assert_eq!(queue_managers(lab.agent("n1")), manager, "not restarted");
    assert!(!lab.receive_all("orders").unwrap().is_empty());
}

fn long_outage<T>(lab: &Lab, away: impl Fn() -> T, back: impl Fn(T)) {
    lab.send("orders", "before").unwrap();
    bind_by_deadline(lab);
    let agent = lab.agent("n1");
    assert_eq!(queue_managers(agent).len(), 1);
    let began = Instant::now();
    let outage = away();
    wait_until("the queue manager is stopped", || {
        queue_managers(agent).is_empty()
    });
    let stopped = began.elapsed();
    // The last renewal was at most a quarter of the lease old when the database went.
    assert!(
        stopped < LEASE,
        "after {stopped:?}, others might have begun"
    );
    while began.elapsed() < LEASE * 3 / 2 {
        assert!(queue_managers(agent).is_empty(), "it began without a lease");
        std::thread::sleep(Duration::from_millis(50));
    }
    back(outage);
    lab.wait_online("VS1", "!nowhere");
    lab.send("orders", "after").unwrap();
    assert_eq!(lab.receive_all("orders").unwrap(), ["before", "after"]);
    let log = lab.client.run(GetClusterLog::default()).unwrap();
    let in_order = log
        .iter()
        .any(|line| line.text.contains("half of the lease has passed"));
    assert!(in_order, "it was taken offline in order, not ended");
    assert!(
        !log.iter()
            .any(|line| line.text.contains("is ended: the lease was not renewed"))
    );
}

#[test]
fn a_locked_quorum_disk_interrupts_nothing_for_less_than_half_of_the_lease() {
    let lab = lab(None);
    short_outage(&lab, || Locked::new(&lab), Locked::free);
}

#[test]
fn a_longer_lock_of_the_quorum_disk_stops_in_order_what_the_deadline_binds() {
    let lab = lab(None);
    long_outage(&lab, || Locked::new(&lab), Locked::free);
}

#[test]
#[ignore = "needs etcd: tests/run etcd"]
fn on_etcd_a_short_outage_of_all_members_interrupts_nothing() {
    let members = Members::start(3);
    let lab = lab(Some(members.location("")));
    let all = |act: &dyn Fn(usize)| (0..3).for_each(act);
    short_outage(
        &lab,
        || all(&|member| members.freeze(member)),
        |()| all(&|member| members.thaw(member)),
    );
}

#[test]
#[ignore = "needs etcd: tests/run etcd"]
fn on_etcd_a_longer_outage_stops_in_order_what_the_deadline_binds() {
    let members = Members::start(3);
    let lab = lab(Some(members.location("")));
    let all = |act: &dyn Fn(usize)| (0..3).for_each(act);
    long_outage(
        &lab,
        || all(&|member| members.freeze(member)),
        |()| all(&|member| members.thaw(member)),
    );
}

#[test]
#[ignore = "needs etcd: tests/run etcd"]
fn on_etcd_a_coherent_store_is_served_through_an_outage_of_any_length() {
    let members = Members::start(3);
    let lab = lab(Some(members.location("")));
    let before = lab.group("VS1").unwrap();
    let manager = queue_managers(lab.agent("n1"));
    (0..3).for_each(|member| members.freeze(member));
    let began = Instant::now();
    let mut sent = Vec::new();
    while began.elapsed() < LEASE * 3 {
        sent.push(format!("message {}", sent.len()));
        lab.send("orders", &sent[sent.len() - 1]).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    (0..3).for_each(|member| members.thaw(member));
    // Nobody could renew meanwhile, and nobody is taken for dead because of that.
    let end = Instant::now() + LEASE * 2;
    while Instant::now() < end {
        lab.send("orders", "after").unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    let after = lab.group("VS1").unwrap();
    assert_eq!(
        (after.epoch, after.owner_node),
        (before.epoch, before.owner_node)
    );
    assert_eq!(queue_managers(lab.agent("n1")), manager, "not restarted");
    assert_eq!(lab.receive_all("orders").unwrap()[..sent.len()], sent);
}
