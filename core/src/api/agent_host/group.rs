//! Commands on groups.

use super::wait::{commit, group_offline, group_online, until, waiting_on};
use super::{Run, exact, fits, record};
use crate::api::group::{
    AddClusterGroup, GetClusterGroup, GroupInfo, MoveClusterGroup, RemoveClusterGroup,
    StartClusterGroup, StopClusterGroup,
};
use crate::cluster::agent::Agent;
use crate::cluster::configuration::{self, NewGroup, find_group};
use crate::cluster::group::GroupState;
use crate::cluster::record::fold;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

impl Run for AddClusterGroup {
    async fn run(self, agent: &Agent) -> Result<GroupInfo> {
        let new = NewGroup {
            name: self.name.clone(),
            preferred_owners: self.preferred_owners,
            auto_failback_type: self.auto_failback_type,
            failover_threshold: self.failover_threshold,
            failover_period: self.failover_period,
        };
        let revision = commit(agent, |view| configuration::add_group(view, &new)).await?;
        // A node takes a new group at once; where none can, the record says so.
        let owned = |view: &View| view.live_owner(&new.name).map(|_| Ok(()));
        let wait = Some(crate::api::value::Millis(2000));
        drop(until(agent, revision, wait, owned, |_| String::new()).await);
        record::group(&agent.read().await?, &self.name)
    }
}

impl Run for GetClusterGroup {
    async fn run(self, agent: &Agent) -> Result<Vec<GroupInfo>> {
        let view = agent.read().await?;
        let pattern = self.name.as_deref();
        if let Some(name) = exact(pattern) {
            find_group(&view, name)?;
        }
        let names = view.groups.values().map(|g| g.name.as_str());
        names
            .filter(|name| fits(pattern, name))
            .map(|name| record::group(&view, name))
            .collect()
    }
}

impl Run for RemoveClusterGroup {
    async fn run(self, agent: &Agent) -> Result<GroupInfo> {
        let view = agent.read().await?;
        let before = record::group(&view, &self.name)?;
        if self.remove_resources {
            let names: Vec<String> = view
                .resources_of(&self.name)
                .map(|(name, _)| name.clone())
                .collect();
            for name in names {
                // One that depended on another is gone with it.
                if agent.read().await?.resources.contains_key(&name) {
                    super::resource::remove(agent, &name).await?;
                }
            }
        }
        commit(agent, |view| configuration::remove_group(view, &self.name)).await?;
        Ok(before)
    }
}

impl Run for StartClusterGroup {
    async fn run(self, agent: &Agent) -> Result<GroupInfo> {
        let name = &self.name;
        let revision = commit(agent, |view| configuration::start_group(view, name)).await?;
        let done = |view: &View| group_online(view, name, revision);
        until(agent, revision, self.wait, done, |v| waiting_on(v, name)).await?;
        record::group(&agent.read().await?, name)
    }
}

impl Run for StopClusterGroup {
    async fn run(self, agent: &Agent) -> Result<GroupInfo> {
        let name = &self.name;
        let revision = commit(agent, |view| configuration::stop_group(view, name)).await?;
        let done = |view: &View| group_offline(view, name);
        until(agent, revision, self.wait, done, |v| waiting_on(v, name)).await?;
        record::group(&agent.read().await?, name)
    }
}

impl Run for MoveClusterGroup {
    async fn run(self, agent: &Agent) -> Result<GroupInfo> {
        let name = &self.name;
        let decided = agent.change(|view| {
            let (change, target) = configuration::move_group(view, name, self.node.as_deref())?;
            let epoch = view.owners.get(&fold(name)).map_or(0, |o| o.epoch);
            let moves = !change.is_empty();
            Ok((change.into_transaction(), (target, epoch, moves)))
        });
        let (revision, (target, epoch, moves)) = decided.await?;
        if moves {
            let done = |view: &View| moved(view, name, &target, (epoch, revision));
            until(agent, revision, self.wait, done, |v| waiting_on(v, name)).await?;
        }
        record::group(&agent.read().await?, name)
    }
}

/// A move is over when the group is where it was asked to be and each resource is where it is meant to be.
fn moved(
    view: &View,
    name: &str,
    target: &str,
    (epoch, revision): (u64, u64),
) -> Option<Result<()>> {
    let owner = view.live_owner(name)?;
    if owner.epoch == epoch {
        let waiting = view.moves.contains_key(&fold(name));
        let name = view.group_name(name);
        let text = format!(
            "group {name} stayed on {}: {target} is not available any more",
            owner.node
        );
        return (!waiting).then(|| Err(Error::new(ErrorKind::HostNodeNotAvailable, text)));
    }
    if fold(&owner.node) != fold(target) {
        let name = view.group_name(name);
        let text = format!("group {name} is on {} now: {}", owner.node, owner.cause);
        let error = Error::new(ErrorKind::HostNodeNotAvailable, text);
        return Some(Err(
            error.hint(format!("Get-ClusterWhy {name} shows each step"))
        ));
    }
    let wanted = view
        .resources_of(name)
        .filter(|(key, _)| crate::cluster::dependency::wanted(view, key));
    for (key, _) in wanted {
        match super::wait::online(view, key, revision)? {
            Ok(()) => {}
            Err(e) => return Some(Err(e)),
        }
    }
    (GroupState::published(view, name) != GroupState::Pending).then_some(Ok(()))
}
