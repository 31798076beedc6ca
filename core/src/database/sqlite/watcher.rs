//! How a handle hears of changes: by inotify from other processes, by a timer of leases that expire.
//!
//! ```text
//!  bell written, log written ─inotify─┐
//!  next lease expires ────────timer───┼─> look at the revision ──> announce
//!  safety poll ───────────────timer───┘
//! ```
//!
//! The log is written a moment before the change can be seen and the bell a moment after; a process may
//! die in between. So a look that found nothing new is repeated soon, then ever later.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::fs::inotify;
use rustix::time::Timespec;
use tokio::sync::{mpsc, watch};

use super::Job;
use super::access::folder_of;
use super::store::Store;
use crate::error::{Error, Result};

/// First repetition of a look after an event.
const LOOK_AGAIN: Duration = Duration::from_millis(4);
/// Longest pause between two looks.
const SAFETY_POLL: Duration = Duration::from_millis(250);

struct Watcher {
    store: Store,
    events: OwnedFd,
    stopped: UnixStream,
    changes: Arc<watch::Sender<u64>>,
    writer: mpsc::WeakSender<Job>,
}

/// Starts the thread; it ends when the other end of `stopped` is closed.
pub(super) fn start(
    store: Store,
    stopped: UnixStream,
    changes: Arc<watch::Sender<u64>>,
    writer: mpsc::WeakSender<Job>,
) -> Result<()> {
    let folder = folder_of(store.path());
    let watched = |e: rustix::io::Errno| {
        Error::system(format_args!("watch {}", folder.display()), &e.into())
            .hint("raise fs.inotify.max_user_instances if there are too many watchers")
    };
    let events = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)
        .map_err(watched)?;
    inotify::add_watch(&events, folder, inotify::WatchFlags::MODIFY).map_err(watched)?;
    let watcher = Watcher {
        store,
        events,
        stopped,
        changes,
        writer,
    };
    std::thread::Builder::new()
        .name("hamq-database-e".to_owned())
        .spawn(move || watcher.run())
        .map_err(|e| Error::system("start the watcher of the cluster database", &e))?;
    Ok(())
}

/// Tells the watchers of this handle; the revision they see never goes back.
pub(super) fn announce(changes: &watch::Sender<u64>, revision: u64) {
    changes.send_if_modified(|seen| {
        let newer = revision > *seen;
        *seen = revision.max(*seen);
        newer
    });
}

impl Watcher {
    fn run(self) {
        let mut pause = LOOK_AGAIN;
        loop {
            let next_expiry = self.look();
            let timeout = next_expiry.map_or(pause, |until| until.min(pause));
            match self.wait(timeout) {
                Wake::Stop => return,
                Wake::Event => pause = LOOK_AGAIN,
                Wake::Timer => pause = (pause * 2).min(SAFETY_POLL),
            }
        }
    }

    /// Announces what is new and has cleaned up what expired; tells when the next lease expires.
    fn look(&self) -> Option<Duration> {
        // A read that fails now is repeated soon; the callers of the database see its error.
        if let Ok(revision) = self.store.revision() {
            announce(&self.changes, revision);
        }
        let (next, remains) = self.store.expiry().ok()?;
        if remains {
            self.changes.send_modify(|_| ());
            self.clean_up();
        }
        // A little later than the expiry itself: at that very instant it has not expired yet.
        next.map(|until| until + Duration::from_micros(200))
    }

    fn clean_up(&self) {
        if let Some(writer) = self.writer.upgrade() {
            // A full queue or a failure leaves the rows for the next look.
            let _ = writer.try_send(Box::new(|store| drop(store.clean_up())));
        }
    }

    fn wait(&self, timeout: Duration) -> Wake {
        let mut descriptors = [
            PollFd::new(&self.events, PollFlags::IN),
            PollFd::new(&self.stopped, PollFlags::IN),
        ];
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(0),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let woken = poll(&mut descriptors, Some(&timeout));
        if !descriptors[1].revents().is_empty() {
            return Wake::Stop;
        }
        if woken.is_ok() && !descriptors[0].revents().is_empty() {
            self.drain();
            return Wake::Event;
        }
        Wake::Timer
    }

    fn drain(&self) {
        let mut buffer = [0_u8; 4096];
        while rustix::io::read(&self.events, &mut buffer).is_ok_and(|read| read > 0) {}
    }
}

enum Wake {
    Stop,
    Event,
    Timer,
}
