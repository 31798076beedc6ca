//! Work for the disk beside the engine's thread: one thread writes and syncs batches, one does what takes longer.
//!
//! Without a waker there is nobody who would look for what is done, so all of it runs here and now: that is how
//! tests are deterministic.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::log::{
    Flush, Flushed, MadeSpare, Position, RecordsJob, SnapshotJob, SpareJob, WrittenSnapshot,
};

/// What takes longer than a batch.
pub(super) enum Chore {
    Spare(SpareJob),
    Snapshot(SnapshotJob),
    Records(u32, RecordsJob),
}

/// A chore that is done.
pub(super) enum Done {
    Spare(MadeSpare),
    Snapshot(WrittenSnapshot),
    Records(u32, Result<Vec<(Position, Bytes)>>),
}

impl Chore {
    fn run(self) -> Done {
        match self {
            Self::Spare(job) => Done::Spare(job.run()),
            Self::Snapshot(job) => Done::Snapshot(job.run()),
            Self::Records(number, job) => Done::Records(number, job.run()),
        }
    }
}

type Waker = Arc<dyn Fn() + Send + Sync>;

/// A thread with its way in and out.
struct Lane<In, Out> {
    jobs: Sender<In>,
    done: Receiver<Out>,
}

impl<In: Send + 'static, Out: Send + 'static> Lane<In, Out> {
    fn start(name: &str, wake: Waker, work: impl Fn(In) -> Out + Send + 'static) -> Result<Self> {
        let (jobs, todo) = channel::<In>();
        let (finished, done) = channel();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                for job in todo {
                    if finished.send(work(job)).is_err() {
                        return;
                    }
                    wake();
                }
            })
            .map_err(|error| Error::system("start a thread for the disk", &error))?;
        Ok(Self { jobs, done })
    }
}

/// See the module.
pub(super) struct Background {
    flushes: Lane<Flush, Flushed>,
    chores: Lane<Chore, Done>,
}

fn gone() -> Error {
    Error::new(ErrorKind::Internal, "a thread for the disk has ended")
        .hint("the store is closed; start the queue manager again")
}

impl Background {
    pub(super) fn start(wake: Waker) -> Result<Self> {
        Ok(Self {
            flushes: Lane::start("hamq-flush", Arc::clone(&wake), Flush::run)?,
            chores: Lane::start("hamq-chores", wake, Chore::run)?,
        })
    }

    pub(super) fn flush(&self, flush: Flush) -> Result<()> {
        self.flushes.jobs.send(flush).map_err(|_| gone())
    }

    /// The flush that is done, if it is.
    pub(super) fn flushed(&self) -> Result<Option<Flushed>> {
        match self.flushes.done.try_recv() {
            Ok(flushed) => Ok(Some(flushed)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(gone()),
        }
    }

    /// Waits for the flush that is under way.
    pub(super) fn wait_for_flush(&self) -> Result<Flushed> {
        self.flushes.done.recv().map_err(|_| gone())
    }

    pub(super) fn chore(&self, chore: Chore) -> Result<()> {
        self.chores.jobs.send(chore).map_err(|_| gone())
    }

    /// A chore that is done, if one is.
    pub(super) fn done(&self) -> Result<Option<Done>> {
        match self.chores.done.try_recv() {
            Ok(done) => Ok(Some(done)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(gone()),
        }
    }

    /// Waits for a chore that is under way.
    pub(super) fn wait_for_chore(&self) -> Result<Done> {
        self.chores.done.recv().map_err(|_| gone())
    }
}
