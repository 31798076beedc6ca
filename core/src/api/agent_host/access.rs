//! Commands on what clients may do, and whether one may.

use super::wait::commit;
use super::{Run, exact, fits};
use crate::api::access::{
    BlockClusterAccess, ClusterAccessInfo, GetClusterAccess, GrantClusterAccess,
    RemoveClusterAccess,
};
use crate::api::spec::changes;
use crate::cluster::agent::Agent;
use crate::cluster::configuration;
use crate::cluster::record::{AccessRight, fold};
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::trust::Caller;

/// Whether who has proven to have a certificate of the cluster may give this command. A certificate outlives an
/// eviction; the node's row does not.
pub(super) fn admits(agent: &Agent, caller: &Caller, command: &str) -> Result<()> {
    let view = agent.view();
    match caller {
        Caller::Node(name) if !view.nodes.contains_key(name) => {
            let text = format!("{name} is no node of this cluster any more");
            Err(Error::new(ErrorKind::AccessDenied, text).hint("join again with a new token"))
        }
        Caller::Client(name) => configuration::check_access(&view, name, command, changes(command)),
        _ => Ok(()),
    }
}

fn rows(view: &View, users: &[String]) -> Vec<ClusterAccessInfo> {
    let asked = |key: &String| users.iter().any(|user| fold(user) == *key);
    let rows = view.access.iter().filter(|(key, _)| asked(key));
    rows.map(|(_, row)| ClusterAccessInfo {
        user: row.name.clone(),
        access: row.right.name().to_owned(),
    })
    .collect()
}

impl Run for GetClusterAccess {
    async fn run(self, agent: &Agent) -> Result<Vec<ClusterAccessInfo>> {
        let view = agent.read().await?;
        let pattern = self.user.as_deref();
        if let Some(name) = exact(pattern)
            && !view.access.contains_key(&fold(name))
        {
            let text = format!("nothing was said of what {name} may do: it may do everything");
            return Err(Error::new(ErrorKind::NotFound, text).hint("Get-ClusterAccess lists all"));
        }
        let names = view.access.values().map(|row| row.name.clone());
        let names: Vec<String> = names.filter(|name| fits(pattern, name)).collect();
        Ok(rows(&view, &names))
    }
}

async fn say(
    agent: &Agent,
    users: &[String],
    right: AccessRight,
) -> Result<Vec<ClusterAccessInfo>> {
    if users.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "no client is named").hint("-User NAME"));
    }
    commit(agent, |view| configuration::set_access(view, users, right)).await?;
    Ok(rows(&agent.read().await?, users))
}

impl Run for GrantClusterAccess {
    async fn run(self, agent: &Agent) -> Result<Vec<ClusterAccessInfo>> {
        let right = match (self.full, self.read_only) {
            (true, true) => {
                let text = "-Full and -ReadOnly exclude each other";
                return Err(Error::new(ErrorKind::Usage, text).hint("give one of them"));
            }
            (_, false) => AccessRight::Full,
            (false, true) => AccessRight::ReadOnly,
        };
        say(agent, &self.users, right).await
    }
}

impl Run for BlockClusterAccess {
    async fn run(self, agent: &Agent) -> Result<Vec<ClusterAccessInfo>> {
        say(agent, &self.users, AccessRight::Blocked).await
    }
}

impl Run for RemoveClusterAccess {
    async fn run(self, agent: &Agent) -> Result<Vec<ClusterAccessInfo>> {
        let users = &self.users;
        let before = rows(&agent.read().await?, users);
        commit(agent, |view| configuration::remove_access(view, users)).await?;
        Ok(before)
    }
}
