//! Commands on the pools of message memory.

use super::wait::commit;
use super::{Run, exact, fits};
use crate::api::feature::{GetMsmqMemoryPool, MemoryPoolInfo, SetMsmqMemoryPool};
use crate::cluster::agent::Agent;
use crate::cluster::configuration::{self, find_node, memory_pool_mb};
use crate::cluster::resource_type;
use crate::cluster::view::View;
use crate::error::Result;

fn info(view: &View, node: &str) -> MemoryPoolInfo {
    let megabytes = memory_pool_mb(view, node);
    let each = resource_type::find("MSMQ").map_or(1, |t| t.message_memory_mb.max(1));
    MemoryPoolInfo {
        node: view.node_name(node),
        megabytes: megabytes.into(),
        instances: (megabytes / each).into(),
    }
}

impl Run for GetMsmqMemoryPool {
    async fn run(self, agent: &Agent) -> Result<Vec<MemoryPoolInfo>> {
        let view = agent.read().await?;
        let pattern = self.node.as_deref();
        if let Some(name) = exact(pattern) {
            find_node(&view, name)?;
        }
        let nodes = view.nodes.values().filter(|n| fits(pattern, &n.name));
        Ok(nodes.map(|n| info(&view, &n.name)).collect())
    }
}

impl Run for SetMsmqMemoryPool {
    async fn run(self, agent: &Agent) -> Result<MemoryPoolInfo> {
        let decide = |view: &View| configuration::set_memory_pool(view, &self.node, self.megabytes);
        commit(agent, decide).await?;
        Ok(info(&agent.read().await?, &self.node))
    }
}
