//! Where a fault would strike: the group's owner, its processes, its disk, and who depends on them.

use std::path::{Path, PathBuf};

use super::victims::Victims;
use super::wait::find_group;
use crate::api::client::Client;
use crate::api::cluster::GetCluster;
use crate::api::group::GetClusterGroup;
use crate::api::node::{GetClusterNode, NodeInfo};
use crate::api::parameter::GetClusterParameter;
use crate::api::queue_manager::GetMsmqCounter;
use crate::api::resource::GetClusterResource;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::mount;

/// What must be known to make a fault, or to say what it would hit.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    /// The group.
    pub(super) group: String,
    /// The node that owns it.
    pub(super) owner: String,
    /// All groups that this node owns.
    pub(super) groups_of_owner: Vec<String>,
    /// Nodes that are up beside the owner.
    pub(super) others_up: usize,
    /// The processes; or why they cannot be hit from here.
    pub(super) victims: Result<Victims>,
    /// The virtual server's name.
    pub(super) server: Option<String>,
    /// Sessions with its queue manager.
    pub(super) sessions: Option<u64>,
    /// The folder of the group's disk.
    pub(super) disk: Option<PathBuf>,
    /// Whether that is a file system of its own.
    pub(super) disk_is_own: bool,
    /// Milliseconds of silence until a node is suspected.
    pub(super) suspect_ms: u64,
    /// Milliseconds of a node's lease.
    pub(super) lease_ms: u64,
}

impl Scene {
    /// Looks at a group.
    ///
    /// # Errors
    /// `GroupNotFound`; `InvalidState` when nobody owns it.
    pub(super) fn of(client: &Client, group: &str) -> Result<Self> {
        let info = find_group(client, group)?;
        let owner = info.owner_node.ok_or_else(|| {
            Error::new(ErrorKind::InvalidState, format!("no node owns {group}"))
                .hint("bring it online first: Start-ClusterGroup")
        })?;
        let groups = client.run(GetClusterGroup { name: None })?;
        let of_owner = groups
            .into_iter()
            .filter(|g| g.owner_node.as_deref() == Some(owner.as_str()));
        let nodes = client.run(GetClusterNode { name: None })?;
        let up = nodes.iter().filter(|n| n.state == "Up" && n.name != owner);
        let server = private_property(client, &info.name, "Network Name", "Name")?;
        let disk = private_property(client, &info.name, "Physical Disk", "DiskPath")?;
        let disk = disk.map(PathBuf::from);
        let cluster = client.run(GetCluster {
            name: client.cluster(),
        });
        let cluster = cluster.ok().and_then(|found| found.into_iter().next());
        Ok(Self {
            groups_of_owner: of_owner.map(|g| g.name).collect(),
            others_up: up.count(),
            victims: victims(&nodes, &owner, &info.name),
            sessions: server
                .as_deref()
                .and_then(|server| sessions(client, server)),
            disk_is_own: disk.as_deref().is_some_and(is_own_file_system),
            suspect_ms: cluster
                .as_ref()
                .map_or(0, |c| c.same_subnet_delay * c.same_subnet_threshold),
            lease_ms: cluster.as_ref().map_or(0, |c| c.lease_ttl),
            group: info.name,
            owner,
            server,
            disk,
        })
    }

    /// The folder of the group's disk, where it may be filled.
    ///
    /// # Errors
    /// `UnsupportedOperation` with the reason.
    pub(super) fn own_disk(&self) -> Result<PathBuf> {
        let disk = self.any_disk()?;
        if self.disk_is_own {
            return Ok(disk);
        }
        let text = format!(
            "the disk of {} ({}) shares its file system with the rest of this machine",
            self.group,
            disk.display()
        );
        Err(Error::new(ErrorKind::UnsupportedOperation, text)
            .hint("mount a file system of its own at that folder; SlowDisk works without"))
    }

    /// The folder of the group's disk.
    ///
    /// # Errors
    /// `UnsupportedOperation` when there is none.
    pub(super) fn any_disk(&self) -> Result<PathBuf> {
        let here = self.disk.clone().filter(|disk| disk.is_dir());
        here.ok_or_else(|| {
            let text = format!("{} has no disk with a folder on this machine", self.group);
            Error::new(ErrorKind::UnsupportedOperation, text)
                .hint("Get-ClusterResource shows whether it has a Physical Disk")
        })
    }
}

fn victims(nodes: &[NodeInfo], owner: &str, group: &str) -> Result<Victims> {
    let node = nodes
        .iter()
        .find(|node| node.name.eq_ignore_ascii_case(owner));
    let down = || Error::new(ErrorKind::NodeDown, format!("node {owner} is not running"));
    let agent = node.and_then(|node| node.process_id).ok_or_else(down)?;
    let agent = u32::try_from(agent)
        .map_err(|_| Error::new(ErrorKind::Internal, "a process number is out of range"))?;
    Victims::of(agent, owner, group)
}

/// A private property of the group's first resource of a type.
fn private_property(
    client: &Client,
    group: &str,
    resource_type: &str,
    property: &str,
) -> Result<Option<String>> {
    let resources = client.run(GetClusterResource {
        name: None,
        group: Some(group.to_owned()),
    })?;
    let Some(resource) = resources
        .into_iter()
        .find(|r| r.resource_type == resource_type)
    else {
        return Ok(None);
    };
    let found = client.run(GetClusterParameter {
        resource: resource.name,
        name: Some(property.to_owned()),
    })?;
    Ok(found
        .into_iter()
        .next()
        .map(|p| p.value)
        .filter(|value| !value.is_empty()))
}

fn sessions(client: &Client, server: &str) -> Option<u64> {
    let found = client.run(GetMsmqCounter {
        computer: server.to_owned(),
        instance: None,
        counter: Some("Sessions".to_owned()),
    });
    Some(found.ok()?.first()?.value)
}

fn is_own_file_system(folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else {
        return false;
    };
    let mounts = mount::mounts().unwrap_or_default();
    mount::covering(&mounts, &folder).is_some_and(|mount| mount.point == folder)
}
