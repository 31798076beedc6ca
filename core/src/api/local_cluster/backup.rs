//! The cluster database to a file and back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lifecycle::check_down;
use super::{LocalClusters, plan};
use crate::api::backup::{BackupCluster, ClusterBackupInfo, RestoreCluster};
use crate::api::value::Time;
use crate::cluster::record::{CLUSTER_KEY, ClusterConfig, decode, encode};
use crate::cluster::restoration::{
    Memory, authoritative, check_cluster, epoch_floor, session_keys,
};
use crate::database::backup::{Backup, Row, interrupted, restore};
use crate::database::{self, Database, Location};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::folder;

impl LocalClusters {
    pub(super) async fn back_up(
        &self,
        command: BackupCluster,
        current: Result<String, &Error>,
    ) -> Result<ClusterBackupInfo> {
        let path = folder::absolute(&PathBuf::from(&command.path))?;
        let (_, database) = self.place(command.name, &command.quorum, current, false)?;
        let found = database.read(CLUSTER_KEY).await?;
        let row = found.entries.iter().find(|e| e.key == CLUSTER_KEY);
        let config = row.and_then(|e| decode::<ClusterConfig>(&e.value));
        let config = config.ok_or_else(|| {
            let text = format!("{} holds no cluster", database.location());
            Error::new(ErrorKind::ClusterNotFound, text).hint("Get-ClusterQuorum shows how it is")
        })?;
        let backup = Backup::take(&*database, &config.name, SystemClock.wall_ms()).await?;
        let bytes = backup.write(&path)?;
        Ok(info(&backup, &path, bytes))
    }

    pub(super) async fn restore(
        &self,
        command: RestoreCluster,
        current: Result<String, &Error>,
    ) -> Result<ClusterBackupInfo> {
        let path = folder::absolute(&PathBuf::from(&command.path))?;
        let (backup, bytes) = Backup::read(&path)?;
        let (name, database) = self.place(command.name, &command.quorum, current, true)?;
        let own = backup.rows.iter().find(|row| row.key == CLUSTER_KEY);
        let name = name.unwrap_or_else(|| backup.cluster.clone());
        check_cluster(own.map(|row| row.value.as_slice()), &name)?;
        replace(&*database, &backup).await?;
        Ok(info(&backup, &path, bytes))
    }

    /// The database that a command means, with the cluster's name where it is known.
    pub(super) fn place(
        &self,
        name: Option<String>,
        quorum: &[String],
        current: Result<String, &Error>,
        stopped: bool,
    ) -> Result<(Option<String>, Arc<dyn Database>)> {
        let clock = Arc::new(SystemClock);
        let for_prefix = name.clone().unwrap_or_default();
        if let Some(location) = plan::location(quorum, &for_prefix)? {
            return Ok((name, database::open(&location, clock)?));
        }
        let entry = self.named(name, current)?;
        if stopped {
            check_down(&entry)?;
        }
        let database =
            database::open(&entry.database, clock).map_err(|e| damaged(e, &entry.database))?;
        Ok((Some(entry.name), database))
    }
}

/// Everything of the database by what is in the backup, with epochs above all that were ever given.
async fn replace(database: &dyn Database, backup: &Backup) -> Result<()> {
    let found = database.read("").await?;
    let before = found
        .entries
        .iter()
        .map(|e| (e.key.as_str(), e.value.as_slice()));
    let rows = backup
        .rows
        .iter()
        .map(|r| (r.key.as_str(), r.value.as_slice()));
    let floor = epoch_floor(before.chain(rows), interrupted(&found));
    let rows = backup.rows.iter().map(|r| (r.key.clone(), r.value.clone()));
    let rows = authoritative(rows.collect(), floor);
    let rows: Vec<Row> = rows
        .into_iter()
        .map(|(key, value)| Row { key, value })
        .collect();
    let keys = found.entries.iter().map(|e| e.key.as_str());
    let sessions = session_keys(keys.chain(rows.iter().map(|r| r.key.as_str())));
    let memory = encode(&Memory { epoch_floor: floor });
    restore(database, &rows, CLUSTER_KEY, &sessions, memory).await
}

fn damaged(error: Error, location: &Location) -> Error {
    match location {
        Location::Sqlite(path) if error.kind == ErrorKind::StoreDamaged => error.hint(format!(
            "move {} away, with the files beside it, and give the command again",
            path.display()
        )),
        _ => error,
    }
}

fn info(backup: &Backup, path: &Path, bytes: u64) -> ClusterBackupInfo {
    let count = |prefix: &str| {
        let rows = backup.rows.iter();
        rows.filter(|row| row.key.starts_with(prefix)).count() as u64
    };
    ClusterBackupInfo {
        cluster: backup.cluster.clone(),
        taken: Time(backup.taken_ms),
        revision: backup.revision,
        quorum: backup.location.clone(),
        rows: backup.rows.len() as u64,
        groups: count("/group/"),
        resources: count("/resource/"),
        bytes,
        path: path.display().to_string(),
    }
}
