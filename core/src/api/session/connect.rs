//! The beginning of a connection: connect, Hello, Welcome.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::api::wire::payload::{append_hello, read_postcard};
use crate::api::wire::{Hello, Incoming, Kind, Welcome};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::network::{Endpoint, Stream};

/// How long a connection may take until it is welcome: a frozen process accepts and says nothing.
pub(crate) const WELCOME_TIMEOUT: Duration = Duration::from_millis(500);

/// Connects and introduces itself. Gives the stream, what came behind the welcome, and the welcome.
pub(crate) async fn connect(
    address: SocketAddr,
    hello: &Hello,
) -> Result<(TcpStream, Incoming, Welcome)> {
    let endpoint = Endpoint::Tcp(address);
    let work = async {
        let mut stream = TcpStream::connect(address)
            .await
            .map_err(|e| failed(&endpoint, &e))?;
        let _ = stream.set_nodelay(true);
        let mut incoming = Incoming::default();
        let welcome = introduce(&mut stream, &mut incoming, &endpoint, hello).await?;
        Ok((stream, incoming, welcome))
    };
    in_time(&endpoint, work).await
}

/// As [`connect`], for a session: the stream leaves the asynchronous runtime. A queue manager says nothing
/// behind its welcome that was not asked for.
pub(super) async fn connect_session(endpoint: &Endpoint, hello: &Hello) -> Result<Stream> {
    match endpoint {
        Endpoint::Tcp(address) => {
            let (stream, _, _) = connect(*address, hello).await?;
            let stream = stream.into_std().and_then(Stream::tcp);
            stream.map_err(|e| failed(endpoint, &e))
        }
        Endpoint::Unix(path) => {
            let work = async {
                let stream = UnixStream::connect(path).await;
                let mut stream = stream.map_err(|e| failed(endpoint, &e))?;
                introduce(&mut stream, &mut Incoming::default(), endpoint, hello).await?;
                let stream = stream.into_std().and_then(Stream::unix);
                stream.map_err(|e| failed(endpoint, &e))
            };
            in_time(endpoint, work).await
        }
    }
}

async fn in_time<T>(endpoint: &Endpoint, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(WELCOME_TIMEOUT, work)
        .await
        .unwrap_or_else(|_| Err(lost(&format!("{endpoint} accepts but does not answer"))))
}

async fn introduce<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    incoming: &mut Incoming,
    endpoint: &Endpoint,
    hello: &Hello,
) -> Result<Welcome> {
    let mut out = Vec::new();
    append_hello(&mut out, hello)?;
    stream
        .write_all(&out)
        .await
        .map_err(|e| failed(endpoint, &e))?;
    loop {
        if let Some(frame) = incoming.next_frame()? {
            return match frame.kind {
                Kind::Welcome => read_postcard("welcome", frame.payload),
                Kind::Refused => Err(read_postcard("refusal", frame.payload)?),
                other => Err(lost(&format!("{endpoint} sent {other:?} first"))),
            };
        }
        if !incoming
            .fill(stream)
            .await
            .map_err(|e| failed(endpoint, &e))?
        {
            return Err(lost(&format!("{endpoint} closed the connection")));
        }
    }
}

fn failed(endpoint: &Endpoint, error: &io::Error) -> Error {
    lost(&format!("{endpoint}: {error}"))
}

/// The other side is not there, or no longer.
pub(super) fn lost(why: &str) -> Error {
    Error::new(ErrorKind::ServiceNotAvailable, why)
}
