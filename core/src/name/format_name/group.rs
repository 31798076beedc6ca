//! Where one message goes to many: multicast addresses, and the domains of distribution lists.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::error::Result;
use crate::name::piece::Piece;
use crate::name::spelled::Spelled;

/// Longest domain of a distribution list, in characters (MS-MQMQ 2.1.6).
const DOMAIN_CHARS_MAX: usize = 255;

/// A multicast group and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MulticastAddress(SocketAddrV4);

impl MulticastAddress {
    /// An address from 224.0.0.0 to 239.255.255.255; none otherwise.
    #[must_use]
    pub fn new(address: SocketAddrV4) -> Option<Self> {
        address.ip().is_multicast().then_some(Self(address))
    }

    /// The address.
    #[must_use]
    pub const fn address(&self) -> SocketAddrV4 {
        self.0
    }

    pub(super) fn read(piece: Piece<'_>) -> Result<Self> {
        let hint = "write for example MULTICAST=234.1.1.1:8001";
        let Some((group, port)) = piece.split(&[':']) else {
            return Err(piece.error_with("the port is missing", hint));
        };
        let Ok(ip) = group.text().parse::<Ipv4Addr>() else {
            return Err(group.error_with("the group is no IPv4 address", hint));
        };
        let number = read_port(port, hint)?;
        Self::new(SocketAddrV4::new(ip, number)).ok_or_else(|| {
            let why = "the group is not from 224.0.0.0 to 239.255.255.255";
            group.error_with(why, hint)
        })
    }
}

impl fmt::Display for MulticastAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads 0 to 65535, in digits only.
pub(super) fn read_port(piece: Piece<'_>, hint: &str) -> Result<u16> {
    let is_number = piece.text().bytes().all(|byte| byte.is_ascii_digit());
    match piece.text().parse() {
        Ok(port) if is_number => Ok(port),
        _ => Err(piece.error_with("the port is no number up to 65535", hint)),
    }
}

/// The domain that a distribution list is looked for in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Spelled);

impl Domain {
    /// Reads 1 to 255 visible characters; a comma would end the name in a list.
    pub(super) fn read(piece: Piece<'_>) -> Result<Self> {
        piece.check_letters("the domain", DOMAIN_CHARS_MAX, ",")?;
        Ok(Self(Spelled::new(piece.text())))
    }

    /// The domain as it was spelled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
