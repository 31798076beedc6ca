//! A listener that never blocks, over TCP or a Unix socket.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::listen::bind;
use super::{Endpoint, Stream};
use crate::error::{Error, ErrorKind, Result};

/// See the module. A Unix socket's file goes with it.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// A Unix socket.
    Unix(UnixSocket),
}

/// A listening Unix socket, its file, and the lock that says whose it is.
#[derive(Debug)]
pub struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    _lock: File,
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // The lock is still held: nobody else's file can be there.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Listener {
    /// Listens at a TCP address.
    ///
    /// # Errors
    /// `AddressInUse` naming the address and, where the system tells, who holds it.
    pub fn tcp(address: SocketAddr) -> Result<Self> {
        let listener = bind(address)?;
        listener
            .set_nonblocking(true)
            .map_err(|e| Error::system(format_args!("listen at {address}"), &e))?;
        Ok(Self::Tcp(listener))
    }

    /// Listens at the path of a Unix socket that only this user may use. A missing folder is made, for this user
    /// alone; a file that a process left behind is replaced. Whose the path is, is decided by a lock beside it, so
    /// two that start together cannot take it from each other.
    ///
    /// # Errors
    /// `AddressInUse` when another process listens there; those of the file system.
    pub fn unix(path: &Path) -> Result<Self> {
        let failed = |e: io::Error| Error::system(format_args!("listen at {}", path.display()), &e);
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            let mut builder = DirBuilder::new();
            builder
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(failed)?;
        }
        let lock = own(path)?;
        remove_left_behind(path)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        let socket = UnixSocket {
            listener,
            path: path.to_owned(),
            _lock: lock,
        };
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        socket.listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self::Unix(socket))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Those of the system.
    pub fn endpoint(&self) -> Result<Endpoint> {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map(Endpoint::Tcp)
                .map_err(|e| Error::system("ask for the server's address", &e)),
            Self::Unix(socket) => Ok(Endpoint::Unix(socket.path.clone())),
        }
    }

    /// The next connection, if one is waiting.
    ///
    /// # Errors
    /// Those of the system: no more descriptors, mostly.
    pub fn accept(&self) -> io::Result<Option<Stream>> {
        let accepted = match self {
            Self::Tcp(listener) => listener
                .accept()
                .and_then(|(stream, _)| Stream::tcp(stream)),
            Self::Unix(socket) => socket
                .listener
                .accept()
                .and_then(|(stream, _)| Stream::unix(stream)),
        };
        match accepted {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Ok(None),
                // The client has left again: the next one.
                io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => self.accept(),
                _ => Err(error),
            },
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(socket) => socket.listener.as_fd(),
        }
    }
}

/// Lets this process have as many descriptors as the system allows it; a shell's usual limit is 1,024.
pub fn allow_many_connections() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // A refusal leaves the limit as it is: then that many connections are accepted.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Takes the lock beside `path`.
fn own(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let lock = options
        .open(&name)
        .map_err(|e| Error::system(format_args!("open {}", Path::new(&name).display()), &e))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(_) => Err(Error::new(
            ErrorKind::AddressInUse,
            format!("another process listens at unix:{}", path.display()),
        )
        .hint("choose another path or end the process that listens there")),
    }
}

fn remove_left_behind(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)
            .map_err(|e| Error::system(format_args!("remove {}", path.display()), &e)),
        Ok(_) => Err(Error::new(
            ErrorKind::AddressInUse,
            format!("{} is there already and is no socket", path.display()),
        )
        .hint("choose another path")),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_one_owner_and_what_a_dead_one_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/hamq.sock");
        let first = Listener::unix(&path).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let error = Listener::unix(&path).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AddressInUse);
        assert!(error.message.contains("new/hamq.sock"), "{error}");
        drop(first);
        assert!(!path.exists(), "its file went with it");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "left behind by a process that died");
        drop(Listener::unix(&path).unwrap());
        std::fs::write(&path, "somebody's notes").unwrap();
        assert_eq!(
            Listener::unix(&path).unwrap_err().kind,
            ErrorKind::AddressInUse
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's notes");
    }
}
