//! Waiting for a state, by the views as they come.

use std::time::Duration;

use crate::api::value::Millis;
use crate::cluster::agent::Agent;
use crate::cluster::configuration::Change;
use crate::cluster::dependency::{all_providers, carried};
use crate::cluster::group::GroupState;
use crate::cluster::record::fold;
use crate::cluster::resource::ResourceState;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// How long state changers wait where nothing else is said.
const WAIT_DEFAULT: Duration = Duration::from_secs(30);

/// Commits a change that is decided on the view of the moment.
pub(super) async fn commit(agent: &Agent, decide: impl Fn(&View) -> Result<Change>) -> Result<u64> {
    let decided = agent.change(|view| Ok((decide(view)?.into_transaction(), ())));
    Ok(decided.await?.0)
}

/// Waits for a view, from `revision` on, of which `done` answers something; `what` is for the timeout.
pub(super) async fn until<T>(
    agent: &Agent,
    revision: u64,
    wait: Option<Millis>,
    done: impl Fn(&View) -> Option<Result<T>>,
    what: impl Fn(&View) -> String,
) -> Result<Option<T>> {
    let limit = wait.map_or(WAIT_DEFAULT, Millis::duration);
    if limit.is_zero() || agent.is_rehearsal() {
        return Ok(None);
    }
    let mut views = agent.views();
    let reached = async {
        loop {
            let view = views.borrow_and_update().clone();
            if view.revision >= revision
                && let Some(result) = done(&view)
            {
                return result;
            }
            if views.changed().await.is_err() {
                let text = "the node agent stopped";
                return Err(Error::new(ErrorKind::OperationCancelled, text));
            }
        }
    };
    match tokio::time::timeout(limit, reached).await {
        Ok(result) => result.map(Some),
        Err(_) => {
            let text = format!("after {} ms: {}", limit.as_millis(), what(&agent.view()));
            Err(Error::new(ErrorKind::Timeout, text)
                .hint("it goes on; Get-ClusterWhy NAME shows the reasons, -Wait 2m waits longer"))
        }
    }
}

/// Whether a resource, meant to be online since `revision`, is: or has failed for good since. What it failed of before is
/// what the operator has mended.
pub(super) fn online(view: &View, name: &str, revision: u64) -> Option<Result<()>> {
    if ResourceState::published(view, name) == ResourceState::Online {
        return Some(Ok(()));
    }
    let failed = |member: &str| {
        let status = view.states.get(member);
        let resting = status.is_some_and(|s| s.resting && s.version > revision);
        resting && ResourceState::published(view, member) == ResourceState::Failed
    };
    // Of alternatives one may have failed for good, and another may still come online.
    if !failed(&fold(name)) && carried(view, name, &|p| !failed(p)) {
        return None;
    }
    let mut chain = all_providers(view, name).into_iter().chain([fold(name)]);
    let member = chain.find(|m| failed(m))?;
    let status = view.states.get(&member)?;
    let name = view.resource_name(&member);
    let text = format!(
        "{name} did not come online on {}: {}",
        status.node, status.cause
    );
    Some(Err(Error::new(ErrorKind::ResourceOnlineFailed, text)
        .hint(format!("Get-ClusterWhy {name} shows what was tried"))))
}

/// Whether a resource is down.
pub(super) fn offline(view: &View, name: &str) -> Option<Result<()>> {
    let state = ResourceState::published(view, name);
    (state == ResourceState::Offline).then_some(Ok(()))
}

/// Whether all resources of a group, meant to be online since `revision`, are.
pub(super) fn group_online(view: &View, group: &str, revision: u64) -> Option<Result<()>> {
    let mut pending = false;
    for (name, _) in view.resources_of(group) {
        match online(view, name, revision) {
            Some(Ok(())) => {}
            Some(error) => return Some(error),
            None => pending = true,
        }
    }
    (!pending).then_some(Ok(()))
}

/// Whether all resources of a group are down.
pub(super) fn group_offline(view: &View, group: &str) -> Option<Result<()>> {
    let mut all = view
        .resources_of(group)
        .map(|(name, _)| offline(view, name));
    all.all(|r| r.is_some()).then_some(Ok(()))
}

/// What a group waits on, for people: each resource that is not where it is meant to be.
pub(super) fn waiting_on(view: &View, group: &str) -> String {
    let state = GroupState::published(view, group).name();
    let Some(owner) = view.live_owner(group) else {
        return format!("group {group} is {state}: no node owns it");
    };
    let stuck: Vec<String> = view
        .resources_of(group)
        .filter_map(|(name, config)| {
            let state = ResourceState::published(view, name);
            let there = match config.persistent_online {
                true => ResourceState::Online,
                false => ResourceState::Offline,
            };
            let cause = view
                .states
                .get(name)
                .map_or("not reported yet", |s| &s.cause);
            (state != there).then(|| format!("{} is {} ({cause})", config.name, state.name()))
        })
        .collect();
    let on = &owner.node;
    match stuck.is_empty() {
        true => format!("group {group} is {state} on {on}"),
        false => format!("group {group} is {state} on {on}: {}", stuck.join("; ")),
    }
}
