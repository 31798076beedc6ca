//! Makes a cluster, or leaves nothing behind.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::nodes::Nodes;
use super::{LocalClusters, plan};
use crate::api::cluster::{ClusterInfo, NewCluster};
use crate::api::registry::{ClusterEntry, Registry};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::network::{AGENT_PORT, PEER_PORT, PRESENCE_PORT, QUEUE_MANAGER_PORT, listen};
use crate::sys::{folder, process};

impl LocalClusters {
    pub(super) async fn create(&self, command: &NewCluster) -> Result<ClusterInfo> {
        let entry = self.draft(command)?;
        let mut undo = Undo::new(&self.registry, &self.nodes, entry);
        if let Err(error) = undo.run().await {
            undo.remove_rows().await;
            return Err(error);
        }
        let entry = undo.done();
        Ok(self.info(&entry).await)
    }

    /// The new cluster as it will be, if it can be made.
    pub(super) fn draft(&self, command: &NewCluster) -> Result<ClusterEntry> {
        plan::check(command)?;
        if self.registry.load(&command.name)?.is_some() {
            let text = format!("a cluster {} exists already", command.name);
            let hint = format!(
                "Start-Cluster {0} starts it, Remove-Cluster {0} deletes it",
                command.name
            );
            return Err(Error::new(ErrorKind::ObjectAlreadyExists, text).hint(hint));
        }
        let path = self.empty_folder(command)?;
        let known = self.registry.all()?;
        let seed = u16::try_from(uuid::Uuid::new_v4().as_u128() & 0xffff).unwrap_or(0);
        let subnet = plan::free_subnet(&known, command.nodes.len(), seed, ports_are_free)?;
        plan::entry(command, path, subnet, SystemClock.wall_ms())
    }

    /// The folder of the new cluster, which must not hold anything yet.
    fn empty_folder(&self, command: &NewCluster) -> Result<PathBuf> {
        let path = match &command.path {
            Some(path) => folder::absolute(path.as_ref())?,
            None => self.registry.default_path(&command.name),
        };
        if folder::names(&path)?.is_empty() {
            return Ok(path);
        }
        let text = format!("the folder {} is not empty", path.display());
        Err(Error::new(ErrorKind::ObjectAlreadyExists, text)
            .hint("give another one with -Path, or remove what is left there of an older cluster"))
    }
}

/// Whether all ports that a node may need are free at its address.
pub(super) fn ports_are_free(address: IpAddr) -> Result<()> {
    for port in [AGENT_PORT, QUEUE_MANAGER_PORT, PEER_PORT, PRESENCE_PORT] {
        listen(SocketAddr::new(address, port))?;
    }
    Ok(())
}

/// What was made so far; dropping it undoes that.
struct Undo<'a> {
    registry: &'a Registry,
    nodes: &'a Nodes,
    entry: ClusterEntry,
    made_folder: bool,
    wrote_rows: bool,
    finished: bool,
}

impl<'a> Undo<'a> {
    fn new(registry: &'a Registry, nodes: &'a Nodes, entry: ClusterEntry) -> Self {
        Self {
            registry,
            nodes,
            entry,
            made_folder: false,
            wrote_rows: false,
            finished: false,
        }
    }

    async fn run(&mut self) -> Result<()> {
        self.made_folder = true;
        folder::create_all(&self.entry.path.join("quorum"))?;
        folder::create_all(&self.entry.disks())?;
        super::bootstrap::write(&self.entry).await?;
        self.wrote_rows = true;
        start_all(self.nodes, &mut self.entry, |entry| {
            self.registry.save(entry)
        })
        .await
    }

    /// Those in a file go with its folder.
    async fn remove_rows(&self) {
        if self.wrote_rows {
            for node in &self.entry.nodes {
                self.nodes.kill(&self.entry.name, node);
            }
            let _ = super::quorum::remove(&self.entry).await;
        }
    }

    fn done(mut self) -> ClusterEntry {
        self.finished = true;
        self.entry.clone()
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        for node in &self.entry.nodes {
            self.nodes.kill(&self.entry.name, node);
        }
        let _ = self.registry.remove(&self.entry.name);
        if self.made_folder {
            let _ = folder::remove_tree(&self.entry.path);
        }
    }
}

/// Starts every node that does not run and waits until all answer. `save` is called when the processes are
/// known, so that even a client that is killed now leaves a record of them.
pub(super) async fn start_all(
    nodes: &Nodes,
    entry: &mut ClusterEntry,
    save: impl Fn(&ClusterEntry) -> Result<()>,
) -> Result<()> {
    let snapshot = entry.clone();
    for node in &mut entry.nodes {
        if !node.is_running() {
            let identity: process::ProcessIdentity = nodes.start(&snapshot, node)?;
            node.process = Some(identity);
        }
    }
    save(entry)?;
    for node in &entry.nodes {
        nodes.wait_until_up(entry, node).await?;
    }
    Ok(())
}
