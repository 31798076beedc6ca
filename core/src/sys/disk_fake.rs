//! A disk in memory that loses, tears and fails what a test asks it to.
//!
//! ```text
//!  write -> live image, pending list --sync--> durable image
//!  create, remove, rename -> live entries --sync_folder--> durable entries
//!                    crash(): durable + some of what was pending = a new disk
//! ```
//!
//! Every operation is counted, so that a test can run a workload once to learn how many there are and
//! then again with each single one of them failing.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, DiskFile};

/// What a device writes in one piece.
const SECTOR_BYTES: usize = 512;

/// What happens at the operation that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails once with EIO; a sync that fails has made nothing durable and forgets what was pending.
    Io,
    /// It fails once with ENOSPC, before it did anything.
    Full,
    /// If it is a write, part of it happens; then this and all that follows fail: the process died.
    Die,
}

/// Which of the writes that were not synced survive a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// None of them.
    None,
    /// All of them.
    All,
    /// A prefix of them in order, the last of it torn at a sector.
    Prefix,
    /// Any sectors of any of them.
    Subset,
}

/// A disk in memory; clones share it, as processes share a real one.
#[derive(Clone, Default)]
pub struct FakeDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    live: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    files: Vec<Image>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    dead: bool,
    lying: bool,
    capacity_bytes: Option<u64>,
    hook: Option<Hook>,
}

/// Called with each operation's name and the file's, before it happens.
pub type Hook = Arc<dyn Fn(&str, &str) + Send + Sync>;

#[derive(Clone, Default)]
struct Image {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

impl FakeDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty disk whose syncs say they succeeded and do nothing: a negative control.
    #[must_use]
    pub fn lying() -> Self {
        let disk = Self::default();
        disk.inner().lying = true;
        disk
    }

    /// Operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.inner().operations
    }

    /// Makes operation number `n` (counted from 0 since the disk was made) fail.
    pub fn fail_at(&self, n: u64, fault: Fault) {
        self.inner().fault = Some((n, fault));
    }

    /// Makes all files together hold no more than this many bytes; `None`: no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.inner().capacity_bytes = bytes;
    }

    /// Calls `hook` before each operation with its name and the file's; the hook may use the disk.
    pub fn set_hook(&self, hook: Option<Hook>) {
        self.inner().hook = hook;
    }

    /// Bytes of all files.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.inner().used_bytes()
    }

    /// Flips one bit of what a file durably holds: a fault of the medium.
    pub fn damage(&self, name: &str, offset: usize) {
        let mut inner = self.inner();
        if let Some(&index) = inner.live.get(name) {
            let image = &mut inner.files[index];
            for bytes in [&mut image.live, &mut image.durable] {
                if let Some(byte) = bytes.get_mut(offset) {
                    *byte ^= 1;
                }
            }
        }
    }

    /// What is left after a power failure: the durable image, and of what was not synced what `survivors`
    /// says, chosen by `seed`. This disk stays as it is.
    #[must_use]
    pub fn crash(&self, seed: u64, survivors: Survivors) -> Self {
        let inner = self.inner();
        let mut dice = Dice(seed | 1);
        let mut after = Inner {
            lying: inner.lying,
            ..Inner::default()
        };
        for image in &inner.files {
            let bytes = image.after_crash(&mut dice, survivors);
            after.files.push(Image {
                live: bytes.clone(),
                durable: bytes,
                pending: Vec::new(),
            });
        }
        after.durable = inner.entries_after_crash(&mut dice, survivors);
        after.live = after.durable.clone();
        Self(Arc::new(Mutex::new(after)))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation; says which fault is due at it.
    fn begin(&self, what: &str, name: &str) -> io::Result<(MutexGuard<'_, Inner>, Option<Fault>)> {
        let hook = self.inner().hook.clone();
        if let Some(hook) = hook {
            hook(what, name);
        }
        let mut inner = self.inner();
        if inner.dead {
            return Err(io::Error::from_raw_os_error(5));
        }
        let number = inner.operations;
        inner.operations += 1;
        let due = inner.fault.filter(|(at, _)| *at == number).map(|f| f.1);
        match due {
            Some(Fault::Die) => inner.dead = true,
            Some(Fault::Full) => return Err(io::Error::from_raw_os_error(28)),
            _ => {}
        }
        Ok((inner, due))
    }

    /// As `begin`, for operations that fail without having done anything.
    fn step(&self, what: &str, name: &str) -> io::Result<MutexGuard<'_, Inner>> {
        match self.begin(what, name)? {
            (inner, None) => Ok(inner),
            (_, Some(_)) => Err(io::Error::from_raw_os_error(5)),
        }
    }
}

impl Inner {
    fn used_bytes(&self) -> u64 {
        self.live
            .values()
            .map(|&index| self.files[index].live.len() as u64)
            .sum()
    }

    /// Whether the file may become `end` bytes long, if it is not already.
    fn check_growth(&self, index: usize, end: usize) -> io::Result<()> {
        let more = end.saturating_sub(self.files[index].live.len()) as u64;
        match self.capacity_bytes {
            Some(capacity) if more > 0 && self.used_bytes() + more > capacity => {
                Err(io::Error::from_raw_os_error(28))
            }
            _ => Ok(()),
        }
    }

    fn entries_after_crash(
        &self,
        dice: &mut Dice,
        survivors: Survivors,
    ) -> BTreeMap<String, usize> {
        let mut entries = self.durable.clone();
        let names: Vec<&String> = self.durable.keys().chain(self.live.keys()).collect();
        for name in names {
            let survives = match survivors {
                Survivors::None => false,
                Survivors::All => true,
                Survivors::Prefix | Survivors::Subset => dice.roll(2) == 0,
            };
            if survives {
                match self.live.get(name) {
                    Some(&index) => entries.insert(name.clone(), index),
                    None => entries.remove(name),
                };
            }
        }
        entries
    }
}

impl Image {
    fn write(target: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
        if target.len() < offset + bytes.len() {
            target.resize(offset + bytes.len(), 0);
        }
        target[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn after_crash(&self, dice: &mut Dice, survivors: Survivors) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let whole = match survivors {
            Survivors::None => 0,
            Survivors::All | Survivors::Subset => self.pending.len(),
            Survivors::Prefix => dice.roll(self.pending.len() + 1),
        };
        for (offset, piece) in &self.pending[..whole] {
            for (at, sector) in sectors(*offset, piece) {
                if survivors != Survivors::Subset || dice.roll(2) == 0 {
                    Self::write(&mut bytes, at, sector);
                }
            }
        }
        if survivors == Survivors::Prefix
            && let Some((offset, piece)) = self.pending.get(whole)
        {
            let parts = sectors(*offset, piece);
            let count = dice.roll(parts.len() + 1);
            for (at, sector) in &parts[..count] {
                Self::write(&mut bytes, *at, sector);
            }
        }
        bytes
    }
}

/// A write cut where sectors end.
fn sectors(offset: usize, mut bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut at = offset;
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (part, rest) = bytes.split_at(bytes.len().min(SECTOR_BYTES - at % SECTOR_BYTES));
        parts.push((at, part));
        at += part.len();
        bytes = rest;
    }
    parts
}

/// A small deterministic generator (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap_or(0) % sides.max(1)
    }
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no file {name}"))
}

fn to_usize(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

impl Disk for FakeDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let inner = self.step("list", "")?;
        Ok(inner.live.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let inner = self.step("open", name)?;
        let index = *inner.live.get(name).ok_or_else(|| not_found(name))?;
        drop(inner);
        Ok(FakeFile::of(self, name, index))
    }

    fn create(&self, name: &str, length: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut inner = self.step("create", name)?;
        if inner.live.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if inner
            .capacity_bytes
            .is_some_and(|capacity| inner.used_bytes() + length > capacity)
        {
            return Err(io::Error::from_raw_os_error(28));
        }
        let zeros = vec![0; to_usize(length)?];
        let index = inner.files.len();
        inner.files.push(Image {
            live: zeros.clone(),
            durable: zeros,
            pending: Vec::new(),
        });
        inner.live.insert(name.to_owned(), index);
        drop(inner);
        Ok(FakeFile::of(self, name, index))
    }

    fn reserve(&self, name: &str, length: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.create(name, length)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.step("rename", from)?;
        let index = inner.live.remove(from).ok_or_else(|| not_found(from))?;
        inner.live.insert(to.to_owned(), index);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.step("remove", name)?;
        inner.live.remove(name).ok_or_else(|| not_found(name))?;
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut inner = self.step("sync_folder", "")?;
        if !inner.lying {
            inner.durable = inner.live.clone();
        }
        Ok(())
    }
}

struct FakeFile {
    disk: FakeDisk,
    name: String,
    index: usize,
}

impl FakeFile {
    fn of(disk: &FakeDisk, name: &str, index: usize) -> Arc<dyn DiskFile> {
        Arc::new(Self {
            disk: disk.clone(),
            name: name.to_owned(),
            index,
        })
    }
}

impl DiskFile for FakeFile {
    fn length(&self) -> io::Result<u64> {
        let inner = self.disk.step("length", &self.name)?;
        Ok(inner.files[self.index].live.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let inner = self.disk.step("read", &self.name)?;
        let live = &inner.files[self.index].live;
        let start = to_usize(offset)?.min(live.len());
        let count = buffer.len().min(live.len() - start);
        buffer[..count].copy_from_slice(&live[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut inner, fault) = self.disk.begin("write", &self.name)?;
        let offset = to_usize(offset)?;
        inner.check_growth(self.index, offset + bytes.len())?;
        // A write that fails or dies has got half-way.
        let done = fault.map_or(bytes.len(), |_| {
            bytes.len() / 2 / SECTOR_BYTES * SECTOR_BYTES
        });
        let image = &mut inner.files[self.index];
        Image::write(&mut image.live, offset, &bytes[..done]);
        image.pending.push((offset, bytes[..done].to_vec()));
        match fault {
            None => Ok(()),
            Some(_) => Err(io::Error::from_raw_os_error(5)),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let (mut inner, fault) = self.disk.begin("sync", &self.name)?;
        let lying = inner.lying;
        let image = &mut inner.files[self.index];
        match fault {
            // As Linux does it: the pages are marked clean, a second sync would succeed.
            Some(Fault::Io) => image.pending.clear(),
            Some(_) => {}
            None if lying => {}
            None => {
                for (offset, piece) in std::mem::take(&mut image.pending) {
                    Image::write(&mut image.durable, offset, &piece);
                }
            }
        }
        match fault {
            None => Ok(()),
            Some(_) => Err(io::Error::from_raw_os_error(5)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(disk: &FakeDisk, name: &str) -> Vec<u8> {
        let mut buffer = vec![0; 2048];
        let count = disk.open(name).unwrap().read_at(0, &mut buffer).unwrap();
        buffer.truncate(count);
        buffer
    }

    #[test]
    fn what_was_synced_survives_and_the_rest_as_the_test_says() {
        let disk = FakeDisk::new();
        let file = disk.create("a", 2048).unwrap();
        disk.sync_folder().unwrap();
        file.write_at(0, &[1; 512]).unwrap();
        file.sync().unwrap();
        file.write_at(512, &[2; 1024]).unwrap();
        assert_eq!(content(&disk.crash(1, Survivors::None), "a")[512], 0);
        assert_eq!(content(&disk.crash(1, Survivors::All), "a")[1535], 2);
        for seed in 0..20 {
            let after = content(&disk.crash(seed, Survivors::Subset), "a");
            assert_eq!(after[511], 1);
            assert!(after[512..1024].iter().all(|b| *b == after[512]));
        }
    }

    #[test]
    fn a_file_whose_entry_was_not_synced_is_gone() {
        let disk = FakeDisk::new();
        disk.create("a", 1).unwrap();
        assert!(disk.crash(1, Survivors::None).open("a").is_err());
        disk.sync_folder().unwrap();
        assert!(disk.crash(1, Survivors::None).open("a").is_ok());
    }

    #[test]
    fn after_death_nothing_works() {
        let disk = FakeDisk::new();
        let file = disk.create("a", 2048).unwrap();
        disk.fail_at(1, Fault::Die);
        assert!(file.write_at(0, &[7; 2048]).is_err());
        assert!(file.sync().is_err());
        assert_eq!(content(&disk.crash(1, Survivors::All), "a")[..1025], {
            let mut half = [7; 1025];
            half[1024] = 0;
            half
        });
    }
}
