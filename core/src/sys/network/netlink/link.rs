//! Interfaces.

use std::collections::BTreeSet;
use std::io;

use super::message::{DUMP, Message, Request, attributes, u32_at};
use super::socket::ask;

const GET_LINK: u16 = 18;
const NEW_LINK: u16 = 16;
const GET_ROUTE: u16 = 26;
const NEW_ROUTE: u16 = 24;

/// Bytes of `struct ifinfomsg` and of `struct rtmsg`.
const LINK_FIXED_BYTES: usize = 16;
const ROUTE_FIXED_BYTES: usize = 12;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const RTA_OIF: u16 = 4;

const UP: u32 = 0x1;
const LOOPBACK: u32 = 0x8;
const RUNNING: u32 = 0x40;
const NO_ARP: u32 = 0x80;

/// One interface of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// `eth0`.
    pub name: String,
    /// Its hardware address, where it has one of Ethernet's form.
    pub hardware: Option<[u8; 6]>,
    /// It is switched on and has a carrier.
    pub is_up: bool,
    /// It leads to this machine itself.
    pub is_loopback: bool,
    /// Addresses on it are resolved by ARP.
    pub has_arp: bool,
}

/// Every interface.
///
/// # Errors
/// Those of the system.
pub fn links() -> io::Result<Vec<Link>> {
    let mut found = Vec::new();
    let request = Request::new(GET_LINK, DUMP, &[0; LINK_FIXED_BYTES]);
    ask(request, |message| found.extend(link(message)))?;
    Ok(found)
}

fn link(message: &Message<'_>) -> Option<Link> {
    if message.kind != NEW_LINK {
        return None;
    }
    let flags = u32_at(message.body, 8)?;
    let mut link = Link {
        index: u32_at(message.body, 4)?,
        name: String::new(),
        hardware: None,
        is_up: flags & (UP | RUNNING) == UP | RUNNING,
        is_loopback: flags & LOOPBACK != 0,
        has_arp: flags & (NO_ARP | LOOPBACK) == 0,
    };
    for (kind, data) in attributes(message.body.get(LINK_FIXED_BYTES..)?) {
        match kind {
            IFLA_IFNAME => {
                let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
                link.name = String::from_utf8_lossy(text).into_owned();
            }
            IFLA_ADDRESS => link.hardware = data.try_into().ok(),
            _ => {}
        }
    }
    Some(link)
}

/// The interfaces that a default route leads over, by number.
///
/// # Errors
/// Those of the system.
pub fn default_route_links() -> io::Result<BTreeSet<u32>> {
    let mut found = BTreeSet::new();
    let request = Request::new(GET_ROUTE, DUMP, &[0; ROUTE_FIXED_BYTES]);
    ask(request, |message| found.extend(default_route(message)))?;
    Ok(found)
}

fn default_route(message: &Message<'_>) -> Option<u32> {
    const DESTINATION_BITS: usize = 1;
    const TYPE: usize = 7;
    const UNICAST: u8 = 1;
    let leads_out = message.kind == NEW_ROUTE
        && message.body.get(DESTINATION_BITS) == Some(&0)
        && message.body.get(TYPE) == Some(&UNICAST);
    if !leads_out {
        return None;
    }
    attributes(message.body.get(ROUTE_FIXED_BYTES..)?)
        .find(|(kind, _)| *kind == RTA_OIF)
        .and_then(|(_, data)| u32_at(data, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_loopback_interface() {
        let all = links().unwrap();
        let loopback = all.iter().find(|link| link.is_loopback).unwrap();
        assert_eq!(loopback.name, "lo");
        assert!(!loopback.has_arp && loopback.index > 0);
        assert!(
            default_route_links()
                .unwrap()
                .iter()
                .all(|index| all.iter().any(|link| link.index == *index))
        );
    }
}
