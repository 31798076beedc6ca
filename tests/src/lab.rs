//! A cluster of three nodes in a temporary folder, with what is needed to look at it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hamq_core::api::client::{Client, ClientOptions};
use hamq_core::api::cluster::NewCluster;
use hamq_core::api::feature::InstallMsmqFeature;
use hamq_core::api::group::{AddClusterGroup, GetClusterGroup, GroupInfo, StartClusterGroup};
use hamq_core::api::message::{MessageInfo, ReceiveMsmqQueue, SendMsmqQueue, SentInfo};
use hamq_core::api::node::GetClusterNode;
use hamq_core::api::queue::NewMsmqQueue;
use hamq_core::api::resource::AddClusterResource;
use hamq_core::api::value::{Body, Millis};
use hamq_core::{Error, Result};

use crate::process::wait_until;

/// Of each log, when a test fails.
const LOG_LINES: usize = 60;

/// A cluster that ends with the test.
pub struct Lab {
    /// The client that made it.
    pub client: Client,
    /// The temporary folder: the client's home is `home` in it, disks are in `disks`.
    pub folder: tempfile::TempDir,
    /// The cluster's name, unique on this machine.
    pub name: String,
}

impl Lab {
    /// A cluster with nodes n1, n2 and n3 and nothing in it.
    ///
    /// # Errors
    /// Those of New-Cluster.
    pub fn new(program: &str) -> Result<Self> {
        Self::with(program, |_| {})
    }

    /// The same, with `change` made to the New-Cluster command first.
    ///
    /// # Errors
    /// Those of New-Cluster.
    pub fn with(program: &str, change: impl FnOnce(&mut NewCluster)) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|e| Error::system("make a folder", &e))?;
        let client = client(program, &folder.path().join("home"))?;
        let name = format!(
            "lab-{}",
            folder
                .path()
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
        );
        let name = name.replace('.', "");
        let mut command = NewCluster {
            name: name.clone(),
            nodes: vec!["n1".into(), "n2".into(), "n3".into()],
            local: true,
            detach: false,
            path: None,
            quorum: Vec::new(),
            same_subnet_delay: None,
            same_subnet_threshold: None,
            lease_ttl: None,
            fencing: None,
        };
        change(&mut command);
        client.run(command)?;
        Ok(Self {
            client,
            folder,
            name,
        })
    }

    /// Message Queuing on every node and the virtual server VS1 online, preferring n1, n2, n3 in this order.
    ///
    /// # Errors
    /// Those of the commands.
    pub fn add_virtual_server(&self) -> Result<()> {
        self.client.run(InstallMsmqFeature {
            nodes: Vec::new(),
            features: Vec::new(),
        })?;
        self.client.run(AddClusterGroup {
            name: "VS1".into(),
            preferred_owners: vec!["n1".into(), "n2".into(), "n3".into()],
            auto_failback_type: Some(0),
            failover_threshold: None,
            failover_period: None,
        })?;
        let disk = format!("DiskPath={}", self.disk("vs1").display());
        let address = format!("Address={}", self.address(101)?);
        self.add_resource("VS1-Disk", "VS1", "Physical Disk", &[&disk], &[])?;
        self.add_resource("VS1-IP", "VS1", "IP Address", &[&address], &[])?;
        self.add_resource(
            "VS1-Name",
            "VS1",
            "Network Name",
            &["Name=VS1"],
            &["VS1-IP"],
        )?;
        self.add_resource("VS1-MSMQ", "VS1", "MSMQ", &[], &["VS1-Disk", "VS1-Name"])?;
        self.client.run(StartClusterGroup {
            name: "VS1".into(),
            wait: Some(Millis(60_000)),
        })?;
        Ok(())
    }

    /// Adds a resource.
    ///
    /// # Errors
    /// Those of Add-ClusterResource.
    pub fn add_resource(
        &self,
        name: &str,
        group: &str,
        resource_type: &str,
        parameters: &[&str],
        depends_on: &[&str],
    ) -> Result<()> {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        self.client.run(AddClusterResource {
            name: name.into(),
            group: Some(group.into()),
            resource_type: resource_type.into(),
            parameters: texts(parameters),
            depends_on: texts(depends_on),
            restart_threshold: None,
            restart_period: None,
            restart_delay: Some(Millis(0)),
        })?;
        Ok(())
    }

    /// A folder for a Physical Disk; its parent exists.
    #[must_use]
    pub fn disk(&self, name: &str) -> PathBuf {
        let disks = self.folder.path().join("disks");
        drop(std::fs::create_dir_all(&disks));
        disks.join(name)
    }

    /// A node's data folder.
    #[must_use]
    pub fn data(&self, node: &str) -> PathBuf {
        let clusters = self.folder.path().join("home/clusters");
        clusters.join(self.name.to_lowercase()).join(node)
    }

    /// An address of the cluster's own subnet.
    ///
    /// # Errors
    /// Those of Get-ClusterNode.
    pub fn address(&self, last: u8) -> Result<String> {
        let nodes = self.client.run(GetClusterNode { name: None })?;
        let address = nodes
            .first()
            .map_or("127.0.0.1", |node| node.address.as_str());
        let host = address.split(':').next().unwrap_or(address);
        let subnet = host
            .rsplit_once('.')
            .map_or("127.0.0", |(subnet, _)| subnet);
        Ok(format!("{subnet}.{last}"))
    }

    /// The group as the cluster sees it now.
    ///
    /// # Errors
    /// Those of Get-ClusterGroup.
    pub fn group(&self, name: &str) -> Result<GroupInfo> {
        let found = self.client.run(GetClusterGroup {
            name: Some(name.into()),
        })?;
        let missing = || {
            Error::new(
                hamq_core::ErrorKind::GroupNotFound,
                format!("no group {name}"),
            )
        };
        found.into_iter().next().ok_or_else(missing)
    }

    /// Waits until the group is online on `node`, or on any but `node` where `node` starts with `!`.
    pub fn wait_online(&self, group: &str, node: &str) {
        wait_until(&format!("{group} is online on {node}"), || {
            self.group(group).is_ok_and(|info| {
                let owner = info.owner_node.unwrap_or_default();
                let there = node
                    .strip_prefix('!')
                    .map_or(owner == node, |other| owner != other);
                there && !owner.is_empty() && info.state == "Online"
            })
        });
    }

    /// The process number of a node's agent.
    ///
    /// # Panics
    /// When the node is not running.
    #[must_use]
    pub fn agent(&self, node: &str) -> u32 {
        let nodes = self.client.run(GetClusterNode {
            name: Some(node.into()),
        });
        let pid = nodes
            .ok()
            .and_then(|nodes| nodes.first().and_then(|node| node.process_id));
        let pid = pid.and_then(|pid| u32::try_from(pid).ok());
        assert!(pid.is_some(), "node {node} is not running");
        pid.unwrap_or_default()
    }

    /// Creates a queue on VS1.
    ///
    /// # Errors
    /// Those of New-MsmqQueue.
    pub fn new_queue(&self, queue: &str, transactional: bool) -> Result<()> {
        let name = format!("VS1\\private$\\{queue}");
        self.client.run(NewMsmqQueue {
            name,
            transactional,
            ..NewMsmqQueue::default()
        })?;
        Ok(())
    }

    /// Sends a text to a queue of VS1.
    ///
    /// # Errors
    /// Those of Send-MsmqQueue.
    pub fn send(&self, queue: &str, body: &str) -> Result<SentInfo> {
        send(&self.client, &format!("VS1\\private$\\{queue}"), body)
    }

    /// Receives what is in a queue of VS1 now, up to 1000 messages, as texts.
    ///
    /// # Errors
    /// Those of Receive-MsmqQueue.
    pub fn receive_all(&self, queue: &str) -> Result<Vec<String>> {
        receive_all(&self.client, &format!("VS1\\private$\\{queue}"))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tell_logs(self.folder.path());
        }
        self.client.close();
    }
}

/// The ends of the logs under a folder: what a failed test of real processes leaves to think about.
#[allow(clippy::print_stderr, reason = "a test tells why it failed")]
fn tell_logs(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            tell_logs(&path);
        } else if let (true, Ok(text)) = (is_log, std::fs::read_to_string(&path)) {
            let lines: Vec<_> = text.lines().collect();
            let end = &lines[lines.len().saturating_sub(LOG_LINES)..];
            eprintln!("---- {}\n{}", path.display(), end.join("\n"));
        }
    }
}

/// A client with `home` as its state folder.
///
/// # Errors
/// When it cannot start.
pub fn client(program: &str, home: &Path) -> Result<Client> {
    Client::new(ClientOptions {
        home: home.to_owned(),
        program: vec![PathBuf::from(program)],
        failover_timeout: Duration::from_secs(30),
    })
}

/// Sends a text.
///
/// # Errors
/// Those of Send-MsmqQueue.
pub fn send(client: &Client, queue: &str, body: &str) -> Result<SentInfo> {
    client.run(SendMsmqQueue {
        name: queue.into(),
        body: Some(Body(body.as_bytes().to_vec())),
        ..SendMsmqQueue::default()
    })
}

/// Receives what is in a queue now, up to 1000 messages, as texts.
///
/// # Errors
/// Those of Receive-MsmqQueue.
pub fn receive_all(client: &Client, queue: &str) -> Result<Vec<String>> {
    let found: Vec<MessageInfo> = client.run(ReceiveMsmqQueue {
        name: queue.into(),
        timeout: Some(Millis(10_000)),
        count: Some(1000),
        ..ReceiveMsmqQueue::default()
    })?;
    Ok(found
        .iter()
        .map(|m| m.body.text().unwrap_or_default().to_owned())
        .collect())
}
