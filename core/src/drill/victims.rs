//! Makes faults: signals to the processes of a local cluster.

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::process;

/// The agent of a node and the queue managers it has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Victims {
    /// The agent's process number.
    pub(super) agent: u32,
    /// Those of its queue managers.
    pub(super) queue_managers: Vec<u32>,
}

impl Victims {
    /// Finds the queue managers of `group` among the children of the agent.
    pub(super) fn of(agent: u32, group: &str) -> Self {
        let queue_managers = process::children(agent)
            .into_iter()
            .filter(|pid| is_queue_manager_of(&process::arguments(*pid), group))
            .collect();
        Self {
            agent,
            queue_managers,
        }
    }

    /// All of them, the agent first: it must not restart what is hit after it.
    pub(super) fn all(&self) -> Vec<u32> {
        std::iter::once(self.agent)
            .chain(self.queue_managers.iter().copied())
            .collect()
    }
}

impl std::fmt::Display for Victims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "agent {}", self.agent)?;
        self.queue_managers
            .iter()
            .try_for_each(|pid| write!(f, ", queue manager {pid}"))
    }
}

/// The agent passes the group's name along, so that people and this function can tell the processes apart.
fn is_queue_manager_of(arguments: &[String], group: &str) -> bool {
    let Some(role) = arguments
        .iter()
        .position(|argument| argument == "queue-manager")
    else {
        return false;
    };
    let mut rest = arguments.iter().skip(role);
    !rest.any(|argument| argument == "--group")
        || rest
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(group))
}

/// Sends `signal` to every process of `pids` that is still there.
///
/// # Errors
/// When none of them was there, or the system refused.
pub(super) fn signal(pids: &[u32], signal: Signal) -> Result<()> {
    let mut hit = 0;
    for pid in pids {
        let Some(target) = i32::try_from(*pid).ok().and_then(Pid::from_raw) else {
            continue;
        };
        match kill_process(target, signal) {
            Ok(()) => hit += 1,
            Err(rustix::io::Errno::SRCH) => {}
            Err(error) => {
                return Err(Error::system(
                    format!("signal process {pid}"),
                    &error.into(),
                ));
            }
        }
    }
    if hit == 0 {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("no process of {pids:?} is running"),
        )
        .hint("the node is down already; Get-ClusterNode shows it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_manager_is_told_by_its_role_and_group() {
        let line = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(is_queue_manager_of(
            &line("hamq queue-manager --group VS1"),
            "vs1"
        ));
        assert!(!is_queue_manager_of(
            &line("hamq queue-manager --group VS2"),
            "vs1"
        ));
        assert!(is_queue_manager_of(
            &line("hamq queue-manager --name VS1"),
            "vs1"
        ));
        assert!(!is_queue_manager_of(&line("hamq node --name n1"), "vs1"));
    }
}
