//! Records of the log: every change of a queue manager's durable state. Drawn in docs/format.md.
//!
//! A record states what *has been decided*, never what was asked: replay does not decide again.

use uuid::Uuid;

use super::codec::{Decoder, Encoder, decode_message, encode_message, malformed};
use super::message::Message;
use super::request::{QueueProperties, RequestId};
use crate::error::Result;

/// Version of the encoding.
const VERSION: u8 = 1;

/// Upper bound of the bytes of a record that carries no message, name or list.
pub(super) const RECORD_BYTES: usize = 96;
/// Bytes of one entry of a list of lookup ids.
pub(super) const LIST_ITEM_BYTES: usize = 12;

/// Whose request caused a record, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The request, so that its outcome is remembered again in replay.
    pub request: RequestId,
    /// Unix milliseconds, never less than in the record before.
    pub time_ms: u64,
}

/// A message that comes into a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The queue's number.
    pub queue: u32,
    /// The place it was given.
    pub lookup_id: u64,
    /// It.
    pub message: Message,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The first record of a store: its GUID for ever.
    Store {
        /// The GUID.
        guid: Uuid,
    },
    /// Numbers below `counter` may have been given to messages that leave no record.
    Reserve {
        /// The bound.
        counter: u64,
    },
    /// A queue was created.
    CreateQueue {
        /// Cause.
        stamp: Stamp,
        /// Its number.
        queue: u32,
        /// Its name.
        name: String,
        /// Its properties.
        properties: QueueProperties,
    },
    /// A queue was deleted with its messages.
    DeleteQueue {
        /// Cause.
        stamp: Stamp,
        /// Its number.
        queue: u32,
    },
    /// A queue was emptied.
    PurgeQueue {
        /// Cause.
        stamp: Stamp,
        /// Its number.
        queue: u32,
        /// Messages that transactions held: they stay, and die when their transaction does not commit.
        held: Vec<u64>,
    },
    /// A message arrived.
    Enqueue {
        /// Cause.
        stamp: Stamp,
        /// It.
        arrival: Arrival,
    },
    /// A message was received.
    Dequeue {
        /// Cause.
        stamp: Stamp,
        /// The queue's number.
        queue: u32,
        /// Which.
        lookup_id: u64,
    },
    /// A transaction committed.
    Transaction {
        /// Cause.
        stamp: Stamp,
        /// What it received: queue and lookup id.
        received: Vec<(u32, u64)>,
        /// What it sent, in order.
        sent: Vec<Arrival>,
    },
}

/// Where a message lies in its record: offset and length.
pub type Part = (u32, u32);

impl Record {
    /// The bytes, and where in them each message lies.
    #[must_use]
    pub fn encode(&self) -> (Vec<u8>, Vec<Part>) {
        let mut to = Encoder::default();
        let mut parts = Vec::new();
        to.u8(VERSION);
        match self {
            Self::Store { guid } => {
                to.u8(1);
                to.uuid(*guid);
            }
            Self::Reserve { counter } => {
                to.u8(2);
                to.u64(*counter);
            }
            Self::CreateQueue {
                stamp,
                queue,
                name,
                properties,
            } => {
                encode_head(&mut to, 3, stamp, *queue);
                to.bytes(name.as_bytes());
                encode_properties(&mut to, properties);
            }
            Self::DeleteQueue { stamp, queue } => encode_head(&mut to, 4, stamp, *queue),
            Self::PurgeQueue { stamp, queue, held } => {
                encode_head(&mut to, 5, stamp, *queue);
                to.count(held.len());
                held.iter().for_each(|id| to.u64(*id));
            }
            Self::Enqueue { stamp, arrival } => {
                to.u8(6);
                encode_stamp(&mut to, stamp);
                encode_arrival(&mut to, &mut parts, arrival);
            }
            Self::Dequeue {
                stamp,
                queue,
                lookup_id,
            } => {
                encode_head(&mut to, 7, stamp, *queue);
                to.u64(*lookup_id);
            }
            Self::Transaction {
                stamp,
                received,
                sent,
            } => {
                to.u8(8);
                encode_stamp(&mut to, stamp);
                to.count(received.len());
                for (queue, lookup_id) in received {
                    to.u32(*queue);
                    to.u64(*lookup_id);
                }
                to.count(sent.len());
                for arrival in sent {
                    encode_arrival(&mut to, &mut parts, arrival);
                }
            }
        }
        (to.0, parts)
    }

    /// Reads what `encode` wrote.
    ///
    /// # Errors
    /// `StoreDamaged` for anything else.
    pub fn decode(bytes: &[u8]) -> Result<(Self, Vec<Part>)> {
        let mut from = Decoder::new(bytes);
        let mut parts = Vec::new();
        if from.u8()? != VERSION {
            return Err(malformed("unknown version"));
        }
        let record = match from.u8()? {
            1 => Self::Store { guid: from.uuid()? },
            2 => Self::Reserve {
                counter: from.u64()?,
            },
            3 => Self::CreateQueue {
                stamp: decode_stamp(&mut from)?,
                queue: from.u32()?,
                name: from.text()?,
                properties: decode_properties(&mut from)?,
            },
            4 => Self::DeleteQueue {
                stamp: decode_stamp(&mut from)?,
                queue: from.u32()?,
            },
            5 => Self::PurgeQueue {
                stamp: decode_stamp(&mut from)?,
                queue: from.u32()?,
                held: {
                    let count = from.count(8)?;
                    (0..count).map(|_| from.u64()).collect::<Result<_>>()?
                },
            },
            6 => Self::Enqueue {
                stamp: decode_stamp(&mut from)?,
                arrival: decode_arrival(&mut from, &mut parts)?,
            },
            7 => Self::Dequeue {
                stamp: decode_stamp(&mut from)?,
                queue: from.u32()?,
                lookup_id: from.u64()?,
            },
            8 => decode_transaction(&mut from, &mut parts)?,
            _ => return Err(malformed("unknown kind")),
        };
        from.end()?;
        Ok((record, parts))
    }
}

fn encode_head(to: &mut Encoder, kind: u8, stamp: &Stamp, queue: u32) {
    to.u8(kind);
    encode_stamp(to, stamp);
    to.u32(queue);
}

fn encode_stamp(to: &mut Encoder, stamp: &Stamp) {
    to.uuid(stamp.request.client);
    to.u64(stamp.request.sequence);
    to.u64(stamp.request.acknowledged);
    to.u64(stamp.time_ms);
}

fn decode_stamp(from: &mut Decoder<'_>) -> Result<Stamp> {
    Ok(Stamp {
        request: RequestId {
            client: from.uuid()?,
            sequence: from.u64()?,
            acknowledged: from.u64()?,
        },
        time_ms: from.u64()?,
    })
}

fn encode_arrival(to: &mut Encoder, parts: &mut Vec<Part>, arrival: &Arrival) {
    to.u32(arrival.queue);
    to.u64(arrival.lookup_id);
    let start = to.0.len();
    encode_message(to, &arrival.message);
    parts.push(part(start, to.0.len()));
}

fn decode_arrival(from: &mut Decoder<'_>, parts: &mut Vec<Part>) -> Result<Arrival> {
    let queue = from.u32()?;
    let lookup_id = from.u64()?;
    let start = from.at();
    let message = decode_message(from, false)?;
    parts.push(part(start, from.at()));
    Ok(Arrival {
        queue,
        lookup_id,
        message,
    })
}

fn part(start: usize, end: usize) -> Part {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (number(start), number(end - start))
}

fn decode_transaction(from: &mut Decoder<'_>, parts: &mut Vec<Part>) -> Result<Record> {
    let stamp = decode_stamp(from)?;
    let count = from.count(12)?;
    let mut received = Vec::with_capacity(count);
    for _ in 0..count {
        received.push((from.u32()?, from.u64()?));
    }
    let count = from.count(12)?;
    let mut sent = Vec::with_capacity(count);
    for _ in 0..count {
        sent.push(decode_arrival(from, parts)?);
    }
    Ok(Record::Transaction {
        stamp,
        received,
        sent,
    })
}

pub(super) fn encode_properties(to: &mut Encoder, properties: &QueueProperties) {
    to.u8(u8::from(properties.transactional));
    to.bytes(properties.label.as_bytes());
}

pub(super) fn decode_properties(from: &mut Decoder<'_>) -> Result<QueueProperties> {
    Ok(QueueProperties {
        transactional: from.u8()? == 1,
        label: from.text()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
        let stamp = Stamp {
            request: RequestId {
                client: Uuid::from_u128(9),
                sequence: 4,
                acknowledged: 3,
            },
            time_ms: 77,
        };
        let arrival = Arrival {
            queue: 1,
            lookup_id: 5,
            message: Message::new("body"),
        };
        vec![
            Record::Store {
                guid: Uuid::from_u128(1),
            },
            Record::Reserve { counter: 8 },
            Record::CreateQueue {
                stamp,
                queue: 1,
                name: "q".into(),
                properties: QueueProperties {
                    transactional: true,
                    label: "l".into(),
                },
            },
            Record::DeleteQueue { stamp, queue: 1 },
            Record::PurgeQueue {
                stamp,
                queue: 1,
                held: vec![1, 2],
            },
            Record::Enqueue {
                stamp,
                arrival: arrival.clone(),
            },
            Record::Dequeue {
                stamp,
                queue: 1,
                lookup_id: 5,
            },
            Record::Transaction {
                stamp,
                received: vec![(1, 2)],
                sent: vec![arrival.clone(), arrival],
            },
        ]
    }

    #[test]
    fn every_record_comes_back_and_its_messages_can_be_read_alone() {
        for record in records() {
            let (bytes, parts) = record.encode();
            assert_eq!(Record::decode(&bytes).unwrap(), (record, parts.clone()));
            for (offset, length) in parts {
                let (offset, length) = (offset as usize, length as usize);
                let mut from = Decoder::new(&bytes[offset..offset + length]);
                assert_eq!(
                    decode_message(&mut from, true).unwrap(),
                    Message::new("body")
                );
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for record in records() {
            let (bytes, _) = record.encode();
            for at in 0..bytes.len() {
                assert!(Record::decode(&bytes[..at]).is_err());
                for flip in [1, 0x80, 0xff] {
                    let mut bad = bytes.clone();
                    bad[at] ^= flip;
                    drop(Record::decode(&bad));
                }
            }
        }
    }
}
