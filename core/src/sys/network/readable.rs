//! Waiting on a tokio runtime until a socket that tokio has no type for can be read.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// A non-blocking socket; see the module.
#[derive(Debug)]
pub(super) struct Readable(AsyncFd<OwnedFd>);

impl Readable {
    /// On a tokio runtime.
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for owners whose descriptor may change; that of an OwnedFd does not"
    )]
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        AsyncFd::new(socket).map(Self)
    }

    pub(super) fn socket(&self) -> &OwnedFd {
        self.0.get_ref()
    }

    /// Waits until there may be something to read, after a read that found nothing.
    pub(super) async fn ready(&self) -> io::Result<()> {
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}
