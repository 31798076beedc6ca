//! The beginning of a connection: connect, Hello, Welcome.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::api::trust::Trust;
use crate::api::wire::payload::{append_hello, read_postcard};
use crate::api::wire::{Hello, Incoming, Kind, Welcome};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::network::{Endpoint, Stream};
use crate::sys::trust::{Channel, relay};

/// How long a connection may take until it is welcome: a frozen process accepts and says nothing.
pub(crate) const WELCOME_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a machine may take to answer at all.
const DIAL_TIMEOUT: Duration = Duration::from_secs(1);
/// A machine that is gone says nothing, and its address soon has another owner. The kernel asks that one only after a
/// second: so another attempt is made beside those that wait for an answer, and the first that has one is taken.
const DIAL_AGAIN: Duration = Duration::from_millis(50);
/// The same where both sides prove who they are, over a real network.
const PROOF_TIMEOUT: Duration = Duration::from_secs(3);

/// Connects, proves itself where that is needed, and introduces itself. Gives the stream, what came behind the welcome, and
/// the welcome.
pub(crate) async fn connect(
    address: SocketAddr,
    trust: &Trust,
    hello: &Hello,
) -> Result<(Channel, Incoming, Welcome)> {
    let endpoint = Endpoint::Tcp(address);
    if address.ip().is_loopback() {
        let work = async {
            let stream = Channel::Plain(dial(&endpoint, address).await?);
            greeted(stream, &endpoint, hello).await
        };
        return in_time(&endpoint, WELCOME_TIMEOUT, work).await;
    }
    if let Some(pinned) = trust.pin() {
        let work = async {
            let stream = dial(&endpoint, address).await?;
            greeted(Channel::introduce(stream, pinned).await?, &endpoint, hello).await
        };
        return in_time(&endpoint, PROOF_TIMEOUT, work).await;
    }
    let mut refusal = no_certificate(&endpoint);
    for identity in trust.identities() {
        let work = async {
            let stream = dial(&endpoint, address).await?;
            let stream = Channel::prove(stream, identity, None).await?;
            greeted(stream, &endpoint, hello).await
        };
        match in_time(&endpoint, PROOF_TIMEOUT, work).await {
            Err(error) if error.kind == ErrorKind::AccessDenied => refusal = error,
            other => return other,
        }
    }
    Err(refusal)
}

async fn dial(endpoint: &Endpoint, address: SocketAddr) -> Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let dialling = async {
        loop {
            attempts.spawn(TcpStream::connect(address));
            if let Ok(Some(Ok(first))) = timeout(DIAL_AGAIN, attempts.join_next()).await {
                return first;
            }
        }
    };
    let stream = timeout(DIAL_TIMEOUT, dialling).await;
    let stream = stream.map_err(|_| lost(&format!("{endpoint} does not answer")))?;
    let stream = stream.map_err(|e| failed(endpoint, &e))?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn greeted(
    mut stream: Channel,
    endpoint: &Endpoint,
    hello: &Hello,
) -> Result<(Channel, Incoming, Welcome)> {
    let mut incoming = Incoming::default();
    let welcome = introduce(&mut stream, &mut incoming, endpoint, hello).await?;
    Ok((stream, incoming, welcome))
}

fn no_certificate(endpoint: &Endpoint) -> Error {
    let text =
        format!("{endpoint} is beyond this machine, and there is no certificate to prove who asks");
    Error::new(ErrorKind::AccessDenied, text).hint(
        "put the file that New-ClusterClientCertificate made into the folder `clusters` of the state folder, as NAME.pem",
    )
}

/// As [`connect`], for a session: the stream leaves the asynchronous runtime. A queue manager says nothing
/// behind its welcome that was not asked for. Gives its epoch, too.
pub(super) async fn connect_session(
    endpoint: &Endpoint,
    trust: &Trust,
    hello: &Hello,
) -> Result<(Stream, u64)> {
    match endpoint {
        Endpoint::Tcp(address) => {
            let (channel, _, welcome) = connect(*address, trust, hello).await?;
            let stream = match channel {
                Channel::Plain(stream) => stream.into_std().and_then(Stream::tcp),
                secure @ Channel::Secure(_) => relay(secure).map(|(near, copying)| {
                    tokio::spawn(copying);
                    near
                }),
            };
            let stream = stream.map_err(|e| failed(endpoint, &e))?;
            Ok((stream, welcome.epoch))
        }
        Endpoint::Unix(path) => {
            let work = async {
                let stream = UnixStream::connect(path).await;
                let mut stream = stream.map_err(|e| failed(endpoint, &e))?;
                let welcome =
                    introduce(&mut stream, &mut Incoming::default(), endpoint, hello).await?;
                let stream = stream.into_std().and_then(Stream::unix);
                let stream = stream.map_err(|e| failed(endpoint, &e))?;
                Ok((stream, welcome.epoch))
            };
            in_time(endpoint, WELCOME_TIMEOUT, work).await
        }
    }
}

async fn in_time<T>(
    endpoint: &Endpoint,
    limit: Duration,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    timeout(limit, work)
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
    let sent = async {
        stream.write_all(&out).await?;
        stream.flush().await
    };
    sent.await.map_err(|e| failed(endpoint, &e))?;
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
