//! The loop: an event goes into the engine, its actions come out and are done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::actor::{Actor, Order, Saying};
use super::interfaces::with_subnet;
use super::membership::{self, Registered};
use super::{Life, Shared};
use crate::cluster::engine::{
    Action, Engine, Event, Evidence, FenceOutcome, Intent, Now, Outcome, Settings,
};
use crate::cluster::record::{
    ClusterConfig, DECISION_PREFIX, DECISIONS_MAX, FencingMode, ResourceConfig, Session, fold,
};
use crate::database::{Commit, Transaction, Write};
use crate::resource_types::{Context, Fencing, LogSink, Provided};

/// Orders that wait for a resource; more than the engine ever gives at once.
const ORDERS_MAX: usize = 64;
/// After so many decisions of this node the oldest of all are removed.
const PRUNE_EVERY: usize = 256;
/// Decisions that one transaction removes: etcd takes 128 steps unless it is told otherwise.
const PRUNE_CHUNK: usize = 100;

pub(super) struct Running {
    pub(super) orders: mpsc::Sender<Order>,
    resource_type: String,
}

pub(super) struct MainLoop {
    pub(super) shared: Arc<Shared>,
    config: ClusterConfig,
    pub(super) engine: Engine,
    pub(super) actors: BTreeMap<String, Running>,
    provided: BTreeMap<String, Provided>,
    says: mpsc::Sender<Saying>,
    renewal: Option<AbortHandle>,
    lives: mpsc::Sender<Registered>,
    decisions: usize,
    lease_until: Option<Duration>,
    /// Resources whose tasks know that they are in maintenance.
    pub(super) maintained: BTreeSet<String>,
    /// Megabytes of the node's pool of message memory, by who has them.
    pub(super) message_memory: BTreeMap<String, u32>,
}

/// Runs until the agent is aborted.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut inbox: mpsc::Receiver<Event>,
    config: ClusterConfig,
    session: Registered,
) {
    let (says, mut sayings) = mpsc::channel(ORDERS_MAX);
    let (lives, mut new_lives) = mpsc::channel(1);
    let settings = Settings {
        node: shared.options.node.clone(),
        boot_id: shared.process.boot_id.clone(),
        lease_ttl: Duration::from_millis(config.lease_ttl_ms),
        failback_delay: shared.options.timing.failback_delay,
    };
    let mut main = MainLoop {
        engine: Engine::new(settings),
        actors: BTreeMap::new(),
        provided: BTreeMap::new(),
        renewal: None,
        lives,
        decisions: 0,
        lease_until: None,
        maintained: BTreeSet::new(),
        message_memory: BTreeMap::new(),
        shared,
        config,
        says,
    };
    main.begin_life(session);
    loop {
        let wait = main.until_deadline();
        tokio::select! {
            biased;
            saying = sayings.recv() => main.said(saying),
            Some(session) = new_lives.recv() => main.begin_life(session),
            event = inbox.recv() => match event {
                Some(event) => main.take(event),
                None => return,
            },
            () = tokio::time::sleep(wait) => main.take(Event::Tick),
        }
    }
}

impl MainLoop {
    fn now(&self) -> Now {
        let clock = &self.shared.options.clock;
        Now {
            boot: clock.boot(),
            wall_ms: clock.wall_ms(),
        }
    }

    fn until_deadline(&self) -> Duration {
        let now = self.now();
        let longest = Duration::from_secs(1);
        self.engine
            .next_deadline(now)
            .map_or(longest, |at| at.saturating_sub(now.boot).min(longest))
    }

    fn begin_life(&mut self, session: Registered) {
        let ttl = Duration::from_millis(self.config.lease_ttl_ms);
        let task = membership::renew(Arc::clone(&self.shared), session.lease, ttl);
        if let Some(former) = self.renewal.take() {
            former.abort();
        }
        let handle = tokio::spawn(task).abort_handle();
        self.shared.track(handle.clone());
        self.renewal = Some(handle);
        self.take(Event::SessionStarted {
            incarnation: session.incarnation,
            revision: session.revision,
            sent: session.sent,
        });
    }

    fn said(&mut self, saying: Option<Saying>) {
        let Some(Saying { event, provides }) = saying else {
            return;
        };
        if let Event::Online { resource, .. }
        | Event::Offline { resource, .. }
        | Event::Terminated { resource, .. } = &event
            && let Some(own) = provides
        {
            let below = self.below(resource);
            let all = merge(below, &own);
            self.provided.insert(resource.clone(), all);
        }
        if let Event::Failed { resource, .. } = &event {
            self.provided.remove(resource); // nothing that starts from now on gets it
        }
        if let Event::Offline { resource, .. }
        | Event::Terminated { resource, .. }
        | Event::Online {
            resource,
            result: Err(_),
            ..
        } = &event
        {
            self.free_message_memory(resource);
        }
        self.take(event);
    }

    fn take(&mut self, event: Event) {
        let now = self.now();
        let before = self.engine.view().revision;
        let snapshot = matches!(event, Event::Snapshot(_));
        let actions = self.engine.handle(event, now);
        for action in actions {
            self.execute(action);
        }
        if snapshot || self.engine.view().revision != before {
            let view = Arc::new(self.engine.view().clone());
            self.shared.view.send_replace(view);
            self.follow_maintenance();
        }
    }

    fn execute(&mut self, action: Action) {
        match action {
            Action::Commit {
                intent,
                transaction,
            } => self.commit(intent, transaction),
            Action::Fence { session, evidence } => self.fence(session, evidence),
            Action::Online {
                resource,
                serial,
                epoch,
            } => self.online(&resource, serial, epoch),
            Action::Offline { resource, serial } => {
                self.order(&resource, Order::Offline { serial });
            }
            Action::Terminate { resource, serial } => {
                self.order(&resource, Order::Terminate { serial });
            }
            Action::LeaseRenewed { until } => {
                self.lease_until = Some(until);
                for running in self.actors.values() {
                    // A resource that is behind gets the next one.
                    drop(running.orders.try_send(Order::LeaseRenewed { until }));
                }
            }
            Action::StopAdmitting { resource } => {
                let text = format!("{resource}: half of the lease has passed without a renewal");
                self.shared.log("WARN", "RCM", &text);
            }
            Action::Rejoin => self.rejoin(),
            Action::Stopped => {
                self.shared.life.send_replace(Life::GivenAway);
            }
            Action::Log {
                level,
                component,
                text,
            } => self.shared.log(level, component, &text),
        }
    }

    fn commit(&mut self, intent: Intent, transaction: Transaction) {
        let decided = transaction.writes.iter().filter(|w| is_decision(w));
        self.decisions += decided.count();
        if self.decisions >= PRUNE_EVERY {
            self.decisions = 0;
            self.shared.spawn(prune(Arc::clone(&self.shared)));
        }
        let shared = Arc::clone(&self.shared);
        self.shared.spawn(async move {
            let database = &shared.options.database;
            let outcome = match database.commit(transaction.clone()).await {
                Ok(Commit::Done { revision }) => Outcome::Done(revision),
                Ok(Commit::Refused) => Outcome::Refused,
                Err(e) => Outcome::Failed(e.message),
            };
            let event = Event::Committed {
                intent,
                transaction,
                outcome,
            };
            drop(shared.events.send(event).await);
        });
    }

    fn fence(&self, session: Session, evidence: Evidence) {
        let shared = Arc::clone(&self.shared);
        let mode = self.config.fencing;
        self.shared.spawn(async move {
            let (node, incarnation) = (session.node.clone(), session.incarnation.clone());
            let fencer = Arc::clone(&shared.options.fencer);
            let work = move || fencer.fence(&session, evidence, mode);
            let outcome = tokio::task::spawn_blocking(work)
                .await
                .unwrap_or_else(|e| FenceOutcome::Unproven(e.to_string()));
            let event = Event::Fenced {
                node,
                incarnation,
                outcome,
            };
            drop(shared.events.send(event).await);
        });
    }

    fn online(&mut self, name: &str, serial: u64, epoch: u64) {
        let found = self.engine.view().resources.get(name);
        let Some(mut config) = found.map(|r| r.row.clone()) else {
            return self.refuse(name, serial, "its configuration is gone".to_owned());
        };
        if let Err(text) = self.take_message_memory(name, &config.resource_type) {
            return self.refuse(name, serial, text);
        }
        if config.resource_type == "IP Address" {
            match with_subnet(self.engine.view(), &config.parameters) {
                Ok(parameters) => config.parameters = parameters,
                Err(why) => return self.refuse(name, serial, why),
            }
        }
        let changed = self
            .actors
            .get(name)
            .is_some_and(|r| r.resource_type != config.resource_type);
        if changed {
            self.actors.remove(name);
        }
        if !self.actors.contains_key(name) {
            let Some(resource) = self.shared.options.factory.create(&config.resource_type) else {
                let text = format!(
                    "this program has no resource type {:?}",
                    config.resource_type
                );
                return self.refuse(name, serial, text);
            };
            let (orders, inbox) = mpsc::channel(ORDERS_MAX);
            let actor = Actor {
                name: name.to_owned(),
                resource,
                orders: inbox,
                says: self.says.clone(),
                maintained: false,
            };
            self.shared.spawn(actor.run());
            let resource_type = config.resource_type.clone();
            let running = Running {
                orders,
                resource_type,
            };
            self.actors.insert(name.to_owned(), running);
            self.maintained.remove(name);
            self.follow_maintenance();
        }
        let context = Box::new(self.context(name, &config, epoch));
        if let Some(until) = self.lease_until {
            self.order(name, Order::LeaseRenewed { until });
        }
        self.order(name, Order::Online { serial, context });
    }

    fn refuse(&self, name: &str, serial: u64, reason: String) {
        let event = Event::Online {
            resource: name.to_owned(),
            serial,
            result: Err(reason),
        };
        let shared = Arc::clone(&self.shared);
        self.shared
            .spawn(async move { drop(shared.events.send(event).await) });
    }

    /// Gives an order; a resource that never came up has nothing to end.
    fn order(&mut self, name: &str, order: Order) {
        let serial = match &order {
            Order::Online { serial, .. }
            | Order::Offline { serial }
            | Order::Terminate { serial } => *serial,
            Order::LeaseRenewed { .. } | Order::Maintenance { .. } => 0,
        };
        let ending = matches!(order, Order::Terminate { .. });
        let sent = self
            .actors
            .get(name)
            .is_some_and(|r| r.orders.try_send(order).is_ok());
        if sent {
            return;
        }
        self.actors.remove(name);
        if ending {
            let event = Event::Terminated {
                resource: name.to_owned(),
                serial,
            };
            let shared = Arc::clone(&self.shared);
            self.shared
                .spawn(async move { drop(shared.events.send(event).await) });
        } else {
            self.refuse(name, serial, "its task has ended".to_owned());
        }
    }

    fn context(&self, name: &str, config: &ResourceConfig, epoch: u64) -> Context {
        let options = &self.shared.options;
        let node = self.engine.view().nodes.get(&fold(&options.node));
        let (shared, speaker) = (Arc::clone(&self.shared), config.name.clone());
        let log = move |level: &str, text: String| {
            shared.log(level, "RES", &format!("{speaker}: {text}"));
        };
        Context {
            cluster: self.config.name.clone(),
            node: options.node.clone(),
            data: options.data.clone(),
            resource: config.name.clone(),
            group: config.group.clone(),
            epoch,
            parameters: config.parameters.clone(),
            provided: self.below(name),
            program: options.program.clone(),
            features: node
                .map(|n| n.features.iter().cloned().collect())
                .unwrap_or_default(),
            fencing: match self.config.fencing {
                FencingMode::Kill => Fencing::Kill,
                FencingMode::Storage => Fencing::Storage,
            },
            log: LogSink(Arc::new(log)),
        }
    }

    /// What the providers of a resource provide, each with what lies below it.
    fn below(&self, name: &str) -> Provided {
        let view = self.engine.view();
        let providers = view.resources.get(name).map(|r| r.depends_on.clone());
        let provided = providers.unwrap_or_default();
        provided
            .iter()
            .filter_map(|p| self.provided.get(&fold(p)))
            .fold(Provided::default(), merge)
    }

    fn rejoin(&mut self) {
        let shared = Arc::clone(&self.shared);
        let config = self.config.clone();
        self.shared.log("INFO", "NM", "joining again");
        let lives = self.lives.clone();
        self.shared.spawn(async move {
            loop {
                match membership::register(&shared, &config).await {
                    Ok(session) => {
                        drop(lives.send(session).await);
                        return;
                    }
                    Err(e) => shared.log("ERR", "NM", &format!("could not join again: {e}")),
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
    }
}

fn merge(mut below: Provided, own: &Provided) -> Provided {
    below.disk = own.disk.clone().or(below.disk);
    below.address = own.address.or(below.address);
    below.network_name = own.network_name.clone().or(below.network_name);
    below.queue_manager = own.queue_manager.or(below.queue_manager);
    below
}

fn is_decision(write: &Write) -> bool {
    matches!(write, Write::Put { key, .. } if key.starts_with(DECISION_PREFIX))
}

/// Removes the oldest decisions beyond the bound.
async fn prune(shared: Arc<Shared>) {
    let database = &shared.options.database;
    let Ok(range) = database.read(DECISION_PREFIX).await else {
        return;
    };
    let surplus = range.entries.len().saturating_sub(DECISIONS_MAX);
    let writes: Vec<Write> = range
        .entries
        .into_iter()
        .take(surplus)
        .map(|e| Write::Delete { key: e.key })
        .collect();
    for chunk in writes.chunks(PRUNE_CHUNK) {
        let (guards, writes) = (Vec::new(), chunk.to_vec());
        drop(database.commit(Transaction { guards, writes }).await);
    }
}
