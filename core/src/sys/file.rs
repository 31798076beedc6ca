//! Small files that are read or written whole.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The text of a file.
///
/// # Errors
/// `NotFound`; `Usage` when it is not UTF-8; those of the file system.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::new(
            ErrorKind::NotFound,
            format!("there is no file {}", path.display()),
        ),
        _ => Error::system(format!("read {}", path.display()), &error),
    })?;
    String::from_utf8(bytes).map_err(|_| {
        Error::new(
            ErrorKind::Usage,
            format!("{} is not UTF-8 text", path.display()),
        )
    })
}
