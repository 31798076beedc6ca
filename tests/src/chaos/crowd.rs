//! Many groups on a few nodes, and a node that is lost with all of its queue managers: when has each group a new owner,
//! and when is each online again?

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use hamq_core::api::feature::{InstallMsmqFeature, SetMsmqMemoryPool};
use hamq_core::api::group::{AddClusterGroup, GetClusterGroup, GroupInfo, StartClusterGroup};
use hamq_core::api::node::{GetClusterNode, StartClusterNode};
use hamq_core::api::policy::SetCluster;
use hamq_core::{Error, ErrorKind, Result};

use super::machine::kill;
use super::report::percentile;
use crate::lab::Lab;
use crate::process::queue_managers;

/// Addresses of a local cluster's subnet that nodes leave free.
const FIRST_ADDRESS: u8 = 20;
/// As many groups as there are addresses.
pub const GROUPS_MAX: u8 = 230;
/// How long it may take until all is as it should be.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What one lost node cost.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// Groups it owned.
    pub groups: usize,
    /// Until each had a new owner.
    pub decided: Duration,
    /// Until each was online there.
    pub online: Duration,
}

/// Every loss that was played.
#[derive(Clone, Debug, Default)]
pub struct Losses(pub Vec<Loss>);

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, of: fn(&Loss) -> Duration| {
            let mut times: Vec<Duration> = self.0.iter().map(of).collect();
            times.sort_unstable();
            let [p50, p99, max] =
                [500, 990, 1000].map(|at| percentile(&times, at).as_secs_f64() * 1e3);
            let count = times.len();
            writeln!(f, "{name:<20}{count:>7}{p50:>10.0}{p99:>10.0}{max:>10.0}")
        };
        let most = self.0.iter().map(|loss| loss.groups).max();
        writeln!(
            f,
            "a node lost with up to {} groups",
            most.unwrap_or_default()
        )?;
        writeln!(
            f,
            "{:<20}{:>7}{:>10}{:>10}{:>10}",
            "until all are", "events", "p50 ms", "p99 ms", "max ms"
        )?;
        row(f, "owned", |loss| loss.decided)?;
        row(f, "online", |loss| loss.online)
    }
}

/// Nodes n1 and up, each with its share of virtual servers: disk, address, name, queue manager.
pub struct Crowd {
    lab: Lab,
    nodes: Vec<String>,
}

impl Crowd {
    /// Makes it, and waits until every group is online.
    ///
    /// # Errors
    /// Those of the commands.
    pub fn new(program: &str, nodes: u8, groups: u8) -> Result<Self> {
        let nodes: Vec<String> = (1..=nodes).map(|number| format!("n{number}")).collect();
        let lab = Lab::with(program, |command| command.nodes.clone_from(&nodes))?;
        lab.client.run(InstallMsmqFeature {
            nodes: Vec::new(),
            features: Vec::new(),
        })?;
        // A node that is lost on purpose again and again is no bad node.
        lab.client.run(SetCluster {
            quarantine_threshold: Some(0),
            ..SetCluster::default()
        })?;
        // By default a node has room for three queue managers; here one may end up with all.
        for node in &nodes {
            lab.client.run(SetMsmqMemoryPool {
                node: node.clone(),
                megabytes: 4 * u64::from(groups),
            })?;
        }
        let crowd = Self { lab, nodes };
        for number in 0..groups.min(GROUPS_MAX) {
            crowd.add(number)?;
        }
        crowd.wait("every group is online", |groups, _| {
            groups.iter().all(is_online)
        })?;
        Ok(crowd)
    }

    fn add(&self, number: u8) -> Result<()> {
        let (lab, group) = (&self.lab, format!("VS{number}"));
        let mut preferred_owners = self.nodes.clone();
        preferred_owners.rotate_left(usize::from(number) % self.nodes.len());
        lab.client.run(AddClusterGroup {
            name: group.clone(),
            preferred_owners,
            auto_failback_type: Some(0),
            failover_threshold: Some(super::world::OFTEN),
            failover_period: None,
        })?;
        let disk = format!("DiskPath={}", lab.disk(&group).display());
        let address = format!("Address={}", lab.address(FIRST_ADDRESS + number)?);
        let name = format!("Name={group}");
        let [d, i, n, m] = ["Disk", "IP", "Name", "MSMQ"].map(|part| format!("{group}-{part}"));
        lab.add_resource(&d, &group, "Physical Disk", &[&disk], &[])?;
        lab.add_resource(&i, &group, "IP Address", &[&address], &[])?;
        lab.add_resource(&n, &group, "Network Name", &[&name], &[&i])?;
        lab.add_resource(&m, &group, "MSMQ", &[], &[&d, &n])?;
        lab.client.run(StartClusterGroup {
            name: group,
            wait: None,
        })?;
        Ok(())
    }

    /// Loses a node with everything on it, waits until its groups are online elsewhere, and starts it again.
    ///
    /// # Errors
    /// Those of the commands; a wait that took too long.
    pub fn lose(&self, event: usize) -> Result<Loss> {
        let node = &self.nodes[event % self.nodes.len()];
        let owned: BTreeSet<String> = self
            .groups()?
            .into_iter()
            .filter(|group| group.owner_node.as_ref() == Some(node))
            .map(|group| group.name)
            .collect();
        let agent = self.lab.agent(node);
        let mut processes = queue_managers(agent);
        processes.push(agent);
        let began = Instant::now();
        kill(&processes);
        let theirs = |groups: &[GroupInfo], is_so: &dyn Fn(&GroupInfo) -> bool| {
            let mut theirs = groups.iter().filter(|group| owned.contains(&group.name));
            theirs.all(is_so)
        };
        let elsewhere = |group: &GroupInfo| {
            let owner = group.owner_node.as_ref();
            owner.is_some_and(|owner| owner != node)
        };
        self.wait("every group has a new owner", |groups, _| {
            theirs(groups, &elsewhere)
        })?;
        let decided = began.elapsed();
        self.wait("every group is online again", |groups, _| {
            theirs(groups, &|group| elsewhere(group) && is_online(group))
        })?;
        let online = began.elapsed();
        self.lab.client.run(StartClusterNode {
            name: node.clone(),
            clear_quarantine: true,
            ..StartClusterNode::default()
        })?;
        self.wait("every node is up", |_, up| up == self.nodes.len())?;
        Ok(Loss {
            groups: owned.len(),
            decided,
            online,
        })
    }

    fn groups(&self) -> Result<Vec<GroupInfo>> {
        let groups = self.lab.client.run(GetClusterGroup { name: None })?;
        let ours = |group: &GroupInfo| group.name.starts_with("VS");
        Ok(groups.into_iter().filter(ours).collect())
    }

    fn wait(&self, what: &str, is_so: impl Fn(&[GroupInfo], usize) -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            // The node that was asked may be the one that is lost.
            let groups = self.groups().unwrap_or_default();
            let nodes = self.lab.client.run(GetClusterNode { name: None });
            let up = nodes.unwrap_or_default();
            let up = up.iter().filter(|node| node.state == "Up").count();
            if !groups.is_empty() && is_so(&groups, up) {
                return Ok(());
            }
            if Instant::now() >= end {
                let bad: Vec<_> = groups.iter().filter(|group| !is_online(group)).collect();
                let text = format!("waited for: {what}; {up} nodes are up, not online: {bad:?}");
                return Err(Error::new(ErrorKind::Timeout, text));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

fn is_online(group: &GroupInfo) -> bool {
    group.state == "Online"
}
