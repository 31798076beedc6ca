//! What the stories use: a started role, waits for what other processes do, a family of processes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use hamq_core::sys::process::ProcessIdentity;

use crate::PATIENCE;

pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) input: ChildStdin,
    pub(crate) output: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(role: &str, folder: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(role)
            .arg(folder)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for something that another process does.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn gone(process: &ProcessIdentity) {
    eventually("the end of a process", || {
        (!process.is_alive()).then_some(())
    });
}

/// A script whose processes write their pids: itself, a child, and a grandchild that left the family.
pub(crate) fn family(folder: &Path) -> (String, impl Fn() -> Vec<ProcessIdentity>) {
    let pids = folder.join("pids");
    let file = pids.display();
    let script = format!(
        "sh -c 'echo $$ >> {file}; (sleep 600 & echo $! >> {file}); sleep 600 & echo $! >> {file}; wait'"
    );
    let read = move || {
        eventually("three pids", || {
            let text = std::fs::read_to_string(&pids).ok()?;
            let pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            (pids.len() == 3).then_some(pids)
        })
        .into_iter()
        .map(|pid| ProcessIdentity::of(pid).unwrap())
        .collect()
    };
    (script, read)
}
