//! Listening at an address that no other process may share.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use super::holder::holder;
use crate::error::{Error, ErrorKind, Result};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Listens at `address`, which no other process may share.
///
/// # Errors
/// `AddressInUse` naming the address and, where the system tells, who holds it.
pub fn listen(address: SocketAddr) -> Result<TcpListener> {
    listen_unnamed(address).map_err(|error| match error.kind {
        ErrorKind::AddressInUse => in_use(address),
        _ => error,
    })
}

/// As [`listen`], without looking for the holder of a used address, which takes milliseconds.
///
/// # Errors
/// What the system says.
pub fn listen_unnamed(address: SocketAddr) -> Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    };
    // The address may be reused while old connections wind down, never while another one listens.
    let listening = socket.and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    });
    listening.map_err(|e| Error::system(format_args!("listen at {address}"), &e))
}

/// As [`listen`], for a thread that has no asynchronous runtime.
pub(super) fn bind(address: SocketAddr) -> Result<std::net::TcpListener> {
    use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let backlog = i32::try_from(BACKLOG).unwrap_or(i32::MAX);
    let listening = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .and_then(|socket| {
            sockopt::set_socket_reuseaddr(&socket, true)?;
            net::bind(&socket, &address)?;
            net::listen(&socket, backlog)?;
            Ok(socket)
        });
    match listening {
        Ok(socket) => Ok(socket.into()),
        Err(rustix::io::Errno::ADDRINUSE) => Err(in_use(address)),
        Err(e) => Err(Error::system(
            format_args!("listen at {address}"),
            &e.into(),
        )),
    }
}

fn in_use(address: SocketAddr) -> Error {
    let holder = holder(address).map_or_else(String::new, |holder| format!(" by {holder}"));
    Error::new(
        ErrorKind::AddressInUse,
        format!("address {address} is in use{holder}"),
    )
    .hint("choose another address or end the process that holds it")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loopback address of this test process's own.
    fn own_address(last: u8) -> SocketAddr {
        let pid = std::process::id();
        let [_, _, high, low] = pid.to_be_bytes();
        SocketAddr::from(([127, 64 | (high & 63), low, last], 7990))
    }

    #[tokio::test]
    async fn a_used_address_is_named_with_its_holder() {
        let address = own_address(11);
        let first = listen(address).unwrap();
        let error = listen(address).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AddressInUse);
        assert!(error.message.contains(&address.to_string()), "{error}");
        let own = format!("process {} ", std::process::id());
        assert!(error.message.contains(&own), "{error}");
        drop(first);
        listen(address).unwrap();
    }
}
