//! Commands on resources, their dependencies, properties and owners.

use uuid::Uuid;

use super::wait::{commit, offline, online, until, waiting_on};
use super::{Run, exact, fits, record};
use crate::api::dependency::{
    AddClusterResourceDependency, DependencyInfo, GetClusterResourceDependency,
};
use crate::api::parameter::{
    GetClusterOwnerNode, GetClusterParameter, OwnerNodeInfo, ParameterInfo, SetClusterOwnerNode,
    SetClusterParameter,
};
use crate::api::resource::{
    AddClusterResource, GetClusterResource, RemoveClusterResource, ResourceInfo,
    StartClusterResource, StopClusterResource, TestClusterResourceFailure,
};
use crate::api::value::Value;
use crate::cluster::agent::Agent;
use crate::cluster::configuration::{self, NewResource, find_group, find_resource, parse_pair};
use crate::cluster::record::{ResourceConfig, RestartPolicy};
use crate::cluster::resource_type;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

async fn info(agent: &Agent, name: &str) -> Result<ResourceInfo> {
    let now_ms = agent.options().clock.wall_ms();
    record::resource(&agent.read().await?, name, now_ms)
}

impl Run for AddClusterResource {
    async fn run(self, agent: &Agent) -> Result<ResourceInfo> {
        let usual = RestartPolicy::default();
        let pairs: Result<Vec<_>> = self.parameters.iter().map(|p| parse_pair(p)).collect();
        let new = NewResource {
            name: self.name.clone(),
            group: self.group,
            resource_type: self.resource_type,
            parameters: pairs?,
            depends_on: self.depends_on,
            possible_owners: Vec::new(),
            policy: RestartPolicy {
                threshold: self.restart_threshold.unwrap_or(usual.threshold),
                period_ms: self.restart_period.map_or(usual.period_ms, |m| m.0),
                delay_ms: self.restart_delay.map_or(usual.delay_ms, |m| m.0),
                ..usual
            },
        };
        commit(agent, |view| configuration::add_resource(view, &new)).await?;
        info(agent, &self.name).await
    }
}

impl Run for GetClusterResource {
    async fn run(self, agent: &Agent) -> Result<Vec<ResourceInfo>> {
        let view = agent.read().await?;
        let pattern = self.name.as_deref();
        if let Some(name) = exact(pattern) {
            find_resource(&view, name)?;
        }
        if let Some(group) = exact(self.group.as_deref()) {
            find_group(&view, group)?;
        }
        let now_ms = agent.options().clock.wall_ms();
        view.resources
            .values()
            .filter(|r| fits(pattern, &r.name) && fits(self.group.as_deref(), &r.group))
            .map(|r| record::resource(&view, &r.name, now_ms))
            .collect()
    }
}

impl Run for RemoveClusterResource {
    async fn run(self, agent: &Agent) -> Result<ResourceInfo> {
        let before = info(agent, &self.name).await?;
        remove(agent, &self.name).await?;
        Ok(before)
    }
}

/// Offline first, with all that depends on it; then the rows.
pub(super) async fn remove(agent: &Agent, name: &str) -> Result<()> {
    let revision = commit(agent, |view| configuration::stop_for_removal(view, name)).await?;
    let removable = |view: &View| match configuration::remove_resource(view, name) {
        Err(e) if e.kind == ErrorKind::ResourceOnline => None,
        Err(e) => Some(Err(e)),
        Ok(_) => Some(Ok(())),
    };
    let group = find_resource(&agent.read().await?, name)?.group.clone();
    until(agent, revision, None, removable, |v| waiting_on(v, &group)).await?;
    commit(agent, |view| configuration::remove_resource(view, name)).await?;
    Ok(())
}

impl Run for StartClusterResource {
    async fn run(self, agent: &Agent) -> Result<ResourceInfo> {
        let name = &self.name;
        let revision = commit(agent, |view| start(view, name)).await?;
        let what = |view: &View| describe(view, name);
        until(agent, revision, self.wait, |v| online(v, name), what).await?;
        info(agent, name).await
    }
}

/// Nothing is started on a paused node; a group that waits for an operator waits no longer.
fn start(view: &View, name: &str) -> Result<configuration::Change> {
    let group = find_resource(view, name)?.group.clone();
    configuration::check_not_paused(view, &group)?;
    Ok(configuration::start_resource(view, name)?.let_start(view, &group))
}

impl Run for StopClusterResource {
    async fn run(self, agent: &Agent) -> Result<ResourceInfo> {
        let name = &self.name;
        let revision = commit(agent, |view| configuration::stop_resource(view, name)).await?;
        let what = |view: &View| describe(view, name);
        until(agent, revision, self.wait, |v| offline(v, name), what).await?;
        info(agent, name).await
    }
}

fn describe(view: &View, name: &str) -> String {
    match find_resource(view, name) {
        Ok(config) => waiting_on(view, &config.group),
        Err(e) => e.message,
    }
}

impl Run for TestClusterResourceFailure {
    async fn run(self, agent: &Agent) -> Result<ResourceInfo> {
        let (name, id) = (&self.name, Uuid::new_v4().to_string());
        let revision = commit(agent, |view| configuration::fail_resource(view, name, &id)).await?;
        let key = crate::cluster::record::fold(name);
        let taken = |view: &View| match view.fail_requests.get(&key) {
            Some(request) if request.id == id => None,
            _ => Some(Ok(())),
        };
        let what = |view: &View| format!("the owner did not let it fail: {}", describe(view, name));
        until(agent, revision, None, taken, what).await?;
        info(agent, name).await
    }
}

fn dependencies(config: &ResourceConfig) -> DependencyInfo {
    let operands = config.depends_on.iter().map(|p| format!("([{p}])"));
    DependencyInfo {
        resource: config.name.clone(),
        expression: operands.collect::<Vec<_>>().join(" and "),
    }
}

impl Run for AddClusterResourceDependency {
    async fn run(self, agent: &Agent) -> Result<DependencyInfo> {
        let (resource, provider) = (&self.resource, &self.provider);
        let decide = |view: &View| configuration::add_dependency(view, resource, provider);
        commit(agent, decide).await?;
        let view = agent.read().await?;
        Ok(dependencies(find_resource(&view, resource)?))
    }
}

impl Run for GetClusterResourceDependency {
    async fn run(self, agent: &Agent) -> Result<Vec<DependencyInfo>> {
        let view = agent.read().await?;
        let pattern = self.resource.as_deref();
        if let Some(name) = exact(pattern) {
            find_resource(&view, name)?;
        }
        let fitting = view.resources.values().filter(|r| fits(pattern, &r.name));
        Ok(fitting.map(|r| dependencies(r)).collect())
    }
}

fn parameters(config: &ResourceConfig) -> Vec<ParameterInfo> {
    let rule = resource_type::find(&config.resource_type);
    let known = rule.map(|r| r.parameters).unwrap_or_default();
    let records = known.iter().map(|parameter| ParameterInfo {
        object: config.name.clone(),
        name: parameter.name.to_owned(),
        value: config
            .parameters
            .get(parameter.name)
            .cloned()
            .unwrap_or_default(),
        kind: match parameter.number {
            true => "UInt32".to_owned(),
            false => "String".to_owned(),
        },
    });
    records.collect()
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
        let (resource, name, value) = (&self.resource, &self.name, text(&self.value)?);
        let decide = |view: &View| configuration::set_parameter(view, resource, name, &value);
        commit(agent, decide).await?;
        let view = agent.read().await?;
        parameter_of(find_resource(&view, resource)?, name)
    }
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
