//! The commands of a drill, run in the client's process.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use super::fault::{self, Victims};
use super::timeline;
use super::workload::{Workload, WorkloadOptions};
use super::{Verdict, input};
use crate::api::client::Client;
use crate::api::drill::{
    FaultInfo, InvokeDrillFault, MeasureDrillFault, PhaseInfo, StartDrillWorkload,
    StopDrillWorkload, VerdictInfo, WaitClusterGroup, WorkloadInfo,
};
use crate::api::explain::GetClusterWhy;
use crate::api::group::{GetClusterGroup, GroupInfo, MoveClusterGroup};
use crate::api::node::{GetClusterNode, StartClusterNode};
use crate::api::value::{Millis, Time, Value, from_value, to_value};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::process;

/// Threads that one workload may have.
const THREADS_MAX: u64 = 64;
/// How often a wait looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long a killed process may take to be gone.
const DEATH_WAIT: Duration = Duration::from_secs(5);
/// How many decisions a timeline is made of.
const DECISIONS_MAX: u64 = 64;

/// The drill of one client: its load, and the last fault it made.
#[derive(Default)]
pub struct Drill(Mutex<State>);

#[derive(Default)]
struct State {
    workload: Option<Workload>,
    fault: Option<Fault>,
    frozen: Vec<u32>,
}

#[derive(Clone)]
struct Fault {
    group: String,
    wall_ms: u64,
    /// The epoch that the group must get beyond: a planned fault is over only then.
    epoch: Option<u64>,
}

impl Drill {
    /// Runs the command `name` if it belongs to a drill.
    pub fn run(
        &self,
        client: &Client,
        name: &str,
        arguments: &Value,
    ) -> Option<Result<Vec<Value>>> {
        Some(match name {
            "Start-DrillWorkload" => {
                one(from_value(arguments).and_then(|command| self.start(client, &command)))
            }
            "Get-DrillWorkload" => one(self.progress()),
            "Stop-DrillWorkload" => {
                one(from_value(arguments).and_then(|command| self.stop(&command)))
            }
            "Invoke-DrillFault" => {
                one(from_value(arguments).and_then(|command| self.fault(client, &command)))
            }
            "Measure-DrillFault" => {
                let phases =
                    from_value(arguments).and_then(|command| self.measure(client, &command));
                phases.and_then(|phases| phases.iter().map(to_value).collect())
            }
            "Wait-ClusterGroup" => {
                one(from_value(arguments).and_then(|command| wait_for_group(client, &command)))
            }
            _ => return None,
        })
    }

    /// Ends a load without a verdict: the client closes.
    pub fn abandon(&self) {
        let workload = self.lock().workload.take();
        drop(workload);
    }

    /// Puts a load on a queue.
    ///
    /// # Errors
    /// `InvalidState` when one runs; those of the input and the queue's name.
    pub fn start(&self, client: &Client, command: &StartDrillWorkload) -> Result<WorkloadInfo> {
        let mut state = self.lock();
        if let Some(workload) = &state.workload {
            return Err(Error::new(
                ErrorKind::InvalidState,
                format!("a load already runs on {}", workload.queue()),
            )
            .hint("end it with Stop-DrillWorkload"));
        }
        let options = WorkloadOptions {
            queue: QueuePath::parse(&command.queue)?,
            input: input::read(Path::new(&command.messages))?,
            senders: threads("Senders", command.senders.unwrap_or(4))?,
            consumers: threads("Consumers", command.consumers.unwrap_or(1))?,
            rate: command.rate.unwrap_or(250),
            seed: command.seed.unwrap_or(0),
        };
        let workload = Workload::start(client, options)?;
        let info = describe(&workload);
        state.workload = Some(workload);
        Ok(info)
    }

    /// The counters of the load.
    ///
    /// # Errors
    /// `InvalidState` when there is none.
    pub fn progress(&self) -> Result<WorkloadInfo> {
        self.lock()
            .workload
            .as_ref()
            .map(describe)
            .ok_or_else(no_workload)
    }

    /// Ends the load and gives the verdict.
    ///
    /// # Errors
    /// `InvalidState` when there is none.
    pub fn stop(&self, command: &StopDrillWorkload) -> Result<VerdictInfo> {
        let workload = self.lock().workload.take().ok_or_else(no_workload)?;
        let seconds = workload.running().as_secs_f64();
        let timeout = command
            .timeout
            .map_or(Duration::from_secs(60), Millis::duration);
        Ok(verdict(workload.finish(timeout), seconds))
    }

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
        let (node, victims) = find_owner(client, &command.group)?;
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

    /// Waits until the load gets through again, and shows the steps.
    ///
    /// # Errors
    /// `InvalidState` without a fault or a load; `Timeout` with the steps that were taken.
    pub fn measure(&self, client: &Client, command: &MeasureDrillFault) -> Result<Vec<PhaseInfo>> {
        let timeout = command
            .timeout
            .map_or(Duration::from_secs(60), Millis::duration);
        let end = SystemClock.boot() + timeout;
        let fault = self.lock().fault.clone().ok_or_else(|| {
            Error::new(ErrorKind::InvalidState, "no fault has been made")
                .hint("make one with Invoke-DrillFault")
        })?;
        if let Some(epoch) = fault.epoch {
            self.wait_for_epoch(client, &fault.group, epoch, end)?;
        }
        let marks = loop {
            let marks = self
                .lock()
                .workload
                .as_ref()
                .map(Workload::marks)
                .ok_or_else(no_workload)?;
            if marks.recovered() {
                break marks;
            }
            if SystemClock.boot() > end {
                let why = decisions(client, &fault.group).unwrap_or_default();
                let last = why.last().map_or_else(String::new, |w| {
                    format!("; last: {} ({})", w.event, w.cause)
                });
                return Err(Error::new(
                    ErrorKind::Timeout,
                    format!(
                        "{} does not serve again after {} s{last}",
                        fault.group,
                        timeout.as_secs()
                    ),
                )
                .hint(format!(
                    "Get-ClusterWhy {} tells what is in the way",
                    fault.group
                )));
            }
            std::thread::sleep(LOOK_AGAIN);
        };
        Ok(timeline::phases(
            &marks,
            fault.wall_ms,
            &decisions(client, &fault.group)?,
        ))
    }

    /// Waits until a planned change of owner has happened, and the load has met the new one.
    fn wait_for_epoch(&self, client: &Client, name: &str, epoch: u64, end: Duration) -> Result<()> {
        loop {
            let info = group(client, name)?;
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
        fault::signal(pids, Signal::KILL)?;
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
        fault::signal(&victims.all(), Signal::STOP)?;
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
            fault::signal(&left, Signal::CONT)?;
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
        self.mark(group, Some(self::group(client, group)?.epoch));
        let nodes = client.run(GetClusterNode { name: None })?;
        let down = nodes
            .into_iter()
            .filter(|node| node.state == "Down")
            .map(|node| node.name);
        let down: Vec<String> = down.collect();
        for name in &down {
            client.run(StartClusterNode { name: name.clone() })?;
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
        self.mark(group, Some(self::group(client, group)?.epoch));
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until a group is in a state and, if asked, on a node.
///
/// # Errors
/// `GroupNotFound`; `Timeout` with the state it is in.
pub fn wait_for_group(client: &Client, command: &WaitClusterGroup) -> Result<GroupInfo> {
    let state = command.state.as_deref().unwrap_or("Online");
    let timeout = command
        .timeout
        .map_or(Duration::from_secs(60), Millis::duration);
    let end = SystemClock.boot() + timeout;
    loop {
        let found = group(client, &command.name);
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

fn one<T: serde::Serialize>(output: Result<T>) -> Result<Vec<Value>> {
    Ok(vec![to_value(&output?)?])
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

fn group(client: &Client, name: &str) -> Result<GroupInfo> {
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

fn find_owner(client: &Client, name: &str) -> Result<(String, Victims)> {
    let owner = group(client, name)?.owner_node.ok_or_else(|| {
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

fn decisions(client: &Client, group: &str) -> Result<Vec<crate::api::explain::WhyInfo>> {
    let why = GetClusterWhy {
        name: group.to_owned(),
        last: Some(DECISIONS_MAX),
        if_node_dies: None,
    };
    client.run(why)
}

fn threads(what: &str, count: u64) -> Result<u32> {
    match u32::try_from(count) {
        Ok(threads) if (1..=THREADS_MAX).contains(&count) => Ok(threads),
        _ => Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("-{what} {count} is out of range"),
        )
        .hint(format!("use 1 to {THREADS_MAX}"))),
    }
}

fn no_workload() -> Error {
    Error::new(ErrorKind::InvalidState, "no load is running")
        .hint("start one with Start-DrillWorkload")
}

fn describe(workload: &Workload) -> WorkloadInfo {
    let (verdict, waiting) = workload.progress();
    WorkloadInfo {
        queue: workload.queue().to_string(),
        sent: verdict.sent,
        acknowledged: verdict.acknowledged,
        received: verdict.received,
        waiting,
        unknown: verdict.unknown,
        input: u64::try_from(workload.input_count()).unwrap_or(u64::MAX),
        last_error: workload.last_error(),
    }
}

fn verdict(found: Verdict, seconds: f64) -> VerdictInfo {
    let passed = found.passed();
    VerdictInfo {
        sent: found.sent,
        acknowledged: found.acknowledged,
        received: found.received,
        lost: found.lost,
        duplicated: found.duplicated,
        out_of_order: found.out_of_order,
        altered: found.altered,
        unknown: found.unknown,
        seconds: (seconds * 10.0).round() / 10.0,
        passed,
        examples: found.examples,
    }
}
