//! Three nodes on this machine, their cluster database in SQLite.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hamq_core::Result;
use hamq_core::api::client::Client;
use hamq_core::api::node::{GetClusterNode, StartClusterNode};
use hamq_core::api::policy::{SetCluster, SetClusterGroup, SetClusterResource};
use hamq_core::sys::process;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use super::catalogue::Fault;
use super::dice::Dice;
use super::load::Load;
use super::world::{GROUP, LEASE, OFTEN, Strike, World, group, operate, to};
use crate::lab::Lab;
use crate::process::{queue_managers, wait_until};

const CGROUPS: &str = "/sys/fs/cgroup";

/// See the module.
pub struct Machine {
    lab: Lab,
    program: String,
    frozen: Vec<u32>,
    few_files: Vec<(u32, Rlimit)>,
    cgroups: Vec<PathBuf>,
    filler: Option<PathBuf>,
    small_disk: bool,
}

impl Machine {
    /// A cluster with the group online and its queues made. `small_disk`: the store lies on a file system in memory that
    /// can run full (needs root); otherwise it lies on a disk, so that times can be measured.
    ///
    /// # Errors
    /// Those of the commands.
    pub fn new(program: &str, small_disk: bool) -> Result<Self> {
        let lab = Lab::new(program)?;
        if small_disk {
            mount_in_memory(&lab.disk("vs1"));
        }
        let machine = Self {
            lab,
            program: program.to_owned(),
            frozen: Vec::new(),
            few_files: Vec::new(),
            cgroups: Vec::new(),
            filler: None,
            small_disk,
        };
        machine.lab.add_virtual_server()?;
        be_patient(&machine.lab.client)?;
        machine.lab.new_queue("orders", true)?;
        machine.lab.new_queue("events", false)?;
        Ok(machine)
    }

    fn agent(&self, node: &str) -> Option<u32> {
        let name = Some(node.to_owned());
        let found = self.lab.client.run(GetClusterNode { name }).ok()?;
        u32::try_from(found.first()?.process_id?).ok()
    }

    fn owner(&self) -> (String, Option<u32>, Vec<u32>) {
        let owner = group(self).and_then(|g| g.owner_node).unwrap_or_default();
        let agent = self.agent(&owner);
        let store = self.store();
        let mut managers = agent.map(queue_managers).unwrap_or_default();
        managers.retain(|pid| process::arguments(*pid).iter().any(|a| a.contains(&store)));
        (owner, agent, managers)
    }

    fn freeze(&mut self, pids: &[u32], dice: &mut Dice) -> Strike {
        send(pids, Signal::STOP);
        self.frozen.extend(pids);
        // Half, once, one and a half times and five times the lease.
        let hold = LEASE * [1, 2, 3, 10][usize::try_from(dice.roll(4)).unwrap_or(0)] / 2;
        Strike::passing(format!("SIGSTOP {pids:?} for {hold:?}"), hold)
    }

    fn cgroup(&mut self, controller: &str, settings: &[(&str, &str)], pids: &[u32]) {
        let name = format!("hamq-chaos-{}", std::process::id());
        let folder = Path::new(CGROUPS).join(controller).join(name);
        drop(std::fs::create_dir(&folder));
        for (name, value) in settings {
            std::fs::write(folder.join(name), value).unwrap();
        }
        for pid in pids {
            drop(std::fs::write(folder.join("cgroup.procs"), pid.to_string()));
        }
        self.cgroups.push(folder);
    }

    fn restrict_files(&mut self, pids: &[u32]) {
        for pid in pids
            .iter()
            .filter_map(|pid| raw(*pid).map(|raw| (*pid, raw)))
        {
            let before = rustix::process::getrlimit(Resource::Nofile);
            let few = Rlimit {
                current: Some(8),
                maximum: before.maximum,
            };
            if let Ok(before) = prlimit(Some(pid.1), Resource::Nofile, few) {
                self.few_files.push((pid.0, before));
            }
        }
    }

    fn fill_disk(&mut self) {
        let filler = self.lab.disk("vs1").join("filler");
        drop(
            Command::new("dd")
                .args(["if=/dev/zero", "bs=64k"])
                .arg(format!("of={}", filler.display()))
                .stderr(Stdio::null())
                .status(),
        );
        self.filler = Some(filler);
    }

    /// A whole `hamq` of an operator, ended in the middle of its command.
    fn kill_operator(&self, owner: &str, dice: &mut Dice) -> String {
        let target = if owner == "n1" { "n2" } else { "n1" };
        let mut operator = Command::new(&self.program)
            .args(["-c", &format!("Move-ClusterGroup {GROUP} {target}")])
            .env("HAMQ_HOME", self.lab.folder.path().join("home"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(dice.time(5, 120));
        drop(operator.kill());
        drop(operator.wait());
        format!("an operator is killed while moving to {target}")
    }

    /// Starts every node that does not run; with none left, nobody tells which they are.
    fn start_down_nodes(&self) {
        let found = self.lab.client.run(GetClusterNode { name: None });
        let up = found
            .unwrap_or_default()
            .into_iter()
            .filter(|node| node.state != "Down");
        let up: Vec<String> = up.map(|node| node.name).collect();
        for node in ["n1", "n2", "n3"] {
            if !up.iter().any(|name| name == node) {
                drop(self.start(node));
            }
        }
    }

    fn start(&self, node: &str) -> Result<()> {
        let command = StartClusterNode {
            name: node.into(),
            clear_quarantine: true,
            ..Default::default()
        };
        self.lab.client.run(command).map(drop)
    }
}

impl World for Machine {
    fn faults(&self) -> Vec<Fault> {
        let mut faults = vec![
            Fault::KillManager,
            Fault::KillAgent,
            Fault::KillBoth,
            Fault::FreezeManager,
            Fault::FreezeAgent,
            Fault::FreezeBoth,
            Fault::FewFiles,
            Fault::Flap,
            Fault::Move,
            Fault::MoveDuringMove,
            Fault::Drain,
            Fault::ChangeWhilePending,
            Fault::TwoOperators,
            Fault::KillOperator,
            Fault::ColdStart,
        ];
        if Path::new(CGROUPS).join("memory/cgroup.procs").exists()
            && rustix::process::geteuid().is_root()
        {
            faults.extend([Fault::OutOfMemory, Fault::Throttle]);
        }
        if self.small_disk {
            faults.push(Fault::FullDisk);
        }
        faults
    }

    fn keep(&mut self) -> PathBuf {
        self.lab.folder.disable_cleanup(true);
        self.lab.folder.path().to_owned()
    }

    fn client(&self) -> &Client {
        &self.lab.client
    }

    fn inside(&self, work: &mut (dyn FnMut(&Client) + Send)) {
        work(&self.lab.client);
    }

    fn load(&self) -> Result<Load> {
        Load::start(&self.lab.client, GROUP)
    }

    fn store(&self) -> String {
        self.lab.disk("vs1").display().to_string()
    }

    fn strike(&mut self, fault: Fault, dice: &mut Dice) -> Strike {
        let (owner, agent, managers) = self.owner();
        let both: Vec<u32> = agent.into_iter().chain(managers.iter().copied()).collect();
        if let Some(strike) = operate(self, fault, &owner, dice) {
            return strike;
        }
        match fault {
            Fault::KillManager => Strike::survivable(kill(&managers)),
            Fault::KillAgent => Strike::survivable(kill(&both[..1.min(both.len())])),
            Fault::KillBoth => Strike::survivable(kill(&both)),
            Fault::FreezeManager => self.freeze(&managers, dice),
            Fault::FreezeAgent => self.freeze(&both[..1.min(both.len())], dice),
            Fault::FreezeBoth => self.freeze(&both, dice),
            Fault::OutOfMemory => {
                self.cgroup("memory", &[("memory.limit_in_bytes", "65536")], &managers);
                let what = format!("no memory for {managers:?}");
                Strike::passing(what, dice.time(500, 1500))
            }
            Fault::Throttle => {
                let settings = [
                    ("cpu.cfs_period_us", "100000"),
                    ("cpu.cfs_quota_us", "5000"),
                ];
                self.cgroup("cpu", &settings, &both);
                Strike::passing(
                    format!("a twentieth of a processor for {both:?}"),
                    dice.time(1000, 4000),
                )
            }
            Fault::FewFiles => {
                self.restrict_files(&both);
                Strike::passing(format!("8 files for {both:?}"), dice.time(500, 1500))
            }
            Fault::FullDisk => {
                self.fill_disk();
                Strike::passing("the disk is full".into(), dice.time(300, 1500))
            }
            Fault::Flap => {
                for _ in 0..3 {
                    kill(&self.agent(&owner).into_iter().collect::<Vec<_>>());
                    drop(self.start(&owner));
                }
                Strike::survivable(format!("{owner} is killed and started three times"))
            }
            Fault::ColdStart => {
                let all: Vec<u32> = ["n1", "n2", "n3"]
                    .iter()
                    .filter_map(|n| self.agent(n))
                    .collect();
                Strike::passing(format!("all agents: {}", kill(&all)), Duration::ZERO)
            }
            Fault::ChangeWhilePending => {
                let target = if owner == "n1" { "n2" } else { "n1" };
                drop(self.lab.client.run(to(target, 0)));
                let path = format!("DiskPath={}", self.lab.disk("extra").display());
                drop(
                    self.lab
                        .add_resource("VS1-Extra", GROUP, "Physical Disk", &[&path], &[]),
                );
                let name = "VS1-Extra".to_owned();
                let remove = hamq_core::api::resource::RemoveClusterResource { name, force: true };
                drop(self.lab.client.run(remove));
                Strike::survivable(format!(
                    "a disk comes and goes while {GROUP} moves to {target}"
                ))
            }
            Fault::KillOperator => Strike::survivable(self.kill_operator(&owner, dice)),
            other => Strike::survivable(format!("{other:?} is not made on one machine")),
        }
    }

    fn heal(&mut self) {
        send(&std::mem::take(&mut self.frozen), Signal::CONT);
        for (pid, limit) in self.few_files.drain(..) {
            let _ = prlimit(raw(pid), Resource::Nofile, limit); // it may have ended
        }
        for folder in self.cgroups.drain(..) {
            let parent = folder
                .parent()
                .unwrap_or(Path::new(CGROUPS))
                .join("cgroup.procs");
            let inside = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            inside
                .lines()
                .for_each(|pid| drop(std::fs::write(&parent, pid)));
            drop(std::fs::remove_dir(folder));
        }
        if let Some(filler) = self.filler.take() {
            drop(std::fs::remove_file(filler));
        }
        self.revive();
    }

    fn revive(&mut self) {
        self.start_down_nodes();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.heal();
        if self.small_disk {
            drop(
                Command::new("umount")
                    .arg("--lazy")
                    .arg(self.lab.disk("vs1"))
                    .status(),
            );
        }
    }
}

/// Makes a cluster that is broken more often than life does it: no threshold of group or queue manager is in the way.
///
/// # Errors
/// Those of the commands.
pub fn be_patient(client: &Client) -> Result<()> {
    let quarantine_threshold = Some(0);
    client.run(SetCluster {
        quarantine_threshold,
        ..SetCluster::default()
    })?;
    let failover_threshold = Some(OFTEN);
    client.run(SetClusterGroup {
        name: GROUP.into(),
        failover_threshold,
        ..SetClusterGroup::default()
    })?;
    // The others keep theirs: an address whose interface is down is not to be tried there a million times.
    client.run(SetClusterResource {
        name: format!("{GROUP}-MSMQ"),
        restart_threshold: Some(OFTEN),
        ..SetClusterResource::default()
    })?;
    Ok(())
}

/// Ends processes and waits until they are gone.
pub fn kill(pids: &[u32]) -> String {
    send(pids, Signal::KILL);
    wait_until("they are gone", || {
        pids.iter().all(|pid| process::is_gone(*pid))
    });
    format!("SIGKILL {pids:?}")
}

/// Sends a signal to those that are still there.
pub fn send(pids: &[u32], signal: Signal) {
    for pid in pids.iter().filter_map(|pid| raw(*pid)) {
        let _ = kill_process(pid, signal); // it may have ended
    }
}

fn raw(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

fn mount_in_memory(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256m", "hamq-chaos"])
        .arg(path)
        .status()
        .unwrap();
    assert!(mounted.success(), "mount a tmpfs at {}", path.display());
}
