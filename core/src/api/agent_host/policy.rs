//! Commands on the properties that policies follow.

use super::wait::commit;
use super::{Run, record};
use crate::api::explain::{ClusterLogSettingInfo, SetClusterLog};
use crate::api::group::GroupInfo;
use crate::api::policy::{ClusterPolicyInfo, SetCluster, SetClusterGroup, SetClusterResource};
use crate::api::resource::ResourceInfo;
use crate::cluster::agent::Agent;
use crate::cluster::configuration::{
    ClusterChange, GroupChange, PolicyChange, set_cluster_policy, set_group, set_restart_policy,
};
use crate::error::Result;

impl Run for SetCluster {
    async fn run(self, agent: &Agent) -> Result<ClusterPolicyInfo> {
        let change = ClusterChange {
            enforced_anti_affinity: self.enforced_anti_affinity,
            quarantine_threshold: self.quarantine_threshold,
            quarantine_duration_s: self.quarantine_duration,
            ..ClusterChange::default()
        };
        commit(agent, |view| set_cluster_policy(view, &change)).await?;
        let policy = agent.read().await?.policy();
        Ok(ClusterPolicyInfo {
            enforced_anti_affinity: u64::from(policy.enforced_anti_affinity),
            quarantine_threshold: policy.quarantine_threshold,
            quarantine_duration: policy.quarantine_duration_s,
        })
    }
}

impl Run for SetClusterLog {
    async fn run(self, agent: &Agent) -> Result<ClusterLogSettingInfo> {
        let change = ClusterChange {
            log_megabytes: self.size,
            log_level: self.level,
            ..ClusterChange::default()
        };
        commit(agent, |view| set_cluster_policy(view, &change)).await?;
        let policy = agent.read().await?.policy();
        Ok(ClusterLogSettingInfo {
            size: policy.log_megabytes,
            level: policy.log_level,
        })
    }
}

impl Run for SetClusterGroup {
    async fn run(self, agent: &Agent) -> Result<GroupInfo> {
        let change = GroupChange {
            auto_failback_type: self.auto_failback_type,
            failback_window_start: self.failback_window_start,
            failback_window_end: self.failback_window_end,
            failover_threshold: self.failover_threshold,
            failover_period: self.failover_period,
            priority: self.priority,
            anti_affinity: self.anti_affinity,
            default_owner: self.default_owner,
        };
        commit(agent, |view| set_group(view, &self.name, &change)).await?;
        record::group(&agent.read().await?, &self.name)
    }
}

impl Run for SetClusterResource {
    async fn run(self, agent: &Agent) -> Result<ResourceInfo> {
        let change = PolicyChange {
            action: self.restart_action,
            threshold: self.restart_threshold,
            period_ms: self.restart_period.map(|m| m.0),
            delay_ms: self.restart_delay.map(|m| m.0),
            retry_ms: self.retry_period.map(|m| m.0),
            pending_timeout_ms: self.pending_timeout.map(|m| m.0),
            deadlock_timeout_ms: self.deadlock_timeout.map(|m| m.0),
            looks_alive_ms: self.looks_alive.map(|m| m.0),
            is_alive_ms: self.is_alive.map(|m| m.0),
        };
        commit(agent, |view| set_restart_policy(view, &self.name, &change)).await?;
        let now_ms = agent.options().clock.wall_ms();
        record::resource(&agent.read().await?, &self.name, now_ms)
    }
}
