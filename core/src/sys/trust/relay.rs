//! A proven connection as a plain one, for who reads and writes without a runtime: copied from and to a socket of this
//! process.

use std::io;
use std::os::unix::net::UnixStream as PlainUnix;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::Channel;
use crate::sys::network::Stream;

/// Bytes that are copied at once: what one TLS record holds.
const COPY_BYTES: usize = 16 * 1024;
/// A peer that takes nothing for so long is lost: else it would keep a task and two sockets for ever.
const STUCK_MAX: Duration = Duration::from_secs(20);

/// The near end of a connection whose far end is `channel`, and the copying between them; it ends when either side
/// does. On a tokio runtime.
///
/// # Errors
/// Those of the system.
pub fn relay(channel: Channel) -> io::Result<(Stream, impl Future<Output = ()> + Send + use<>)> {
    begin(channel, STUCK_MAX)
}

fn begin(
    channel: Channel,
    stuck: Duration,
) -> io::Result<(Stream, impl Future<Output = ()> + Send + use<>)> {
    let (near, far) = PlainUnix::pair()?;
    far.set_nonblocking(true)?;
    let far = UnixStream::from_std(far)?;
    Ok((Stream::unix(near)?, copy(channel, far, stuck)))
}

async fn copy(channel: Channel, far: UnixStream, stuck: Duration) {
    let (from_peer, to_peer) = tokio::io::split(channel);
    let (from_here, to_here) = tokio::io::split(far);
    // Both sides of a session end together: what one of them wrote before is copied before its end is seen.
    tokio::select! {
        // Who is held back here reads nothing for as long as it takes, and an end here shows as an error.
        _ = pump(from_peer, to_here, Duration::MAX) => {}
        _ = pump(from_here, to_peer, stuck) => {}
    }
}

/// Copies until the end, or until nothing can be written for `stuck`.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    stuck: Duration,
) -> io::Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        let bytes = &buffer[..count];
        let written = timeout(stuck, async {
            to.write_all(bytes).await?;
            match bytes.is_empty() {
                true => to.shutdown().await,
                false => to.flush().await,
            }
        });
        written.await??;
        if count == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::sys::network::Filled;

    /// The near end of a relay that runs, and its peer.
    async fn relayed(stuck: Duration) -> (Stream, TcpStream, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (accepted, _) = listener.accept().await.unwrap();
        let (near, copying) = begin(Channel::Plain(accepted), stuck).unwrap();
        (near, peer.unwrap(), tokio::spawn(copying))
    }

    #[tokio::test]
    async fn what_was_written_before_an_end_arrives_on_either_side() {
        let (near, mut peer, copying) = relayed(STUCK_MAX).await;
        assert_eq!(near.write(b"refused, and why").unwrap(), 16);
        drop(near);
        let mut text = String::new();
        peer.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "refused, and why");
        copying.await.unwrap();

        let (near, mut peer, copying) = relayed(STUCK_MAX).await;
        peer.write_all(b"last words").await.unwrap();
        drop(peer);
        copying.await.unwrap();
        let mut read = Vec::with_capacity(64);
        assert_eq!(near.read(&mut read).unwrap(), Filled::Bytes(10));
        assert_eq!(near.read(&mut read).unwrap(), Filled::End);
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_holds_nothing_once_its_session_is_over() {
        let (near, _peer, copying) = relayed(Duration::from_millis(50)).await;
        let chunk = vec![0; 64 * 1024];
        let mut full = 0;
        while full < 100 {
            full = match near.write(&chunk).unwrap() {
                0 => full + 1,
                _ => 0,
            };
            tokio::task::yield_now().await;
        }
        drop(near);
        copying.await.unwrap();
    }
}
