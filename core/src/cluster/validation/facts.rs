//! What checks look at. Nodes and the database fill it in; nothing here decides.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cluster::record::{ResourceConfig, fold};
use crate::cluster::resource_type;
use crate::cluster::view::View;

/// Everything that was gathered.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The configuration and the published states.
    pub view: View,
    /// The cluster database.
    pub database: DatabaseFacts,
    /// What nodes told, by lower-case name.
    pub nodes: BTreeMap<String, NodeFacts>,
    /// Why nodes did not answer, by lower-case name.
    pub silent: BTreeMap<String, String>,
    /// The wall clock where the facts were gathered.
    pub now_ms: u64,
}

/// What one node tells of the whole cluster.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Keys, values and versions of the database's rows.
    pub rows: Vec<(String, Vec<u8>, u64)>,
    /// The revision they were read at.
    pub revision: u64,
    /// The database.
    pub database: DatabaseFacts,
}

/// The cluster database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFacts {
    /// Where it lies.
    pub location: String,
    /// How many members it has, where it is etcd.
    pub etcd_members: Option<usize>,
    /// What is known against it.
    pub notices: Vec<String>,
    /// How long a read of everything took.
    pub read_ms: u64,
}

/// What a node tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Its name.
    pub node: String,
    /// The version of the program.
    pub version: String,
    /// The program file's length; none when it was replaced or removed under the running agent.
    pub program_bytes: Option<u64>,
    /// `6.1.0-18-amd64`.
    pub kernel: String,
    /// `x86_64`.
    pub architecture: String,
    /// The machine's own name.
    pub host_name: String,
    /// Of the running kernel: nodes with the same share a machine.
    pub boot_id: String,
    /// Processors that the agent may use.
    pub processors: u64,
    /// The machine's memory in bytes.
    pub memory_total: u64,
    /// What of it is to be had without swapping.
    pub memory_available: u64,
    /// Descriptors that a process may open.
    pub descriptors_max: u64,
    /// Processes that the user may have.
    pub processes_max: u64,
    /// Load of the last minute in hundredths.
    pub load_hundredths: u64,
    /// `tsc`.
    pub clock_source: String,
    /// How far its wall clock is ahead of the gatherer's; negative: behind.
    pub skew_ms: i64,
    /// How far that may be wrong: half of the time the question took.
    pub skew_error_ms: u64,
    /// How far the wall clock moved against the boot clock while facts were gathered.
    pub clock_step_ms: u64,
    /// Time the machine slept since it was started.
    pub suspended_ms: u64,
    /// Its wall clock, when everything had been gathered.
    pub wall_ms: u64,
    /// How long that took.
    pub gathering_ms: u64,
    /// The agent's process.
    pub pid: u32,
    /// The user it runs as.
    pub user_id: u32,
    /// It may change addresses (CAP_NET_ADMIN).
    pub may_set_addresses: bool,
    /// It has a certificate of the cluster.
    pub has_certificate: bool,
    /// Where it listens.
    pub address: String,
    /// All addresses of its interfaces.
    pub addresses: Vec<String>,
    /// Those that another machine was found to have too.
    pub duplicates: Vec<String>,
    /// Addresses can be bound that no interface has.
    pub binds_anything: bool,
    /// The ports that the system gives to outgoing connections.
    pub ephemeral_ports: Option<(u16, u16)>,
    /// Who listens at the agent's ports, by port.
    pub listeners: BTreeMap<u16, String>,
    /// Who listens at a queue manager's ports on the addresses of IP Address resources, by address and port.
    pub address_listeners: BTreeMap<String, String>,
    /// Folders: its own, the quorum disk, and those of Physical Disk resources.
    pub volumes: Vec<VolumeFacts>,
    /// Queue managers that work on disks of this cluster.
    pub queue_managers: Vec<ProcessFacts>,
    /// Services that start a queue manager of the node by themselves at boot.
    pub automatic_services: Vec<String>,
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessFacts {
    /// Its number.
    pub pid: u32,
    /// Those of its parent and its parent's parents.
    pub ancestors: Vec<u32>,
    /// What it works on.
    pub store: String,
}

/// What a folder is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeUse {
    /// The agent's own data.
    #[default]
    Agent,
    /// The cluster database.
    Quorum,
    /// The disk of this Physical Disk resource.
    Disk(String),
}

/// A folder and the file system below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeFacts {
    /// What for.
    pub used_as: VolumeUse,
    /// Where.
    pub path: String,
    /// There is something at that path.
    pub exists: bool,
    /// It is a folder.
    pub is_folder: bool,
    /// The nearest folder above is there, so that it can be made.
    pub can_be_made: bool,
    /// Permission bits.
    pub mode: u32,
    /// Its owner.
    pub user_id: u32,
    /// The epoch of the group that its hold record names.
    pub hold_epoch: Option<u64>,
    /// Cluster and group that its hold record names.
    pub hold_of: Option<(String, String)>,
    /// `ext4`.
    pub file_system: String,
    /// What is mounted there.
    pub device: String,
    /// Mount options.
    pub options: Vec<String>,
    /// Bytes that can be written.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
    /// Files that can be made; none where the file system has no such number.
    pub files_free: Option<u64>,
    /// What a trial in a temporary file showed; none where it was not made.
    pub trial: Option<SyncFacts>,
    /// Why the trial failed.
    pub trial_error: Option<String>,
}

/// What writing, syncing, renaming and locking a temporary file showed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncFacts {
    /// Median of write and fdatasync, in microseconds.
    pub median_us: u64,
    /// The slowest.
    pub max_us: u64,
    /// A renamed file was found under its new name with its content, and not under the old one.
    pub renames: bool,
    /// A second lock was refused while the first was held.
    pub locks: bool,
}

impl VolumeFacts {
    /// For findings: `/srv/vs1 (VS1-Disk)`.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.used_as {
            VolumeUse::Agent => format!("{} (agent)", self.path),
            VolumeUse::Quorum => format!("{} (quorum)", self.path),
            VolumeUse::Disk(resource) => format!("{} ({resource})", self.path),
        }
    }
}

impl Facts {
    /// The nodes' volumes that are there.
    pub(super) fn volumes(&self) -> impl Iterator<Item = (&NodeFacts, &VolumeFacts)> {
        let all = self.nodes.values();
        all.flat_map(|n| n.volumes.iter().map(move |v| (n, v)))
            .filter(|(_, v)| v.exists)
    }

    /// The resources of a type.
    pub(super) fn of_type(&self, name: &str) -> impl Iterator<Item = &ResourceConfig> {
        let rule = resource_type::find(name).map(|r| r.name);
        let all = self.view.resources.values().map(|r| &r.row);
        all.filter(move |r| resource_type::find(&r.resource_type).map(|t| t.name) == rule)
    }

    /// The MSMQ resource of a group.
    pub(super) fn msmq_of(&self, group: &str) -> Option<&ResourceConfig> {
        self.of_type("MSMQ").find(|r| fold(&r.group) == fold(group))
    }

    /// Whether every node listens on loopback: the cluster lives on one machine.
    pub(super) fn is_loopback(&self) -> bool {
        let mut nodes = self.view.nodes.values();
        nodes.all(|n| {
            let host = n.address.parse::<std::net::SocketAddr>().map(|a| a.ip());
            let host = host.or_else(|_| n.address.parse::<std::net::IpAddr>());
            host.is_ok_and(|ip| ip.is_loopback())
        })
    }

    /// The nodes that every resource of a group may be on.
    pub(super) fn possible_nodes(&self, group: &str) -> Vec<String> {
        let admits = |node: &str| {
            self.view.resources_of(group).all(|(_, r)| {
                r.possible_owners.is_empty()
                    || r.possible_owners.iter().any(|o| fold(o) == fold(node))
            })
        };
        let nodes = self.view.nodes.values().map(|n| n.name.clone());
        nodes.filter(|n| admits(n)).collect()
    }
}
