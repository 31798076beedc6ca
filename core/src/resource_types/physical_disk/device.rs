//! A block device with a file system: found, checked, mounted, unmounted.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::{Context, blocking};
use super::holding::lost;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;
use crate::sys::mount::{self, Mount};
use crate::sys::process::{FileHolder, Spawn, file_holders, run};

/// Longest check of a file system; a full one of a large disk takes hours.
const CHECK_MAX: Duration = Duration::from_secs(6 * 3600);
/// How long a name may take to be looked up.
const FIND_MAX: Duration = Duration::from_secs(10);
const OPTIONS_DEFAULT: &str = "noatime,nodev,nosuid";
/// Holders that a message names.
const NAMED_MAX: usize = 5;
/// EBUSY and EINVAL, as unmount has them.
const BUSY: i32 = 16;
const NOT_MOUNTED: i32 = 22;

/// The check before a mount: DiskRunChkDsk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// Replay the journal, repair what is safe to repair.
    Quick,
    /// Look at everything.
    Full,
    /// Nothing but what the mount does itself.
    None,
}

/// What the properties say of a device.
#[derive(Clone, Debug)]
pub(super) struct Device {
    name: String,
    file_system: Option<String>,
    pub(super) options: String,
    check: Check,
    pub(super) reserve: bool,
}

impl Device {
    /// The device of a disk; none where a folder is the disk.
    pub(super) fn of(context: &Context) -> Result<Option<Self>> {
        let Some(name) = context.parameter("Device") else {
            return Ok(None);
        };
        Ok(Some(Self {
            name: name.trim().to_owned(),
            file_system: context.parameter("FileSystem").map(|f| f.trim().to_owned()),
            options: context
                .parameter("MountOptions")
                .unwrap_or(OPTIONS_DEFAULT)
                .trim()
                .to_owned(),
            check: match context.number("DiskRunChkDsk", 0)? {
                2 => Check::Full,
                4 => Check::None,
                _ => Check::Quick,
            },
            reserve: context.number("PersistentReservation", 0)? != 0,
        }))
    }

    /// Its path below /dev: a label or an identity is looked up each time, as names of devices change.
    pub(super) async fn find(&self) -> Result<PathBuf> {
        let path = match self.name.starts_with('/') {
            true => PathBuf::from(&self.name),
            false => {
                let found = tool("findfs", &[self.name.as_ref()], FIND_MAX).await?;
                if found.code != Some(0) {
                    let text = format!("no device of this node has {}", self.name);
                    return Err(Error::new(ErrorKind::ResourceNotAvailable, text)
                        .hint("blkid lists the identities and labels of devices"));
                }
                PathBuf::from(found.output.trim())
            }
        };
        let device = path.clone();
        blocking(move || mount::block_device(&device).map(drop)).await?;
        Ok(path)
    }

    /// Makes sure that what the device holds may be mounted; answers its kind.
    pub(super) async fn check(&self, device: &Path) -> Result<&'static str> {
        let place = device.to_owned();
        let found = blocking(move || {
            mount::check_unused(&place)?;
            mount::file_system_of(&place)
        });
        let shown = device.display();
        let Some(found) = found.await? else {
            let text = format!("{shown} holds neither ext4 nor xfs");
            return Err(
                Error::new(ErrorKind::ResourceNotAvailable, text).hint(format!(
                    "if it is the right device and empty: mkfs.ext4 {shown}"
                )),
            );
        };
        if let Some(wanted) = self.file_system.as_deref().filter(|f| *f != found) {
            let text = format!("{shown} holds {found}, not {wanted}");
            return Err(Error::new(ErrorKind::ResourceNotAvailable, text)
                .hint("is it the right device? else Set-ClusterParameter … FileSystem"));
        }
        match (found, self.check) {
            ("ext4", Check::Quick) => examine("e2fsck", &["-p"], device).await?,
            ("ext4", Check::Full) => examine("e2fsck", &["-f", "-p"], device).await?,
            ("xfs", Check::Full) => examine("xfs_repair", &["-n"], device).await?,
            // The mount replays the journal of xfs.
            _ => {}
        }
        Ok(found)
    }
}

/// What a tool of the system said.
struct Said {
    code: Option<i32>,
    output: String,
    story: String,
}

async fn tool(name: &str, arguments: &[&std::ffi::OsStr], limit: Duration) -> Result<Said> {
    let mut command = vec![name.into()];
    command.extend(arguments.iter().map(|a| (*a).to_owned()));
    let what = Spawn {
        command,
        environment: vec![("LC_ALL".to_owned(), "C".to_owned()), system_path()],
        directory: None,
        keep_as: None,
    };
    let done = run(what, limit).await?;
    Ok(Said {
        code: done.exit.code,
        story: done.story(),
        output: done.output,
    })
}

/// The system's tools are there where an ordinary user has no path to.
pub(super) fn system_path() -> (String, String) {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    ("PATH".to_owned(), path.to_owned())
}

/// 0 and 1 (repaired) are good, of xfs_repair -n only 0.
async fn examine(program: &str, options: &[&str], device: &Path) -> Result<()> {
    let mut arguments: Vec<&std::ffi::OsStr> = options.iter().map(AsRef::as_ref).collect();
    arguments.push(device.as_os_str());
    let said = tool(program, &arguments, CHECK_MAX).await?;
    let good = said.code == Some(0) || (said.code == Some(1) && program == "e2fsck");
    if good {
        return Ok(());
    }
    let shown = device.display();
    let text = format!("{program} finds {shown} damaged: {}", said.story);
    Err(
        Error::new(ErrorKind::StoreDamaged, text).hint(match program {
            "e2fsck" => format!("look at it with e2fsck -n {shown}; repair with e2fsck -f {shown}"),
            _ => format!(
                "look at it with xfs_repair -n {shown}; mount it once by hand to replay its journal"
            ),
        }),
    )
}

/// A device at its place.
#[derive(Clone, Debug)]
pub(super) struct Mounted {
    device: PathBuf,
    number: (u32, u32),
    point: PathBuf,
    /// Set by the unmount: a mount that was given up on and runs on in its thread may not come after it.
    ended: Arc<Mutex<bool>>,
}

impl std::fmt::Display for Mounted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.device.display(), self.point.display())
    }
}

impl Mounted {
    pub(super) fn new(device: &Path, point: &Path) -> Result<Self> {
        folder::create_below_existing(point)?;
        Ok(Self {
            device: device.to_owned(),
            number: mount::block_device(device)?,
            point: point.to_owned(),
            ended: Arc::default(),
        })
    }

    /// Whether it is mounted at its place; refuses a device that is mounted elsewhere, and a place that
    /// something else is mounted at.
    pub(super) fn is_there(&self) -> Result<bool> {
        let mounts = mount::mounts()?;
        let ours = |m: &&Mount| m.device == self.number;
        let here = mounts.iter().rfind(|m| m.point == self.point);
        if let Some(elsewhere) = mounts.iter().filter(ours).find(|m| m.point != self.point) {
            let text = format!(
                "{} is mounted at {} already",
                self.device.display(),
                elsewhere.point.display()
            );
            return Err(Error::new(ErrorKind::ResourceNotAvailable, text)
                .hint(format!("umount {}", elsewhere.point.display())));
        }
        match here {
            Some(m) if m.device != self.number => {
                let text = format!("{} is mounted at {}", m.source, self.point.display());
                Err(Error::new(ErrorKind::ResourceNotAvailable, text)
                    .hint("unmount it, or give the disk another DiskPath"))
            }
            here => Ok(here.is_some()),
        }
    }

    pub(super) fn mount(&self, file_system: &str, options: &str) -> Result<()> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *ended {
            let text = "the disk was given up meanwhile";
            return Err(Error::new(ErrorKind::OperationCancelled, text));
        }
        let own = format!("errors=remount-ro,{options}");
        let options = match file_system == "ext4" && !options.contains("errors=") {
            true => &own,
            false => options,
        };
        mount::mount(&self.device, &self.point, file_system, options).map_err(|e| {
            let mut error = Error::system(format_args!("mount {self} ({options})"), &e);
            if e.raw_os_error() == Some(117) {
                error = error
                    .hint("the file system is damaged: repair it with xfs_repair or e2fsck -f");
            }
            error
        })
    }

    /// Ends the mount; none when nothing is mounted any more, else who keeps it busy.
    pub(super) fn unmount(&self) -> Result<Option<Vec<FileHolder>>> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if !mount::mounts()?
            .iter()
            .any(|m| m.point == self.point && m.device == self.number)
        {
            *ended = true;
            return Ok(None);
        }
        match mount::unmount(&self.point) {
            Ok(()) => {
                *ended = true;
                Ok(None)
            }
            Err(e) if e.raw_os_error() == Some(NOT_MOUNTED) => Ok(None),
            Err(e) if e.raw_os_error() == Some(BUSY) => {
                let own = std::process::id();
                let mut holders = file_holders(self.number);
                holders.retain(|h| h.process.pid != own);
                Ok(Some(holders))
            }
            Err(e) => Err(Error::system(format_args!("unmount {self}"), &e)),
        }
    }

    /// Who keeps it busy, by name.
    pub(super) fn busy(&self, holders: &[FileHolder]) -> Error {
        let mut names: Vec<String> = holders
            .iter()
            .take(NAMED_MAX)
            .map(ToString::to_string)
            .collect();
        if holders.len() > NAMED_MAX {
            names.push(format!("{} more", holders.len() - NAMED_MAX));
        }
        let by = match names.is_empty() {
            true => "somebody who cannot be seen from here".to_owned(),
            false => names.join(", "),
        };
        Error::new(
            ErrorKind::ResourceOnline,
            format!("{self} is kept busy by {by}"),
        )
        .hint("end them, or have them leave the disk")
    }

    /// Whether it is mounted, and can be written.
    pub(super) fn check(&self) -> Result<()> {
        let mounts = mount::mounts()?;
        let here = mounts.iter().rfind(|m| m.point == self.point);
        match here.filter(|m| m.device == self.number) {
            None => Err(lost(
                &self.point,
                &format!("{} is not mounted there", self.device.display()),
            )),
            Some(m) if m.has("ro") => Err(lost(
                &self.point,
                "it is read-only now: the kernel found it damaged, see dmesg",
            )),
            Some(_) => Ok(()),
        }
    }
}
