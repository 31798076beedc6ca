//! One node: its agent's engine, its clock, and what runs on it.

use std::collections::BTreeMap;
use std::time::Duration;

use hamq_core::cluster::engine::{Action, Engine, Event, Settings};

use crate::clock::NodeClock;
use crate::disk::Running;

/// The lease of a session.
pub const TTL: u64 = 2_000;
/// Heartbeats missed for so long are evidence.
pub const SILENCE: u64 = 1_500;

pub fn name(index: usize) -> String {
    format!("n{}", index + 1)
}

/// What is to happen, to a node in one of its processes.
pub enum Step {
    Deliver(Event),
    Read,
    Renew(u64),
    Register,
    Execute(Action),
    /// Looks whether another node is still silent.
    Listen {
        about: usize,
        incarnation: String,
    },
    Leave,
}

pub struct Node {
    pub engine: Engine,
    pub clock: NodeClock,
    /// Counts its processes: what was meant for an earlier one is lost.
    pub process: u64,
    pub alive: bool,
    pub frozen_until: u64,
    /// It does not reach the database until then.
    pub cut_until: u64,
    pub incarnation: String,
    pub lease: u64,
    pub tick_at: u64,
    /// The last order that was given is carried out then.
    pub busy_until: u64,
    /// A read is on its way.
    pub told: bool,
    /// Until when queue managers may acknowledge by their deadline.
    pub lease_until: Duration,
    pub running: BTreeMap<String, Running>,
}

impl Node {
    pub fn new(index: usize, clock: NodeClock) -> Self {
        Self {
            engine: engine(index, &clock),
            clock,
            process: 0,
            alive: false,
            frozen_until: 0,
            cut_until: 0,
            incarnation: String::new(),
            lease: 0,
            tick_at: 0,
            busy_until: 0,
            told: false,
            lease_until: Duration::ZERO,
            running: BTreeMap::new(),
        }
    }

    /// A new process of its agent.
    pub fn boot(&mut self, index: usize) {
        self.process += 1;
        self.alive = true;
        self.frozen_until = 0;
        self.tick_at = 0;
        self.told = false;
        self.lease_until = Duration::ZERO;
        self.engine = engine(index, &self.clock);
    }

    /// Its process ends, and all that it runs with it.
    pub fn end(&mut self) {
        self.alive = false;
        self.process += 1;
        self.running.clear();
    }
}

fn engine(index: usize, clock: &NodeClock) -> Engine {
    Engine::new(Settings {
        node: name(index),
        boot_id: clock.boot_id.clone(),
        lease_ttl: Duration::from_millis(TTL),
        failback_delay: Duration::from_millis(500),
    })
}
