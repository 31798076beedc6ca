//! Spares: segments that are ready before they are needed.
//!
//! ```text
//!  create: zeros written, or reserved -+
//!                                      +-> ready -> current -> sealed -> dead -> removed
//!  recycle: renamed  <-----------------+--------------------------------- own ones
//! ```
//!
//! Everything slow is a [`SpareJob`]: a plain value that the log's user runs on a thread of its own. One is
//! under way at a time.
//!
//! How many: one in reserve; a second from when half of the current segment is full; one more for each time
//! that there was none when it was needed. At a snapshot, as many dead segments are recycled as there were
//! rolls since the last one; after a snapshot that found the log idle one spare is left.
//!
//! **Written or reserved.** A sync into blocks that were only reserved commits their allocation: 60 us more
//! a sync where this was measured, which is half of a small one. Writing zeros first costs as much as writing the
//! data. So a new segment is zero-filled unless the batches are so large that the fill costs more than it
//! saves. A recycled one is neither: its blocks have been written.

use std::collections::VecDeque;
use std::sync::Arc;

use super::segment::SegmentId;
use super::token::Token;
use super::writer::{Log, Open, create, failed, not_created};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::disk::Disk;

/// New spares that are made ahead at most.
const AHEAD_MAX: usize = 4;
/// Spares at most, recycled ones included.
const READY_MAX: usize = 8;
/// Where batches have on average so many bytes, a new segment is only reserved.
const LARGE_BATCH_BYTES: u64 = 128 * 1024;

/// What is ready, what can become so, what is in the way.
#[derive(Default)]
pub(super) struct Pool {
    /// Lowest number first; all higher than the current segment's.
    ready: VecDeque<Open>,
    /// Files of this opening that hold nothing any more, to become spares.
    dead: Vec<Dead>,
    /// Files to remove.
    garbage: Vec<String>,
    /// The number of the next segment that is made.
    next_number: u32,
    under_way: bool,
    ahead: usize,
    /// The disk was full at the last attempt.
    full: bool,
    rolls: usize,
    batch_bytes: u64,
}

pub(super) struct Dead {
    pub(super) name: String,
    pub(super) lives: u32,
}

impl Pool {
    pub(super) fn new(next_number: u32) -> Self {
        Self {
            next_number,
            ahead: 1,
            ..Self::default()
        }
    }

    pub(super) fn has_reserve(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether a spare is being made.
    pub(super) const fn is_busy(&self) -> bool {
        self.under_way
    }

    pub(super) const fn disk_is_full(&mut self) {
        self.full = true;
    }

    pub(super) const fn was_full(&self) -> bool {
        self.full
    }

    /// The current segment is half full.
    pub(super) fn expect_roll(&mut self) {
        self.ahead = self.ahead.max(2);
    }

    /// A batch of so many bytes goes out.
    pub(super) const fn flushed(&mut self, bytes: u64) {
        self.batch_bytes = (7 * self.batch_bytes + bytes) / 8;
    }

    /// The log goes on in segment `current`. Spares with a lower number need a new one.
    pub(super) fn rolled(&mut self, current: u32) {
        self.rolls += 1;
        while let Some(late) = self.ready.pop_front_if(|s| s.id.number < current) {
            self.recycle(&late.id, late.lives);
        }
    }

    /// A spare of at least `length` bytes; smaller ones are of no more use.
    pub(super) fn take(&mut self, length: u64) -> Option<Open> {
        while let Some(spare) = self.ready.pop_front() {
            if spare.length >= length {
                return Some(spare);
            }
            self.remove(spare.id.file_name());
        }
        None
    }

    pub(super) fn add(&mut self, spare: Open) {
        let at = self
            .ready
            .partition_point(|s| s.id.number < spare.id.number);
        self.ready.insert(at, spare);
    }

    /// One that could not wait for a job: make more ahead.
    pub(super) fn made_inline(&mut self, spare: Open) -> Open {
        self.full = false;
        self.ahead = (self.ahead + 1).min(AHEAD_MAX);
        spare
    }

    /// What makes a new one of `length` bytes.
    pub(super) fn create_task(&mut self, token: Token, length: u64) -> Task {
        let id = self.next_id(token);
        if self.batch_bytes >= LARGE_BATCH_BYTES {
            Task::Reserve(id, length)
        } else {
            Task::Fill(id, length)
        }
    }

    fn next_id(&mut self, token: Token) -> SegmentId {
        let number = self.next_number;
        self.next_number += 1;
        SegmentId { number, token }
    }

    pub(super) fn remove(&mut self, name: String) {
        self.garbage.push(name);
    }

    pub(super) fn recycle(&mut self, id: &SegmentId, lives: u32) {
        self.dead.push(Dead {
            name: id.file_name(),
            lives,
        });
    }

    /// A snapshot is durable: as many spares as the time since the last one needed are kept. `dead` are the
    /// files that this opening made and that hold nothing any more.
    pub(super) fn checkpoint(&mut self, dead: Vec<Dead>) {
        let keep = match self.rolls {
            0 | 1 => 1,
            rolls => (rolls + 1).min(READY_MAX),
        };
        if keep == 1 {
            self.ahead = 1;
        }
        self.dead.extend(dead);
        while self.ready.len() > keep
            && let Some(spare) = self.ready.pop_back()
        {
            self.remove(spare.id.file_name());
        }
        while self.ready.len() + self.dead.len() > keep
            && let Some(dead) = self.dead.pop()
        {
            self.remove(dead.name);
        }
        self.rolls = 0;
        self.full = false;
    }

    /// Nothing is going on: one spare is enough.
    pub(super) fn rest(&mut self) {
        self.rolls = 0;
        self.checkpoint(Vec::new());
    }

    /// Gives the reserve away, to write a snapshot in its place on a full disk.
    pub(super) fn lend(&mut self) -> Option<Open> {
        self.ready.pop_back()
    }

    /// Takes a spare back, or from a job. One that the log has overtaken needs a new number.
    pub(super) fn give_back(&mut self, spare: Open, current: u32) {
        if spare.id.number < current {
            self.recycle(&spare.id, spare.lives);
        } else {
            self.add(spare);
        }
    }

    pub(super) fn check_invariants(&self, current: u32) {
        let numbers = || self.ready.iter().map(|spare| spare.id.number);
        assert!(
            numbers().is_sorted_by(|a, b| a < b),
            "the lowest goes first"
        );
        assert!(numbers().all(|n| current < n && n < self.next_number));
        assert!(
            self.ready.len() <= READY_MAX + AHEAD_MAX,
            "spares are bounded"
        );
    }

    fn next_task(&mut self, token: Token, length: u64) -> Option<Task> {
        let short = self.ready.len() < self.ahead;
        if short || self.garbage.is_empty() {
            if let Some(dead) = self.dead.pop() {
                return Some(Task::Recycle(dead, self.next_id(token)));
            }
            if short && !self.full {
                return Some(self.create_task(token, length));
            }
        }
        let garbage = std::mem::take(&mut self.garbage);
        (!garbage.is_empty()).then_some(Task::Remove(garbage))
    }
}

/// One step that the pool needs.
pub(super) enum Task {
    /// Create a segment of written zeros.
    Fill(SegmentId, u64),
    /// Create a segment whose blocks are only reserved.
    Reserve(SegmentId, u64),
    /// Make the dead file a segment of this name.
    Recycle(Dead, SegmentId),
    Remove(Vec<String>),
}

impl Task {
    /// Does it; for `Remove` there is nothing to give, so that is the job's.
    pub(super) fn run(self, disk: &dyn Disk) -> Result<Open> {
        let spare = match self {
            Self::Fill(id, length) => create(disk, id, length)?,
            Self::Reserve(id, length) => {
                let file = disk.reserve(&id.file_name(), length);
                let file = file.map_err(|error| not_created(id, &error))?;
                Open {
                    id,
                    file,
                    length,
                    lives: 0,
                }
            }
            Self::Recycle(dead, id) => recycle(disk, &dead, id)?,
            Self::Remove(_) => return Err(Error::new(ErrorKind::Internal, "no spare to make")),
        };
        // The name is durable before anything is written under it.
        let synced = disk.sync_folder();
        synced.map_err(|error| failed("sync the folder", &error))?;
        Ok(spare)
    }
}

fn recycle(disk: &dyn Disk, dead: &Dead, id: SegmentId) -> Result<Open> {
    let name = id.file_name();
    let recycled = disk.rename(&dead.name, &name).and_then(|()| {
        let file = disk.open(&name)?;
        let length = file.length()?;
        Ok(Open {
            id,
            file,
            length,
            lives: dead.lives.saturating_add(1),
        })
    });
    recycled.map_err(|error| failed("recycle a segment", &error))
}

/// Makes or removes segments, on any thread.
#[must_use = "the pool waits for what it made"]
pub struct SpareJob {
    disk: Arc<dyn Disk>,
    task: Task,
}

/// What a [`SpareJob`] has done.
#[must_use = "the pool waits for it"]
pub struct MadeSpare(Result<Option<Open>>);

impl SpareJob {
    /// Does it.
    pub fn run(self) -> MadeSpare {
        let Task::Remove(names) = self.task else {
            return MadeSpare(self.task.run(self.disk.as_ref()).map(Some));
        };
        for name in names {
            // What stays is removed by the next owner.
            drop(self.disk.remove(&name));
        }
        MadeSpare(Ok(None))
    }
}

impl Log {
    /// The next thing to do for the spares, if there is any and none is under way. To be asked after
    /// [`Log::prepare`], [`Log::install_spare`] and [`Log::finish_snapshot`].
    pub fn spare_job(&mut self) -> Option<SpareJob> {
        if self.pool.under_way || self.poison.is_some() {
            return None;
        }
        let length = self.next_bytes();
        let task = self.pool.next_task(self.token, length)?;
        self.pool.under_way = true;
        Some(SpareJob {
            disk: Arc::clone(&self.disk),
            task,
        })
    }

    /// Takes back what a job made.
    ///
    /// # Errors
    /// `InsufficientResources`: the disk is full, the log goes on with what it has. Any other is final.
    pub fn install_spare(&mut self, made: MadeSpare) -> Result<()> {
        self.pool.under_way = false;
        self.healthy()?;
        match made.0 {
            Ok(None) => Ok(()),
            Ok(Some(spare)) => {
                self.pool.full = false;
                self.pool.give_back(spare, self.current.id.number);
                Ok(())
            }
            Err(error) if error.kind == ErrorKind::InsufficientResources => {
                self.pool.full = true;
                Err(error)
            }
            Err(error) => Err(self.poison(error)),
        }
    }

    /// Nothing is going on: what was kept for a rush is given back, by the spare jobs that are then to be asked for.
    pub fn rest(&mut self) {
        self.pool.rest();
    }

    /// Does all that the spares need, here and now; a full disk is no error.
    pub(super) fn tend_spares(&mut self) -> Result<()> {
        while let Some(job) = self.spare_job() {
            match self.install_spare(job.run()) {
                Err(error) if error.kind != ErrorKind::InsufficientResources => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
