//! Addresses of interfaces.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::io::Errno;

use super::link::Link;
use super::message::{ACK, CREATE, DUMP, Message, REPLACE, Request, attributes, u32_at, u32_bytes};
use super::socket::ask;

const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;
const GET_ADDRESS: u16 = 22;

/// Bytes of `struct ifaddrmsg`.
const FIXED_BYTES: usize = 8;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const DUPLICATE: u32 = 0x08;
const TENTATIVE: u32 = 0x40;
const FOREVER: u32 = u32::MAX;

/// Longest label, without its end.
const LABEL_BYTES_MAX: usize = 15;
/// Behind the interface's name: `ip address` shows whose address it is.
const LABEL: &str = ":hamq";

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkAddress {
    /// The interface's number.
    pub link: u32,
    /// The address.
    pub address: IpAddr,
    /// Bits of its subnet.
    pub prefix: u8,
    /// The kernel still asks whether somebody else has it (IPv6).
    pub is_tentative: bool,
    /// The kernel found that somebody else has it (IPv6).
    pub is_duplicate: bool,
    /// Seconds until the kernel removes it; none: it stays.
    pub lifetime_s: Option<u32>,
    /// It bears the label of [`put_address`] (IPv4).
    pub is_labelled: bool,
}

/// An address and where it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The interface.
    pub link: Link,
    /// The address.
    pub address: IpAddr,
    /// Bits of its subnet.
    pub prefix: u8,
}

/// Every address of this machine.
///
/// # Errors
/// Those of the system.
pub fn addresses() -> io::Result<Vec<LinkAddress>> {
    let mut found = Vec::new();
    let request = Request::new(GET_ADDRESS, DUMP, &[0; FIXED_BYTES]);
    ask(request, |message| found.extend(link_address(message)))?;
    Ok(found)
}

/// Adds an address that the kernel removes by itself after `lifetime_s`; one that is there gets that lifetime anew.
///
/// # Errors
/// Those of the system: `PermissionDenied` without CAP_NET_ADMIN.
pub fn put_address(placement: &Placement, lifetime_s: u32) -> io::Result<()> {
    // preferred, valid, created, updated; the kernel fills in the last two
    let mut lifetime = [0; 16];
    lifetime[0..4].copy_from_slice(&u32_bytes(lifetime_s.min(FOREVER - 1)));
    lifetime[4..8].copy_from_slice(&u32_bytes(lifetime_s.min(FOREVER - 1)));
    let request = request(NEW_ADDRESS, ACK | CREATE | REPLACE, placement);
    ask(request.attribute(IFA_CACHEINFO, &lifetime), |_| {})
}

/// Removes an address; one that is gone already is no error.
///
/// # Errors
/// Those of the system.
pub fn remove_address(placement: &Placement) -> io::Result<()> {
    match ask(request(DELETE_ADDRESS, ACK, placement), |_| {}) {
        Err(e) if Errno::from_io_error(&e) == Some(Errno::ADDRNOTAVAIL) => Ok(()),
        other => other,
    }
}

fn request(kind: u16, flags: u16, placement: &Placement) -> Request {
    let (family, bytes) = match placement.address {
        IpAddr::V4(address) => (AF_INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AF_INET6, address.octets().to_vec()),
    };
    let mut fixed = [0; FIXED_BYTES];
    fixed[0] = family;
    fixed[1] = placement.prefix;
    fixed[4..8].copy_from_slice(&u32_bytes(placement.link.index));
    let request = Request::new(kind, flags, &fixed)
        .attribute(IFA_LOCAL, &bytes)
        .attribute(IFA_ADDRESS, &bytes);
    match label(placement) {
        Some(label) => request.attribute(IFA_LABEL, label.as_bytes()),
        None => request,
    }
}

/// IPv4 addresses can bear a label, if the interface's name leaves room for it.
fn label(placement: &Placement) -> Option<String> {
    let name = &placement.link.name;
    let fits = placement.address.is_ipv4() && name.len() + LABEL.len() <= LABEL_BYTES_MAX;
    fits.then(|| format!("{name}{LABEL}\0"))
}

fn link_address(message: &Message<'_>) -> Option<LinkAddress> {
    if message.kind != NEW_ADDRESS {
        return None;
    }
    let (mut address, mut local) = (None, None);
    let mut flags = u32::from(*message.body.get(2)?);
    let mut lifetime_s = None;
    let mut is_labelled = false;
    for (kind, data) in attributes(message.body.get(FIXED_BYTES..)?) {
        match kind {
            IFA_ADDRESS => address = ip(data),
            IFA_LOCAL => local = ip(data),
            IFA_FLAGS => flags = u32_at(data, 0)?,
            IFA_CACHEINFO => lifetime_s = u32_at(data, 4).filter(|valid| *valid != FOREVER),
            IFA_LABEL => is_labelled = data.split(|b| *b == 0).next()?.ends_with(LABEL.as_bytes()),
            _ => {}
        }
    }
    Some(LinkAddress {
        link: u32_at(message.body, 4)?,
        // On a point-to-point link, ADDRESS is the other end's.
        address: local.or(address)?,
        prefix: *message.body.get(1)?,
        is_tentative: flags & TENTATIVE != 0,
        is_duplicate: flags & DUPLICATE != 0,
        lifetime_s,
        is_labelled,
    })
}

fn ip(data: &[u8]) -> Option<IpAddr> {
    match data.len() {
        4 => <[u8; 4]>::try_from(data)
            .ok()
            .map(|b| Ipv4Addr::from(b).into()),
        16 => <[u8; 16]>::try_from(data)
            .ok()
            .map(|b| Ipv6Addr::from(b).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_there_for_ever() {
        let all = addresses().unwrap();
        let own = all
            .iter()
            .find(|a| a.address == Ipv4Addr::LOCALHOST)
            .unwrap();
        assert_eq!(
            (own.prefix, own.lifetime_s, own.is_labelled),
            (8, None, false)
        );
        assert!(!own.is_tentative && !own.is_duplicate);
    }

    #[test]
    fn a_label_fits_or_is_left_out() {
        let named = |name: &str, address: &str| {
            label(&Placement {
                link: Link {
                    index: 2,
                    name: name.to_owned(),
                    hardware: None,
                    is_up: true,
                    is_loopback: false,
                    has_arp: true,
                },
                address: address.parse().unwrap(),
                prefix: 24,
            })
        };
        assert_eq!(named("eth0", "10.0.0.1").as_deref(), Some("eth0:hamq\0"));
        assert_eq!(named("eth0", "fd00::1"), None);
        assert_eq!(named("enp0s31f6.4094", "10.0.0.1"), None);
    }
}
