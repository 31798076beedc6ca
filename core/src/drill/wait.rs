//! Waits for a group, as a script does between the steps of a drill.

use std::time::Duration;

use crate::api::client::Client;
use crate::api::drill::WaitClusterGroup;
use crate::api::group::{GetClusterGroup, GroupInfo};
use crate::api::value::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::{Clock, SystemClock};

/// How often a wait looks again.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Waits until a group is in a state and, if asked, on a node.
///
/// # Errors
/// `GroupNotFound`; `Timeout` with the state it is in.
pub(super) fn wait_for_group(client: &Client, command: &WaitClusterGroup) -> Result<GroupInfo> {
    let state = command.state.as_deref().unwrap_or("Online");
    let timeout = command
        .timeout
        .map_or(Duration::from_secs(60), Millis::duration);
    let end = SystemClock.boot() + timeout;
    loop {
        let found = find_group(client, &command.name);
        let there = |info: &GroupInfo| {
            info.state.eq_ignore_ascii_case(state)
                && command.node.as_deref().is_none_or(|node| {
                    info.owner_node
                        .as_deref()
                        .is_some_and(|owner| owner.eq_ignore_ascii_case(node))
                })
        };
        match found {
            Ok(info) if there(&info) => return Ok(info),
            Ok(info) if SystemClock.boot() > end => return Err(still(command, state, &info)),
            Err(error) if error.kind == ErrorKind::GroupNotFound || SystemClock.boot() > end => {
                return Err(error);
            }
            _ => std::thread::sleep(LOOK_AGAIN),
        }
    }
}

fn still(command: &WaitClusterGroup, state: &str, info: &GroupInfo) -> Error {
    let node = command
        .node
        .as_ref()
        .map_or_else(String::new, |node| format!(" on {node}"));
    let owner = info.owner_node.as_deref().unwrap_or("no node");
    Error::new(
        ErrorKind::Timeout,
        format!(
            "{} is {} on {owner}, not {state}{node}",
            info.name, info.state
        ),
    )
    .hint(format!(
        "Get-ClusterWhy {} tells what is in the way",
        info.name
    ))
}

/// The group as the cluster sees it now.
pub(super) fn find_group(client: &Client, name: &str) -> Result<GroupInfo> {
    let found = client.run(GetClusterGroup {
        name: Some(name.to_owned()),
    })?;
    found.into_iter().next().ok_or_else(|| {
        Error::new(
            ErrorKind::GroupNotFound,
            format!("there is no group {name:?}"),
        )
        .hint("Get-ClusterGroup lists them")
    })
}
