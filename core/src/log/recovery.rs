//! Reading the log at a take-over: newest snapshot, then the chain of segments. Reading never writes.
//!
//! ```text
//!  head = highest token, highest number, valid header
//!  head -> previous -> ... -> the snapshot's segment (or the first)      then forward, batch by batch
//! ```
//!
//! A segment that has a successor ends exactly where the successor says. The last one ends where no batch
//! is any more: a torn or missing one. A whole batch *behind* that place means damage in the middle, which
//! is refused and never cut: one batch at a time is in flight, so a torn one has nothing behind it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::batch;
use super::segment::{HEADER_BYTES, Header, Position, SECTOR_BYTES, SegmentId, align};
use super::snapshot::{self, Snapshot};
use super::token::Token;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::disk::{Disk, DiskFile};

/// What replay hands to its user, in order.
pub enum Event<'a> {
    /// First, if there is one: the state that the following records change.
    Snapshot(&'a [u8]),
    /// A record and where its bytes lie.
    Record(Position, &'a [u8]),
}

/// What reading found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Records read beyond the snapshot.
    pub records: u64,
    /// Bytes behind the end of the log that are left out: a batch that was never acknowledged.
    pub bytes_cut: u64,
    /// Where the log ended: file and offset.
    pub end: Option<(String, u64)>,
    /// Time until the epoch was durable.
    pub taken_over: Duration,
    /// Time to read and replay.
    pub read: Duration,
}

/// Where the log goes on.
#[derive(Default)]
pub(super) struct Chain {
    /// Segments that are part of the log.
    pub(super) segments: BTreeMap<u32, SegmentId>,
    pub(super) head: SegmentId,
    pub(super) head_end: u64,
    pub(super) next_batch: u64,
    pub(super) found: Found,
}

fn damaged(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::StoreDamaged, what)
        .hint("nothing was changed; restore the folder from a copy, or keep it for analysis")
}

fn unreadable(name: &str, error: &io::Error) -> Error {
    Error::system(format_args!("read {name} of the message store"), error)
}

/// Reads all, calling `replay` with each event.
pub(super) fn recover(
    disk: &Arc<dyn Disk>,
    mine: Token,
    replay: &mut dyn FnMut(Event<'_>) -> Result<()>,
) -> Result<Chain> {
    let names = disk
        .list()
        .map_err(|error| unreadable("the folder", &error))?;
    let headers = read_headers(disk, &names)?;
    let Some(head) = headers
        .keys()
        .copied()
        .max_by_key(|id| (id.token, id.number))
    else {
        return match snapshot::names(&names).first() {
            None => Ok(Chain::default()),
            Some(name) => Err(damaged(format!(
                "there is a snapshot {name} but no segment"
            ))),
        };
    };
    if head.token >= mine {
        return Err(Error::new(
            ErrorKind::Fenced,
            format!(
                "the message store has a segment of epoch {}",
                head.token.epoch
            ),
        ));
    }
    let chain = walk_back(&headers, head);
    let snapshot = newest_snapshot(disk, &names, &chain)?;
    let (start, first) = starting_point(&chain, snapshot.as_ref())?;
    let mut result = Chain {
        head,
        ..Chain::default()
    };
    let live = snapshot.iter().flat_map(|s| s.live.iter().copied());
    for id in live.chain(chain[..=start].iter().map(|h| h.id)) {
        if !headers.contains_key(&id) {
            return Err(damaged(format!("segment {} is missing", id.file_name())));
        }
        result.segments.insert(id.number, id);
    }
    if let Some(snapshot) = &snapshot {
        replay(Event::Snapshot(&snapshot.payload))?;
    }
    drop(snapshot);
    let (mut offset, mut next) = first;
    for index in (0..=start).rev() {
        let sealed = index.checked_sub(1).map(|newer| chain[newer].previous_end);
        let mut reader = Reader {
            id: chain[index].id,
            replay,
            found: &mut result.found,
        };
        (result.head_end, next) = reader.read(disk, offset, next, sealed)?;
        offset = HEADER_BYTES;
    }
    result.next_batch = next;
    Ok(result)
}

/// The valid headers of all segments in the folder.
fn read_headers(disk: &Arc<dyn Disk>, names: &[String]) -> Result<BTreeMap<SegmentId, Header>> {
    let mut headers = BTreeMap::new();
    for name in names {
        let Some(id) = SegmentId::parse(name) else {
            continue;
        };
        let mut bytes = [0; 128];
        let read = disk.open(name).and_then(|f| f.read_at(0, &mut bytes));
        let count = match read {
            Ok(count) => count,
            // Removed since it was listed, by the owner of before.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(name, &error)),
        };
        if let Some(header) = Header::decode(&bytes[..count]).filter(|h| h.id == id) {
            headers.insert(id, header);
        }
    }
    Ok(headers)
}

/// The headers from `head` back as far as they go, newest first.
fn walk_back(headers: &BTreeMap<SegmentId, Header>, head: SegmentId) -> Vec<Header> {
    let mut chain: Vec<Header> = Vec::new();
    let mut next = headers.get(&head);
    while let Some(header) = next {
        chain.push(*header);
        let earlier = header.previous.number < header.id.number;
        next = headers.get(&header.previous).filter(|_| earlier);
    }
    chain
}

fn newest_snapshot(
    disk: &Arc<dyn Disk>,
    names: &[String],
    chain: &[Header],
) -> Result<Option<Snapshot>> {
    for name in snapshot::names(names) {
        let loaded = snapshot::load(disk, &name).map_err(|error| unreadable(&name, &error))?;
        if let Some(found) = loaded
            && chain.iter().any(|h| h.id == found.segment)
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Index into `chain` of the first segment to read, the offset in it, and the batch number there.
fn starting_point(chain: &[Header], snapshot: Option<&Snapshot>) -> Result<(usize, (u64, u64))> {
    if let Some(snapshot) = snapshot
        && let Some(index) = chain.iter().position(|h| h.id == snapshot.segment)
    {
        return Ok((index, (snapshot.offset, snapshot.next_batch)));
    }
    match chain.last() {
        Some(first) if first.previous.number == 0 => {
            Ok((chain.len() - 1, (HEADER_BYTES, first.first_batch)))
        }
        first => Err(damaged(format!(
            "segment {} is missing and no snapshot that can be read replaces it",
            first.map_or(0, |h| h.previous.number)
        ))),
    }
}

struct Reader<'a> {
    id: SegmentId,
    replay: &'a mut dyn FnMut(Event<'_>) -> Result<()>,
    found: &'a mut Found,
}

impl Reader<'_> {
    /// Reads one segment from `offset`; returns where it ended and the number of the next batch.
    fn read(
        &mut self,
        disk: &Arc<dyn Disk>,
        offset: u64,
        mut next: u64,
        sealed: Option<u64>,
    ) -> Result<(u64, u64)> {
        let name = self.id.file_name();
        let file = disk
            .open(&name)
            .map_err(|error| unreadable(&name, &error))?;
        let bytes = read_range(file.as_ref(), offset, sealed).map_err(|e| unreadable(&name, &e))?;
        if sealed.is_none() {
            // What was read may still be in memory only: it becomes part of the log here, so it must be durable.
            file.sync().map_err(|error| unreadable(&name, &error))?;
        }
        let mut at = 0;
        while let Some(batch) = bytes.get(at..).and_then(|b| batch::read(b, self.id.token)) {
            if batch.number != next {
                break;
            }
            self.replay_batch(offset + at as u64, &batch)?;
            next += 1;
            at = usize::try_from(align((at + batch.length) as u64)).unwrap_or(usize::MAX);
        }
        let end = offset + at as u64;
        match sealed {
            Some(sealed) if sealed != end => Err(damaged(format!(
                "segment {name} is damaged at byte {end}: it goes on to {sealed}"
            ))),
            Some(_) => Ok((end, next)),
            None => {
                let rest = bytes.get(at..).unwrap_or(&[]);
                self.check_nothing_behind(rest, end, next)?;
                let cut = rest
                    .iter()
                    .rposition(|byte| *byte != 0)
                    .map_or(0, |i| i + 1);
                self.found.bytes_cut += cut as u64;
                self.found.end = Some((name, end));
                Ok((end, next))
            }
        }
    }

    fn replay_batch(&mut self, start: u64, batch: &batch::Read<'_>) -> Result<()> {
        for (at, record) in batch.records() {
            let position = Position {
                segment: self.id.number,
                offset: u32::try_from(start + at as u64).unwrap_or(u32::MAX),
                length: u32::try_from(record.len()).unwrap_or(u32::MAX),
            };
            (self.replay)(Event::Record(position, record))?;
            self.found.records += 1;
        }
        Ok(())
    }

    fn check_nothing_behind(&self, rest: &[u8], end: u64, next: u64) -> Result<()> {
        let step = usize::try_from(SECTOR_BYTES).unwrap_or(512);
        for at in (0..rest.len()).step_by(step) {
            if let Some(batch) = batch::read(&rest[at..], self.id.token)
                && batch.number >= next
            {
                return Err(damaged(format!(
                    "segment {} is damaged at byte {end}: batch {next} cannot be read, batch {} behind it can",
                    self.id.file_name(),
                    batch.number
                )));
            }
        }
        Ok(())
    }
}

fn read_range(file: &dyn DiskFile, offset: u64, end: Option<u64>) -> io::Result<Vec<u8>> {
    let end = end.map_or_else(|| file.length(), Ok)?;
    let length = usize::try_from(end.saturating_sub(offset)).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let count = file.read_at(offset, &mut bytes)?;
    bytes.truncate(count);
    Ok(bytes)
}
