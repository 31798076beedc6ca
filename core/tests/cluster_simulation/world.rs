//! The world: events in virtual time, and everything that they happen to.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use hamq_core::cluster::engine::{Action, Event, Evidence, Outcome};
use hamq_core::cluster::placement::coherent;
use hamq_core::cluster::record::{Process, Session, encode, key};
use hamq_core::database::{LeaseId, Transaction, Write};

use crate::clock::NodeClock;
use crate::database::Database;
use crate::dice::Dice;
use crate::disk::Disks;
use crate::network::Network;
use crate::node::{Node, Step, TTL, name};
use crate::observation::{Invariant, Observation, all};

fn is_order(action: &Action) -> bool {
    matches!(
        action,
        Action::Online { .. }
            | Action::Offline { .. }
            | Action::Terminate { .. }
            | Action::LeaseRenewed { .. }
    )
}

pub struct World {
    pub seed: u64,
    pub dice: Dice,
    pub now: u64,
    pub database: Database,
    pub disks: Disks,
    pub network: Network,
    pub nodes: Vec<Node>,
    /// Fencing can end a node (one machine), or not.
    pub one_machine: bool,
    /// Faults are over.
    pub calm: bool,
    /// Failures that happened, by resource.
    pub failures: BTreeMap<String, u64>,
    pub takeovers: u64,
    /// Operators move resources to other groups, too: in some schedules, so that the seeds that found a fault before there
    /// was such a command still play what they played.
    pub relocates: bool,
    pub relocations: u64,
    /// What the engines log is printed.
    pub tells: bool,
    pub events: u64,
    sequence: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    steps: BTreeMap<u64, (usize, u64, Step)>,
    invariants: Option<Vec<Box<dyn Invariant>>>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (count, one_machine) = (2 + dice.index(4), dice.once_in(2));
        let mut nodes = Vec::new();
        for index in 0..count {
            let (boot_id, base, rate) = match one_machine {
                true => ("k".to_owned(), 5_000, 10_000),
                false => (
                    format!("k{index}"),
                    dice.roll(1_000_000),
                    9_800 + dice.roll(400),
                ),
            };
            let mut clock = NodeClock::new(boot_id, 0, base, rate);
            clock.wall_offset += dice.roll(7_200_000);
            nodes.push(Node::new(index, clock));
        }
        let mut world = Self {
            seed,
            dice,
            now: 1000,
            database: Database::default(),
            disks: Disks::default(),
            network: Network::new(count),
            nodes,
            one_machine,
            calm: false,
            failures: BTreeMap::new(),
            takeovers: 0,
            relocates: seed % 4 == 3,
            relocations: 0,
            tells: std::env::var_os("HAMQ_SIMULATION_LOG").is_some(),
            events: 0,
            sequence: 0,
            queue: BinaryHeap::new(),
            steps: BTreeMap::new(),
            invariants: Some(all()),
        };
        world.configure();
        for index in 0..count {
            world.boot(index);
        }
        world
    }

    pub fn observe(&mut self, seen: &Observation<'_>) {
        let mut invariants = self.invariants.take().unwrap();
        for invariant in &mut invariants {
            invariant.observe(self, seen);
        }
        self.invariants = Some(invariants);
    }

    pub fn at_the_end(&mut self) {
        let invariants = self.invariants.take().unwrap();
        for invariant in &invariants {
            invariant.at_the_end(self);
        }
        self.invariants = Some(invariants);
    }

    pub fn later(&mut self, node: usize, delay: u64, step: Step) {
        self.sequence += 1;
        let process = self.nodes[node].process;
        self.steps.insert(self.sequence, (node, process, step));
        self.queue.push(Reverse((self.now + delay, self.sequence)));
    }

    pub fn boot(&mut self, index: usize) {
        self.nodes[index].boot(index);
        let delay = self.dice.delay();
        self.later(index, delay, Step::Register);
    }

    /// Everybody may read what has changed.
    pub fn notify(&mut self) {
        for index in 0..self.nodes.len() {
            let delay = self.dice.delay();
            if self.nodes[index].alive && !self.nodes[index].told {
                self.nodes[index].told = true;
                self.later(index, delay, Step::Read);
            }
        }
    }

    pub fn run_for(&mut self, length: u64) {
        let until = self.now + length;
        while let Some(Reverse((at, sequence))) = self.queue.peek().copied() {
            if at > until {
                break;
            }
            self.queue.pop();
            self.now = self.now.max(at);
            if self.database.expire(self.now) {
                self.notify();
            }
            let Some((index, process, step)) = self.steps.remove(&sequence) else {
                continue;
            };
            if self.nodes[index].process != process || !self.nodes[index].alive {
                continue;
            }
            match self.waits(index, &step) {
                // It happens when the node can again, if it is still the same process.
                Some(until) => self.later(index, until - self.now, step),
                None => {
                    self.events += 1;
                    self.step(index, step);
                }
            }
        }
        self.now = until;
    }

    fn waits(&self, index: usize, step: &Step) -> Option<u64> {
        let node = &self.nodes[index];
        let frozen = node.frozen_until.max(match step {
            Step::Read | Step::Register | Step::Leave => self.unreachable_until(index),
            _ => 0,
        });
        (frozen > self.now).then_some(frozen)
    }

    pub fn unreachable_until(&self, index: usize) -> u64 {
        self.nodes[index].cut_until.max(self.database.outage_until)
    }

    fn step(&mut self, index: usize, step: Step) {
        match step {
            Step::Deliver(event) => self.deliver(index, event),
            Step::Read => {
                self.nodes[index].told = false;
                let view = Box::new(self.database.view.clone());
                let delay = self.dice.delay();
                self.later(index, delay, Step::Deliver(Event::Snapshot(view)));
            }
            Step::Renew(lease) => self.renew(index, lease),
            Step::Register => self.register(index),
            Step::Execute(action) => self.execute(index, action),
            Step::Listen { about, incarnation } => self.listen(index, about, incarnation),
            Step::Leave => self.leave(index),
        }
    }

    fn register(&mut self, index: usize) {
        let process = u32::try_from(self.nodes[index].process).unwrap();
        let old = self.database.view.sessions.get(&name(index));
        if old.is_some_and(|old| old.process.pid == process) {
            self.later(index, 100, Step::Register); // its lease has to run out first
            return;
        }
        self.sequence += 1;
        let lease = self.sequence;
        let session = Session {
            node: name(index),
            incarnation: format!("{}-{lease}", name(index)),
            process: Process {
                pid: process,
                ..Process::default()
            },
            address: String::new(),
            since_ms: self.now,
            lease: Some(LeaseId(lease)),
        };
        let node = &mut self.nodes[index];
        node.incarnation.clone_from(&session.incarnation);
        node.lease = lease;
        let sent = node.clock.now(self.now).boot;
        self.database.grant(LeaseId(lease), self.now + TTL);
        let writes = vec![Write::Put {
            key: key("session", &name(index)),
            value: encode(&session),
            lease: Some(LeaseId(lease)),
        }];
        let guards = Vec::new();
        let Outcome::Done(revision) = self.database.commit(&Transaction { guards, writes }) else {
            unreachable!("no guards")
        };
        let incarnation = session.incarnation;
        self.deliver(
            index,
            Event::SessionStarted {
                incarnation,
                revision,
                sent,
            },
        );
        self.later(index, TTL / 4, Step::Renew(lease));
        self.notify();
    }

    fn renew(&mut self, index: usize, lease: u64) {
        if self.nodes[index].lease != lease {
            return;
        }
        if self.unreachable_until(index) > self.now {
            return self.later(index, TTL / 4, Step::Renew(lease));
        }
        let sent = self.nodes[index].clock.now(self.now).boot;
        if self.database.renew(LeaseId(lease), self.now + TTL) {
            let delay = self.dice.delay();
            self.later(index, delay, Step::Deliver(Event::Renewed { sent }));
            self.later(index, TTL / 4, Step::Renew(lease));
        } else {
            self.deliver(index, Event::SessionLost);
        }
    }

    /// A heartbeat is missing: from a node that is dead, frozen or behind a cut.
    fn listen(&mut self, index: usize, about: usize, incarnation: String) {
        let other = &self.nodes[about];
        let silent = !other.alive
            || other.frozen_until > self.now
            || other.incarnation != incarnation
            || !self.network.hears(about, index, self.now);
        let node = name(about);
        let event = match silent {
            true => Event::Evidence {
                node,
                incarnation,
                evidence: Evidence::Silent,
            },
            false => Event::PeerAlive { node, incarnation },
        };
        self.deliver(index, event);
    }

    pub fn deliver(&mut self, index: usize, event: Event) {
        let now = self.nodes[index].clock.now(self.now);
        let actions = self.nodes[index].engine.handle(event, now);
        for action in actions {
            // Looked at when it is given, done a little later.
            match &action {
                Action::Online {
                    resource, epoch, ..
                } => self.observe(&Observation::Starts {
                    node: index,
                    resource,
                    epoch: *epoch,
                }),
                Action::Offline { resource, .. } => self.observe(&Observation::Stops {
                    node: index,
                    resource,
                }),
                _ => {}
            }
            let delay = self.dice.delay();
            let delay = match is_order(&action) {
                true => self.in_turn(index, delay),
                false => delay,
            };
            self.later(index, delay, Step::Execute(action));
        }
        let node = &mut self.nodes[index];
        if let Some(at) = node.engine.next_deadline(now) {
            let at = node.clock.when(at).max(self.now + 1);
            if node.tick_at <= self.now || at < node.tick_at {
                node.tick_at = at;
                let delay = at - self.now;
                self.later(index, delay, Step::Deliver(Event::Tick));
            }
        }
    }

    /// Orders to resources are carried out in the order in which they are given.
    fn in_turn(&mut self, index: usize, delay: u64) -> u64 {
        let node = &mut self.nodes[index];
        node.busy_until = node.busy_until.max(self.now + delay);
        node.busy_until - self.now
    }

    /// The nodes that run a resource.
    pub fn runs_on(&self, resource: &str) -> Vec<usize> {
        let runs = |i: &usize| self.nodes[*i].running.contains_key(resource);
        (0..self.nodes.len()).filter(runs).collect()
    }

    /// Whether two of it would do harm.
    pub fn is_exclusive(&self, resource: &str) -> bool {
        let config = self.database.view.resources.get(resource);
        let program = config.is_some_and(|r| r.resource_type == "Generic Application");
        program || self.is_store(resource)
    }

    pub fn is_store(&self, resource: &str) -> bool {
        let config = self.database.view.resources.get(resource);
        config.is_some_and(|r| r.resource_type == "MSMQ")
    }

    /// The epoch at which a node acts with a resource now: its queue manager would acknowledge, or its program runs while the
    /// node's lease does. (What runs on a machine that is frozen for longer only fencing can end.)
    pub fn acts(&self, index: usize, resource: &str) -> Option<u64> {
        let node = &self.nodes[index];
        let run = node.running.get(resource)?;
        let coherent =
            self.is_store(resource) && coherent(&self.database.view.resources[resource].parameters);
        let boot: Duration = node.clock.now(self.now).boot;
        let can = self.disks.acknowledges(resource, run, coherent, boot);
        can.then_some(run.epoch)
    }
}
