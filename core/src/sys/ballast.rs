//! Making a file system full, or busy, on purpose: what a rehearsal needs. Each file is removed when it is dropped,
//! and has a name by which a person finds it should even that fail.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::error::{Error, Result};

/// The name of the file that fills a file system.
pub const FILL: &str = ".hamq-drill-fill";
/// Files that keep a disk busy begin with this.
pub const CHURN: &str = ".hamq-drill-churn";

/// The first piece that is asked for; halved until nothing more fits.
const PIECE_BYTES: u64 = 1 << 30;
/// The smallest piece.
const PIECE_BYTES_MIN: u64 = 512;
/// What each thread of a churn writes again and again.
const CHURN_BYTES: usize = 1 << 20;

/// A file system that is full.
#[derive(Debug)]
pub struct Fill {
    path: PathBuf,
    bytes: u64,
}

impl Fill {
    /// Takes all the room there is below `folder`.
    ///
    /// # Errors
    /// When the file cannot be made; it is gone again then.
    pub fn new(folder: &Path) -> Result<Self> {
        let path = folder.join(FILL);
        let what = || format!("fill {}", folder.display());
        let file = File::options().write(true).create_new(true).open(&path);
        let file = file.map_err(|e| {
            Error::system(what(), &e).hint(format!(
                "remove {} if a former drill left it",
                path.display()
            ))
        })?;
        let mut fill = Self { path, bytes: 0 };
        fill.bytes = fill_up(&file).map_err(|e| Error::system(what(), &e))?;
        Ok(fill)
    }

    /// How many bytes it took.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        // Its name is told with the fault: who finds it may remove it.
        drop(std::fs::remove_file(&self.path));
    }
}

fn fill_up(file: &File) -> io::Result<u64> {
    let (mut length, mut piece) = (0, PIECE_BYTES);
    loop {
        let flags = rustix::fs::FallocateFlags::empty();
        match rustix::fs::fallocate(file, flags, length, piece) {
            Ok(()) => length += piece,
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) if piece > PIECE_BYTES_MIN => {
                piece /= 2;
            }
            Err(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => return Ok(length),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Threads that keep a disk busy with writes that are synced.
#[derive(Debug)]
pub struct Churn {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    paths: Vec<PathBuf>,
}

impl Churn {
    /// Starts `threads` of them, each with a file of 1 MiB in `folder`.
    ///
    /// # Errors
    /// When a file cannot be made or a thread cannot start; all are gone again then.
    pub fn new(folder: &Path, threads: u32) -> Result<Self> {
        let mut churn = Self {
            stop: Arc::default(),
            threads: Vec::new(),
            paths: Vec::new(),
        };
        for number in 0..threads {
            let path = folder.join(format!("{CHURN}-{number}"));
            let file = File::create(&path)
                .map_err(|e| Error::system(format_args!("create {}", path.display()), &e))?;
            churn.paths.push(path);
            let stop = Arc::clone(&churn.stop);
            let thread = std::thread::Builder::new().spawn(move || write_again(&file, &stop));
            churn
                .threads
                .push(thread.map_err(|e| Error::system("start a thread", &e))?);
        }
        Ok(churn)
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic there has ended the writing, which is what is wanted.
            drop(thread.join());
        }
        for path in &self.paths {
            drop(std::fs::remove_file(path));
        }
    }
}

/// A full disk ends it: it has nothing to slow down then.
fn write_again(file: &File, stop: &AtomicBool) {
    let piece = vec![0x5A; CHURN_BYTES];
    while !stop.load(Ordering::Relaxed) {
        let written = file.write_all_at(&piece, 0).and_then(|()| file.sync_data());
        if written.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_churn_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let churn = Churn::new(folder.path(), 2).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        drop(churn);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_fill_is_not_made_twice_and_a_refused_one_leaves_the_first() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILL), "").unwrap();
        let error = Fill::new(folder.path()).unwrap_err();
        assert!(error.hint.unwrap().contains(FILL));
        assert!(folder.path().join(FILL).exists());
    }
}
