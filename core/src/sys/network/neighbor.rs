//! Telling everybody on a link who has an IPv6 address now: an unsolicited neighbor advertisement (RFC 4861, 7.2.6).

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};

use rustix::net::sockopt::{set_ipv6_multicast_hops, set_ipv6_multicast_if};
use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, bind, ipproto, sendto, socket_with,
};

use super::netlink::Link;

const ADVERTISEMENT: u8 = 136;
const OVERRIDE: u8 = 0x20;
const TARGET_LINK_ADDRESS: u8 = 2;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// By which receivers see that it was sent on their link.
const HOPS: u32 = 255;

/// Tells everybody on the link that `address`, which the link has, is here.
///
/// # Errors
/// Those of the system: `PermissionDenied` without CAP_NET_RAW.
pub fn advertise(link: &Link, address: Ipv6Addr) -> io::Result<()> {
    let socket = socket_with(
        AddressFamily::INET6,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(ipproto::ICMPV6),
    )?;
    set_ipv6_multicast_if(&socket, link.index)?;
    set_ipv6_multicast_hops(&socket, HOPS)?;
    let scope = if address.is_unicast_link_local() {
        link.index
    } else {
        0
    };
    bind(&socket, &SocketAddrV6::new(address, 0, 0, scope))?;
    let to = SocketAddrV6::new(ALL_NODES, 0, 0, link.index);
    sendto(
        &socket,
        &advertisement(link, address),
        SendFlags::empty(),
        &to,
    )?;
    Ok(())
}

/// The kernel fills in the checksum.
fn advertisement(link: &Link, address: Ipv6Addr) -> Vec<u8> {
    let mut bytes = vec![ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0];
    bytes.extend_from_slice(&address.octets());
    if let Some(hardware) = link.hardware {
        bytes.extend_from_slice(&[TARGET_LINK_ADDRESS, 1]); // in units of eight bytes
        bytes.extend_from_slice(&hardware);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertisement_overrides_what_was_known() {
        let link = Link {
            index: 2,
            name: "eth0".to_owned(),
            hardware: Some([2, 0, 0, 0, 0, 1]),
            is_up: true,
            is_loopback: false,
            has_arp: true,
        };
        let bytes = advertisement(&link, "fd00::9".parse().unwrap());
        assert_eq!(bytes.len(), 32);
        assert_eq!((bytes[0], bytes[4]), (136, 0x20));
        assert_eq!((bytes[8], bytes[23]), (0xfd, 9));
        assert_eq!(bytes[24..], [2, 1, 2, 0, 0, 0, 0, 1]);
    }
}
