//! Three hosts in network namespaces, etcd on three others, clients on one more.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use hamq_core::Result;
use hamq_core::api::client::Client;
use hamq_core::api::feature::InstallMsmqFeature;
use hamq_core::api::group::{AddClusterGroup, StartClusterGroup};
use hamq_core::api::queue::NewMsmqQueue;
use hamq_core::api::resource::AddClusterResource;
use hamq_core::api::trust::NewClusterClientCertificate;
use hamq_core::api::value::Millis;
use hamq_core::sys::process;
use rustix::process::Signal;

use super::catalogue::Fault;
use super::dice::Dice;
use super::load::Load;
use super::machine::{be_patient, kill, send};
use super::world::{GROUP, LEASE, Strike, World, group, operate};
use crate::namespace::Namespace;
use crate::process::queue_managers;
use crate::quorum::Quorum;
use crate::site::{Host, Site, give};

/// Members of etcd.
const MEMBERS: u8 = 3;

/// See the module.
pub struct Hosts {
    client: Client,
    hosts: [Host; 3],
    quorum: Quorum,
    outside: Namespace,
    site: Site,
    frozen: Vec<u32>,
    still: Vec<usize>,
}

/// Ten heartbeats of 30 ms, and a lease that is renewed several times a second.
const FAST: [&str; 4] = ["--same-subnet-delay", "30ms", "--lease-ttl", "1s"];

impl Hosts {
    /// A cluster with the group online and its queues made; a fast one notices silence after 300 ms.
    ///
    /// # Errors
    /// Those of the commands.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn new(program: &str, fast: bool) -> Result<Self> {
        let (mut site, quorum) = Site::on_etcd(program, MEMBERS);
        if fast {
            site.timing = FAST.to_vec();
        }
        let (hosts, first) = site.three();
        make_group(&site, &hosts[0], &first)?;
        let outside = Namespace::new();
        site.public.connect(&outside, "eth0", &["10.78.0.9/24"]);
        let file = give(
            &hosts[0],
            &first,
            NewClusterClientCertificate {
                name: "chaos".into(),
            },
        )?;
        let home = site.folder.path().join("chaos/clusters");
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join("prod.pem"), file.text).unwrap();
        let client = site.operator(&outside, "chaos", "prod")?;
        let (frozen, still) = (Vec::new(), Vec::new());
        Ok(Self {
            client,
            hosts,
            quorum,
            outside,
            site,
            frozen,
            still,
        })
    }

    fn owner(&self) -> usize {
        let owner = group(self).and_then(|g| g.owner_node).unwrap_or_default();
        self.hosts
            .iter()
            .position(|host| host.name == owner)
            .unwrap_or(0)
    }

    /// The agent of a host and the queue managers of the group there, from this side of their namespace.
    fn processes(&self, host: usize) -> (Vec<u32>, Vec<u32>) {
        let outer = self.hosts[host].agent.as_ref().map(std::process::Child::id);
        let agents: Vec<u32> = outer.into_iter().flat_map(process::children).collect();
        let store = self.store();
        let mut managers: Vec<u32> = agents.iter().flat_map(|pid| queue_managers(*pid)).collect();
        managers.retain(|pid| process::arguments(*pid).iter().any(|a| a.contains(&store)));
        (agents, managers)
    }

    fn cables(&self, host: usize, connected: bool) {
        self.site.public.set(&self.hosts[host].public, connected);
        self.site.private.set(&self.hosts[host].private, connected);
    }

    /// Packets that a host drops as they come (`input`) or go (`output`), by the rule's condition.
    fn drop_packets(&self, host: usize, hook: &str, condition: &str) {
        let table = format!(
            "add table inet chaos; add chain inet chaos {hook} {{ type filter hook {hook} priority 0; }}; \
             add rule inet chaos {hook} oifname != lo iifname != lo {condition} drop"
        );
        let table = match hook {
            "input" => table.replace("oifname != lo ", ""),
            _ => table.replace("iifname != lo ", ""),
        };
        assert!(self.in_host(host, "nft", &[&table]), "nft makes no {table}");
    }

    /// Whether the program did it; in healing it finds nothing to do as a rule.
    fn in_host(&self, host: usize, program: &str, words: &[&str]) -> bool {
        self.hosts[host].namespace.run(|| {
            let mut command = Command::new(program);
            command.args(words);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        })
    }

    /// Packets that are let through so slowly that they wait for seconds.
    fn delay(&self, host: usize) {
        for interface in ["eth0", "eth1"] {
            let words =
                format!("qdisc replace dev {interface} root tbf rate 256kbit burst 16k latency 5s");
            let made = self.in_host(host, "tc", &words.split(' ').collect::<Vec<_>>());
            assert!(made, "tc {words}");
        }
    }

    fn swizzle(&self, dice: &mut Dice) {
        let order = *dice.pick(&[[0, 1, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]]);
        let back = *dice.pick(&[[0, 1, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]]);
        for (hosts, connected) in [(order, false), (back, true)] {
            for host in hosts {
                self.site.private.set(&self.hosts[host].private, connected);
                std::thread::sleep(dice.time(50, 600));
            }
        }
    }

    fn quorum_loss(&mut self, dice: &mut Dice) -> Strike {
        for member in [0, 1] {
            self.quorum.signal(member, Signal::STOP);
            self.still.push(member);
        }
        let hold = LEASE * *dice.pick(&[1, 5]);
        Strike::passing(format!("two of three etcd members hang for {hold:?}"), hold)
    }

    fn network(&mut self, fault: Fault, host: usize, dice: &mut Dice) -> Option<Strike> {
        let name = self.hosts[host].name.clone();
        let other = (host + 1 + usize::try_from(dice.roll(2)).unwrap_or(0)) % 3;
        let what = match fault {
            Fault::CutOff => {
                self.cables(host, false);
                format!("{name} is cut off")
            }
            Fault::CutOffWithLeader => {
                let leader = self.quorum.leader().unwrap_or(0);
                self.site.private.set(self.quorum.port(leader), false);
                self.cables(host, false);
                format!("{name} and the leader of etcd are cut off")
            }
            Fault::Deaf => {
                self.drop_packets(host, "input", "");
                format!("{name} hears nothing")
            }
            Fault::Mute => {
                self.drop_packets(host, "output", "");
                format!("{name} is not heard")
            }
            Fault::ClientNetworkCut => {
                self.site.public.set(&self.hosts[host].public, false);
                format!("{name} has lost the clients' network")
            }
            Fault::InterfaceDown => {
                let down = self.in_host(host, "ip", &["link", "set", "eth0", "down"]);
                assert!(down, "eth0 of {name} stays up");
                format!("eth0 of {name} is down")
            }
            Fault::Bridge => {
                let condition = format!(
                    "ip saddr {{ {0}, 10.79.0.{1} }}",
                    self.hosts[other].address,
                    other + 1
                );
                self.drop_packets(host, "input", &condition);
                let hold = dice.time(2000, 5000);
                let what = format!("{name} does not hear {}", self.hosts[other].name);
                return Some(Strike::passing(what, hold));
            }
            Fault::EtcdCut => {
                self.drop_packets(host, "output", "tcp dport 2379");
                format!("{name} does not reach etcd")
            }
            Fault::Loss => {
                let percent = 1 + dice.roll(30);
                self.drop_packets(host, "input", &format!("numgen random mod 100 < {percent}"));
                let hold = dice.time(2000, 5000);
                return Some(Strike::passing(
                    format!("{name} loses {percent} % of all packets"),
                    hold,
                ));
            }
            Fault::Delay => {
                self.delay(host);
                let hold = dice.time(2000, 5000);
                return Some(Strike::passing(format!("{name} sends slowly"), hold));
            }
            Fault::Swizzle => {
                self.swizzle(dice);
                "private cables are pulled and put back one by one".to_owned()
            }
            _ => return None,
        };
        Some(Strike::survivable(what))
    }
}

impl World for Hosts {
    fn faults(&self) -> Vec<Fault> {
        vec![
            Fault::KillManager,
            Fault::KillBoth,
            Fault::FreezeManager,
            Fault::FreezeBoth,
            Fault::CutOff,
            Fault::CutOffWithLeader,
            Fault::Deaf,
            Fault::Mute,
            Fault::Bridge,
            Fault::Loss,
            Fault::Delay,
            Fault::Swizzle,
            Fault::InterfaceDown,
            Fault::ClientNetworkCut,
            Fault::EtcdCut,
            Fault::KillEtcdLeader,
            Fault::QuorumLoss,
            Fault::StaleMember,
            Fault::Move,
            Fault::MoveDuringMove,
            Fault::TwoOperators,
            Fault::ColdStart,
        ]
    }

    fn keep(&mut self) -> PathBuf {
        self.site.folder.disable_cleanup(true);
        self.site.folder.path().to_owned()
    }

    fn client(&self) -> &Client {
        &self.client
    }

    fn inside(&self, work: &mut (dyn FnMut(&Client) + Send)) {
        self.outside.run(|| work(&self.client));
    }

    fn load(&self) -> Result<Load> {
        self.outside.run(|| Load::start(&self.client, GROUP))
    }

    fn store(&self) -> String {
        self.site
            .folder
            .path()
            .join("disks/vs1")
            .display()
            .to_string()
    }

    fn strike(&mut self, fault: Fault, dice: &mut Dice) -> Strike {
        let host = self.owner();
        let name = self.hosts[host].name.clone();
        if let Some(strike) = operate(self, fault, &name, dice) {
            return strike;
        }
        if let Some(strike) = self.network(fault, host, dice) {
            return strike;
        }
        let (agents, managers) = self.processes(host);
        match fault {
            Fault::KillManager => Strike::survivable(kill(&managers)),
            Fault::KillBoth => Strike::survivable(kill(&[agents, managers].concat())),
            Fault::FreezeManager | Fault::FreezeBoth => {
                let all = match fault {
                    Fault::FreezeManager => managers,
                    _ => [agents, managers].concat(),
                };
                send(&all, Signal::STOP);
                let hold = LEASE * *dice.pick(&[1, 2, 3, 10]) / 2;
                self.frozen.extend(&all);
                Strike::passing(format!("SIGSTOP {all:?} on {name} for {hold:?}"), hold)
            }
            Fault::KillEtcdLeader => {
                let leader = self.quorum.leader().unwrap_or(0);
                self.quorum.kill(leader);
                Strike::passing(
                    format!("etcd's leader m{leader} is killed"),
                    dice.time(500, 3000),
                )
            }
            Fault::QuorumLoss => self.quorum_loss(dice),
            Fault::StaleMember => {
                let member = usize::try_from(dice.roll(u64::from(MEMBERS))).unwrap_or(0);
                self.quorum.signal(member, Signal::STOP);
                self.still.push(member);
                Strike::passing(
                    format!("etcd's member m{member} stays behind"),
                    dice.time(1000, 4000),
                )
            }
            Fault::ColdStart => {
                let all: Vec<u32> = (0..3).flat_map(|host| self.processes(host).0).collect();
                Strike::passing(format!("all agents: {}", kill(&all)), Duration::ZERO)
            }
            other => Strike::survivable(format!("{other:?} is not made on hosts")),
        }
    }

    fn heal(&mut self) {
        send(&std::mem::take(&mut self.frozen), Signal::CONT);
        for member in std::mem::take(&mut self.still) {
            self.quorum.signal(member, Signal::CONT);
        }
        for index in 0..self.quorum.count() {
            self.site.private.set(self.quorum.port(index), true);
            self.quorum.launch(index);
        }
        for host in 0..self.hosts.len() {
            self.cables(host, true);
            self.in_host(host, "ip", &["link", "set", "eth0", "up"]);
            self.in_host(host, "nft", &["delete table inet chaos"]);
            for interface in ["eth0", "eth1"] {
                self.in_host(host, "tc", &["qdisc", "del", "dev", interface, "root"]);
            }
        }
        self.revive();
    }

    fn revive(&mut self) {
        for host in &mut self.hosts {
            let agent = &mut host.agent;
            let ended = agent
                .as_mut()
                .is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if ended {
                self.site.start(host);
            }
        }
    }
}

fn make_group(site: &Site, host: &Host, client: &Client) -> Result<()> {
    let (nodes, features) = (Vec::new(), Vec::new());
    give(host, client, InstallMsmqFeature { nodes, features })?;
    let group = AddClusterGroup {
        name: GROUP.into(),
        preferred_owners: ["n1", "n2", "n3"].map(Into::into).into(),
        auto_failback_type: Some(0),
        failover_threshold: None,
        failover_period: None,
    };
    give(host, client, group)?;
    let disks = site.folder.path().join("disks");
    std::fs::create_dir_all(&disks).unwrap();
    let disk = format!("DiskPath={}", disks.join("vs1").display());
    let parts: [(&str, &str, Option<&str>, &[&str]); 4] = [
        ("VS1-Disk", "Physical Disk", Some(&disk), &[]),
        ("VS1-IP", "IP Address", Some("Address=10.78.0.101"), &[]),
        ("VS1-Name", "Network Name", Some("Name=VS1"), &["VS1-IP"]),
        ("VS1-MSMQ", "MSMQ", None, &["VS1-Disk", "VS1-Name"]),
    ];
    for (name, resource_type, parameter, depends_on) in parts {
        let resource = AddClusterResource {
            name: name.into(),
            group: Some(GROUP.into()),
            resource_type: resource_type.into(),
            parameters: parameter.into_iter().map(Into::into).collect(),
            depends_on: depends_on.iter().map(ToString::to_string).collect(),
            restart_threshold: None,
            restart_period: None,
            restart_delay: Some(Millis(0)),
        };
        give(host, client, resource)?;
    }
    let wait = Some(Millis(60_000));
    give(
        host,
        client,
        StartClusterGroup {
            name: GROUP.into(),
            wait,
        },
    )?;
    host.namespace.run(|| be_patient(client))?;
    for (queue, transactional) in [("orders", true), ("events", false)] {
        let name = format!("{GROUP}\\private$\\{queue}");
        give(
            host,
            client,
            NewMsmqQueue {
                name,
                transactional,
                ..NewMsmqQueue::default()
            },
        )?;
    }
    Ok(())
}
