//! Files that a command names: small ones read whole, large ones read and written as they come.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The text of a file.
///
/// # Errors
/// `NotFound`; `Usage` when it is not UTF-8; those of the file system.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    String::from_utf8(bytes).map_err(|_| {
        Error::new(
            ErrorKind::Usage,
            format!("{} is not UTF-8 text", path.display()),
        )
    })
}

/// Whether the folder of a file that is to be made is there.
#[must_use]
pub fn has_folder(path: &Path) -> bool {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    parent.is_none_or(Path::is_dir)
}

/// Opens a file to be read from its beginning.
///
/// # Errors
/// `NotFound`; those of the file system.
pub fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| unreadable(path, &error))
}

/// The bytes of a file, or none if it has more than `bytes_max`.
///
/// # Errors
/// As [`open`].
pub fn read_up_to(path: &Path, bytes_max: usize) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    open(path)?
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    Ok((bytes.len() <= bytes_max).then_some(bytes))
}

/// Writes all that comes from `content` to a file, durably; a file that was there is replaced when the new one is whole.
///
/// # Errors
/// Those of the reader and of the file system.
pub fn write_from(path: &Path, content: &mut dyn Read) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = copy_synced(temporary, content).and_then(|()| std::fs::rename(temporary, path));
    written.map_err(|error| {
        // What went wrong first is what the caller must see.
        drop(std::fs::remove_file(temporary));
        Error::system(format!("write {}", path.display()), &error)
    })
}

fn copy_synced(path: &Path, content: &mut dyn Read) -> io::Result<()> {
    let mut file = File::create(path)?;
    io::copy(content, &mut file)?;
    file.sync_all()
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::new(
            ErrorKind::NotFound,
            format!("there is no file {}", path.display()),
        )
        .hint("a relative path begins at the folder this program was started in"),
        _ => Error::system(format!("read {}", path.display()), error),
    }
}
