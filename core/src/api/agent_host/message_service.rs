//! Commands on this node's own queue manager.

use super::{Run, exact, fits};
use crate::api::message_service::{GetMsmqService, MsmqServiceInfo};
use crate::api::value::Time;
use crate::cluster::agent::Agent;
use crate::cluster::configuration::find_node;
use crate::cluster::view::View;
use crate::error::Result;

fn info(view: &View, node: &str) -> Result<MsmqServiceInfo> {
    let config = find_node(view, node)?;
    let running = view.message_service(node);
    let status = match running {
        Some(_) => "Running",
        None if config.features.is_empty() => "NotInstalled",
        None => "Stopped",
    };
    Ok(MsmqServiceInfo {
        node: config.name.clone(),
        status: status.to_owned(),
        start_type: "Manual".to_owned(),
        address: running.map(|s| s.endpoint.clone()),
        rule: running.map(|s| s.rule.clone()),
        multicast_address: running.map(|s| s.multicast.clone()),
        since: running.map(|s| Time(s.since_ms)),
    })
}

impl Run for GetMsmqService {
    async fn run(self, agent: &Agent) -> Result<Vec<MsmqServiceInfo>> {
        let view = agent.read().await?;
        let pattern = self.node.as_deref();
        if let Some(name) = exact(pattern) {
            find_node(&view, name)?;
        }
        let nodes = view.nodes.values().filter(|n| fits(pattern, &n.name));
        nodes.map(|n| info(&view, &n.name)).collect()
    }
}

/// `Start-MessageService`.
pub(super) async fn start(agent: &Agent) -> Result<MsmqServiceInfo> {
    agent.start_message_service().await?;
    own(agent).await
}

/// `Stop-MessageService`.
pub(super) async fn stop(agent: &Agent) -> Result<MsmqServiceInfo> {
    agent.stop_message_service().await;
    own(agent).await
}

async fn own(agent: &Agent) -> Result<MsmqServiceInfo> {
    info(&agent.read().await?, &agent.options().node)
}
