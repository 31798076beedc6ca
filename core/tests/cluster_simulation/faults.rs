//! What goes wrong: processes, machines, links, the database, clocks, resources.

use hamq_core::cluster::engine::{Event, Evidence};

use crate::clock::NodeClock;
use crate::node::{SILENCE, Step, TTL, name};
use crate::world::World;

impl World {
    /// Something bad happens, or an operator does something.
    pub fn disturb(&mut self) {
        let index = self.dice.index(self.nodes.len());
        let length = 200 + self.dice.roll(3 * TTL);
        match self.dice.roll(20) {
            0 | 1 => self.crash(index),
            2 | 3 => self.start(index),
            4 | 5 => self.freeze(index, length),
            6 => {
                self.nodes[index].cut_until = self.now + length;
                if self.dice.once_in(2) {
                    self.isolate(index, length); // the whole network, not only the database
                }
            }
            7 => self.isolate(index, length),
            8 => {
                let other = self.dice.index(self.nodes.len());
                self.cut(index, other, length);
            }
            9 => self.outage(length),
            10 => self.nodes[index].clock.wall_offset += self.dice.roll(80_000_000),
            11..=13 => self.break_resource(index),
            _ => self.operate(index),
        }
    }

    pub fn crash(&mut self, index: usize) {
        if !self.nodes[index].alive {
            return;
        }
        let incarnation = self.nodes[index].incarnation.clone();
        self.nodes[index].end();
        for peer in self.peers(index) {
            let delay = 1 + self.dice.delay();
            if self.network.hears(index, peer, self.now) {
                let event = Event::Evidence {
                    node: name(index),
                    incarnation: incarnation.clone(),
                    evidence: Evidence::Closed,
                };
                self.later(peer, delay, Step::Deliver(event));
            } else {
                self.miss(index, peer, SILENCE);
            }
        }
    }

    /// An agent that is down starts; on a machine of its own the machine may have been restarted.
    pub fn start(&mut self, index: usize) {
        if self.nodes[index].alive {
            return;
        }
        if !self.one_machine && self.dice.once_in(2) {
            let process = self.nodes[index].process;
            let rate = 9_800 + self.dice.roll(400);
            let wall = self.nodes[index].clock.wall_offset;
            let boot_id = format!("k{index}.{process}");
            self.nodes[index].clock = NodeClock::new(boot_id, self.now, 300, rate);
            self.nodes[index].clock.wall_offset = wall;
        }
        self.boot(index);
    }

    fn freeze(&mut self, index: usize, length: u64) {
        // What it was to do meanwhile is done at its end, in order: no freeze is ever cut short.
        let node = &mut self.nodes[index];
        node.frozen_until = node.frozen_until.max(self.now + length);
        // What is on its way may run out of time by it.
        for resource in self.database.view.resources.keys() {
            *self.failures.entry(resource.clone()).or_default() += 1;
        }
        for peer in self.peers(index) {
            self.fall_silent(index, peer, length);
        }
    }

    /// No other node hears it, and it hears no other.
    fn isolate(&mut self, index: usize, length: u64) {
        for peer in self.peers(index) {
            self.cut(index, peer, length);
            self.cut(peer, index, length);
        }
    }

    /// One direction of a link.
    fn cut(&mut self, from: usize, to: usize, length: u64) {
        if from != to {
            self.network.cut(from, to, self.now + length);
            self.fall_silent(from, to, length);
        }
    }

    fn fall_silent(&mut self, about: usize, peer: usize, length: u64) {
        if length > SILENCE {
            self.miss(about, peer, SILENCE);
        }
        self.miss(about, peer, length + 50);
    }

    fn miss(&mut self, about: usize, peer: usize, after: u64) {
        if !self.nodes[peer].alive {
            return;
        }
        let incarnation = self.nodes[about].incarnation.clone();
        let delay = after + self.dice.delay();
        self.later(peer, delay, Step::Listen { about, incarnation });
    }

    fn outage(&mut self, length: u64) {
        self.database.outage_until = self.now + length;
        if self.dice.once_in(2) {
            self.database.refresh(self.now + length + TTL);
        }
    }

    fn break_resource(&mut self, index: usize) {
        let running: Vec<_> = self.nodes[index].running.clone().into_iter().collect();
        if running.is_empty() {
            return;
        }
        let (resource, run) = running[self.dice.index(running.len())].clone();
        *self.failures.entry(resource.clone()).or_default() += 1;
        let event = Event::Failed {
            resource,
            serial: run.serial,
            reason: "it broke".to_owned(),
        };
        self.later(index, 1, Step::Deliver(event));
    }

    fn peers(&self, index: usize) -> Vec<usize> {
        (0..self.nodes.len()).filter(|p| *p != index).collect()
    }

    /// Everything is well again; then all must come to where it is meant to be.
    pub fn heal(&mut self) {
        self.calm = true;
        self.network.heal();
        self.database.outage_until = 0;
        for node in &mut self.nodes {
            node.cut_until = 0;
        }
        let thawed = self.nodes.iter().map(|node| node.frozen_until).max();
        self.run_for(thawed.unwrap_or_default().saturating_sub(self.now));
        self.put_in_order();
        for round in 0..3 {
            // A node that was fenced or stopped meanwhile is started again.
            for index in 0..self.nodes.len() {
                self.start(index);
                for peer in self.peers(index) {
                    self.miss(index, peer, 10);
                }
            }
            self.run_for(if round == 0 { 6_000 } else { 4_000 });
        }
    }
}
