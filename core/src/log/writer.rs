//! The writer: one batch at a time into the current segment; poisoned for good by the first failure.
//!
//! ```text
//!  prepare(bytes) -> room for a batch, or Full   push(record)*   commit() -> durable and still mine
//! ```
//!
//! One prepared segment is kept in reserve. An ordinary batch needs it to be there; a batch that only
//! removes may use it up, so that a full disk can be emptied.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::batch::{BATCH_HEADER_BYTES, Batch, RECORD_HEADER_BYTES};
use super::fence::{self, EpochFence, Fence};
use super::recovery::{self, Chain, Event, Found};
use super::segment::{HEADER_BYTES, Header, Position, SegmentId, align};
use super::snapshot::{self, Snapshot};
use super::token::Token;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::Clock;
use crate::sys::disk::{Disk, DiskFile};

/// How to open a log.
pub struct LogOptions {
    /// The cluster's epoch; `None`: one more than the log's own.
    pub epoch: Option<u64>,
    /// Who opens it.
    pub owner: String,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// No acknowledgement from this time of the boot clock on.
    pub deadline: Option<Duration>,
    /// Replaces the check of EPOCH: for negative controls.
    pub fence: Option<Box<dyn Fence>>,
}

/// A segment that is open for writing.
struct Open {
    id: SegmentId,
    file: Arc<dyn DiskFile>,
    length: u64,
}

/// The log, open for writing by this process alone.
pub struct Log {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    fence: Box<dyn Fence>,
    token: Token,
    segment_bytes: u64,
    deadline: Option<Duration>,
    current: Open,
    end: u64,
    /// The header of `current` that goes out with its first batch.
    header: Option<Header>,
    spare: Option<Open>,
    batch: Batch,
    next_batch: u64,
    segments: BTreeMap<u32, SegmentId>,
    files: Mutex<BTreeMap<u32, Arc<dyn DiskFile>>>,
    /// The last one this process wrote.
    last_snapshot: Option<String>,
    poison: Option<Error>,
}

impl Log {
    /// Takes the log over, replays it, and begins a new segment that seals what was read.
    ///
    /// # Errors
    /// `Fenced`, `StoreDamaged`, `InsufficientResources`, and the file system's.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: LogOptions,
        replay: &mut dyn FnMut(Event<'_>) -> Result<()>,
    ) -> Result<(Self, Found)> {
        let began = clock.boot();
        let token = choose_token(disk.as_ref(), options.epoch)?;
        let own_fence = EpochFence::take(disk.as_ref(), token, &options.owner)?;
        let taken_over = clock.boot();
        let mut chain = recovery::recover(&disk, token, replay)?;
        chain.found.taken_over = taken_over.saturating_sub(began);
        chain.found.read = clock.boot().saturating_sub(taken_over);
        let header = first_header(&chain, token);
        let segment_bytes = options.segment_bytes.max(4 * HEADER_BYTES);
        let current = begin(&disk, &own_fence, &chain, &header, segment_bytes)?;
        let mut segments = chain.segments;
        segments.insert(header.id.number, header.id);
        let log = Self {
            clock,
            fence: options.fence.unwrap_or_else(|| Box::new(own_fence)),
            token,
            segment_bytes,
            deadline: options.deadline,
            current,
            end: HEADER_BYTES,
            header: None,
            spare: None,
            batch: Batch::default(),
            next_batch: chain.next_batch,
            segments,
            files: Mutex::default(),
            last_snapshot: None,
            poison: None,
            disk,
        };
        log.fence.check()?;
        Ok((log, chain.found))
    }

    /// What opening left for later, so that the first request need not wait for it: removes what is not
    /// part of the log, and makes the segment in reserve. A full disk is no error here.
    ///
    /// # Errors
    /// Final: every later call returns the same.
    pub fn settle_in(&mut self) -> Result<()> {
        self.healthy()?;
        let names = self.disk.list().unwrap_or_default();
        self.check_owner().map_err(|error| self.poison(error))?;
        sweep(self.disk.as_ref(), &names, &self.segments, self.token);
        EpochFence::forget_older(self.disk.as_ref(), &names, self.token);
        match self.make_spare(self.current.id.number + 1) {
            Err(error) if error.kind != ErrorKind::InsufficientResources => Err(error),
            _ => Ok(()),
        }
    }

    /// The owner this process is.
    #[must_use]
    pub const fn token(&self) -> Token {
        self.token
    }

    /// The number of the segment that is written; it grows with every opening.
    #[must_use]
    pub const fn current_segment(&self) -> u32 {
        self.current.id.number
    }

    /// Bytes that a batch of `records` records with `bytes` bytes in all needs.
    fn batch_bytes(records: usize, bytes: usize) -> u64 {
        align((BATCH_HEADER_BYTES + records * RECORD_HEADER_BYTES + bytes) as u64)
    }

    /// Makes room for a batch of at most so many records and bytes. `reserve`: it only removes, and may
    /// use what is kept for that.
    ///
    /// # Errors
    /// `InsufficientResources`: the disk is full, nothing has changed. Any other is final.
    pub fn prepare(&mut self, records: usize, bytes: usize, reserve: bool) -> Result<()> {
        self.healthy()?;
        let need = Self::batch_bytes(records, bytes);
        if self.end + need > self.current.length {
            self.roll(need, reserve)
        } else if self.spare.is_none() && !reserve {
            self.make_spare(self.current.id.number + 1)
        } else {
            Ok(())
        }
    }

    /// Where the bytes of the next record will lie.
    #[must_use]
    pub fn next_position(&self, length: usize) -> Position {
        let offset = self.end + self.batch.next_record_at() as u64;
        Position {
            segment: self.current.id.number,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
            length: u32::try_from(length).unwrap_or(u32::MAX),
        }
    }

    /// Adds a record to the batch.
    pub fn push(&mut self, record: &[u8]) {
        self.batch.push(record);
    }

    /// Writes and syncs the batch, then checks that it may be acknowledged. Without records it only checks.
    ///
    /// # Errors
    /// Final: every later call returns the same.
    pub fn commit(&mut self) -> Result<u64> {
        self.healthy()?;
        let result = self.write_batch().and_then(|bytes| {
            self.check_owner()?;
            Ok(bytes)
        });
        self.batch.clear();
        result.map_err(|error| self.poison(error))
    }

    fn write_batch(&mut self) -> Result<u64> {
        if self.batch.is_empty() {
            return Ok(0);
        }
        let bytes = self.batch.seal(self.token, self.next_batch);
        if self.end + bytes.len() as u64 > self.current.length {
            return Err(Error::new(
                ErrorKind::Internal,
                "a batch is larger than was prepared for",
            ));
        }
        let file = &self.current.file;
        let write = || -> io::Result<()> {
            if let Some(header) = &self.header {
                file.write_at(0, &header.encode())?;
            }
            file.write_at(self.end, bytes)?;
            file.sync()
        };
        write().map_err(|error| failed("write the log", &error))?;
        let length = bytes.len() as u64;
        self.header = None;
        self.end = align(self.end + length);
        self.next_batch += 1;
        Ok(length)
    }

    fn check_owner(&self) -> Result<()> {
        self.fence.check()?;
        match self.deadline {
            Some(deadline) if self.clock.boot() >= deadline => Err(Error::new(
                ErrorKind::Fenced,
                "the owner's lease was not renewed in time",
            )
            .hint("the node has lost the cluster database; the group will come up elsewhere")),
            _ => Ok(()),
        }
    }

    /// Acknowledgements are allowed until then.
    pub fn extend_deadline(&mut self, until: Duration) {
        if self.deadline.is_none_or(|now| now < until) {
            self.deadline = Some(until);
        }
    }

    fn healthy(&self) -> Result<()> {
        self.poison.clone().map_or(Ok(()), Err)
    }

    fn poison(&mut self, error: Error) -> Error {
        self.poison = Some(error.clone());
        error
    }

    /// Goes on in the next segment, which has room for `need` bytes.
    fn roll(&mut self, need: u64, reserve: bool) -> Result<()> {
        self.write_header()?;
        let number = self.current.id.number + 1;
        if let Some(small) = self.spare.take_if(|s| s.length < HEADER_BYTES + need) {
            self.discard(&small);
        }
        let next = match self.spare.take() {
            Some(next) => next,
            None => self.create(number, need)?,
        };
        if let Err(error) = self.make_spare(number + 1)
            && (!reserve || error.kind != ErrorKind::InsufficientResources)
        {
            self.spare = Some(next);
            return Err(error);
        }
        self.header = Some(Header {
            id: next.id,
            previous: self.current.id,
            previous_end: self.end,
            first_batch: self.next_batch,
        });
        self.segments.insert(number, next.id);
        self.current = next;
        self.end = HEADER_BYTES;
        Ok(())
    }

    /// Writes a header that is still due: something is about to refer to this segment.
    fn write_header(&mut self) -> Result<()> {
        let Some(header) = self.header.take() else {
            return Ok(());
        };
        let file = &self.current.file;
        let begun = file
            .write_at(0, &header.encode())
            .and_then(|()| file.sync());
        begun.map_err(|error| self.poison(failed("begin a segment", &error)))
    }

    fn make_spare(&mut self, number: u32) -> Result<()> {
        self.spare = Some(self.create(number, 0)?);
        Ok(())
    }

    fn create(&mut self, number: u32, need: u64) -> Result<Open> {
        let token = self.token;
        let length = self.next_bytes().max(HEADER_BYTES + need);
        match create(self.disk.as_ref(), SegmentId { number, token }, length) {
            Err(error) if error.kind == ErrorKind::InsufficientResources => Err(error),
            Err(error) => Err(self.poison(error)),
            Ok(open) => match self.disk.sync_folder() {
                Ok(()) => Ok(open),
                Err(error) => Err(self.poison(failed("sync the folder", &error))),
            },
        }
    }

    /// Segments grow from opening to full size: the first is quick to make.
    fn next_bytes(&self) -> u64 {
        self.segment_bytes
            .min(self.current.length.saturating_mul(SEGMENT_GROWTH))
    }

    fn discard(&self, open: &Open) {
        // It has no header: whether it goes or stays changes nothing but space.
        drop(self.disk.remove(&open.id.file_name()));
    }

    /// Reads bytes of a record.
    ///
    /// # Errors
    /// `StoreDamaged` when the bytes are not there; those of the file system.
    pub fn read(&self, position: Position) -> Result<Vec<u8>> {
        let mut bytes = vec![0; position.length as usize];
        let lost = |what: &dyn std::fmt::Display| {
            Error::new(
                ErrorKind::StoreDamaged,
                format!(
                    "segment {} at byte {}: {what}",
                    position.segment, position.offset
                ),
            )
        };
        let file = self.file(position.segment).map_err(|error| lost(&error))?;
        let count = file.read_at(u64::from(position.offset), &mut bytes);
        match count.map_err(|error| lost(&error))? {
            count if count == bytes.len() => Ok(bytes),
            _ => Err(lost(&"the file is too short")),
        }
    }

    fn file(&self, number: u32) -> io::Result<Arc<dyn DiskFile>> {
        if number == self.current.id.number {
            return Ok(Arc::clone(&self.current.file));
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(&number) {
            return Ok(Arc::clone(file));
        }
        let id = self.segments.get(&number);
        let id = id.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let file = self.disk.open(&id.file_name())?;
        if files.len() >= OPEN_FILES_MAX {
            files.pop_first();
        }
        files.insert(number, Arc::clone(&file));
        Ok(file)
    }

    /// Writes a snapshot of the state at the end of the log; then removes the segments that are not in
    /// `live` and the snapshots of before. Not called with a batch under way.
    ///
    /// # Errors
    /// `InsufficientResources`: it could not be written, the log goes on without. Any other is final.
    pub fn snapshot(&mut self, payload: Vec<u8>, live: &BTreeSet<u32>) -> Result<u64> {
        self.healthy()?;
        self.write_header()?;
        let current = self.current.id;
        let dead = |number: u32| number < current.number && !live.contains(&number);
        let kept = self.segments.values().filter(|id| !dead(id.number));
        let snapshot = Snapshot {
            segment: current,
            offset: self.end,
            next_batch: self.next_batch,
            live: kept.copied().filter(|id| *id != current).collect(),
            payload,
        };
        let name = snapshot.file_name(self.token);
        let bytes = self.store_snapshot(&name, &snapshot.encode())?;
        self.remove_dead(&name, &dead)?;
        Ok(bytes)
    }

    fn store_snapshot(&mut self, name: &str, bytes: &[u8]) -> Result<u64> {
        let length = bytes.len() as u64;
        if self.last_snapshot.as_deref() == Some(name) {
            return Ok(length); // nothing was written since
        }
        let mut file = self.disk.create(name, length);
        if file.is_err()
            && let Some(spare) = self.spare.take()
        {
            // Full: what is reserved is enough for a small snapshot, and that will free segments.
            self.discard(&spare);
            file = self.disk.create(name, length);
        }
        let file = file.map_err(|error| Error::system("create a snapshot", &error));
        let file = match file {
            Err(error) if error.kind == ErrorKind::InsufficientResources => return Err(error),
            other => other.map_err(|error| self.poison(error))?,
        };
        let written = file.write_at(0, bytes).and_then(|()| file.sync());
        let written = written.and_then(|()| self.disk.sync_folder());
        written.map_err(|error| self.poison(failed("write a snapshot", &error)))?;
        self.last_snapshot = Some(name.to_owned());
        Ok(length)
    }

    /// Removes what the snapshot replaces. What cannot be removed is tried again at the next one.
    ///
    /// This process may be stopped between the check and a removal, and go on when another owns the store.
    /// That is harmless: that owner began to read after the check, when the snapshot was durable, so
    /// nothing that is removed here is needed by what it read, and what it wrote bears a higher token.
    fn remove_dead(&mut self, snapshot: &str, dead: &dyn Fn(u32) -> bool) -> Result<()> {
        let names = self.disk.list().unwrap_or_default();
        self.check_owner().map_err(|error| self.poison(error))?;
        if let Some(newest) = snapshot::Name::parse(snapshot) {
            let replaced = |name: &&String| {
                snapshot::Name::parse(name).is_some_and(|name| name.is_replaced_by(newest))
            };
            for name in names.iter().filter(replaced) {
                drop(self.disk.remove(name));
            }
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, id) in &self.segments {
            if dead(*number) {
                files.remove(number);
                drop(self.disk.remove(&id.file_name()));
            }
        }
        drop(files);
        self.segments.retain(|number, _| !dead(*number));
        Ok(())
    }
}

/// The first segment after an opening, and how many times larger the next one is.
const FIRST_SEGMENT_BYTES: u64 = 256 * 1024;
const SEGMENT_GROWTH: u64 = 4;

/// Segments that are kept open for reading.
const OPEN_FILES_MAX: usize = 64;

fn failed(what: &str, error: &io::Error) -> Error {
    Error::new(
        ErrorKind::MessageStorageFailed,
        format!("the message store failed to {what}: {error}"),
    )
    .hint("the store is closed for good in this process; what was acknowledged is on disk; start it again")
}

fn create(disk: &dyn Disk, id: SegmentId, length: u64) -> Result<Open> {
    let file = disk.create(&id.file_name(), length).map_err(|error| {
        Error::system(format_args!("create segment {}", id.file_name()), &error)
            .hint("free space on the disk; messages can still be received")
    })?;
    Ok(Open { id, file, length })
}

fn choose_token(disk: &dyn Disk, epoch: Option<u64>) -> Result<Token> {
    let names = list(disk)?;
    let segments = names.iter().filter_map(|n| SegmentId::parse(n));
    let stored = segments.map(|id| id.token).chain(fence::claims(&names));
    let stored = stored.max().unwrap_or_default();
    let epoch = epoch.unwrap_or(stored.epoch + 1);
    if epoch < stored.epoch {
        return Err(Error::new(
            ErrorKind::Fenced,
            format!(
                "the message store has epoch {}, this is epoch {epoch}",
                stored.epoch
            ),
        )
        .hint("another node has taken over since"));
    }
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    Ok(Token {
        epoch,
        incarnation: if epoch == stored.epoch {
            stored.incarnation + 1
        } else {
            0
        },
        nonce: u32::try_from((high ^ low) >> 32).unwrap_or(0),
    })
}

fn first_header(chain: &Chain, token: Token) -> Header {
    Header {
        id: SegmentId {
            number: chain.head.number + 1,
            token,
        },
        previous: chain.head,
        previous_end: chain.head_end,
        first_batch: chain.next_batch,
    }
}

/// Creates the first segment of this owner; its header seals what was read.
fn begin(
    disk: &Arc<dyn Disk>,
    fence: &EpochFence,
    chain: &Chain,
    header: &Header,
    segment_bytes: u64,
) -> Result<Open> {
    let length = segment_bytes.min(FIRST_SEGMENT_BYTES);
    let current = match create(disk.as_ref(), header.id, length) {
        Err(error) if error.kind == ErrorKind::InsufficientResources => {
            // The last owner's reserve goes early, to have a place for the header at all.
            let names = list(disk.as_ref())?;
            fence.check()?;
            sweep(disk.as_ref(), &names, &chain.segments, header.id.token);
            create(disk.as_ref(), header.id, length)?
        }
        other => other?,
    };
    let file = &current.file;
    let written = file
        .write_at(0, &header.encode())
        .and_then(|()| file.sync())
        .and_then(|()| disk.sync_folder());
    written.map_err(|error| Error::system("begin a segment of the message store", &error))?;
    Ok(current)
}

fn list(disk: &dyn Disk) -> Result<Vec<String>> {
    disk.list()
        .map_err(|error| Error::system("list the message store", &error))
}

/// Removes what earlier owners left that is not part of the log: prepared segments, dead ones.
///
/// After the own header is durable and EPOCH was still the own: a later owner's log goes through that
/// header, so none of these can ever belong to it, however long this process is stopped in between.
fn sweep(disk: &dyn Disk, names: &[String], log: &BTreeMap<u32, SegmentId>, token: Token) {
    for name in names {
        let stray = SegmentId::parse(name)
            .is_some_and(|id| id.token < token && log.get(&id.number) != Some(&id));
        if stray {
            // What stays is tried again at the next opening.
            drop(disk.remove(name));
        }
    }
}
