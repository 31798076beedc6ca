//! A folder on a network file system: whether it keeps what a message store relies on.
//!
//! What the server does (`sync` exports, the length of its leases) cannot be seen from here; the mount can.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::mount::{Mount, covering, mounts};

/// Looks at the mount under a folder; answers what an operator should know.
///
/// # Errors
/// `InvalidParameter` for a mount that loses acknowledged messages or lets two owners write.
pub(in crate::resource_types) fn check_path(folder: &Path) -> Result<Vec<String>> {
    let all = mounts()?;
    covering(&all, folder).map_or_else(|| Ok(Vec::new()), |mount| judge(folder, mount))
}

fn judge(folder: &Path, mount: &Mount) -> Result<Vec<String>> {
    let refuse = |why: &str, hint: &str| {
        let text = format!(
            "{} is on {} ({}): {why}",
            folder.display(),
            mount.source,
            mount.file_system
        );
        Err(Error::new(ErrorKind::InvalidParameter, text).hint(hint))
    };
    match mount.file_system.as_str() {
        "nfs" | "nfs4" => match nfs_complaint(mount) {
            Some((why, hint)) => refuse(why, hint),
            None => Ok(nfs_warnings(mount)),
        },
        "fuse.glusterfs" => Ok(vec![format!(
            "{}: locks of GlusterFS are not relied upon; set Coherent=0 on the MSMQ resource, and have \
             three replicas or an arbiter",
            folder.display()
        )]),
        "cifs" | "smb3" | "fuse.sshfs" | "9p" | "virtiofs" | "vboxsf" | "fuse.rclone"
        | "fuse.s3fs" => refuse(
            "a sync there does not say that data is durable, or machines see it differently",
            "use a local disk, a block device, NFS 4.1 or CephFS",
        ),
        _ if mount.has("ro") => refuse("it is mounted read-only", "mount it rw"),
        _ => Ok(Vec::new()),
    }
}

fn nfs_complaint(mount: &Mount) -> Option<(&'static str, &'static str)> {
    let version: Vec<u32> = mount
        .value("vers")
        .or_else(|| mount.value("nfsvers"))
        .unwrap_or("3")
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    if version < vec![4, 1] {
        return Some((
            "locks of NFS before 4.1 never expire or are lost unseen",
            "mount it with vers=4.1 or later",
        ));
    }
    if !mount.has("hard") {
        return Some((
            "a soft mount gives up on writes that a program believes done",
            "mount it with hard",
        ));
    }
    if mount.has("nolock") || mount.value("local_lock").is_some_and(|v| v != "none") {
        return Some((
            "locks stay on this machine",
            "mount it without nolock and local_lock",
        ));
    }
    if mount.has("ro") {
        return Some(("it is mounted read-only", "mount it rw"));
    }
    None
}

fn nfs_warnings(mount: &Mount) -> Vec<String> {
    let recovers = std::fs::read_to_string("/sys/module/nfs/parameters/recover_lost_locks");
    let mut warnings = vec![format!(
        "{}: the server must export it with sync, and its nfsv4leasetime should be at most the cluster's \
         lease; set Coherent=0 on the MSMQ resource",
        mount.source
    )];
    if recovers.is_ok_and(|value| value.trim().eq_ignore_ascii_case("y")) {
        warnings.push(
            "nfs.recover_lost_locks is on: a lost lock is taken again unseen; turn it off"
                .to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(file_system: &str, options: &str) -> Mount {
        Mount {
            device: (0, 50),
            point: "/srv/shared".into(),
            file_system: file_system.to_owned(),
            source: "filer:/vol".to_owned(),
            options: options.to_owned(),
        }
    }

    #[test]
    fn each_mount_is_good_warned_about_or_refused_with_what_to_change() {
        for (file_system, options, part) in [
            ("nfs4", "rw,vers=4.0,hard", "before 4.1"),
            ("nfs", "rw,vers=3,hard", "before 4.1"),
            ("nfs4", "rw,hard", "before 4.1"),
            ("nfs4", "rw,vers=4.2,soft", "soft mount"),
            (
                "nfs4",
                "rw,vers=4.1,hard,local_lock=all",
                "stay on this machine",
            ),
            ("nfs4", "ro,vers=4.2,hard", "read-only"),
            ("cifs", "rw", "durable"),
            ("9p", "rw", "durable"),
            ("ext4", "ro", "read-only"),
        ] {
            let error =
                judge(Path::new("/srv/shared/vs1"), &mount(file_system, options)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidParameter);
            assert!(
                error.message.contains(part) && error.hint.is_some(),
                "{options}: {error}"
            );
        }
        for (file_system, options, warned) in [
            ("nfs4", "rw,vers=4.2,hard,local_lock=none", true),
            ("fuse.glusterfs", "rw", true),
            ("ceph", "rw", false),
            ("ext4", "rw", false),
            ("overlay", "rw", false),
        ] {
            let warnings = judge(Path::new("/srv/shared"), &mount(file_system, options)).unwrap();
            assert_eq!(!warnings.is_empty(), warned, "{file_system}");
        }
    }
}
