//! What engines ask for, done.

use hamq_core::cluster::engine::{
    Action, Event, Evidence, FenceOutcome, Intent, OnlineFacts, Outcome,
};
use hamq_core::cluster::record::{Session, encode, key};
use hamq_core::database::{Transaction, Write};

use crate::disk::Running;
use crate::node::{Step, name};
use crate::observation::Observation;
use crate::world::World;

impl World {
    pub fn execute(&mut self, index: usize, action: Action) {
        let answer = self.dice.delay();
        let event = match action {
            Action::Commit {
                intent,
                transaction,
            } => return self.commit(index, intent, transaction),
            Action::Fence { session, evidence } => self.fence(&session, evidence),
            Action::Online {
                resource,
                serial,
                epoch,
            } => match self.online(index, &resource, serial, epoch) {
                Some(event) => event,
                None => return,
            },
            Action::Offline { resource, serial } => {
                let result = match !self.calm && self.dice.once_in(30) {
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
            Action::LeaseRenewed { until } => return self.lease_renewed(index, until),
            Action::Rejoin => return self.later(index, answer, Step::Register),
            Action::Stopped => return self.later(index, answer, Step::Leave),
            Action::Log {
                component, text, ..
            } => {
                if self.tells {
                    println!("{:6} {} {component:3} {text}", self.now, name(index));
                }
                return;
            }
            Action::StopAdmitting { .. } => return,
        };
        self.later(index, answer, Step::Deliver(event));
    }

    /// A commit may wait for the database, fail, or be done and never be answered.
    fn commit(&mut self, index: usize, intent: Intent, transaction: Transaction) {
        let answer = self.dice.delay();
        let until = self.unreachable_until(index);
        let outcome = if until <= self.now {
            let before = self.database.view.clone();
            let outcome = self.database.commit(&transaction);
            if matches!(outcome, Outcome::Done(_)) {
                self.takeovers += u64::from(matches!(intent, Intent::Claim { .. }));
                self.observe(&Observation::Committed {
                    node: index,
                    before: &before,
                    intent: &intent,
                    transaction: &transaction,
                });
                self.notify();
            }
            match !self.calm && self.dice.once_in(25) {
                true => Outcome::Failed("the reply was lost".to_owned()),
                false => outcome,
            }
        } else if self.dice.once_in(2) {
            let action = Action::Commit {
                intent,
                transaction,
            };
            return self.later(index, until - self.now, Step::Execute(action));
        } else {
            Outcome::Failed("the database cannot be reached".to_owned())
        };
        let event = Event::Committed {
            intent,
            transaction,
            outcome,
        };
        self.later(index, answer, Step::Deliver(event));
    }

    fn online(&mut self, index: usize, resource: &str, serial: u64, epoch: u64) -> Option<Event> {
        let fails = !self.calm && self.dice.once_in(30);
        let store = self.is_store(resource);
        let result = if fails {
            Err("it did not start".to_owned())
        } else if store && !self.disks.take(resource, epoch) {
            Err("a newer epoch owns the store".to_owned())
        } else {
            Ok(OnlineFacts::default())
        };
        if result.is_err() {
            *self.failures.entry(resource.to_owned()).or_default() += 1;
        } else {
            let until = self.nodes[index].lease_until;
            let run = Running {
                epoch,
                serial,
                until,
            };
            self.nodes[index].running.insert(resource.to_owned(), run);
            self.observe(&Observation::Runs { resource });
        }
        // Sometimes an answer never comes: the pending timeout must end it.
        if !self.calm && self.dice.once_in(60) {
            *self.failures.entry(resource.to_owned()).or_default() += 1;
            return None;
        }
        Some(Event::Online {
            resource: resource.to_owned(),
            serial,
            result,
        })
    }

    fn lease_renewed(&mut self, index: usize, until: std::time::Duration) {
        let node = &mut self.nodes[index];
        node.lease_until = until;
        let running: Vec<String> = node.running.keys().cloned().collect();
        for run in node.running.values_mut() {
            run.until = until;
        }
        for resource in &running {
            self.observe(&Observation::Renewed { resource });
        }
    }

    fn fence(&mut self, session: &Session, evidence: Evidence) -> Event {
        let target = (0..self.nodes.len()).find(|i| name(*i) == session.node);
        let target = target.unwrap();
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

    /// An agent that has given everything away ends its session in order.
    pub fn leave(&mut self, index: usize) {
        let (node, incarnation) = (name(index), self.nodes[index].incarnation.clone());
        let view = &self.database.view;
        if view.session_of(&node, &incarnation).is_some() {
            let departures = view.departures.get(&node).map(|d| d.row.clone());
            let row = departures.unwrap_or_default().left_in_order(&incarnation);
            let writes = vec![
                Write::Delete {
                    key: key("session", &node),
                },
                Write::Put {
                    key: key("departures", &node),
                    value: encode(&row),
                    lease: None,
                },
            ];
            let guards = Vec::new();
            self.database.commit(&Transaction { guards, writes });
            self.notify();
        }
        self.nodes[index].end();
    }
}
