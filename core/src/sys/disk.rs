//! Files of the message store.
//!
//! The store needs very little of a file system; what it needs is this trait, so that a test can make
//! every single operation fail, tear a write, or lose what was not synced.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Advice, FallocateFlags};
use rustix::io::Errno;

/// Linux 6.17: blocks that count as written, zeroed by the device.
const FALLOC_FL_WRITE_ZEROES: u32 = 0x80;

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

    /// As [`Disk::create`], but the blocks are only reserved: quick and without a byte written, and each
    /// first sync of a block has its allocation to commit. For writes so large that this does not matter.
    ///
    /// # Errors
    /// As `create`.
    fn reserve(&self, name: &str, length: u64) -> io::Result<Arc<dyn DiskFile>>;

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

    /// Says that these bytes will be read soon: a disk may fetch them meanwhile.
    fn will_read(&self, offset: u64, length: u64) {
        let _ = (offset, length);
    }

    /// Writes all of `bytes` at `offset`. Not durable before `sync`. Whole sectors from aligned memory may go to the
    /// device without a copy, past the cache of the file system; reading sees them all the same.
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
    open_folder(path, false)
}

/// The same folder for reading alone: nothing in it can be changed, and the right to change it is not needed.
///
/// # Errors
/// Those of the file system.
pub fn read_only(path: &Path) -> io::Result<Arc<dyn Disk>> {
    open_folder(path, true)
}

fn open_folder(path: &Path, read_only: bool) -> io::Result<Arc<dyn Disk>> {
    let folder = File::open(path)?;
    if !folder.metadata()?.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{} is not a folder", path.display()),
        ));
    }
    Ok(Arc::new(RealDisk {
        path: path.to_owned(),
        folder,
        read_only,
        write_zeroes: AtomicBool::new(true),
    }))
}

/// Zeros are written in pieces of this size.
const ZERO_BYTES: usize = 1024 * 1024;

struct RealDisk {
    path: PathBuf,
    folder: File,
    read_only: bool,
    /// Whether the device may still be asked to write zeros by itself; no, once it has refused.
    write_zeroes: AtomicBool,
}

impl RealDisk {
    /// The path of `name`, which must be a plain file name: nothing leaves the folder.
    fn file(&self, name: &str) -> io::Result<PathBuf> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name:?} is no plain file name"),
            ));
        }
        Ok(self.path.join(name))
    }

    fn writable(&self) -> io::Result<()> {
        if self.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(())
    }

    /// Creates a file and fills it; one that could not be filled is removed.
    fn create_filled(
        &self,
        name: &str,
        fill: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<Arc<dyn DiskFile>> {
        self.writable()?;
        let path = self.file(name)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        match fill(&file) {
            Ok(()) => Ok(RealFile::shared(file, &path)),
            Err(error) => {
                // A half-made file would only take space; that it stays is no harm, it has no header.
                drop(std::fs::remove_file(&path));
                Err(error)
            }
        }
    }

    /// Makes all `length` bytes written zeros: by the device itself where it can (no byte is sent to it).
    fn fill_with_zeros(&self, file: &File, length: u64) -> io::Result<()> {
        if length == 0 {
            return Ok(()); // an empty file has nothing but its name, and that is the folder's
        }
        reserve_blocks(file, length)?;
        if !self.device_writes_zeros(file, length) {
            write_zeros(file, length)?;
        }
        file.sync_all()
    }

    fn device_writes_zeros(&self, file: &File, length: u64) -> bool {
        if !self.write_zeroes.load(Ordering::Relaxed) {
            return false;
        }
        let flags = FallocateFlags::from_bits_retain(FALLOC_FL_WRITE_ZEROES);
        let done = rustix::fs::fallocate(file, flags, 0, length).is_ok();
        self.write_zeroes.store(done, Ordering::Relaxed);
        done
    }
}

impl Disk for RealDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.file(name)?;
        let file = OpenOptions::new()
            .read(true)
            .write(!self.read_only)
            .open(&path)?;
        if self.read_only {
            return Ok(Arc::new(RealFile { file, direct: None }));
        }
        Ok(RealFile::shared(file, &path))
    }

    fn create(&self, name: &str, length: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.create_filled(name, |file| self.fill_with_zeros(file, length))
    }

    fn reserve(&self, name: &str, length: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.create_filled(name, |file| {
            reserve_blocks(file, length)?;
            file.sync_all()
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.writable()?;
        std::fs::rename(self.file(from)?, self.file(to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        std::fs::remove_file(self.file(name)?)
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.folder.sync_all()
    }
}

/// Gives the file its length with blocks of its own; where the file system cannot reserve, only the length.
fn reserve_blocks(file: &File, length: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(length),
        other => Ok(other?),
    }
}

fn write_zeros(file: &File, length: u64) -> io::Result<()> {
    let zeros = vec![0_u8; ZERO_BYTES.min(usize::try_from(length).unwrap_or(ZERO_BYTES))];
    let mut at = 0;
    while at < length {
        let rest = usize::try_from(length - at).unwrap_or(zeros.len());
        let piece = &zeros[..zeros.len().min(rest)];
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

/// A file, and the same once more for writing past the cache of the file system (`O_DIRECT`). A tenth less time for small
/// batches; half the work of the processor for large ones, and twice the speed where blocks are new: the cache would have
/// to take them in, and nobody reads them from there soon (what was just sent is in the store's own cache).
struct RealFile {
    file: File,
    direct: Option<Direct>,
}

struct Direct {
    file: File,
    /// The device wants larger sectors, or the file system none at all.
    refused: AtomicBool,
}

/// Shorter files are no segments: they are read again from the cache.
const DIRECT_FILE_BYTES_MIN: u64 = 64 * 1024;
/// What most devices want offsets, lengths and memory to be multiples of; those that want more refuse.
const DIRECT_ALIGNMENT: usize = 512;

impl RealFile {
    fn shared(file: File, path: &Path) -> Arc<dyn DiskFile> {
        let long = file
            .metadata()
            .is_ok_and(|file| file.len() >= DIRECT_FILE_BYTES_MIN);
        let flags = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).unwrap_or(0);
        let direct = || {
            let opened = OpenOptions::new()
                .write(true)
                .custom_flags(flags)
                .open(path);
            // tmpfs and others know no such thing: then there is one way to write.
            opened.ok().map(|file| Direct {
                file,
                refused: AtomicBool::new(false),
            })
        };
        let direct = if long { direct() } else { None };
        Arc::new(Self { file, direct })
    }
}

impl Direct {
    fn takes(&self, offset: u64, bytes: &[u8]) -> bool {
        bytes.len().is_multiple_of(DIRECT_ALIGNMENT)
            && offset.is_multiple_of(DIRECT_ALIGNMENT as u64)
            && bytes.as_ptr().align_offset(DIRECT_ALIGNMENT) == 0
            && !self.refused.load(Ordering::Relaxed)
    }
}

impl DiskFile for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn will_read(&self, offset: u64, length: u64) {
        if let Some(length) = std::num::NonZero::new(length) {
            // A hint: who does not take it reads later.
            let _ = rustix::fs::fadvise(&self.file, offset, Some(length), Advice::WillNeed);
        }
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if let Some(direct) = &self.direct
            && direct.takes(offset, bytes)
        {
            match direct.file.write_all_at(bytes, offset) {
                // What it wrote of it before it refused is written again.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    direct.refused.store(true, Ordering::Relaxed);
                }
                other => return other,
            }
        }
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_file_is_zero_through_its_whole_length_and_keeps_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let disk = real(folder.path()).unwrap();
        let file = disk.create("a", 3_000_000).unwrap();
        assert_eq!(file.length().unwrap(), 3_000_000);
        file.write_at(2_999_998, b"xy").unwrap();
        file.sync().unwrap();
        disk.sync_folder().unwrap();
        let mut end = [1; 8];
        let again = disk.open("a").unwrap();
        assert_eq!(again.read_at(2_999_996, &mut end).unwrap(), 4);
        assert_eq!(end, [0, 0, b'x', b'y', 1, 1, 1, 1]);
        assert_eq!(disk.list().unwrap(), ["a"]);
    }

    #[test]
    fn a_reserved_file_has_its_length_and_reads_as_zeros() {
        let folder = tempfile::tempdir().unwrap();
        let disk = real(folder.path()).unwrap();
        let file = disk.reserve("a", 100_000).unwrap();
        assert_eq!(file.length().unwrap(), 100_000);
        let mut bytes = [1; 64];
        assert_eq!(file.read_at(99_936, &mut bytes).unwrap(), 64);
        assert_eq!(bytes, [0; 64]);
    }

    #[test]
    fn what_goes_past_the_cache_is_read_through_it_also_between_small_writes() {
        let folder = tempfile::tempdir().unwrap();
        let disk = real(folder.path()).unwrap();
        let file = disk.reserve("a", 1 << 20).unwrap();
        let memory: Vec<u8> = (0..400_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let start = memory.as_ptr().align_offset(4096);
        let large = &memory[start..start + 256 * 1024 + 512];
        let mut expected = vec![0; 1 << 20];
        for (offset, bytes) in [(512, large), (600, &large[..50]), (300_032, large)] {
            file.write_at(offset as u64, bytes).unwrap();
            expected[offset..offset + bytes.len()].copy_from_slice(bytes);
            let mut read = vec![1; 1 << 20];
            assert_eq!(file.read_at(0, &mut read).unwrap(), read.len());
            assert!(read == expected, "after the write at {offset}");
        }
        file.sync().unwrap();
    }

    #[test]
    fn a_folder_that_is_read_only_gives_everything_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = real(folder.path()).unwrap().create("a", 3).unwrap();
        file.write_at(0, b"abc").unwrap();
        let disk = read_only(folder.path()).unwrap();
        let mut bytes = [0; 3];
        let file = disk.open("a").unwrap();
        assert_eq!(file.read_at(0, &mut bytes).unwrap(), 3);
        assert!(file.write_at(0, b"x").is_err());
        assert!(disk.create("b", 0).is_err() && disk.reserve("b", 0).is_err());
        assert!(disk.rename("a", "b").is_err() && disk.remove("a").is_err());
        assert_eq!(
            (&bytes, disk.list().unwrap()),
            (b"abc", vec!["a".to_owned()])
        );
    }

    #[test]
    fn a_file_is_never_created_over_another_and_never_outside_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let disk = real(folder.path()).unwrap();
        disk.create("a", 1).unwrap();
        let error = disk.create("a", 1).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert!(disk.open("../a").is_err());
    }
}
