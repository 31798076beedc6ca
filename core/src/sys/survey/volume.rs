//! A folder, the file system below it, and a trial of what it promises.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};

/// Writes of a trial.
const WRITES: usize = 15;
/// Their length: a page.
const BYTES: usize = 4096;

/// What a folder is.
#[derive(Clone, Debug, Default)]
pub struct Volume {
    /// There is something at that path.
    pub exists: bool,
    /// It is a folder.
    pub is_folder: bool,
    /// The folder above is there.
    pub can_be_made: bool,
    /// Permission bits.
    pub mode: u32,
    /// Its owner.
    pub user_id: u32,
    /// What is mounted there.
    pub mount: Mount,
    /// Bytes that can be written.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
    /// Files that can be made, where the file system counts them.
    pub files_free: Option<u64>,
}

/// A line of /proc/self/mounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub device: String,
    /// `ext4`.
    pub file_system: String,
    /// `rw`, `relatime` …
    pub options: Vec<String>,
}

/// Looks at a folder.
#[must_use]
pub fn volume(path: &Path) -> Volume {
    let can_be_made = path.parent().is_some_and(Path::is_dir);
    let (Ok(meta), Ok(room)) = (std::fs::metadata(path), rustix::fs::statvfs(path)) else {
        return Volume {
            can_be_made,
            ..Volume::default()
        };
    };
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    Volume {
        exists: true,
        is_folder: meta.is_dir(),
        can_be_made,
        mode: meta.mode(),
        user_id: meta.uid(),
        mount: mount_of(&mounts, &real),
        free: room.f_bavail.saturating_mul(room.f_frsize),
        total: room.f_blocks.saturating_mul(room.f_frsize),
        files_free: (room.f_files > 0).then_some(room.f_favail),
    }
}

/// The last mount at the longest point above the path.
fn mount_of(mounts: &str, path: &Path) -> Mount {
    let mut best: Option<(usize, Mount)> = None;
    for line in mounts.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [device, point, file_system, options, ..] = fields.as_slice() else {
            continue;
        };
        let point = point.replace("\\040", " ");
        if path.starts_with(&point)
            && best
                .as_ref()
                .is_none_or(|(length, _)| point.len() >= *length)
        {
            let mount = Mount {
                device: (*device).to_owned(),
                file_system: (*file_system).to_owned(),
                options: options.split(',').map(str::to_owned).collect(),
            };
            best = Some((point.len(), mount));
        }
    }
    best.map(|(_, mount)| mount).unwrap_or_default()
}

/// What a temporary file showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trial {
    /// Median of write and fdatasync, in microseconds.
    pub median_us: u64,
    /// The slowest.
    pub max_us: u64,
    /// A renamed file was found with its content under its new name alone.
    pub renames: bool,
    /// A second lock was refused.
    pub locks: bool,
}

/// Writes, syncs, renames and locks a temporary file in a folder, and removes it.
///
/// # Errors
/// What the system says.
pub fn trial(folder: &Path) -> Result<Trial> {
    let name = format!(".hamq-validation-{}", std::process::id());
    let first = Removed(folder.join(&name));
    let second = Removed(folder.join(name + "-renamed"));
    let failed = |e: std::io::Error| Error::system(format_args!("try {}", folder.display()), &e);
    attempt(&first.0, &second.0, folder).map_err(failed)
}

fn attempt(first: &Path, second: &Path, folder: &Path) -> std::io::Result<Trial> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(first)?;
    let page = [0x5A; BYTES];
    let mut times = Vec::new();
    for _ in 0..WRITES {
        let started = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    let locks = locks(&file, first)?;
    file.sync_all()?;
    std::fs::rename(first, second)?;
    File::open(folder)?.sync_all()?;
    let found = std::fs::read(second)?;
    let whole = found.len() == BYTES * WRITES && found.iter().all(|byte| *byte == 0x5A);
    times.sort_unstable();
    Ok(Trial {
        median_us: times[times.len() / 2],
        max_us: times.last().copied().unwrap_or(0),
        renames: whole && !first.exists(),
        locks,
    })
}

/// Whether a second lock is refused while `file` is locked. Each opening has locks of its own.
fn locks(file: &File, path: &Path) -> std::io::Result<bool> {
    flock(file, FlockOperation::NonBlockingLockExclusive)?;
    let other = File::open(path)?;
    let second = flock(&other, FlockOperation::NonBlockingLockExclusive);
    Ok(second == Err(rustix::io::Errno::WOULDBLOCK))
}

/// A file that goes with this value.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let trial = trial(folder.path()).unwrap();
        assert!(trial.renames && trial.locks && trial.median_us <= trial.max_us);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(super::trial(&folder.path().join("none")).is_err());
    }

    #[test]
    fn the_innermost_and_latest_mount_counts() {
        let table =
            "/dev/a / ext4 rw,relatime 0 0\n/dev/b /srv xfs ro 0 0\n/dev/c /srv xfs rw 0 0\n";
        assert_eq!(mount_of(table, Path::new("/srv/vs1")).device, "/dev/c");
        assert_eq!(mount_of(table, Path::new("/srvx")).file_system, "ext4");
        assert_eq!(mount_of("odd\n", Path::new("/")), Mount::default());
    }

    #[test]
    fn a_folder_that_is_not_there_can_be_made_below_one_that_is() {
        let folder = tempfile::tempdir().unwrap();
        let near = volume(&folder.path().join("new"));
        assert!(!near.exists && near.can_be_made);
        assert!(!volume(&folder.path().join("new/deeper")).can_be_made);
        let here = volume(folder.path());
        assert!(here.is_folder && here.total > 0 && !here.mount.file_system.is_empty());
    }
}
