//! The messages of etcd's v3 interface that are needed, as `rpc.proto` numbers their fields.
//!
//! Written by hand: about a dozen, of which most have three fields, against a compiler for `.proto` files
//! and its runtime in every build.

use bytes::Bytes;

use super::protobuf::{Malformed, Reader, Value, Writer};

/// Methods, as HTTP/2 paths.
pub(super) mod method {
    pub(in super::super) const TXN: &str = "/etcdserverpb.KV/Txn";
    pub(in super::super) const DELETE_RANGE: &str = "/etcdserverpb.KV/DeleteRange";
    pub(in super::super) const COMPACT: &str = "/etcdserverpb.KV/Compact";
    pub(in super::super) const WATCH: &str = "/etcdserverpb.Watch/Watch";
    pub(in super::super) const AUTHENTICATE: &str = "/etcdserverpb.Auth/Authenticate";
    pub(in super::super) const STATUS: &str = "/etcdserverpb.Maintenance/Status";
}

/// What precedes every reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) cluster: u64,
    pub(super) member: u64,
    pub(super) revision: u64,
}

/// A reply's header: its first field in all of them.
pub(super) fn header(reply: &Bytes) -> Result<Header, Malformed> {
    let mut header = Header::default();
    let mut reader = Reader::new(reply.clone());
    while let Some((field, value)) = reader.next()? {
        if field == 1 {
            header = Header::read(&value)?;
            break;
        }
    }
    Ok(header)
}

impl Header {
    fn read(value: &Value) -> Result<Self, Malformed> {
        let mut header = Self::default();
        let mut reader = Reader::new(value.bytes()?);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => header.cluster = value.number()?,
                2 => header.member = value.number()?,
                3 => header.revision = value.number()?,
                _ => {}
            }
        }
        Ok(header)
    }
}

/// A key with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyValue {
    pub(super) key: Bytes,
    pub(super) value: Bytes,
    /// The revision that last wrote it.
    pub(super) revision: u64,
    /// How often it was written since it was created.
    pub(super) version: u64,
}

impl KeyValue {
    fn read(value: &Value) -> Result<Self, Malformed> {
        let mut found = Self::default();
        let mut reader = Reader::new(value.bytes()?);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => found.key = value.bytes()?,
                3 => found.revision = value.number()?,
                4 => found.version = value.number()?,
                5 => found.value = value.bytes()?,
                _ => {}
            }
        }
        Ok(found)
    }
}

/// A condition of a transaction.
#[derive(Clone, Debug)]
pub(super) enum Compare {
    /// The key was last written by this revision; 0: it does not exist.
    Revision(Vec<u8>, u64),
    /// The key was written so often since it was created; 0: it does not exist.
    Version(Vec<u8>, u64),
    /// The key exists.
    Exists(Vec<u8>),
    /// The key has this value.
    Value(Vec<u8>, Vec<u8>),
    /// No key from here to there was written after this revision.
    NotAfter(Vec<u8>, Vec<u8>, u64),
}

impl Compare {
    fn write(&self) -> Writer {
        const GREATER: u64 = 1;
        const LESS: u64 = 2;
        const MODIFIED: u64 = 2;
        const VALUE: u64 = 3;
        let compare = Writer::default();
        match self {
            Self::Revision(key, revision) => compare
                .number(2, MODIFIED)
                .bytes(3, key)
                .chosen(6, *revision),
            Self::Version(key, version) => compare.bytes(3, key).chosen(4, *version),
            Self::Exists(key) => compare.number(1, GREATER).bytes(3, key).chosen(4, 0),
            Self::Value(key, value) => compare.number(2, VALUE).bytes(3, key).bytes(7, value),
            Self::NotAfter(from, to, revision) => compare
                .number(1, LESS)
                .number(2, MODIFIED)
                .bytes(3, from)
                .chosen(6, revision.saturating_add(1))
                .bytes(64, to),
        }
    }
}

/// A step of a transaction.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Reads one key.
    Get(Vec<u8>),
    /// Reads the keys from here to there.
    Range(Vec<u8>, Vec<u8>),
    Put(Vec<u8>, Vec<u8>),
    /// Writes the value that is there again: the key gets a new revision.
    Touch(Vec<u8>),
    Delete(Vec<u8>),
    /// A transaction within the transaction.
    Nested(Txn),
}

impl Operation {
    fn write(&self) -> Writer {
        let operation = Writer::default();
        let request = Writer::default();
        match self {
            Self::Get(key) => operation.message(1, &request.bytes(1, key)),
            Self::Range(from, to) => operation.message(1, &request.bytes(1, from).bytes(2, to)),
            Self::Put(key, value) => operation.message(2, &request.bytes(1, key).bytes(2, value)),
            Self::Touch(key) => operation.message(2, &request.bytes(1, key).number(5, 1)),
            Self::Delete(key) => operation.message(3, &request.bytes(1, key)),
            Self::Nested(txn) => operation.message(4, &txn.write()),
        }
    }
}

/// If all of `compare` holds then `success`, else `failure`.
#[derive(Clone, Debug, Default)]
pub(super) struct Txn {
    pub(super) compare: Vec<Compare>,
    pub(super) success: Vec<Operation>,
    pub(super) failure: Vec<Operation>,
}

impl Txn {
    pub(super) fn encode(&self) -> Bytes {
        self.write().finish()
    }

    fn write(&self) -> Writer {
        let mut txn = Writer::default();
        for compare in &self.compare {
            txn = txn.message(1, &compare.write());
        }
        for operation in &self.success {
            txn = txn.message(2, &operation.write());
        }
        for operation in &self.failure {
            txn = txn.message(3, &operation.write());
        }
        txn
    }
}

/// What a transaction did.
#[derive(Clone, Debug, Default)]
pub(super) struct TxnReply {
    pub(super) header: Header,
    pub(super) succeeded: bool,
    /// For each step what it read; empty for those that write.
    pub(super) read: Vec<Vec<KeyValue>>,
}

impl TxnReply {
    pub(super) fn decode(reply: Bytes) -> Result<Self, Malformed> {
        let mut found = Self::default();
        let mut reader = Reader::new(reply);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => found.header = Header::read(&value)?,
                2 => found.succeeded = value.flag()?,
                3 => found.read.push(step(&value)?),
                _ => {}
            }
        }
        Ok(found)
    }

    /// What step `index` read.
    pub(super) fn rows(&self, index: usize) -> &[KeyValue] {
        self.read.get(index).map_or(&[], Vec::as_slice)
    }
}

fn step(value: &Value) -> Result<Vec<KeyValue>, Malformed> {
    let mut rows = Vec::new();
    let mut reader = Reader::new(value.bytes()?);
    while let Some((field, value)) = reader.next()? {
        if field != 1 {
            continue;
        }
        let mut range = Reader::new(value.bytes()?);
        while let Some((field, value)) = range.next()? {
            if field == 2 {
                rows.push(KeyValue::read(&value)?);
            }
        }
    }
    Ok(rows)
}

/// Asks for every change from `revision` on of the keys from here to there.
pub(super) fn watch_create(from: &[u8], to: &[u8], revision: u64) -> Bytes {
    let create = Writer::default()
        .bytes(1, from)
        .bytes(2, to)
        .number(3, revision);
    Writer::default().message(1, &create).finish()
}

/// Asks a watch for a sign of life.
pub(super) fn watch_progress() -> Bytes {
    Writer::default().message(3, &Writer::default()).finish()
}

/// A change, or several of one revision.
#[derive(Clone, Debug, Default)]
pub(super) struct WatchReply {
    pub(super) header: Header,
    pub(super) canceled: bool,
    pub(super) compacted: u64,
    pub(super) reason: String,
    pub(super) events: Vec<Event>,
}

/// One key was written or deleted.
#[derive(Clone, Debug, Default)]
pub(super) struct Event {
    pub(super) deleted: bool,
    pub(super) row: KeyValue,
}

impl WatchReply {
    pub(super) fn decode(reply: Bytes) -> Result<Self, Malformed> {
        let mut found = Self::default();
        let mut reader = Reader::new(reply);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => found.header = Header::read(&value)?,
                4 => found.canceled = value.flag()?,
                5 => found.compacted = value.number()?,
                6 => found.reason = value.text()?,
                11 => found.events.push(Event::read(&value)?),
                _ => {}
            }
        }
        Ok(found)
    }
}

impl Event {
    fn read(value: &Value) -> Result<Self, Malformed> {
        let mut event = Self::default();
        let mut reader = Reader::new(value.bytes()?);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => event.deleted = value.flag()?,
                2 => event.row = KeyValue::read(&value)?,
                _ => {}
            }
        }
        Ok(event)
    }
}

pub(super) fn delete_range(from: &[u8], to: &[u8]) -> Bytes {
    Writer::default().bytes(1, from).bytes(2, to).finish()
}

pub(super) fn compact(revision: u64) -> Bytes {
    Writer::default().number(1, revision).finish()
}

pub(super) fn authenticate(user: &str, password: &str) -> Bytes {
    Writer::default()
        .bytes(1, user.as_bytes())
        .bytes(2, password.as_bytes())
        .finish()
}

/// The token of a reply to [`authenticate`].
pub(super) fn token(reply: Bytes) -> Result<String, Malformed> {
    let mut token = String::new();
    let mut reader = Reader::new(reply);
    while let Some((field, value)) = reader.next()? {
        if field == 2 {
            token = value.text()?;
        }
    }
    Ok(token)
}

/// What a member tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) header: Header,
    pub(super) version: String,
    pub(super) leader: u64,
    pub(super) errors: Vec<String>,
}

impl Status {
    pub(super) fn decode(reply: Bytes) -> Result<Self, Malformed> {
        let mut found = Self::default();
        let mut reader = Reader::new(reply);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => found.header = Header::read(&value)?,
                2 => found.version = value.text()?,
                4 => found.leader = value.number()?,
                8 => found.errors.push(value.text()?),
                _ => {}
            }
        }
        Ok(found)
    }
}
