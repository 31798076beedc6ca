//! The backend on a real etcd whose members die, hang, forget and ask for proof. `tests/run etcd`.

mod copies;
mod faults;
mod security;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use super::super::members::{Certificates, Members};
use super::super::{Guard, Write};
use super::*;
use crate::sys::clock::SystemClock;

/// Bound of a wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn open(location: &str) -> Arc<EtcdDatabase> {
    match location.parse() {
        Ok(Location::Etcd(location)) => {
            Arc::new(EtcdDatabase::open(location, Arc::new(SystemClock)).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

fn put(key: &str, value: &str, lease: Option<LeaseId>) -> Write {
    Write::Put {
        key: key.to_owned(),
        value: value.as_bytes().to_vec(),
        lease,
    }
}

fn transaction(guards: &[(&str, u64)], writes: Vec<Write>) -> Transaction {
    let guard = |(key, version): &(&str, u64)| Guard {
        key: (*key).to_owned(),
        version: *version,
    };
    Transaction {
        guards: guards.iter().map(guard).collect(),
        writes,
    }
}

/// Commits until it is done; a database that is away answers with an error.
async fn insist(database: &EtcdDatabase, key: &str, value: &str) -> u64 {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        match database
            .commit(transaction(&[], vec![put(key, value, None)]))
            .await
        {
            Ok(Commit::Done { revision }) => return revision,
            Ok(Commit::Refused) => panic!("refused without a guard"),
            Err(error) => assert!(tokio::time::Instant::now() < end, "{error}"),
        }
    }
}

async fn heard(watch: &mut watch::Receiver<u64>, revision: u64) {
    let reached = watch.wait_for(|seen| *seen >= revision);
    let reached = tokio::time::timeout(PATIENCE, reached).await;
    reached.expect("a change was not announced").unwrap();
}

async fn value(database: &EtcdDatabase, key: &str) -> Option<String> {
    let range = database.read(key).await.unwrap();
    let entry = range.entries.into_iter().find(|entry| entry.key == key);
    entry.map(|entry| String::from_utf8(entry.value).unwrap())
}
