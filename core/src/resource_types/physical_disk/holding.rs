//! The hold of a disk's folder: the record that decides, and the lock beside it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::Hold;
use super::super::hold::Verdict;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;

const LOCK_FILE: &str = ".hamq-hold.lock";
const PROBE_FILE: &str = ".hamq-probe";
/// Longest wait for the belt; a frozen owner may keep it.
const LOCK_MAX: Duration = Duration::from_millis(100);

/// A disk's folder with the hold that we want or have.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) folder: PathBuf,
    pub(super) hold: Hold,
    /// Set by the release. A take that was given up on runs on in its thread: it may not write the
    /// record after the release, as the next owner would end us as a former one that hangs.
    released: Arc<Mutex<bool>>,
}

pub(super) fn refusal(folder: &Path, recorded: &Hold, verdict: &Verdict) -> Error {
    let Hold {
        cluster,
        resource,
        epoch,
        node,
        ..
    } = recorded;
    let disk = folder.display();
    match verdict {
        Verdict::Foreign(process) => Error::new(
            ErrorKind::ResourceNotAvailable,
            format!(
                "disk {disk} is held elsewhere: by resource {resource:?} of cluster {cluster:?} on \
                 node {node}, {process}"
            ),
        )
        .hint("take that resource offline, or give this one another DiskPath"),
        _ => Error::new(
            ErrorKind::Fenced,
            format!("disk {disk} was taken over by node {node} with epoch {epoch}"),
        )
        .hint(format!(
            "if the cluster was made anew on an old disk and nobody uses it, remove {disk}/.hamq-hold"
        )),
    }
}

/// Whether the lock beside the record was had as well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Belt {
    Taken,
    Missing,
}

impl Held {
    pub(super) fn new(folder: PathBuf, hold: Hold) -> Self {
        Self {
            folder,
            hold,
            released: Arc::default(),
        }
    }

    /// Writes the record, unless somebody was first.
    pub(super) fn take(&self) -> Result<Belt> {
        let released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        if *released {
            return Err(Error::new(
                ErrorKind::OperationCancelled,
                "the disk was given up meanwhile",
            ));
        }
        let lock = lock(&self.folder)?;
        if let Some(recorded) = Hold::read(&self.folder)? {
            match recorded.judge_now(&self.hold) {
                Verdict::Free | Verdict::Former(_) => {}
                verdict => return Err(refusal(&self.folder, &recorded, &verdict)),
            }
        }
        self.hold.write(&self.folder)?;
        self.check()?;
        Ok(if lock.is_some() {
            Belt::Taken
        } else {
            Belt::Missing
        })
    }

    /// Whether the record is still ours.
    pub(super) fn check(&self) -> Result<()> {
        match Hold::read(&self.folder)? {
            Some(now) if now.is_same_ownership(&self.hold) => Ok(()),
            Some(now) if now.epoch > self.hold.epoch => {
                Err(refusal(&self.folder, &now, &Verdict::Fenced))
            }
            Some(now) => Err(lost(&self.folder, &format!("node {} holds it", now.node))),
            None => Err(lost(&self.folder, "its hold was removed")),
        }
    }

    /// Writes and reads back a few bytes.
    pub(super) fn probe(&self) -> Result<()> {
        let path = self.folder.join(PROBE_FILE);
        let text = format!("{} {}", self.hold.node, self.hold.epoch);
        folder::write_durably(&path, text.as_bytes())?;
        match folder::read_if_there(&path)? {
            Some(bytes) if bytes == text.as_bytes() => Ok(()),
            _ => Err(lost(&self.folder, "it does not give back what was written")),
        }
    }

    /// Gives the disk back, if it is still ours; the epoch stays.
    pub(super) fn release(&self) -> Result<()> {
        *self.released.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let _belt = lock(&self.folder)?;
        match Hold::read(&self.folder)? {
            Some(now) if now.is_same_ownership(&self.hold) => Hold {
                holder: None,
                ..self.hold.clone()
            }
            .write(&self.folder),
            _ => Ok(()),
        }
    }
}

pub(super) fn lost(folder: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::ResourceFailed,
        format!("disk {} is lost: {why}", folder.display()),
    )
}

/// The belt; none when somebody keeps it for longer than an honest look takes.
fn lock(folder: &Path) -> Result<Option<File>> {
    use rustix::fs::{FlockOperation, flock};
    let path = folder.join(LOCK_FILE);
    let failed = |e: &std::io::Error| Error::system(format_args!("lock {}", path.display()), e);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| failed(&e))?;
    let until = Instant::now() + LOCK_MAX;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() > until => return Ok(None),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(Duration::from_millis(2)),
            Err(e) => return Err(failed(&e.into())),
        }
    }
}
