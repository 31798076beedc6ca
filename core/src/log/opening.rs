//! Taking the log over: claim, read, begin a segment that seals what was read, tidy up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::batch::Batch;
use super::fence::{self, EpochFence, Fence};
use super::pool::Pool;
use super::reading::Reading;
use super::recovery::{self, Chain, Event, Found, Stored};
use super::segment::{HEADER_BYTES, Header, SegmentId};
use super::token::Token;
use super::writer::{Log, Open, Sealed, create};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::Clock;
use crate::sys::disk::Disk;

/// The first segment after an opening; it is quick to make, the next ones are larger.
const FIRST_SEGMENT_BYTES: u64 = 256 * 1024;

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

impl Log {
    /// Takes the log over, replays it, and begins a new segment that seals what was read.
    ///
    /// # Errors
    /// `Fenced`, `StoreDamaged`, `InsufficientResources`, and the file system's.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: LogOptions,
        replay: &mut dyn FnMut(&Stored<'_>, Event<'_>) -> Result<()>,
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
        let number = header.id.number;
        let log = Self {
            clock,
            fence: options.fence.unwrap_or_else(|| Box::new(own_fence)),
            token,
            segment_bytes,
            deadline: options.deadline,
            current,
            end: HEADER_BYTES,
            due: Vec::new(),
            batch: Batch::default(),
            other_batch: Batch::default(),
            in_flight: false,
            settled: (number, HEADER_BYTES),
            next_batch: chain.next_batch,
            segments: chain.segments,
            reading: Reading::default(),
            pool: Pool::new(number + 1),
            last_snapshot: None,
            poison: None,
            meter: super::meter::Meter::default(),
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
        self.tend_spares()
    }
}

fn choose_token(disk: &dyn Disk, epoch: Option<u64>) -> Result<Token> {
    let names = list(disk)?;
    let segments = names.iter().filter_map(|n| SegmentId::parse(n));
    let stored = segments.map(|id| id.token).chain(fence::claims(&names));
    let stored = stored.max().unwrap_or_default();
    let epoch = epoch.unwrap_or(stored.epoch.saturating_add(1));
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
            stored.incarnation.saturating_add(1)
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
        lives: 0,
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
fn sweep(disk: &dyn Disk, names: &[String], log: &BTreeMap<u32, Sealed>, token: Token) {
    for name in names {
        let stray = SegmentId::parse(name)
            .is_some_and(|id| id.token < token && log.get(&id.number).is_none_or(|s| s.id != id));
        if stray {
            // What stays is tried again at the next opening.
            drop(disk.remove(name));
        }
    }
}
