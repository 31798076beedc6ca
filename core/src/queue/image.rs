//! The state as bytes, for a snapshot. Drawn in docs/format.md.
//!
//! Express messages and what is open are left out: they end with the process.

use std::collections::BTreeMap;

use super::codec::{Decoder, Encoder, malformed};
use super::entry::{Body, Entry, Queue};
use super::outcome::{Client, Delivered, Outcome};
use super::record::{decode_properties, encode_properties};
use super::request::QueueStatus;
use super::state::{State, key};
use crate::error::Result;
use crate::log::Position;

const VERSION: u8 = 1;

impl State {
    /// The durable part of the state.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::default();
        to.u8(VERSION);
        to.uuid(self.guid);
        to.u64(self.counter);
        to.u64(self.reserved);
        to.u32(self.next_queue);
        to.u64(self.time_ms);
        to.count(self.queues.len());
        for (number, queue) in &self.queues {
            to.u32(*number);
            encode_queue(&mut to, queue);
        }
        to.count(self.outcomes.clients().len());
        for (id, client) in self.outcomes.clients() {
            to.uuid(*id);
            to.u64(client.floor);
            to.u64(client.last_ms);
            to.count(client.outcomes.len());
            for (sequence, outcome) in &client.outcomes {
                to.u64(*sequence);
                encode_outcome(&mut to, outcome);
            }
        }
        to.0
    }

    /// Reads what `encode` wrote.
    ///
    /// # Errors
    /// `StoreDamaged`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Decoder::new(bytes);
        if from.u8()? != VERSION {
            return Err(malformed("unknown version of the snapshot"));
        }
        let mut state = Self {
            guid: from.uuid()?,
            counter: from.u64()?,
            reserved: from.u64()?,
            next_queue: from.u32()?,
            time_ms: from.u64()?,
            ..Self::default()
        };
        for _ in 0..from.count(4)? {
            let number = from.u32()?;
            let queue = decode_queue(&mut from)?;
            for entry in queue
                .available
                .values()
                .chain(queue.locked.values().map(|l| &l.entry))
            {
                state.hold(&entry.body);
            }
            state.names.insert(key(&queue.name), number);
            state.queues.insert(number, queue);
        }
        for _ in 0..from.count(36)? {
            let id = from.uuid()?;
            let client = decode_client(&mut from)?;
            for outcome in client.outcomes.values() {
                if let Outcome::Message(delivered) = outcome {
                    state.hold(&delivered.body);
                }
            }
            state.outcomes.restore(id, client);
        }
        from.end()?;
        Ok(state)
    }
}

fn encode_queue(to: &mut Encoder, queue: &Queue) {
    to.bytes(queue.name.as_bytes());
    encode_properties(to, &queue.properties);
    to.u64(queue.created_ms);
    let open = queue.available.iter().map(|(id, e)| (id, e, false));
    let held = queue.locked.iter().map(|(id, l)| (id, &l.entry, l.purged));
    let all = open.chain(held);
    let all: Vec<_> = all.filter(|e| matches!(e.1.body, Body::Log(_))).collect();
    to.count(all.len());
    for (lookup_id, entry, purged) in all {
        to.u64(*lookup_id);
        to.u64(entry.arrived_ms);
        to.u32(entry.body_bytes);
        to.u8(u8::from(purged));
        encode_body(to, &entry.body);
    }
}

fn decode_queue(from: &mut Decoder<'_>) -> Result<Queue> {
    let name = from.text()?;
    let properties = decode_properties(from)?;
    let mut queue = Queue::new(name, properties, from.u64()?);
    for _ in 0..from.count(33)? {
        let lookup_id = from.u64()?;
        let arrived_ms = from.u64()?;
        let body_bytes = from.u32()?;
        let purged = from.u8()? == 1;
        let entry = Entry {
            body: decode_body(from)?,
            arrived_ms,
            body_bytes,
        };
        queue.insert(lookup_id, entry);
        if purged {
            queue.lock(lookup_id, None);
            if let Some(locked) = queue.locked.get_mut(&lookup_id) {
                locked.purged = true;
            }
        }
    }
    Ok(queue)
}

fn encode_body(to: &mut Encoder, body: &Body) {
    let position = match body {
        Body::Log(position) => *position,
        Body::Memory(_) => Position::default(),
    };
    to.u32(position.segment);
    to.u32(position.offset);
    to.u32(position.length);
}

fn decode_body(from: &mut Decoder<'_>) -> Result<Body> {
    Ok(Body::Log(Position {
        segment: from.u32()?,
        offset: from.u32()?,
        length: from.u32()?,
    }))
}

fn decode_client(from: &mut Decoder<'_>) -> Result<Client> {
    let floor = from.u64()?;
    let last_ms = from.u64()?;
    let mut outcomes = BTreeMap::new();
    for _ in 0..from.count(9)? {
        outcomes.insert(from.u64()?, decode_outcome(from)?);
    }
    Ok(Client {
        floor,
        last_ms,
        outcomes,
    })
}

fn encode_outcome(to: &mut Encoder, outcome: &Outcome) {
    match outcome {
        // What is staged or begun is never remembered durably.
        Outcome::Done | Outcome::Staged | Outcome::Began(_) => to.u8(0),
        Outcome::Sent(lookup_id) => {
            to.u8(1);
            to.u64(*lookup_id);
        }
        Outcome::Queue(status) => {
            to.u8(2);
            to.bytes(status.name.as_bytes());
            encode_properties(to, &status.properties);
            to.u64(status.message_count);
            to.u64(status.bytes_in_queue);
            to.u64(status.locked_count);
            to.u64(status.created_ms);
        }
        Outcome::Message(delivered) => {
            to.u8(3);
            to.u64(delivered.lookup_id);
            to.u64(delivered.arrived_ms);
            encode_body(to, &delivered.body);
        }
    }
}

fn decode_outcome(from: &mut Decoder<'_>) -> Result<Outcome> {
    Ok(match from.u8()? {
        0 => Outcome::Done,
        1 => Outcome::Sent(from.u64()?),
        2 => Outcome::Queue(QueueStatus {
            name: from.text()?,
            properties: decode_properties(from)?,
            message_count: from.u64()?,
            bytes_in_queue: from.u64()?,
            locked_count: from.u64()?,
            created_ms: from.u64()?,
        }),
        3 => Outcome::Message(Delivered {
            lookup_id: from.u64()?,
            arrived_ms: from.u64()?,
            body: decode_body(from)?,
        }),
        _ => return Err(malformed("unknown outcome in the snapshot")),
    })
}
