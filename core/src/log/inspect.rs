//! Looking at a store from outside: damaged, foreign or in use. Takes nothing over and writes no byte.
//!
//! ```text
//!  segments with a header, newest first:  head -> previous -> (missing? the next lower number) -> ...
//!  each one:  batch batch [damage ... next whole batch of its numbers] batch ... end
//! ```
//!
//! Recovery refuses at the first damage; this goes on behind it. A whole batch is one that has the segment's token, a
//! right checksum, and a number that can follow: not one that was read before, and below the first one of the next
//! segment. So neither the rests of a recycled file nor what an owner wrote after it was replaced pass for the log.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::fence;
use super::reader::SegmentReader;
use super::segment::{HEADER_BYTES, Header, Position, SegmentId, align};
use super::snapshot::{self, Snapshot};
use super::token::Token;
use super::window::Window;
use crate::error::{Error, Result};
use crate::sys::disk::Disk;

/// What is wrong at a place in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// The segment is part of the log by what its successor says, and its header cannot be read.
    Header,
    /// The file is not there.
    Missing,
    /// From here on no batch can be read, up to the given byte of the segment.
    Batches {
        /// Where reading goes on; the end of the segment if nowhere in it.
        until: u64,
        /// How many batches are lost, if what follows says it.
        lost: Option<u64>,
    },
    /// The file system refused to read it.
    Unreadable(String),
}

/// Damage, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file.
    pub file: String,
    /// Bytes from its beginning.
    pub offset: u64,
    /// What it is.
    pub kind: DamageKind,
}

/// One segment of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// The file.
    pub file: String,
    /// Its number.
    pub number: u32,
    /// Who wrote it.
    pub owner: Token,
    /// Whole batches, their records, and the bytes of these.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of the records.
    pub bytes: u64,
    /// Where it ends: as the next segment says, or behind the last whole batch.
    pub end: u64,
    /// Bytes behind the end of the last segment that begin a batch which was never completed.
    pub torn: u64,
    /// What is wrong first.
    pub first_damage: Option<Damage>,
}

/// One snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotReport {
    /// The file.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// Whether it can be read.
    pub valid: bool,
    /// The segment and the offset where the log goes on behind it.
    pub position: Option<(u32, u64)>,
}

/// What is in the folder of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Whom EPOCH names: the token and the name.
    pub owner: Option<(Token, String)>,
    /// Those who claimed the store, highest first.
    pub claims: Vec<Token>,
    /// The log's segments, oldest first.
    pub segments: Vec<SegmentReport>,
    /// Snapshots, newest first.
    pub snapshots: Vec<SnapshotReport>,
    /// Segment files that are not part of the log: prepared ones and what an owner of before left.
    pub others: Vec<String>,
    /// Everything that is wrong, in the order of the log.
    pub damage: Vec<Damage>,
}

/// What is read from a store that may be damaged, in the order of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Salvaged {
    /// An intact record.
    Record(Position, Bytes),
    /// Something is missing here.
    Gap(Damage),
}

/// Reports what is in a store.
///
/// # Errors
/// When the folder itself cannot be read.
pub fn inspect(disk: &Arc<dyn Disk>) -> Result<Inspection> {
    let folder = Folder::read(disk)?;
    let mut report = Inspection {
        damage: folder.missing.clone(),
        owner: fence::owner(disk.as_ref()),
        claims: fence::claims(&folder.names),
        others: folder.others(),
        ..Inspection::default()
    };
    report.claims.sort_unstable_by(|a, b| b.cmp(a));
    let mut floor = 0;
    for link in &folder.chain {
        let mut walk = Walk::new(disk, link, floor);
        let mut damage = Vec::new();
        while let Some(found) = walk.next_batch() {
            if let Found::Gap(gap) = found {
                damage.push(gap);
            }
        }
        floor = walk.next.unwrap_or(floor);
        let mut segment = walk.report;
        segment.first_damage = damage.first().cloned();
        report.segments.push(segment);
        report.damage.extend(damage);
    }
    report.snapshots = snapshot::names(&folder.names)
        .iter()
        .map(|name| snapshot_report(disk, name))
        .collect();
    Ok(report)
}

/// All intact records of the log, in order, and the gaps between them.
///
/// # Errors
/// When the folder itself cannot be read.
pub fn salvage(disk: &Arc<dyn Disk>) -> Result<Salvage> {
    let folder = Folder::read(disk)?;
    Ok(Salvage {
        disk: Arc::clone(disk),
        chain: folder.chain.into(),
        walk: None,
        ready: VecDeque::new(),
        floor: 0,
    })
}

/// The user's part of the newest snapshot that can be read, and the position behind it: a record at or
/// after this position is not in it.
///
/// # Errors
/// When the folder itself cannot be read.
pub fn newest_snapshot(disk: &Arc<dyn Disk>) -> Result<Option<(Position, Bytes)>> {
    let newest = load_newest(disk, &list(disk)?);
    Ok(newest.map(|snapshot| {
        let position = Position {
            segment: snapshot.segment.number,
            offset: u32::try_from(snapshot.offset).unwrap_or(u32::MAX),
            length: 0,
        };
        (position, snapshot.payload)
    }))
}

/// Goes through a store; see [`salvage`]. Holds one segment's window and one batch in memory.
pub struct Salvage {
    disk: Arc<dyn Disk>,
    chain: VecDeque<Link>,
    walk: Option<Walk>,
    ready: VecDeque<Salvaged>,
    floor: u64,
}

impl Iterator for Salvage {
    type Item = Salvaged;

    fn next(&mut self) -> Option<Salvaged> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            let walk = match &mut self.walk {
                Some(walk) => walk,
                None => {
                    let link = self.chain.pop_front()?;
                    self.walk.insert(Walk::new(&self.disk, &link, self.floor))
                }
            };
            match walk.next_batch() {
                Some(Found::Batch(records)) => {
                    let records = records.into_iter();
                    let salvaged =
                        records.map(|(position, bytes)| Salvaged::Record(position, bytes));
                    self.ready.extend(salvaged);
                }
                Some(Found::Gap(damage)) => self.ready.push_back(Salvaged::Gap(damage)),
                None => {
                    self.floor = walk.next.unwrap_or(self.floor);
                    self.walk = None;
                }
            }
        }
    }
}

fn list(disk: &Arc<dyn Disk>) -> Result<Vec<String>> {
    disk.list()
        .map_err(|error| Error::system("list the message store", &error))
}

fn snapshot_report(disk: &Arc<dyn Disk>, name: &str) -> SnapshotReport {
    let length = disk.open(name).and_then(|file| file.length());
    let loaded = snapshot::load(disk, name).ok().flatten();
    SnapshotReport {
        file: name.to_owned(),
        bytes: length.unwrap_or(0),
        valid: loaded.is_some(),
        position: loaded.map(|s| (s.segment.number, s.offset)),
    }
}

/// A segment in its place in the log.
#[derive(Clone, Copy)]
struct Link {
    id: SegmentId,
    header: Option<Header>,
    /// What the next segment says: where this one ends, and the number of the first batch behind it.
    sealed: Option<(u64, u64)>,
}

/// The segments of a folder, as a log.
struct Folder {
    names: Vec<String>,
    /// Oldest first.
    chain: Vec<Link>,
    /// Segments before those that the newest snapshot still needs and that are not there.
    missing: Vec<Damage>,
}

impl Folder {
    fn read(disk: &Arc<dyn Disk>) -> Result<Self> {
        let names = list(disk)?;
        let all: BTreeMap<SegmentId, Option<Header>> = names
            .iter()
            .filter_map(|name| SegmentId::parse(name))
            .map(|id| (id, read_header(disk, id)))
            .collect();
        let newest = load_newest(disk, &names);
        let needed_from = newest.as_ref().map_or(1, |s| s.segment.number);
        let live = newest.iter().flat_map(|s| s.live.iter().map(|l| l.0));
        let missing = live.filter(|id| !all.contains_key(id)).map(|id| Damage {
            file: id.file_name(),
            offset: 0,
            kind: DamageKind::Missing,
        });
        let missing = missing.collect();
        Ok(Self {
            names,
            chain: chain(&all, needed_from),
            missing,
        })
    }

    fn others(&self) -> Vec<String> {
        let in_chain = |id: SegmentId| self.chain.iter().any(|link| link.id == id);
        let strays = self
            .names
            .iter()
            .filter(|name| SegmentId::parse(name).is_some_and(|id| !in_chain(id)));
        strays.cloned().collect()
    }
}

fn load_newest(disk: &Arc<dyn Disk>, names: &[String]) -> Option<Snapshot> {
    let valid = |name: String| snapshot::load(disk, &name).ok().flatten();
    snapshot::names(names).into_iter().find_map(valid)
}

fn read_header(disk: &Arc<dyn Disk>, id: SegmentId) -> Option<Header> {
    let mut bytes = [0; 128];
    let file = disk.open(&id.file_name()).ok()?;
    let count = file.read_at(0, &mut bytes).ok()?;
    Header::decode(&bytes[..count]).filter(|header| header.id == id)
}

/// From the newest segment with a header back, over what is missing or has no header.
fn chain(all: &BTreeMap<SegmentId, Option<Header>>, needed_from: u32) -> Vec<Link> {
    let begun = all.iter().filter(|(_, header)| header.is_some());
    let head = begun
        .map(|(id, _)| *id)
        .max_by_key(|id| (id.token, id.number));
    let mut links: Vec<Link> = Vec::new();
    let (mut next, mut sealed) = (head, None);
    while let Some(id) = next {
        let header = all.get(&id).copied().flatten();
        links.push(Link { id, header, sealed });
        let previous = header.filter(|h| h.previous.number < id.number && h.previous.number > 0);
        sealed = previous.map(|h| (h.previous_end, h.first_batch));
        next = match previous {
            Some(h) if all.contains_key(&h.previous) || h.previous.number >= needed_from => {
                Some(h.previous)
            }
            // It says itself that nothing was before it.
            None if header.is_some_and(|h| h.previous.number == 0) => None,
            _ => older(all, id),
        };
        if previous.is_none_or(|h| next != Some(h.previous)) {
            sealed = None;
        }
    }
    links.reverse();
    links
}

/// The newest begun segment that can lie before `id`, or the one right before it though it has no header.
fn older(all: &BTreeMap<SegmentId, Option<Header>>, id: SegmentId) -> Option<SegmentId> {
    let right_before = SegmentId {
        number: id.number.saturating_sub(1),
        token: id.token,
    };
    let before = |other: &SegmentId| other.number < id.number && other.token <= id.token;
    let found = all
        .iter()
        .filter(|(other, header)| before(other) && (header.is_some() || **other == right_before));
    let candidates = found.map(|(other, _)| *other);
    candidates.max_by_key(|other| (other.number, other.token))
}

/// One step through a segment.
enum Found {
    Batch(Vec<(Position, Bytes)>),
    Gap(Damage),
}

/// Goes through the batches of one segment.
struct Walk {
    reader: SegmentReader,
    /// None when the end is reached, or there is nothing to read.
    window: Option<Window>,
    /// Damage of the segment as a whole, to be told first.
    whole: Option<Damage>,
    sealed: Option<(u64, u64)>,
    at: u64,
    /// The number of the batch that should come; none where the header did not say it.
    next: Option<u64>,
    /// The first number that was not read in the segments before.
    floor: u64,
    report: SegmentReport,
}

impl Walk {
    fn new(disk: &Arc<dyn Disk>, link: &Link, floor: u64) -> Self {
        let file = link.id.file_name();
        let opened = disk.open(&file).and_then(|f| Ok((f.length()?, f)));
        let whole = match &opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(DamageKind::Missing),
            Err(error) => Some(DamageKind::Unreadable(error.to_string())),
            Ok(_) if link.header.is_none() => Some(DamageKind::Header),
            Ok(_) => None,
        };
        let length = opened.as_ref().map_or(0, |(length, _)| *length);
        let end = link.sealed.map_or(length, |(end, _)| end.min(length));
        Self {
            reader: SegmentReader { id: link.id },
            window: opened.ok().map(|(_, file)| Window::new(file, end)),
            whole: whole.map(|kind| Damage {
                file: file.clone(),
                offset: 0,
                kind,
            }),
            sealed: link.sealed,
            at: HEADER_BYTES,
            next: link.header.map(|header| header.first_batch),
            floor,
            report: SegmentReport {
                file,
                number: link.id.number,
                owner: link.id.token,
                batches: 0,
                records: 0,
                bytes: 0,
                end: HEADER_BYTES,
                torn: 0,
                first_damage: None,
            },
        }
    }

    fn gap(&self, offset: u64, kind: DamageKind) -> Found {
        Found::Gap(Damage {
            file: self.report.file.clone(),
            offset,
            kind,
        })
    }

    /// The next whole batch or the next gap; none at the end.
    fn next_batch(&mut self) -> Option<Found> {
        if let Some(damage) = self.whole.take() {
            return Some(Found::Gap(damage));
        }
        if self.sealed.is_some_and(|(end, _)| self.at >= end) {
            return None;
        }
        // Put back by who finds something behind which it goes on.
        let mut window = self.window.take()?;
        let found = match self.try_batch(&mut window) {
            Ok(Some(records)) => Some(Found::Batch(records)),
            Ok(None) => return self.resynchronize(window),
            Err(error) => return Some(self.unreadable(&error)),
        };
        self.window = Some(window);
        found
    }

    fn unreadable(&self, error: &io::Error) -> Found {
        self.gap(self.at, DamageKind::Unreadable(error.to_string()))
    }

    /// The batch that should come, if it is here.
    fn try_batch(&mut self, window: &mut Window) -> io::Result<Option<Vec<(Position, Bytes)>>> {
        let Some(batch) = self.reader.batch_at(window, self.at)? else {
            return Ok(None);
        };
        if self.next.is_some_and(|next| batch.number != next) {
            return Ok(None);
        }
        let records: Vec<(Position, Bytes)> = self
            .reader
            .records(self.at, &batch)
            .map(|(position, bytes)| (position, Bytes::copy_from_slice(bytes)))
            .collect();
        self.next = Some(batch.number + 1);
        self.at = align(self.at + batch.length as u64);
        self.report.end = self.at;
        self.report.batches += 1;
        self.report.records += records.len() as u64;
        self.report.bytes += records.iter().map(|r| r.1.len() as u64).sum::<u64>();
        Ok(Some(records))
    }

    /// Looks for the next whole batch of the log behind a place where there is none.
    fn resynchronize(&mut self, mut window: Window) -> Option<Found> {
        let (start, expected) = (self.at, self.next);
        let last = self
            .sealed
            .map_or(u64::MAX, |(_, first)| first.saturating_sub(1));
        let numbers = expected.unwrap_or(self.floor)..=last;
        let behind = match self.reader.look_behind(&mut window, start, numbers) {
            Ok(behind) => behind,
            Err(error) => return Some(self.unreadable(&error)),
        };
        let Some((offset, number)) = behind.later else {
            return self.finish(&mut window);
        };
        self.window = Some(window);
        (self.at, self.next) = (offset, Some(number));
        if expected.is_none() && offset == start {
            return self.next_batch(); // nothing is missing but the header
        }
        let lost = expected.map(|expected| number.saturating_sub(expected));
        Some(self.gap(
            start,
            DamageKind::Batches {
                until: offset,
                lost,
            },
        ))
    }

    /// No batch follows: the end of the log, or a gap up to where the segment is known to end.
    fn finish(&mut self, window: &mut Window) -> Option<Found> {
        let (start, expected) = (self.at, self.next);
        let Some((end, first)) = self.sealed else {
            let torn = self.reader.head_at(window, start).ok().flatten();
            let torn = torn.filter(|head| Some(head.number) == expected);
            self.report.torn = torn.map_or(0, |head| window.within(start, head.length) as u64);
            return None;
        };
        self.report.end = end;
        let lost = expected.map(|expected| first.saturating_sub(expected));
        Some(self.gap(start, DamageKind::Batches { until: end, lost }))
    }
}
