//! What commands on clusters of this machine would start, stop, write and remove; nothing is done.

use super::lifecycle::{check_down, draft_node};
use super::{LocalClusters, message_service, plan};
use crate::api::agents::{Agents, Repeat};
use crate::api::backup::{BackupCluster, RestoreCluster};
use crate::api::checkpoint::SetClusterNodeSetting;
use crate::api::cluster::{NewCluster, RemoveCluster, SetClusterQuorum, StartCluster, StopCluster};
use crate::api::group::GroupInfo;
use crate::api::node::{
    AddClusterNode, RemoveClusterNode, RestartClusterNode, StartClusterNode, StopClusterNode,
};
use crate::api::registry::{ClusterEntry, NodeEntry};
use crate::api::value::{Value, from_value};
use crate::api::what_if::StepInfo;
use crate::database::backup::Backup;
use crate::error::{Error, Result};
use crate::sys::folder;

/// Rows of a rehearsed drain that would not be written: the node stops instead of being paused.
const PAUSE: &str = "pause of";
/// Why its groups leave it, and why they would.
const DRAINED: &str = "is drained";
const STOPS: &str = "stops";

impl LocalClusters {
    /// The steps of a command; none for one that is not told step by step.
    pub(in crate::api) async fn what_if(
        &self,
        name: &str,
        arguments: &Value,
        current: Result<String, &Error>,
        agents: Result<Agents>,
    ) -> Result<Option<Vec<StepInfo>>> {
        let steps = match name {
            "New-Cluster" => self.would_create(&from_value(arguments)?)?,
            "Start-Cluster" => {
                let command: StartCluster = from_value(arguments)?;
                started(&self.registry.find(&command.name)?)
            }
            "Stop-Cluster" => {
                let command: StopCluster = from_value(arguments)?;
                self.would_stop(command.name, current).await?
            }
            "Remove-Cluster" => self.would_remove(&from_value(arguments)?)?,
            "Set-ClusterQuorum" => self.would_move(from_value(arguments)?, current)?,
            "Backup-Cluster" => {
                let command: BackupCluster = from_value(arguments)?;
                let path = folder::absolute(command.path.as_ref())?;
                vec![StepInfo::new(
                    "Write file",
                    &path.display().to_string(),
                    "",
                    "the cluster database",
                )]
            }
            "Restore-Cluster" => self.would_restore(from_value(arguments)?, current)?,
            _ => return self.what_if_of_node(name, arguments, current, agents).await,
        };
        Ok(Some(steps))
    }

    async fn what_if_of_node(
        &self,
        name: &str,
        arguments: &Value,
        current: Result<String, &Error>,
        agents: Result<Agents>,
    ) -> Result<Option<Vec<StepInfo>>> {
        let steps = match name {
            "Add-ClusterNode" => self.would_add(&from_value(arguments)?, current)?,
            "Start-ClusterNode" => {
                let command: StartClusterNode = from_value(arguments)?;
                let entry = self.registry.find(&current.map_err(Clone::clone)?)?;
                let node = entry.node(&command.name)?;
                (!node.is_running())
                    .then(|| start(node))
                    .into_iter()
                    .collect()
            }
            "Stop-ClusterNode" => {
                let command: StopClusterNode = from_value(arguments)?;
                self.would_leave(&command.name, &agents?).await?
            }
            "Restart-ClusterNode" => {
                let command: RestartClusterNode = from_value(arguments)?;
                let node = super::setting::agent_of(&agents?, &command.name)?
                    .node
                    .clone();
                let note =
                    "it becomes the program that was installed last; its resources go on meanwhile";
                vec![StepInfo::new("Restart agent", &node, &node, note)]
            }
            "Remove-ClusterNode" => self.would_evict(&from_value(arguments)?, &agents?).await?,
            "Clear-ClusterNode" => {
                let path = self.evicted(&from_value(arguments)?, current)?;
                let path = path.display().to_string();
                vec![StepInfo::new(
                    "Remove folder",
                    &path,
                    "",
                    "logs, settings, certificates, the queues of its own",
                )]
            }
            "Start-MsmqService" | "Stop-MsmqService" | "Restart-MsmqService" => {
                message_service::steps(name, arguments, &agents?)?
            }
            "Set-ClusterNodeSetting" => {
                let command: SetClusterNodeSetting = from_value(arguments)?;
                let node = super::setting::agent_of(&agents?, &command.node)?
                    .node
                    .clone();
                let object = format!("{}/{}", command.key, command.name);
                let action = if command.delete {
                    "Remove setting"
                } else {
                    "Write setting"
                };
                vec![StepInfo::new(
                    action,
                    &object,
                    &node,
                    command.value.unwrap_or_default(),
                )]
            }
            _ => return Ok(None),
        };
        Ok(Some(steps))
    }

    fn would_create(&self, command: &NewCluster) -> Result<Vec<StepInfo>> {
        let entry = self.draft(command)?;
        let mut steps = vec![StepInfo::new(
            "Create cluster",
            &entry.name,
            "",
            format!("database {}", entry.database),
        )];
        for node in &entry.nodes {
            steps.push(create(node));
            steps.push(start(node));
        }
        Ok(steps)
    }

    fn would_remove(&self, command: &RemoveCluster) -> Result<Vec<StepInfo>> {
        let entry = self.registry.find(&command.name)?;
        check_down(&entry)?;
        let remove = |path: &std::path::Path, note: &str| {
            StepInfo::new("Remove folder", &path.display().to_string(), "", note)
        };
        let nodes = entry.nodes.iter();
        let mut steps: Vec<StepInfo> = nodes
            .map(|node| remove(&node.data, &format!("the data of node {}", node.name)))
            .collect();
        let database = entry.database.to_string();
        steps.push(StepInfo::new(
            "Remove database",
            &database,
            "",
            "groups, resources, decisions",
        ));
        let disks = entry.disks();
        steps.push(remove(
            &disks,
            "disks of virtual servers in it, with their messages",
        ));
        Ok(steps)
    }

    fn would_move(
        &self,
        command: SetClusterQuorum,
        current: Result<String, &Error>,
    ) -> Result<Vec<StepInfo>> {
        let entry = self.named(command.name, current)?;
        let target = plan::location(&command.quorum, &entry.name)?;
        let target = target.filter(|target| *target != entry.database);
        let Some(target) = target else {
            return Ok(Vec::new());
        };
        check_down(&entry)?;
        let note = format!("to {target}");
        Ok(vec![StepInfo::new(
            "Move database",
            &entry.database.to_string(),
            "",
            &note,
        )])
    }

    fn would_restore(
        &self,
        command: RestoreCluster,
        current: Result<String, &Error>,
    ) -> Result<Vec<StepInfo>> {
        let path = folder::absolute(command.path.as_ref())?;
        let (backup, _) = Backup::read(&path)?;
        let (_, database) = self.place(command.name, &command.quorum, current, true)?;
        let note = format!(
            "all of it, by the {} rows of the backup of {} ({})",
            backup.rows.len(),
            backup.cluster,
            crate::api::value::Time(backup.taken_ms)
        );
        let place = database.location().to_string();
        Ok(vec![StepInfo::new("Replace database", &place, "", &note)])
    }

    fn would_add(
        &self,
        command: &AddClusterNode,
        current: Result<String, &Error>,
    ) -> Result<Vec<StepInfo>> {
        let entry = self.registry.find(&current.map_err(Clone::clone)?)?;
        let node = draft_node(&entry, &command.name)?;
        Ok(vec![create(&node), start(&node)])
    }

    async fn would_stop(
        &self,
        name: Option<String>,
        current: Result<String, &Error>,
    ) -> Result<Vec<StepInfo>> {
        let entry = self.named(name, current)?;
        let running: Vec<&NodeEntry> = entry.nodes.iter().filter(|n| n.is_running()).collect();
        let mut steps = Vec::new();
        if !running.is_empty() {
            let agents = entry.agents();
            let nothing = Value::Map(Vec::new());
            let groups = agents
                .run("Get-ClusterGroup", &nothing, Repeat::Allowed)
                .await?;
            let groups: Vec<GroupInfo> = from_value(&groups)?;
            let stop = |g: &GroupInfo| ("Stop-ClusterGroup", named(&g.name));
            steps = rehearse(&agents, groups.iter().map(stop).collect()).await?;
        }
        steps.extend(running.into_iter().map(stop));
        Ok(steps)
    }

    /// A node that stops gives its groups away as one that is drained; what nobody else may own goes offline.
    async fn would_leave(&self, node: &str, agents: &Agents) -> Result<Vec<StepInfo>> {
        let entry = self.registry.find(&agents.cluster)?;
        let node = entry.node(node)?;
        if !node.is_running() {
            return Ok(Vec::new());
        }
        let mut drain = fields(&named(&node.name));
        drain.push(("ForceDrain".into(), Value::Bool(true)));
        let drain = vec![("Suspend-ClusterNode", Value::Map(drain))];
        let mut steps = rehearse(agents, drain).await?;
        steps.retain(|step| !step.action.ends_with(PAUSE));
        for step in &mut steps {
            step.note = step.note.replace(DRAINED, STOPS);
        }
        steps.push(stop(node));
        Ok(steps)
    }

    async fn would_evict(
        &self,
        command: &RemoveClusterNode,
        agents: &Agents,
    ) -> Result<Vec<StepInfo>> {
        let entry = self.registry.find(&agents.cluster)?;
        let node = entry.node(&command.name)?;
        if node.is_running() && command.force {
            let mut steps = self.would_leave(&node.name, agents).await?;
            steps.push(StepInfo::new(
                "Remove node",
                &node.name,
                "",
                "it stays out until it is added again",
            ));
            return Ok(steps);
        }
        rehearse(agents, vec![("Remove-Node", named(&node.name))]).await
    }
}

fn create(node: &NodeEntry) -> StepInfo {
    let note = format!("at {}, its data in {}", node.address, node.data.display());
    StepInfo::new("Create node", &node.name, &node.name, &note)
}

fn start(node: &NodeEntry) -> StepInfo {
    StepInfo::new(
        "Start agent",
        &node.name,
        &node.name,
        "it takes the groups that it may",
    )
}

fn stop(node: &NodeEntry) -> StepInfo {
    StepInfo::new("Stop agent", &node.name, &node.name, "")
}

fn started(entry: &ClusterEntry) -> Vec<StepInfo> {
    let down = entry.nodes.iter().filter(|node| !node.is_running());
    down.map(start).collect()
}

fn named(name: &str) -> Value {
    Value::Map(vec![("Name".into(), name.into())])
}

fn fields(map: &Value) -> Vec<(Value, Value)> {
    map.as_map().cloned().unwrap_or_default()
}

/// Has commands rehearsed at a node agent, each on what became of the last.
pub(in crate::api) async fn rehearse(
    agents: &Agents,
    commands: Vec<(&str, Value)>,
) -> Result<Vec<StepInfo>> {
    let asked = commands.into_iter().map(|(name, arguments)| {
        Value::Map(vec![
            ("Name".into(), name.into()),
            ("Arguments".into(), arguments),
        ])
    });
    let question = Value::Map(vec![("Commands".into(), Value::Array(asked.collect()))]);
    from_value(&agents.run("What-If", &question, Repeat::Allowed).await?)
}
