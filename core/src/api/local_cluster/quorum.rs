//! Where the cluster database lies: shown, moved, removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lifecycle::check_down;
use super::{LocalClusters, plan};
use crate::api::cluster::{GetClusterQuorum, QuorumInfo, SetClusterQuorum};
use crate::api::registry::ClusterEntry;
use crate::cluster::record::CLUSTER_KEY;
use crate::database::migration::migrate;
use crate::database::{self, EtcdDatabase, Location};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::SystemClock;
use crate::sys::folder;

/// What SQLite and we put beside the file.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-bell"];

impl LocalClusters {
    pub(super) async fn show_quorum(
        &self,
        command: GetClusterQuorum,
        current: Result<String, &Error>,
    ) -> Result<QuorumInfo> {
        let entry = self.named(command.name, current)?;
        quorum_info(&entry).await
    }

    pub(super) async fn move_quorum(
        &self,
        command: SetClusterQuorum,
        current: Result<String, &Error>,
    ) -> Result<QuorumInfo> {
        let mut entry = self.named(command.name, current)?;
        let target = plan::location(&command.quorum, &entry.name)?.ok_or_else(|| {
            Error::new(ErrorKind::InvalidParameter, "-Quorum names no place")
                .hint("for example etcd://h1:2379,h2:2379,h3:2379")
        })?;
        if target == entry.database {
            return quorum_info(&entry).await;
        }
        check_down(&entry)?;
        let from = database::open(&entry.database, Arc::new(SystemClock))?;
        let to = database::open(&target, Arc::new(SystemClock))?;
        migrate(&*from, &*to, CLUSTER_KEY).await?;
        entry.database = target;
        self.registry.save(&entry)?;
        quorum_info(&entry).await
    }

    pub(super) fn named(
        &self,
        name: Option<String>,
        current: Result<String, &Error>,
    ) -> Result<ClusterEntry> {
        match name {
            Some(name) => self.registry.find(&name),
            None => self.registry.find(&current.map_err(Clone::clone)?),
        }
    }
}

async fn quorum_info(entry: &ClusterEntry) -> Result<QuorumInfo> {
    let database = database::open(&entry.database, Arc::new(SystemClock))?;
    let mut notices = database.notices().await?;
    let state = match database.read(CLUSTER_KEY).await {
        Ok(found) if !found.entries.is_empty() => "Online",
        Ok(_) => {
            notices.push(format!("{} holds no cluster", entry.database));
            "Failed"
        }
        Err(error) => {
            notices.push(error.message);
            "Failed"
        }
    };
    Ok(QuorumInfo {
        cluster: entry.name.clone(),
        quorum: entry.database.to_string(),
        state: state.to_owned(),
        notices,
    })
}

/// Removes the database of a cluster, and the folder of its quorum disk.
pub(super) async fn remove(entry: &ClusterEntry) -> Result<()> {
    match &entry.database {
        Location::Sqlite(path) if !path.starts_with(&entry.path) => remove_file(path)?,
        Location::Sqlite(_) => {}
        Location::Etcd(etcd) => {
            let database = EtcdDatabase::open(etcd.clone(), Arc::new(SystemClock))?;
            database.destroy().await?;
        }
    }
    folder::remove_tree(&entry.path.join("quorum"))
}

/// A database file elsewhere, and nothing else that lies there.
fn remove_file(path: &Path) -> Result<()> {
    for suffix in BESIDE {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        folder::remove_durably(&PathBuf::from(name))?;
    }
    Ok(())
}
