//! Which address a node's own queue manager uses for messaging (seed: "Managing IP Addresses for Messaging on a Server
//! Cluster").
//!
//! ```text
//!  a virtual server: the address of its IP Address resource; nothing is chosen here
//!  a node:  its only address  │  BindInterfaceIP, where the node has it  │  one that is not private  │  a private one
//!  multicast on a node:  MulticastBindIP, where the node has it  │  else as above
//! ```
//!
//! Private are the addresses in networks that are not for clients. Addresses that groups bring along are no node's.

use std::net::IpAddr;

use super::network::admits_clients;
use super::record::{NetworkConfig, fold};
use super::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::network::Subnet;

/// Which rule chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The node has no other.
    OnlyAddress,
    /// BindInterfaceIP names it.
    BindInterfaceIp,
    /// MulticastBindIP names it.
    MulticastBindIp,
    /// The first in the list of all addresses that is not in the list of private ones.
    NotPrivate,
    /// All are private.
    Private,
}

impl Rule {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnlyAddress => "OnlyAddress",
            Self::BindInterfaceIp => "BindInterfaceIP",
            Self::MulticastBindIp => "MulticastBindIP",
            Self::NotPrivate => "NotPrivate",
            Self::Private => "Private",
        }
    }
}

/// An address, the rule that chose it, and what the log says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The address.
    pub address: IpAddr,
    /// The rule.
    pub rule: Rule,
    /// Lines for the cluster log: level and text.
    pub events: Vec<(&'static str, String)>,
}

/// The address of a node's own queue manager. `bind` is its BindInterfaceIP, where that is set.
///
/// # Errors
/// `DeviceNotReady` when the node has no address.
pub fn messaging_address(view: &View, node: &str, bind: Option<&str>) -> Result<Choice> {
    let all = own_addresses(view, node)?;
    if let [(address, _)] = all[..] {
        return Ok(Choice {
            address,
            rule: Rule::OnlyAddress,
            events: Vec::new(),
        });
    }
    let mut events = Vec::new();
    if let Some(given) = bind {
        match named(view, &all, "BindInterfaceIP", given) {
            Ok(address) => {
                return Ok(Choice {
                    address,
                    rule: Rule::BindInterfaceIp,
                    events,
                });
            }
            Err(text) => events.push(("WARN", text)),
        }
    }
    let open = all.iter().find(|(_, private)| !private);
    let (level, rule, why) = match open {
        Some(_) => ("INFO", Rule::NotPrivate, "it is not private"),
        None => ("WARN", Rule::Private, "every address is private"),
    };
    let (address, _) = *open.unwrap_or(&all[0]);
    let text = format!("address {address} was chosen for messaging: {why}");
    events.push((level, text));
    Ok(Choice {
        address,
        rule,
        events,
    })
}

/// The address that a node sends multicast messages from. `bind` is its MulticastBindIP, where that is set.
#[must_use]
pub fn multicast_address(
    view: &View,
    node: &str,
    bind: Option<&str>,
    messaging: &Choice,
) -> Choice {
    let otherwise = Choice {
        events: Vec::new(),
        ..messaging.clone()
    };
    let (Some(given), Ok(all)) = (bind, own_addresses(view, node)) else {
        return otherwise;
    };
    match named(view, &all, "MulticastBindIP", given) {
        Ok(address) => Choice {
            address,
            rule: Rule::MulticastBindIp,
            events: Vec::new(),
        },
        Err(text) => Choice {
            events: vec![("WARN", text)],
            ..otherwise
        },
    }
}

/// The node's addresses in order, each with whether it is private.
fn own_addresses(view: &View, node: &str) -> Result<Vec<(IpAddr, bool)>> {
    let row = view.interfaces.get(&fold(node));
    let up = row.iter().flat_map(|row| &row.interfaces).filter(|i| i.up);
    let all: Vec<(IpAddr, bool)> = up
        .filter_map(|i| {
            let address = i.address.parse().ok()?;
            Some((address, is_private(view, address)))
        })
        .collect();
    if all.is_empty() {
        let text = format!("node {node} has no address for messaging");
        return Err(Error::new(ErrorKind::DeviceNotReady, text)
            .hint("Get-ClusterNetworkInterface shows the interfaces that are known"));
    }
    Ok(all)
}

fn is_private(view: &View, address: IpAddr) -> bool {
    let holds = |network: &&NetworkConfig| {
        let subnet = network.subnet.parse::<Subnet>();
        subnet.is_ok_and(|subnet| subnet.contains(address))
    };
    let home = view.networks.values().map(|row| &row.row).find(holds);
    home.is_some_and(|network| !admits_clients(network))
}

/// The address that a setting names, if the node has it; otherwise what the log says.
fn named(
    view: &View,
    all: &[(IpAddr, bool)],
    setting: &str,
    given: &str,
) -> std::result::Result<IpAddr, String> {
    let Ok(address) = given.trim().parse::<IpAddr>() else {
        return Err(format!("{setting} {given:?} is no address, and is ignored"));
    };
    if all.iter().any(|(own, _)| *own == address) {
        return Ok(address);
    }
    let server = view.resources.values().find(|r| {
        let mut own = r.parameters.iter();
        let value = own.find(|(name, _)| name.eq_ignore_ascii_case("Address"));
        r.resource_type == "IP Address"
            && value.is_some_and(|(_, text)| text.trim().parse() == Ok(address))
    });
    Err(match server {
        Some(resource) => format!(
            "{setting} {address} is the address of {} (group {}), not one of the node, and is ignored",
            resource.name, resource.group
        ),
        None => format!("{setting} {address} is not found on the node, and is ignored"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::record::{Interface, NodeInterfaces};
    use crate::cluster::view::Versioned;

    /// 10.0.1.0/24 is only for the cluster, 10.0.2.0/24 and 10.0.3.0/24 are for clients too.
    fn view(addresses: &[&str]) -> View {
        let mut view = View::default();
        for (subnet, role) in [("10.0.1.0/24", 1), ("10.0.2.0/24", 3), ("10.0.3.0/24", 3)] {
            let row = NetworkConfig {
                name: subnet.to_owned(),
                subnet: subnet.to_owned(),
                role,
            };
            let version = 1;
            view.networks
                .insert(subnet.to_owned(), Versioned { row, version });
        }
        let interfaces = addresses.iter().map(|address| Interface {
            name: "eth".to_owned(),
            address: (*address).to_owned(),
            subnet: String::new(),
            up: true,
            default_route: false,
        });
        let row = NodeInterfaces {
            interfaces: interfaces.collect(),
            hears: None,
        };
        view.interfaces
            .insert("n1".to_owned(), Versioned { row, version: 1 });
        view
    }

    /// What is chosen, and said, as one text.
    fn told(addresses: &[&str], bind: Option<&str>) -> String {
        let found = messaging_address(&view(addresses), "N1", bind).unwrap();
        let mut text = format!("{} {}", found.address, found.rule.name());
        for (level, event) in found.events {
            text += &format!("; {level} {event}");
        }
        text
    }

    #[test]
    fn managing_addresses_each_rule_chooses_in_its_turn_and_says_so() {
        let both = &["10.0.1.1", "10.0.2.1"][..];
        let chosen = "INFO address 10.0.2.1 was chosen for messaging: it is not private";
        let only = "10.0.1.1 OnlyAddress";
        assert_eq!(told(&["10.0.1.1"], None), only);
        assert_eq!(told(&["10.0.1.1"], Some("10.0.9.9")), only);
        let bound = "10.0.1.1 BindInterfaceIP";
        assert_eq!(told(both, Some(" 10.0.1.1 ")), bound, "private or not");
        assert_eq!(told(both, None), format!("10.0.2.1 NotPrivate; {chosen}"));
        let ignored = "WARN BindInterfaceIP 10.0.9.9 is not found on the node, and is ignored";
        assert_eq!(
            told(both, Some("10.0.9.9")),
            format!("10.0.2.1 NotPrivate; {ignored}; {chosen}")
        );
        let ignored = "WARN BindInterfaceIP \"eth0\" is no address, and is ignored";
        assert_eq!(
            told(both, Some("eth0")),
            format!("10.0.2.1 NotPrivate; {ignored}; {chosen}")
        );
        let said = "WARN address 10.0.1.1 was chosen for messaging: every address is private";
        assert_eq!(
            told(&["10.0.1.1", "10.0.1.2"], None),
            format!("10.0.1.1 Private; {said}")
        );
        let error = messaging_address(&view(&[]), "n1", None).unwrap_err();
        assert_eq!(error.kind, ErrorKind::DeviceNotReady);
    }

    #[test]
    fn multicast_has_a_setting_of_its_own_and_follows_messaging_without() {
        let view = view(&["10.0.1.1", "10.0.2.1", "10.0.3.1"]);
        let messaging = messaging_address(&view, "n1", None).unwrap();
        let of = |bind| multicast_address(&view, "n1", bind, &messaging);
        assert_eq!(of(None).address, messaging.address);
        assert!(of(None).events.is_empty(), "it was said of messaging");
        let named = of(Some("10.0.3.1"));
        assert_eq!(
            (named.address.to_string().as_str(), named.rule),
            ("10.0.3.1", Rule::MulticastBindIp)
        );
        let ignored = of(Some("10.0.9.9"));
        assert_eq!(ignored.address, messaging.address);
        assert_eq!(
            ignored.events,
            [(
                "WARN",
                "MulticastBindIP 10.0.9.9 is not found on the node, and is ignored".to_owned()
            )]
        );
    }
}
