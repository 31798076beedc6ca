//! A process becomes a newer program of itself, and keeps its children.
//!
//! ```text
//!  child with a name ── kept: its pipes once more ──┐
//!  become(command) ── socket pair: a message for each, with the pipes ── exec, the socket as standard input
//!                                                                          │ same process number, same start
//!  take_over() ── reads it, puts standard input back ◄─────────────────────┘
//!  adopt(name) ── the child is ours again            what nobody adopts is ended
//! ```
//!
//! To everybody else nothing has happened: the process is the same one, its children still have their parent, and
//! the locks that name it still do. Were it to die on the way, the pipes would close and the children end, as ever.
//! That is why it is an exec and no hand-over to another process: at no moment do two agents of a node live.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::{Deserialize, Serialize};

use super::ProcessIdentity;
use crate::error::{Error, ErrorKind, Result};

/// Tells the new program that its standard input is such a socket.
pub(super) const VARIABLE: &str = "HAMQ_HANDOVER";
/// Longest message.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Descriptors of one message.
const PIPES_MAX: usize = 4;
/// Children that are handed over.
const CHILDREN_MAX: usize = 200;

/// A child as it is handed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    /// What it is adopted by.
    pub(super) name: String,
    pub(super) identity: ProcessIdentity,
    /// A line of its own that was remembered.
    pub(super) remembered: String,
}

/// Its ends of the pipes.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) control: OwnedFd,
    pub(super) status: OwnedFd,
    pub(super) errors: OwnedFd,
}

#[derive(Debug, Serialize, Deserialize)]
enum Message {
    /// What the program itself must remember; comes with its standard input.
    Own(String),
    /// A child; comes with its pipes.
    Child(Known),
}

type Children = BTreeMap<u32, (Known, Pipes)>;

/// Children of this process that could be handed over.
static KEPT: Mutex<Children> = Mutex::new(Children::new());
/// Children that came from the former program and that nobody has adopted yet.
static WAITING: Mutex<Children> = Mutex::new(Children::new());

fn lock(children: &'static Mutex<Children>) -> MutexGuard<'static, Children> {
    children.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on the child can be handed over.
pub(super) fn keep(known: Known, pipes: Pipes) {
    lock(&KEPT).insert(known.identity.pid, (known, pipes));
}

/// From now on it cannot: it has ended, or shall end.
pub(super) fn release(pid: u32) {
    lock(&KEPT).remove(&pid);
}

/// A line that its adopter will want to know.
pub(super) fn remember(pid: u32, line: &str) {
    if let Some((known, _)) = lock(&KEPT).get_mut(&pid) {
        line.clone_into(&mut known.remembered);
    }
}

/// A child of the former program.
pub(super) fn waiting(name: &str) -> Option<(Known, Pipes)> {
    let mut waiting = lock(&WAITING);
    let found = waiting.iter().find(|(_, (known, _))| known.name == name);
    let pid = *found?.0;
    waiting.remove(&pid)
}

/// Ends the children of the former program that nobody has adopted; answers their names.
#[must_use]
pub fn end_unadopted() -> Vec<String> {
    let left = std::mem::take(&mut *lock(&WAITING));
    let end = |(known, pipes): (Known, Pipes)| {
        drop(pipes); // their control pipe closes: they end by themselves, and by force where they hang
        let _ = known.identity.kill_and_wait(std::time::Duration::ZERO);
        known.name
    };
    left.into_values().map(end).collect()
}

/// Turns this process into `command`, which gets the children and what `own` says. Comes back only when it failed
/// before anything was given away.
///
/// Must be called from the thread that starts children: theirs must not end.
pub(super) fn become_program(command: &[OsString], own: &str) -> Error {
    let prepared = prepare(command, own);
    let (mut command, socket) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return error,
    };
    let failed = command.env(VARIABLE, "1").stdin(Stdio::from(socket)).exec();
    Error::system("become the new program", &failed)
}

fn prepare(command: &[OsString], own: &str) -> Result<(Command, OwnedFd)> {
    let [program, arguments @ ..] = command else {
        return Err(Error::new(ErrorKind::Internal, "no program to become"));
    };
    rustix::fs::access(program.as_os_str(), rustix::fs::Access::EXEC_OK)
        .map_err(|e| Error::system(format_args!("use {}", program.display()), &e.into()))?;
    let failed = |e: rustix::io::Errno| Error::system("hand the children over", &e.into());
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
    .map_err(failed)?;
    let kept = lock(&KEPT);
    if kept.len() > CHILDREN_MAX {
        let text = format!("{} children cannot be handed over", kept.len());
        return Err(
            Error::new(ErrorKind::InsufficientResources, text).hint(format!(
                "at most {CHILDREN_MAX}; move some groups away first"
            )),
        );
    }
    send(
        &ours,
        &Message::Own(own.to_owned()),
        &[rustix::stdio::stdin()],
    )?;
    for (known, pipes) in kept.values() {
        let all = [&pipes.control, &pipes.status, &pipes.errors].map(|fd| fd.as_fd());
        send(&ours, &Message::Child(known.clone()), &all)?;
    }
    let mut command = Command::new(program);
    command.args(arguments);
    Ok((command, theirs))
}

fn send(socket: &OwnedFd, message: &Message, pipes: &[BorrowedFd<'_>]) -> Result<()> {
    let bytes = serde_json::to_vec(message)
        .map_err(|e| Error::new(ErrorKind::Internal, format!("encode a hand-over: {e}")))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PIPES_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fits = control.push(SendAncillaryMessage::ScmRights(pipes));
    if !fits || bytes.len() > MESSAGE_BYTES_MAX {
        return Err(Error::new(ErrorKind::Internal, "a hand-over is too large"));
    }
    let slices = [IoSlice::new(&bytes)];
    rustix::net::sendmsg(socket, &slices, &mut control, SendFlags::NOSIGNAL)
        .map(drop)
        .map_err(|e| Error::system("hand the children over", &e.into()))
}

/// What the program before this one has left: what it remembered, if there was one. Must be called before anything reads
/// standard input.
///
/// # Errors
/// What the system says; then the children end with this process.
pub fn take_over() -> Result<Option<String>> {
    if std::env::var_os(VARIABLE).is_none() {
        return Ok(None);
    }
    let failed = |e: rustix::io::Errno| Error::system("take the children over", &e.into());
    let socket = rustix::stdio::stdin();
    let socket = socket
        .try_clone_to_owned()
        .map_err(|e| Error::system("take the children over", &e))?;
    let mut own = None;
    while let Some((message, pipes)) = receive(&socket)? {
        match message {
            Message::Own(text) => {
                let input = pipes.into_iter().next().ok_or_else(damaged)?;
                rustix::stdio::dup2_stdin(input).map_err(failed)?;
                own = Some(text);
            }
            Message::Child(known) => {
                let [control, status, errors] = pipes.try_into().map_err(|_| damaged())?;
                let pipes = Pipes {
                    control,
                    status,
                    errors,
                };
                lock(&WAITING).insert(known.identity.pid, (known, pipes));
            }
        }
    }
    own.map(Some).ok_or_else(damaged)
}

fn receive(socket: &OwnedFd) -> Result<Option<(Message, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; MESSAGE_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PIPES_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = rustix::net::recvmsg(socket, &mut slices, &mut control, flags)
        .map_err(|e| Error::system("take the children over", &e.into()))?;
    if received.bytes == 0 {
        return Ok(None); // the sender went with the former program
    }
    let cut = ReturnFlags::TRUNC | ReturnFlags::CTRUNC;
    if received.flags.intersects(cut) {
        return Err(damaged());
    }
    let mut pipes = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            pipes.extend(fds);
        }
    }
    let message = serde_json::from_slice(&bytes[..received.bytes]).map_err(|_| damaged())?;
    Ok(Some((message, pipes)))
}

fn damaged() -> Error {
    let text = "what the former program has left cannot be read";
    Error::new(ErrorKind::Internal, text)
        .hint("start the node again; its groups come back by failover")
}
