//! Where things lie in etcd, under the prefix that the location names, and what their values look like.
//! `docs/format.md` draws them.
//!
//! ```text
//!  PREFIX/k:<key>       an entry        format, lease (0: none), value
//!  PREFIX/l:<lease>     a lease         format, time to live, its last renewal
//!  PREFIX/m:<h>:<slot>  a marker        what became of the last commit of this slot of this handle
//!  PREFIX/meta          the format, or where everything has moved
//!  PREFIX/compacted     who compacts
//!  PREFIX/nothing       never exists
//! ```

use std::time::Duration;

use super::super::{Entry, LeaseId};
use super::message::KeyValue;

/// The first byte of an entry and of a lease.
const FORMAT: u8 = 1;
/// The value of `meta` while the database lives here.
pub(super) const META_LIVING: &[u8] = b"hamq 1";
const META_MOVED: &[u8] = b"moved ";
const LEASE_HEX_DIGITS: usize = 16;

/// The keys under one prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    root: Vec<u8>,
}

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Entry,
    Lease(LeaseId),
    Other,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        let root = format!("{}/", prefix.trim_end_matches('/')).into_bytes();
        Self { root }
    }

    fn under(&self, rest: &[u8]) -> Vec<u8> {
        [self.root.as_slice(), rest].concat()
    }

    pub(super) fn entry(&self, key: &str) -> Vec<u8> {
        [self.root.as_slice(), b"k:", key.as_bytes()].concat()
    }

    pub(super) fn lease(&self, lease: LeaseId) -> Vec<u8> {
        self.under(format!("l:{:016x}", lease.0).as_bytes())
    }

    pub(super) fn marker(&self, handle: &str, slot: usize) -> Vec<u8> {
        self.under(format!("m:{handle}:{slot}").as_bytes())
    }

    pub(super) fn meta(&self) -> Vec<u8> {
        self.under(b"meta")
    }

    pub(super) fn compacted(&self) -> Vec<u8> {
        self.under(b"compacted")
    }

    /// A key that is never written: deleting it makes a reading transaction one that goes through the log.
    pub(super) fn nothing(&self) -> Vec<u8> {
        self.under(b"nothing")
    }

    /// Entries whose key starts with `prefix`, as a range.
    pub(super) fn entries(&self, prefix: &str) -> (Vec<u8>, Vec<u8>) {
        range_of(self.entry(prefix))
    }

    pub(super) fn leases(&self) -> (Vec<u8>, Vec<u8>) {
        range_of(self.under(b"l:"))
    }

    pub(super) fn markers(&self) -> (Vec<u8>, Vec<u8>) {
        range_of(self.under(b"m:"))
    }

    pub(super) fn all(&self) -> (Vec<u8>, Vec<u8>) {
        range_of(self.root.clone())
    }

    pub(super) fn kind(&self, key: &[u8]) -> Kind {
        let Some(rest) = key.strip_prefix(self.root.as_slice()) else {
            return Kind::Other;
        };
        if rest.starts_with(b"k:") {
            return Kind::Entry;
        }
        let lease = rest.strip_prefix(b"l:").and_then(parse_lease);
        lease.map_or(Kind::Other, Kind::Lease)
    }

    /// The entry that a row holds; `None` when it is none of ours.
    pub(super) fn parse_entry(&self, row: &KeyValue) -> Option<Entry> {
        let key = row.key.strip_prefix(self.root.as_slice())?;
        let key = std::str::from_utf8(key.strip_prefix(b"k:")?).ok()?;
        let (&[FORMAT], rest) = row.value.split_first_chunk::<1>()? else {
            return None;
        };
        let (lease, value) = rest.split_first_chunk::<8>()?;
        let lease = u64::from_be_bytes(*lease);
        Some(Entry {
            key: key.to_owned(),
            value: value.to_vec(),
            version: row.revision,
            lease: (lease != 0).then_some(LeaseId(lease)),
        })
    }
}

fn parse_lease(text: &[u8]) -> Option<LeaseId> {
    let text = std::str::from_utf8(text).ok()?;
    if text.len() != LEASE_HEX_DIGITS {
        return None;
    }
    u64::from_str_radix(text, 16).ok().map(LeaseId)
}

/// All keys that start with `from`: up to the first that does not.
fn range_of(from: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let mut to = from.clone();
    // Every one of our keys has the root before it, which ends in a slash.
    while let Some(last) = to.pop() {
        if last < u8::MAX {
            to.push(last + 1);
            break;
        }
    }
    (from, to)
}

pub(super) fn entry_value(value: &[u8], lease: Option<LeaseId>) -> Vec<u8> {
    let lease = lease.map_or(0, |lease| lease.0).to_be_bytes();
    [&[FORMAT], lease.as_slice(), value].concat()
}

/// What a lease's row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Renewal {
    pub(super) ttl: Duration,
    /// Another one with each renewal; the same when an entry was written with the lease.
    pub(super) nonce: u64,
}

impl Renewal {
    /// A new one.
    pub(super) fn new(ttl: Duration) -> Self {
        let (_, nonce) = uuid::Uuid::new_v4().as_u64_pair();
        Self { ttl, nonce }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let millis = u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX);
        let (millis, nonce) = (millis.to_be_bytes(), self.nonce.to_be_bytes());
        [&[FORMAT], millis.as_slice(), nonce.as_slice()].concat()
    }

    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let (&[FORMAT], rest) = value.split_first_chunk::<1>()? else {
            return None;
        };
        let (millis, nonce) = rest.split_first_chunk::<8>()?;
        Some(Self {
            ttl: Duration::from_millis(u64::from_be_bytes(*millis)),
            nonce: u64::from_be_bytes(nonce.try_into().ok()?),
        })
    }
}

pub(super) fn meta_moved(successor: &str) -> Vec<u8> {
    [META_MOVED, successor.as_bytes()].concat()
}

/// Where everything has moved, if it has.
pub(super) fn parse_moved(meta: &[u8]) -> Option<String> {
    let successor = meta.strip_prefix(META_MOVED)?;
    Some(String::from_utf8_lossy(successor).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_told_from_every_other() {
        let keys = Keys::new("hamq/lab/");
        let lease = LeaseId(0xABC);
        assert_eq!(keys.entry("/node/n1"), b"hamq/lab/k:/node/n1");
        assert_eq!(keys.kind(&keys.entry("l:")), Kind::Entry);
        assert_eq!(keys.kind(&keys.lease(lease)), Kind::Lease(lease));
        for other in [keys.meta(), keys.marker("h", 3), b"hamq/lab2/k:a".to_vec()] {
            assert_eq!(keys.kind(&other), Kind::Other);
        }
        let (from, to) = keys.all();
        assert_eq!((&from[..], &to[..]), (&b"hamq/lab/"[..], &b"hamq/lab0"[..]));
    }

    #[test]
    fn values_are_read_as_they_were_written() {
        let keys = Keys::new("p");
        let row = |value: Vec<u8>| KeyValue {
            key: keys.entry("a").into(),
            value: value.into(),
            revision: 7,
            version: 1,
        };
        let entry = keys
            .parse_entry(&row(entry_value(b"\0x", Some(LeaseId(9)))))
            .unwrap();
        assert_eq!(
            (&*entry.value, entry.lease),
            (&b"\0x"[..], Some(LeaseId(9)))
        );
        assert_eq!((entry.key.as_str(), entry.version), ("a", 7));
        let free = keys.parse_entry(&row(entry_value(b"", None))).unwrap();
        assert_eq!((free.lease, free.value.len()), (None, 0));
        assert!(
            keys.parse_entry(&row(b"\x02 something else".to_vec()))
                .is_none()
        );
        let renewal = Renewal::new(Duration::from_millis(2000));
        assert_eq!(Renewal::parse(&renewal.encode()), Some(renewal));
        assert_ne!(Renewal::new(renewal.ttl), renewal);
        assert_eq!(
            parse_moved(&meta_moved("sqlite:///x")).unwrap(),
            "sqlite:///x"
        );
        assert_eq!(parse_moved(META_LIVING), None);
    }
}
