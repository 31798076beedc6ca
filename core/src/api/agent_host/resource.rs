//! Commands on resources.

use uuid::Uuid;

use super::wait::{commit, offline, online, until, waiting_on};
use super::{Run, exact, fits, property, record};
use crate::api::resource::{
    AddClusterResource, GetClusterResource, MoveClusterResource, RemoveClusterResource,
    ResourceInfo, ResumeClusterResource, StartClusterResource, StopClusterResource,
    SuspendClusterResource, TestClusterResourceFailure,
};
use crate::cluster::agent::Agent;
use crate::cluster::configuration::{self, NewResource, find_group, find_resource, parse_pair};
use crate::cluster::record::RestartPolicy;
use crate::cluster::view::View;
use crate::error::{ErrorKind, Result};

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
            group: self.group.unwrap_or_default(),
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
        configuration::add_resource(&agent.read().await?, &new)?;
        property::check_new(agent, &new.resource_type, &new.parameters).await?;
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

impl Run for MoveClusterResource {
    async fn run(self, agent: &Agent) -> Result<Vec<ResourceInfo>> {
        let (name, group) = (&self.name, &self.group);
        let decided = agent.change(|view| {
            let (change, moved) = configuration::move_resource(view, name, group)?;
            Ok((change.into_transaction(), moved))
        });
        let (_, mut moved) = decided.await?;
        if moved.is_empty() {
            moved.push(name.clone());
        }
        let (view, now_ms) = (agent.read().await?, agent.options().clock.wall_ms());
        let rows = moved
            .iter()
            .map(|name| record::resource(&view, name, now_ms));
        rows.collect()
    }
}

impl Run for StartClusterResource {
    async fn run(self, agent: &Agent) -> Result<ResourceInfo> {
        let name = &self.name;
        let revision = commit(agent, |view| start(view, name)).await?;
        let what = |view: &View| describe(view, name);
        let done = |view: &View| online(view, name, revision);
        until(agent, revision, self.wait, done, what).await?;
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

async fn maintain(agent: &Agent, name: &str, on: bool) -> Result<ResourceInfo> {
    let decide = |view: &View| configuration::set_maintenance(view, name, on);
    commit(agent, decide).await?;
    info(agent, name).await
}

impl Run for SuspendClusterResource {
    async fn run(self, agent: &Agent) -> Result<ResourceInfo> {
        maintain(agent, &self.name, true).await
    }
}

impl Run for ResumeClusterResource {
    async fn run(self, agent: &Agent) -> Result<ResourceInfo> {
        maintain(agent, &self.name, false).await
    }
}
