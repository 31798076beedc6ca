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
use super::window::Window;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::disk::Disk;

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

/// The newest one that can be read and lies in the log.
fn newest_snapshot(
    disk: &Arc<dyn Disk>,
    names: &[String],
    chain: &[Header],
) -> Result<Option<Snapshot>> {
    for name in snapshot::names(names) {
        let loaded = match snapshot::load(disk, &name) {
            // Removed since it was listed: by the owner of before, for one that is in the list as well.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(|error| unreadable(&name, &error))?,
        };
        if let Some(found) = loaded
            && lies_in(chain, &found)
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Whether the log has the snapshot's position: its segment, not beyond where that one was sealed.
fn lies_in(chain: &[Header], snapshot: &Snapshot) -> bool {
    let Some(index) = chain.iter().position(|h| h.id == snapshot.segment) else {
        return false;
    };
    let newer = index.checked_sub(1).and_then(|newer| chain.get(newer));
    newer.is_none_or(|newer| snapshot.offset <= newer.previous_end)
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

const ZEROS: [u8; SECTOR_BYTES as usize] = [0; SECTOR_BYTES as usize];

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
        let read_to = sealed.map_or_else(|| file.length(), Ok);
        let read_to = read_to.map_err(|error| unreadable(&name, &error))?;
        if sealed.is_none() {
            // What was read may still be in memory only: it becomes part of the log here, so it must be durable.
            file.sync().map_err(|error| unreadable(&name, &error))?;
        }
        let mut window = Window::new(file.as_ref(), read_to);
        let mut end = offset;
        while let Some(batch) = self.next_batch(&mut window, end)? {
            if batch.number != next {
                break;
            }
            self.replay_batch(end, &batch)?;
            next += 1;
            end = align(end + batch.length as u64);
        }
        match sealed {
            Some(sealed) if sealed != end => Err(damaged(format!(
                "segment {name} is damaged at byte {end}: it goes on to {sealed}"
            ))),
            Some(_) => Ok((end, next)),
            None => {
                self.check_nothing_behind(&mut window, end, next)?;
                self.found.end = Some((name, end));
                Ok((end, next))
            }
        }
    }

    /// The whole batch at `offset`, if there is one.
    fn next_batch<'w>(
        &self,
        window: &'w mut Window<'_>,
        offset: u64,
    ) -> Result<Option<batch::Read<'w>>> {
        let trouble = |error: io::Error| unreadable(&self.id.file_name(), &error);
        let head = window
            .bytes(offset, batch::BATCH_HEADER_BYTES)
            .map_err(trouble)?;
        let Some(length) = batch::length(head, self.id.token) else {
            return Ok(None);
        };
        let bytes = window.bytes(offset, length).map_err(trouble)?;
        Ok(batch::read(bytes, self.id.token))
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

    /// Looks at every sector behind the end: what is not zero is cut, a later batch there is damage.
    fn check_nothing_behind(&mut self, window: &mut Window<'_>, end: u64, next: u64) -> Result<()> {
        let step = ZEROS.len();
        let (mut at, mut used) = (end, end);
        loop {
            let piece = window
                .piece(at)
                .map_err(|error| unreadable(&self.id.file_name(), &error))?;
            let length = piece.len() as u64;
            let mut begun = Vec::new();
            for (sector, offset) in piece.chunks(step).zip((at..).step_by(step)) {
                if *sector != ZEROS[..sector.len()] {
                    used = offset + sector.len() as u64;
                    begun.extend(batch::length(sector, self.id.token).map(|_| offset));
                }
            }
            for offset in begun {
                self.check_no_later_batch(window, offset, end, next)?;
            }
            if length == 0 {
                self.found.bytes_cut += used - end;
                return Ok(());
            }
            at += length;
        }
    }

    fn check_no_later_batch(
        &self,
        window: &mut Window<'_>,
        offset: u64,
        end: u64,
        next: u64,
    ) -> Result<()> {
        match self.next_batch(window, offset)? {
            Some(batch) if batch.number >= next => Err(damaged(format!(
                "segment {} is damaged at byte {end}: batch {next} cannot be read, batch {} behind it can",
                self.id.file_name(),
                batch.number
            ))),
            _ => Ok(()),
        }
    }
}
