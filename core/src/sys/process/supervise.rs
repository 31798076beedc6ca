//! The role `hamq supervise`: a foreign command with the guarantees of our own children.
//!
//! ```text
//!  agent ─control pipe─> supervise ─report socket─> supervise --exec-child ──exec──> COMMAND
//!        <─status lines─    │ adopts orphans            own session, own host name,
//!                           └ copies stderr to the log  parent-death signal SIGKILL
//! ```
//!
//! * The control pipe ends (the agent died or wants it to end): everything below is killed, then it exits.
//! * `supervise` itself is killed: the kernel kills COMMAND.
//! * `supervise` is frozen when the agent dies: its parent-death signal is SIGCONT, so that it sees the end
//!   of its pipe. It is not SIGKILL, because then nobody would be left to end COMMAND's own children.
//!
//! Status lines (JSON): `{"started":{"pid":N}}`, `{"failed":{"kind":…,"message":…,"hint":…}}`,
//! `{"exited":{"code":N,"signal":N,"last_line":"…"}}`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::thread::UnshareFlags;
use serde_json::json;

use super::child::tie_to_parent;
use super::{Exit, PARENT_VARIABLE, tree};
use crate::error::{Error, ErrorKind, Result};

/// A log that is longer when the command starts is set aside as `NAME.old`.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Longest line of the command's standard error that is taken as one.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Longest last line in the status.
const LAST_LINE_CHARS_MAX: usize = 400;
/// How long the command may take to end after SIGTERM.
const STOP_MAX: Duration = Duration::from_secs(3);
/// Exit code when the command could not be started, as shells have it.
const NOT_STARTED: i32 = 127;

/// What `hamq supervise` was asked to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SuperviseOptions {
    /// The host name that the command shall see.
    pub name: Option<String>,
    /// Where the command runs.
    pub directory: Option<PathBuf>,
    /// Where its output goes; our standard error if not given.
    pub log: Option<PathBuf>,
    /// The inner step: prepare this process and become the command.
    pub exec_child: bool,
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// How to start this program again in the role `supervise`: what came before its arguments.
    pub program: Vec<OsString>,
}

impl SuperviseOptions {
    /// Reads the arguments that follow the word `supervise`: `[--name NAME] [--directory DIR] [--log FILE]
    /// -- COMMAND…`. `program` is all that came before, the word included.
    ///
    /// # Errors
    /// `Usage`.
    pub fn parse(
        program: Vec<OsString>,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self> {
        let mut options = Self {
            program,
            ..Self::default()
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let text = argument.to_string_lossy().into_owned();
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| usage(&format!("{text} needs a value")))
            };
            match text.as_str() {
                "--name" => options.name = Some(value()?.to_string_lossy().into_owned()),
                "--directory" => options.directory = Some(value()?.into()),
                "--log" => options.log = Some(value()?.into()),
                "--exec-child" => options.exec_child = true,
                "--" => options.command = arguments.by_ref().collect(),
                _ => return Err(usage(&format!("unknown argument {text}"))),
            }
        }
        if options.command.is_empty() {
            return Err(usage("no command was given"));
        }
        Ok(options)
    }
}

fn usage(why: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("supervise: {why}"))
        .hint("hamq supervise [--name NAME] [--directory DIR] [--log FILE] -- COMMAND…")
}

/// Runs the command to its end, or to the end of the control pipe (standard input); returns the exit
/// code for this process: the command's own, 128 + signal, or 127 when it could not be started.
///
/// Must be called from the main thread, before any other thread is started.
#[must_use]
pub fn supervise(options: &SuperviseOptions) -> i32 {
    if options.exec_child {
        return exec_child(options);
    }
    match watch_command(options) {
        Ok(exit) => exit
            .code
            .unwrap_or_else(|| exit.signal.map_or(NOT_STARTED, |signal| 128 + signal)),
        Err(error) => {
            say(&failed_line(&error));
            tree::kill_descendants();
            NOT_STARTED
        }
    }
}

fn watch_command(options: &SuperviseOptions) -> Result<Exit> {
    if let Ok(parent) = std::env::var(PARENT_VARIABLE) {
        tie_to_parent(&parent, Signal::CONT)?;
    }
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|e| Error::system("adopt orphans of the command", &e.into()))?;
    let log = open_log(options.log.as_deref())?;
    let (report, inner) =
        UnixStream::pair().map_err(|e| Error::system("make the report socket", &e))?;
    let mut child = inner_command(options, &log, inner)?
        .spawn()
        .map_err(|e| Error::system("start the command's process", &e))?;
    let last_line = Arc::new(Mutex::new(String::new()));
    let copier = child
        .stderr
        .take()
        .map(|stderr| copy_errors(stderr, log, &last_line));
    follow_control_pipe(Pid::from_child(&child));
    await_start(report)?;
    say(&json!({"started": {"pid": child.id()}}));
    let exit = wait_and_reap(Pid::from_child(&child))?;
    tree::kill_descendants();
    if let Some(copier) = copier {
        // It ends with the last holder of the pipe, and those were just ended.
        let _ = copier.join();
    }
    let last_line = last_line
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let Exit { code, signal } = exit;
    say(&json!({"exited": {"code": code, "signal": signal, "last_line": last_line}}));
    Ok(exit)
}

/// This program again, as the step that becomes the command.
fn inner_command(options: &SuperviseOptions, log: &File, report: UnixStream) -> Result<Command> {
    let [program, leading @ ..] = options.program.as_slice() else {
        return Err(Error::new(
            ErrorKind::Internal,
            "supervise does not know its own program",
        ));
    };
    let output = log
        .try_clone()
        .map_err(|e| Error::system("share the command's log", &e))?;
    let mut command = Command::new(program);
    command.args(leading).arg("--exec-child");
    if let Some(name) = &options.name {
        command.arg("--name").arg(name);
    }
    if let Some(directory) = &options.directory {
        command.arg("--directory").arg(directory);
    }
    command
        .arg("--")
        .args(&options.command)
        .env(PARENT_VARIABLE, std::process::id().to_string())
        .stdin(OwnedFd::from(report))
        .stdout(output)
        .stderr(Stdio::piped());
    Ok(command)
}

fn open_log(path: Option<&Path>) -> Result<File> {
    let Some(path) = path else {
        let own = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), 3)
            .map_err(|e| Error::system("share standard error", &e.into()))?;
        return Ok(own.into());
    };
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
        let mut old = path.as_os_str().to_owned();
        old.push(".old");
        // If it cannot be set aside it grows on, which is no reason not to start.
        let _ = std::fs::rename(path, old);
    }
    File::options()
        .append(true)
        .create(true)
        .open(path)
        .map_err(|e| Error::system(format_args!("open the log {}", path.display()), &e))
}

/// Copies standard error to the log and remembers its last line.
fn copy_errors(
    source: impl Read + Send + 'static,
    mut log: File,
    last_line: &Arc<Mutex<String>>,
) -> std::thread::JoinHandle<()> {
    let last_line = Arc::clone(last_line);
    std::thread::spawn(move || {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        while let Ok(1..) = (&mut source)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
        {
            // A full disk loses the log, not the application.
            let _ = log.write_all(&line);
            let text = String::from_utf8_lossy(&line);
            if !text.trim().is_empty() {
                let text = text.trim().chars().take(LAST_LINE_CHARS_MAX).collect();
                *last_line.lock().unwrap_or_else(PoisonError::into_inner) = text;
            }
            line.clear();
        }
    })
}

/// A thread that ends everything when the control pipe ends, and asks the command to end by SIGTERM
/// when the line `stop` comes; it then has [`STOP_MAX`].
fn follow_control_pipe(command: Pid) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            match line {
                Ok(line) if line.trim() == "stop" => stop(command),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        end_everything();
    });
}

fn stop(command: Pid) {
    // The command leads its session. If it has ended already, the main thread ends the rest.
    let _ = rustix::process::kill_process_group(command, Signal::TERM);
    std::thread::spawn(|| {
        std::thread::sleep(STOP_MAX);
        end_everything();
    });
}

fn end_everything() {
    tree::kill_descendants();
    std::process::exit(0);
}

/// Waits for the command, and takes the exit statuses of orphans that came to us meanwhile.
fn wait_and_reap(command: Pid) -> Result<Exit> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == command => {
                return Ok(Exit {
                    code: status.exit_status(),
                    signal: status.terminating_signal(),
                });
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::system("wait for the command", &e.into())),
        }
    }
}

/// Returns when the command runs: the report socket is closed by a successful exec.
fn await_start(mut report: UnixStream) -> Result<()> {
    let mut text = String::new();
    report
        .read_to_string(&mut text)
        .map_err(|e| Error::system("read the report of the command's start", &e))?;
    if text.is_empty() {
        return Ok(());
    }
    Err(serde_json::from_str(&text)
        .unwrap_or_else(|_| Error::new(ErrorKind::Internal, format!("odd report {text:?}"))))
}

/// One status line.
fn say(line: &serde_json::Value) {
    // Nobody reads any more: the control pipe has ended too, and that is what ends us.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn failed_line(error: &Error) -> serde_json::Value {
    json!({"failed": {"kind": error.kind.name(), "message": error.message, "hint": error.hint}})
}

/// The inner step. Comes back only when the command could not be started.
fn exec_child(options: &SuperviseOptions) -> i32 {
    // Standard input is the report socket: kept aside, and closed by a successful exec.
    let Ok(report) = rustix::io::fcntl_dupfd_cloexec(std::io::stdin(), 3) else {
        return NOT_STARTED;
    };
    let error = become_command(options);
    let text = serde_json::to_string(&error).unwrap_or_else(|_| error.message.clone());
    let _ = File::from(report).write_all(text.as_bytes());
    NOT_STARTED
}

fn become_command(options: &SuperviseOptions) -> Error {
    if let Err(error) = prepare(options) {
        return error;
    }
    let [program, arguments @ ..] = options.command.as_slice() else {
        return usage("no command was given");
    };
    let mut command = Command::new(program);
    command.args(arguments).env_remove(PARENT_VARIABLE);
    if let Some(name) = &options.name {
        for variable in ["_CLUSTER_NETWORK_NAME_", "COMPUTERNAME", "HOSTNAME"] {
            command.env(variable, name);
        }
    }
    let error = command.exec();
    Error::system(format_args!("start {}", program.display()), &error)
        .hint("check the resource's CommandLine and CurrentDirectory")
}

fn prepare(options: &SuperviseOptions) -> Result<()> {
    let nothing = File::open("/dev/null").map_err(|e| Error::system("open /dev/null", &e))?;
    rustix::stdio::dup2_stdin(&nothing)
        .map_err(|e| Error::system("detach standard input", &e.into()))?;
    rustix::process::setsid().map_err(|e| Error::system("start a session", &e.into()))?;
    if let Some(name) = &options.name {
        take_host_name(name)?;
    }
    // After the change of name space: a change of credentials clears the signal.
    if let Ok(parent) = std::env::var(PARENT_VARIABLE) {
        tie_to_parent(&parent, Signal::KILL)?;
    }
    if let Some(directory) = &options.directory {
        std::env::set_current_dir(directory)
            .map_err(|e| Error::system(format_args!("enter {}", directory.display()), &e))?;
    }
    Ok(())
}

/// Gives this process, and what it becomes, a host name of its own.
fn take_host_name(name: &str) -> Result<()> {
    own_name_space()
        .and_then(|()| Ok(rustix::system::sethostname(name.as_bytes())?))
        .map_err(|e| {
            Error::system(
                format_args!("give the command the host name {name} in a name space of its own"),
                &e,
            )
            .hint("run the node as root, allow user name spaces, or set UseNetworkName to 0")
        })
}

/// As root a host name space alone; otherwise one inside of a user name space that maps only us.
#[expect(
    deprecated,
    reason = "its replacement is unsafe for CLONE_FILES only, which is not asked for here"
)]
fn own_name_space() -> std::io::Result<()> {
    use rustix::thread::unshare;
    match unshare(UnshareFlags::NEWUTS) {
        Err(rustix::io::Errno::PERM) => {}
        other => return Ok(other?),
    }
    let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWUTS)?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<SuperviseOptions> {
        SuperviseOptions::parse(vec!["hamq".into()], arguments.iter().map(OsString::from))
    }

    #[test]
    fn arguments_are_read_up_to_the_command() {
        let options = parse(&["--name", "VS1", "--log", "/l", "--", "app", "--name", "x"]).unwrap();
        assert_eq!(options.name.as_deref(), Some("VS1"));
        assert_eq!(options.log.as_deref(), Some(Path::new("/l")));
        assert_eq!(options.command, ["app", "--name", "x"]);
        for wrong in [&["--name"][..], &["app"], &["--name", "VS1"], &["--"]] {
            assert_eq!(parse(wrong).unwrap_err().kind, ErrorKind::Usage);
        }
    }
}
