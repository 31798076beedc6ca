//! Resource types: how one kind of resource is brought online and taken offline.
//!
//! One file per type behind one trait. The names of the entry points are those of failover clustering
//! (open, online, offline, terminate, looks alive, is alive, close). A type knows nothing of groups,
//! owners or policies: the agent calls it in dependency order and tells it all it may know.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::Result;

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
    /// The group's epoch: the fencing token of everything the resource writes.
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
pub struct LogSink(pub Arc<dyn Fn(&str, String) + Send + Sync>);

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
