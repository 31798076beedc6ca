//! Settings of a node: asked for at the node itself.

use crate::api::agents::{AgentAddress, Agents};
use crate::api::checkpoint::{GetClusterNodeSetting, SetClusterNodeSetting};
use crate::api::value::Value;
use crate::error::{Error, ErrorKind, Result};

pub(super) async fn show(command: &GetClusterNodeSetting, agents: &Agents) -> Result<Vec<Value>> {
    let question = Value::Map(vec![("Key".into(), command.key.as_str().into())]);
    let agent = agent_of(agents, &command.node)?;
    match agents.run_at(agent, "Read-NodeSetting", &question).await? {
        Value::Array(records) => Ok(records),
        one => Ok(vec![one]),
    }
}

pub(super) async fn set(command: &SetClusterNodeSetting, agents: &Agents) -> Result<Vec<Value>> {
    let mut question = vec![
        ("Key".into(), command.key.as_str().into()),
        ("Name".into(), command.name.as_str().into()),
    ];
    match (&command.value, command.delete) {
        (Some(value), false) => question.push(("Value".into(), value.as_str().into())),
        (None, true) => {}
        _ => {
            return Err(
                Error::new(ErrorKind::Usage, "give either a value or -Delete")
                    .hint("Set-ClusterNodeSetting NODE KEY NAME VALUE"),
            );
        }
    }
    let agent = agent_of(agents, &command.node)?;
    let question = Value::Map(question);
    let record = agents.run_at(agent, "Write-NodeSetting", &question).await?;
    Ok(vec![record])
}

pub(super) fn agent_of<'a>(agents: &'a Agents, node: &str) -> Result<&'a AgentAddress> {
    let found = agents
        .nodes
        .iter()
        .find(|a| a.node.eq_ignore_ascii_case(node));
    found.ok_or_else(|| {
        let text = format!(
            "there is no node {node:?} in the cluster {}",
            agents.cluster
        );
        Error::new(ErrorKind::NodeNotFound, text).hint("Get-ClusterNode lists all")
    })
}
