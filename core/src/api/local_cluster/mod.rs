//! Clusters whose nodes are processes of this machine.
//!
//! ```text
//!  New-Cluster ─ plan (pure: names, subnet) ─ creation (files, database, processes; undone when it fails)
//!  Start-/Stop-/Remove-Cluster, Add-/Start-/Stop-ClusterNode ─ lifecycle ─ nodes (the processes)
//!  Get-Cluster, Get-ClusterLog ─ inquiry        Get-, Set-ClusterQuorum ─ quorum (where the database lies)
//!  Backup-, Restore-Cluster ─ backup            Get-, Set-ClusterNodeSetting ─ setting (asks the node)
//!  Start-, Stop-, Restart-MsmqService ─ message_service (asks the node)
//!  any of them with -WhatIf ─ what_if
//! ```

mod backup;
mod bootstrap;
mod creation;
mod dependency_report;
mod inquiry;
mod lifecycle;
mod log_file;
mod message_service;
mod nodes;
mod plan;
mod quorum;
mod restart;
mod setting;
mod validation;
mod what_if;

use serde::Serialize;

use crate::api::agents::Agents;
use crate::api::registry::Registry;
use crate::api::value::{Value, from_value, to_value};
use crate::error::{Error, ErrorKind, Result};
use nodes::Nodes;
pub(super) use what_if::rehearse;

/// Runs the commands of clusters on this machine, and holds the nodes it started.
pub(super) struct LocalClusters {
    registry: Registry,
    nodes: Nodes,
}

impl LocalClusters {
    /// `program` is how nodes are started.
    pub(super) fn new(registry: Registry, program: Vec<std::path::PathBuf>) -> Self {
        Self {
            registry,
            nodes: Nodes::new(program),
        }
    }

    /// Runs a command. `current` is the cluster in use, `agents` are its nodes.
    pub(super) async fn run(
        &self,
        name: &str,
        arguments: &Value,
        current: Result<String, &Error>,
        agents: Result<Agents>,
    ) -> Result<Vec<Value>> {
        match name {
            "New-Cluster" => record(&self.create(&from_value(arguments)?).await?),
            "Get-Cluster" => self.show(&from_value(arguments)?, agents.ok()).await,
            "Start-Cluster" => record(&self.start(&from_value(arguments)?).await?),
            "Stop-Cluster" => record(&self.stop(from_value(arguments)?, current).await?),
            "Remove-Cluster" => record(&self.remove(&from_value(arguments)?).await?),
            "Get-ClusterQuorum" => {
                record(&self.show_quorum(from_value(arguments)?, current).await?)
            }
            "Set-ClusterQuorum" => {
                record(&self.move_quorum(from_value(arguments)?, current).await?)
            }
            "Backup-Cluster" => record(&self.back_up(from_value(arguments)?, current).await?),
            "Restore-Cluster" => record(&self.restore(from_value(arguments)?, current).await?),
            "Get-ClusterNodeSetting" => setting::show(&from_value(arguments)?, &agents?).await,
            "Set-ClusterNodeSetting" => setting::set(&from_value(arguments)?, &agents?).await,
            "Add-ClusterNode" => record(&self.add_node(&from_value(arguments)?, current).await?),
            "Start-ClusterNode" => {
                record(&self.start_node(&from_value(arguments)?, current).await?)
            }
            "Stop-ClusterNode" => record(&self.stop_node(&from_value(arguments)?, &agents?).await?),
            "Restart-ClusterNode" => self.restart_node(&from_value(arguments)?, &agents?).await,
            "Start-MsmqService" => message_service::start(&from_value(arguments)?, &agents?).await,
            "Stop-MsmqService" => message_service::stop(&from_value(arguments)?, &agents?).await,
            "Restart-MsmqService" => {
                message_service::restart(&from_value(arguments)?, &agents?).await
            }
            "Remove-ClusterNode" => {
                record(&self.remove_node(&from_value(arguments)?, &agents?).await?)
            }
            "Get-ClusterResourceDependencyReport" => {
                record(&dependency_report::write(&from_value(arguments)?, &agents?).await?)
            }
            "Clear-ClusterNode" => record(&self.clear_node(&from_value(arguments)?, current)?),
            "Test-Cluster" => validation::run(&from_value(arguments)?, &agents?).await,
            "Get-ClusterLog" => self.log(&from_value(arguments)?, current, &agents?).await,
            other => Err(Error::new(
                ErrorKind::Internal,
                format!("{other} is listed as a command of the client, but not known to it"),
            )),
        }
    }

    /// Stops the clusters whose nodes this client holds.
    pub(super) async fn close(&self) {
        for cluster in self.nodes.held_clusters() {
            if let Ok(Some(entry)) = self.registry.load(&cluster)
                && !entry.detached
            {
                self.stop_nodes(&entry).await;
            }
        }
        self.nodes.let_go_of_all().await;
    }
}

fn record<T: Serialize>(info: &T) -> Result<Vec<Value>> {
    Ok(vec![to_value(info)?])
}
