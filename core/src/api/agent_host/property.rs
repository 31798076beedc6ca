//! Commands on private properties and on owner nodes.

use std::collections::BTreeMap;

use super::Run;
use super::wait::commit;
use crate::api::parameter::{
    GetClusterOwnerNode, GetClusterParameter, OwnerNodeInfo, ParameterInfo, SetClusterOwnerNode,
    SetClusterParameter,
};
use crate::api::value::Value;
use crate::cluster::agent::Agent;
use crate::cluster::configuration::{self, find_group, find_resource};
use crate::cluster::record::ResourceConfig;
use crate::cluster::resource_type;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// The properties of a resource: those of its type, and what else is set.
fn parameters(config: &ResourceConfig) -> Vec<ParameterInfo> {
    let rule = resource_type::find(&config.resource_type);
    let known = rule.map(|r| r.parameters).unwrap_or_default();
    let record = |name: &str, number: bool| ParameterInfo {
        object: config.name.clone(),
        name: name.to_owned(),
        value: config.parameters.get(name).cloned().unwrap_or_default(),
        kind: match number {
            true => "UInt32".to_owned(),
            false => "String".to_owned(),
        },
    };
    let mut records: Vec<_> = known
        .iter()
        .map(|p| record(p.name, p.is_number()))
        .collect();
    let others = config
        .parameters
        .keys()
        .filter(|n| known.iter().all(|p| p.name != *n));
    records.extend(others.map(|name| record(name, false)));
    records
}

fn parameter_of(config: &ResourceConfig, name: &str) -> Result<ParameterInfo> {
    let all = parameters(config);
    let known: Vec<String> = all.iter().map(|p| p.name.clone()).collect();
    let found = all.into_iter().find(|p| p.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let text = format!("{} has no property {name:?}", config.name);
        Error::new(ErrorKind::InvalidParameter, text).hint(format!("it has {}", known.join(", ")))
    })
}

impl Run for GetClusterParameter {
    async fn run(self, agent: &Agent) -> Result<Vec<ParameterInfo>> {
        let view = agent.read().await?;
        let config = find_resource(&view, &self.resource)?;
        match &self.name {
            None => Ok(parameters(config)),
            Some(name) => Ok(vec![parameter_of(config, name)?]),
        }
    }
}

impl Run for SetClusterParameter {
    async fn run(self, agent: &Agent) -> Result<ParameterInfo> {
        match (&self.value, self.delete) {
            (Some(value), false) => set(agent, &self.resource, &self.name, &text(value)?).await,
            (None, true) => delete(agent, &self.resource, &self.name).await,
            _ => Err(
                Error::new(ErrorKind::Usage, "give either a value or -Delete")
                    .hint("Set-ClusterParameter RESOURCE NAME VALUE"),
            ),
        }
    }
}

async fn set(agent: &Agent, resource: &str, name: &str, value: &str) -> Result<ParameterInfo> {
    let view = agent.read().await?;
    configuration::set_parameter(&view, resource, name, value)?;
    let config = find_resource(&view, resource)?;
    let mut after = config.parameters.clone();
    after.retain(|known, _| !known.eq_ignore_ascii_case(name));
    after.insert(name.to_owned(), value.to_owned());
    agent
        .check_properties(&config.resource_type, &after)
        .await?;
    let decide = |view: &View| configuration::set_parameter(view, resource, name, value);
    commit(agent, decide).await?;
    let view = agent.read().await?;
    parameter_of(find_resource(&view, resource)?, name)
}

async fn delete(agent: &Agent, resource: &str, name: &str) -> Result<ParameterInfo> {
    let decide = |view: &View| configuration::delete_parameter(view, resource, name);
    let before = {
        let view = agent.read().await?;
        parameter_of(find_resource(&view, resource)?, name)?
    };
    commit(agent, decide).await?;
    Ok(ParameterInfo {
        value: String::new(),
        ..before
    })
}

/// What only a node can tell of properties that a new resource shall have.
pub(super) async fn check_new(
    agent: &Agent,
    resource_type: &str,
    pairs: &[(String, String)],
) -> Result<()> {
    let given: BTreeMap<_, _> = pairs.iter().cloned().collect();
    agent.check_properties(resource_type, &given).await
}

/// A property's value as it is stored: text.
fn text(value: &Value) -> Result<String> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(i128::from(*number).to_string()),
        Value::Bool(flag) => Ok(u32::from(*flag).to_string()),
        other => {
            let text = format!("{other:?} is no value of a private property");
            Err(Error::new(ErrorKind::InvalidParameter, text).hint("give a text or a whole number"))
        }
    }
}

impl Run for GetClusterOwnerNode {
    async fn run(self, agent: &Agent) -> Result<Vec<OwnerNodeInfo>> {
        let view = agent.read().await?;
        let mut records = Vec::new();
        if let Some(group) = &self.group {
            let config = find_group(&view, group)?;
            records.push(owners(&config.name, &config.preferred_owners));
        }
        if let Some(resource) = &self.resource {
            let config = find_resource(&view, resource)?;
            records.push(owners(&config.name, &config.possible_owners));
        }
        match records.is_empty() {
            true => Err(name_one()),
            false => Ok(records),
        }
    }
}

impl Run for SetClusterOwnerNode {
    async fn run(self, agent: &Agent) -> Result<OwnerNodeInfo> {
        let list = &self.owners;
        match (&self.group, &self.resource) {
            (Some(group), None) => {
                let decide = |view: &View| configuration::set_preferred_owners(view, group, list);
                commit(agent, decide).await?;
                let view = agent.read().await?;
                let config = find_group(&view, group)?;
                Ok(owners(&config.name, &config.preferred_owners))
            }
            (None, Some(resource)) => {
                let decide = |view: &View| configuration::set_possible_owners(view, resource, list);
                commit(agent, decide).await?;
                let view = agent.read().await?;
                let config = find_resource(&view, resource)?;
                Ok(owners(&config.name, &config.possible_owners))
            }
            _ => Err(name_one()),
        }
    }
}

fn owners(object: &str, nodes: &[String]) -> OwnerNodeInfo {
    OwnerNodeInfo {
        object: object.to_owned(),
        owner_nodes: nodes.to_vec(),
    }
}

fn name_one() -> Error {
    let text = "neither a group nor a resource is named, or both";
    Error::new(ErrorKind::Usage, text).hint("use -Group NAME or -Resource NAME")
}
