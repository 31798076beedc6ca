//! Mounts: which there are, making one, ending one. Never a lazy end: what is unmounted is written and free.

use std::ffi::CString;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags};

use crate::error::{Error, ErrorKind, Result};

/// A mount of this machine, as this mount namespace sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Major and minor number of its device.
    pub device: (u32, u32),
    /// Where.
    pub point: PathBuf,
    /// `ext4`, `nfs4` …
    pub file_system: String,
    /// The device or the server's path.
    pub source: String,
    /// Options of the mount and of the file system, with commas.
    pub options: String,
}

impl Mount {
    /// Whether an option is set: `hard`, or `vers` with any value.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.value(option).is_some()
    }

    /// The value of an option; empty for one without.
    #[must_use]
    pub fn value(&self, option: &str) -> Option<&str> {
        self.options.split(',').find_map(|o| {
            let (name, value) = o.split_once('=').unwrap_or((o, ""));
            (name == option).then_some(value)
        })
    }
}

/// All mounts, in the order they were made.
///
/// # Errors
/// What the system says.
pub fn mounts() -> Result<Vec<Mount>> {
    let path = "/proc/self/mountinfo";
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::system(format_args!("read {path}"), &e))?;
    Ok(text.lines().filter_map(parse).collect())
}

/// The mount that a path lies on; of several at one place the last covers the others.
#[must_use]
pub fn covering<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let above = mounts.iter().filter(|m| path.starts_with(&m.point));
    above.max_by_key(|m| m.point.components().count())
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn parse(line: &str) -> Option<Mount> {
    let (head, tail) = line.split_once(" - ")?;
    let mut head = head.split(' ');
    let (major, minor) = head.nth(2)?.split_once(':')?;
    let point = PathBuf::from(unescaped(head.nth(1)?));
    let own = head.next()?;
    let mut tail = tail.split(' ');
    let file_system = tail.next()?.to_owned();
    let source = unescaped(tail.next()?);
    let shared = tail.next().unwrap_or_default();
    Some(Mount {
        device: (major.parse().ok()?, minor.parse().ok()?),
        point,
        file_system,
        source,
        options: format!("{own},{shared}"),
    })
}

/// Blanks and backslashes are octal there: `\040`.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let code = octal
            .and_then(|o| std::str::from_utf8(o).ok())
            .and_then(|o| u8::from_str_radix(o, 8).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The number of a block device.
///
/// # Errors
/// `ResourceNotAvailable` when there is none of that path.
pub fn block_device(path: &Path) -> Result<(u32, u32)> {
    let metadata = std::fs::metadata(path).map_err(|e| {
        let text = format!("block device {}: {e}", path.display());
        Error::new(ErrorKind::ResourceNotAvailable, text)
            .hint("is it connected to this node? lsblk lists what is")
    })?;
    if !metadata.file_type().is_block_device() {
        let text = format!("{} is no block device", path.display());
        return Err(Error::new(ErrorKind::InvalidParameter, text)
            .hint("give one of those that lsblk lists, or no Device where a folder is the disk"));
    }
    let number = metadata.rdev();
    Ok((rustix::fs::major(number), rustix::fs::minor(number)))
}

/// Fails when anyone on this machine uses the device: a mount, also in another namespace, swap, RAID.
///
/// # Errors
/// `ResourceNotAvailable`; what the system says.
pub fn check_unused(device: &Path) -> Result<()> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::EXCL | OFlags::CLOEXEC;
    match open(device, flags, Mode::empty()) {
        Ok(_) => Ok(()),
        Err(rustix::io::Errno::BUSY) => {
            let text = format!("{} is in use on this machine", device.display());
            Err(Error::new(ErrorKind::ResourceNotAvailable, text).hint(
                "it is mounted in another namespace, or is swap, or part of a RAID or a volume group: lsblk",
            ))
        }
        Err(e) => Err(Error::system(
            format_args!("open {}", device.display()),
            &e.into(),
        )),
    }
}

/// The file system that a device holds, of those we mount: `ext4` (also for ext2 and ext3) or `xfs`.
///
/// # Errors
/// What the system says.
pub fn file_system_of(device: &Path) -> Result<Option<&'static str>> {
    use std::io::Read;
    let failed = |e: &io::Error| Error::system(format_args!("read {}", device.display()), e);
    let mut head = [0; 2048];
    let mut file = std::fs::File::open(device).map_err(|e| failed(&e))?;
    match file.read_exact(&mut head) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(failed(&e)),
    }
    let at = |from: usize, bytes: &[u8]| head.get(from..from + bytes.len()) == Some(bytes);
    Ok(match () {
        () if at(0, b"XFSB") => Some("xfs"),
        () if at(1080, &[0x53, 0xEF]) => Some("ext4"),
        () => None,
    })
}

/// Mounts a device; `options` with commas, as mount(8) has them.
///
/// # Errors
/// What the system says, as it says it.
pub fn mount(device: &Path, point: &Path, file_system: &str, options: &str) -> io::Result<()> {
    let mut flags = MountFlags::empty();
    let mut data = Vec::new();
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match flag(option) {
            Some(flag) => flags |= flag,
            None => data.push(option),
        }
    }
    let data = CString::new(data.join(",")).map_err(io::Error::other)?;
    rustix::mount::mount(device, point, file_system, flags, data.as_c_str()).map_err(Into::into)
}

fn flag(option: &str) -> Option<MountFlags> {
    Some(match option {
        "rw" | "defaults" | "suid" | "dev" | "exec" | "atime" | "async" => MountFlags::empty(),
        "noatime" => MountFlags::NOATIME,
        "nodiratime" => MountFlags::NODIRATIME,
        "relatime" => MountFlags::RELATIME,
        "strictatime" => MountFlags::STRICTATIME,
        "lazytime" => MountFlags::LAZYTIME,
        "nodev" => MountFlags::NODEV,
        "nosuid" => MountFlags::NOSUID,
        "noexec" => MountFlags::NOEXEC,
        "sync" => MountFlags::SYNCHRONOUS,
        "dirsync" => MountFlags::DIRSYNC,
        _ => return None,
    })
}

/// Ends the mount at `point`, if nobody uses it; all is written when it returns.
///
/// # Errors
/// What the system says: EBUSY when somebody uses it, EINVAL when nothing is mounted there.
pub fn unmount(point: &Path) -> io::Result<()> {
    rustix::mount::unmount(point, UnmountFlags::NOFOLLOW).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_understood() {
        let line = r"36 35 98:1 /mnt1 /mnt\0402\134x rw,noatime master:1 - nfs4 srv:/a\040b rw,vers=4.2,hard";
        let mount = parse(line).unwrap();
        assert_eq!((mount.device, mount.source.as_str()), ((98, 1), "srv:/a b"));
        assert_eq!(mount.point, Path::new(r"/mnt 2\x"));
        assert_eq!(
            (mount.value("vers"), mount.has("hard"), mount.has("soft")),
            (Some("4.2"), true, false)
        );
        assert_eq!(parse("nonsense"), None);
        assert!(!mounts().unwrap().is_empty());
    }

    #[test]
    fn the_innermost_mount_covers_a_path() {
        let at = |point: &str| Mount {
            device: (0, 1),
            point: point.into(),
            file_system: String::new(),
            source: point.to_owned(),
            options: String::new(),
        };
        let all = [at("/"), at("/srv"), at("/srv/a b"), at("/srv")];
        let covering = |path: &str| covering(&all, Path::new(path)).unwrap().source.clone();
        assert_eq!(covering("/srvx"), "/");
        assert_eq!(covering("/srv/a b/c"), "/srv/a b");
        assert_eq!(covering("/srv/c"), "/srv");
    }

    #[test]
    fn what_is_no_device_is_told() {
        assert_eq!(
            block_device(Path::new("/dev/null")).unwrap_err().kind,
            ErrorKind::InvalidParameter
        );
        let gone = block_device(Path::new("/dev/none-such")).unwrap_err();
        assert_eq!(gone.kind, ErrorKind::ResourceNotAvailable);
    }
}
