//! What clusters are there, and what their logs say.

use super::LocalClusters;
use crate::api::agents::{AgentAddress, Agents, Repeat};
use crate::api::cluster::{ClusterInfo, GetCluster};
use crate::api::explain::{GetClusterLog, LogEntry};
use crate::api::log_subject::Subjects;
use crate::api::node::NodeInfo;
use crate::api::registry::ClusterEntry;
use crate::api::value::{Time, Value, from_value, to_value};
use crate::error::{Error, ErrorKind, Result};
use crate::name::nearest;

impl LocalClusters {
    pub(super) async fn show(
        &self,
        command: &GetCluster,
        agents: Option<Agents>,
    ) -> Result<Vec<Value>> {
        let entries = match &command.name {
            Some(name) => match self.registry.find(name) {
                Ok(entry) => vec![entry],
                Err(error) => {
                    let elsewhere = agents.filter(|a| a.cluster.eq_ignore_ascii_case(name));
                    return self.show_elsewhere(elsewhere.ok_or(error)?).await;
                }
            },
            None => self.registry.all()?,
        };
        let mut records = Vec::new();
        for entry in &entries {
            records.push(to_value(&self.info(entry).await)?);
        }
        Ok(records)
    }

    /// A cluster that is known by its nodes' addresses only: it tells itself.
    async fn show_elsewhere(&self, agents: Agents) -> Result<Vec<Value>> {
        let nothing = Value::Map(Vec::new());
        let info = agents.run("Get-Cluster", &nothing, Repeat::Allowed).await?;
        Ok(vec![info])
    }

    /// The record of a local cluster; its groups are known only while it is up.
    pub(super) async fn info(&self, entry: &ClusterEntry) -> ClusterInfo {
        let nothing = Value::Map(Vec::new());
        let agents = entry.agents();
        let up = agents.greet().await.is_ok();
        let groups = match up {
            true => {
                agents
                    .run("Get-ClusterGroup", &nothing, Repeat::Allowed)
                    .await
            }
            false => Ok(Value::Null),
        };
        let seen = match up {
            true => agents.run("Get-Cluster", &nothing, Repeat::Allowed).await,
            false => Ok(Value::Null),
        };
        let seen = seen.and_then(|value| from_value::<ClusterInfo>(&value));
        ClusterInfo {
            name: entry.name.clone(),
            state: if up { "Up" } else { "Down" }.to_owned(),
            nodes: entry.nodes.iter().map(|node| node.name.clone()).collect(),
            groups: names(&groups.unwrap_or(Value::Null)),
            path: entry.path.display().to_string(),
            subnet: entry.subnet(),
            quorum: entry.database.to_string(),
            same_subnet_delay: entry.same_subnet_delay,
            same_subnet_threshold: entry.same_subnet_threshold,
            lease_ttl: entry.lease_ttl,
            fencing: entry.fencing.clone(),
            functional_level: seen.map_or(0, |info| info.functional_level),
            created: Time(entry.created_ms),
        }
    }

    /// The record of one node, as a node that lives sees it.
    pub(super) async fn node_info(&self, entry: &ClusterEntry, name: &str) -> Result<NodeInfo> {
        let arguments = Value::Map(vec![("Name".into(), name.into())]);
        let agents = entry.agents();
        let found = agents
            .run("Get-ClusterNode", &arguments, Repeat::Allowed)
            .await?;
        let infos: Vec<NodeInfo> = from_value(&found)?;
        infos.into_iter().next().ok_or_else(|| {
            let text = format!("the cluster {} does not know node {name}", entry.name);
            Error::new(ErrorKind::NodeNotFound, text)
                .hint("it joins when it is started: Start-ClusterNode")
        })
    }

    /// The log lines of all nodes on one time line. Nodes that are down are read from their files.
    pub(super) async fn log(
        &self,
        command: &GetClusterLog,
        current: Result<String, &Error>,
        agents: &Agents,
    ) -> Result<Vec<Value>> {
        let entry = match current {
            Ok(name) => self.registry.load(&name)?,
            Err(error) => return Err(error.clone()),
        };
        let wanted = |agent: &AgentAddress| {
            let named = |node: &String| node.eq_ignore_ascii_case(&agent.node);
            command.nodes.is_empty() || command.nodes.iter().any(named)
        };
        check_nodes(command, agents)?;
        let subjects = subjects(agents, command).await;
        let mut lines = Vec::new();
        for agent in agents.nodes.iter().filter(|agent| wanted(agent)) {
            lines.extend(
                self.log_of(agent, agents, entry.as_ref(), (command, &subjects))
                    .await?,
            );
        }
        lines.retain(|line| match (&command.group, &line.group) {
            (None, _) => true,
            (Some(wanted), Some(group)) => wanted.eq_ignore_ascii_case(group),
            (Some(_), None) => false,
        });
        lines.sort_by_key(|line| line.time);
        if let Some(destination) = &command.destination {
            write_lines(destination, &lines)?;
        }
        lines.iter().map(to_value).collect()
    }

    async fn log_of(
        &self,
        agent: &AgentAddress,
        agents: &Agents,
        entry: Option<&ClusterEntry>,
        (command, subjects): (&GetClusterLog, &Subjects),
    ) -> Result<Vec<LogEntry>> {
        let span = command.time_span.map_or(Value::Null, |span| span.0.into());
        let arguments = Value::Map(vec![("TimeSpan".into(), span)]);
        match agents.run_at(agent, "Read-ClusterLog", &arguments).await {
            Ok(lines) => from_value(&lines),
            Err(error) => match entry.and_then(|entry| entry.node(&agent.node).ok()) {
                Some(node) => Ok(super::log_file::read(node, command.time_span, subjects)),
                None => Err(error),
            },
        }
    }
}

/// What lines may be about, as a node that lives knows it; else the group that is asked for, by its name.
async fn subjects(agents: &Agents, command: &GetClusterLog) -> Subjects {
    let nothing = Value::Map(Vec::new());
    let groups = agents
        .run("Get-ClusterGroup", &nothing, Repeat::Allowed)
        .await;
    let resources = agents
        .run("Get-ClusterResource", &nothing, Repeat::Allowed)
        .await;
    let resources = resources.unwrap_or(Value::Null);
    let records = resources.as_array().map_or(&[][..], Vec::as_slice);
    let text = |record, field| crate::api::arguments::text(record, field).map(str::to_owned);
    let member = |record| Some((text(record, "Name")?, text(record, "Group")?));
    let mut known = names(&groups.unwrap_or(Value::Null));
    if known.is_empty() {
        known.extend(command.group.clone());
    }
    Subjects {
        groups: known,
        members: records.iter().filter_map(member).collect(),
    }
}

fn check_nodes(command: &GetClusterLog, agents: &Agents) -> Result<()> {
    let known: Vec<_> = agents
        .nodes
        .iter()
        .map(|agent| agent.node.as_str())
        .collect();
    let unknown = |node: &&String| !known.iter().any(|known| known.eq_ignore_ascii_case(node));
    let Some(node) = command.nodes.iter().find(unknown) else {
        return Ok(());
    };
    let hint = match nearest(node, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("its nodes are {}", known.join(", ")),
    };
    let text = format!("the cluster {} has no node {node}", agents.cluster);
    Err(Error::new(ErrorKind::NodeNotFound, text).hint(hint))
}

/// The `Name` of each record of a list.
fn names(records: &Value) -> Vec<String> {
    let records = records.as_array().map_or(&[][..], Vec::as_slice);
    let name = |record| crate::api::arguments::text(record, "Name").map(str::to_owned);
    records.iter().filter_map(name).collect()
}

fn write_lines(destination: &str, lines: &[LogEntry]) -> Result<()> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&super::log_file::classic(line));
        text.push('\n');
    }
    let path = crate::sys::folder::absolute(destination.as_ref())?;
    crate::sys::folder::write_durably(&path, text.as_bytes())
}
