//! One connection of a session, after its welcome. Whoever waits for a reply reads it, spinning a little before
//! it sleeps: on the way of a lone request there is no other thread to be woken.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::api::wire::FrameBuffer;
use crate::error::{Error, Result};
use crate::sys::network::{Stream, Waker, wait_for};

/// How long a reader looks again and again before it sleeps: waking up takes a virtual core 30 us.
const SPIN: Duration = Duration::from_micros(100);
/// With more requests under way it sleeps at once: what counts then is how many are done, not how soon one is.
const SPIN_REQUESTS_MAX: usize = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) stream: Stream,
    /// Of the queue manager on the other side.
    pub(super) epoch: u64,
    /// Wakes who reads, for something else.
    pub(super) waker: Waker,
    /// What came in; of the one reader.
    pub(super) inbox: Mutex<Inbox>,
}

/// What came in.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) frames: FrameBuffer,
    pub(super) scratch: Vec<u8>,
}

impl Line {
    pub(super) fn new(stream: Stream, epoch: u64) -> Result<Self> {
        let waker = Waker::new().map_err(|e| Error::system("open a session", &e))?;
        Ok(Self {
            stream,
            epoch,
            waker,
            inbox: Mutex::default(),
        })
    }

    /// Sleeps until something comes, or can be written, or somebody wakes it, or for `timeout`.
    pub(super) fn sleep(&self, write: bool, timeout: Duration) -> Result<()> {
        wait_for(&self.stream, write, &self.waker, timeout)
            .map_err(|e| Error::system("wait for the queue manager", &e))
    }

    /// Sleeps until something comes, or for `timeout`. Wake-ups are for the reader, which this is not.
    pub(super) fn sleep_alone(&self, timeout: Duration) {
        let slept = Waker::new().and_then(|own| wait_for(&self.stream, false, &own, timeout));
        if slept.is_err() {
            std::thread::sleep(timeout);
        }
    }
}

/// Threads of this process that wait for a reply. A lone one spins: several would take the processor from each
/// other, and from whom they wait for.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// The right to look again and again for a short time.
#[derive(Debug)]
pub(super) struct Spin {
    until: Option<Instant>,
}

impl Spin {
    /// Begins, unless another thread waits as well or there is one processor only, or so many requests are under way
    /// that the queue manager needs the processor more.
    pub(super) fn begin(under_way: usize) -> Self {
        let alone = WAITING.fetch_add(1, Ordering::AcqRel) == 0;
        let spins = alone && under_way <= SPIN_REQUESTS_MAX && several_processors();
        Self {
            until: spins.then(|| Instant::now() + SPIN),
        }
    }

    /// Whether it looks again and again.
    pub(super) const fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// Gives way to whoever wants to run; whether to look again.
    pub(super) fn again(&mut self) -> bool {
        let alone = WAITING.load(Ordering::Acquire) <= 1;
        let again = alone && self.until.is_some_and(|until| Instant::now() < until);
        match again {
            true => rustix::thread::sched_yield(),
            false => self.until = None,
        }
        again
    }
}

impl Drop for Spin {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::AcqRel);
    }
}

fn several_processors() -> bool {
    static SEVERAL: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *SEVERAL.get_or_init(|| std::thread::available_parallelism().is_ok_and(|n| n.get() > 1))
}
