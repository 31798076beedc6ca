//! A connection: plain on loopback, under mutual TLS elsewhere; and who is at its other end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use webpki::EndEntityCert;

use super::identity::{Identity, Pinned};
use super::{CLIENT, NODE};
use crate::error::{Error, ErrorKind, Result};

/// How a listener receives those who connect.
#[derive(Clone, Debug)]
pub enum Door {
    /// A loopback address: whoever is on this machine.
    Open,
    /// Any other: by certificate.
    Guarded(Arc<Identity>),
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody on this machine.
    Local,
    /// The node of this name, in lower case.
    Node(String),
    /// The client of this name, in lower case.
    Client(String),
    /// Somebody without a certificate: may only show a token.
    Stranger,
}

/// A connection that is ready for use.
#[derive(Debug)]
pub enum Channel {
    /// As it is.
    Plain(TcpStream),
    /// Under TLS.
    Secure(Box<TlsStream<TcpStream>>),
}

impl Door {
    /// The door of a listener at `address`.
    ///
    /// # Errors
    /// `AccessDenied` beyond loopback without an identity (DESIGN.md D10).
    pub fn at(address: SocketAddr, identity: Option<&Arc<Identity>>) -> Result<Self> {
        match identity {
            _ if address.ip().is_loopback() => Ok(Self::Open),
            Some(identity) => Ok(Self::Guarded(Arc::clone(identity))),
            None => Err(Error::new(
                ErrorKind::AccessDenied,
                format!("will not listen on {address}: every machine of the network could send commands"),
            )
            .hint(
                "an address other than loopback needs the certificates of a cluster: `hamq node create` on its first \
                 host, `hamq node join TOKEN` on others; or use one of 127.0.0.0/8",
            )),
        }
    }

    /// Receives one that has connected.
    ///
    /// # Errors
    /// Those of the connection; the other side's proof is none.
    pub async fn receive(&self, stream: TcpStream) -> io::Result<(Channel, Caller)> {
        let Self::Guarded(identity) = self else {
            return Ok((Channel::Plain(stream), Caller::Local));
        };
        let stream = TlsAcceptor::from(identity.server()).accept(stream).await?;
        let caller = caller(stream.get_ref().1.peer_certificates())?;
        Ok((Channel::Secure(Box::new(stream.into())), caller))
    }
}

impl Channel {
    /// The addresses of the other end and of this one.
    #[must_use]
    pub fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => stream.get_ref().0,
        };
        Some((stream.peer_addr().ok()?, stream.local_addr().ok()?))
    }

    /// Makes sure that who was connected to is a node of the cluster of this identity; `node` says which, if that is known.
    ///
    /// # Errors
    /// `AccessDenied` when it is not, or when it does not believe us; `ServiceNotAvailable` when it ends the connection before
    /// that is known.
    pub async fn prove(stream: TcpStream, identity: &Identity, node: Option<&str>) -> Result<Self> {
        let name = node.map_or_else(
            || NODE.to_owned(),
            |node| format!("{}.{NODE}", node.to_lowercase()),
        );
        connect(stream, TlsConnector::from(identity.client()), name).await
    }

    /// The same for one without an identity.
    ///
    /// # Errors
    /// As [`Channel::prove`].
    pub async fn introduce(stream: TcpStream, pinned: &Pinned) -> Result<Self> {
        let connector = TlsConnector::from(Arc::clone(&pinned.client));
        connect(stream, connector, NODE.to_owned()).await
    }
}

async fn connect(stream: TcpStream, connector: TlsConnector, name: String) -> Result<Channel> {
    let peer = stream
        .peer_addr()
        .map_or_else(|_| "it".to_owned(), |peer| peer.to_string());
    let refused = |why: &dyn std::fmt::Display| {
        let text = format!("{peer} is no node of this cluster, or takes this side for none: {why}");
        Error::new(ErrorKind::AccessDenied, text).hint(
            "both sides need certificates of the same cluster: check the address and the file",
        )
    };
    let name = ServerName::try_from(name).map_err(|e| refused(&e))?;
    let stream = connector.connect(name, stream).await;
    let stream = stream.map_err(|e| match e.get_ref() {
        Some(inner) if inner.is::<rustls::Error>() => refused(&e),
        // It ended halfway: nobody has said who is whom.
        _ => Error::new(ErrorKind::ServiceNotAvailable, format!("{peer}: {e}")),
    })?;
    Ok(Channel::Secure(Box::new(stream.into())))
}

/// The certificate is proven already; this reads whose it is.
fn caller(certificates: Option<&[CertificateDer<'_>]>) -> io::Result<Caller> {
    let Some(certificate) = certificates.and_then(<[_]>::first) else {
        return Ok(Caller::Stranger);
    };
    let none = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "a certificate without a name of ours",
        )
    };
    let certificate = EndEntityCert::try_from(certificate).map_err(|_| none())?;
    let own = |kind: &str| {
        let suffix = format!(".{kind}");
        certificate
            .valid_dns_names()
            .find_map(|name| Some(name.strip_suffix(&suffix)?.to_owned()))
    };
    own(NODE)
        .map(Caller::Node)
        .or_else(|| own(CLIENT).map(Caller::Client))
        .ok_or_else(none)
}

impl AsyncRead for Channel {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Secure(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Secure(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Secure(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Secure(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::{Authority, IssuedFor};
    use super::*;

    const YEAR: i32 = 2026;

    fn identity(authority: &Authority, whom: IssuedFor<'_>) -> Arc<Identity> {
        let (certificate, key) = Identity::issue(authority, whom).unwrap();
        Arc::new(Identity::new(&certificate, &key, authority.certificate_pem()).unwrap())
    }

    /// What both sides come to when one is behind a guarded door.
    async fn meet(
        server: &Arc<Identity>,
        client: impl AsyncFnOnce(TcpStream) -> Result<Channel>,
    ) -> (Option<Caller>, Result<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = Door::Guarded(Arc::clone(server));
        let receiving = async {
            let (stream, _) = listener.accept().await.unwrap();
            let (mut channel, caller) = door.receive(stream).await.ok()?;
            channel.write_all(b"welcome").await.ok()?;
            Some(caller)
        };
        let connecting = async {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut channel = client(stream).await?;
            let mut word = [0; 7];
            let read = channel.read_exact(&mut word).await;
            read.map(drop).map_err(|e| Error::system("read", &e))
        };
        tokio::join!(receiving, connecting)
    }

    /// A queue manager that moves ends connections halfway, and a client that took this for a refusal gave up what it had sent.
    #[tokio::test]
    async fn one_that_ends_halfway_has_refused_nobody() {
        let authority = Authority::new("lab", YEAR).unwrap();
        let alice = identity(&authority, IssuedFor::Client("alice"));
        for heard in [0, 20] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let ending = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut some = vec![0; heard];
                stream.read_exact(&mut some).await.unwrap();
            }; // what was not read makes it a reset
            let proving = async {
                let stream = TcpStream::connect(address).await.unwrap();
                Channel::prove(stream, &alice, None).await.map(drop)
            };
            let ((), proven) = tokio::join!(ending, proving);
            assert_eq!(proven.unwrap_err().kind, ErrorKind::ServiceNotAvailable);
        }
    }

    #[tokio::test]
    async fn nodes_and_clients_of_one_cluster_know_each_other() {
        let authority = Authority::new("lab", YEAR).unwrap();
        let one = identity(&authority, IssuedFor::Node("N1"));
        let two = identity(&authority, IssuedFor::Node("n2"));
        let alice = identity(&authority, IssuedFor::Client("alice"));
        let prove = async |stream| Channel::prove(stream, &two, Some("n1")).await;
        assert_eq!(
            meet(&one, prove).await,
            (Some(Caller::Node("n2".into())), Ok(()))
        );
        let prove = async |stream| Channel::prove(stream, &alice, None).await;
        assert_eq!(
            meet(&one, prove).await,
            (Some(Caller::Client("alice".into())), Ok(()))
        );
    }

    #[tokio::test]
    async fn another_cluster_s_certificate_is_refused_by_both_sides() {
        let lab = Authority::new("lab", YEAR).unwrap();
        let other = Authority::new("lab", YEAR).unwrap(); // of the same name
        let one = identity(&lab, IssuedFor::Node("n1"));
        let foreign = identity(&other, IssuedFor::Node("n2"));
        let prove = async |stream| Channel::prove(stream, &foreign, None).await;
        let (caller, outcome) = meet(&one, prove).await;
        assert_eq!(
            (caller, outcome.unwrap_err().kind),
            (None, ErrorKind::AccessDenied)
        );
        // One that does not look at the server's certificate is refused by the server.
        let (certificate, key) = Identity::issue(&other, IssuedFor::Node("n2")).unwrap();
        let mixed = Identity::new(&certificate, &key, lab.certificate_pem()).unwrap();
        let prove = async |stream| Channel::prove(stream, &mixed, None).await;
        let (caller, outcome) = meet(&one, prove).await;
        assert!(caller.is_none() && outcome.is_err(), "{outcome:?}");
    }

    #[tokio::test]
    async fn a_client_is_no_node_and_a_node_no_other_node() {
        let authority = Authority::new("lab", YEAR).unwrap();
        let alice = identity(&authority, IssuedFor::Client("alice"));
        let one = identity(&authority, IssuedFor::Node("n1"));
        let prove = async |stream| Channel::prove(stream, &one, None).await;
        assert!(
            meet(&alice, prove).await.1.is_err(),
            "a client serves nobody"
        );
        let prove = async |stream| Channel::prove(stream, &one, Some("n2")).await;
        assert!(meet(&one, prove).await.1.is_err(), "this is n1, not n2");
    }

    #[tokio::test]
    async fn a_stranger_knows_the_authority_by_its_fingerprint_and_no_other() {
        let authority = Authority::new("lab", YEAR).unwrap();
        let one = identity(&authority, IssuedFor::Node("n1"));
        let pinned = Pinned::new(authority.fingerprint().unwrap()).unwrap();
        let introduce = async |stream| Channel::introduce(stream, &pinned).await;
        assert_eq!(
            meet(&one, introduce).await,
            (Some(Caller::Stranger), Ok(()))
        );
        let other = Authority::new("lab", YEAR).unwrap();
        let pinned = Pinned::new(other.fingerprint().unwrap()).unwrap();
        let introduce = async |stream| Channel::introduce(stream, &pinned).await;
        assert!(meet(&one, introduce).await.1.is_err());
    }

    #[tokio::test]
    async fn plain_bytes_get_nothing_from_a_guarded_door() {
        let authority = Authority::new("lab", YEAR).unwrap();
        let one = identity(&authority, IssuedFor::Node("n1"));
        let plain = async |mut stream: TcpStream| {
            stream.write_all(b"{\"cluster\":\"lab\"}\n").await.unwrap();
            Ok(Channel::Plain(stream))
        };
        let (caller, _) = meet(&one, plain).await;
        assert_eq!(caller, None);
        assert!(Door::at("10.0.0.1:7800".parse().unwrap(), None).is_err());
        assert!(matches!(
            Door::at("127.0.0.1:7800".parse().unwrap(), Some(&one)),
            Ok(Door::Open)
        ));
    }

    #[test]
    fn a_client_s_file_holds_all_it_needs_and_names_are_checked() {
        let authority = Authority::new("lab", YEAR).unwrap();
        let (certificate, key) = Identity::issue(&authority, IssuedFor::Client("alice")).unwrap();
        let bundle = format!("# lab\n{certificate}{key}{}", authority.certificate_pem());
        let found = Identity::from_bundle(&bundle).unwrap();
        assert_eq!(found.authority(), authority.fingerprint().unwrap());
        for damaged in ["", certificate.as_str(), key.as_str()] {
            let error = Identity::from_bundle(damaged).unwrap_err();
            assert_eq!(error.kind, ErrorKind::StoreDamaged);
        }
        for name in ["", "a.b", "-a", "a b", "ä", &"a".repeat(41)] {
            let error = Identity::issue(&authority, IssuedFor::Node(name)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidParameter, "{name}");
        }
        let again = Authority::read(
            "lab",
            YEAR + 1,
            authority.certificate_pem().to_owned(),
            &authority.key_pem(),
        );
        assert_eq!(again.unwrap().fingerprint(), authority.fingerprint());
    }
}
