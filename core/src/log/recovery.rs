//! Reading the log at a take-over: newest snapshot, then the chain of segments. Reading never writes.
//!
//! ```text
//!  head = highest token, highest number, valid header
//!  head -> previous -> ... -> the snapshot's segment (or the first)      then forward, batch by batch
//! ```
//!
//! A segment that has a successor ends exactly where the successor says. The last one ends where no batch
//! is any more: a torn or missing one. A whole batch *behind* that place means damage in the middle, which
//! is refused and never cut: one batch at a time is in flight, so a torn one has nothing behind it. Old batches of
//! a recycled file do lie behind it: their numbers are lower than any that the segment can hold.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::reader::SegmentReader;
use super::segment::{HEADER_BYTES, Header, Position, SegmentId, align};
use super::snapshot::{self, Snapshot};
use super::token::Token;
use super::window::Window;
use super::writer::Sealed;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::disk::{Disk, DiskFile};

/// What replay hands to its user, in order.
pub enum Event<'a> {
    /// First, if there is one: the state that the following records change.
    Snapshot(&'a [u8]),
    /// A record and where its bytes lie.
    Record(Position, &'a [u8]),
}

/// The log while it is read: what the user of the records has to look up in earlier ones.
pub struct Stored<'a> {
    disk: &'a Arc<dyn Disk>,
    segments: BTreeMap<u32, SegmentId>,
    files: RefCell<BTreeMap<u32, Arc<dyn DiskFile>>>,
}

impl<'a> Stored<'a> {
    fn new(disk: &'a Arc<dyn Disk>, segments: impl Iterator<Item = SegmentId>) -> Self {
        Self {
            disk,
            segments: segments.map(|id| (id.number, id)).collect(),
            files: RefCell::default(),
        }
    }

    /// Reads bytes of an earlier record.
    ///
    /// # Errors
    /// `StoreDamaged` when they are not there.
    pub fn read(&self, position: Position) -> Result<Bytes> {
        let lost = |what: &dyn std::fmt::Display| {
            let (segment, offset) = (position.segment, position.offset);
            damaged(format!("segment {segment} at byte {offset}: {what}"))
        };
        let file = self.file(position.segment).map_err(|error| lost(&error))?;
        let mut bytes = vec![0; position.length as usize];
        let count = file.read_at(position.offset.into(), &mut bytes);
        match count.map_err(|error| lost(&error))? {
            count if count == bytes.len() => Ok(bytes.into()),
            _ => Err(lost(&"the file is too short")),
        }
    }

    fn file(&self, number: u32) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.files.borrow_mut();
        if let Some(file) = files.get(&number) {
            return Ok(Arc::clone(file));
        }
        let id = self.segments.get(&number);
        let id = id.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let file = self.disk.open(&id.file_name())?;
        if files.len() >= FILES_MAX {
            files.pop_first();
        }
        files.insert(number, Arc::clone(&file));
        Ok(file)
    }
}

/// Segments that are kept open while the log is read.
const FILES_MAX: usize = 64;

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
    /// Segments that are part of the log, and where they end.
    pub(super) segments: BTreeMap<u32, Sealed>,
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
    replay: &mut dyn FnMut(&Stored<'_>, Event<'_>) -> Result<()>,
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
    for (id, end) in snapshot.iter().flat_map(|s| s.live.iter().copied()) {
        if !headers.contains_key(&id) {
            return Err(damaged(format!("segment {} is missing", id.file_name())));
        }
        let end = match end {
            Some(end) => end,
            None => end_of(disk, &headers, id)?,
        };
        result.segments.insert(id.number, Sealed::earlier(id, end));
    }
    let live = result.segments.values().map(|sealed| sealed.id);
    let stored = Stored::new(disk, live.chain(chain.iter().map(|header| header.id)));
    if let Some(snapshot) = &snapshot {
        replay(&stored, Event::Snapshot(&snapshot.payload))?;
    }
    drop(snapshot);
    let (mut offset, mut next) = first;
    for index in (0..=start).rev() {
        let sealed = index.checked_sub(1).map(|newer| chain[newer].previous_end);
        let mut reader = Replay {
            header: chain[index],
            segment: SegmentReader {
                id: chain[index].id,
            },
            replay,
            stored: &stored,
            found: &mut result.found,
        };
        let id = chain[index].id;
        (result.head_end, next) = reader.read(disk, offset, next, sealed)?;
        let sealed = Sealed::earlier(id, result.head_end);
        result.segments.insert(id.number, sealed);
        offset = HEADER_BYTES;
    }
    result.next_batch = next;
    Ok(result)
}

/// A segment begins with the batch behind the last one of the segment before.
fn check_goes_on(id: SegmentId, first: u64, next: u64) -> Result<()> {
    if first == next {
        return Ok(());
    }
    let name = id.file_name();
    Err(damaged(format!(
        "segment {name} begins with batch {first}, and batch {next} is missing"
    )))
}

/// Where a segment ends of which the snapshot (of version 1) does not say it: where its successor says, or
/// at the end of the file.
fn end_of(
    disk: &Arc<dyn Disk>,
    headers: &BTreeMap<SegmentId, Header>,
    id: SegmentId,
) -> Result<u64> {
    let successors = headers.values().filter(|h| h.previous == id);
    if let Some(successor) = successors.max_by_key(|h| h.id.token) {
        return Ok(successor.previous_end);
    }
    let name = id.file_name();
    let length = disk.open(&name).and_then(|file| file.length());
    length.map_err(|error| unreadable(&name, &error))
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
        if let Some(version) = Header::newer_version(&bytes[..count]) {
            return Err(damaged(format!(
                "segment {name} was written by a later version of this program (format {version})"
            )));
        }
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

struct Replay<'a> {
    header: Header,
    segment: SegmentReader,
    replay: &'a mut dyn FnMut(&Stored<'_>, Event<'_>) -> Result<()>,
    stored: &'a Stored<'a>,
    found: &'a mut Found,
}

impl Replay<'_> {
    /// Reads one segment from `offset`; returns where it ended and the number of the next batch.
    fn read(
        &mut self,
        disk: &Arc<dyn Disk>,
        offset: u64,
        mut next: u64,
        sealed: Option<u64>,
    ) -> Result<(u64, u64)> {
        if offset == HEADER_BYTES {
            check_goes_on(self.header.id, self.header.first_batch, next)?;
        }
        let name = self.header.id.file_name();
        let trouble = |error: io::Error| unreadable(&name, &error);
        let file = disk.open(&name).map_err(trouble)?;
        // What the next segment says of this one's end may be damaged: there is no more than the file has.
        let length = file.length().map_err(trouble)?;
        let read_to = sealed.map_or(length, |sealed| sealed.min(length));
        if sealed.is_none() {
            // What was read may still be in memory only: it becomes part of the log here, so it must be durable.
            file.sync().map_err(trouble)?;
        }
        let mut window = Window::new(file, read_to);
        let mut end = offset;
        while let Some(batch) = self.segment.batch_at(&mut window, end).map_err(trouble)? {
            if batch.number != next {
                break;
            }
            for (position, record) in self.segment.records(end, &batch) {
                (self.replay)(self.stored, Event::Record(position, record))?;
                self.found.records += 1;
            }
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

    /// What lies behind the end is cut; a later batch there is damage.
    fn check_nothing_behind(&mut self, window: &mut Window, end: u64, next: u64) -> Result<()> {
        let name = self.header.id.file_name();
        let trouble = |error: io::Error| unreadable(&name, &error);
        let behind = self.segment.look_behind(window, end, next..=u64::MAX);
        let behind = behind.map_err(trouble)?;
        if let Some((_, number)) = behind.later {
            return Err(damaged(format!(
                "segment {name} is damaged at byte {end}: batch {next} cannot be read, batch {number} behind it can",
            )));
        }
        self.found.bytes_cut += if self.header.lives == 0 {
            behind.used
        } else {
            // Most of what lies there is of an earlier life; a torn batch says itself how long it was to be.
            let torn = self.segment.head_at(window, end).map_err(trouble)?;
            let torn = torn.filter(|head| head.number == next);
            torn.map_or(0, |head| window.within(end, head.length) as u64)
        };
        Ok(())
    }
}
