//! `hamq store dump`: every intact record as one line of JSON, and the gaps between them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::survey::decode;
use crate::error::{Error, Result};
use crate::log::inspect::{self, Salvaged};
use crate::queue::change::{Arrival, Change, Content, Effect, Stamp};
use crate::queue::checkpoint::is_page;
use crate::queue::message::PRIORITY_MAX;
use crate::queue::state::State;
use crate::sys::disk::Disk;

/// Writes the records of a store; with `bodies` their bodies too, in hexadecimal. Reads only.
///
/// # Errors
/// When the folder cannot be read, or nobody reads the output.
pub fn dump(disk: &Arc<dyn Disk>, bodies: bool, out: &mut dyn Write) -> Result<()> {
    let failed = |e: io::Error| Error::system("write the records", &e);
    let mut clients = BTreeMap::new();
    if let Some((at, payload)) = inspect::newest_snapshot(disk)? {
        if let Ok(state) = State::decode(&payload) {
            let known = state.outcomes.clients();
            clients.extend(known.map(|(id, client)| (client.number, *id)));
        }
        let line = json!({"snapshot": {"segment": at.segment, "offset": at.offset, "bytes": payload.len()}});
        writeln!(out, "{line}").map_err(failed)?;
    }
    for item in inspect::salvage(disk)? {
        let line = match item {
            Salvaged::Gap(damage) => {
                json!({"gap": {"file": damage.file, "offset": damage.offset, "what": format!("{:?}", damage.kind)}})
            }
            Salvaged::Record(place, bytes) => {
                let mut line = json!({"segment": place.segment, "offset": place.offset, "length": place.length});
                line["record"] = record(&mut clients, &bytes, bodies);
                line
            }
        };
        writeln!(out, "{line}").map_err(failed)?;
    }
    out.flush().map_err(failed)
}

fn record(clients: &mut BTreeMap<u32, Uuid>, bytes: &[u8], bodies: bool) -> Value {
    if is_page(bytes) {
        return json!({"page": bytes.len() - 1});
    }
    match decode(clients, bytes) {
        Err(error) => json!({"malformed": error.message}),
        Ok((change, _)) => {
            for effect in &change.effects {
                if let Effect::Client { number, client } = effect {
                    clients.insert(*number, *client);
                }
            }
            self::change(&change, bodies)
        }
    }
}

fn change(change: &Change, bodies: bool) -> Value {
    let Stamp { request, time_ms } = &change.stamp;
    let request = request.map(|r| json!({"client": r.client, "sequence": r.sequence}));
    let effects: Vec<Value> = change.effects.iter().map(|e| effect(e, bodies)).collect();
    json!({"time_ms": time_ms, "request": request, "tell": format!("{:?}", change.tell), "effects": effects})
}

fn effect(effect: &Effect, bodies: bool) -> Value {
    match effect {
        Effect::Arrive(arrival) => json!({"Arrive": arrive(arrival, bodies)}),
        Effect::Prepare {
            branch,
            taken,
            effects,
        } => {
            let effects: Vec<Value> = effects.iter().map(|e| self::effect(e, bodies)).collect();
            json!({"Prepare": {"branch": hex(&branch.0), "taken": taken, "effects": effects}})
        }
        Effect::Resolved { branch } => json!({"Resolved": {"branch": hex(&branch.0)}}),
        Effect::Part {
            client,
            body,
            bytes,
        } => {
            json!({"Part": {"client": client, "body": body, "content": content(bytes, bodies)}})
        }
        Effect::Relocate {
            queue,
            lookup_id,
            part,
            bytes,
        } => {
            json!({"Relocate": {"queue": queue, "lookup_id": lookup_id, "part": part, "content": content(bytes, bodies)}})
        }
        Effect::Leave { queue, lookup_id } => {
            json!({"Leave": {"queue": queue, "lookup_id": lookup_id}})
        }
        Effect::Copy {
            queue,
            lookup_id,
            to,
            class,
        } => {
            json!({"Copy": {"queue": queue, "lookup_id": lookup_id, "to": to, "class": class}})
        }
        Effect::Move {
            queue,
            lookup_id,
            to,
            ..
        } => json!({"Move": {"queue": queue, "lookup_id": lookup_id, "to": to}}),
        // The rest is short and says itself.
        other => Value::String(format!("{other:?}")),
    }
}

fn arrive(arrival: &Arrival, bodies: bool) -> Value {
    let mut value = json!({
        "queue": arrival.queue,
        "lookup_id": arrival.lookup_id,
        "priority": u64::from(PRIORITY_MAX).saturating_sub(arrival.lookup_id >> 56),
        "body_bytes": arrival.body_bytes,
        "sender": arrival.sender,
        "expires_ms": arrival.expires_ms,
        "due_ms": arrival.due_ms,
        "class": arrival.class,
        "parts": arrival.parts.len(),
        "key": hex(&arrival.key),
    });
    match &arrival.content {
        Content::New(encoded) => {
            value["label"] = encoded.label().map_or(Value::Null, |label| json!(label));
            value["content"] = content(encoded.as_bytes(), false);
            if bodies {
                value["body"] = json!(hex(encoded.body()));
            }
        }
        Content::Stored(at) => {
            value["stored"] =
                json!({"segment": at.segment, "offset": at.offset, "length": at.length});
        }
    }
    value
}

fn content(bytes: &[u8], bodies: bool) -> Value {
    match bodies {
        true => json!({"bytes": bytes.len(), "body": hex(bytes)}),
        false => json!({"bytes": bytes.len()}),
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}
