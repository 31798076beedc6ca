//! Commands on backups of the cluster database.

use super::spec::{command, record};
use super::value::Time;

record! {
    /// A backup of a cluster database.
    ClusterBackupInfo as "ClusterBackup", columns ["Cluster", "Path", "BackupTime", "Groups", "Resources", "Bytes"], {
        /// The cluster's name.
        cluster "Cluster": String,
        /// The file.
        path "Path": String,
        /// When it was taken.
        taken "BackupTime": Time,
        /// The database's revision at that time.
        revision "Revision": u64,
        /// Where the database lay.
        quorum "Quorum": String,
        /// Rows in it.
        rows "Rows": u64,
        /// Groups in it.
        groups "Groups": u64,
        /// Resources in it.
        resources "Resources": u64,
        /// The file's size.
        bytes "Bytes": u64,
    }
}

command! {
    /// Writes everything that is in the cluster database to a file, also while the cluster runs.
    ///
    /// The configuration, owners with their epochs, decisions and checkpoints are in it; messages are not: they lie on the
    /// disks of the virtual servers. The file is for its user alone: checkpoints may hold secrets.
    BackupCluster = "Backup-Cluster" => ClusterBackupInfo, at Client, risk Low, aliases [],
    {
        /// The new file.
        path "Path": String, position 0, completes File;
        /// The cluster's name; by default the one in use.
        name "Cluster": Option<String>, position 1, completes Cluster;
        /// Where the database lies, for a cluster that this machine does not know.
        quorum "Quorum": Vec<String>;
    }
    examples { "Backup-Cluster lab.backup" => "The cluster in use." }
}

command! {
    /// Replaces the cluster database of a stopped cluster by a backup.
    ///
    /// The restore is authoritative: epochs are raised by a million, so that no owner and no token of the time after the backup is
    /// believed, and every message store accepts its next owner. What changed since the backup is gone, except for messages.
    /// What was interrupted is completed by the same command; until then no node starts.
    RestoreCluster = "Restore-Cluster" => ClusterBackupInfo, at Client, risk High, aliases [],
    {
        /// The file.
        path "Path": String, position 0, completes File;
        /// The cluster's name; by default the one in use.
        name "Cluster": Option<String>, position 1, completes Cluster;
        /// Where the database lies, for a cluster that this machine does not know.
        quorum "Quorum": Vec<String>;
        /// Do not ask.
        force "Force": bool;
    }
    examples { "Restore-Cluster lab.backup lab -Force" => "Stop-Cluster lab comes before it." }
}
