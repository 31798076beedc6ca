//! One request to the kernel and its answer.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};

use super::message::{DONE, ERROR, Message, Request, next_message, u32_at};

/// What the kernel sends at once fits in here.
const BUFFER_BYTES: usize = 64 << 10;
/// How long the kernel may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Datagrams of one answer; the tables of interfaces and addresses are far smaller.
const DATAGRAMS_MAX: usize = 4096;
/// Of the only request of a socket.
const SEQUENCE: u32 = 1;

/// A routing socket that hears these groups; 0: none.
pub(super) fn open(groups: u32, flags: SocketFlags) -> io::Result<OwnedFd> {
    let flags = flags | SocketFlags::CLOEXEC;
    // Protocol 0 is NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

/// Sends a request and gives each message of the answer to `take`.
pub(super) fn ask(request: Request, mut take: impl FnMut(&Message<'_>)) -> io::Result<()> {
    let socket = open(0, SocketFlags::empty())?;
    set_socket_timeout(&socket, Timeout::Recv, Some(TIMEOUT))?;
    let bytes = request.finish(SEQUENCE);
    sendto(
        &socket,
        &bytes,
        SendFlags::empty(),
        &SocketAddrNetlink::new(0, 0),
    )?;
    let mut buffer = vec![0; BUFFER_BYTES];
    for _ in 0..DATAGRAMS_MAX {
        let (_, length) = recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some(message) = next_message(&mut rest) {
            match message.kind {
                _ if message.sequence != SEQUENCE => {}
                DONE => return Ok(()),
                ERROR => return acknowledged(&message),
                _ => take(&message),
            }
        }
    }
    Err(io::Error::other("the kernel's answer does not end"))
}

/// An error of 0 says that it was done.
fn acknowledged(message: &Message<'_>) -> io::Result<()> {
    match u32_at(message.body, 0).map(u32::cast_signed) {
        Some(0) => Ok(()),
        Some(code) => Err(Errno::from_raw_os_error(-code).into()),
        None => Err(io::Error::other("the kernel's answer is cut off")),
    }
}
