//! A connection's beginning: accept, handshake, refusal.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::api::wire::payload::{append_refused, append_welcome, read_postcard};
use crate::api::wire::{Hello, Incoming, Kind, Role, VERSION, Welcome};
use crate::error::{Error, ErrorKind, Result};

/// How long a client may take for its Hello.
pub(super) const HELLO_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a client may be silent: clients that live send a Ping every few seconds.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(20);

/// Refuses to serve counters at an address that others than this machine can reach (DESIGN.md D10).
///
/// # Errors
/// `AccessDenied`.
pub fn check_metrics_address(address: SocketAddr) -> Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::AccessDenied,
        format!(
            "will not serve counters on {address}: every machine of the network could read them"
        ),
    )
    .hint(
        "use an address of 127.0.0.0/8; a collector on another machine needs a relay on this one",
    ))
}

/// The next connection. A listener that fails (no more file descriptors) is tried again a little later.
pub(super) async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            return stream;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Reads the Hello of a new connection and checks it; tells the client when it is refused.
pub(super) async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    incoming: &mut Incoming,
    role: Role,
    name: &str,
) -> Result<Hello> {
    let hello = tokio::time::timeout(HELLO_TIMEOUT, read_hello(stream, incoming))
        .await
        .unwrap_or_else(|_| Err(refusal("no Hello came in time")))?;
    match check(&hello, role, name) {
        Ok(()) => Ok(hello),
        Err(error) => {
            refuse(stream, &error).await;
            Err(error)
        }
    }
}

/// Tells the client why its connection ends, if it still listens.
pub(super) async fn refuse<W: AsyncWriteExt + Unpin>(stream: &mut W, error: &Error) {
    let mut out = Vec::new();
    if append_refused(&mut out, error).is_ok() {
        let _ = tokio::time::timeout(HELLO_TIMEOUT, stream.write_all(&out)).await;
        let _ = stream.shutdown().await;
    }
}

/// Tells the client that it is welcome.
pub(super) async fn welcome<S: AsyncWrite + Unpin>(
    stream: &mut S,
    name: &str,
    epoch: u64,
) -> Result<()> {
    let mut out = Vec::new();
    let welcome = Welcome {
        version: VERSION,
        name: name.to_owned(),
        epoch,
    };
    append_welcome(&mut out, &welcome)?;
    let sent = async {
        stream.write_all(&out).await?;
        stream.flush().await
    };
    tokio::time::timeout(HELLO_TIMEOUT, sent)
        .await
        .map_err(|_| refusal("the client does not read"))?
        .map_err(|e| Error::system("greet a client", &e))
}

async fn read_hello<S: AsyncRead + Unpin>(
    stream: &mut S,
    incoming: &mut Incoming,
) -> Result<Hello> {
    loop {
        if let Some(frame) = incoming.next_frame()? {
            if frame.kind != Kind::Hello {
                return Err(refusal("its first frame is no Hello"));
            }
            return read_postcard("hello", frame.payload);
        }
        let more = incoming.fill(stream).await;
        if !more.map_err(|e| Error::system("read from a client", &e))? {
            return Err(refusal("it left before it said Hello"));
        }
    }
}

pub(super) fn check(hello: &Hello, role: Role, name: &str) -> Result<()> {
    if hello.version != VERSION {
        let text = format!(
            "protocol version {} is not spoken here, only {VERSION}",
            hello.version
        );
        return Err(
            Error::new(ErrorKind::InvalidRequest, text).hint("use the same release everywhere")
        );
    }
    if hello.role != role {
        let (here, port) = match role {
            Role::Session => ("a queue manager", "a node agent listens on port 7800"),
            Role::Commands => ("a node agent", "a queue manager listens on port 7801"),
        };
        let text = format!("this is {here}, not what the client wants to talk to");
        return Err(Error::new(ErrorKind::InvalidRequest, text).hint(port));
    }
    if !hello.wants.is_empty() && !hello.wants.eq_ignore_ascii_case(name) {
        return Err(Error::new(
            ErrorKind::ResolveAddress,
            format!("{} is not here: this is {name}", hello.wants),
        )
        .hint("the address has another owner now; resolve the name again"));
    }
    Ok(())
}

pub(super) fn refusal(why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidRequest,
        format!("a client was refused: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn counters_are_for_this_machine() {
        assert!(check_metrics_address("127.0.0.1:9464".parse().unwrap()).is_ok());
        assert!(check_metrics_address("[::1]:9464".parse().unwrap()).is_ok());
        for address in ["0.0.0.0:9464", "192.168.0.1:9464", "[::]:9464"] {
            let error = check_metrics_address(address.parse().unwrap()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::AccessDenied);
            assert!(error.hint.unwrap().contains("127.0.0.0/8"));
        }
    }

    #[test]
    fn a_hello_must_fit_in_version_role_and_name() {
        let good = Hello {
            version: VERSION,
            client: Uuid::nil(),
            role: Role::Session,
            wants: "vs1".into(),
        };
        assert_eq!(check(&good, Role::Session, "VS1"), Ok(()));
        let kind = |hello: &Hello| check(hello, Role::Session, "VS1").unwrap_err().kind;
        let mut other = good.clone();
        other.version = 99;
        assert_eq!(kind(&other), ErrorKind::InvalidRequest);
        let mut other = good.clone();
        other.role = Role::Commands;
        assert_eq!(kind(&other), ErrorKind::InvalidRequest);
        let mut other = good;
        other.wants = "VS2".into();
        assert_eq!(kind(&other), ErrorKind::ResolveAddress);
    }
}
