//! Resource types: how one kind of resource is brought online and taken offline.
//!
//! One file per type behind one trait. The names of the entry points are those of failover clustering
//! (open, online, offline, terminate, looks alive, is alive, close). A type knows nothing of groups,
//! owners or policies: the agent calls it in dependency order and tells it all it may know.
//!
//! ```text
//!  agent ── online/offline/terminate/looks_alive/is_alive ──> PhysicalDisk        a folder or a device, by epoch
//!        <── provides, steps, failed ──                        IpAddress           an address
//!                                                              NetworkName         a name
//!                                                              MessageQueuing      a queue manager process
//!                                                              GenericApplication  any command
//!                                                              GenericService      a systemd unit
//!                                                              GenericScript       a program with verbs
//!                                                              OcfAgent            what Pacemaker can run
//!        ── describe, check_properties ──> what only a node can tell of a type
//! ```
//!
//! What each type requires of the configuration is not here: it is data of the cluster's policy.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

mod fence;
mod generic_application;
mod generic_script;
mod generic_service;
mod hold;
mod ip_address;
mod message_queuing;
mod message_queuing_triggers;
mod network_name;
mod ocf;
mod physical_disk;
mod queue_manager_status;
#[cfg(test)]
mod stories;
mod supervised;
mod transaction_coordinator;

pub use fence::fence_process;
pub use generic_application::GenericApplication;
pub use generic_script::GenericScript;
pub use generic_service::GenericService;
pub use hold::{HOLD_FILE, Hold};
pub use ip_address::IpAddress;
pub use message_queuing::MessageQueuing;
pub use message_queuing_triggers::MessageQueuingTriggers;
pub use network_name::NetworkName;
pub use ocf::OcfAgent;
pub use physical_disk::PhysicalDisk;
pub use transaction_coordinator::TransactionCoordinator;

/// What an entry point will answer.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// What a resource may know when it comes online.
#[derive(Clone, Debug)]
pub struct Context {
    /// The cluster's name.
    pub cluster: String,
    /// This node's name.
    pub node: String,
    /// This node's data folder.
    pub data: PathBuf,
    /// The resource's name.
    pub resource: String,
    /// The group's name.
    pub group: String,
    /// The group's epoch: the fencing token of everything the resource writes. 0 for what belongs to no group: it takes
    /// the next one that its store has not seen.
    pub epoch: u64,
    /// The resource's private properties.
    pub parameters: BTreeMap<String, String>,
    /// What the resources it depends on (also indirectly) provide, by [`Provides`] of each.
    pub provided: Provided,
    /// How to start this program again in another role: the program and its leading arguments.
    pub program: Vec<PathBuf>,
    /// Installed subcomponents of Message Queuing on this node.
    pub features: Vec<String>,
    /// How a former owner that hangs on this machine is ended.
    pub fencing: Fencing,
    /// Where lines for the cluster log go.
    pub log: LogSink,
}

/// Takes a line for the cluster log: level (`ERR`, `WARN`, `INFO`, `DBG`) and text.
#[derive(Clone)]
pub struct LogSink(pub Arc<TakeLine>);

/// What a [`LogSink`] calls.
pub type TakeLine = dyn Fn(&str, String) + Send + Sync;

impl std::fmt::Debug for LogSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogSink")
    }
}

/// How a former owner that hangs on this machine is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fencing {
    /// By SIGKILL, as a power switch would.
    Kill,
    /// Not at all: only the epoch in the store keeps it out.
    Storage,
}

/// What the providers of a resource give it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provided {
    /// The folder of the Physical Disk.
    pub disk: Option<PathBuf>,
    /// The address of the IP Address.
    pub address: Option<std::net::IpAddr>,
    /// The name of the Network Name.
    pub network_name: Option<String>,
    /// Where the queue manager of the MSMQ resource accepts clients.
    pub queue_manager: Option<std::net::SocketAddr>,
}

/// What coming online took, for the timeline of a failover.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnlineReport {
    /// What it now provides to its dependents; merged with what its own providers gave.
    pub provides: Provided,
    /// Named steps with their duration in milliseconds: `replayed`, `listening` …
    pub steps: Vec<(String, f64)>,
}

/// A resource on this node. Its entry points are called one at a time, except `watch`.
pub trait Resource: Send {
    /// Brings it online; returns when it works, not before.
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport>;

    /// Takes it offline in order.
    fn offline(&mut self) -> Answer<'_, ()>;

    /// Ends it at once, whatever it is doing; leaves nothing running. Does not fail.
    fn terminate(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// A cheap check.
    fn looks_alive(&mut self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// A thorough check.
    fn is_alive(&mut self) -> Answer<'_, ()> {
        self.looks_alive()
    }

    /// Completes with the reason when it fails by itself (its process ended). By event, not by polling.
    /// Called after a successful `online`; dropped before `offline`.
    fn failed(&mut self) -> Pin<Box<dyn Future<Output = String> + Send>> {
        Box::pin(std::future::pending())
    }

    /// The owner's lease was renewed: it is valid until this time of the boot clock. A resource that
    /// relies on a deadline instead of a coherent file system passes it on (DESIGN.md D3b).
    fn lease_renewed(&mut self, until: std::time::Duration) {
        let _ = until;
    }
}

/// A resource of the type of this name, as the configuration spells it; none if there is no such type.
#[must_use]
pub fn create(type_name: &str) -> Option<Box<dyn Resource>> {
    if let Some((provider, agent)) = ocf_agent(type_name) {
        return Some(Box::new(OcfAgent::new(provider, agent)));
    }
    Some(match type_name {
        "Physical Disk" => Box::new(PhysicalDisk::default()),
        "IP Address" => Box::new(IpAddress::default()),
        "Network Name" => Box::new(NetworkName),
        "MSMQ" => Box::new(MessageQueuing::default()),
        "MSMQTriggers" => Box::new(MessageQueuingTriggers),
        "Distributed Transaction Coordinator" => Box::new(TransactionCoordinator),
        "Generic Application" => Box::new(GenericApplication::default()),
        "Generic Service" => Box::new(GenericService::default()),
        "Generic Script" => Box::new(GenericScript::default()),
        _ => return None,
    })
}

/// `ocf:PROVIDER:AGENT`, as the configuration spells it.
fn ocf_agent(type_name: &str) -> Option<(&str, &str)> {
    type_name.strip_prefix("ocf:")?.split_once(':')
}

/// What a type says about itself where its properties are not built in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// In a line.
    pub summary: String,
    /// Each property in a line.
    pub properties: Vec<String>,
}

/// What an OCF agent of this node says about itself.
///
/// # Errors
/// `ResourceTypeNotFound` for a type that is none; `DeviceNotReady` when this node does not have it.
pub async fn describe(type_name: &str) -> Result<Description> {
    let Some((provider, agent)) = ocf_agent(type_name) else {
        let text = format!("{type_name:?} is no OCF agent");
        return Err(Error::new(ErrorKind::ResourceTypeNotFound, text)
            .hint("they are named ocf:PROVIDER:AGENT, for example ocf:heartbeat:Filesystem"));
    };
    Ok(ocf::meta_data(provider, agent).await?.into())
}

/// Looks at the properties that a resource of a type shall have as only a node can: what an OCF agent
/// takes, what lies under a disk's path.
///
/// # Errors
/// `InvalidParameter`; `DeviceNotReady` when this node does not have the agent.
pub async fn check_properties(
    type_name: &str,
    properties: &BTreeMap<String, String>,
) -> Result<()> {
    if let Some((provider, agent)) = ocf_agent(type_name) {
        return ocf::meta_data(provider, agent)
            .await?
            .check_given(properties);
    }
    let set = |wanted: &str| {
        let found = properties
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.clone())
    };
    match (type_name, set("DiskPath"), set("Device")) {
        ("Physical Disk", Some(path), None) => {
            blocking(move || physical_disk::check_path(&PathBuf::from(path)).map(drop)).await
        }
        _ => Ok(()),
    }
}

impl Context {
    /// A private property, by its name in any case; none if it is unset or empty.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.trim().is_empty())
    }

    /// A private property that must be there.
    ///
    /// # Errors
    /// `InvalidParameter` with how to set it.
    pub fn required(&self, name: &str) -> Result<&str> {
        self.parameter(name).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidParameter,
                format!("resource {:?} has no {name}", self.resource),
            )
            .hint(format!(
                "Set-ClusterParameter {:?} -Name {name} -Value …",
                self.resource
            ))
        })
    }

    /// A private property that is a number.
    ///
    /// # Errors
    /// `InvalidParameter` when it is none.
    pub fn number(&self, name: &str, default: u32) -> Result<u32> {
        let Some(text) = self.parameter(name) else {
            return Ok(default);
        };
        text.trim().parse().map_err(|_| {
            Error::new(
                ErrorKind::InvalidParameter,
                format!(
                    "{name} of resource {:?} is {text:?}, not a number",
                    self.resource
                ),
            )
            .hint("give a whole number from 0 to 4294967295")
        })
    }

    /// The complaint about a provider that is not below this resource.
    #[must_use]
    pub fn lacks(&self, provider: &str) -> Error {
        Error::new(
            ErrorKind::DependencyNotFound,
            format!("resource {:?} depends on no {provider}", self.resource),
        )
        .hint(format!(
            "Add-ClusterResourceDependency {:?} -Provider …",
            self.resource
        ))
    }

    /// What a program of the operator's may know, by its environment.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let provided = &self.provided;
        let text = |value: Option<String>| value.unwrap_or_default();
        [
            ("HAMQ_CLUSTER", self.cluster.clone()),
            ("HAMQ_NODE", self.node.clone()),
            ("HAMQ_GROUP", self.group.clone()),
            ("HAMQ_RESOURCE", self.resource.clone()),
            ("HAMQ_EPOCH", self.epoch.to_string()),
            (
                "HAMQ_SETTINGS",
                self.data.join("settings").display().to_string(),
            ),
            (
                "HAMQ_DISK",
                text(provided.disk.as_ref().map(|d| d.display().to_string())),
            ),
            (
                "HAMQ_ADDRESS",
                text(provided.address.map(|a| a.to_string())),
            ),
            ("HAMQ_NETWORK_NAME", text(provided.network_name.clone())),
            (
                "HAMQ_QUEUE_MANAGER",
                text(provided.queue_manager.map(|a| a.to_string())),
            ),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// Writes a line to the cluster log.
    pub fn note(&self, level: &str, text: impl std::fmt::Display) {
        (self.log.0)(level, text.to_string());
    }
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) => Err(Error::new(
            ErrorKind::Internal,
            format!("a task of a resource ended: {e}"),
        )),
    }
}
