//! The processes of a node that runs on this machine.

use crate::error::{Error, ErrorKind, Result};
use crate::sys::process::{self, ProcessIdentity};

/// The agent of a node and the queue managers it has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Victims {
    /// The agent.
    pub(super) agent: ProcessIdentity,
    /// Its queue managers of the group.
    pub(super) queue_managers: Vec<ProcessIdentity>,
}

impl Victims {
    /// Finds them by the agent's process number, and makes sure that it is that node's agent: on another machine
    /// the number belongs to somebody else.
    ///
    /// # Errors
    /// `InvalidState` when the node runs elsewhere.
    pub(super) fn of(agent: u32, node: &str, group: &str) -> Result<Self> {
        if !is_agent_of(&process::arguments(agent), node) {
            let text = format!("process {agent} of this machine is not the agent of node {node}");
            return Err(Error::new(ErrorKind::InvalidState, text).hint(
                "the node runs elsewhere, or has just ended: make the fault on its own machine",
            ));
        }
        let managers = process::children(agent)
            .into_iter()
            .filter(|pid| is_queue_manager_of(&process::arguments(*pid), group));
        Ok(Self {
            agent: ProcessIdentity::of(agent)?,
            queue_managers: managers
                .filter_map(|pid| ProcessIdentity::of(pid).ok())
                .collect(),
        })
    }

    /// All of them, the agent first: it must not restart what is hit after it.
    pub(super) fn all(&self) -> Vec<ProcessIdentity> {
        std::iter::once(self.agent.clone())
            .chain(self.queue_managers.iter().cloned())
            .collect()
    }

    /// The queue managers alone, for people.
    pub(super) fn names_of_queue_managers(&self) -> String {
        let names = self
            .queue_managers
            .iter()
            .map(|p| format!("queue manager {}", p.pid));
        names.collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Display for Victims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "agent {}", self.agent.pid)?;
        self.queue_managers
            .iter()
            .try_for_each(|process| write!(f, ", queue manager {}", process.pid))
    }
}

/// `hamq node … --name n1 …`, or `hamq node start --data FOLDER`, which has its name in a file.
fn is_agent_of(arguments: &[String], node: &str) -> bool {
    let Some(role) = arguments.iter().position(|argument| argument == "node") else {
        return false;
    };
    let mut rest = arguments.iter().skip(role);
    !rest.any(|argument| argument == "--name")
        || rest
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(node))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_queue_manager_is_told_by_its_role_and_group() {
        for (text, its) in [
            ("hamq queue-manager --group VS1", true),
            ("hamq queue-manager --group VS2", false),
            ("hamq queue-manager --name VS1", true),
            ("hamq node --name n1", false),
        ] {
            assert_eq!(is_queue_manager_of(&line(text), "vs1"), its, "{text}");
        }
    }

    #[test]
    fn a_process_that_is_no_agent_of_the_node_is_never_hit() {
        for (text, its) in [
            ("hamq node --cluster lab --name n1 --supervised", true),
            ("python3 -m hamq node --name N1", true),
            ("hamq node start --data /var/lib/hamq", true),
            ("hamq node --name n2", false),
            ("postgres -D /data", false),
        ] {
            assert_eq!(is_agent_of(&line(text), "n1"), its, "{text}");
        }
        let error = Victims::of(std::process::id(), "n1", "VS1").unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidState);
    }
}
