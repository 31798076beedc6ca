//! The faults: what each does, and when it counts as done.

use std::time::Duration;

use rustix::process::Signal;

use super::commands::{Drill, Fault};
use super::victims::{Victims, signal};
use super::wait::{LOOK_AGAIN, find_group};
use crate::api::client::Client;
use crate::api::drill::{FaultInfo, InvokeDrillFault};
use crate::api::group::MoveClusterGroup;
use crate::api::node::{GetClusterNode, StartClusterNode};
use crate::api::value::{Millis, Time};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::process;

/// How long a killed process may take to be gone.
const DEATH_WAIT: Duration = Duration::from_secs(5);
/// How long a group may be without a queue manager before one that is to be killed is not there.
const BIRTH_WAIT: Duration = Duration::from_secs(30);

impl Drill {
    /// Makes a fault.
    ///
    /// # Errors
    /// `GroupNotFound`, `InvalidState` when the group has no owner that runs here, `Usage` for an
    /// unknown kind.
    pub fn fault(&self, client: &Client, command: &InvokeDrillFault) -> Result<FaultInfo> {
        let kind = command.kind.to_ascii_lowercase();
        if kind == "thaw" {
            return self.thaw(&command.group);
        }
        if kind == "restart" {
            return self.restart(client, &command.group);
        }
        let (node, victims) = match kind.as_str() {
            // The group may be between two of them, though it was online a moment ago.
            "killqueuemanager" => find_queue_manager(client, &command.group)?,
            _ => find_owner(client, &command.group)?,
        };
        let (name, target) = match kind.as_str() {
            "kill" => ("Kill", self.kill(&command.group, &victims.all())?),
            "killqueuemanager" => (
                "KillQueueManager",
                self.kill(&command.group, &victims.queue_managers)?,
            ),
            "freeze" => ("Freeze", self.freeze(&command.group, &victims)?),
            "move" => ("Move", self.move_group(client, &command.group)?),
            other => {
                return Err(
                    Error::new(ErrorKind::Usage, format!("{other:?} is no fault"))
                        .hint("use Kill, Freeze, Thaw, KillQueueManager or Move"),
                );
            }
        };
        let target = if target.is_empty() {
            victims.to_string()
        } else {
            target
        };
        let time = Time(self.lock().fault.as_ref().map_or(0, |fault| fault.wall_ms));
        Ok(FaultInfo {
            kind: name.to_owned(),
            group: command.group.clone(),
            node,
            target,
            time,
        })
    }

    /// Waits until a planned change of owner has happened, and the load has met the new one.
    pub(super) fn wait_for_epoch(
        &self,
        client: &Client,
        name: &str,
        epoch: u64,
        end: Duration,
    ) -> Result<()> {
        loop {
            let info = find_group(client, name)?;
            if info.epoch > epoch && info.state == "Online" {
                let online = SystemClock.boot();
                while !self
                    .lock()
                    .workload
                    .as_ref()
                    .is_none_or(|load| load.marks().since(online))
                    && SystemClock.boot() < end
                {
                    std::thread::sleep(LOOK_AGAIN);
                }
                return Ok(());
            }
            if SystemClock.boot() > end {
                let text = format!("{name} is {} at epoch {}", info.state, info.epoch);
                return Err(Error::new(ErrorKind::Timeout, text)
                    .hint(format!("Get-ClusterWhy {name} tells what is in the way")));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn kill(&self, group: &str, pids: &[u32]) -> Result<String> {
        signal(pids, Signal::KILL)?;
        let end = SystemClock.boot() + DEATH_WAIT;
        while !pids.iter().all(|pid| process::is_gone(*pid)) && SystemClock.boot() < end {
            std::thread::yield_now();
        }
        // Only now is it certain that no reply can still come from the dead.
        self.mark(group, None);
        let text = pids.iter().map(ToString::to_string).collect::<Vec<_>>();
        Ok(if pids.len() == 1 {
            format!("process {}", text.join(", "))
        } else {
            String::new()
        })
    }

    fn freeze(&self, group: &str, victims: &Victims) -> Result<String> {
        signal(&victims.all(), Signal::STOP)?;
        self.lock().frozen = victims.all();
        self.mark(group, None);
        Ok(String::new())
    }

    /// Lets what was frozen run again; processes that were ended meanwhile are told apart.
    fn thaw(&self, group: &str) -> Result<FaultInfo> {
        let frozen = std::mem::take(&mut self.lock().frozen);
        let left: Vec<u32> = frozen
            .iter()
            .copied()
            .filter(|pid| !process::is_gone(*pid))
            .collect();
        if !left.is_empty() {
            signal(&left, Signal::CONT)?;
        }
        let ended = frozen.len() - left.len();
        Ok(FaultInfo {
            kind: "Thaw".to_owned(),
            group: group.to_owned(),
            node: String::new(),
            target: format!("{} thawed, {ended} had been fenced by SIGKILL", left.len()),
            time: Time(SystemClock.wall_ms()),
        })
    }

    /// Starts every node that is down.
    fn restart(&self, client: &Client, group: &str) -> Result<FaultInfo> {
        self.mark(group, Some(find_group(client, group)?.epoch));
        let nodes = client.run(GetClusterNode { name: None })?;
        let down = nodes
            .into_iter()
            .filter(|node| node.state == "Down")
            .map(|node| node.name);
        let down: Vec<String> = down.collect();
        for name in &down {
            client.run(StartClusterNode {
                name: name.clone(),
                clear_quarantine: true, // a rehearsal kills a node more often than life does
                ..StartClusterNode::default()
            })?;
        }
        Ok(FaultInfo {
            kind: "Restart".to_owned(),
            group: group.to_owned(),
            node: String::new(),
            target: format!("started {}", down.join(", ")),
            time: Time(self.lock().fault.as_ref().map_or(0, |fault| fault.wall_ms)),
        })
    }

    fn move_group(&self, client: &Client, group: &str) -> Result<String> {
        self.mark(group, Some(find_group(client, group)?.epoch));
        let moved = MoveClusterGroup {
            name: group.to_owned(),
            node: None,
            wait: Some(Millis(0)),
        };
        client.run(moved)?;
        Ok("planned move".to_owned())
    }

    fn mark(&self, group: &str, epoch: Option<u64>) {
        let mut state = self.lock();
        state.fault = Some(Fault {
            group: group.to_owned(),
            wall_ms: SystemClock.wall_ms(),
            epoch,
        });
        if let Some(workload) = &state.workload {
            workload.mark_fault(SystemClock.boot());
        }
    }
}

/// The owner, once a queue manager of the group runs there.
fn find_queue_manager(client: &Client, name: &str) -> Result<(String, Victims)> {
    let end = SystemClock.boot() + BIRTH_WAIT;
    loop {
        let found = find_owner(client, name);
        let comes = match &found {
            Ok((_, victims)) => victims.queue_managers.is_empty(),
            Err(error) => matches!(error.kind, ErrorKind::InvalidState | ErrorKind::NodeDown),
        };
        if !comes || SystemClock.boot() > end {
            return found;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn find_owner(client: &Client, name: &str) -> Result<(String, Victims)> {
    let owner = find_group(client, name)?.owner_node.ok_or_else(|| {
        Error::new(ErrorKind::InvalidState, format!("no node owns {name}"))
            .hint("bring it online first: Start-ClusterGroup")
    })?;
    let nodes = client.run(GetClusterNode {
        name: Some(owner.clone()),
    })?;
    let agent = nodes
        .first()
        .and_then(|node| node.process_id)
        .ok_or_else(|| Error::new(ErrorKind::NodeDown, format!("node {owner} is not running")))?;
    let agent = u32::try_from(agent)
        .map_err(|_| Error::new(ErrorKind::Internal, "a process number is out of range"))?;
    Ok((owner, Victims::of(agent, name)))
}
