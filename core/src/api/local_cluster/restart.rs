//! `Restart-ClusterNode`: asked for at the node, and waited for.

use std::time::{Duration, Instant};

use super::LocalClusters;
use crate::api::agents::Agents;
use crate::api::node::RestartClusterNode;
use crate::api::value::Value;
use crate::error::{Error, ErrorKind, Result};

/// How long the new program may take to answer.
const START_MAX: Duration = Duration::from_secs(30);
/// Between two questions.
const ASK_EVERY: Duration = Duration::from_millis(50);

impl LocalClusters {
    /// Answers the node's record once its new program answers.
    pub(super) async fn restart_node(
        &self,
        command: &RestartClusterNode,
        agents: &Agents,
    ) -> Result<Vec<Value>> {
        let agent = super::setting::agent_of(agents, &command.name)?;
        let nothing = Value::Map(Vec::new());
        let before = agents.run_at(agent, "Restart-Agent", &nothing).await?;
        let began = Instant::now();
        loop {
            let now = agents.run_at(agent, "Read-AgentInstance", &nothing).await;
            if now.as_ref().is_ok_and(|now| *now != before) {
                break;
            }
            if began.elapsed() > START_MAX {
                let text = match now {
                    Ok(_) => format!("node {} still runs its former program", command.name),
                    Err(e) => format!("node {} does not answer: {}", command.name, e.message),
                };
                return Err(Error::new(ErrorKind::Timeout, text)
                    .hint("Get-ClusterLog shows why; its groups fail over if it is down"));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        let name = Value::Map(vec![("Name".into(), command.name.as_str().into())]);
        match agents.run_at(agent, "Get-ClusterNode", &name).await? {
            Value::Array(records) => Ok(records),
            one => Ok(vec![one]),
        }
    }
}
