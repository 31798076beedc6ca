//! What clients and other nodes ask an agent for, beside the commands.

use serde::{Deserialize, Serialize};

use super::Run;
use super::wait::commit;
use crate::api::cluster::{ClusterInfo, UpdateClusterFunctionalLevel};
use crate::api::explain::LogEntry;
use crate::api::log_subject::Subjects;
use crate::api::value::{Millis, Time, Value};
use crate::cluster::agent::Agent;
use crate::cluster::configuration;
use crate::cluster::record::{ResourceConfig, fold};
use crate::cluster::resource::ResourceState;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::name::nearest;

/// `Resolve-MsmqComputer`: where the queue manager of a virtual server, or of a node, listens.
#[derive(Debug, Deserialize)]
pub(super) struct Resolve {
    #[serde(rename = "Name")]
    name: String,
}

/// Its answer.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    #[serde(rename = "Address")]
    address: String,
    #[serde(rename = "Epoch")]
    epoch: u64,
}

/// `Read-ClusterLog`.
#[derive(Debug, Deserialize)]
pub(super) struct ReadLog {
    #[serde(rename = "TimeSpan", default)]
    time_span: Option<Millis>,
}

/// `Stop-Agent`.
#[derive(Debug, Deserialize)]
pub(super) struct Stop {
    /// Every node stops: groups go offline where they are.
    #[serde(rename = "All", default)]
    all: bool,
}

pub(super) async fn resolve(agent: &Agent, question: &Resolve) -> Result<Place> {
    place(&agent.read().await?, &question.name)
}

/// The network name of a group with an MSMQ resource; the group's own name serves as well.
fn place(view: &View, name: &str) -> Result<Place> {
    let servers = view
        .resources
        .iter()
        .filter(|(_, r)| r.resource_type == "MSMQ");
    let mut known = Vec::new();
    for (key, config) in servers {
        let network_name = network_name(view, config);
        if fold(&network_name) == fold(name) {
            return listening(view, key, config, name);
        }
        known.push(network_name);
    }
    if let Some(node) = view.nodes.get(&fold(name)) {
        return node_service(view, &node.name);
    }
    let text = format!("no virtual server of this cluster is named {name}");
    Err(Error::new(ErrorKind::ResolveAddress, text).hint(
        match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None if known.is_empty() => {
                "there is no MSMQ resource yet: Add-ClusterResource NAME GROUP MSMQ".to_owned()
            }
            None => format!("the virtual servers are {}", known.join(", ")),
        },
    ))
}

/// The node's own queue manager. It belongs to no group: its epoch is between it and its store.
fn node_service(view: &View, node: &str) -> Result<Place> {
    let running = view.message_service(node).ok_or_else(|| {
        let text = format!("Message Queuing is not running on node {node}");
        Error::new(ErrorKind::ResolveAddress, text).hint(format!(
            "Start-MsmqService {node}: a node's own queue manager is started by hand"
        ))
    })?;
    Ok(Place {
        address: running.endpoint.clone(),
        epoch: 0,
    })
}

/// The name clients use: that of the Network Name below, which defaults to the group's.
fn network_name(view: &View, config: &ResourceConfig) -> String {
    let below = crate::cluster::dependency::all_providers(view, &config.name);
    let named = below
        .iter()
        .filter_map(|name| view.resources.get(name))
        .find(|r| r.resource_type == "Network Name");
    let given = named.and_then(|r| r.parameters.get("Name"));
    given.unwrap_or(&config.group).clone()
}

fn listening(view: &View, key: &str, config: &ResourceConfig, name: &str) -> Result<Place> {
    let state = ResourceState::published(view, key);
    let status = view.states.get(key);
    let endpoint = status.and_then(|s| s.endpoint.clone());
    let owner = view.live_owner(&config.group);
    if let (ResourceState::Online, Some(address), Some(owner)) = (state, endpoint, owner) {
        let epoch = owner.epoch;
        return Ok(Place { address, epoch });
    }
    let why = match (owner, status) {
        (None, _) => format!("no node owns group {}", config.group),
        (Some(_), Some(status)) => status.cause.clone(),
        (Some(owner), None) => format!("{} has not started it yet", owner.node),
    };
    let text = format!(
        "{} of virtual server {name} is {}: {why}",
        config.name,
        state.name()
    );
    Err(
        Error::new(ErrorKind::ResourceNotAvailable, text).hint(format!(
            "Start-ClusterGroup {0}, or Get-ClusterWhy {0}",
            config.group
        )),
    )
}

pub(super) fn read_log(agent: &Agent, question: &ReadLog) -> Result<Vec<LogEntry>> {
    let now = agent.options().clock.wall_ms();
    let since = question
        .time_span
        .map_or(0, |span| now.saturating_sub(span.0));
    let view = agent.view();
    let members = view.resources.values();
    let subjects = Subjects {
        groups: view.groups.values().map(|g| g.name.clone()).collect(),
        members: members.map(|r| (r.name.clone(), r.group.clone())).collect(),
    };
    let lines = agent.log_lines()?;
    let recent = lines.into_iter().filter(|line| line.time_ms >= since);
    let entries = recent.map(|line| LogEntry {
        time: Time(line.time_ms),
        process_id: Some(u64::from(line.pid)),
        node: agent.options().node.clone(),
        level: line.level,
        component: format!("[{}]", line.component),
        group: subjects.group_of(&line.text),
        text: line.text,
    });
    Ok(entries.collect())
}

pub(super) async fn stop(agent: &Agent, question: &Stop) -> Result<Value> {
    agent.stop(question.all).await?;
    Ok(Value::Null)
}

pub(super) async fn cluster_info(agent: &Agent) -> Result<ClusterInfo> {
    let view = agent.read().await?;
    let Some(config) = &view.cluster else {
        let text = "the cluster database is empty";
        return Err(
            Error::new(ErrorKind::ClusterNotFound, text).hint("New-Cluster makes a cluster")
        );
    };
    let mut nodes: Vec<_> = view.nodes.values().collect();
    nodes.sort_by_key(|n| n.id);
    Ok(ClusterInfo {
        name: config.name.clone(),
        state: "Up".to_owned(),
        nodes: nodes.into_iter().map(|n| n.name.clone()).collect(),
        groups: view.groups.values().map(|g| g.name.clone()).collect(),
        path: String::new(),
        subnet: String::new(),
        quorum: agent.options().database.location(),
        same_subnet_delay: config.same_subnet_delay_ms,
        same_subnet_threshold: config.same_subnet_threshold,
        lease_ttl: config.lease_ttl_ms,
        fencing: config.fencing.name().to_owned(),
        functional_level: view.functional_level(),
        created: Time(config.created_ms),
    })
}

impl Run for UpdateClusterFunctionalLevel {
    async fn run(self, agent: &Agent) -> Result<ClusterInfo> {
        let before = agent.read().await?.functional_level();
        commit(agent, configuration::update_level).await?;
        let info = cluster_info(agent).await?;
        let after = info.functional_level;
        let text =
            format!("the functional level of the cluster was raised from {before} to {after}");
        agent.note("INFO", "NM", &text);
        Ok(info)
    }
}
