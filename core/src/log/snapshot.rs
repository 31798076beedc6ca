//! A snapshot: the reader's state at one position, so that a restart need not read all history.
//!
//! ```text
//!  magic 8 | version 4 | segment 20 | offset 8 | next batch 8 | segments n 4 | n x (segment 20 | end 8)
//!  | payload bytes 8 | payload | crc32c of all before 4
//! ```
//!
//! The list names the segments that still hold something live, and where each one ends; older ones need not
//! exist. Version 1 had no ends.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::segment::SegmentId;
use super::token::{Token, u32_at, u64_at};
use crate::sys::disk::{Disk, DiskFile};

const MAGIC: &[u8; 8] = b"HAMQSNP1";
const VERSION: u32 = 2;
const FIXED_BYTES: usize = 8 + 4 + 20 + 8 + 8 + 4;
const LIVE_BYTES: usize = 28;
const LIVE_BYTES_1: usize = 20;
const CRC_BYTES: usize = 4;

/// Bytes that are written between two syncs: a long one must not fill the device's queue at once, where the
/// log's own syncs would wait behind it.
const PIECE_BYTES: usize = 8 * 1024 * 1024;

/// A snapshot as it is read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The segment it reaches into.
    pub(super) segment: SegmentId,
    /// Where in it the log goes on.
    pub(super) offset: u64,
    /// The number of the batch that is or will be there.
    pub(super) next_batch: u64,
    /// Segments before that one that are still needed, and where they end (none: version 1 did not say).
    pub(super) live: Vec<(SegmentId, Option<u64>)>,
    /// The user's.
    pub(super) payload: Bytes,
}

impl Snapshot {
    /// All that lies before the payload.
    fn encode_head(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + LIVE_BYTES * self.live.len() + 8);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.segment.encode());
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(&self.next_batch.to_le_bytes());
        let count = u32::try_from(self.live.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&count.to_le_bytes());
        for (id, end) in &self.live {
            bytes.extend_from_slice(&id.encode());
            bytes.extend_from_slice(&end.unwrap_or(u64::MAX).to_le_bytes());
        }
        bytes.extend_from_slice(&(self.payload.len() as u64).to_le_bytes());
        bytes
    }

    /// Bytes of the file.
    pub(super) fn length(&self) -> u64 {
        let fixed = FIXED_BYTES + LIVE_BYTES * self.live.len() + 8 + CRC_BYTES;
        (fixed + self.payload.len()) as u64
    }

    /// Writes it to an empty file, durably, without another copy of the payload.
    pub(super) fn write(&self, file: &dyn DiskFile) -> io::Result<()> {
        let head = self.encode_head();
        let crc = crc32c::crc32c_append(crc32c::crc32c(&head), &self.payload);
        file.write_at(0, &head)?;
        let mut at = head.len() as u64;
        for piece in self.payload.chunks(PIECE_BYTES) {
            file.write_at(at, piece)?;
            at += piece.len() as u64;
            if piece.len() == PIECE_BYTES {
                file.sync()?;
            }
        }
        file.write_at(at, &crc.to_le_bytes())?;
        file.sync()
    }

    /// `None` for one that was not written to its end, or is damaged.
    pub(super) fn decode(bytes: &Bytes) -> Option<Self> {
        let body = bytes.get(..bytes.len().checked_sub(CRC_BYTES)?)?;
        let head = body.get(..FIXED_BYTES)?;
        let each = match u32_at(head, 8) {
            1 => LIVE_BYTES_1,
            VERSION => LIVE_BYTES,
            _ => return None,
        };
        if u32_at(bytes, body.len()) != crc32c::crc32c(body) || &head[..8] != MAGIC {
            return None;
        }
        let count = u32_at(head, 48) as usize;
        let list_end = FIXED_BYTES.checked_add(count.checked_mul(each)?)?;
        let list = body.get(FIXED_BYTES..list_end)?;
        let payload_at = list_end + 8;
        let payload_bytes = body.len().checked_sub(payload_at)?;
        (u64_at(body, list_end) == payload_bytes as u64).then(|| Self {
            segment: SegmentId::decode(&head[12..]),
            offset: u64_at(head, 32),
            next_batch: u64_at(head, 40),
            live: list.chunks_exact(each).map(decode_live).collect(),
            payload: bytes.slice(payload_at..body.len()),
        })
    }

    pub(super) fn file_name(&self, by: Token) -> String {
        format!("{:010}-{:010}-{by}.snap", self.segment.number, self.offset)
    }
}

fn decode_live(bytes: &[u8]) -> (SegmentId, Option<u64>) {
    let end = bytes.get(LIVE_BYTES_1..).filter(|rest| rest.len() == 8);
    let end = end
        .map(|rest| u64_at(rest, 0))
        .filter(|end| *end != u64::MAX);
    (SegmentId::decode(bytes), end)
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

/// Reads a file whole; none when it is no valid snapshot.
///
/// # Errors
/// Those of the file system; `Unsupported` when a later version of this program wrote it.
pub(super) fn load(disk: &Arc<dyn Disk>, name: &str) -> io::Result<Option<Snapshot>> {
    let file = disk.open(name)?;
    let length = usize::try_from(file.length()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let count = file.read_at(0, &mut bytes)?;
    bytes.truncate(count);
    let version = u32_at(&bytes, 8);
    if bytes.starts_with(MAGIC) && version > VERSION {
        let what = format!("a later version of this program wrote it (format {version})");
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    Ok(Snapshot::decode(&Bytes::from(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::disk_fake::FakeDisk;

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

    fn written(snapshot: &Snapshot) -> Vec<u8> {
        let file = FakeDisk::new().create("s", 0).unwrap();
        snapshot.write(file.as_ref()).unwrap();
        let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_snapshot_comes_back_whole_or_not_at_all() {
        let snapshot = Snapshot {
            segment: SegmentId::default(),
            offset: 512,
            next_batch: 4,
            live: vec![
                (SegmentId::default(), Some(512)),
                (SegmentId::default(), None),
            ],
            payload: Bytes::from_static(b"state"),
        };
        let bytes = written(&snapshot);
        assert_eq!(bytes.len() as u64, snapshot.length());
        let decode = |bytes: &[u8]| Snapshot::decode(&Bytes::copy_from_slice(bytes));
        assert_eq!(decode(&bytes), Some(snapshot));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(decode(&bad), None);
            assert_eq!(decode(&bytes[..at]), None);
        }
    }

    #[test]
    fn one_of_version_1_is_read_and_one_of_a_later_version_is_refused() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&1_u32.to_le_bytes());
        bytes.extend_from_slice(&SegmentId::default().encode());
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(&1_u32.to_le_bytes());
        bytes.extend_from_slice(&SegmentId::default().encode());
        bytes.extend_from_slice(&2_u64.to_le_bytes());
        bytes.extend_from_slice(b"ab");
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        let old = Snapshot::decode(&Bytes::copy_from_slice(&bytes)).unwrap();
        assert_eq!(old.live, [(SegmentId::default(), None)]);
        assert_eq!(&old.payload[..], b"ab");
        bytes[8] = 9;
        let disk = FakeDisk::new();
        disk.create("s", 0).unwrap().write_at(0, &bytes).unwrap();
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let error = load(&disk, "s").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }
}
