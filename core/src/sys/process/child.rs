//! Helper processes that cannot outlive the process that started them.
//!
//! Two ties hold a child: its control pipe, whose end means "exit at once", and the kernel's
//! parent-death signal, which works also on a child that hangs. The child ties the second itself
//! ([`die_with_parent`]), because setting it between fork and exec would need unsafe code. The signal
//! belongs to the *thread* that spawned, so all children come from one thread that never ends. In a node agent that
//! is the main thread, which also survives an exec: see [`become_program`].

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot, watch};

use super::handover::{self, Known, Pipes};
use super::{PARENT_VARIABLE, ProcessIdentity};
use crate::error::{Error, ErrorKind, Result};

/// Longest line of a child; a longer one is cut into several.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Lines that wait for their reader; then the child waits.
const LINES_MAX: usize = 256;
/// Spawns that wait for the spawning thread.
const SPAWNS_MAX: usize = 16;

/// What to start.
#[derive(Clone, Debug, Default)]
pub struct Spawn {
    /// The program and its arguments; must not be empty.
    pub command: Vec<OsString>,
    /// Additions to the environment.
    pub environment: Vec<(String, String)>,
    /// Where it runs, if not here.
    pub directory: Option<PathBuf>,
    /// The name it is adopted by when this process becomes another program; without one it ends then.
    pub keep_as: Option<String>,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code, if it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
}

impl From<std::process::ExitStatus> for Exit {
    fn from(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        Self {
            code: status.code(),
            signal: status.signal(),
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(9)) => f.write_str("killed (SIGKILL)"),
            (None, Some(signal)) => write!(f, "ended by signal {signal}"),
            (None, None) => f.write_str("ended in an unknown way"),
        }
    }
}

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    identity: ProcessIdentity,
    process: OwnedFd,
    control: Option<tokio::process::ChildStdin>,
    /// Lines of its standard output.
    pub status: mpsc::Receiver<String>,
    /// Lines of its standard error.
    pub errors: mpsc::Receiver<String>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Child {
    /// Its pid.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.identity.pid
    }

    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    /// Sends a line through its control pipe.
    ///
    /// # Errors
    /// `ServiceNotAvailable` when it no longer reads.
    pub async fn send(&mut self, line: &str) -> Result<()> {
        let gone = || {
            Error::new(
                ErrorKind::ServiceNotAvailable,
                format!("{} no longer takes commands", self.identity),
            )
        };
        let Some(control) = self.control.as_mut() else {
            return Err(gone());
        };
        let text = format!("{line}\n");
        control.write_all(text.as_bytes()).await.map_err(|_| gone())
    }

    /// Takes the control pipe out, so that another task can write to it; dropping it ends the child.
    pub const fn take_control(&mut self) -> Option<tokio::process::ChildStdin> {
        self.control.take()
    }

    /// Takes the status lines out, so that another task can read them.
    pub fn take_status(&mut self) -> mpsc::Receiver<String> {
        std::mem::replace(&mut self.status, mpsc::channel(1).1)
    }

    /// Takes the lines of standard error out, so that another task can read them.
    pub fn take_errors(&mut self) -> mpsc::Receiver<String> {
        std::mem::replace(&mut self.errors, mpsc::channel(1).1)
    }

    /// Completes when it has ended. Independent of the borrow: may be kept.
    pub fn exited(&self) -> impl Future<Output = Exit> + Send + 'static {
        let mut exit = self.exit.clone();
        async move {
            let unknown = Exit {
                code: None,
                signal: None,
            };
            match exit.wait_for(Option::is_some).await {
                Ok(ended) => ended.clone().unwrap_or(unknown),
                Err(_) => unknown,
            }
        }
    }

    /// Sends SIGKILL; `exited` tells when it has worked. Nothing happens if it has ended.
    pub fn kill(&self) {
        // The descriptor was opened before the child could be reaped: it is this child and no other.
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
    }
}

impl Child {
    /// Ends it with all of its process group, unless it has ended: then the group may be another's.
    pub(super) fn kill_group(&self) {
        let pid = i32::try_from(self.identity.pid)
            .ok()
            .and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.exit.borrow().is_none()) {
            // One that ends at this moment leaves nobody to signal.
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
        self.kill();
    }

    /// A line that whoever adopts it wants to know.
    #[must_use]
    pub fn memory(&self) -> Memory {
        Memory(self.identity.pid)
    }

    /// It shall end: its control pipe is not kept for a newer program any more.
    pub fn release(&self) {
        handover::release(self.identity.pid);
    }

    /// Sends SIGCONT, so that a stopped child sees the end of its control pipe.
    pub fn resume(&self) {
        let _ = pidfd_send_signal(&self.process, Signal::CONT);
    }
}

/// Where the line of a child is kept that its adopter wants to know.
#[derive(Clone, Copy, Debug)]
pub struct Memory(u32);

impl Memory {
    /// Keeps this line, and no other.
    pub fn keep(self, line: &str) {
        handover::remember(self.0, line);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.release();
        self.kill();
    }
}

type Started = Result<(tokio::process::Child, OwnedFd)>;

/// What the thread that spawns is asked for.
enum Request {
    Spawn(Spawn, tokio::runtime::Handle, oneshot::Sender<Started>),
    /// Become this program.
    Become(Vec<OsString>, String, oneshot::Sender<Error>),
    /// Nobody needs it any more.
    End,
}

/// Starts a child process of our own program, or one that ends when its standard input does.
///
/// # Errors
/// What the system says, with the program's name.
pub async fn spawn(spawn: Spawn) -> Result<Child> {
    let (reply, answer) = oneshot::channel();
    let handle = tokio::runtime::Handle::current();
    let lost = || Error::new(ErrorKind::Internal, "the spawning thread has ended");
    let keep_as = spawn.keep_as.clone();
    spawner()
        .send(Request::Spawn(spawn, handle, reply))
        .await
        .map_err(|_| lost())?;
    let (mut child, process) = answer.await.map_err(|_| lost())??;
    let pid = child.id().ok_or_else(lost)?;
    // Not reaped before `watch_exit`, so /proc knows it even if it has ended already.
    let identity = ProcessIdentity::of(pid).unwrap_or(ProcessIdentity {
        pid,
        start_time: 0,
        boot_id: super::boot_id()?,
        pid_namespace: 0,
    });
    if let Some(name) = keep_as {
        keep(name, &identity, &child);
    }
    Ok(Child {
        identity,
        process,
        control: child.stdin.take(),
        status: lines(child.stdout.take()),
        errors: lines(child.stderr.take()),
        exit: watch_exit(child),
    })
}

/// Its pipes once more, for a newer program. Without them it ends when this program does.
fn keep(name: String, identity: &ProcessIdentity, child: &tokio::process::Child) {
    let twice = |pipe: Option<BorrowedFd<'_>>| pipe?.try_clone_to_owned().ok();
    let control = twice(child.stdin.as_ref().map(AsFd::as_fd));
    let status = twice(child.stdout.as_ref().map(AsFd::as_fd));
    let errors = twice(child.stderr.as_ref().map(AsFd::as_fd));
    if let (Some(control), Some(status), Some(errors)) = (control, status, errors) {
        let known = Known {
            name,
            identity: identity.clone(),
            remembered: String::new(),
        };
        let pipes = Pipes {
            control,
            status,
            errors,
        };
        handover::keep(known, pipes);
    }
}

/// The child of this name that the program before this one has left, with the line that was kept of it; none if there
/// is none, or it has ended.
#[must_use]
pub fn adopt(name: &str) -> Option<(Child, String)> {
    let (known, pipes) = handover::waiting(name)?;
    let Known {
        identity,
        remembered,
        ..
    } = known.clone();
    let pid = Pid::from_raw(i32::try_from(identity.pid).ok()?)?;
    let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    if !identity.is_alive() {
        return None;
    }
    let own = process.try_clone().ok()?;
    let twice = |fd: &OwnedFd| fd.try_clone().ok();
    let (control, status, errors) = (
        twice(&pipes.control)?,
        twice(&pipes.status)?,
        twice(&pipes.errors)?,
    );
    let control = tokio::process::ChildStdin::from_std(control.into()).ok()?;
    let status = tokio::process::ChildStdout::from_std(status.into()).ok()?;
    let errors = tokio::process::ChildStderr::from_std(errors.into()).ok()?;
    let exit = watch_adopted(own, identity.pid)?;
    handover::keep(known, pipes);
    let child = Child {
        identity,
        process,
        control: Some(control),
        status: lines(Some(status)),
        errors: lines(Some(errors)),
        exit,
    };
    Some((child, remembered))
}

/// The exit of a child that another program of this process has started.
#[expect(
    deprecated,
    reason = "its successor is unsafe, for owners whose descriptor may change; that of an OwnedFd does not"
)]
fn watch_adopted(process: OwnedFd, pid: u32) -> Option<watch::Receiver<Option<Exit>>> {
    let process = AsyncFd::with_interest(process, Interest::READABLE).ok()?;
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        let ended = process.readable().await.is_ok();
        handover::release(pid);
        let status = rustix::process::waitid(
            WaitId::PidFd(process.get_ref().as_fd()),
            WaitIdOptions::EXITED,
        );
        let status = status.ok().flatten().filter(|_| ended);
        sender.send_replace(Some(Exit {
            code: status.as_ref().and_then(|s| s.exit_status()),
            signal: status.as_ref().and_then(|s| s.terminating_signal()),
        }));
    });
    Some(receiver)
}

/// Turns this process into another program, which gets the children that have a name and what `own` says. Answers only
/// if that failed; then everything is as it was.
pub async fn become_program(command: Vec<OsString>, own: String) -> Error {
    let lost = || Error::new(ErrorKind::Internal, "the spawning thread has ended");
    let (reply, answer) = oneshot::channel();
    let sent = spawner().send(Request::Become(command, own, reply)).await;
    if sent.is_err() {
        return lost();
    }
    answer.await.unwrap_or_else(|_| lost())
}

static SPAWNER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();

/// Runs `work` in a thread of its own, and starts all children from this one meanwhile. Where another thread does so
/// already, `work` runs here.
pub fn with_spawner_here<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    let (sender, requests) = mpsc::channel::<Request>(SPAWNS_MAX);
    if SPAWNER.set(sender.clone()).is_err() {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let run = move || {
            let result = work();
            // The receiver lives as long as this scope.
            let _ = sender.blocking_send(Request::End);
            result
        };
        let thread = std::thread::Builder::new().name("hamq-node".to_owned());
        let thread = thread.spawn_scoped(scope, run);
        let thread = thread.map_err(|e| Error::system("start the node's thread", &e))?;
        serve(requests);
        thread.join().map_err(|_| {
            Error::new(
                ErrorKind::Internal,
                "the node's thread has ended in a panic",
            )
        })
    })
}

/// Starts what is asked for, one after the other.
fn serve(mut requests: mpsc::Receiver<Request>) {
    while let Some(request) = requests.blocking_recv() {
        match request {
            Request::End => return,
            Request::Become(command, own, reply) => {
                // It is still this program.
                let _ = reply.send(handover::become_program(&command, &own));
            }
            Request::Spawn(spawn, handle, reply) => {
                let _inside = handle.enter();
                // tokio panics when its runtime is just being shut down; this thread serves
                // every runtime of the process and must live on.
                let started = catch_unwind(AssertUnwindSafe(|| start(&spawn)));
                // A caller that has gone drops the child, which kills it.
                if let Ok(started) = started {
                    let _ = reply.send(started);
                }
            }
        }
    }
}

/// The channel to the one thread that spawns.
fn spawner() -> &'static mpsc::Sender<Request> {
    SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>(SPAWNS_MAX);
        // If the thread cannot be started the channel is closed, and every spawn says so.
        let _ = std::thread::Builder::new()
            .name("hamq-spawner".to_owned())
            .spawn(move || serve(requests));
        sender
    })
}

fn start(spawn: &Spawn) -> Result<(tokio::process::Child, OwnedFd)> {
    let [program, arguments @ ..] = spawn.command.as_slice() else {
        return Err(Error::new(ErrorKind::Internal, "no program to start"));
    };
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .envs(spawn.environment.iter().map(|(k, v)| (k, v)))
        .env(PARENT_VARIABLE, std::process::id().to_string())
        .env_remove(handover::VARIABLE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C in the terminal is for the shell; children are ended by their parents, in order.
        .process_group(0)
        .kill_on_drop(true);
    if let Some(directory) = &spawn.directory {
        command.current_dir(directory);
    }
    let failed = |e: &std::io::Error| {
        let error = Error::system(format_args!("start {}", program.display()), e);
        match e.kind() {
            std::io::ErrorKind::NotFound => Error {
                kind: ErrorKind::NotFound,
                ..error
            },
            _ => error,
        }
    };
    let child = command.spawn().map_err(|e| failed(&e))?;
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw);
    let Some(pid) = pid else {
        return Err(Error::new(ErrorKind::Internal, "a new child has no pid"));
    };
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(|e| failed(&e.into()))?;
    Ok((child, process))
}

fn watch_exit(mut child: tokio::process::Child) -> watch::Receiver<Option<Exit>> {
    let (sender, receiver) = watch::channel(None);
    let pid = child.id();
    tokio::spawn(async move {
        if let Ok(status) = child.wait().await {
            pid.into_iter().for_each(handover::release);
            sender.send_replace(Some(status.into()));
        }
    });
    receiver
}

/// Reads lines until the end or until nobody wants them; then it reads on and drops them, so that
/// the child never blocks on a pipe without a reader.
fn lines(source: Option<impl AsyncRead + Send + Unpin + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(LINES_MAX);
    if let Some(source) = source {
        tokio::spawn(async move {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            loop {
                line.clear();
                let mut limited = (&mut source).take(LINE_BYTES_MAX);
                match limited.read_until(b'\n', &mut line).await {
                    Ok(1..) => {
                        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                        let _ = sender.send(text).await;
                    }
                    Ok(0) | Err(_) => return,
                }
            }
        });
    }
    receiver
}

/// Called by a child of this program at its very start: from now on it is killed when the supervisor
/// dies, also while it hangs. Reads the supervisor's pid from [`PARENT_VARIABLE`]; does nothing when
/// there is none, as nobody supervises then.
///
/// # Errors
/// `InvalidState` when the supervisor has died already: exit at once.
pub fn die_with_parent() -> Result<()> {
    let Some(expected) = std::env::var(PARENT_VARIABLE).ok() else {
        return Ok(());
    };
    tie_to_parent(&expected, Signal::KILL)
}

/// Asks for `signal` at the parent's death and closes the race with a parent that died before.
pub(super) fn tie_to_parent(expected: &str, signal: Signal) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(signal))
        .map_err(|e| Error::system("ask for the parent-death signal", &e.into()))?;
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    if parent.as_deref() == Some(expected) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidState,
        format!("the supervisor, process {expected}, is gone"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Spawn {
        Spawn {
            command: ["sh", "-c", script].map(OsString::from).to_vec(),
            ..Spawn::default()
        }
    }

    #[tokio::test]
    async fn a_child_takes_lines_gives_lines_and_its_exit_is_an_event() {
        let script = "read a; echo got $a; echo trouble >&2; exit 3";
        let mut child = spawn(shell(script)).await.unwrap();
        let exited = child.exited();
        child.send("hello").await.unwrap();
        assert_eq!(child.status.recv().await.unwrap(), "got hello");
        assert_eq!(child.errors.recv().await.unwrap(), "trouble");
        assert_eq!(exited.await.to_string(), "exit code 3");
        assert_eq!(child.status.recv().await, None);
    }

    #[tokio::test]
    async fn killing_reaches_a_stopped_child_and_dropping_kills() {
        let mut child = spawn(shell("kill -STOP $$; echo never")).await.unwrap();
        while !child.identity().is_stopped() {
            tokio::task::yield_now().await;
        }
        child.kill();
        assert_eq!(child.exited().await.signal, Some(9));
        assert_eq!(child.status.recv().await, None);

        let child = spawn(shell("read a")).await.unwrap();
        let (identity, exited) = (child.identity().clone(), child.exited());
        drop(child);
        exited.await;
        assert!(!identity.is_alive());
    }

    #[tokio::test]
    async fn a_long_line_is_cut_and_a_missing_program_is_named() {
        let script = "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end";
        let mut child = spawn(shell(script)).await.unwrap();
        assert_eq!(child.status.recv().await.unwrap().len(), 65_536);
        assert_eq!(child.status.recv().await.unwrap().len(), 100_000 - 65_536);
        assert_eq!(child.status.recv().await.unwrap(), "end");

        let missing = Spawn {
            command: vec!["no-such-program-here".into()],
            ..Spawn::default()
        };
        let error = spawn(missing).await.unwrap_err();
        assert!(error.message.contains("no-such-program-here"), "{error}");
    }
}
