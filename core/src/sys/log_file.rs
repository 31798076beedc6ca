//! A text log that never grows without bound: one file, and the one before it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Lines that are appended; when the file is full it is renamed to `NAME.old` and begun anew.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    bytes_max: AtomicU64,
    open: Mutex<(File, u64)>,
}

impl LogFile {
    /// Opens or creates it; the folder is created if need be.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: &Path, bytes_max: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = append(path)?;
        let length = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            bytes_max: AtomicU64::new(bytes_max),
            open: Mutex::new((file, length)),
        })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn line(&self, text: &str) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{}\n", text.replace('\n', " "));
        if open.1 + line.len() as u64 > self.bytes_max.load(Ordering::Relaxed) {
            std::fs::rename(&self.path, self.older())?;
            *open = (append(&self.path)?, 0);
        }
        open.0.write_all(line.as_bytes())?;
        open.1 += line.len() as u64;
        Ok(())
    }

    /// Sets how large each of the two files may become; it counts from the next line on.
    pub fn set_bytes_max(&self, bytes_max: u64) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// All that is kept, oldest first.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn text(&self) -> io::Result<String> {
        let mut bytes = Vec::new();
        for path in [self.older(), self.path.clone()] {
            match File::open(path) {
                Ok(mut file) => drop(file.read_to_end(&mut bytes)?),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn older(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".old");
        name.into()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_keeps_the_file_before_it_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogFile::open(&folder.path().join("cluster.log"), 40).unwrap();
        for number in 0..20 {
            log.line(&format!("line {number:02} of the log")).unwrap();
        }
        let text = log.text().unwrap();
        assert!(text.ends_with("line 19 of the log\n"), "{text}");
        assert!(text.len() <= 80, "{}", text.len());
    }
}
