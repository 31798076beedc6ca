//! Commands on dependencies.

use super::wait::commit;
use super::{Run, exact, fits};
use crate::api::dependency::{
    AddClusterResourceDependency, DependencyInfo, GetClusterResourceDependency,
    RemoveClusterResourceDependency, SetClusterResourceDependency,
};
use crate::cluster::agent::Agent;
use crate::cluster::configuration::{self, find_resource};
use crate::cluster::record::ResourceConfig;
use crate::cluster::view::View;
use crate::error::Result;

fn info(config: &ResourceConfig) -> DependencyInfo {
    DependencyInfo {
        resource: config.name.clone(),
        expression: config.depends_on.to_string(),
    }
}

async fn info_of(agent: &Agent, resource: &str) -> Result<DependencyInfo> {
    let view = agent.read().await?;
    Ok(info(find_resource(&view, resource)?))
}

impl Run for AddClusterResourceDependency {
    async fn run(self, agent: &Agent) -> Result<DependencyInfo> {
        let (resource, provider) = (&self.resource, &self.provider);
        let decide = |view: &View| configuration::add_dependency(view, resource, provider);
        commit(agent, decide).await?;
        info_of(agent, resource).await
    }
}

impl Run for RemoveClusterResourceDependency {
    async fn run(self, agent: &Agent) -> Result<DependencyInfo> {
        let (resource, provider) = (&self.resource, &self.provider);
        let decide = |view: &View| configuration::remove_dependency(view, resource, provider);
        commit(agent, decide).await?;
        info_of(agent, resource).await
    }
}

impl Run for SetClusterResourceDependency {
    async fn run(self, agent: &Agent) -> Result<DependencyInfo> {
        let (resource, text) = (&self.resource, &self.dependency);
        let decide = |view: &View| configuration::set_dependency(view, resource, text);
        commit(agent, decide).await?;
        info_of(agent, resource).await
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
        Ok(fitting.map(|r| info(r)).collect())
    }
}
