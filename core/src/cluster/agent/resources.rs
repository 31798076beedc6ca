//! The resources of this node, one actor each: orders go out, what they say comes in.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::actor::{Actor, Checks, Order, Saying};
use super::checkpoints::Keeper;
use super::interfaces::with_subnet;
use super::main_loop::{MainLoop, ORDERS_MAX};
use crate::cluster::engine::Event;
use crate::cluster::policy::RestartPolicy;
use crate::cluster::record::{FencingMode, ResourceConfig, fold};
use crate::resource_types::{Context, Fencing, LogSink, Provided};

/// A resource's task.
pub(super) struct Running {
    pub(super) orders: mpsc::Sender<Order>,
    resource_type: String,
}

impl MainLoop {
    /// What a resource says; what it provides is kept for those that depend on it.
    pub(super) fn said(&mut self, saying: Option<Saying>) {
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
            self.shared.free_message_memory(resource);
        }
        self.take(event);
    }

    pub(super) fn online(&mut self, name: &str, serial: u64, epoch: u64) {
        let found = self.engine.view().resources.get(name);
        let Some(mut config) = found.map(|r| r.row.clone()) else {
            return self.refuse(name, serial, "its configuration is gone".to_owned());
        };
        let view = self.engine.view();
        let share = self
            .shared
            .take_message_memory(view, name, &config.resource_type);
        if let Err(text) = share {
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
                keeper: Keeper {
                    shared: Arc::clone(&self.shared),
                    resource: name.to_owned(),
                },
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
        let checks = checks(config.policy);
        let order = Order::Online {
            serial,
            context,
            checks,
            has_checkpoints: self.engine.view().checkpoints_of(name).next().is_some(),
        };
        self.order(name, order);
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
    pub(super) fn order(&mut self, name: &str, order: Order) {
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
        let resource = name.to_owned();
        // A line is a sign of progress too: its PendingTimeout begins anew. When the engine is behind, the
        // next line does.
        let log = move |level: &str, text: String| {
            shared.log(level, "RES", &format!("{speaker}: {text}"));
            let resource = resource.clone();
            drop(shared.events.try_send(Event::Progress { resource, epoch }));
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
}

fn merge(mut below: Provided, own: &Provided) -> Provided {
    below.disk = own.disk.clone().or(below.disk);
    below.address = own.address.or(below.address);
    below.network_name = own.network_name.clone().or(below.network_name);
    below.queue_manager = own.queue_manager.or(below.queue_manager);
    below
}

fn checks(policy: RestartPolicy) -> Checks {
    Checks {
        looks_alive: Duration::from_millis(policy.looks_alive_interval_ms()),
        is_alive: Duration::from_millis(policy.is_alive_interval_ms()),
        deadlock: Duration::from_millis(policy.deadlock_timeout_ms),
    }
}
