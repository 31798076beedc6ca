//! A proven connection as a plain one, for who reads and writes without a runtime: copied from and to a socket of this
//! process.

use std::io;
use std::os::unix::net::UnixStream as PlainUnix;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use super::Channel;
use crate::sys::network::Stream;

/// Bytes that are copied at once: what one TLS record holds.
const COPY_BYTES: usize = 16 * 1024;

/// The near end of a connection whose far end is `channel`, and the copying between them; it ends when either side
/// does. On a tokio runtime.
///
/// # Errors
/// Those of the system.
pub fn relay(channel: Channel) -> io::Result<(Stream, impl Future<Output = ()> + Send + use<>)> {
    let (near, far) = PlainUnix::pair()?;
    far.set_nonblocking(true)?;
    let far = UnixStream::from_std(far)?;
    Ok((Stream::unix(near)?, copy(channel, far)))
}

async fn copy(channel: Channel, far: UnixStream) {
    let (from_peer, to_peer) = tokio::io::split(channel);
    let (from_here, to_here) = tokio::io::split(far);
    // Both sides of a session end together: what one of them wrote before is copied before its end is seen.
    tokio::select! {
        _ = pump(from_peer, to_here) => {}
        _ = pump(from_here, to_peer) => {}
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await;
        };
        to.write_all(bytes).await?;
        to.flush().await?;
    }
}
