//! The image of a file, or of a folder with all in it: content, owner and mode, to be put in place elsewhere.
//!
//! ```text
//!   path ── read ──► Image ── encode ──► bytes          bounded, checked when they come back
//!   Image ── place ──► .NAME.hamq-new, synced ── rename or exchange ──► path
//!   path ── set_aside ──► NAME.kept-TIME                 nothing of it is lost
//! ```
//!
//! Placing is all or nothing for whoever looks at the path; what a crash leaves beside it is removed by the next one.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use serde::{Deserialize, Serialize};

use super::trust::digest;
use crate::error::{Error, ErrorKind, Result};

/// Files and folders of one image.
pub const ENTRIES_MAX: usize = 1024;

/// A file or a folder as it was; without entries nothing was there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    entries: Vec<Entry>,
}

/// One file, folder or symbolic link. The first one is the root, whose path is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    path: String,
    content: Content,
    mode: u32,
    uid: u32,
    gid: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Content {
    Folder,
    File(#[serde(with = "serde_bytes")] Vec<u8>),
    Link(String),
}

/// What the file system says of a path without its content being read: equal as long as nothing was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature(Vec<(PathBuf, [i64; 7])>);

impl Image {
    /// Reads what is at a path; an image without entries if nothing is.
    ///
    /// # Errors
    /// `InsufficientResources` beyond `bytes_max` or [`ENTRIES_MAX`]; `UnsupportedOperation` for what is neither file, folder
    /// nor link, and for names that are not UTF-8; those of the file system.
    pub fn read(path: &Path, bytes_max: usize) -> Result<Self> {
        let mut entries = Vec::new();
        let mut left = bytes_max;
        let mut waiting = vec![(path.to_owned(), String::new())];
        while let Some((at, relative)) = waiting.pop() {
            let failed = |e: &io::Error| Error::system(format_args!("read {}", at.display()), e);
            let found = match fs::symlink_metadata(&at) {
                Ok(found) => found,
                Err(e) if e.kind() == io::ErrorKind::NotFound && relative.is_empty() => break,
                Err(e) => return Err(failed(&e)),
            };
            let content = read_content(&at, &found, left).map_err(|e| failed(&e))?;
            let content = content.ok_or_else(|| odd(&at, &found, bytes_max))?;
            left = left.saturating_sub(content.bytes() + relative.len());
            if let Content::Folder = content {
                for name in super::folder::names(&at)? {
                    let utf8 = at.join(&name);
                    if fs::symlink_metadata(&utf8).is_err() {
                        return Err(odd_name(&at, &name));
                    }
                    waiting.push((utf8, join(&relative, &name)));
                }
            }
            if entries.len() + waiting.len() >= ENTRIES_MAX {
                return Err(too_much(path, bytes_max));
            }
            entries.push(Entry::new(relative, content, &found));
        }
        // In an order of its own: folders before what is in them.
        entries.sort_by(|a: &Entry, b: &Entry| a.path.cmp(&b.path));
        Ok(Self { entries })
    }

    /// Whether nothing was there.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.entries.is_empty()
    }

    /// Its bytes.
    ///
    /// # Errors
    /// None that is known.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        ciborium::into_writer(self, &mut bytes)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("encode an image: {e}")))?;
        Ok(bytes)
    }

    /// The image that bytes hold, which must have this digest.
    ///
    /// # Errors
    /// `StoreDamaged`.
    pub fn decode(bytes: &[u8], expected: &str) -> Result<Self> {
        let damaged = |why: &str| {
            let text = format!("the stored image of a checkpoint is damaged: {why}");
            Error::new(ErrorKind::StoreDamaged, text).hint(
                "Remove-ClusterCheckpoint and Add-ClusterCheckpoint take it anew from the owner",
            )
        };
        if digest(bytes).to_string() != expected {
            return Err(damaged("its digest is another"));
        }
        let image: Self = ciborium::from_reader(bytes).map_err(|e| damaged(&e.to_string()))?;
        match image.entries.iter().enumerate().all(|(i, e)| e.is_sound(i)) {
            true => Ok(image),
            false => Err(damaged("a path leads out of it")),
        }
    }

    /// Puts the image at a path, in place of what is there. The caller has set aside what must not be lost.
    ///
    /// # Errors
    /// Those of the file system; then the path is as it was.
    pub fn place(&self, path: &Path) -> Result<()> {
        self.place_with(path, &mut |_| Ok(()))
    }

    /// `before` is called before each step, and can fail as a crash would.
    fn place_with(
        &self,
        path: &Path,
        before: &mut dyn FnMut(&'static str) -> io::Result<()>,
    ) -> Result<()> {
        let failed = |e: &io::Error| Error::system(format_args!("restore {}", path.display()), e);
        let fresh = beside(path, "hamq-new");
        let mut work = || -> io::Result<()> {
            let folder = path.parent().unwrap_or_else(|| Path::new("/"));
            fs::create_dir_all(folder)?;
            remove_any(&fresh)?;
            before("write")?;
            for entry in &self.entries {
                entry.write(&fresh)?;
            }
            for entry in self.entries.iter().rev() {
                entry.finish(&fresh)?; // modes last: a folder may forbid writing
            }
            before("exchange")?;
            self.exchange(&fresh, path, before)?;
            File::open(folder)?.sync_all()
        };
        work().map_err(|e| failed(&e))
    }

    fn exchange(
        &self,
        fresh: &Path,
        path: &Path,
        before: &mut dyn FnMut(&'static str) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.is_nothing() {
            return remove_any(path);
        }
        let folder_there = fs::symlink_metadata(path).map(|found| found.is_dir());
        let is_folder = matches!(self.entries[0].content, Content::Folder);
        match folder_there {
            Err(_) | Ok(false) if !is_folder => return fs::rename(fresh, path),
            Err(_) => return fs::rename(fresh, path),
            Ok(_) => {}
        }
        let swapped = rustix::fs::renameat_with(CWD, fresh, CWD, path, RenameFlags::EXCHANGE);
        if swapped.is_err() {
            // A file system that cannot exchange: the old one steps aside first.
            let old = beside(path, "hamq-old");
            remove_any(&old)?;
            fs::rename(path, &old)?;
            fs::rename(fresh, path)?;
            before("clear")?;
            return remove_any(&old);
        }
        before("clear")?;
        remove_any(fresh)
    }
}

/// Gives what is at a path another name beside it, durably; answers the name.
///
/// # Errors
/// Those of the file system.
pub fn set_aside(path: &Path, wall_ms: u64) -> Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stamp = stamp(wall_ms);
    let free = (0..1000).map(|n| match n {
        0 => path.with_file_name(format!("{name}.kept-{stamp}")),
        n => path.with_file_name(format!("{name}.kept-{stamp}-{n}")),
    });
    let mut free = free.filter(|kept| fs::symlink_metadata(kept).is_err());
    let kept = free.next().unwrap_or_else(|| beside(path, "kept"));
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    fs::rename(path, &kept)
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|e| Error::system(format_args!("set {} aside", path.display()), &e))?;
    Ok(kept)
}

fn stamp(wall_ms: u64) -> String {
    let millis = i64::try_from(wall_ms).unwrap_or(i64::MAX);
    let stamp = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    stamp.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// What the file system says of a path and of all below it.
///
/// # Errors
/// `InsufficientResources` beyond [`ENTRIES_MAX`]; those of the file system.
pub fn signature(path: &Path) -> Result<Signature> {
    let mut list = Vec::new();
    let mut waiting = vec![path.to_owned()];
    while let Some(at) = waiting.pop() {
        let found = match fs::symlink_metadata(&at) {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue, // gone meanwhile is a change too
            Err(e) => return Err(Error::system(format_args!("look at {}", at.display()), &e)),
        };
        if found.is_dir() {
            waiting.extend(super::folder::names(&at)?.iter().map(|name| at.join(name)));
        }
        if list.len() + waiting.len() >= ENTRIES_MAX {
            return Err(too_much(path, 0));
        }
        list.push((at, facts(&found)));
    }
    list.sort();
    Ok(Signature(list))
}

fn facts(found: &Metadata) -> [i64; 7] {
    let signed = u64::cast_signed;
    [
        signed(found.ino()),
        signed(found.len()),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
        i64::from(found.mode()),
    ]
}

impl Entry {
    fn new(path: String, content: Content, found: &Metadata) -> Self {
        Self {
            path,
            content,
            mode: found.mode() & 0o7777,
            uid: found.uid(),
            gid: found.gid(),
        }
    }

    /// The root has no path, and no other leads out of it.
    fn is_sound(&self, index: usize) -> bool {
        let inside = Path::new(&self.path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        inside && self.path.is_empty() == (index == 0)
    }

    fn at(&self, root: &Path) -> PathBuf {
        match self.path.is_empty() {
            true => root.to_owned(),
            false => root.join(&self.path),
        }
    }

    fn write(&self, root: &Path) -> io::Result<()> {
        let at = self.at(root);
        match &self.content {
            Content::Folder => fs::create_dir(&at),
            Content::Link(target) => std::os::unix::fs::symlink(target, &at),
            Content::File(bytes) => {
                let mut options = File::options();
                options.write(true).create_new(true).mode(0o600);
                let mut file = options.open(&at)?;
                file.write_all(bytes)?;
                file.sync_all()
            }
        }
    }

    /// Owner and mode, in this order: changing the owner takes set-id bits away.
    fn finish(&self, root: &Path) -> io::Result<()> {
        let at = self.at(root);
        let found = fs::symlink_metadata(&at)?;
        if (found.uid(), found.gid()) != (self.uid, self.gid) {
            std::os::unix::fs::lchown(&at, Some(self.uid), Some(self.gid))?;
        }
        if matches!(self.content, Content::Link(_)) {
            return Ok(());
        }
        let handle = File::open(&at)?;
        handle.set_permissions(fs::Permissions::from_mode(self.mode))?;
        handle.sync_all()
    }
}

impl Content {
    const fn bytes(&self) -> usize {
        match self {
            Self::Folder => 0,
            Self::File(bytes) => bytes.len(),
            Self::Link(target) => target.len(),
        }
    }
}

/// The content of one entry; none if it cannot be part of an image.
fn read_content(at: &Path, found: &Metadata, left: usize) -> io::Result<Option<Content>> {
    if found.is_dir() {
        return Ok(Some(Content::Folder));
    }
    if found.is_symlink() {
        let target = fs::read_link(at)?;
        return Ok(target.to_str().map(|text| Content::Link(text.to_owned())));
    }
    if !found.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let limit = left as u64 + 1;
    File::open(at)?.take(limit).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= left).then_some(Content::File(bytes)))
}

fn join(folder: &str, name: &str) -> String {
    match folder.is_empty() {
        true => name.to_owned(),
        false => format!("{folder}/{name}"),
    }
}

/// `.NAME.WORD` in the same folder.
fn beside(path: &Path, word: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{word}"))
}

fn remove_any(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn odd(at: &Path, found: &Metadata, bytes_max: usize) -> Error {
    if found.is_file() {
        return too_much(at, bytes_max);
    }
    let text = format!("{} is neither a file nor a folder", at.display());
    Error::new(ErrorKind::UnsupportedOperation, text)
        .hint("checkpoints carry files, folders and symbolic links whose names are UTF-8")
}

fn odd_name(at: &Path, name: &str) -> Error {
    let text = format!("{}/{name} is not UTF-8, or just went", at.display());
    Error::new(ErrorKind::UnsupportedOperation, text).hint("checkpoints carry names in UTF-8")
}

fn too_much(path: &Path, bytes_max: usize) -> Error {
    let text = format!("{} is too large for a checkpoint", path.display());
    Error::new(ErrorKind::InsufficientResources, text).hint(match bytes_max {
        0 => format!("at most {ENTRIES_MAX} files and folders"),
        _ => format!("at most {bytes_max} bytes in {ENTRIES_MAX} files and folders; put data on the group's disk"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
    }

    fn tree(root: &Path) {
        fs::create_dir_all(root.join("sub")).unwrap();
        write(&root.join("a"), "one");
        write(&root.join("sub/b"), "two");
        fs::set_permissions(root.join("a"), fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("a", root.join("l")).unwrap();
    }

    #[test]
    fn a_tree_comes_back_as_it_was_with_its_modes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        tree(&from);
        fs::set_permissions(from.join("sub"), fs::Permissions::from_mode(0o500)).unwrap();
        let image = Image::read(&from, 1000).unwrap();
        let bytes = image.encode().unwrap();
        let back = Image::decode(&bytes, &digest(&bytes).to_string()).unwrap();
        for _ in 0..2 {
            back.place(&to).unwrap(); // also over what is there
            assert_eq!(Image::read(&to, 1000).unwrap(), image);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let nothing = Image::read(&folder.path().join("none"), 10).unwrap();
        assert!(nothing.is_nothing());
        nothing.place(&to).unwrap();
        assert!(!to.exists());
    }

    #[test]
    fn a_crash_at_any_step_leaves_the_old_or_the_new_and_the_next_try_cleans_up() {
        for crash_at in ["write", "exchange", "clear"] {
            let folder = tempfile::tempdir().unwrap();
            let (old, new) = (folder.path().join("x"), folder.path().join("new"));
            tree(&old);
            tree(&new);
            write(&new.join("a"), "changed");
            let before = Image::read(&old, 1000).unwrap();
            let image = Image::read(&new, 1000).unwrap();
            let mut crash = |step: &'static str| match step == crash_at {
                true => Err(io::Error::other("power cut")),
                false => Ok(()),
            };
            image.place_with(&old, &mut crash).unwrap_err();
            let now = Image::read(&old, 1000).unwrap();
            assert!(now == before || now == image, "{crash_at}");
            image.place(&old).unwrap();
            assert_eq!(Image::read(&old, 1000).unwrap(), image);
            assert_eq!(
                fs::read_dir(folder.path()).unwrap().count(),
                2,
                "{crash_at}"
            );
        }
    }

    #[test]
    fn what_is_too_large_special_or_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        write(&path, "12345");
        assert_eq!(Image::read(&path, 5).unwrap().entries.len(), 1);
        let error = Image::read(&path, 4).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InsufficientResources);
        let socket = folder.path().join("s");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let error = Image::read(&socket, 4).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnsupportedOperation);

        let mut image = Image::read(&path, 5).unwrap();
        image.entries[0].path = "../f".to_owned();
        let bytes = image.encode().unwrap();
        let right = digest(&bytes).to_string();
        assert_eq!(
            Image::decode(&bytes, "0").unwrap_err().kind,
            ErrorKind::StoreDamaged
        );
        assert_eq!(
            Image::decode(&bytes, &right).unwrap_err().kind,
            ErrorKind::StoreDamaged
        );
    }

    #[test]
    fn a_signature_tells_of_every_change_and_what_is_set_aside_stays() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("t");
        let none = signature(&root).unwrap();
        tree(&root);
        let first = signature(&root).unwrap();
        assert_ne!(first, none);
        assert_eq!(signature(&root).unwrap(), first);
        fs::set_permissions(root.join("a"), fs::Permissions::from_mode(0o600)).unwrap();
        assert_ne!(signature(&root).unwrap(), first);

        let kept = [0, 0].map(|_| {
            let kept = set_aside(&root, 0).unwrap();
            tree(&root);
            kept
        });
        assert_ne!(kept[0], kept[1]);
        assert!(kept.iter().all(|kept| kept.join("sub/b").exists()));
        assert!(kept[0].ends_with("t.kept-19700101T000000Z"));
    }
}
