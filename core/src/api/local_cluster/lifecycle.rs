//! Starting, stopping and removing clusters and nodes.

use std::path::PathBuf;

use super::LocalClusters;
use super::creation::{ports_are_free, start_all};
use super::{plan, quorum};
use crate::api::agents::{Agents, Repeat};
use crate::api::cluster::{ClusterInfo, RemoveCluster, StartCluster, StopCluster};
use crate::api::node::{
    AddClusterNode, ClearClusterNode, ClearedNodeInfo, NodeInfo, RemoveClusterNode,
    StartClusterNode, StopClusterNode,
};
use crate::api::registry::{ClusterEntry, NodeEntry};
use crate::api::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;

impl LocalClusters {
    pub(super) async fn start(&self, command: &StartCluster) -> Result<ClusterInfo> {
        let mut entry = self.registry.find(&command.name)?;
        if entry.nodes.iter().all(NodeEntry::is_running) {
            return Ok(self.info(&entry).await);
        }
        for node in entry.nodes.iter().filter(|node| !node.is_running()) {
            ports_are_free(node.address)?;
        }
        // A cluster part of which still runs stays what it was: its nodes are not ours.
        if !entry.nodes.iter().any(NodeEntry::is_running) {
            entry.detached = command.detach;
        }
        let was_running: Vec<_> = entry.nodes.iter().map(NodeEntry::is_running).collect();
        let started = start_all(&self.nodes, &mut entry, |entry| self.registry.save(entry)).await;
        if let Err(error) = started {
            for (node, was_running) in entry.nodes.iter().zip(was_running) {
                if !was_running {
                    self.nodes.kill(&entry.name, node);
                }
            }
            return Err(error);
        }
        Ok(self.info(&entry).await)
    }

    pub(super) async fn stop(
        &self,
        command: StopCluster,
        current: Result<String, &Error>,
    ) -> Result<ClusterInfo> {
        let name = match command.name {
            Some(name) => name,
            None => current.map_err(Clone::clone)?,
        };
        let entry = self.registry.find(&name)?;
        self.stop_nodes(&entry).await;
        Ok(self.info(&entry).await)
    }

    /// Stops all agents in order, then their processes; what does not answer is ended.
    pub(super) async fn stop_nodes(&self, entry: &ClusterEntry) {
        let agents = entry.agents();
        let mut stops = tokio::task::JoinSet::new();
        for agent in agents.nodes.clone() {
            let agents = agents.clone();
            stops.spawn(async move {
                let all = Value::Map(vec![("All".into(), Value::Bool(true))]);
                agents.run_at(&agent, "Stop-Agent", &all).await
            });
        }
        while stops.join_next().await.is_some() {}
        for node in &entry.nodes {
            self.nodes.wait_until_down(entry, node).await;
        }
    }

    pub(super) async fn remove(&self, command: &RemoveCluster) -> Result<ClusterInfo> {
        let entry = self.registry.find(&command.name)?;
        check_down(&entry)?;
        let info = self.info(&entry).await;
        for node in &entry.nodes {
            folder::remove_tree(&node.data)?;
        }
        quorum::remove(&entry).await?;
        folder::remove_tree(&entry.disks())?;
        // Only when nothing else lies in it: what was put beside it is not ours to delete.
        if folder::names(&entry.path)?.is_empty() {
            folder::remove_tree(&entry.path)?;
        }
        self.registry.remove(&entry.name)?;
        Ok(info)
    }

    pub(super) async fn add_node(
        &self,
        command: &AddClusterNode,
        current: Result<String, &Error>,
    ) -> Result<NodeInfo> {
        let mut entry = self.registry.find(&current.map_err(Clone::clone)?)?;
        let before = entry.clone();
        let node = draft_node(&entry, &command.name)?;
        entry.nodes.push(node);
        let added = start_all(&self.nodes, &mut entry, |entry| self.registry.save(entry)).await;
        if let Err(error) = added {
            if let Ok(node) = entry.node(&command.name) {
                self.nodes.kill(&entry.name, node);
                folder::remove_tree(&node.data)?;
            }
            self.registry.save(&before)?;
            return Err(error);
        }
        self.node_info(&entry, &command.name).await
    }

    pub(super) async fn start_node(
        &self,
        command: &StartClusterNode,
        current: Result<String, &Error>,
    ) -> Result<NodeInfo> {
        let mut entry = self.registry.find(&current.map_err(Clone::clone)?)?;
        let node = entry.node(&command.name)?.clone();
        if !node.is_running() {
            ports_are_free(node.address)?;
            let identity = self.nodes.start(&entry, &node)?;
            for known in entry.nodes.iter_mut().filter(|n| n.name == node.name) {
                known.process = Some(identity.clone());
            }
            self.registry.save(&entry)?;
        }
        if let Err(error) = self.nodes.wait_until_up(&entry, &node).await {
            if !node.is_running() {
                self.nodes.kill(&entry.name, entry.node(&node.name)?);
            }
            return Err(error);
        }
        self.after_start(&entry, &node, command).await?;
        self.node_info(&entry, &node.name).await
    }

    /// What an operator says with a start: that a quarantine is over, that silent nodes are dead.
    async fn after_start(
        &self,
        entry: &ClusterEntry,
        node: &NodeEntry,
        command: &StartClusterNode,
    ) -> Result<()> {
        let agents = entry.agents();
        if command.clear_quarantine {
            let name = Value::Map(vec![("Name".into(), node.name.as_str().into())]);
            agents
                .run_at(&node.agent(), "Clear-Quarantine", &name)
                .await?;
        }
        if command.force_quorum {
            let mut dead = Vec::new();
            for other in entry.nodes.iter().filter(|n| n.name != node.name) {
                if agents.greet_at(&other.agent()).await.is_err() {
                    dead.push(Value::from(other.name.as_str()));
                }
            }
            let question = Value::Map(vec![("Dead".into(), Value::Array(dead))]);
            agents
                .run_at(&node.agent(), "Force-Quorum", &question)
                .await?;
        }
        Ok(())
    }

    /// Evicts a node; with -Force it is stopped first, so that its groups move away in order.
    pub(super) async fn remove_node(
        &self,
        command: &RemoveClusterNode,
        agents: &Agents,
    ) -> Result<NodeInfo> {
        let mut entry = self.registry.find(&agents.cluster)?;
        let node = entry.node(&command.name)?.clone();
        let before = self.node_info(&entry, &node.name).await?;
        if node.is_running() && command.force {
            let nothing = Value::Map(Vec::new());
            agents.run_at(&node.agent(), "Stop-Agent", &nothing).await?;
            self.nodes.wait_until_down(&entry, &node).await;
        }
        entry.nodes.retain(|n| n.name != node.name);
        let name = Value::Map(vec![("Name".into(), node.name.as_str().into())]);
        let rest = match entry.nodes.is_empty() {
            true => agents.clone(), // the last one: its agent says why not
            false => entry.agents(),
        };
        let rest = if node.is_running() {
            agents.clone()
        } else {
            rest
        };
        rest.run("Remove-Node", &name, Repeat::Forbidden).await?;
        self.registry.save(&entry)?;
        Ok(NodeInfo {
            state: "Down".to_owned(),
            process_id: None,
            ..before
        })
    }

    /// Removes the folder of a node that was evicted.
    pub(super) fn clear_node(
        &self,
        command: &ClearClusterNode,
        current: Result<String, &Error>,
    ) -> Result<ClearedNodeInfo> {
        let path = self.evicted(command, current)?;
        folder::remove_tree(&path)?;
        Ok(ClearedNodeInfo {
            name: command.name.clone(),
            path: path.display().to_string(),
        })
    }

    /// The folder of a node that was evicted.
    pub(super) fn evicted(
        &self,
        command: &ClearClusterNode,
        current: Result<String, &Error>,
    ) -> Result<PathBuf> {
        let entry = self.registry.find(&current.map_err(Clone::clone)?)?;
        plan::check_node_name(&command.name)?;
        if let Ok(node) = entry.node(&command.name) {
            let text = format!("{} is a node of the cluster {}", node.name, entry.name);
            return Err(Error::new(ErrorKind::InvalidState, text)
                .hint(format!("Remove-ClusterNode {} first", node.name)));
        }
        let path = entry.path.join(command.name.to_lowercase());
        // What only looks like a node's folder (quorum, disks) is none: an agent has written its log there.
        if folder::is_there(&path.join("cluster.log")) {
            return Ok(path);
        }
        let text = format!("nothing of a node {} is left on this machine", command.name);
        Err(Error::new(ErrorKind::NodeNotFound, text).hint(format!("looked in {}", path.display())))
    }

    pub(super) async fn stop_node(
        &self,
        command: &StopClusterNode,
        agents: &Agents,
    ) -> Result<NodeInfo> {
        let entry = self.registry.find(&agents.cluster)?;
        let node = entry.node(&command.name)?.clone();
        let before = self.node_info(&entry, &node.name).await;
        if node.is_running() {
            agents
                .run_at(&node.agent(), "Stop-Agent", &Value::Map(Vec::new()))
                .await?;
            self.nodes.wait_until_down(&entry, &node).await;
        }
        match self.node_info(&entry, &node.name).await {
            Ok(info) => Ok(info),
            // It was the last node: nobody can be asked any more.
            Err(_) => before.map(|info| NodeInfo {
                state: "Down".to_owned(),
                process_id: None,
                ..info
            }),
        }
    }
}

/// Some changes are made on a cluster that is down.
pub(super) fn check_down(entry: &ClusterEntry) -> Result<()> {
    let Some(node) = entry.nodes.iter().find(|node| node.is_running()) else {
        return Ok(());
    };
    let text = format!("the cluster {} is up: node {} runs", entry.name, node.name);
    let hint = format!("Stop-Cluster {} first", entry.name);
    Err(Error::new(ErrorKind::InvalidState, text).hint(hint))
}

/// Another node of a cluster, if there can be one of that name.
pub(super) fn draft_node(entry: &ClusterEntry, name: &str) -> Result<NodeEntry> {
    plan::check_node_name(name)?;
    if entry.node(name).is_ok() {
        let text = format!("the cluster {} has a node {name} already", entry.name);
        return Err(Error::new(ErrorKind::ObjectAlreadyExists, text)
            .hint(format!("Start-ClusterNode {name} starts it")));
    }
    new_node(entry, name)
}

/// The entry of another node: the first address behind those that were ever given.
fn new_node(entry: &ClusterEntry, name: &str) -> Result<NodeEntry> {
    let subnet = plan::subnet(entry).unwrap_or((16, 0));
    let free = (0..plan::NODES_MAX)
        .map(|index| plan::node_address(subnet, index))
        .find(|address| entry.nodes.iter().all(|node| node.address != *address));
    let Some(address) = free else {
        let text = format!("the cluster {} is full", entry.name);
        return Err(Error::new(ErrorKind::InvalidRequest, text).hint(format!(
            "a local cluster has at most {} nodes",
            plan::NODES_MAX
        )));
    };
    ports_are_free(address)?;
    Ok(NodeEntry {
        name: name.to_owned(),
        address,
        data: entry.path.join(name.to_lowercase()),
        process: None,
    })
}
