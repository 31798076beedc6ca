//! The address in a direct name, by protocol.
//!
//! ```text
//!  TCP:10.0.0.7   OS:VS1   HTTP://host[:80]/msmq   HTTPS://host[:443]/msmq   SPX:12345678:0123456789ab
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::group::read_port;
use super::guid::read_hexadecimal;
use crate::error::{Error, Result};
use crate::name::computer::Computer;
use crate::name::nearest;
use crate::name::piece::{Piece, SLASHES, shown};
use crate::name::spelled::Spelled;

/// How a queue manager is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// The binary protocol at an IP address.
    Tcp,
    /// The binary protocol at a name that the operating system resolves.
    Os,
    /// SRMP over HTTP.
    Http,
    /// SRMP over HTTPS.
    Https,
    /// IPX/SPX, which only Windows NT and 2000 spoke.
    Spx,
}

impl Protocol {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Tcp, Self::Os, Self::Http, Self::Https, Self::Spx];

    /// How it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Os => "OS",
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Spx => "SPX",
        }
    }

    fn read(piece: Piece<'_>) -> Result<Self> {
        let fits = |protocol: &Self| piece.is(protocol.name());
        match Self::ALL.into_iter().find(fits) {
            Some(protocol) => Ok(protocol),
            None if piece.is("IPX") => Ok(Self::Spx),
            None => Err(unknown(piece)),
        }
    }
}

fn unknown(piece: Piece<'_>) -> Error {
    let why = format!("{} is no protocol", shown(piece.text()));
    let names = Protocol::ALL.map(Protocol::name);
    let hint = match nearest(piece.text(), names) {
        Some(name) => format!("write DIRECT={name}:"),
        None => format!("the protocols are {}", names.join(", ")),
    };
    piece.error_with(why, hint)
}

/// Where a queue manager is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// At an IP address.
    Tcp(IpAddr),
    /// At a name that the operating system resolves.
    Os(Computer),
    /// Behind a web server.
    Web(WebServer),
    /// In an IPX network.
    Spx(IpxAddress),
}

impl Address {
    /// Reads `PROTOCOL:ADDRESS` and returns what follows the slash behind it.
    pub(super) fn read(piece: Piece<'_>) -> Result<(Self, Piece<'_>)> {
        let Some((protocol, rest)) = piece.split(&[':']) else {
            return Err(piece.error("the protocol is missing"));
        };
        let protocol = Protocol::read(protocol)?;
        if let Protocol::Http | Protocol::Https = protocol {
            let (server, queue) = WebServer::read(rest, protocol == Protocol::Https)?;
            return Ok((Self::Web(server), queue));
        }
        let Some((address, queue)) = rest.split(&SLASHES) else {
            return Err(rest.error("the queue is missing"));
        };
        let address = match protocol {
            Protocol::Tcp => Self::Tcp(read_ip(address)?),
            Protocol::Spx => Self::Spx(IpxAddress::read(address)?),
            _ => Self::Os(Computer::read(address)?),
        };
        Ok((address, queue))
    }

    /// How it is reached.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        match self {
            Self::Tcp(_) => Protocol::Tcp,
            Self::Os(_) => Protocol::Os,
            Self::Web(server) if server.secure => Protocol::Https,
            Self::Web(_) => Protocol::Http,
            Self::Spx(_) => Protocol::Spx,
        }
    }
}

/// `PROTOCOL:ADDRESS` without the slash behind it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.protocol().name())?;
        match self {
            Self::Tcp(ip) => ip.fmt(f),
            Self::Os(computer) => computer.fmt(f),
            Self::Web(server) => server.fmt(f),
            Self::Spx(address) => address.fmt(f),
        }
    }
}

/// An IP literal; IPv6 with or without brackets, which are left out in the canonical form.
fn read_ip(piece: Piece<'_>) -> Result<IpAddr> {
    let text = piece.text();
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let read = match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    };
    read.ok_or_else(|| match text.parse::<std::net::SocketAddr>() {
        Ok(address) => {
            let hint = format!("write TCP:{} without the port", address.ip());
            piece.error_with("the address has a port", hint)
        }
        Err(_) => piece.error_with(
            format!("{} is no IP address", shown(text)),
            "write an address such as TCP:10.0.0.7, or OS: and a name",
        ),
    })
}

/// The web server that a queue manager is behind; its virtual directory is `/msmq`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WebServer {
    secure: bool,
    host: Spelled,
    port: u16,
}

const HOST_CHARS_MAX: usize = 255;
const HTTP_HINT: &str = "write for example DIRECT=HTTP://host/msmq/private$/queue";

impl WebServer {
    /// Whether TLS is spoken.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host, as it was spelled; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.as_str()
    }

    /// The port; 80 or 443 where none was given.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    fn read(piece: Piece<'_>, secure: bool) -> Result<(Self, Piece<'_>)> {
        let Some(rest) = piece.after_slash().and_then(Piece::after_slash) else {
            return Err(piece.error_with("// is missing before the host", HTTP_HINT));
        };
        let (authority, rest) = rest.split_optional(&SLASHES);
        let server = Self::read_authority(authority, secure)?;
        let Some(rest) = rest else {
            return Err(authority.error_with("/msmq and the queue are missing", HTTP_HINT));
        };
        let (folder, queue) = rest.split_optional(&SLASHES);
        if !folder.is("msmq") {
            return Err(folder.error_with("the virtual directory is not /msmq", HTTP_HINT));
        }
        match queue {
            Some(queue) => Ok((server, queue)),
            None => Err(folder.error_with("the queue is missing", HTTP_HINT)),
        }
    }

    fn read_authority(piece: Piece<'_>, secure: bool) -> Result<Self> {
        let (host, port) = match piece.after("[") {
            Some(inner) => match inner.split(&[']']) {
                Some((ip, tail)) if tail.is_empty() => (read_ip6(ip)?, None),
                Some((ip, tail)) => match tail.after(":") {
                    Some(port) => (read_ip6(ip)?, Some(port)),
                    None => return Err(tail.error_with("only a port may follow ]", HTTP_HINT)),
                },
                None => return Err(piece.error_with("the ] of the address is missing", HTTP_HINT)),
            },
            None => {
                let (host, port) = piece.split_optional(&[':']);
                (read_host(host)?, port)
            }
        };
        let port = match port {
            None => Self::default_port(secure),
            Some(port) => match read_port(port, HTTP_HINT)? {
                0 => return Err(port.error_with("nothing listens at port 0", HTTP_HINT)),
                number => number,
            },
        };
        Ok(Self { secure, host, port })
    }

    const fn default_port(secure: bool) -> u16 {
        if secure { 443 } else { 80 }
    }
}

impl fmt::Display for WebServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "//{}", self.host)?;
        if self.port != Self::default_port(self.secure) {
            write!(f, ":{}", self.port)?;
        }
        f.write_str("/msmq")
    }
}

fn read_ip6(piece: Piece<'_>) -> Result<Spelled> {
    match piece.text().parse::<Ipv6Addr>() {
        Ok(ip) => Ok(Spelled::new(format!("[{ip}]"))),
        Err(_) => Err(piece.error_with("this is no IPv6 address", HTTP_HINT)),
    }
}

fn read_host(piece: Piece<'_>) -> Result<Spelled> {
    // Whatever would end the host in a URL, or be taken for another part of it.
    piece.check_letters("the host", HOST_CHARS_MAX, "[]@?#%;,\"=<>^`{|}")?;
    if piece.is(".") {
        let hint = "write the computer's name, or localhost";
        return Err(piece.error_with("no host is called .", hint));
    }
    Ok(Spelled::new(piece.text()))
}

/// A network and a node of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpxAddress {
    /// The number of the network.
    pub network: u32,
    /// The node's hardware address.
    pub node: [u8; 6],
}

impl IpxAddress {
    fn read(piece: Piece<'_>) -> Result<Self> {
        let Some((network, node)) = piece.split(&[':', '.']) else {
            return Err(piece.error("the node is missing behind the network"));
        };
        let network = read_hexadecimal(network, "the network", 8..=8)?;
        let text = node.text();
        let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(number) if digits => {
                let [_, _, node @ ..] = number.to_be_bytes();
                Ok(Self { network, node })
            }
            _ => Err(node.error("the node is not 12 hexadecimal digits")),
        }
    }
}

impl fmt::Display for IpxAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}:", self.network)?;
        self.node
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
