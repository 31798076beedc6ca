//! A snapshot: the reader's state at one position, so that a restart need not read all history.
//!
//! ```text
//!  magic 8 | version 4 | segment 20 | offset 8 | next batch 8 | segments n 4 | n x segment 20
//!  | payload bytes 8 | payload | crc32c of all before 4
//! ```
//!
//! The list names the segments that still hold something live; older ones need not exist.

use std::sync::Arc;

use super::segment::SegmentId;
use super::token::{Token, u32_at, u64_at};
use crate::sys::disk::Disk;

const MAGIC: &[u8; 8] = b"HAMQSNP1";
const FIXED_BYTES: usize = 8 + 4 + 20 + 8 + 8 + 4;

/// A snapshot as it is read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The segment it reaches into.
    pub(super) segment: SegmentId,
    /// Where in it the log goes on.
    pub(super) offset: u64,
    /// The number of the batch that is or will be there.
    pub(super) next_batch: u64,
    /// Segments before that one that are still needed.
    pub(super) live: Vec<SegmentId>,
    /// The user's.
    pub(super) payload: Vec<u8>,
}

impl Snapshot {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes =
            Vec::with_capacity(FIXED_BYTES + 20 * self.live.len() + self.payload.len() + 12);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&1_u32.to_le_bytes());
        bytes.extend_from_slice(&self.segment.encode());
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(&self.next_batch.to_le_bytes());
        let count = u32::try_from(self.live.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&count.to_le_bytes());
        for id in &self.live {
            bytes.extend_from_slice(&id.encode());
        }
        bytes.extend_from_slice(&(self.payload.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// `None` for one that was not written to its end, or is damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let body = bytes.get(..bytes.len().checked_sub(4)?)?;
        let head = body.get(..FIXED_BYTES)?;
        if u32_at(bytes, body.len()) != crc32c::crc32c(body)
            || &head[..8] != MAGIC
            || u32_at(head, 8) != 1
        {
            return None;
        }
        let count = u32_at(head, 48) as usize;
        let list = body.get(FIXED_BYTES..FIXED_BYTES.checked_add(count.checked_mul(20)?)?)?;
        let rest = &body[FIXED_BYTES + list.len()..];
        let payload = rest.get(8..)?;
        (u64_at(rest, 0) == payload.len() as u64).then(|| Self {
            segment: SegmentId::decode(&head[12..]),
            offset: u64_at(head, 32),
            next_batch: u64_at(head, 40),
            live: list.chunks_exact(20).map(SegmentId::decode).collect(),
            payload: payload.to_vec(),
        })
    }

    pub(super) fn file_name(&self, by: Token) -> String {
        format!("{:010}-{:010}-{by}.snap", self.segment.number, self.offset)
    }
}

/// What a snapshot's name says. Ordered by the position it covers, then by who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    segment: u32,
    offset: u64,
    by: Token,
}

impl Name {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".snap")?.splitn(3, '-');
        Some(Self {
            segment: parts.next()?.parse().ok()?,
            offset: parts.next()?.parse().ok()?,
            by: Token::parse(parts.next()?)?,
        })
    }

    /// Whether `newest`, just written by its owner, replaces this one. Never true of one that a later
    /// owner wrote: whoever removes may have been stopped for long and not know of that owner.
    pub(super) fn is_replaced_by(self, newest: Self) -> bool {
        let position = |name: Self| (name.segment, name.offset);
        self.by < newest.by || (self.by == newest.by && position(self) < position(newest))
    }
}

/// The names of snapshots, newest position first.
pub(super) fn names(all: &[String]) -> Vec<String> {
    let mut found: Vec<(Name, &String)> = all
        .iter()
        .filter_map(|text| Name::parse(text).map(|name| (name, text)))
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, text)| text.clone()).collect()
}

/// Reads a file whole.
pub(super) fn load(disk: &Arc<dyn Disk>, name: &str) -> std::io::Result<Option<Snapshot>> {
    let file = disk.open(name)?;
    let length = usize::try_from(file.length()?).map_err(std::io::Error::other)?;
    let mut bytes = vec![0; length];
    let count = file.read_at(0, &mut bytes)?;
    Ok(Snapshot::decode(&bytes[..count]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_older_one_is_replaced_and_never_a_later_owners() {
        let name = |text: &str| Name::parse(text).unwrap();
        let mine = name("0000000004-0000001024-9-0-0000000a.snap");
        for older in [
            "0000000004-0000000512-9-0-0000000a.snap",
            "0000000003-0000009999-9-0-0000000a.snap",
            "0000000007-0000000512-8-0-ffffffff.snap",
        ] {
            assert!(name(older).is_replaced_by(mine), "{older}");
        }
        for kept in [
            "0000000004-0000001024-9-0-0000000a.snap",
            "0000000004-0000002048-9-0-0000000a.snap",
            "0000000003-0000000512-10-0-00000001.snap",
        ] {
            assert!(!name(kept).is_replaced_by(mine), "{kept}");
        }
        assert_eq!(Name::parse("x.snap"), None);
    }

    #[test]
    fn a_snapshot_comes_back_whole_or_not_at_all() {
        let snapshot = Snapshot {
            segment: SegmentId::default(),
            offset: 512,
            next_batch: 4,
            live: vec![SegmentId::default(); 3],
            payload: b"state".to_vec(),
        };
        let bytes = snapshot.encode();
        assert_eq!(Snapshot::decode(&bytes), Some(snapshot));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(Snapshot::decode(&bad), None);
            assert_eq!(Snapshot::decode(&bytes[..at]), None);
        }
    }
}
