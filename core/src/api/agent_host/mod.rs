//! The commands that a node agent runs.
//!
//! ```text
//!   run(name, arguments) ─ typed command ─ configuration (pure) ─ guarded transaction ─ wait ─ record
//! ```
//!
//! More are internal, for clients and other nodes: `Resolve-MsmqComputer`, `Read-ClusterLog`,
//! `Read-ClusterFacts`, `Read-NodeFacts`, `Read-NodeSetting`, `Write-NodeSetting`, `Start-MessageService`, `Stop-MessageService`, `Restart-Agent`, `Read-AgentInstance`, `Stop-Agent`, `Join-Cluster`, `Remove-Node`, `Clear-Quarantine` and
//! `Force-Quorum`, `What-If`; and `Get-Cluster` tells a client that knows only an address which cluster it found.

mod access;
mod audit;
mod checkpoint;
mod clustered_role;
mod dependencies;
mod group;
mod internal;
mod memory_pool;
mod message_service;
mod network;
mod node;
mod policy;
mod property;
mod record;
mod resource;
mod resource_type;
mod trust;
mod validation;
mod wait;
mod what_if;
mod why;

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::host::{CommandHost, Given};
use super::spec::{Command, RunsAt};
use super::value::{Value, from_value, to_value};
use super::{
    access as accesses, cluster, dependency, explain, feature, group as groups,
    network as networks, node as nodes, parameter, trust as trusts,
};
use crate::cluster::agent::Agent;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::trust::Caller;
pub(super) use trust::{Join, Joined};

impl CommandHost for Agent {
    fn run(
        &self,
        name: String,
        arguments: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value>> + Send>> {
        let agent = self.clone();
        Box::pin(async move { dispatch(&agent, &name, arguments).await })
    }

    fn audit(&self, given: &Given, outcome: &Result<Value>) {
        audit::audit(self, given, outcome);
    }

    fn admits(&self, caller: &Caller, command: &str) -> Result<()> {
        access::admits(self, caller, command)
    }
}

/// A command that this host runs.
trait Run: Command {
    async fn run(self, agent: &Agent) -> Result<Self::Output>;
}

async fn typed<C: Run>(agent: &Agent, arguments: &Value) -> Result<Value> {
    let command: C = read(arguments)?;
    to_value(&command.run(agent).await?)
}

fn read<T: DeserializeOwned>(arguments: &Value) -> Result<T> {
    match arguments {
        Value::Null => from_value(&Value::Map(Vec::new())),
        given => from_value(given),
    }
}

fn write<T: Serialize>(record: &T) -> Result<Value> {
    to_value(record)
}

macro_rules! table {
    ($agent:ident, $name:ident, $arguments:ident, $($command:ty),+ $(,)?) => {
        $(if $name.eq_ignore_ascii_case(<$command as Command>::SPEC.name) {
            return typed::<$command>($agent, &$arguments).await;
        })+
    };
}

async fn dispatch(agent: &Agent, name: &str, arguments: Value) -> Result<Value> {
    table!(
        agent,
        name,
        arguments,
        cluster::UpdateClusterFunctionalLevel,
        super::policy::SetCluster,
        super::policy::SetClusterGroup,
        super::policy::SetClusterResource,
        nodes::GetClusterNode,
        nodes::SuspendClusterNode,
        nodes::ResumeClusterNode,
        groups::AddClusterGroup,
        groups::GetClusterGroup,
        groups::RemoveClusterGroup,
        groups::StartClusterGroup,
        groups::StopClusterGroup,
        groups::MoveClusterGroup,
        super::resource::AddClusterResource,
        super::resource::GetClusterResource,
        super::resource::RemoveClusterResource,
        super::resource::MoveClusterResource,
        super::clustered_role::AddClusterGenericApplicationRole,
        super::clustered_role::AddClusterGenericServiceRole,
        super::clustered_role::AddClusterGenericScriptRole,
        super::resource::StartClusterResource,
        super::resource::StopClusterResource,
        super::resource::TestClusterResourceFailure,
        super::resource::SuspendClusterResource,
        super::resource::ResumeClusterResource,
        super::resource::GetClusterResourceType,
        dependency::AddClusterResourceDependency,
        dependency::RemoveClusterResourceDependency,
        dependency::SetClusterResourceDependency,
        dependency::GetClusterResourceDependency,
        super::checkpoint::AddClusterCheckpoint,
        super::checkpoint::GetClusterCheckpoint,
        super::checkpoint::RemoveClusterCheckpoint,
        parameter::GetClusterParameter,
        parameter::SetClusterParameter,
        parameter::GetClusterOwnerNode,
        parameter::SetClusterOwnerNode,
        feature::InstallMsmqFeature,
        feature::UninstallMsmqFeature,
        feature::GetMsmqFeature,
        super::message_service::GetMsmqService,
        feature::GetMsmqMemoryPool,
        feature::SetMsmqMemoryPool,
        explain::GetClusterWhy,
        explain::SetClusterLog,
        networks::GetClusterNetwork,
        networks::GetClusterNetworkInterface,
        networks::SetClusterNetwork,
        trusts::NewClusterJoinToken,
        trusts::NewClusterClientCertificate,
        accesses::GetClusterAccess,
        accesses::GrantClusterAccess,
        accesses::BlockClusterAccess,
        accesses::RemoveClusterAccess,
    );
    unlisted(agent, name, arguments).await
}

/// Commands that only clients and other nodes give.
async fn unlisted(agent: &Agent, name: &str, arguments: Value) -> Result<Value> {
    match name.to_ascii_lowercase().as_str() {
        "get-cluster" => write::<cluster::ClusterInfo>(&internal::cluster_info(agent).await?),
        "what-if" => write(&what_if::what_if(agent, read(&arguments)?).await?),
        "resolve-msmqcomputer" => write(&internal::resolve(agent, &read(&arguments)?).await?),
        "read-clusterlog" => write(&internal::read_log(agent, &read(&arguments)?)?),
        "remove-node" => node::remove(agent, &read(&arguments)?).await,
        "clear-quarantine" => node::clear_quarantine(agent, &read(&arguments)?).await,
        "force-quorum" => node::force_quorum(agent, &read(&arguments)?).await,
        "read-clusterfacts" => write(&validation::cluster(agent).await?),
        "read-nodefacts" => write(&validation::node(agent).await?),
        "join-cluster" => write(&trust::join(agent, &read(&arguments)?).await?),
        "read-nodesetting" => checkpoint::read_settings(agent, &read(&arguments)?).await,
        "write-nodesetting" => checkpoint::write_setting(agent, &read(&arguments)?).await,
        "start-messageservice" => write(&message_service::start(agent).await?),
        "stop-messageservice" => write(&message_service::stop(agent).await?),
        "restart-agent" => write(&agent.restart().await?),
        "read-agentinstance" => write(&agent.instance()),
        "stop-agent" => internal::stop(agent, &read(&arguments)?).await,
        _ => Err(not_here(name)),
    }
}

fn not_here(name: &str) -> Error {
    match super::find(name) {
        Some(spec) if spec.runs_at != RunsAt::Agent => {
            let text = format!("{} does not run at a node agent", spec.name);
            Error::new(ErrorKind::Usage, text)
        }
        _ => Error::new(
            ErrorKind::Usage,
            format!("a node agent knows no command {name:?}"),
        )
        .hint("Get-Command lists all"),
    }
}

/// Whether a name fits a pattern with `*` and `?`, ignoring case; no pattern fits all.
fn fits(pattern: Option<&str>, name: &str) -> bool {
    pattern.is_none_or(|pattern| crate::name::fits(pattern, name))
}

/// Whether a pattern names one object, which then must exist.
fn exact(pattern: Option<&str>) -> Option<&str> {
    pattern.filter(|p| !crate::name::is_pattern(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_for_agents_is_known_here() {
        let source = include_str!("mod.rs");
        for spec in super::super::COMMANDS {
            if spec.runs_at == RunsAt::Agent {
                let name = spec.name.replace('-', "");
                assert!(source.contains(&format!("::{name},")), "{}", spec.name);
            }
        }
    }

    #[test]
    fn patterns_are_those_of_the_shell() {
        assert!(fits(Some("vs*-MS?Q"), "VS1-MSMQ"));
        assert!(fits(None, "x"));
        assert!(!fits(Some("vs?"), "VS10"));
        assert!(fits(Some("*"), ""));
        assert!(!fits(Some("a*b"), "abc"));
    }
}
