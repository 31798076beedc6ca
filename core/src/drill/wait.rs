//! Waits for a group, as a script does between the steps of a drill.

use std::time::Duration;

use crate::api::client::Client;
use crate::api::drill::WaitClusterGroup;
use crate::api::group::{GetClusterGroup, GroupInfo};
use crate::api::value::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::{Clock, SystemClock};

/// How often a wait looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A wait that ends with its time, or when the client is cancelled.
pub(super) struct Patience<'a> {
    client: &'a Client,
    cancelled: u64,
    limit: Duration,
    end: Duration,
}

impl<'a> Patience<'a> {
    /// From now on, for so long.
    pub(super) fn new(client: &'a Client, limit: Duration) -> Self {
        Self {
            client,
            cancelled: client.cancellations(),
            limit,
            end: SystemClock.boot() + limit,
        }
    }

    /// The same cancellation, with other time.
    pub(super) fn again(&self, limit: Duration) -> Self {
        Self {
            client: self.client,
            cancelled: self.cancelled,
            limit,
            end: SystemClock.boot() + limit,
        }
    }

    /// How long it was meant to last.
    pub(super) const fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether the time is over.
    pub(super) fn is_over(&self) -> bool {
        SystemClock.boot() > self.end
    }

    /// Waits a moment.
    ///
    /// # Errors
    /// `OperationCancelled`.
    pub(super) fn pause(&self) -> Result<()> {
        if self.client.cancellations() != self.cancelled {
            return Err(Error::new(
                ErrorKind::OperationCancelled,
                "cancelled by its caller",
            ));
        }
        std::thread::sleep(LOOK_AGAIN);
        Ok(())
    }

    /// Waits until the time is over.
    ///
    /// # Errors
    /// `OperationCancelled`.
    pub(super) fn sit_out(&self) -> Result<()> {
        while !self.is_over() {
            self.pause()?;
        }
        Ok(())
    }
}

/// Waits until a group is in a state and, if asked, on a node.
///
/// # Errors
/// `GroupNotFound`; `Timeout` with the state it is in.
pub(super) fn wait_for_group(client: &Client, command: &WaitClusterGroup) -> Result<GroupInfo> {
    let timeout = command
        .timeout
        .map_or(Duration::from_secs(60), Millis::duration);
    wait_patiently(client, command, &Patience::new(client, timeout))
}

/// As [`wait_for_group`], with a patience of the caller's.
///
/// # Errors
/// The same.
pub(super) fn wait_patiently(
    client: &Client,
    command: &WaitClusterGroup,
    patience: &Patience<'_>,
) -> Result<GroupInfo> {
    let state = command.state.as_deref().unwrap_or("Online");
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
            Ok(info) if patience.is_over() => return Err(still(command, state, &info)),
            Err(error) if error.kind == ErrorKind::GroupNotFound || patience.is_over() => {
                return Err(error);
            }
            _ => patience.pause()?,
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
