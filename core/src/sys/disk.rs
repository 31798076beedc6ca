//! Files of the message store.
//!
//! The store needs very little of a file system; what it needs is this trait, so that a test can make
//! every single operation fail, tear a write, or lose what was not synced.

use std::io;
use std::path::Path;
use std::sync::Arc;

/// A folder with files in it, no deeper.
pub trait Disk: Send + Sync + 'static {
    /// The names of the files in the folder, in no order.
    ///
    /// # Errors
    /// Those of the file system.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens an existing file.
    ///
    /// # Errors
    /// `NotFound`, and those of the file system.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Creates a file of `length` zero bytes whose blocks are written, not only reserved, so that a
    /// later sync has no allocation to commit. Not durable before `sync_folder`.
    ///
    /// # Errors
    /// `AlreadyExists`, `StorageFull`, and those of the file system.
    fn create(&self, name: &str, length: u64) -> io::Result<Arc<dyn DiskFile>>;

    /// Renames a file, replacing `to`. Not durable before `sync_folder`.
    ///
    /// # Errors
    /// Those of the file system.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Not durable before `sync_folder`.
    ///
    /// # Errors
    /// Those of the file system.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes creations, renames and removals durable.
    ///
    /// # Errors
    /// Those of the file system.
    fn sync_folder(&self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// Those of the file system.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset`; fewer bytes only at the end of the file.
    ///
    /// # Errors
    /// Those of the file system.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. Not durable before `sync`.
    ///
    /// # Errors
    /// Those of the file system; part of the bytes may have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written durable (fdatasync). An error is final: the bytes may be lost although a
    /// second call would succeed.
    ///
    /// # Errors
    /// Those of the file system.
    fn sync(&self) -> io::Result<()>;
}

/// The real file system's folder at `path`, which must exist.
///
/// # Errors
/// Those of the file system.
pub fn real(path: &Path) -> io::Result<Arc<dyn Disk>> {
    let _ = path;
    Err(io::Error::other("the store helper writes this"))
}
