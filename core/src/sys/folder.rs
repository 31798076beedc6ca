//! Small files that must survive: records written whole, durably, or not at all.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// Largest file [`read_if_there`] reads.
const RECORD_BYTES_MAX: u64 = 64 * 1024;

/// Replaces the file at `path` by `bytes`: after a crash it holds the old or the new ones, and after the
/// return the new ones.
///
/// # Errors
/// What the system says.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, 0o666)
}

/// As [`write_durably`], for this user alone.
///
/// # Errors
/// What the system says.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, 0o600)
}

/// Creates a folder, and those above it, for this user alone; one that is there is left as it is.
///
/// # Errors
/// What the system says.
pub fn create_secret(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(path);
    made.map_err(|e| Error::system(format_args!("create {}", path.display()), &e))
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = write_synced(temporary, bytes, mode)
        .and_then(|()| std::fs::rename(temporary, path))
        .and_then(|()| sync_folder_of(path));
    written.map_err(|e| {
        let _ = std::fs::remove_file(temporary);
        Error::system(format_args!("write {}", path.display()), &e)
    })
}

fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(mode);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    File::open(path.parent().unwrap_or_else(|| Path::new("/")))?.sync_all()
}

/// The content of a small file; none if it does not exist.
///
/// # Errors
/// What the system says.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    let failed = |e: &std::io::Error| Error::system(format_args!("read {}", path.display()), e);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(&e)),
    };
    let mut bytes = Vec::new();
    file.take(RECORD_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|e| failed(&e))?;
    Ok(Some(bytes))
}

/// Removes a file durably; nothing happens if it does not exist.
///
/// # Errors
/// What the system says.
pub fn remove_durably(path: &Path) -> Result<()> {
    match std::fs::remove_file(path).and_then(|()| sync_folder_of(path)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::system(format_args!("remove {}", path.display()), &e))
        }
        _ => Ok(()),
    }
}

/// Makes a folder whose parent exists; true if it was not there.
///
/// # Errors
/// What the system says.
pub fn create_below_existing(path: &Path) -> Result<bool> {
    match std::fs::create_dir(path).and_then(|()| sync_folder_of(path)) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(e) => Err(Error::system(
            format_args!("create the folder {}", path.display()),
            &e,
        )),
    }
}

/// Makes a folder and those above it.
///
/// # Errors
/// What the system says.
pub fn create_all(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path)
        .and_then(|()| sync_folder_of(path))
        .map_err(|e| Error::system(format_args!("create the folder {}", path.display()), &e))
}

/// The names of what is in a folder, in no order; none if it does not exist.
///
/// # Errors
/// What the system says.
pub fn names(path: &Path) -> Result<Vec<String>> {
    let failed = |e: &std::io::Error| Error::system(format_args!("list {}", path.display()), e);
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(&e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| failed(&e))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// Removes a folder with everything in it; nothing happens if it does not exist.
///
/// # Errors
/// What the system says.
pub fn remove_tree(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::system(format_args!("remove {}", path.display()), &e))
        }
        _ => Ok(()),
    }
}

/// Whether anything is at a path.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The path as it is from the root on, without touching the disk.
///
/// # Errors
/// When it is empty or there is no current folder.
pub fn absolute(path: &Path) -> Result<std::path::PathBuf> {
    std::path::absolute(path)
        .map_err(|e| Error::system(format_args!("use the path {}", path.display()), &e))
}

/// The last lines of a text file, up to `bytes_max`; empty if it cannot be read.
#[must_use]
pub fn tail(path: &Path, bytes_max: u64) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let from = file.metadata()?.len().saturating_sub(bytes_max);
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(bytes_max).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(match text.split_once('\n') {
            Some((_, whole_lines)) if from > 0 => whole_lines.to_owned(),
            _ => text,
        })
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_replaced_whole_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        assert_eq!(read_if_there(&path).unwrap(), None);
        write_durably(&path, b"one").unwrap();
        write_durably(&path, b"two").unwrap();
        assert_eq!(read_if_there(&path).unwrap().unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        remove_durably(&path).unwrap();
        remove_durably(&path).unwrap();
        assert_eq!(read_if_there(&path).unwrap(), None);
    }

    #[test]
    fn a_folder_is_made_only_below_an_existing_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(create_below_existing(&folder.path().join("a")).unwrap());
        assert!(!create_below_existing(&folder.path().join("a")).unwrap());
        let error = create_below_existing(&folder.path().join("x/y")).unwrap_err();
        assert!(error.message.contains("x/y"), "{error}");
    }
}
