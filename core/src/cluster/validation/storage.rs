//! Storage: the folders of nodes, of the quorum and of virtual servers.

use super::check::{Check, check};
use super::facts::{Facts, NodeFacts, VolumeFacts, VolumeUse};
use super::verdict::Finding;
use crate::cluster::record::fold;

/// Less than this and a store has no room to work.
const FREE_FAILED: u64 = 64 << 20;
/// Less than this is soon less.
const FREE_WARNING: u64 = 1 << 30;
const FILES_FREE_MIN: u64 = 1000;
/// No storage that keeps what it is told to keep is that fast over the whole path of a sync.
const SYNC_US_HONEST: u64 = 20;
/// The reference's marks for a sync: alarm, critical.
const SYNC_US_ALARM: u64 = 10_000;
const SYNC_US_CRITICAL: u64 = 100_000;
/// Where data does not survive the machine.
const VOLATILE: [&str; 3] = ["tmpfs", "ramfs", "overlay"];
/// File systems that several machines share.
const SHARED: [&str; 9] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "ceph",
    "gfs2",
    "ocfs2",
    "fuse.glusterfs",
    "fuse.ceph",
];
/// Options that give up durability.
const UNSAFE_OPTIONS: [&str; 6] = [
    "nobarrier",
    "barrier=0",
    "data=writeback",
    "soft",
    "nolock",
    "recover_lost_locks",
];

pub(super) const CHECKS: &[Check] = &[
    check(
        "Validate Storage Folders",
        "The folder of each disk exists or can be made where its group may be.",
        "1.4",
        folders,
    ),
    check(
        "Validate Storage Access",
        "The agent can write there.",
        "seed: Troubleshooting, missing rights",
        access,
    ),
    check(
        "Validate Storage Owners",
        "Folders belong to the user that the agent runs as.",
        "seed: Troubleshooting, missing rights",
        owners,
    ),
    check(
        "Validate Storage Permissions",
        "Nobody else can write into the folders.",
        "1.11",
        permissions,
    ),
    check(
        "Validate Mounted Writable",
        "No file system is mounted read-only.",
        "3.7",
        writable,
    ),
    check(
        "Validate File Systems",
        "Data lies where it survives the machine.",
        "3.6",
        file_systems,
    ),
    check(
        "Validate Mount Options",
        "No mount option gives up durability or locks.",
        "3.6",
        options,
    ),
    check(
        "Validate Free Space",
        "There is room to work.",
        "3.7",
        space,
    ),
    check(
        "Validate Free Files",
        "More files can be made.",
        "3.7",
        files,
    ),
    check(
        "Validate Sync Honesty",
        "A sync takes the time that storage needs: one that takes none is suspected.",
        "3.7, 6.2",
        honesty,
    ),
    check(
        "Validate Sync Latency",
        "A sync is quick enough for acknowledgements.",
        "3.7",
        latency,
    ),
    check(
        "Validate Rename Durability",
        "A renamed file is found with its content.",
        "6.2",
        renames,
    ),
    check(
        "Validate File System Locks",
        "A second lock is refused.",
        "3.6",
        locks,
    ),
    check(
        "Validate Disk Holders",
        "The record on each disk names its own cluster and group.",
        "3.4",
        holders,
    ),
    check(
        "Validate Disk Epochs",
        "No disk was written by an epoch that the cluster has not reached.",
        "3.4",
        epochs,
    ),
    check(
        "Validate Quorum Disk",
        "The SQLite database is not on a network file system.",
        "3.6",
        quorum,
    ),
    check(
        "Validate Shared Storage",
        "Nodes on several machines see the same disks.",
        "3.6",
        shared,
    ),
    check(
        "Validate Separate Storage",
        "Virtual servers do not keep messages in the folder of a node.",
        "1.4",
        separate,
    ),
];

/// One finding for each volume that is there, where the check has something to say.
fn each(
    facts: &Facts,
    look: impl Fn(&NodeFacts, &VolumeFacts, String) -> Option<Finding>,
) -> Vec<Finding> {
    let object = |n: &NodeFacts, v: &VolumeFacts| format!("{}: {}", n.node, v.title());
    facts
        .volumes()
        .filter_map(|(n, v)| look(n, v, object(n, v)))
        .collect()
}

fn folders(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for n in facts.nodes.values() {
        for v in &n.volumes {
            let object = format!("{}: {}", n.node, v.title());
            let fine = v.is_folder || (!v.exists && v.can_be_made);
            let detail = match v.exists {
                true => "it is no folder",
                false => "it is not there, and neither is the folder above it",
            };
            findings.push(
                Finding::failed(object, detail, "mount the disk, or correct DiskPath")
                    .unless(fine, "it is there, or can be made"),
            );
        }
    }
    findings
}

fn access(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        Some(match (&v.trial_error, &v.trial) {
            (Some(why), _) => Finding::failed(
                object,
                format!("a temporary file could not be used: {why}"),
                "give the agent's user the right to write there",
            ),
            (None, Some(_)) => {
                Finding::passed(object, "a temporary file was written, synced and removed")
            }
            (None, None) => return None,
        })
    })
}

fn owners(facts: &Facts) -> Vec<Finding> {
    each(facts, |n, v, object| {
        let detail = format!(
            "it belongs to user {}; the agent is user {}",
            v.user_id, n.user_id
        );
        Some(
            Finding::warning(object, detail, format!("chown it to user {}", n.user_id))
                .unless(v.user_id == n.user_id, "it belongs to the agent's user"),
        )
    })
}

fn permissions(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        let mode = format!("mode {:o}", v.mode & 0o7777);
        Some(
            Finding::warning(
                object,
                format!("{mode}: others can write there"),
                "chmod go-w",
            )
            .unless(v.mode & 0o022 == 0, mode),
        )
    })
}

fn writable(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        let read_only = v.options.iter().any(|o| o == "ro");
        Some(
            Finding::failed(
                object,
                format!("{} is mounted read-only", v.device),
                "look for an error of the device in the kernel's log; mount it again",
            )
            .unless(!read_only, "mounted for writing"),
        )
    })
}

fn file_systems(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        let lost = VOLATILE.contains(&v.file_system.as_str());
        Some(
            Finding::warning(
                object,
                format!(
                    "{}: what is there does not survive the machine",
                    v.file_system
                ),
                "use ext4 or xfs on a device",
            )
            .unless(!lost, &*v.file_system),
        )
    })
}

fn options(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        let bad: Vec<_> = v
            .options
            .iter()
            .map(String::as_str)
            .filter(|o| UNSAFE_OPTIONS.contains(o))
            .collect();
        Some(
            Finding::failed(
                object,
                format!("mounted with {}", bad.join(", ")),
                "mount it without: what was acknowledged could be lost",
            )
            .unless(bad.is_empty(), "nothing gives up durability"),
        )
    })
}

fn space(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        let detail = format!("{} MiB of {} MiB are free", v.free >> 20, v.total >> 20);
        let advice = "make room, or let the disk grow";
        Some(match v.free {
            free if free < FREE_FAILED => Finding::failed(object, detail, advice),
            free if free < FREE_WARNING => Finding::warning(object, detail, advice),
            _ => Finding::passed(object, detail),
        })
    })
}

fn files(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        let free = v.files_free?;
        let detail = format!("{free} more files can be made");
        Some(
            Finding::failed(
                object,
                &*detail,
                "remove files: segments cannot be made without",
            )
            .unless(free >= FILES_FREE_MIN, &*detail),
        )
    })
}

fn honesty(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        let sync = v.trial.as_ref()?;
        let detail = format!(
            "a write with fdatasync takes {} µs (median)",
            sync.median_us
        );
        let advice = "no device is that fast: look for a write cache without a battery, a virtual disk that ignores flushes, or a file system in memory";
        Some(
            Finding::warning(object, &*detail, advice)
                .unless(sync.median_us >= SYNC_US_HONEST, &*detail),
        )
    })
}

fn latency(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        let sync = v.trial.as_ref()?;
        let detail = format!(
            "a write with fdatasync takes {} µs (median), {} µs at most",
            sync.median_us, sync.max_us
        );
        let advice = "use a faster device, and keep other writers off it";
        Some(match sync.median_us {
            slow if slow > SYNC_US_CRITICAL => Finding::failed(object, detail, advice),
            slow if slow > SYNC_US_ALARM => Finding::warning(object, detail, advice),
            _ => Finding::passed(object, detail),
        })
    })
}

fn renames(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        let trial = v.trial.as_ref()?;
        Some(
            Finding::failed(
                object,
                "a renamed and synced file was not found as it was written",
                "do not use this file system",
            )
            .unless(trial.renames, "a renamed file was found with its content"),
        )
    })
}

fn locks(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        let trial = v.trial.as_ref()?;
        Some(
            Finding::failed(
                object,
                "a second lock was granted while the first was held",
                "mount it with locks; a disk without them can get two owners",
            )
            .unless(trial.locks, "a second lock was refused"),
        )
    })
}

/// The group of the Physical Disk that a volume is.
fn group_of<'a>(facts: &'a Facts, v: &VolumeFacts) -> Option<&'a str> {
    let VolumeUse::Disk(resource) = &v.used_as else {
        return None;
    };
    facts
        .view
        .resources
        .get(&fold(resource))
        .map(|r| r.group.as_str())
}

fn holders(facts: &Facts) -> Vec<Finding> {
    let own = facts.view.cluster.as_ref().map_or("", |c| c.name.as_str());
    each(facts, |_, v, object| {
        let group = group_of(facts, v)?;
        let (cluster, held) = v.hold_of.as_ref()?;
        let fine = fold(cluster) == fold(own) && fold(held) == fold(group);
        let detail = format!("it is held for group {held} of cluster {cluster}");
        Some(
            Finding::failed(
                object,
                &*detail,
                "two clusters or groups must not share a disk: choose another folder",
            )
            .unless(fine, &*detail),
        )
    })
}

fn epochs(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        let group = group_of(facts, v)?;
        let written = v.hold_epoch?;
        let known = facts.view.next_epoch(group).saturating_sub(1);
        let detail = format!("the disk was written by epoch {written}; the cluster is at {known}");
        Some(Finding::failed(object, &*detail, "the cluster database is older than the disk, as after a restore: no node can take the disk until the group's epoch passes it").unless(written <= known, &*detail))
    })
}

fn quorum(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        if v.used_as != VolumeUse::Quorum {
            return None;
        }
        let remote = SHARED.contains(&v.file_system.as_str());
        Some(
            Finding::failed(
                object,
                format!("{}: SQLite's locks do not hold there", v.file_system),
                "put it on a local disk, or use etcd",
            )
            .unless(!remote, &*v.file_system),
        )
    })
}

fn shared(facts: &Facts) -> Vec<Finding> {
    let mut machines = facts.nodes.values().map(|n| n.boot_id.as_str());
    let first = machines.next();
    if machines.all(|m| Some(m) == first) {
        return Vec::new();
    }
    each(facts, |_, v, object| {
        group_of(facts, v)?;
        let local = !SHARED.contains(&v.file_system.as_str());
        let seen = facts
            .volumes()
            .filter(|(_, o)| o.used_as == v.used_as && o.device == v.device)
            .count();
        let detail = format!("{} on {}, seen by {seen} node(s)", v.file_system, v.device);
        Some(Finding::warning(object, &*detail, "make sure that it is one disk for all nodes: messages on a local one stay behind at a failover").unless(!local, &*detail))
    })
}

fn separate(facts: &Facts) -> Vec<Finding> {
    each(facts, |_, v, object| {
        group_of(facts, v)?;
        let inside = |folder: &str| {
            v.path
                .strip_prefix(folder.trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let own = facts
            .nodes
            .values()
            .flat_map(|n| &n.volumes)
            .find(|o| o.used_as == VolumeUse::Agent && inside(&o.path));
        Some(match own {
            Some(o) => Finding::failed(
                object,
                format!("it lies in {}, which is a node's own", o.path),
                "give it a folder outside: removing the node removes its data",
            ),
            None => Finding::passed(object, "it lies outside of every node's own folder"),
        })
    })
}
