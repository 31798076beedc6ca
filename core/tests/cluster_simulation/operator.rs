//! What operators do: configure, move, stop, start, pause, drain, resume, set policies.

use std::collections::BTreeSet;

use hamq_core::cluster::configuration::{
    Change, ClusterChange, Failback, GroupChange, NewGroup, NewResource, Suspend, add_group,
    add_resource, clear_quarantine, fail_resource, force_quorum, install_feature, move_group,
    move_resource, resume_node, set_cluster_policy, set_group, start_group, start_resource,
    stop_group, stop_resource, suspend_node,
};
use hamq_core::cluster::engine::{Event, Outcome};
use hamq_core::cluster::placement::storage_fenced;
use hamq_core::cluster::record::{NodeConfig, Owner, RestartPolicy, encode, key};
use hamq_core::cluster::view::{Versioned, View};
use hamq_core::database::{Transaction, Write};

use crate::node::{Step, name};
use crate::world::World;

pub const GROUPS: [&str; 2] = ["vs1", "vs2"];

impl World {
    /// A command, decided on the view of the moment.
    pub fn command(&mut self, decide: impl Fn(&View) -> hamq_core::Result<Change>) -> bool {
        if self.database.is_out(self.now) {
            return false;
        }
        let Ok(change) = decide(&self.database.view) else {
            return false;
        };
        let outcome = self.database.commit(&change.into_transaction());
        self.notify();
        matches!(outcome, Outcome::Done(_))
    }

    pub fn configure(&mut self) {
        for index in 0..self.nodes.len() {
            let config = NodeConfig {
                name: name(index),
                id: index as u64 + 1,
                address: String::new(),
                paused: false,
                features: BTreeSet::new(),
            };
            let writes = vec![Write::Put {
                key: key("node", &name(index)),
                value: encode(&config),
                lease: None,
            }];
            let guards = Vec::new();
            self.database.commit(&Transaction { guards, writes });
        }
        assert!(self.command(|v| install_feature(v, &[], &[])));
        let quarantine = ClusterChange {
            quarantine_threshold: Some(2 + self.dice.roll(3)),
            quarantine_duration_s: Some(10),
            enforced_anti_affinity: Some(self.dice.roll(2)),
            ..ClusterChange::default()
        };
        assert!(self.command(|v| set_cluster_policy(v, &quarantine)));
        let apart = self.dice.once_in(3);
        for number in 0..GROUPS.len() {
            self.add_group(number, apart);
        }
    }

    fn add_group(&mut self, number: usize, apart: bool) {
        let group = GROUPS[number];
        let preferred = (0..2).map(|i| name((i + number) % self.nodes.len()));
        let new = NewGroup {
            name: group.to_owned(),
            preferred_owners: preferred.collect(),
            auto_failback_type: Some(1),
            failover_threshold: Some(1000),
            failover_period: None,
        };
        assert!(self.command(|v| add_group(v, &new)));
        let change = GroupChange {
            priority: Some([0, 1000, 2000, 3000][self.dice.index(4)]),
            anti_affinity: apart.then(|| "apart".to_owned()).into_iter().collect(),
            ..GroupChange::default()
        };
        assert!(self.command(|v| set_group(v, group, &change)));
        let on = |suffix: &str| format!("{group}-{suffix}");
        let disk = ("DiskPath".to_owned(), format!("/srv/{group}"));
        let line = ("CommandLine".to_owned(), "sleep 1".to_owned());
        let coherent = u64::from(!self.dice.once_in(3)).to_string();
        let coherent = ("Coherent".to_owned(), coherent);
        let address = ("Address".to_owned(), format!("127.0.9.{number}"));
        let queueing = [
            ("disk", "Physical Disk", vec![disk.clone()], vec![]),
            ("ip", "IP Address", vec![address], vec![]),
            ("name", "Network Name", vec![], vec![on("ip")]),
            ("msmq", "MSMQ", vec![coherent], vec![on("disk"), on("name")]),
        ];
        let plain = [
            ("disk", "Physical Disk", vec![disk], vec![]),
            ("app", "Generic Application", vec![line], vec![on("disk")]),
        ];
        let kinds = match number {
            0 => queueing.to_vec(),
            _ => plain.to_vec(),
        };
        for (suffix, kind, parameters, depends_on) in kinds {
            let new = NewResource {
                name: on(suffix),
                group: group.to_owned(),
                resource_type: kind.to_owned(),
                parameters,
                depends_on,
                policy: policy(),
                ..NewResource::default()
            };
            assert!(self.command(|v| add_resource(v, &new)));
        }
        assert!(self.command(|v| start_group(v, group)));
    }

    pub fn operate(&mut self, index: usize) {
        if self.relocates && self.dice.once_in(2) {
            return self.relocate();
        }
        let group = GROUPS[self.dice.index(GROUPS.len())];
        let members: Vec<String> = self
            .database
            .view
            .resources_of(group)
            .map(|(name, _)| name.clone())
            .collect();
        if members.is_empty() {
            return;
        }
        let resource = members[self.dice.index(members.len())].clone();
        let node = name(index);
        match self.dice.roll(13) {
            0 | 1 => {
                let target = self.dice.once_in(2).then_some(node);
                self.command(|v| move_group(v, group, target.as_deref()).map(|(change, _)| change));
            }
            2 => drop(self.command(|v| stop_resource(v, &resource))),
            3 => drop(self.command(|v| start_resource(v, &resource))),
            4 => drop(self.command(|v| stop_group(v, group))),
            5 => drop(self.command(|v| start_group(v, group))),
            6 | 7 => self.suspend(index),
            8 => self.resume(&node),
            9 => {
                if self.nodes[index].alive {
                    self.later(index, 1, Step::Deliver(Event::Stop { all: false }));
                }
            }
            10 => {
                let id = format!("fail-{}", self.now);
                if self.command(|v| fail_resource(v, &resource, &id)) {
                    *self.failures.entry(resource).or_default() += 1;
                }
            }
            11 => {
                let other = (index + 1) % self.nodes.len();
                if self.is_dead_or_fenced(other) {
                    let others = [name(other)];
                    self.command(|v| force_quorum(v, &node, &others));
                }
            }
            _ => drop(self.command(|v| clear_quarantine(v, &node))),
        }
    }

    /// A resource, and what is tied to it, into the other group: what it takes is that both are offline, and all comes back.
    fn relocate(&mut self) {
        let from = self.dice.index(GROUPS.len());
        let (source, target) = (GROUPS[from], GROUPS[1 - from]);
        let members = self.database.view.resources_of(source);
        let Some(resource) = members.map(|(name, _)| name.clone()).next() else {
            return;
        };
        for group in GROUPS {
            self.command(|v| stop_group(v, group));
        }
        let pause = 300 + self.dice.roll(1_200);
        self.run_for(pause);
        if self.command(|v| move_resource(v, &resource, target).map(|(change, _)| change)) {
            self.relocations += 1;
        }
        for group in GROUPS {
            self.command(|v| start_group(v, group));
        }
    }

    /// An operator does not give the word that a node is dead that lives and owns what the storage does not protect.
    fn is_dead_or_fenced(&self, index: usize) -> bool {
        let view = &self.database.view;
        let owned = |(_, owner): &(&String, &Versioned<Owner>)| owner.node == name(index);
        let mut groups = view.owners.iter().filter(owned);
        !self.nodes[index].alive || groups.all(|(group, _)| storage_fenced(view, group))
    }

    fn suspend(&mut self, index: usize) {
        let ask = Suspend {
            node: name(index),
            id: format!("pause-{}", self.now),
            drain: !self.dice.once_in(3),
            force: self.dice.once_in(4),
            target: None,
        };
        self.command(|v| suspend_node(v, &ask));
    }

    fn resume(&mut self, node: &str) {
        let all = [Failback::NoFailback, Failback::Immediate, Failback::Policy];
        let failback = all[self.dice.index(3)];
        self.command(|v| resume_node(v, node, failback));
    }

    /// Nothing stays paused, and what waits for an operator is started.
    pub fn put_in_order(&mut self) {
        for index in 0..self.nodes.len() {
            self.resume(&name(index));
        }
        for group in GROUPS {
            if self.dice.once_in(2) {
                self.command(|v| start_group(v, group));
            }
        }
    }
}

fn policy() -> RestartPolicy {
    RestartPolicy {
        threshold: 2,
        period_ms: 4_000,
        delay_ms: 100,
        retry_ms: 4_000,
        pending_timeout_ms: 1_500,
        ..RestartPolicy::default()
    }
}
