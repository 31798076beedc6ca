//! Which of many descriptors is ready (epoll), and a way to wake who waits for them (eventfd).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

/// The token of the waker; no other may have it.
const WAKER: u64 = u64::MAX;
/// Descriptors that one wait tells of.
const EVENTS_MAX: usize = 256;

/// A descriptor is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it was added with.
    pub token: u64,
    /// It can be read, or is at its end.
    pub readable: bool,
    /// It can be written.
    pub writable: bool,
    /// Nothing can be done with it any more but to close it.
    pub ended: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
    waker: Waker,
}

impl Poller {
    /// One that watches nothing yet.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let waker = Waker::new()?;
        epoll::add(&epoll, &*waker.0, EventData::new_u64(WAKER), EventFlags::IN)?;
        Ok(Self { epoll, waker })
    }

    /// What wakes `wait`, from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Watches a descriptor until it is closed.
    ///
    /// # Errors
    /// Those of the system.
    pub fn add(&self, fd: impl AsFd, token: u64) -> io::Result<()> {
        epoll::add(&self.epoll, fd, EventData::new_u64(token), EventFlags::IN)?;
        Ok(())
    }

    /// Changes what a descriptor is watched for.
    ///
    /// # Errors
    /// Those of the system.
    pub fn watch(&self, fd: impl AsFd, token: u64, read: bool, write: bool) -> io::Result<()> {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, read);
        flags.set(EventFlags::OUT, write);
        epoll::modify(&self.epoll, fd, EventData::new_u64(token), flags)?;
        Ok(())
    }

    /// Waits for at most `timeout` and puts what is ready into `ready`. Whether the waker was called.
    ///
    /// # Errors
    /// Those of the system.
    pub fn wait(&self, timeout: Option<Duration>, ready: &mut Vec<Event>) -> io::Result<bool> {
        ready.clear();
        let timeout = timeout.map(round_up);
        let mut room = [const { MaybeUninit::<epoll::Event>::uninit() }; EVENTS_MAX];
        let events = match epoll::wait(&self.epoll, &mut room, timeout.as_ref()) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let mut woken = false;
        for event in events {
            let (data, flags) = (event.data, event.flags);
            if data.u64() == WAKER {
                self.waker.clear();
                woken = true;
                continue;
            }
            ready.push(Event {
                token: data.u64(),
                readable: flags.intersects(EventFlags::IN),
                writable: flags.intersects(EventFlags::OUT),
                ended: flags.intersects(EventFlags::ERR | EventFlags::HUP),
            });
        }
        Ok(woken)
    }
}

/// The kernel counts epoll's timeouts in milliseconds; waking too early would be a busy loop.
fn round_up(timeout: Duration) -> Timespec {
    let ms = u64::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    Timespec {
        tv_sec: i64::try_from(ms / 1000).unwrap_or(i64::MAX / 2),
        tv_nsec: i64::try_from(ms % 1000 * 1_000_000).unwrap_or(0),
    }
}

/// Wakes a [`Poller`], or a [`wait_for`]. Clones wake the same.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// One that was not woken yet.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new() -> io::Result<Self> {
        let flags = EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
        Ok(Self(Arc::new(eventfd(0, flags)?)))
    }

    /// Wakes who waits, or the next who will.
    pub fn wake(&self) {
        // Full means that it was woken and has not noticed yet.
        let _ = rustix::io::write(&*self.0, &1_u64.to_le_bytes());
    }

    /// Forgets that it was woken.
    pub fn clear(&self) {
        let mut count = [0_u8; 8];
        let _ = rustix::io::read(&*self.0, &mut count);
    }
}

/// Waits until `fd` can be read (or written, if `write`), `waker` wakes, or the time is over.
///
/// # Errors
/// Those of the system.
pub fn wait_for(fd: impl AsFd, write: bool, waker: &Waker, timeout: Duration) -> io::Result<()> {
    let mut wanted = PollFlags::IN;
    wanted.set(PollFlags::OUT, write);
    let fd = fd.as_fd();
    let mut both = [
        PollFd::from_borrowed_fd(fd, wanted),
        PollFd::from_borrowed_fd(waker.0.as_fd(), PollFlags::IN),
    ];
    let timeout = Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX / 2),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    match poll(&mut both, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    if both[1].revents().contains(PollFlags::IN) {
        waker.clear();
    }
    Ok(())
}
