//! Commands on nodes, and on what is installed on them.

use serde::Deserialize;
use uuid::Uuid;

use super::wait::{commit, until};
use super::{Run, exact, fits, record};
use crate::api::feature::{FeatureInfo, GetMsmqFeature, InstallMsmqFeature, UninstallMsmqFeature};
use crate::api::node::{GetClusterNode, NodeInfo, ResumeClusterNode, SuspendClusterNode};
use crate::api::value::Value;
use crate::cluster::agent::Agent;
use crate::cluster::configuration::{self, Failback, Suspend, find_node};
use crate::cluster::placement::{Reason, candidates};
use crate::cluster::record::fold;
use crate::cluster::resource::ResourceState;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::name::nearest;

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

impl Run for SuspendClusterNode {
    async fn run(self, agent: &Agent) -> Result<NodeInfo> {
        let ask = Suspend {
            node: self.name.clone(),
            id: Uuid::new_v4().to_string(),
            drain: self.drain || self.force_drain,
            force: self.force_drain,
            target: self.target_node,
        };
        let revision = commit(agent, |view| configuration::suspend_node(view, &ask)).await?;
        if ask.drain {
            let done = |view: &View| left_on(view, &ask).is_empty().then_some(Ok(()));
            let what = |view: &View| {
                let left = left_on(view, &ask).join(", ");
                format!("node {} is still draining: {left}", self.name)
            };
            until(agent, revision, self.wait, done, what).await?;
        }
        record::node(&agent.read().await?, &self.name)
    }
}

/// The groups that are still to leave a node that is drained, or to go offline there.
fn left_on(view: &View, ask: &Suspend) -> Vec<String> {
    let here = view.groups.iter().filter(|(group, _)| {
        let owner = view.live_owner(group);
        owner.is_some_and(|o| fold(&o.node) == fold(&ask.node))
    });
    let reason = Reason::Planned { source: &ask.node };
    let none = Default::default();
    let stays = |group: &str| {
        let nowhere = candidates(view, &none, group, reason).is_empty();
        let mut all = view.resources_of(group);
        let down = all.all(|(n, _)| ResourceState::published(view, n) == ResourceState::Offline);
        nowhere && (!ask.force || down)
    };
    let left = here.filter(|(group, _)| !stays(group));
    left.map(|(_, config)| config.name.clone()).collect()
}

impl Run for ResumeClusterNode {
    async fn run(self, agent: &Agent) -> Result<NodeInfo> {
        let failback = failback(self.failback.as_deref())?;
        commit(agent, |view| {
            configuration::resume_node(view, &self.name, failback)
        })
        .await?;
        record::node(&agent.read().await?, &self.name)
    }
}

fn failback(name: Option<&str>) -> Result<Failback> {
    let known = [
        ("NoFailback", Failback::NoFailback),
        ("Immediate", Failback::Immediate),
        ("Policy", Failback::Policy),
    ];
    let Some(name) = name else {
        return Ok(Failback::default());
    };
    let found = known.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, failback)| *failback).ok_or_else(|| {
        let text = format!("Failback cannot be {name:?}");
        let names = known.map(|(n, _)| n);
        let near = nearest(name, names);
        Error::new(ErrorKind::InvalidParameter, text).hint(match near {
            Some(near) => format!("did you mean {near}?"),
            None => format!("it is {}", names.join(", ")),
        })
    })
}

/// `Remove-Node` and `Clear-Quarantine`.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    #[serde(rename = "Name")]
    name: String,
}

pub(super) async fn remove(agent: &Agent, node: &Named) -> Result<Value> {
    commit(agent, |view| configuration::evict_node(view, &node.name)).await?;
    Ok(Value::Null)
}

pub(super) async fn clear_quarantine(agent: &Agent, node: &Named) -> Result<Value> {
    commit(agent, |view| {
        configuration::clear_quarantine(view, &node.name)
    })
    .await?;
    Ok(Value::Null)
}

/// `Force-Quorum`: the operator's word on nodes that do not answer.
#[derive(Debug, Deserialize)]
pub(super) struct Dead {
    #[serde(rename = "Dead")]
    dead: Vec<String>,
}

pub(super) async fn force_quorum(agent: &Agent, question: &Dead) -> Result<Value> {
    let node = &agent.options().node;
    let decide = |view: &View| configuration::force_quorum(view, node, &question.dead);
    commit(agent, decide).await?;
    agent.note(
        "WARN",
        "NM",
        &format!(
            "ForceQuorum: declared dead by an operator: {}",
            question.dead.join(", ")
        ),
    );
    Ok(Value::Null)
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
