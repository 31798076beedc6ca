//! The nodes' own queue managers: asked for at the node itself.

use super::setting::agent_of;
use crate::api::agents::Agents;
use crate::api::message_service::{RestartMsmqService, StartMsmqService, StopMsmqService};
use crate::api::value::{Value, from_value};
use crate::api::what_if::StepInfo;
use crate::error::Result;

const START: &str = "Start-MessageService";
const STOP: &str = "Stop-MessageService";

pub(super) async fn start(command: &StartMsmqService, agents: &Agents) -> Result<Vec<Value>> {
    ask(&command.node, START, agents).await
}

pub(super) async fn stop(command: &StopMsmqService, agents: &Agents) -> Result<Vec<Value>> {
    ask(&command.node, STOP, agents).await
}

pub(super) async fn restart(command: &RestartMsmqService, agents: &Agents) -> Result<Vec<Value>> {
    ask(&command.node, STOP, agents).await?;
    ask(&command.node, START, agents).await
}

async fn ask(node: &str, order: &str, agents: &Agents) -> Result<Vec<Value>> {
    let agent = agent_of(agents, node)?;
    let nothing = Value::Map(Vec::new());
    Ok(vec![agents.run_at(agent, order, &nothing).await?])
}

/// What they would do.
pub(super) fn steps(name: &str, arguments: &Value, agents: &Agents) -> Result<Vec<StepInfo>> {
    // All three have this parameter alone.
    let command: RestartMsmqService = from_value(arguments)?;
    let node = &agent_of(agents, &command.node)?.node;
    let actions: &[&str] = match name {
        "Start-MsmqService" => &["Start service"],
        "Stop-MsmqService" => &["Stop service"],
        _ => &["Stop service", "Start service"],
    };
    let step = |action: &&str| StepInfo::new(action, node, node, "the node's own queue manager");
    Ok(actions.iter().map(step).collect())
}
