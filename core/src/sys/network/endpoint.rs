//! Where a queue manager listens: a TCP address or the path of a Unix socket.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// An address of either kind; `unix:PATH` in text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Endpoint {
    /// The path of `unix:PATH`.
    #[must_use]
    pub fn unix_path(text: &str) -> Option<PathBuf> {
        text.strip_prefix("unix:").map(PathBuf::from)
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The first address of `HOST:PORT`.
#[must_use]
pub fn resolve(host_and_port: &str) -> Option<SocketAddr> {
    host_and_port.to_socket_addrs().ok()?.next()
}
