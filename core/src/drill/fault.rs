//! Making a fault and ending it.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use super::commands::{Drill, Fault};
use super::kind::FaultKind;
use super::leash::{Deed, Leash, LeashOrder};
use super::plan;
use super::scene::Scene;
use super::wait::{Patience, find_group};
use crate::api::client::Client;
use crate::api::drill::{FaultInfo, InvokeFault};
use crate::api::group::MoveClusterGroup;
use crate::api::node::{GetClusterNode, StartClusterNode};
use crate::api::registry::Registry;
use crate::api::value::{Millis, Time};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::process::ProcessIdentity;

/// How long a killed process may take to be gone.
const DEATH_WAIT: Duration = Duration::from_secs(5);
/// How long a group may be without a queue manager before one that is to be killed is not there.
const BIRTH_WAIT: Duration = Duration::from_secs(30);
/// How long a fault lasts when nothing is said.
const HOLD: Millis = Millis(30_000);
/// Writers that keep a disk busy.
const CHURN_THREADS: u32 = 4;

/// A fault that a leash holds.
pub(super) struct Held {
    group: String,
    leash: Leash,
}

impl Drill {
    /// Makes a fault, or ends those that are there.
    ///
    /// # Errors
    /// `GroupNotFound`, `InvalidState` when the group has no owner that runs here, `UnsupportedOperation`
    /// when the fault cannot be made here, `Usage` for an unknown kind.
    pub fn fault(&self, client: &Client, command: &InvokeFault) -> Result<FaultInfo> {
        match command.kind.to_ascii_lowercase().as_str() {
            "thaw" | "undo" => self.undo(&command.group),
            "restart" => self.restart(client, &command.group),
            _ => {
                let kind = FaultKind::parse(&command.kind)?;
                let scene = scene_of(client, &command.group, kind)?;
                self.make(client, &scene, kind, command.duration)
            }
        }
    }

    /// Makes a fault.
    ///
    /// # Errors
    /// As [`Drill::fault`].
    pub(super) fn make(
        &self,
        client: &Client,
        scene: &Scene,
        kind: FaultKind,
        duration: Option<Millis>,
    ) -> Result<FaultInfo> {
        plan::possible(scene, kind)?;
        let victims = scene.victims.as_ref().map_err(Clone::clone);
        let hold = duration.unwrap_or(HOLD);
        let target = match kind {
            FaultKind::Kill => match duration {
                None => self.kill(scene, &victims?.all())?,
                Some(hold) => {
                    let remedy = remedy(client, scene)?;
                    self.leash(client, scene, Deed::Kill(victims?.all()), hold, remedy)?
                }
            },
            FaultKind::KillQueueManager => self.kill(scene, &victims?.queue_managers)?,
            FaultKind::Freeze => {
                let victims = victims?;
                self.leash(client, scene, Deed::Freeze(victims.all()), hold, Vec::new())?;
                victims.to_string()
            }
            FaultKind::DiskFull => self.leash(
                client,
                scene,
                Deed::Fill(scene.own_disk()?),
                hold,
                Vec::new(),
            )?,
            FaultKind::SlowDisk => {
                let deed = Deed::Churn(scene.any_disk()?, CHURN_THREADS);
                self.leash(client, scene, deed, hold, Vec::new())?
            }
            FaultKind::Move => self.move_group(client, scene)?,
            FaultKind::CutOff | FaultKind::ClockStep => String::new(), // refused above
        };
        Ok(FaultInfo {
            kind: kind.name().to_owned(),
            group: scene.group.clone(),
            node: scene.owner.clone(),
            target,
            time: Time(self.lock().fault.as_ref().map_or(0, |fault| fault.wall_ms)),
        })
    }

    /// Ends the faults that are on leashes for `group`.
    ///
    /// # Errors
    /// When a leash was ended from outside.
    pub(super) fn undo(&self, group: &str) -> Result<FaultInfo> {
        let mut stories = Vec::new();
        for held in self.take_leashes(Some(group)) {
            stories.push(held.leash.release()?.story());
        }
        let target = match stories.is_empty() {
            true => "nothing is left to undo".to_owned(),
            false => stories.join("; "),
        };
        Ok(FaultInfo {
            kind: "Undo".to_owned(),
            group: group.to_owned(),
            node: String::new(),
            target,
            time: Time(SystemClock.wall_ms()),
        })
    }

    /// Ends every fault without waiting for it: who cancels goes on at once.
    pub fn let_go(&self) {
        let held = self.take_leashes(None);
        if !held.is_empty() {
            // Without a thread the closure is dropped here, and the leashes with it.
            drop(std::thread::Builder::new().spawn(move || drop(held)));
        }
    }

    /// Ends every fault; what cannot be said any more is not.
    pub(super) fn undo_everything(&self) {
        drop(self.take_leashes(None));
    }

    /// Waits until a planned change of owner has happened, and the load has met the new one.
    pub(super) fn wait_for_epoch(
        &self,
        client: &Client,
        name: &str,
        epoch: u64,
        patience: &Patience<'_>,
    ) -> Result<()> {
        loop {
            let info = find_group(client, name)?;
            if info.epoch > epoch && info.state == "Online" {
                let online = SystemClock.boot();
                let met = || {
                    let state = self.lock();
                    let load = state.workload.as_ref();
                    load.is_none_or(|load| load.marks().since(online))
                };
                while !met() && !patience.is_over() {
                    patience.pause()?;
                }
                return Ok(());
            }
            if patience.is_over() {
                let text = format!("{name} is {} at epoch {}", info.state, info.epoch);
                return Err(Error::new(ErrorKind::Timeout, text)
                    .hint(format!("Get-ClusterWhy {name} tells what is in the way")));
            }
            patience.pause()?;
        }
    }

    fn kill(&self, scene: &Scene, processes: &[ProcessIdentity]) -> Result<String> {
        let mut hit = Vec::new();
        for process in processes {
            if process.signal(Signal::KILL)? {
                hit.push(process.to_string());
            }
        }
        if hit.is_empty() {
            let text = format!(
                "no process of {} runs on {} any more",
                scene.group, scene.owner
            );
            return Err(Error::new(ErrorKind::NotFound, text)
                .hint("the node is down already; Get-ClusterNode shows it"));
        }
        // Only then is it certain that no reply can still come from the dead.
        for process in processes {
            let _ = process.ends_within(DEATH_WAIT);
        }
        self.mark(
            &scene.group,
            SystemClock.boot(),
            SystemClock.wall_ms(),
            None,
        );
        Ok(hit.join(", "))
    }

    fn leash(
        &self,
        client: &Client,
        scene: &Scene,
        deed: Deed,
        hold: Millis,
        remedy: Vec<PathBuf>,
    ) -> Result<String> {
        let options = client.options();
        let order = LeashOrder {
            deed,
            hold_ms: hold.0,
            remedy,
            home: options.home.clone(),
        };
        let leash = Leash::put(&options.program, &order)?;
        let made = leash.made.clone();
        self.lock().leashes.push(Held {
            group: scene.group.clone(),
            leash,
        });
        self.mark(&scene.group, made.at, made.wall_ms, None);
        Ok(made.text)
    }

    fn take_leashes(&self, group: Option<&str>) -> Vec<Held> {
        let mut state = self.lock();
        let all = std::mem::take(&mut state.leashes);
        let its = |held: &Held| group.is_none_or(|g| held.group.eq_ignore_ascii_case(g));
        let (taken, left) = all.into_iter().partition(its);
        state.leashes = left;
        taken
    }

    /// Starts every node that is down.
    fn restart(&self, client: &Client, group: &str) -> Result<FaultInfo> {
        let epoch = find_group(client, group)?.epoch;
        self.mark(
            group,
            SystemClock.boot(),
            SystemClock.wall_ms(),
            Some(epoch),
        );
        let down = start_nodes(client, |_| true)?;
        Ok(FaultInfo {
            kind: "Restart".to_owned(),
            group: group.to_owned(),
            node: String::new(),
            target: format!("started {}", down.join(", ")),
            time: Time(self.lock().fault.as_ref().map_or(0, |fault| fault.wall_ms)),
        })
    }

    fn move_group(&self, client: &Client, scene: &Scene) -> Result<String> {
        let epoch = find_group(client, &scene.group)?.epoch;
        self.mark(
            &scene.group,
            SystemClock.boot(),
            SystemClock.wall_ms(),
            Some(epoch),
        );
        let moved = MoveClusterGroup {
            name: scene.group.clone(),
            node: None,
            wait: Some(Millis(0)),
        };
        client.run(moved)?;
        Ok("planned move".to_owned())
    }

    fn mark(&self, group: &str, at: Duration, wall_ms: u64, epoch: Option<u64>) {
        let mut state = self.lock();
        state.fault = Some(Fault {
            group: group.to_owned(),
            wall_ms,
            at,
            epoch,
        });
        if let Some(workload) = &state.workload {
            workload.mark_fault(at);
        }
    }
}

/// Starts the nodes that are down and `wanted`; their names.
///
/// # Errors
/// Those of Start-ClusterNode.
pub(super) fn start_nodes(client: &Client, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let nodes = client.run(GetClusterNode { name: None })?;
    let down = nodes
        .into_iter()
        .filter(|node| node.state == "Down" && wanted(&node.name));
    let down: Vec<String> = down.map(|node| node.name).collect();
    for name in &down {
        client.run(StartClusterNode {
            name: name.clone(),
            clear_quarantine: true, // a rehearsal kills a node more often than life does
            ..StartClusterNode::default()
        })?;
    }
    Ok(down)
}

/// What starts a killed node again when nobody else is there to do it.
fn remedy(client: &Client, scene: &Scene) -> Result<Vec<PathBuf>> {
    let options = client.options();
    let cluster = client.cluster().unwrap_or_default();
    let entry = Registry::new(&options.home).find(&cluster)?;
    if !entry.detached {
        let text = format!(
            "the nodes of {cluster} end with the session that started them: a leash could not start {} again",
            scene.owner
        );
        return Err(Error::new(ErrorKind::InvalidState, text)
            .hint("leave -Duration out, and start it again with Start-ClusterNode"));
    }
    let script = format!("Start-ClusterNode '{}' -ClearQuarantine", scene.owner);
    let arguments = ["--cluster", &cluster, "-c", &script].map(PathBuf::from);
    Ok(options.program.iter().cloned().chain(arguments).collect())
}

/// Whether a leash can start a node of the chosen cluster again.
pub(super) fn has_remedy(client: &Client) -> bool {
    let cluster = client.cluster().unwrap_or_default();
    let entry = Registry::new(&client.options().home).find(&cluster);
    entry.is_ok_and(|entry| entry.detached)
}

/// The scene of a fault. A queue manager that is to be killed may be between two lives, or the group on its way to another
/// node, though it was online a moment ago: that is waited for.
fn scene_of(client: &Client, group: &str, kind: FaultKind) -> Result<Scene> {
    let patience = Patience::new(client, BIRTH_WAIT);
    loop {
        let found = Scene::of(client, group);
        let between = match &found {
            Ok(scene) => {
                let victims = scene.victims.as_ref();
                victims.is_ok_and(|victims| victims.queue_managers.is_empty())
            }
            Err(error) => error.kind == ErrorKind::InvalidState,
        };
        let waits = between && matches!(kind, FaultKind::KillQueueManager);
        if !waits || patience.is_over() {
            return found;
        }
        patience.pause()?;
    }
}
