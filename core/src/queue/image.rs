//! The state as bytes, for a snapshot. Drawn in docs/format.md.
//!
//! Express messages and what is open are left out: they end with the process.

use std::collections::BTreeMap;

use super::change::Effect;
use super::change_codec::{kind_number, kind_of};
use super::codec::{Decoder, Encoder, malformed};
use super::entry_codec;
use super::index::Index;
use super::keys::Keys;
use super::outcome::{Client, Delivered, Outcome};
use super::property_codec::{
    decode_access, decode_machine, decode_properties, encode_access, encode_machine,
    encode_properties,
};
use super::request::{BodyId, BranchId, QueueStatus};
use super::state::{State, Upload, key};
use super::stored_queue::{Delayed, Holder, Locked, Queue};
use super::transaction::PreparedTransaction;
use crate::error::Result;

const VERSION: u8 = 2;

impl State {
    /// The durable part of the state.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut to = Encoder(&mut bytes);
        to.u8(VERSION);
        to.uuid(self.guid);
        to.varint(self.counter);
        to.varint(self.reserved);
        to.varint(self.next_queue.into());
        to.varint(self.time_ms);
        encode_machine(&mut to, &self.machine);
        encode_access(&mut to, &self.access);
        to.count(self.principals.len() - 1);
        self.principals
            .iter()
            .skip(1)
            .for_each(|name| to.text(name));
        to.count(self.queues.len());
        self.queues.values().for_each(|q| encode_queue(&mut to, q));
        to.count(self.prepared.len());
        for prepared in self.prepared.values() {
            encode_prepared(&mut to, prepared);
        }
        to.count(self.uploads.len());
        for ((client, body), upload) in &self.uploads {
            to.uuid(*client);
            to.varint(body.0);
            to.varint(upload.bytes);
            to.count(upload.parts.len());
            for part in &upload.parts {
                entry_codec::encode_position(&mut to, *part);
            }
        }
        to.count(self.outcomes.clients().len());
        for (id, client) in self.outcomes.clients() {
            to.uuid(*id);
            encode_client(&mut to, client);
        }
        bytes
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
            counter: from.varint()?,
            reserved: from.varint()?,
            next_queue: from.varint32()?,
            time_ms: from.varint()?,
            machine: decode_machine(&mut from)?,
            access: decode_access(&mut from)?,
            queues: BTreeMap::new(),
            names: BTreeMap::new(),
            ..Self::default()
        };
        for number in 1..=from.count(1)? {
            let number = u16::try_from(number).map_err(|_| malformed("too many senders"))?;
            let name = from.text()?;
            state.name_principal(number, &name);
        }
        for _ in 0..from.count(8)? {
            let queue = decode_queue(&mut from)?;
            state.restore_queue(queue);
        }
        for _ in 0..from.count(3)? {
            let mut prepared = decode_prepared(&mut from)?;
            prepared.staged = state.staged_by(&prepared.effects);
            for (queue, bytes) in &prepared.staged {
                state.usage.stage(*queue, *bytes);
            }
            for place in prepared
                .effects
                .iter()
                .flat_map(super::apply::stored_places)
            {
                state.hold_place(place);
            }
            state.prepared.insert(prepared.branch.clone(), prepared);
        }
        for _ in 0..from.count(19)? {
            let (client, body) = (from.uuid()?, BodyId(from.varint()?));
            let upload = decode_upload(&mut from)?;
            upload.parts.iter().for_each(|part| state.hold_place(*part));
            state.uploads.insert((client, body), upload);
        }
        for _ in 0..from.count(20)? {
            let id = from.uuid()?;
            let client = decode_client(&mut from)?;
            for delivered in client.outcomes.values().flat_map(Outcome::delivered) {
                state.hold(&delivered.entry);
            }
            state.outcomes.restore(id, client);
        }
        from.end()?;
        Ok(state)
    }

    fn restore_queue(&mut self, queue: Queue) {
        self.usage.add(queue.number, queue.bytes());
        for (segment, uses) in queue.index.uses() {
            *self.in_use.entry(segment).or_default() += uses;
        }
        for locked in queue.locked.values() {
            self.hold(&locked.entry);
        }
        for (lookup_id, delayed) in &queue.delayed {
            self.hold(&delayed.entry);
            self.due.insert((delayed.due_ms, queue.number, *lookup_id));
        }
        if let Some(next) = queue.index.next_expiry_ms() {
            self.expiries.insert((next, queue.number));
        }
        self.names.insert(key(&queue.name), queue.number);
        self.queues.insert(queue.number, queue);
    }
}

const LOCKED_AVAILABLE: u8 = 0;
const LOCKED_PURGED: u8 = 1;
const LOCKED_BY_BRANCH: u8 = 2;

fn encode_queue(to: &mut Encoder<'_>, queue: &Queue) {
    to.varint(queue.number.into());
    to.text(&queue.name);
    to.u8(kind_number(queue.kind));
    encode_properties(to, &queue.properties);
    encode_access(to, &queue.access);
    to.varint(queue.created_ms);
    to.varint(queue.modified_ms);
    to.u64(queue.faulted.unwrap_or_default());
    queue.keys.encode(to);
    queue.index.encode(to);
    let locked = || queue.locked.iter().filter(|l| !l.1.entry.express);
    to.count(locked().count());
    for (lookup_id, locked) in locked() {
        to.u64(*lookup_id);
        match (&locked.by, locked.purged) {
            (Holder::Branch(branch), purged) => {
                to.u8(LOCKED_BY_BRANCH | u8::from(purged));
                to.bytes(&branch.0);
            }
            (_, true) => to.u8(LOCKED_PURGED),
            (_, false) => to.u8(LOCKED_AVAILABLE),
        }
        entry_codec::encode(to, &locked.entry);
    }
    let delayed = || queue.delayed.iter().filter(|d| !d.1.entry.express);
    to.count(delayed().count());
    for (lookup_id, delayed) in delayed() {
        to.u64(*lookup_id);
        to.varint(delayed.due_ms);
        entry_codec::encode(to, &delayed.entry);
    }
}

fn decode_queue(from: &mut Decoder<'_>) -> Result<Queue> {
    let number = from.varint32()?;
    let name = from.text()?;
    let kind = kind_of(from.u8()?)?;
    let mut queue = Queue::new(number, name, kind, 0);
    queue.properties = decode_properties(from)?;
    queue.access = decode_access(from)?;
    queue.created_ms = from.varint()?;
    queue.modified_ms = from.varint()?;
    queue.faulted = Some(from.u64()?).filter(|id| *id != 0);
    queue.keys = Keys::decode(from)?;
    queue.index = Index::decode(from)?;
    for _ in 0..from.count(12)? {
        let lookup_id = from.u64()?;
        let how = from.u8()?;
        let by = match how {
            LOCKED_AVAILABLE | LOCKED_PURGED => Holder::Nobody,
            2 | 3 => Holder::Branch(BranchId(from.bytes()?.to_vec())),
            _ => return Err(malformed("unknown holder")),
        };
        let locked = Locked {
            entry: entry_codec::decode(from)?,
            by,
            purged: how & LOCKED_PURGED != 0,
        };
        queue.restore_locked(lookup_id, locked);
    }
    for _ in 0..from.count(12)? {
        let lookup_id = from.u64()?;
        let due_ms = from.varint()?;
        let entry = entry_codec::decode(from)?;
        queue.restore_delayed(lookup_id, Delayed { entry, due_ms });
    }
    Ok(queue)
}

/// A prepared transaction is written as the effect that made it; its contents are in the log.
fn encode_prepared(to: &mut Encoder<'_>, prepared: &PreparedTransaction) {
    let effect = Effect::Prepare {
        branch: prepared.branch.clone(),
        taken: prepared.taken.clone(),
        effects: prepared.effects.clone(),
    };
    let mut bytes = Vec::new();
    super::change_codec::encode_one(&mut bytes, &effect);
    to.bytes(&bytes);
}

fn decode_prepared(from: &mut Decoder<'_>) -> Result<PreparedTransaction> {
    match super::change_codec::decode_one(from.bytes()?)? {
        Effect::Prepare {
            branch,
            taken,
            effects,
        } => Ok(PreparedTransaction {
            branch,
            taken,
            effects,
            staged: BTreeMap::new(),
        }),
        _ => Err(malformed("a prepared transaction that is none")),
    }
}

fn decode_upload(from: &mut Decoder<'_>) -> Result<Upload> {
    let bytes = from.varint()?;
    let count = from.count(3)?;
    let parts = (0..count).map(|_| entry_codec::decode_position(from));
    Ok(Upload {
        parts: parts.collect::<Result<_>>()?,
        bytes,
    })
}

fn encode_client(to: &mut Encoder<'_>, client: &Client) {
    to.varint(client.number.into());
    to.varint(client.floor);
    to.varint(client.last_ms);
    to.count(client.outcomes.len());
    for (sequence, outcome) in &client.outcomes {
        to.varint(*sequence);
        encode_outcome(to, outcome);
    }
}

fn decode_client(from: &mut Decoder<'_>) -> Result<Client> {
    let mut client = Client {
        number: from.varint32()?,
        floor: from.varint()?,
        last_ms: from.varint()?,
        ..Client::default()
    };
    for _ in 0..from.count(2)? {
        let sequence = from.varint()?;
        client.outcomes.insert(sequence, decode_outcome(from)?);
    }
    Ok(client)
}

fn encode_outcome(to: &mut Encoder<'_>, outcome: &Outcome) {
    match outcome {
        // What is staged is never remembered durably.
        Outcome::Done | Outcome::Staged => to.u8(0),
        Outcome::Sent(lookup_id) => {
            to.u8(1);
            to.u64(*lookup_id);
        }
        Outcome::Queue(status) => {
            to.u8(2);
            encode_status(to, status);
        }
        Outcome::Message(delivered) => {
            to.u8(3);
            encode_delivered(to, delivered);
        }
        Outcome::Messages(all) => {
            to.u8(4);
            // An express one is gone with the process.
            let durable = || all.iter().filter(|delivered| !delivered.entry.express);
            to.count(durable().count());
            durable().for_each(|delivered| encode_delivered(to, delivered));
        }
    }
}

fn decode_outcome(from: &mut Decoder<'_>) -> Result<Outcome> {
    Ok(match from.u8()? {
        0 => Outcome::Done,
        1 => Outcome::Sent(from.u64()?),
        2 => Outcome::Queue(Box::new(decode_status(from)?)),
        3 => Outcome::Message(Box::new(decode_delivered(from)?)),
        4 => {
            let count = from.count(12)?;
            let all = (0..count).map(|_| decode_delivered(from));
            Outcome::Messages(all.collect::<Result<_>>()?)
        }
        _ => return Err(malformed("unknown outcome in the snapshot")),
    })
}

fn encode_delivered(to: &mut Encoder<'_>, delivered: &Delivered) {
    to.varint(delivered.queue.into());
    to.u64(delivered.lookup_id);
    entry_codec::encode(to, &delivered.entry);
}

fn decode_delivered(from: &mut Decoder<'_>) -> Result<Delivered> {
    Ok(Delivered {
        queue: from.varint32()?,
        lookup_id: from.u64()?,
        entry: entry_codec::decode(from)?,
        lease: 0,
    })
}

fn encode_status(to: &mut Encoder<'_>, status: &QueueStatus) {
    to.text(&status.name);
    to.u8(kind_number(status.kind));
    to.varint(status.number.into());
    encode_properties(to, &status.properties);
    for number in [
        status.message_count,
        status.bytes_in_queue,
        status.locked_count,
        status.delayed_count,
        status.journal_message_count,
        status.bytes_in_journal,
        status.created_ms,
        status.modified_ms,
        status.faulted.unwrap_or_default(),
    ] {
        to.varint(number);
    }
}

fn decode_status(from: &mut Decoder<'_>) -> Result<QueueStatus> {
    Ok(QueueStatus {
        name: from.text()?,
        kind: kind_of(from.u8()?)?,
        number: from.varint32()?,
        properties: decode_properties(from)?,
        message_count: from.varint()?,
        bytes_in_queue: from.varint()?,
        locked_count: from.varint()?,
        delayed_count: from.varint()?,
        journal_message_count: from.varint()?,
        bytes_in_journal: from.varint()?,
        created_ms: from.varint()?,
        modified_ms: from.varint()?,
        faulted: Some(from.varint()?).filter(|id| *id != 0),
    })
}
