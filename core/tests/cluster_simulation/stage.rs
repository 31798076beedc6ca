//! A stage for stories: engines and a database where everything happens at once and time moves by hand, so
//! that an edge can be met to the millisecond.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use hamq_core::cluster::configuration::{
    Change, NewGroup, NewResource, PolicyChange, add_group, add_resource, set_restart_policy,
    start_group,
};
use hamq_core::cluster::engine::{
    Action, Engine, Event, Evidence, FenceOutcome, Now, OnlineFacts, Outcome, Settings,
};
use hamq_core::cluster::record::{NodeConfig, RestartPolicy, Session, encode, key};
use hamq_core::cluster::view::View;
use hamq_core::database::{LeaseId, Transaction, Write};

use crate::database::Database;
use crate::node::name;

/// The lease of a node's so many-th life.
fn lease_of(index: usize, life: u64) -> LeaseId {
    LeaseId(index as u64 * 1_000 + life)
}

/// One agent on the stage.
struct Player {
    engine: Engine,
    boot_id: String,
    /// Its boot clock is so much ahead of the stage's.
    ahead: u64,
    alive: bool,
    lives: u64,
}

pub struct Stage {
    pub database: Database,
    pub now: u64,
    pub wall_ms: u64,
    pub hour: u8,
    /// `app@n1`: fails to come online there.
    pub refuses: BTreeSet<String>,
    /// Never answers a start.
    pub silent: BTreeSet<String>,
    /// Nodes of which nobody can prove that they are dead.
    pub far: BTreeSet<usize>,
    /// Starts as they happened: when, where, what.
    pub starts: Vec<(u64, String, String)>,
    players: Vec<Player>,
    serials: Vec<(usize, String, u64)>,
    queue: VecDeque<(usize, Event)>,
}

impl Stage {
    /// A cluster of so many nodes, each a machine of its own.
    pub fn new(nodes: usize) -> Self {
        let mut stage = Self {
            database: Database::default(),
            now: 1_000_000,
            wall_ms: 1_700_000_000_000,
            hour: 12,
            refuses: BTreeSet::new(),
            silent: BTreeSet::new(),
            far: BTreeSet::new(),
            starts: Vec::new(),
            players: Vec::new(),
            serials: Vec::new(),
            queue: VecDeque::new(),
        };
        for index in 0..nodes {
            let config = NodeConfig {
                name: name(index),
                id: index as u64 + 1,
                address: String::new(),
                paused: false,
                features: BTreeSet::new(),
            };
            stage.put(key("node", &name(index)), encode(&config));
            let boot_id = format!("k{index}");
            stage.players.push(Player {
                engine: engine(index, &boot_id),
                boot_id,
                ahead: 7_777_777 * index as u64,
                alive: false,
                lives: 0,
            });
        }
        for index in 0..nodes {
            stage.boot(index);
        }
        stage
    }

    fn put(&mut self, key: String, value: Vec<u8>) {
        self.put_leased(key, value, None);
    }

    fn put_leased(&mut self, key: String, value: Vec<u8>, lease: Option<LeaseId>) {
        let writes = vec![Write::Put { key, value, lease }];
        let guards = Vec::new();
        self.database.commit(&Transaction { guards, writes });
    }

    /// A group with one application, which prefers n1, n2 …, online.
    pub fn group(&mut self, group: &str, policy: &PolicyChange) {
        let new = NewGroup {
            name: group.to_owned(),
            preferred_owners: (0..self.players.len()).map(name).collect(),
            ..NewGroup::default()
        };
        self.command(|v| add_group(v, &new));
        let resource = NewResource {
            name: format!("{group}-app"),
            group: group.to_owned(),
            resource_type: "Generic Application".to_owned(),
            parameters: vec![("CommandLine".to_owned(), "sleep 1".to_owned())],
            policy: RestartPolicy::default(),
            ..NewResource::default()
        };
        self.command(|v| add_resource(v, &resource));
        self.command(|v| set_restart_policy(v, &resource.name, policy));
        self.command(|v| start_group(v, group));
    }

    pub fn command(&mut self, decide: impl Fn(&View) -> hamq_core::Result<Change>) {
        let change = decide(&self.database.view).unwrap();
        let outcome = self.database.commit(&change.into_transaction());
        assert!(matches!(outcome, Outcome::Done(_)));
        self.play();
    }

    /// A new process of an agent; its machine stays up.
    pub fn boot(&mut self, index: usize) {
        let player = &mut self.players[index];
        player.engine = engine(index, &player.boot_id);
        player.alive = true;
        player.lives += 1;
        let incarnation = format!("{}-{}", name(index), player.lives);
        let lease = lease_of(index, player.lives);
        let session = Session {
            node: name(index),
            incarnation: incarnation.clone(),
            process: Default::default(),
            address: String::new(),
            since_ms: 0,
            lease: Some(lease),
        };
        self.database.grant(lease, u64::MAX);
        self.put_leased(key("session", &name(index)), encode(&session), Some(lease));
        let sent = self.clock(index).boot;
        let revision = self.database.view.revision;
        let started = Event::SessionStarted {
            incarnation,
            revision,
            sent,
        };
        self.queue.push_back((index, started));
        self.play();
    }

    /// The process ends, and is seen to.
    pub fn crash(&mut self, index: usize) {
        self.players[index].alive = false;
        for peer in 0..self.players.len() {
            self.connection_closed(peer, index, self.players[index].lives);
        }
        self.expire(index);
    }

    /// One node hears that its connection to another one's so many-th life was closed.
    pub fn connection_closed(&mut self, peer: usize, index: usize, life: u64) {
        let event = Event::Evidence {
            node: name(index),
            incarnation: format!("{}-{life}", name(index)),
            evidence: Evidence::Closed,
        };
        self.queue.push_back((peer, event));
        self.play();
    }

    /// One node hears nothing of another one any more.
    pub fn falls_silent(&mut self, peer: usize, index: usize) {
        let event = Event::Evidence {
            node: name(index),
            incarnation: format!("{}-{}", name(index), self.players[index].lives),
            evidence: Evidence::Silent,
        };
        self.queue.push_back((peer, event));
        self.play();
    }

    /// It does nothing any more, and what it runs goes on.
    pub fn freeze(&mut self, index: usize) {
        self.players[index].alive = false;
    }

    /// The process is gone and its lease is over.
    pub fn expire(&mut self, index: usize) {
        self.freeze(index);
        self.serials.retain(|(node, _, _)| *node != index);
        let lease = lease_of(index, self.players[index].lives);
        self.database.grant(lease, 0);
        self.database.expire(0);
        self.play();
    }

    /// An online resource fails by itself.
    pub fn fail(&mut self, resource: &str) {
        let (node, serial) = self.runs(resource).unwrap();
        let event = Event::Failed {
            resource: resource.to_owned(),
            serial,
            reason: "it broke".to_owned(),
        };
        self.queue.push_back((node, event));
        self.play();
    }

    pub fn progress(&mut self, node: usize, resource: &str) {
        let group = &self.database.view.resources[resource].group;
        let epoch = self.database.view.owners[group].epoch;
        let resource = resource.to_owned();
        self.queue
            .push_back((node, Event::Progress { resource, epoch }));
        self.play();
    }

    pub fn advance(&mut self, ms: u64) {
        self.now += ms;
        self.wall_ms += ms;
        for index in 0..self.players.len() {
            let sent = self.clock(index).boot;
            self.queue.push_back((index, Event::Renewed { sent }));
            self.queue.push_back((index, Event::Tick));
        }
        self.play();
    }

    /// Where a resource is online, with the serial of its start.
    fn runs(&self, resource: &str) -> Option<(usize, u64)> {
        let found = self.serials.iter().find(|(_, name, _)| name == resource);
        found.map(|(node, _, serial)| (*node, *serial))
    }

    /// `n1`, or nothing.
    pub fn place(&self, resource: &str) -> String {
        self.runs(resource)
            .map(|(node, _)| name(node))
            .unwrap_or_default()
    }

    pub fn owner(&self, group: &str) -> String {
        let owner = self.database.view.live_owner(group);
        owner.map(|o| o.node.clone()).unwrap_or_default()
    }

    fn clock(&self, index: usize) -> Now {
        Now {
            boot: Duration::from_millis(self.now + self.players[index].ahead),
            wall_ms: self.wall_ms,
            hour: self.hour,
        }
    }

    /// Until nothing happens any more.
    pub fn play(&mut self) {
        for _ in 0..10_000 {
            if let Some((index, event)) = self.queue.pop_front() {
                if self.players[index].alive {
                    let now = self.clock(index);
                    for action in self.players[index].engine.handle(event, now) {
                        self.execute(index, action);
                    }
                }
                continue;
            }
            let behind =
                |p: &Player| p.alive && p.engine.view().revision < self.database.view.revision;
            let Some(index) = self.players.iter().position(behind) else {
                return;
            };
            let view = Box::new(self.database.view.clone());
            self.queue.push_back((index, Event::Snapshot(view)));
        }
        panic!("it never comes to rest");
    }

    fn execute(&mut self, index: usize, action: Action) {
        let event = match action {
            Action::Commit {
                intent,
                transaction,
            } => {
                let outcome = self.database.commit(&transaction);
                Event::Committed {
                    intent,
                    transaction,
                    outcome,
                }
            }
            Action::Fence {
                session: Session {
                    node, incarnation, ..
                },
                ..
            } => Event::Fenced {
                incarnation,
                outcome: match (0..self.players.len()).find(|far| name(*far) == node) {
                    Some(far) if self.far.contains(&far) => {
                        FenceOutcome::Unproven("another machine".to_owned())
                    }
                    _ => FenceOutcome::Dead("has ended".to_owned()),
                },
                node,
            },
            Action::Online {
                resource, serial, ..
            } => {
                let start = (self.now, name(index), resource.clone());
                self.starts.push(start);
                if self.silent.contains(&resource) {
                    return;
                }
                let place = format!("{resource}@{}", name(index));
                let result = match self.refuses.contains(&place) {
                    true => Err("it refuses".to_owned()),
                    false => Ok(OnlineFacts::default()),
                };
                if result.is_ok() {
                    self.serials.push((index, resource.clone(), serial));
                }
                Event::Online {
                    resource,
                    serial,
                    result,
                }
            }
            Action::Offline { resource, serial } => {
                self.serials.retain(|(_, name, _)| *name != resource);
                Event::Offline {
                    resource,
                    serial,
                    result: Ok(()),
                }
            }
            Action::Terminate { resource, serial } => {
                self.serials
                    .retain(|(node, name, _)| (*node, name) != (index, &resource));
                Event::Terminated { resource, serial }
            }
            Action::LeaseRenewed { .. }
            | Action::StopAdmitting { .. }
            | Action::Rejoin
            | Action::Stopped
            | Action::Log { .. } => return,
        };
        self.queue.push_back((index, event));
    }
}

fn engine(index: usize, boot_id: &str) -> Engine {
    Engine::new(Settings {
        node: name(index),
        boot_id: boot_id.to_owned(),
        lease_ttl: Duration::from_secs(2),
        failback_delay: Duration::from_secs(1),
    })
}
