//! The processes of local nodes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::agents::Agents;
use crate::api::registry::{ClusterEntry, NodeEntry};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;
use crate::sys::local_node::LocalNode;
use crate::sys::process::ProcessIdentity;

/// How long a node may take until its agent answers.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a node may take to end after its agent has stopped.
pub(super) const END_TIMEOUT: Duration = Duration::from_secs(10);

struct Held {
    cluster: String,
    node: String,
    process: LocalNode,
}

/// The nodes that this client started and holds by their lifelines.
pub(super) struct Nodes {
    program: Vec<PathBuf>,
    held: Mutex<Vec<Held>>,
}

impl Nodes {
    pub(super) fn new(program: Vec<PathBuf>) -> Self {
        Self {
            program,
            held: Mutex::default(),
        }
    }

    /// Starts the process of a node; does not wait until it answers.
    pub(super) fn start(
        &self,
        cluster: &ClusterEntry,
        node: &NodeEntry,
    ) -> Result<ProcessIdentity> {
        folder::create_all(&node.data)?;
        let command = self.command(cluster, node);
        let process = LocalNode::start(&command, &node.data.join("node.log"), !cluster.detached)?;
        let identity = process.identity().clone();
        let mut held = self.held();
        held.retain(|held| !held.is(&cluster.name, &node.name));
        held.push(Held {
            cluster: cluster.name.clone(),
            node: node.name.clone(),
            process,
        });
        Ok(identity)
    }

    /// Waits until the node's agent answers.
    pub(super) async fn wait_until_up(
        &self,
        cluster: &ClusterEntry,
        node: &NodeEntry,
    ) -> Result<()> {
        let began = Instant::now();
        let agents = Agents {
            cluster: cluster.name.clone(),
            nodes: vec![node.agent()],
            trust: crate::api::trust::Trust::default(),
        };
        loop {
            let Err(refusal) = agents.greet().await else {
                return Ok(());
            };
            if let Some(end) = self.ended(&cluster.name, &node.name) {
                return Err(failed_to_start(node, &end));
            }
            if began.elapsed() > START_TIMEOUT {
                return Err(failed_to_start(node, &refusal.message));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until a node's process has ended, and kills it when it takes too long.
    pub(super) async fn wait_until_down(&self, cluster: &ClusterEntry, node: &NodeEntry) {
        if let Some(mut held) = self.take(&cluster.name, &node.name) {
            held.process.let_go();
            if !held.process.wait(END_TIMEOUT).await {
                held.process.kill();
            }
        }
        let began = Instant::now();
        while node.is_running() {
            if began.elapsed() > END_TIMEOUT
                && let Some(process) = node.process.clone()
            {
                let _ = process.kill_and_wait(END_TIMEOUT);
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends the process of a node at once.
    pub(super) fn kill(&self, cluster: &str, node: &NodeEntry) {
        match self.take(cluster, &node.name) {
            Some(mut held) => held.process.kill(),
            None => {
                if let Some(process) = &node.process {
                    let _ = process.kill_and_wait(END_TIMEOUT);
                }
            }
        }
    }

    /// The clusters of which this client holds nodes.
    pub(super) fn held_clusters(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .held()
            .iter()
            .map(|held| held.cluster.clone())
            .collect();
        names.dedup();
        names.sort();
        names.dedup();
        names
    }

    /// Lets go of every lifeline, and waits for the nodes that end by that.
    pub(super) async fn let_go_of_all(&self) {
        let all = std::mem::take(&mut *self.held());
        for mut held in all {
            if held.process.is_held() {
                held.process.let_go();
                if !held.process.wait(END_TIMEOUT).await {
                    held.process.kill();
                }
            }
        }
    }

    fn ended(&self, cluster: &str, node: &str) -> Option<String> {
        let held = self.held();
        let held = held.iter().find(|held| held.is(cluster, node))?;
        held.process.ended().map(|exit| exit.to_string())
    }

    fn take(&self, cluster: &str, node: &str) -> Option<Held> {
        let mut held = self.held();
        let index = held.iter().position(|held| held.is(cluster, node))?;
        Some(held.swap_remove(index))
    }

    fn command(&self, cluster: &ClusterEntry, node: &NodeEntry) -> Vec<OsString> {
        let mut command: Vec<OsString> = self.program.iter().map(OsString::from).collect();
        let pairs: [(&str, OsString); 5] = [
            ("--cluster", cluster.name.clone().into()),
            ("--name", node.name.clone().into()),
            ("--listen", node.address.to_string().into()),
            ("--data", node.data.clone().into()),
            ("--database", cluster.database.to_string().into()),
        ];
        command.push("node".into());
        for (option, value) in pairs {
            command.push(option.into());
            command.push(value);
        }
        if !cluster.detached {
            command.push("--supervised".into());
        }
        command
    }

    fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn is(&self, cluster: &str, node: &str) -> bool {
        self.cluster.eq_ignore_ascii_case(cluster) && self.node.eq_ignore_ascii_case(node)
    }
}

/// The last words of its log say why: an error, and perhaps a hint in a line of its own.
fn failed_to_start(node: &NodeEntry, why: &str) -> Error {
    let log = node.data.join("node.log");
    let end = folder::tail(&log, 2000);
    let mut lines = end.lines().rev().map(str::trim).filter(|l| !l.is_empty());
    let (mut last, mut hint) = (lines.next(), format!("see {}", log.display()));
    if let Some(said) = last.and_then(|line| line.strip_prefix("hint: ")) {
        hint = format!("{said}; {hint}");
        last = lines.next();
    }
    let text = match last {
        Some(line) => format!("node {} did not start ({why}): {line}", node.name),
        None => format!("node {} did not start: {why}", node.name),
    };
    Error::new(ErrorKind::NodeDown, text).hint(hint)
}
