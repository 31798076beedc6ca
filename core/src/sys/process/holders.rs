//! Who keeps a file system busy: by open files, working folders, programs and mapped files.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::ProcessIdentity;

/// A process that keeps a file system busy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHolder {
    /// Who.
    pub process: ProcessIdentity,
    /// The name of its program.
    pub name: String,
    /// By what: `its working folder /srv/vs1`.
    pub by: String,
}

impl std::fmt::Display for FileHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} (process {}, {})",
            self.name, self.process.pid, self.by
        )
    }
}

/// The processes that keep the file system of this device number busy, as far as we may see.
#[must_use]
pub fn file_holders(device: (u32, u32)) -> Vec<FileHolder> {
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok())
        .filter_map(|pid| {
            let by = hold(pid, device)?;
            let process = ProcessIdentity::of(pid).ok()?;
            let name = process.name();
            Some(FileHolder { process, name, by })
        })
        .collect()
}

fn hold(pid: u32, device: (u32, u32)) -> Option<String> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let named = [
        ("cwd", "working folder"),
        ("root", "root folder"),
        ("exe", "program"),
    ];
    for (link, what) in named {
        if lies_on(&folder.join(link), device) {
            return Some(format!("its {what} {}", target(&folder.join(link))));
        }
    }
    let files = std::fs::read_dir(folder.join("fd"))
        .into_iter()
        .flatten()
        .flatten();
    for file in files {
        if lies_on(&file.path(), device) {
            return Some(format!("its open file {}", target(&file.path())));
        }
    }
    let maps = std::fs::read_to_string(folder.join("maps")).unwrap_or_default();
    let wanted = format!("{:02x}:{:02x}", device.0, device.1);
    let mapped = maps
        .lines()
        .find(|line| line.split_ascii_whitespace().nth(3) == Some(&wanted))?;
    let path = mapped.split_ascii_whitespace().nth(5).unwrap_or("?");
    Some(format!("its mapped file {path}"))
}

/// By the file itself, not by its path: that may be of another mount namespace.
fn lies_on(link: &Path, device: (u32, u32)) -> bool {
    let number = std::fs::metadata(link).map(|m| m.dev());
    number.is_ok_and(|n| (rustix::fs::major(n), rustix::fs::minor(n)) == device)
}

fn target(link: &Path) -> String {
    std::fs::read_link(link).map_or_else(|_| "?".to_owned(), |p| p.display().to_string())
}
