//! The folder of one run: stores, logs, the floor's file. Gone when the run ends.

use std::fs;
use std::path::{Path, PathBuf};

use hamq_core::sys::process;
use hamq_core::{Error, Result};

const PREFIX: &str = "run-";
/// What statfs says of a file system in memory.
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// A folder `run-PID`, removed at the end.
pub struct Area {
    path: PathBuf,
    stores: u32,
}

impl Area {
    /// Makes the folder in `parent`, and removes those that killed runs have left there.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(parent: &Path) -> Result<Self> {
        let path = parent.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|e| Error::system(path.display(), &e))?;
        sweep(parent);
        Ok(Self { path, stores: 0 })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder that was not used before; it does not exist yet.
    pub fn next_store(&mut self) -> PathBuf {
        self.stores += 1;
        self.path.join(format!("store-{}", self.stores))
    }

    /// Whether it is in memory: then no figure says anything about a disk.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        let found = rustix::fs::statfs(&self.path);
        found.is_ok_and(|statfs| statfs.f_type == TMPFS_MAGIC)
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes the folders of runs whose process is gone.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if let Some(pid) = pid.and_then(|pid| pid.parse().ok())
            && process::is_gone(pid)
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leavings_of_dead_runs_are_removed_and_those_of_living_ones_kept() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        // No process has this id: the highest possible one is 4,194,304.
        for name in ["run-9999999", "run-1", "results"] {
            fs::create_dir(path(name)).unwrap();
        }
        let area = Area::create(parent.path()).unwrap();
        assert!(!path("run-9999999").exists());
        assert!(path("run-1").exists() && path("results").exists());
        let own = area.path().to_owned();
        assert!(own.exists());
        drop(area);
        assert!(!own.exists());
    }
}
