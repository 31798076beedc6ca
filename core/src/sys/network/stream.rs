//! A connection that never blocks, over TCP or a Unix socket.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// So many bytes.
    Bytes(usize),
    /// Nothing is there now.
    Nothing,
    /// The other side will send no more.
    End,
}

/// See the module. Several threads may use it: the kernel keeps reads and writes whole.
#[derive(Debug)]
pub enum Stream {
    /// TCP, without delay for small writes.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Stream {
    /// Makes a connection one that never blocks.
    ///
    /// # Errors
    /// Those of the system.
    pub fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// As [`Stream::tcp`].
    ///
    /// # Errors
    /// Those of the system.
    pub fn unix(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self::Unix(stream))
    }

    /// Two ends of one connection.
    ///
    /// # Errors
    /// Those of the system.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (near, far) = UnixStream::pair()?;
        Ok((Self::unix(near)?, Self::unix(far)?))
    }

    /// Reads once into the spare room of `buffer`.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn read(&self, buffer: &mut Vec<u8>) -> io::Result<Filled> {
        loop {
            return match rustix::io::read(self, spare_capacity(buffer)) {
                Ok(0) => Ok(Filled::End),
                Ok(count) => Ok(Filled::Bytes(count)),
                Err(Errno::AGAIN) => Ok(Filled::Nothing),
                Err(Errno::INTR) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Writes as much as fits now; 0: nothing does.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        use rustix::net::{SendFlags, send};
        loop {
            return match send(self, bytes, SendFlags::NOSIGNAL) {
                Ok(count) => Ok(count),
                Err(Errno::AGAIN) => Ok(0),
                Err(Errno::INTR) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Ends the connection for both sides; who waits for it wakes up.
    pub fn shut_down(&self) {
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    /// The other side's TCP address.
    #[must_use]
    pub fn peer_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// This side's TCP address.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}
