//! Which interface of this node an address belongs to, and with which prefix. Pure: the tables are given.

use std::net::IpAddr;

use super::settings::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::network::netlink::{Link, LinkAddress, Placement};
use crate::sys::network::{Subnet, bits};

/// Decides; `node` is for messages.
///
/// The interface is the one with an address of its own in the subnet, the longest prefix first. There the address is added
/// as a host address: a second address with the subnet's prefix would be removed by the kernel together with the first, and
/// a lifetime on an IPv6 prefix would pass on to the node's own route.
///
/// # Errors
/// `InvalidParameter` when no interface fits, `AddressInUse` when it is an address of the node itself.
pub(super) fn place(
    settings: &Settings,
    node: &str,
    links: &[Link],
    addresses: &[LinkAddress],
) -> Result<Placement> {
    let address = settings.address;
    let own = |a: &&LinkAddress| !is_clustered(a);
    if let Some(taken) = addresses.iter().filter(own).find(|a| a.address == address) {
        return Err(own_address(node, taken, links));
    }
    let best = addresses
        .iter()
        .filter(own)
        .filter(|a| Subnet::of(a.address, a.prefix).contains(address))
        .filter_map(|a| Some((a.prefix, link_of(links, a.link)?)))
        .filter(|(prefix, link)| fits_network(settings, link, *prefix))
        .max_by_key(|(prefix, link)| (link.is_up, *prefix));
    if let Some((_, link)) = best {
        return Ok(placement(address, link, bits(address)));
    }
    elsewhere(settings, node, links)
}

/// Added by an agent of this or an earlier life: it is labelled, or it is a host address that ends by itself. The node's own
/// addresses by DHCP end by themselves too, but have the prefix of their subnet.
fn is_clustered(address: &LinkAddress) -> bool {
    let host = address.prefix == bits(address.address);
    address.is_labelled || (host && address.lifetime_s.is_some())
}

/// In a subnet where the node has no address of its own.
fn elsewhere(settings: &Settings, node: &str, links: &[Link]) -> Result<Placement> {
    let address = settings.address;
    let named = settings.network.as_deref();
    let link = links.iter().find(|link| Some(link.name.as_str()) == named);
    match (link, settings.prefix) {
        (Some(link), Some(prefix)) if settings.any_subnet => Ok(placement(address, link, prefix)),
        (Some(link), _) => {
            let text = format!(
                "{} of node {node} has no address in the subnet of {address}",
                link.name
            );
            Err(Error::new(ErrorKind::InvalidParameter, text).hint(
                "give the interface one, or set OverrideAddressMatch=1 and SubnetMask of this resource",
            ))
        }
        (None, _) => {
            let network = named.map_or_else(String::new, |name| format!(" on network {name:?}"));
            let text =
                format!("no interface of node {node}{network} is in the subnet of {address}");
            Err(Error::new(ErrorKind::InvalidParameter, text).hint(
                "`ip address` shows the node's subnets, Get-ClusterNetwork the cluster's; choose an address in one of \
                 them, or name the interface: Network=eth0, SubnetMask=255.255.255.0, OverrideAddressMatch=1",
            ))
        }
    }
}

/// Whether the interface is the one, or is in the subnet, that `Network` names.
fn fits_network(settings: &Settings, link: &Link, prefix: u8) -> bool {
    match settings.network.as_deref() {
        None => true,
        Some(name) if name == link.name => true,
        Some(name) => name.parse() == Ok(Subnet::of(settings.address, prefix)),
    }
}

fn placement(address: IpAddr, link: &Link, prefix: u8) -> Placement {
    Placement {
        link: link.clone(),
        address,
        prefix,
    }
}

fn link_of(links: &[Link], index: u32) -> Option<&Link> {
    links
        .iter()
        .find(|link| link.index == index && !link.is_loopback)
}

fn own_address(node: &str, taken: &LinkAddress, links: &[Link]) -> Error {
    let link = link_of(links, taken.link).map_or("an interface", |link| link.name.as_str());
    let text = format!(
        "{} is an address of node {node} itself, on {link}",
        taken.address
    );
    Error::new(ErrorKind::AddressInUse, text)
        .hint("an IP Address resource needs an address that no machine has of its own")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, is_up: bool) -> Link {
        Link {
            index,
            name: name.to_owned(),
            hardware: Some([2, 0, 0, 0, 0, 1]),
            is_up,
            is_loopback: name == "lo",
            has_arp: true,
        }
    }

    fn own(link: u32, address: &str, prefix: u8) -> LinkAddress {
        LinkAddress {
            link,
            address: address.parse().unwrap(),
            prefix,
            is_tentative: false,
            is_duplicate: false,
            lifetime_s: None,
            is_labelled: false,
        }
    }

    fn settings(address: &str) -> Settings {
        Settings {
            address: address.parse().unwrap(),
            prefix: None,
            network: None,
            any_subnet: false,
        }
    }

    fn machine() -> (Vec<Link>, Vec<LinkAddress>) {
        let links = vec![
            link(1, "lo", true),
            link(2, "eth0", true),
            link(3, "eth1", true),
        ];
        let addresses = vec![
            own(1, "127.0.0.1", 8),
            own(2, "10.0.0.1", 24),
            own(3, "10.0.1.1", 24),
            own(3, "fd00::1", 64),
        ];
        (links, addresses)
    }

    fn placed(settings: &Settings) -> Result<(String, u8)> {
        let (links, addresses) = machine();
        place(settings, "n1", &links, &addresses).map(|p| (p.link.name, p.prefix))
    }

    #[test]
    fn an_address_goes_to_the_interface_of_its_subnet_as_a_host_address() {
        assert_eq!(placed(&settings("10.0.1.100")), Ok(("eth1".to_owned(), 32)));
        assert_eq!(placed(&settings("10.0.0.100")), Ok(("eth0".to_owned(), 32)));
        assert_eq!(placed(&settings("fd00::100")), Ok(("eth1".to_owned(), 128)));
    }

    #[test]
    fn a_network_narrows_the_choice() {
        for (network, fits) in [
            ("eth0", true),
            ("10.0.0.0/24", true),
            ("eth1", false),
            ("10.0.1.0/24", false),
        ] {
            let mut settings = settings("10.0.0.100");
            settings.network = Some(network.to_owned());
            assert_eq!(placed(&settings).is_ok(), fits, "{network}");
        }
    }

    #[test]
    fn the_longest_prefix_that_is_up_wins() {
        let links = [
            link(2, "eth0", true),
            link(3, "eth1", true),
            link(4, "eth2", false),
        ];
        let addresses = [
            own(2, "10.0.0.1", 8),
            own(3, "10.0.0.2", 24),
            own(4, "10.0.0.3", 28),
        ];
        let found = place(&settings("10.0.0.9"), "n1", &links, &addresses).unwrap();
        assert_eq!(found.link.name, "eth1");
    }

    #[test]
    fn a_foreign_subnet_needs_to_be_asked_for() {
        let mut settings = settings("192.0.2.9");
        let error = placed(&settings).unwrap_err();
        assert!(error.message.contains("no interface of node n1"), "{error}");
        settings.network = Some("eth1".to_owned());
        assert!(
            placed(&settings)
                .unwrap_err()
                .message
                .starts_with("eth1 of node n1")
        );
        settings.any_subnet = true;
        assert!(placed(&settings).is_err(), "no mask");
        settings.prefix = Some(24);
        assert_eq!(placed(&settings), Ok(("eth1".to_owned(), 24)));
    }

    #[test]
    fn the_node_s_own_address_is_refused_and_one_that_was_left_behind_is_not() {
        let error = placed(&settings("10.0.1.1")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AddressInUse);
        assert!(error.message.contains("eth1"), "{error}");
        let (links, mut addresses) = machine();
        addresses.push(LinkAddress {
            lifetime_s: Some(2),
            ..own(3, "10.0.1.100", 32)
        });
        addresses.push(LinkAddress {
            is_labelled: true,
            ..own(2, "192.0.2.100", 24)
        });
        let found = place(&settings("10.0.1.100"), "n1", &links, &addresses).unwrap();
        assert_eq!((found.link.name.as_str(), found.prefix), ("eth1", 32));
        let beside = place(&settings("192.0.2.101"), "n1", &links, &addresses);
        assert!(
            beside.is_err(),
            "a group's address is no address of the node"
        );
    }
}
