//! Who holds a disk: a record in its folder, stamped with the owner's epoch.
//!
//! The record outlives its holder: an older epoch is refused for good, also after a release. Format:
//! JSON, `.hamq-hold` in the folder, replaced whole and durably.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;
use crate::sys::process::{Presence, ProcessIdentity};

/// The name of the record in the disk's folder.
pub const HOLD_FILE: &str = ".hamq-hold";

/// The record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Format version, 1.
    pub format: u32,
    /// The cluster.
    pub cluster: String,
    /// The group.
    pub group: String,
    /// The resource.
    pub resource: String,
    /// The owner's epoch.
    pub epoch: u64,
    /// The owner's node.
    pub node: String,
    /// The agent that holds it; none after a release.
    pub holder: Option<ProcessIdentity>,
}

/// What a record means for who wants to hold the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody holds it, or we do.
    Free,
    /// A former owner of the same resource may still be there.
    Former(ProcessIdentity),
    /// A newer owner has it.
    Fenced,
    /// It belongs to another resource or cluster.
    Foreign(ProcessIdentity),
}

impl Hold {
    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join(HOLD_FILE)
    }

    /// The record in `folder`, if there is one.
    ///
    /// # Errors
    /// `StoreDamaged` when it cannot be read as one, and what the system says.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = Self::path(folder);
        let Some(bytes) = folder::read_if_there(&path)? else {
            return Ok(None);
        };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(hold) if hold.format == 1 => Ok(Some(hold)),
            _ => Err(Error::new(
                ErrorKind::StoreDamaged,
                format!("{} is no hold of a disk in format 1", path.display()),
            )
            .hint("make sure that nobody uses the disk, then remove the file")),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("encode a hold: {e}")))?;
        folder::write_durably(&Self::path(folder), &bytes)
    }

    /// What this record means for `wanted`, without looking at any process.
    pub(super) fn judge(&self, wanted: &Self) -> Verdict {
        let same = self.cluster.eq_ignore_ascii_case(&wanted.cluster)
            && self.resource.eq_ignore_ascii_case(&wanted.resource);
        if same && self.epoch > wanted.epoch {
            return Verdict::Fenced;
        }
        match &self.holder {
            None => Verdict::Free,
            Some(holder) if !same => Verdict::Foreign(holder.clone()),
            Some(holder) if Some(holder) == wanted.holder.as_ref() => Verdict::Free,
            Some(holder) => Verdict::Former(holder.clone()),
        }
    }

    /// As `judge`, but who has ended no longer matters.
    pub(super) fn judge_now(&self, wanted: &Self) -> Verdict {
        match self.judge(wanted) {
            Verdict::Former(holder) | Verdict::Foreign(holder)
                if holder.presence() == Presence::Gone =>
            {
                Verdict::Free
            }
            verdict => verdict,
        }
    }

    /// Nothing but the holder's process counts for being the same hold.
    pub(super) fn is_same_ownership(&self, other: &Self) -> bool {
        self.holder == other.holder && self.epoch == other.epoch && self.resource == other.resource
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32) -> ProcessIdentity {
        ProcessIdentity {
            pid,
            start_time: 7,
            boot_id: "b".to_owned(),
            pid_namespace: 1,
        }
    }

    fn hold(cluster: &str, resource: &str, epoch: u64, holder: Option<u32>) -> Hold {
        Hold {
            format: 1,
            cluster: cluster.to_owned(),
            group: "VS1".to_owned(),
            resource: resource.to_owned(),
            epoch,
            node: "n1".to_owned(),
            holder: holder.map(process),
        }
    }

    #[test]
    fn each_record_has_exactly_one_meaning() {
        let wanted = hold("lab", "Disk", 5, Some(50));
        for (recorded, verdict) in [
            (hold("lab", "Disk", 4, None), Verdict::Free),
            (hold("lab", "Disk", 5, Some(50)), Verdict::Free),
            (hold("LAB", "disk", 4, Some(50)), Verdict::Free),
            (
                hold("lab", "Disk", 4, Some(40)),
                Verdict::Former(process(40)),
            ),
            (
                hold("lab", "Disk", 5, Some(40)),
                Verdict::Former(process(40)),
            ),
            (hold("lab", "Disk", 6, Some(40)), Verdict::Fenced),
            (hold("lab", "Disk", 6, None), Verdict::Fenced),
            (
                hold("lab", "Other", 9, Some(50)),
                Verdict::Foreign(process(50)),
            ),
            (
                hold("office", "Disk", 1, Some(40)),
                Verdict::Foreign(process(40)),
            ),
            (hold("office", "Disk", 9, None), Verdict::Free),
        ] {
            assert_eq!(recorded.judge(&wanted), verdict, "{recorded:?}");
        }
    }
}
