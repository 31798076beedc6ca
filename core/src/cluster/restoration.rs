//! What a backup of the database becomes when it is restored: nobody of the time after it is believed.
//!
//! Epochs are raised above every one that may have been given since, so that each store accepts its next owner; owners and
//! permissions of that time are dropped. Everything here is a function of rows.

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::record::{
    CLUSTER_KEY, ClusterConfig, Owner, RETIRED_KEY, Retired, decode, encode, fold, key,
};
use crate::error::{Error, ErrorKind, Result};

/// How far epochs are raised: more than the failovers that can have happened since any backup.
const EPOCH_LEAP: u64 = 1_000_000;

/// What an interrupted restore must not forget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Above every epoch that was ever given.
    pub epoch_floor: u64,
}

/// Rows that mean something only to those who were there.
const PASSING: [&str; 6] = [
    "/session/",
    "/token/",
    "/move/",
    "/fail/",
    "/state/",
    "/restoring",
];

/// The floor of epochs: above those of the backup, of the database as it is, and of a restore that was interrupted.
#[must_use]
pub fn epoch_floor<'a>(
    rows: impl Iterator<Item = (&'a str, &'a [u8])>,
    interrupted: Option<&[u8]>,
) -> u64 {
    let epochs = rows.filter_map(|(key, value)| match key {
        RETIRED_KEY => decode::<Retired>(value).map(|r| r.epoch),
        key if key.starts_with("/owner/") => decode::<Owner>(value).map(|o| o.epoch),
        _ => None,
    });
    let highest = epochs.max().unwrap_or(0).saturating_add(EPOCH_LEAP);
    let before = interrupted.and_then(decode::<Memory>);
    highest.max(before.map_or(0, |m| m.epoch_floor))
}

/// The rows as they are restored.
#[must_use]
pub fn authoritative(rows: Vec<(String, Vec<u8>)>, epoch_floor: u64) -> Vec<(String, Vec<u8>)> {
    let mut out: Vec<_> = rows
        .into_iter()
        .filter(|(key, _)| key != RETIRED_KEY && !PASSING.iter().any(|p| key.starts_with(p)))
        .map(|(key, value)| {
            let raised = raise(&key, &value, epoch_floor);
            (key, raised.unwrap_or(value))
        })
        .collect();
    out.push((
        RETIRED_KEY.to_owned(),
        encode(&Retired { epoch: epoch_floor }),
    ));
    out.sort();
    out
}

fn raise(key: &str, value: &[u8], epoch: u64) -> Option<Vec<u8>> {
    if key.starts_with("/owner/") {
        let owner = decode::<Owner>(value)?;
        return Some(encode(&Owner {
            epoch,
            incarnation: String::new(),
            cause: "the cluster database was restored".to_owned(),
            left: Default::default(),
            ..owner
        }));
    }
    if key.starts_with("/checkpoint/") {
        // Where it was changed last, after the backup, nobody knows: what differs is kept.
        let row = decode::<Checkpoint>(value)?;
        return Some(encode(&Checkpoint {
            holder: None,
            ..row
        }));
    }
    None
}

/// Whether the rows are those of a cluster of this name.
///
/// # Errors
/// `StoreDamaged` without a cluster; `InvalidParameter` for another.
pub fn check_cluster(row: Option<&[u8]>, name: &str) -> Result<ClusterConfig> {
    let config = row.and_then(decode::<ClusterConfig>).ok_or_else(|| {
        let text = format!("the backup has no row {CLUSTER_KEY}");
        Error::new(ErrorKind::StoreDamaged, text).hint("give another file")
    })?;
    if fold(&config.name) == fold(name) {
        return Ok(config);
    }
    let text = format!(
        "the backup is of the cluster {}, not of {name}",
        config.name
    );
    Err(Error::new(ErrorKind::InvalidParameter, text)
        .hint("a backup is restored to the cluster it was taken of"))
}

/// The keys of sessions that must not appear meanwhile.
#[must_use]
pub fn session_keys<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut nodes: Vec<_> = keys.filter_map(|k| k.strip_prefix("/node/")).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes.iter().map(|node| key("session", node)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::view::View;
    use crate::database::{Entry, Range};

    fn owner(epoch: u64) -> Vec<u8> {
        encode(&Owner {
            node: "n1".to_owned(),
            incarnation: "alive".to_owned(),
            epoch,
            cause: String::new(),
            left: Default::default(),
        })
    }

    #[test]
    fn no_epoch_owner_or_token_of_the_time_before_is_believed() {
        let rows = vec![
            ("/owner/g".to_owned(), owner(7)),
            ("/retired".to_owned(), encode(&Retired { epoch: 3 })),
            ("/state/r".to_owned(), vec![1]),
            ("/token/t".to_owned(), vec![1]),
            ("/zone".to_owned(), vec![1]),
        ];
        let now = owner(2_000_000);
        let pairs = rows.iter().map(|(k, v)| (k.as_str(), v.as_slice()));
        let floor = epoch_floor(pairs.chain([("/owner/g", now.as_slice())]), None);
        assert_eq!(floor, 3_000_000);
        let memory = encode(&Memory {
            epoch_floor: 9_000_000,
        });
        let pairs = rows.iter().map(|(k, v)| (k.as_str(), v.as_slice()));
        assert_eq!(epoch_floor(pairs, Some(&memory)), 9_000_000);

        let restored = authoritative(rows, floor);
        let keys: Vec<_> = restored.iter().map(|(k, _)| k.as_str()).collect();
        assert_eq!(keys, ["/owner/g", "/retired", "/zone"]);
        let entries = restored.into_iter().map(|(key, value)| Entry {
            key,
            value,
            version: 1,
            lease: None,
        });
        let view = View::parse(&Range {
            revision: 1,
            entries: entries.collect(),
        });
        assert!(view.live_owner("g").is_none());
        assert_eq!(view.next_epoch("g"), floor + 1);
        assert_eq!(
            view.next_epoch("a group that is not in the backup"),
            floor + 1
        );
    }

    #[test]
    fn only_a_backup_of_the_same_cluster_is_taken() {
        let config = ClusterConfig {
            name: "Lab".to_owned(),
            same_subnet_delay_ms: 1,
            same_subnet_threshold: 1,
            lease_ttl_ms: 1,
            fencing: Default::default(),
            created_ms: 1,
        };
        let row = encode(&config);
        assert!(check_cluster(Some(&row), "lab").is_ok());
        let other = check_cluster(Some(&row), "prod").unwrap_err();
        assert_eq!(other.kind, ErrorKind::InvalidParameter);
        assert_eq!(
            check_cluster(None, "lab").unwrap_err().kind,
            ErrorKind::StoreDamaged
        );
        let keys = session_keys(["/group/x", "/node/n2", "/node/n1", "/node/n2"].into_iter());
        assert_eq!(keys, ["/session/n1", "/session/n2"]);
    }
}
