//! The first rows of a new cluster's database: the cluster with its timing, and its nodes in the order of
//! their numbers, so that nodes which start at the same time do not race for those.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::registry::{ClusterEntry, NodeEntry};
use crate::cluster::functional_level::{LEVEL_KEY, Level};
use crate::cluster::record::{CLUSTER_KEY, ClusterConfig, FencingMode, NodeConfig, encode, key};
use crate::database::{self, Commit, Guard, Transaction, Write};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::SystemClock;

/// Creates the database with the rows every node expects to find.
pub(super) async fn write(entry: &ClusterEntry) -> Result<()> {
    let database = database::open(&entry.database, Arc::new(SystemClock))?;
    // The first node that joins says which functional level its program knows.
    let level = encode(&Level { level: 0 });
    let mut writes = vec![
        put(CLUSTER_KEY.to_owned(), encode(&cluster(entry))),
        put(LEVEL_KEY.to_owned(), level),
    ];
    for (index, node) in entry.nodes.iter().enumerate() {
        writes.push(put(
            key("node", &node.name),
            encode(&self::node(node, index)),
        ));
    }
    let first = Transaction {
        guards: vec![Guard {
            key: CLUSTER_KEY.to_owned(),
            version: 0,
        }],
        writes,
    };
    match database.commit(first).await? {
        Commit::Done { .. } => Ok(()),
        Commit::Refused => {
            let text = format!("{} holds a cluster already", entry.database);
            Err(Error::new(ErrorKind::ObjectAlreadyExists, text)
                .hint("give another -Path, or another prefix of -Quorum"))
        }
    }
}

fn cluster(entry: &ClusterEntry) -> ClusterConfig {
    ClusterConfig {
        name: entry.name.clone(),
        same_subnet_delay_ms: entry.same_subnet_delay,
        same_subnet_threshold: entry.same_subnet_threshold,
        lease_ttl_ms: entry.lease_ttl,
        fencing: match entry.fencing.as_str() {
            "Storage" => FencingMode::Storage,
            _ => FencingMode::Kill,
        },
        created_ms: entry.created_ms,
    }
}

fn node(node: &NodeEntry, index: usize) -> NodeConfig {
    NodeConfig {
        name: node.name.clone(),
        id: index as u64 + 1,
        address: node.address.to_string(),
        paused: false,
        features: BTreeSet::new(),
    }
}

fn put(key: String, value: Vec<u8>) -> Write {
    Write::Put {
        key,
        value,
        lease: None,
    }
}
