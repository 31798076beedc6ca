//! Hundreds of random schedules of crashes, freezes, partitions, failures and operators on three engines
//! and one database, in virtual time. The same seed is the same schedule.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test may panic; a table of actions is one function"
)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use hamq_core::cluster::configuration::{
    Change, NewGroup, NewResource, add_group, add_resource, install_feature, move_group,
    start_resource, stop_resource,
};
use hamq_core::cluster::dependency;
use hamq_core::cluster::engine::{
    Action, Engine, Event, Evidence, FenceOutcome, Now, OnlineFacts, Outcome, Settings,
};
use hamq_core::cluster::group::GroupState;
use hamq_core::cluster::record::{NodeConfig, Process, RestartPolicy, Session, encode, key};
use hamq_core::cluster::view::View;
use hamq_core::database::{Entry, LeaseId, Range, Transaction, Write};

const NODES: usize = 3;
const TTL: u64 = 2000;
const SILENCE: u64 = 1500;
const GROUPS: [&str; 2] = ["vs1", "vs2"];

/// A small generator (xorshift64*), so that a seed is a schedule.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }

    fn delay(&mut self) -> u64 {
        1 + self.roll(8)
    }
}

/// The database: guarded transactions and leases in virtual time.
#[derive(Default)]
struct Rows {
    revision: u64,
    rows: BTreeMap<String, Entry>,
    leases: BTreeMap<LeaseId, u64>,
}

impl Rows {
    fn expire(&mut self, now: u64) -> bool {
        let before = self.leases.len();
        self.leases.retain(|_, until| *until > now);
        let leases = &self.leases;
        self.rows
            .retain(|_, e| e.lease.is_none_or(|l| leases.contains_key(&l)));
        self.leases.len() < before
    }

    fn commit(&mut self, transaction: &Transaction) -> Outcome {
        let holds = transaction
            .guards
            .iter()
            .all(|g| self.rows.get(&g.key).map_or(0, |e| e.version) == g.version);
        if !holds {
            return Outcome::Refused;
        }
        self.revision += 1;
        for write in &transaction.writes {
            match write {
                Write::Delete { key } => drop(self.rows.remove(key)),
                Write::Put { key, value, lease } => {
                    let entry = Entry {
                        key: key.clone(),
                        value: value.clone(),
                        version: self.revision,
                        lease: *lease,
                    };
                    self.rows.insert(key.clone(), entry);
                }
            }
        }
        Outcome::Done(self.revision)
    }

    fn view(&self) -> View {
        let entries = self.rows.values().filter(|e| e.key.starts_with('/'));
        View::parse(&Range {
            revision: self.revision,
            entries: entries.cloned().collect(),
        })
    }
}

/// What is to happen, to a node in one of its processes.
enum Step {
    Deliver(Event),
    Snapshot,
    Renew(u64),
    Register,
    Execute(Action),
}

struct Node {
    engine: Engine,
    /// Counts its processes: what was meant for an earlier one is lost.
    process: u64,
    alive: bool,
    frozen_until: u64,
    cut_until: u64,
    incarnation: String,
    lease: u64,
    tick_at: u64,
    /// A snapshot is on its way.
    told: bool,
    /// Resources that run, with their epoch and the serial of their start.
    running: BTreeMap<String, (u64, u64)>,
}

struct World {
    seed: u64,
    dice: Dice,
    now: u64,
    sequence: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    steps: BTreeMap<u64, (usize, u64, Step)>,
    rows: Rows,
    nodes: Vec<Node>,
    /// Fencing can end a node (one machine), or not.
    one_machine: bool,
    calm: bool,
    failures: u64,
    /// Which node ran a resource at an epoch.
    ran: BTreeMap<(String, u64), usize>,
    meant_offline: BTreeMap<String, u64>,
    takeovers: u64,
    /// Breaks the engine's promise on purpose: guards are not looked at.
    unguarded: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut world = Self {
            seed,
            dice,
            now: 1000,
            sequence: 0,
            queue: BinaryHeap::new(),
            steps: BTreeMap::new(),
            rows: Rows::default(),
            nodes: Vec::new(),
            one_machine: seed.is_multiple_of(2),
            calm: false,
            failures: 0,
            ran: BTreeMap::new(),
            meant_offline: BTreeMap::new(),
            takeovers: 0,
            unguarded: false,
        };
        for index in 0..NODES {
            let config = NodeConfig {
                name: name(index),
                id: index as u64 + 1,
                address: String::new(),
                paused: false,
                features: BTreeSet::new(),
            };
            world.put(key("node", &name(index)), encode(&config));
            world.nodes.push(Node {
                engine: engine(index),
                process: 0,
                alive: false,
                frozen_until: 0,
                cut_until: 0,
                incarnation: String::new(),
                lease: 0,
                tick_at: 0,
                told: false,
                running: BTreeMap::new(),
            });
        }
        world.configure();
        for index in 0..NODES {
            world.boot(index);
        }
        world
    }

    fn put(&mut self, key: String, value: Vec<u8>) {
        let lease = None;
        let transaction = Transaction {
            guards: Vec::new(),
            writes: vec![Write::Put { key, value, lease }],
        };
        self.rows.commit(&transaction);
    }

    fn operate(&mut self, decide: impl Fn(&View) -> hamq_core::Result<Change>) -> bool {
        let Ok(change) = decide(&self.rows.view()) else {
            return false;
        };
        let outcome = self.rows.commit(&change.into_transaction());
        self.notify();
        matches!(outcome, Outcome::Done(_))
    }

    fn configure(&mut self) {
        assert!(self.operate(|v| install_feature(v, &[], &[])));
        for (number, group) in GROUPS.into_iter().enumerate() {
            let preferred = (0..2).map(|i| name((i + number) % NODES)).collect();
            let new = NewGroup {
                name: group.to_owned(),
                preferred_owners: preferred,
                auto_failback_type: Some(1),
                failover_threshold: Some(1000),
                failover_period: None,
            };
            assert!(self.operate(|v| add_group(v, &new)));
            let on = |suffix: &str| format!("{group}-{suffix}");
            let disk = ("DiskPath".to_owned(), format!("/srv/{group}"));
            let address = ("Address".to_owned(), format!("127.0.9.{number}"));
            for (suffix, kind, parameters, depends_on) in [
                ("disk", "Physical Disk", vec![disk], vec![]),
                ("ip", "IP Address", vec![address], vec![]),
                ("name", "Network Name", vec![], vec![on("ip")]),
                ("msmq", "MSMQ", vec![], vec![on("disk"), on("name")]),
            ] {
                let new = NewResource {
                    name: on(suffix),
                    group: group.to_owned(),
                    resource_type: kind.to_owned(),
                    parameters,
                    depends_on,
                    policy: RestartPolicy {
                        threshold: 2,
                        period_ms: 20_000,
                        delay_ms: 100,
                        retry_ms: 5_000,
                        pending_timeout_ms: 3_000,
                        ..RestartPolicy::default()
                    },
                    ..NewResource::default()
                };
                assert!(self.operate(|v| add_resource(v, &new)));
                assert!(self.operate(|v| start_resource(v, &new.name)));
            }
        }
    }

    fn later(&mut self, node: usize, delay: u64, step: Step) {
        self.sequence += 1;
        let process = self.nodes[node].process;
        self.steps.insert(self.sequence, (node, process, step));
        self.queue.push(Reverse((self.now + delay, self.sequence)));
    }

    fn boot(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.process += 1;
        node.alive = true;
        node.frozen_until = 0;
        node.tick_at = 0;
        node.told = false;
        node.engine = engine(index);
        let delay = self.dice.delay();
        self.later(index, delay, Step::Register);
    }

    fn crash(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if !node.alive {
            return;
        }
        node.alive = false;
        node.process += 1;
        node.running.clear();
        self.tell_peers(index, Evidence::Closed, 1);
    }

    fn tell_peers(&mut self, index: usize, evidence: Evidence, delay: u64) {
        let incarnation = self.nodes[index].incarnation.clone();
        for peer in (0..NODES).filter(|p| *p != index) {
            let delay = delay + self.dice.delay();
            let event = Event::Evidence {
                node: name(index),
                incarnation: incarnation.clone(),
                evidence,
            };
            self.later(peer, delay, Step::Deliver(event));
        }
    }

    fn notify(&mut self) {
        for index in 0..self.nodes.len() {
            let delay = self.dice.delay();
            if self.nodes[index].alive && !self.nodes[index].told {
                self.nodes[index].told = true;
                self.later(index, delay, Step::Snapshot);
            }
        }
    }

    fn run(&mut self, until: u64) {
        while let Some(Reverse((at, sequence))) = self.queue.peek().copied() {
            if at > until {
                break;
            }
            self.queue.pop();
            self.now = self.now.max(at);
            if self.rows.expire(self.now) {
                self.notify();
            }
            let Some((index, process, step)) = self.steps.remove(&sequence) else {
                continue;
            };
            let node = &self.nodes[index];
            if node.process != process || !node.alive {
                continue;
            }
            let cut = node.cut_until > self.now && needs_database(&step);
            let wait = match cut {
                true => node.cut_until,
                false => node.frozen_until,
            };
            if wait > self.now {
                // It happens when the node can again, if it is still the same process.
                let delay = wait - self.now;
                self.later(index, delay, step);
                continue;
            }
            self.step(index, step);
        }
        self.now = until;
    }

    fn step(&mut self, index: usize, step: Step) {
        match step {
            Step::Deliver(event) => self.deliver(index, event),
            Step::Snapshot => {
                self.nodes[index].told = false;
                let view = Box::new(self.rows.view());
                self.deliver(index, Event::Snapshot(view));
            }
            Step::Renew(lease) => self.renew(index, lease),
            Step::Register => self.register(index),
            Step::Execute(action) => self.execute(index, action),
        }
    }

    fn register(&mut self, index: usize) {
        let view = self.rows.view();
        if let Some(old) = view.sessions.get(&name(index))
            && old.process.pid == u32::try_from(self.nodes[index].process).unwrap()
        {
            self.later(index, 100, Step::Register); // its lease has to run out first
            return;
        }
        self.sequence += 1;
        let lease = self.sequence;
        let process = self.nodes[index].process;
        let session = Session {
            node: name(index),
            incarnation: format!("{}-{lease}", name(index)),
            process: Process {
                pid: u32::try_from(process).unwrap(),
                ..Process::default()
            },
            address: String::new(),
            since_ms: self.now,
        };
        let node = &mut self.nodes[index];
        node.incarnation.clone_from(&session.incarnation);
        node.lease = lease;
        self.rows.leases.insert(LeaseId(lease), self.now + TTL);
        let transaction = Transaction {
            guards: Vec::new(),
            writes: vec![Write::Put {
                key: key("session", &name(index)),
                value: encode(&session),
                lease: Some(LeaseId(lease)),
            }],
        };
        let Outcome::Done(revision) = self.rows.commit(&transaction) else {
            unreachable!("no guards")
        };
        let event = Event::SessionStarted {
            incarnation: session.incarnation,
            revision,
            sent: Duration::from_millis(self.now),
        };
        self.deliver(index, event);
        self.later(index, TTL / 4, Step::Renew(lease));
        self.notify();
    }

    fn renew(&mut self, index: usize, lease: u64) {
        if self.nodes[index].lease != lease {
            return;
        }
        let sent = Duration::from_millis(self.now);
        let now = self.now;
        match self.rows.leases.get_mut(&LeaseId(lease)) {
            Some(until) => {
                *until = now + TTL;
                self.deliver(index, Event::Renewed { sent });
                self.later(index, TTL / 4, Step::Renew(lease));
            }
            None => self.deliver(index, Event::SessionLost),
        }
    }

    fn deliver(&mut self, index: usize, event: Event) {
        let now = Now {
            boot: Duration::from_millis(self.now),
            wall_ms: 1_700_000_000_000 + self.now,
            hour: 3,
        };
        let actions = self.nodes[index].engine.handle(event, now);
        for action in actions {
            match action {
                // Looked at when they are given, done a little later.
                Action::Online {
                    ref resource,
                    epoch,
                    ..
                } => {
                    self.check_start(index, resource, epoch);
                    let delay = self.dice.delay();
                    self.later(index, delay, Step::Execute(action));
                }
                Action::Offline { ref resource, .. } => {
                    self.check_stop(index, resource);
                    let delay = self.dice.delay();
                    self.later(index, delay, Step::Execute(action));
                }
                other => {
                    let delay = self.dice.delay();
                    self.later(index, delay, Step::Execute(other));
                }
            }
        }
        let now = Now {
            boot: Duration::from_millis(self.now),
            ..Now::default()
        };
        if let Some(at) = self.nodes[index].engine.next_deadline(now) {
            let at = u64::try_from(at.as_millis()).unwrap();
            let at = at.max(self.now + 1);
            let pending = self.nodes[index].tick_at;
            if pending <= self.now || at < pending {
                self.nodes[index].tick_at = at;
                self.later(index, at - self.now, Step::Deliver(Event::Tick));
            }
        }
    }

    /// Invariants 1, 5 and 6 at the moment a start is asked for.
    fn check_start(&mut self, index: usize, resource: &str, epoch: u64) {
        let seed = self.seed;
        let first = *self
            .ran
            .entry((resource.to_owned(), epoch))
            .or_insert(index);
        assert_eq!(
            first, index,
            "seed {seed}: two nodes run {resource} at epoch {epoch}"
        );
        let view = self.rows.view();
        for provider in dependency::providers(&view, resource) {
            let under = self.nodes[index].running.get(&provider);
            let up = under.is_some_and(|(e, _)| *e == epoch);
            assert!(
                up,
                "seed {seed}: {resource} starts before {provider} at {}",
                self.now
            );
        }
        if let Some(since) = self.meant_offline.get(resource) {
            let late = self.now > since + 5_000 && self.nodes[index].cut_until == 0;
            assert!(!late, "seed {seed}: {resource} was meant to stay offline");
        }
    }

    fn check_stop(&mut self, index: usize, resource: &str) {
        let view = self.rows.view();
        for dependent in dependency::dependents(&view, resource) {
            let above = self.nodes[index].running.contains_key(&dependent);
            assert!(
                !above,
                "seed {}: {resource} stops before {dependent}",
                self.seed
            );
        }
    }

    fn execute(&mut self, index: usize, action: Action) {
        let answer = self.dice.delay();
        let event = match action {
            Action::Commit {
                intent,
                mut transaction,
            } => {
                let claims = matches!(intent, hamq_core::cluster::engine::Intent::Claim { .. });
                if self.unguarded {
                    transaction.guards.clear();
                }
                let outcome = self.rows.commit(&transaction);
                if matches!(outcome, Outcome::Done(_)) {
                    self.takeovers += u64::from(claims);
                    self.notify();
                }
                Event::Committed {
                    intent,
                    transaction,
                    outcome,
                }
            }
            Action::Fence { session, evidence } => self.fence(&session, evidence),
            Action::Online {
                resource,
                serial,
                epoch,
            } => {
                let fails = !self.calm && self.dice.roll(30) == 0;
                let result = match fails {
                    true => Err("it did not start".to_owned()),
                    false => Ok(OnlineFacts::default()),
                };
                self.failures += u64::from(fails);
                if !fails {
                    let running = &mut self.nodes[index].running;
                    running.insert(resource.clone(), (epoch, serial));
                }
                // Sometimes an answer never comes: the pending timeout must end it.
                if !self.calm && self.dice.roll(60) == 0 {
                    self.failures += 1;
                    return;
                }
                Event::Online {
                    resource,
                    serial,
                    result,
                }
            }
            Action::Offline { resource, serial } => {
                let result = match !self.calm && self.dice.roll(30) == 0 {
                    true => Err("it hangs".to_owned()),
                    false => Ok(()),
                };
                if result.is_ok() {
                    self.nodes[index].running.remove(&resource);
                }
                Event::Offline {
                    resource,
                    serial,
                    result,
                }
            }
            Action::Terminate { resource, serial } => {
                self.nodes[index].running.remove(&resource);
                Event::Terminated { resource, serial }
            }
            Action::Rejoin => {
                self.later(index, answer, Step::Register);
                return;
            }
            Action::LeaseRenewed { .. }
            | Action::StopAdmitting { .. }
            | Action::Stopped
            | Action::Log { .. } => return,
        };
        self.later(index, answer, Step::Deliver(event));
    }

    fn fence(&mut self, session: &Session, evidence: Evidence) -> Event {
        let target = (0..NODES).find(|i| name(*i) == session.node).unwrap();
        let node = &self.nodes[target];
        let same = node.alive && u64::from(session.process.pid) == node.process;
        let outcome = match (self.one_machine, same, evidence) {
            (false, _, _) => FenceOutcome::Unproven("another machine".to_owned()),
            (true, false, _) => FenceOutcome::Dead("has ended".to_owned()),
            (true, true, Evidence::Closed) => FenceOutcome::Alive,
            (true, true, Evidence::Silent) => {
                self.crash(target);
                FenceOutcome::Dead("was ended".to_owned())
            }
        };
        Event::Fenced {
            node: session.node.clone(),
            incarnation: session.incarnation.clone(),
            outcome,
        }
    }

    /// Something bad happens, or an operator does something.
    fn disturb(&mut self) {
        let index = usize::try_from(self.dice.roll(NODES as u64)).unwrap();
        match self.dice.roll(12) {
            0 | 1 => self.crash(index),
            2 | 3 => {
                if !self.nodes[index].alive {
                    self.boot(index);
                }
            }
            4 => {
                let length = 200 + self.dice.roll(6000);
                self.nodes[index].frozen_until = self.now + length;
                self.fall_silent(index, length);
            }
            5 => {
                let length = 200 + self.dice.roll(6000);
                self.nodes[index].cut_until = self.now + length;
                self.fall_silent(index, length);
            }
            6..=8 => self.break_resource(index),
            9 => {
                let group = GROUPS[index % 2];
                self.operate(|v| move_group(v, group, None).map(|(change, _)| change));
            }
            _ => {
                let group = GROUPS[index % 2];
                let suffix = ["disk", "ip", "name", "msmq"];
                let resource = format!(
                    "{group}-{}",
                    suffix[usize::try_from(self.dice.roll(4)).unwrap()]
                );
                match self.dice.roll(2) {
                    0 => {
                        self.operate(|v| stop_resource(v, &resource));
                        self.meant_offline.entry(resource).or_insert(self.now);
                    }
                    _ => self.mean_online(&resource),
                }
            }
        }
    }

    fn mean_online(&mut self, resource: &str) {
        self.operate(|v| start_resource(v, resource));
        let view = self.rows.view();
        self.meant_offline.remove(resource);
        for provider in dependency::all_providers(&view, resource) {
            self.meant_offline.remove(&provider);
        }
    }

    fn fall_silent(&mut self, index: usize, length: u64) {
        if !self.nodes[index].alive || length <= SILENCE {
            return;
        }
        self.tell_peers(index, Evidence::Silent, SILENCE);
        let incarnation = self.nodes[index].incarnation.clone();
        for peer in (0..NODES).filter(|p| *p != index) {
            let event = Event::PeerAlive {
                node: name(index),
                incarnation: incarnation.clone(),
            };
            self.later(peer, length + 50, Step::Deliver(event));
        }
    }

    fn break_resource(&mut self, index: usize) {
        let running: Vec<_> = self.nodes[index].running.clone().into_iter().collect();
        if running.is_empty() {
            return;
        }
        let at = usize::try_from(self.dice.roll(running.len() as u64)).unwrap();
        let (resource, (_, serial)) = running[at].clone();
        self.failures += 1;
        let reason = "it broke".to_owned();
        let event = Event::Failed {
            resource,
            serial,
            reason,
        };
        self.later(index, 1, Step::Deliver(event));
    }

    /// Everything is well again; then all must come to where it is meant to be.
    fn heal(&mut self) {
        self.calm = true;
        for index in 0..NODES {
            self.nodes[index].cut_until = 0;
            if !self.nodes[index].alive {
                self.boot(index);
            }
        }
        self.run(self.now + 30_000);
        // A node fenced while it was frozen is started again.
        for index in 0..NODES {
            if !self.nodes[index].alive {
                self.boot(index);
            }
        }
        self.run(self.now + 20_000);
    }

    fn check_end(&self) {
        let (seed, view) = (self.seed, self.rows.view());
        for (resource, config) in &view.resources {
            let on: Vec<usize> = (0..NODES)
                .filter(|i| self.nodes[*i].running.contains_key(resource))
                .collect();
            let wanted = dependency::wanted(&view, resource);
            assert_eq!(
                on.len(),
                usize::from(wanted),
                "seed {seed}: {resource} runs on {on:?}, wanted: {wanted}, owner {:?}, status {:?}",
                view.owners.get(&config.group).map(|o| &o.row),
                view.states.get(resource).map(|s| &s.row),
            );
            let counted = view
                .failures
                .get(resource)
                .map_or(0, |f| f.entries.len() as u64);
            assert!(
                counted <= self.failures,
                "seed {seed}: {resource} counted {counted} failures"
            );
        }
        for group in GROUPS {
            assert!(
                view.live_owner(group).is_some(),
                "seed {seed}: nobody owns {group}"
            );
            assert_ne!(
                GroupState::published(&view, group),
                GroupState::Failed,
                "seed {seed}"
            );
            assert!(view.moves.is_empty(), "seed {seed}: a move stayed behind");
        }
        assert!(view.damaged.is_empty());
    }
}

fn needs_database(step: &Step) -> bool {
    matches!(
        step,
        Step::Snapshot | Step::Renew(_) | Step::Register | Step::Execute(Action::Commit { .. })
    )
}

fn name(index: usize) -> String {
    format!("n{}", index + 1)
}

fn engine(index: usize) -> Engine {
    Engine::new(Settings {
        node: name(index),
        boot_id: "boot".to_owned(),
        lease_ttl: Duration::from_millis(TTL),
        failback_delay: Duration::from_millis(500),
    })
}

fn simulate(seed: u64, unguarded: bool) -> World {
    let mut world = World::new(seed);
    world.unguarded = unguarded;
    world.run(5_000);
    for _ in 0..25 {
        world.disturb();
        let pause = world.dice.roll(3_000);
        world.run(world.now + pause);
    }
    world.heal();
    world
}

#[test]
fn random_schedules_break_no_invariant_and_end_well() {
    let seeds = std::env::var("HAMQ_SEEDS")
        .ok()
        .and_then(|s| s.parse().ok());
    let first: u64 = std::env::var("HAMQ_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(1);
    let mut takeovers = 0;
    for seed in first..first + seeds.unwrap_or(60) {
        let world = simulate(seed, false);
        world.check_end();
        takeovers += world.takeovers;
    }
    assert!(
        takeovers > 100,
        "only {takeovers} claims: the schedules are too tame"
    );
}

#[test]
fn a_database_that_ignores_guards_is_found_out() {
    let found =
        (1..200).any(|seed| std::panic::catch_unwind(|| simulate(seed, true).check_end()).is_err());
    assert!(found, "claims without guards went unnoticed");
}
