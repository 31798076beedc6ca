//! *Physical Disk*: a folder that one owner at a time holds.
//!
//! The record in the folder ([`Hold`]) decides, by epoch; a lock on a file beside it is an extra belt that
//! keeps two takers from looking at the same moment.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::hold::Verdict;
use super::{Answer, Context, Hold, OnlineReport, Provided, Resource, blocking, fence_process};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;
use crate::sys::process::ProcessIdentity;

const LOCK_FILE: &str = ".hamq-hold.lock";
const PROBE_FILE: &str = ".hamq-probe";
/// Longest wait for the belt; a frozen owner may keep it.
const LOCK_MAX: Duration = Duration::from_millis(100);

/// The resource; see the module.
#[derive(Debug, Default)]
pub struct PhysicalDisk {
    held: Option<Held>,
}

#[derive(Clone, Debug)]
struct Held {
    folder: PathBuf,
    hold: Hold,
    /// Set by the release. A take that was given up on runs on in its thread: it may not write the
    /// record after the release, as the next owner would end us as a former one that hangs.
    released: Arc<Mutex<bool>>,
}

impl PhysicalDisk {
    async fn take(&mut self, context: &Context) -> Result<OnlineReport> {
        let started = Instant::now();
        let folder = disk_path(context)?;
        let hold = wanted(context)?;
        let place = folder.clone();
        blocking(move || folder::create_below_existing(&place).map(drop)).await?;
        self.end_former_owner(context, &folder, &hold).await?;
        // Set before the record is written: `terminate` then releases whatever was written.
        let held = Held {
            folder: folder.clone(),
            hold,
            released: Arc::default(),
        };
        self.held = Some(held.clone());
        let taken = blocking(move || held.take()).await;
        if taken.is_err() {
            self.held = None;
        }
        if taken? == Belt::Missing {
            context.note(
                "WARN",
                "the disk's lock is held by a process that hangs; its epoch is older",
            );
        }
        Ok(OnlineReport {
            provides: Provided {
                disk: Some(folder),
                ..context.provided.clone()
            },
            steps: vec![("held".to_owned(), started.elapsed().as_secs_f64() * 1e3)],
        })
    }

    /// Refuses a disk of another, and ends a former owner of ours that hangs on this machine.
    async fn end_former_owner(
        &self,
        context: &Context,
        folder: &Path,
        wanted: &Hold,
    ) -> Result<()> {
        let place = folder.to_owned();
        let Some(recorded) = blocking(move || Hold::read(&place)).await? else {
            return Ok(());
        };
        match recorded.judge_now(wanted) {
            Verdict::Free => Ok(()),
            Verdict::Former(process) => {
                let outcome = fence_process(process, context.fencing).await;
                context.note(
                    "WARN",
                    format_args!(
                        "former owner {} (epoch {}): {outcome}",
                        recorded.node, recorded.epoch
                    ),
                );
                Ok(())
            }
            verdict => Err(refusal(folder, &recorded, &verdict)),
        }
    }
}

fn disk_path(context: &Context) -> Result<PathBuf> {
    let path = PathBuf::from(context.required("DiskPath")?);
    if !path.is_absolute() {
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            format!(
                "DiskPath {} of {:?} is not absolute",
                path.display(),
                context.resource
            ),
        )
        .hint("give the folder from the root, for example /srv/disk1"));
    }
    Ok(path)
}

fn wanted(context: &Context) -> Result<Hold> {
    Ok(Hold {
        format: 1,
        cluster: context.cluster.clone(),
        group: context.group.clone(),
        resource: context.resource.clone(),
        epoch: context.epoch,
        node: context.node.clone(),
        holder: Some(ProcessIdentity::current()?),
    })
}

fn refusal(folder: &Path, recorded: &Hold, verdict: &Verdict) -> Error {
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Belt {
    Taken,
    Missing,
}

impl Held {
    /// Writes the record, unless somebody was first.
    fn take(&self) -> Result<Belt> {
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
    fn check(&self) -> Result<()> {
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
    fn probe(&self) -> Result<()> {
        let path = self.folder.join(PROBE_FILE);
        let text = format!("{} {}", self.hold.node, self.hold.epoch);
        folder::write_durably(&path, text.as_bytes())?;
        match folder::read_if_there(&path)? {
            Some(bytes) if bytes == text.as_bytes() => Ok(()),
            _ => Err(lost(&self.folder, "it does not give back what was written")),
        }
    }

    /// Gives the disk back, if it is still ours; the epoch stays.
    fn release(&self) -> Result<()> {
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

fn lost(folder: &Path, why: &str) -> Error {
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

impl Resource for PhysicalDisk {
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport> {
        Box::pin(self.take(context))
    }

    fn offline(&mut self) -> Answer<'_, ()> {
        let held = self.held.take();
        Box::pin(async move {
            match held {
                Some(held) => blocking(move || held.release()).await,
                None => Ok(()),
            }
        })
    }

    fn terminate(&mut self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let offline = self.offline();
        // A disk that cannot even be released is fenced by the next owner's epoch.
        Box::pin(async move { drop(offline.await) })
    }

    fn looks_alive(&mut self) -> Answer<'_, ()> {
        let held = self.held.clone();
        Box::pin(async move {
            match held {
                Some(held) => blocking(move || held.check()).await,
                None => Err(Error::new(
                    ErrorKind::InvalidState,
                    "the disk is not online",
                )),
            }
        })
    }

    fn is_alive(&mut self) -> Answer<'_, ()> {
        let held = self.held.clone();
        Box::pin(async move {
            self.looks_alive().await?;
            match held {
                Some(held) => blocking(move || held.probe()).await,
                None => Ok(()),
            }
        })
    }
}
