//! Who a process is, beyond its pid, which the kernel hands out again.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::time::Timespec;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// A process of one boot of one kernel, for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Its pid in its namespace.
    pub pid: u32,
    /// When it was started, in clock ticks since boot.
    pub start_time: u64,
    /// The kernel's boot id.
    pub boot_id: String,
    /// The inode of its pid namespace.
    pub pid_namespace: u64,
}

/// What can be said of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It exists on this kernel, running or stopped.
    Alive,
    /// It has ended.
    Gone,
    /// It belongs to another pid namespace of this kernel: we cannot tell.
    Elsewhere,
}

/// The id of this boot of the kernel.
///
/// # Errors
/// When /proc is not mounted.
pub fn boot_id() -> Result<String> {
    const PATH: &str = "/proc/sys/kernel/random/boot_id";
    std::fs::read_to_string(PATH)
        .map(|text| text.trim().to_owned())
        .map_err(|e| Error::system(format_args!("read {PATH}"), &e).hint("mount /proc"))
}

impl ProcessIdentity {
    /// This process.
    ///
    /// # Errors
    /// When /proc is not mounted.
    pub fn current() -> Result<Self> {
        Self::of(std::process::id())
    }

    /// The process that has `pid` now.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn of(pid: u32) -> Result<Self> {
        let stat = Stat::read(pid)
            .filter(|stat| !stat.ended())
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no process {pid}")))?;
        Ok(Self {
            pid,
            start_time: stat.start_time,
            boot_id: boot_id()?,
            pid_namespace: pid_namespace()?,
        })
    }

    /// Whether it still exists.
    #[must_use]
    pub fn presence(&self) -> Presence {
        if boot_id().is_ok_and(|boot| boot != self.boot_id) {
            return Presence::Gone;
        }
        if pid_namespace().is_ok_and(|namespace| namespace != self.pid_namespace) {
            return Presence::Elsewhere;
        }
        match self.stat() {
            Some(stat) if !stat.ended() => Presence::Alive,
            _ => Presence::Gone,
        }
    }

    /// Whether it exists on this kernel, running or stopped.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.presence() == Presence::Alive
    }

    /// Whether it is stopped (SIGSTOP, a debugger): every one of its threads.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let stopped = |stat: Stat| matches!(stat.state, 'T' | 't');
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid));
        self.stat().is_some_and(stopped)
            && tasks.is_ok_and(|mut tasks| {
                tasks.all(|task| {
                    let stat = task
                        .ok()
                        .and_then(|task| Stat::at(&task.path().join("stat")));
                    stat.is_none_or(stopped) // a thread that has ended does nothing any more
                })
            })
    }

    /// Its short name, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        self.stat()
            .map_or_else(|| "gone".to_owned(), |stat| stat.name)
    }

    /// Whether it has the file at `path` open.
    #[must_use]
    pub fn has_open(&self, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else {
            return false;
        };
        std::fs::read_dir(format!("/proc/{}/fd", self.pid)).is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == path))
        })
    }

    /// Ends it by SIGKILL and waits until it has ended; true if it was there. Works on stopped
    /// processes. Blocks up to `timeout`.
    ///
    /// # Errors
    /// `Timeout` when it does not end (a hanging disk), `AccessDenied` when it is not ours to end,
    /// `InvalidState` when it lives in another pid namespace.
    pub fn kill_and_wait(&self, timeout: Duration) -> Result<bool> {
        let Some(process) = self.open()? else {
            return Ok(false);
        };
        match pidfd_send_signal(&process, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(e) => return Err(Error::system(format_args!("kill {self}"), &e.into())),
        }
        if wait_for_end(&process, timeout) {
            return Ok(true);
        }
        Err(Error::new(
            ErrorKind::Timeout,
            format!(
                "{self} did not end within {} ms of SIGKILL",
                timeout.as_millis()
            ),
        )
        .hint("it hangs in the kernel, most likely on a disk"))
    }

    /// Sends it a signal; false when it has ended.
    ///
    /// # Errors
    /// `AccessDenied` when it is not ours, `InvalidState` when it lives in another pid namespace.
    pub fn signal(&self, signal: Signal) -> Result<bool> {
        let Some(process) = self.open()? else {
            return Ok(false);
        };
        match pidfd_send_signal(&process, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(e) => Err(Error::system(format_args!("signal {self}"), &e.into())),
        }
    }

    /// Whether it has ended by itself, or does so within `timeout`. Blocks up to that.
    #[must_use]
    pub fn ends_within(&self, timeout: Duration) -> bool {
        match self.open() {
            Ok(Some(process)) => wait_for_end(&process, timeout),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Waits until a signal to stop has reached all of its threads, or it has ended; whether that was so within
    /// `timeout`. Blocks up to that.
    #[must_use]
    pub fn stops_within(&self, timeout: Duration) -> bool {
        const LOOK_EVERY: Duration = Duration::from_millis(1);
        let until = Instant::now() + timeout;
        while self.is_alive() && !self.is_stopped() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        true
    }

    /// A descriptor of exactly this process; none if it has ended.
    fn open(&self) -> Result<Option<rustix::fd::OwnedFd>> {
        match self.presence() {
            Presence::Gone => return Ok(None),
            Presence::Elsewhere => {
                return Err(Error::new(
                    ErrorKind::InvalidState,
                    format!("{self} lives in another pid namespace and cannot be ended from here"),
                ));
            }
            Presence::Alive => {}
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let process = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => process,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(e) => return Err(Error::system(format_args!("open {self}"), &e.into())),
        };
        // Looked at again now that the descriptor pins the pid: it may have been handed out anew.
        Ok(self.is_alive().then_some(process))
    }

    fn stat(&self) -> Option<Stat> {
        Stat::read(self.pid).filter(|stat| stat.start_time == self.start_time)
    }
}

impl std::fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {}", self.pid)
    }
}

fn wait_for_end(process: &rustix::fd::OwnedFd, timeout: Duration) -> bool {
    let until = Instant::now() + timeout;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let limit = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(0),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut descriptors = [PollFd::new(process, PollFlags::IN)];
        match poll(&mut descriptors, Some(&limit)) {
            Ok(1..) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => return false,
        }
    }
}

fn pid_namespace() -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    const PATH: &str = "/proc/self/ns/pid";
    std::fs::metadata(PATH)
        .map(|metadata| metadata.ino())
        .map_err(|e| Error::system(format_args!("look at {PATH}"), &e))
}

/// What /proc/PID/stat says.
pub(super) struct Stat {
    pub(super) name: String,
    pub(super) state: char,
    pub(super) parent: u32,
    pub(super) session: u32,
    pub(super) start_time: u64,
}

impl Stat {
    pub(super) fn read(pid: u32) -> Option<Self> {
        Self::at(Path::new(&format!("/proc/{pid}/stat")))
    }

    fn at(path: &Path) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(path).ok()?)
    }

    /// `PID (NAME) STATE PPID …`; the name may contain blanks and brackets.
    fn parse(text: &str) -> Option<Self> {
        let (head, tail) = text.rsplit_once(')')?;
        let fields: Vec<&str> = tail.split_whitespace().collect();
        Some(Self {
            name: head.split_once('(')?.1.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            start_time: fields.get(19)?.parse().ok()?,
        })
    }

    pub(super) const fn ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn sleeper() -> std::process::Child {
        Command::new("sleep")
            .arg("600")
            .stdin(Stdio::null())
            .spawn()
            .unwrap()
    }

    #[test]
    fn a_name_with_brackets_does_not_confuse() {
        let text = "7 (a) b) (c) S 1 7 7 0 -1 4194304 1 0 0 0 1 1 0 0 20 0 1 0 4242 9";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.name.as_str(), stat.state), ("a) b) (c", 'S'));
        assert_eq!((stat.parent, stat.start_time), (1, 4242));
    }

    #[test]
    fn a_stopped_process_is_ended_and_stays_gone() {
        let mut child = sleeper();
        let identity = ProcessIdentity::of(child.id()).unwrap();
        let pid = Pid::from_child(&child);
        assert!(!identity.stops_within(Duration::from_millis(5)));
        rustix::process::kill_process(pid, Signal::STOP).unwrap();
        assert!(identity.stops_within(Duration::from_secs(10)));
        assert!(identity.is_alive() && identity.is_stopped());
        assert!(identity.kill_and_wait(Duration::from_secs(10)).unwrap());
        assert!(!identity.is_alive(), "a zombie counts as gone");
        assert!(identity.stops_within(Duration::ZERO));
        child.wait().unwrap();
        assert!(!identity.kill_and_wait(Duration::from_secs(1)).unwrap());
    }

    #[test]
    fn a_recycled_pid_is_not_hit() {
        let mut child = sleeper();
        let mut former = ProcessIdentity::of(child.id()).unwrap();
        former.start_time -= 1;
        assert!(!former.is_alive());
        assert!(!former.kill_and_wait(Duration::from_secs(1)).unwrap());
        assert!(
            child.try_wait().unwrap().is_none(),
            "the new process was hit"
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_process_of_another_boot_is_gone_and_one_of_another_namespace_is_elsewhere() {
        let own = ProcessIdentity::current().unwrap();
        assert!(own.is_alive());
        let before_boot = ProcessIdentity {
            boot_id: "another".to_owned(),
            ..own.clone()
        };
        assert_eq!(before_boot.presence(), Presence::Gone);
        let container = ProcessIdentity {
            pid_namespace: 1,
            ..own
        };
        assert_eq!(container.presence(), Presence::Elsewhere);
        let error = container.kill_and_wait(Duration::from_secs(1)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidState);
    }
}
