//! gRPC over one HTTP/2 connection to one member.
//!
//! ```text
//!  call ── POST /service/method, 5 bytes of length, message ──> member
//!       <── messages, each with its length; trailers: grpc-status, grpc-message
//! ```

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::super::location::{EtcdLocation, member_text};
use super::tls;
use crate::error::{Error, Result};

/// The largest message that is taken.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// What a member may send before we have read it.
const WINDOW_BYTES: u32 = 4 << 20;
/// Length and flag before each message.
const PREFIX_BYTES: usize = 5;

/// Status codes of gRPC that are looked at.
pub(super) mod code {
    pub(in super::super) const INVALID_ARGUMENT: u32 = 3;
    pub(in super::super) const PERMISSION_DENIED: u32 = 7;
    pub(in super::super) const RESOURCE_EXHAUSTED: u32 = 8;
    pub(in super::super) const OUT_OF_RANGE: u32 = 11;
    pub(in super::super) const UNIMPLEMENTED: u32 = 12;
    pub(in super::super) const UNAUTHENTICATED: u32 = 16;
}

/// Why a call has no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The member answered with an error of etcd's.
    Status { code: u32, message: String },
    /// The connection failed; the call may have been executed.
    Broken(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status { message, .. } => f.write_str(message),
            Self::Broken(why) => f.write_str(why),
        }
    }
}

fn broken(why: impl std::fmt::Display) -> Failure {
    Failure::Broken(why.to_string())
}

/// How members are reached: with or without TLS.
pub(super) struct Dialer {
    tls: Option<TlsConnector>,
}

impl Dialer {
    /// Reads the certificates.
    pub(super) fn new(location: &EtcdLocation) -> Result<Self, Error> {
        let tls = tls::connector(location)?;
        Ok(Self { tls })
    }

    /// Connects to a member.
    pub(super) async fn connect(&self, member: &(String, u16)) -> Result<Connection, Failure> {
        let stream = TcpStream::connect((member.0.as_str(), member.1)).await;
        let stream = stream.map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        let authority = member_text(member);
        match &self.tls {
            None => Connection::open(stream, "http", authority).await,
            Some(tls) => {
                let name = tls::server_name(&member.0).map_err(broken)?;
                let stream = tls.connect(name, stream).await.map_err(broken)?;
                Connection::open(stream, "https", authority).await
            }
        }
    }
}

/// A connection; it ends when it is dropped.
pub(super) struct Connection {
    requests: SendRequest<Bytes>,
    scheme: &'static str,
    authority: String,
    driver: tokio::task::AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    async fn open<S>(stream: S, scheme: &'static str, authority: String) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = h2::client::Builder::new()
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .enable_push(false)
            .handshake(stream);
        let (requests, connection) = handshake.await.map_err(broken)?;
        // Its end is noticed by every call on it.
        let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
        Ok(Self {
            requests,
            scheme,
            authority,
            driver,
        })
    }

    /// One message there, one back. `token` proves the user, `timeout` is told to the member.
    pub(super) async fn call(
        &self,
        path: &str,
        message: &Bytes,
        token: Option<&str>,
        timeout: Duration,
    ) -> Result<Bytes, Failure> {
        let (response, mut body) = self.send(path, token, Some(timeout)).await?;
        body.send_data(framed(message)?, true).map_err(broken)?;
        let mut replies = Replies::new(response);
        let reply = replies.next().await?;
        let end = replies.next().await?;
        match (reply, end) {
            (Some(reply), None) => Ok(reply),
            _ => Err(broken("the reply is not one message")),
        }
    }

    /// A stream of messages in both directions.
    pub(super) async fn stream(
        &self,
        path: &str,
        token: Option<&str>,
    ) -> Result<(Requests, Replies), Failure> {
        let (response, body) = self.send(path, token, None).await?;
        Ok((Requests(body), Replies::new(response)))
    }

    async fn send(
        &self,
        path: &str,
        token: Option<&str>,
        timeout: Option<Duration>,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), Failure> {
        let uri = format!("{}://{}{path}", self.scheme, self.authority);
        let mut request = Request::post(uri)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", concat!("hamq/", env!("CARGO_PKG_VERSION")))
            // A member that has lost its leader says so, instead of being silent.
            .header("hasleader", "true");
        if let Some(timeout) = timeout {
            request = request.header("grpc-timeout", format!("{}m", timeout.as_millis().max(1)));
        }
        if let Some(token) = token {
            request = request.header("token", token);
        }
        let request = request.body(()).map_err(broken)?;
        let mut requests = self.requests.clone().ready().await.map_err(broken)?;
        requests.send_request(request, false).map_err(broken)
    }
}

fn framed(message: &Bytes) -> Result<Bytes, Failure> {
    let length = u32::try_from(message.len()).map_err(broken)?;
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    frame.put_u8(0);
    frame.put_u32(length);
    frame.put_slice(message);
    Ok(frame.freeze())
}

/// Our side of a stream.
pub(super) struct Requests(SendStream<Bytes>);

impl Requests {
    pub(super) fn send(&mut self, message: &Bytes) -> Result<(), Failure> {
        self.0.send_data(framed(message)?, false).map_err(broken)
    }
}

/// The member's side.
pub(super) struct Replies {
    response: Option<ResponseFuture>,
    body: Option<RecvStream>,
    buffer: BytesMut,
}

impl Replies {
    fn new(response: ResponseFuture) -> Self {
        Self {
            response: Some(response),
            body: None,
            buffer: BytesMut::new(),
        }
    }

    /// The next message; `None` when the member has ended the stream in order. Dropping the future loses
    /// nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        if let Some(response) = &mut self.response {
            let (head, body) = response.await.map_err(broken)?.into_parts();
            self.response = None;
            if head.status != StatusCode::OK {
                return Err(broken(format_args!("HTTP status {}", head.status)));
            }
            if head.headers.contains_key("grpc-status") {
                return status(&head.headers).map(|()| None);
            }
            self.body = Some(body);
        }
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            let Some(body) = &mut self.body else {
                return Ok(None);
            };
            let Some(data) = body.data().await else {
                let trailers = body.trailers().await.map_err(broken)?;
                self.body = None;
                return status(&trailers.unwrap_or_default()).map(|()| None);
            };
            let data = data.map_err(broken)?;
            body.flow_control()
                .release_capacity(data.len())
                .map_err(broken)?;
            self.buffer.extend_from_slice(&data);
        }
    }

    /// A whole message from what has come.
    fn take(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some((prefix, rest)) = self.buffer.split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let [compressed, length @ ..] = *prefix;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(broken)?;
        if compressed != 0 || length > MESSAGE_BYTES_MAX {
            return Err(broken(format_args!(
                "a message of {length} bytes that is not taken"
            )));
        }
        if rest.len() < length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

fn status(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(code) = text("grpc-status").and_then(|code| code.parse::<u32>().ok()) else {
        return Err(broken("the member ended the reply without a status"));
    };
    if code == 0 {
        return Ok(());
    }
    let message = unescape(text("grpc-message").unwrap_or("no reason given"));
    Err(Failure::Status { code, message })
}

/// `%20` and the like.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| *first == b'%');
        let decoded = escaped
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_with_its_reason() {
        let mut headers = HeaderMap::new();
        assert!(matches!(status(&headers), Err(Failure::Broken(_))));
        headers.insert("grpc-status", "0".parse().unwrap());
        assert_eq!(status(&headers), Ok(()));
        headers.insert("grpc-status", "14".parse().unwrap());
        headers.insert("grpc-message", "etcdserver%3A no leader%".parse().unwrap());
        let message = "etcdserver: no leader%".to_owned();
        assert_eq!(status(&headers), Err(Failure::Status { code: 14, message }));
    }
}
