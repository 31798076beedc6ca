//! The clusters known on this machine: `<home>/clusters/NAME.json`, one file each, for people to read.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::agents::{AgentAddress, Agents};
use crate::database::Location;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;
use crate::sys::network::AGENT_PORT;
use crate::sys::process::ProcessIdentity;

/// What is known of a cluster without asking it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterEntry {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// Where its database lies.
    pub database: Location,
    /// Its nodes, in the order of their numbers.
    pub nodes: Vec<NodeEntry>,
    /// Heartbeat interval in milliseconds.
    pub same_subnet_delay: u64,
    /// Missed heartbeats until a node counts as down.
    pub same_subnet_threshold: u64,
    /// The node lease in milliseconds.
    pub lease_ttl: u64,
    /// `Kill` or `Storage`.
    pub fencing: String,
    /// Whether the nodes outlive the session that started them.
    pub detached: bool,
    /// Unix milliseconds.
    pub created_ms: u64,
}

/// A node of a local cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeEntry {
    /// Its name.
    pub name: String,
    /// The loopback address of its own.
    pub address: IpAddr,
    /// Its data folder.
    pub data: PathBuf,
    /// The process that was started last.
    pub process: Option<ProcessIdentity>,
}

impl NodeEntry {
    /// Where its agent listens.
    #[must_use]
    pub fn agent(&self) -> AgentAddress {
        AgentAddress {
            node: self.name.clone(),
            address: SocketAddr::new(self.address, AGENT_PORT),
        }
    }

    /// Whether the process that was started last is still there.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.as_ref().is_some_and(ProcessIdentity::is_alive)
    }
}

impl ClusterEntry {
    /// Its agents.
    #[must_use]
    pub fn agents(&self) -> Agents {
        Agents {
            cluster: self.name.clone(),
            nodes: self.nodes.iter().map(NodeEntry::agent).collect(),
            trust: super::trust::Trust::default(),
        }
    }

    /// The folder that stands for its shared storage: disks of virtual servers in it go with the cluster.
    #[must_use]
    pub fn disks(&self) -> PathBuf {
        self.path.join("disks")
    }

    /// What the addresses of its nodes have in common: `127.3.7`.
    #[must_use]
    pub fn subnet(&self) -> String {
        let first = self
            .nodes
            .first()
            .map(|node| node.address.to_string())
            .unwrap_or_default();
        first
            .rsplit_once('.')
            .map(|(subnet, _)| subnet.to_owned())
            .unwrap_or_default()
    }

    /// The node that is called `name`.
    ///
    /// # Errors
    /// `NodeNotFound` with the names there are.
    pub fn node(&self, name: &str) -> Result<&NodeEntry> {
        let found = self
            .nodes
            .iter()
            .find(|n| n.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            let names: Vec<_> = self.nodes.iter().map(|node| node.name.as_str()).collect();
            let text = format!("the cluster {} has no node {name}", self.name);
            Error::new(ErrorKind::NodeNotFound, text)
                .hint(format!("its nodes are {}", names.join(", ")))
        })
    }
}

/// The folder of the entries.
#[derive(Clone, Debug)]
pub struct Registry(PathBuf);

impl Registry {
    /// The registry in the user's state folder `home`.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self(home.join("clusters"))
    }

    /// Where the cluster `name` keeps its files unless it was told otherwise.
    #[must_use]
    pub fn default_path(&self, name: &str) -> PathBuf {
        self.0.join(name.to_lowercase())
    }

    /// All entries, by name. A file that is none is passed over.
    ///
    /// # Errors
    /// What the system says.
    pub fn all(&self) -> Result<Vec<ClusterEntry>> {
        let mut entries = Vec::new();
        for name in folder::names(&self.0)? {
            if let Some(stem) = name.strip_suffix(".json")
                && let Ok(Some(entry)) = self.load(stem)
            {
                entries.push(entry);
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// The entry of a cluster, if it is known.
    ///
    /// # Errors
    /// `StoreDamaged` when its file is no entry; what the system says.
    pub fn load(&self, name: &str) -> Result<Option<ClusterEntry>> {
        let path = self.file(name)?;
        let Some(bytes) = folder::read_if_there(&path)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            let text = format!("{} does not describe a cluster: {e}", path.display());
            Error::new(ErrorKind::StoreDamaged, text).hint("repair the file or remove it")
        })
    }

    /// The entry of a cluster that must be known.
    ///
    /// # Errors
    /// `ClusterNotFound` with the names that are.
    pub fn find(&self, name: &str) -> Result<ClusterEntry> {
        if let Some(entry) = self.load(name)? {
            return Ok(entry);
        }
        let all = self.all()?;
        let names: Vec<_> = all.iter().map(|entry| entry.name.as_str()).collect();
        let hint = match names.as_slice() {
            [] => "New-Cluster -Name lab -Node n1,n2,n3 -Local makes one".to_owned(),
            names => format!("known here: {}", names.join(", ")),
        };
        let text = format!("no cluster {name} is known on this machine");
        Err(Error::new(ErrorKind::ClusterNotFound, text).hint(hint))
    }

    /// Writes an entry, durably and whole.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&self, entry: &ClusterEntry) -> Result<()> {
        folder::create_all(&self.0)?;
        let text = serde_json::to_vec_pretty(entry)
            .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        folder::write_durably(&self.file(&entry.name)?, &text)
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, name: &str) -> Result<()> {
        folder::remove_durably(&self.file(name)?)
    }

    fn file(&self, name: &str) -> Result<PathBuf> {
        crate::name::check_object_name("cluster", name)?;
        if name.starts_with('.') {
            let text = format!("{name:?} is no name for a cluster");
            return Err(
                Error::new(ErrorKind::InvalidParameter, text).hint("it must not begin with a dot")
            );
        }
        Ok(self.0.join(format!("{}.json", name.to_lowercase())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> ClusterEntry {
        ClusterEntry {
            name: name.into(),
            path: "/x".into(),
            database: Location::Sqlite("/x/quorum/cluster.db".into()),
            nodes: vec![NodeEntry {
                name: "n1".into(),
                address: "127.9.9.1".parse().unwrap(),
                data: "/x/n1".into(),
                process: None,
            }],
            same_subnet_delay: 100,
            same_subnet_threshold: 15,
            lease_ttl: 2000,
            fencing: "Kill".into(),
            detached: false,
            created_ms: 1,
        }
    }

    #[test]
    fn entries_are_kept_by_name_without_case() {
        let home = tempfile::tempdir().unwrap();
        let registry = Registry::new(home.path());
        assert_eq!(registry.all().unwrap(), []);
        registry.save(&entry("Lab")).unwrap();
        registry.save(&entry("demo")).unwrap();
        assert_eq!(registry.find("LAB").unwrap(), entry("Lab"));
        assert_eq!(registry.all().unwrap().len(), 2);
        registry.remove("lab").unwrap();
        let error = registry.find("lab").unwrap_err();
        assert_eq!(error.kind, ErrorKind::ClusterNotFound);
        assert_eq!(error.hint.unwrap(), "known here: demo");
    }

    #[test]
    fn an_entry_of_an_earlier_version_names_a_path() {
        let mut old = serde_json::to_value(entry("lab")).unwrap();
        assert_eq!(old["database"], "sqlite:///x/quorum/cluster.db");
        old["database"] = "/x/quorum/cluster.db".into();
        let read: ClusterEntry = serde_json::from_value(old).unwrap();
        assert_eq!(read, entry("lab"));
    }

    #[test]
    fn names_cannot_leave_the_folder() {
        let home = tempfile::tempdir().unwrap();
        let registry = Registry::new(home.path());
        for name in ["../x", "a/b", "", "..", ".hidden"] {
            assert!(registry.load(name).is_err(), "{name}");
        }
    }
}
