//! Commands on nodes, and on what is installed on them.

use super::wait::commit;
use super::{Run, exact, fits, record};
use crate::api::feature::{FeatureInfo, GetMsmqFeature, InstallMsmqFeature, UninstallMsmqFeature};
use crate::api::node::{GetClusterNode, NodeInfo};
use crate::cluster::agent::Agent;
use crate::cluster::configuration::{self, find_node};
use crate::cluster::view::View;
use crate::error::Result;

impl Run for GetClusterNode {
    async fn run(self, agent: &Agent) -> Result<Vec<NodeInfo>> {
        let view = agent.read().await?;
        let pattern = self.name.as_deref();
        if let Some(name) = exact(pattern) {
            find_node(&view, name)?;
        }
        let mut nodes: Vec<_> = view
            .nodes
            .values()
            .filter(|n| fits(pattern, &n.name))
            .collect();
        nodes.sort_by_key(|n| n.id);
        nodes
            .into_iter()
            .map(|n| record::node(&view, &n.name))
            .collect()
    }
}

impl Run for InstallMsmqFeature {
    async fn run(self, agent: &Agent) -> Result<Vec<FeatureInfo>> {
        let (nodes, features) = (&self.nodes, &self.features);
        let decide = |view: &View| configuration::install_feature(view, nodes, features);
        commit(agent, decide).await?;
        installed(agent, nodes).await
    }
}

/// What is installed on nodes, by default on all.
async fn installed(agent: &Agent, nodes: &[String]) -> Result<Vec<FeatureInfo>> {
    let view = agent.read().await?;
    let all: Vec<String> = view.nodes.values().map(|n| n.name.clone()).collect();
    let names = match nodes.is_empty() {
        true => all,
        false => nodes.to_vec(),
    };
    let mut records = Vec::new();
    for name in names {
        let features = record::features(&view, &name)?;
        records.extend(
            features
                .into_iter()
                .filter(|f| f.install_state == "Installed"),
        );
    }
    Ok(records)
}

impl Run for UninstallMsmqFeature {
    async fn run(self, agent: &Agent) -> Result<Vec<FeatureInfo>> {
        commit(agent, |view| {
            configuration::uninstall_feature(view, &self.node)
        })
        .await?;
        record::features(&agent.read().await?, &self.node)
    }
}

impl Run for GetMsmqFeature {
    async fn run(self, agent: &Agent) -> Result<Vec<FeatureInfo>> {
        let view = agent.read().await?;
        let pattern = self.node.as_deref();
        if let Some(name) = exact(pattern) {
            find_node(&view, name)?;
        }
        let mut records = Vec::new();
        for node in view.nodes.values().filter(|n| fits(pattern, &n.name)) {
            records.extend(record::features(&view, &node.name)?);
        }
        Ok(records)
    }
}
