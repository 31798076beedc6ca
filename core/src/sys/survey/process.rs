//! Processes that play a role on a store.

use std::path::Path;

use crate::sys::process::arguments;

/// Parents that are followed.
const ANCESTORS_MAX: usize = 8;

/// A process that works on a folder.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its number.
    pub pid: u32,
    /// Those of its parent and its parent's parents.
    pub ancestors: Vec<u32>,
    /// The folder, as its command line names it.
    pub store: String,
}

/// The processes whose command line has the word `role` and a path in one of `folders`.
#[must_use]
pub fn running(role: &str, folders: &[String]) -> Vec<Running> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let line = arguments(pid);
        // Those that start others name the role too, as a part of a longer line: the program is at its front.
        let is_role = line.iter().take(3).any(|word| word == role);
        let store = line
            .iter()
            .find(|word| folders.iter().any(|f| Path::new(word).starts_with(f)))?;
        is_role.then(|| Running {
            pid,
            ancestors: ancestors(pid),
            store: store.clone(),
        })
    })
    .collect()
}

fn ancestors(pid: u32) -> Vec<u32> {
    let mut all = Vec::new();
    let mut current = pid;
    while let Some(parent) = parent(current) {
        if parent == 0 || all.len() == ANCESTORS_MAX {
            break;
        }
        all.push(parent);
        current = parent;
    }
    all
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_followed_to_the_first_process() {
        let own = ancestors(std::process::id());
        assert_eq!(
            own.first().copied(),
            Some(std::os::unix::process::parent_id())
        );
    }
}
