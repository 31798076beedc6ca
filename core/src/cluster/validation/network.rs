//! Network: addresses, ports, and who hears whom.

use std::net::{IpAddr, SocketAddr};

use super::check::{Check, check};
use super::facts::{Facts, NodeFacts};
use super::verdict::Finding;
use crate::cluster::network::{InterfaceState, interface_state, network_of};
use crate::cluster::record::{ResourceConfig, fold};
use crate::cluster::resource::ResourceState;

/// The cluster's ports and Message Queuing's.
const PORTS: [u16; 5] = [1801, 7800, 7801, 7802, 7803];

pub(super) const CHECKS: &[Check] = &[
    check(
        "Validate Agent Ports",
        "Each agent holds its own port.",
        "1.1",
        ports,
    ),
    check(
        "Validate Unique Node Addresses",
        "No two nodes listen at the same address.",
        "1.1",
        node_addresses,
    ),
    check(
        "Validate Node Addresses",
        "The address of a node is on one of its interfaces.",
        "1.1",
        present,
    ),
    check(
        "Validate Address Forms",
        "IP Address resources have addresses.",
        "1.4",
        forms,
    ),
    check(
        "Validate Unique Addresses",
        "No two IP Address resources have the same address, and none has a node's.",
        "1.4",
        unique,
    ),
    check(
        "Validate Addresses in Use",
        "No stranger uses the address of a virtual server that is offline.",
        "1.4",
        in_use,
    ),
    check(
        "Validate Duplicate Addresses",
        "No other machine was found to have an address of a node.",
        "1.4",
        duplicates,
    ),
    check(
        "Validate Address Subnets",
        "Each possible owner has an interface in the subnet of each address.",
        "seed: Managing IP Addresses",
        subnets,
    ),
    check(
        "Validate Address Rights",
        "Nodes may put addresses on interfaces.",
        "seed: Troubleshooting, missing rights",
        rights,
    ),
    check(
        "Validate Network Roles",
        "There is a network for clients, and one for the cluster.",
        "1.1",
        roles,
    ),
    check(
        "Validate Network Redundancy",
        "The loss of one network does not part the nodes.",
        "3.7",
        redundancy,
    ),
    check(
        "Validate Network Interfaces",
        "All interfaces of cluster networks are up.",
        "1.1",
        interfaces,
    ),
    check(
        "Validate Network Communication",
        "Each node hears each other.",
        "3.7",
        communication,
    ),
    check(
        "Validate Management Trust",
        "Beyond loopback each node proves who it is.",
        "1.11",
        trust,
    ),
    check(
        "Validate Bound Addresses",
        "The system refuses addresses that no interface has.",
        "3.4",
        binds,
    ),
    check(
        "Validate Ephemeral Ports",
        "The system gives none of the cluster's ports to others.",
        "1.1",
        ephemeral,
    ),
];

fn ip(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse::<SocketAddr>()
        .map(|a| a.ip())
        .or_else(|_| text.parse())
        .ok()
}

fn address(r: &ResourceConfig) -> Option<IpAddr> {
    ip(r.parameters.get("Address")?)
}

fn ports(facts: &Facts) -> Vec<Finding> {
    let look = |n: &NodeFacts| {
        let mine = format!("process {} ", n.pid);
        let advice = "end what holds the port, or give the node another address";
        n.listeners
            .iter()
            .map(|(port, holder)| {
                let detail = format!("port {port} is held by {holder}, not by the agent");
                Finding::failed(&n.node, detail, advice)
                    .unless(holder.starts_with(&mine), format!("port {port} is its own"))
            })
            .collect::<Vec<_>>()
    };
    facts.nodes.values().flat_map(look).collect()
}

fn node_addresses(facts: &Facts) -> Vec<Finding> {
    let nodes: Vec<_> = facts.view.nodes.values().collect();
    let look = |n: &crate::cluster::record::NodeConfig| {
        let twin = nodes
            .iter()
            .find(|o| o.id != n.id && ip(&o.address) == ip(&n.address));
        match twin {
            Some(o) => Finding::failed(
                &n.name,
                format!("{} has its address {} too", o.name, n.address),
                "give each node an address of its own",
            ),
            None => Finding::passed(&n.name, &*n.address),
        }
    };
    nodes.iter().map(|n| look(n)).collect()
}

fn present(facts: &Facts) -> Vec<Finding> {
    let look = |n: &NodeFacts| {
        let own = ip(&n.address)?;
        let there = own.is_loopback() || n.addresses.iter().any(|a| ip(a) == Some(own));
        let detail = format!("no interface has its address {own}");
        Some(
            Finding::failed(
                &n.node,
                detail,
                "put the address on an interface for good, or let the node join under another",
            )
            .unless(there, own.to_string()),
        )
    };
    facts.nodes.values().filter_map(look).collect()
}

fn forms(facts: &Facts) -> Vec<Finding> {
    let look = |r: &ResourceConfig| {
        let given = r.parameters.get("Address").cloned().unwrap_or_default();
        let fits = address(r).is_some_and(|a| !a.is_unspecified() && !a.is_multicast());
        Finding::failed(
            &r.name,
            format!("{given:?} is no address for a virtual server"),
            format!("Set-ClusterParameter {} Address ADDRESS", r.name),
        )
        .unless(fits, &*given)
    };
    facts.of_type("IP Address").map(look).collect()
}

fn unique(facts: &Facts) -> Vec<Finding> {
    let look = |r: &ResourceConfig| {
        let own = address(r)?;
        let advice = format!(
            "Set-ClusterParameter {} Address ADDRESS, with a free one",
            r.name
        );
        let node = facts
            .view
            .nodes
            .values()
            .find(|n| ip(&n.address) == Some(own));
        if let Some(node) = node {
            return Some(Finding::failed(
                &r.name,
                format!("{own} is the address of node {}", node.name),
                advice,
            ));
        }
        let twin = facts
            .of_type("IP Address")
            .find(|o| fold(&o.name) != fold(&r.name) && address(o) == Some(own));
        Some(match twin {
            Some(o) => Finding::failed(
                &r.name,
                format!("{own} is the address of {} as well", o.name),
                advice,
            ),
            None => Finding::passed(&r.name, own.to_string()),
        })
    };
    facts.of_type("IP Address").filter_map(look).collect()
}

fn in_use(facts: &Facts) -> Vec<Finding> {
    let offline = |r: &&ResourceConfig| {
        ResourceState::published(&facts.view, &r.name) == ResourceState::Offline
    };
    let look = |r: &ResourceConfig| {
        let own = address(r)?;
        let advice = "end what uses it, or choose another address";
        let stranger = facts.nodes.values().find_map(|n| {
            let at = |place: &String| ip(place) == Some(own);
            n.address_listeners
                .iter()
                .find(|(place, _)| at(place))
                .map(|(place, who)| (n, place, who))
        });
        if let Some((node, place, who)) = stranger {
            return Some(Finding::failed(
                &r.name,
                format!(
                    "it is offline, and {who} listens at {place} on {}",
                    node.node
                ),
                advice,
            ));
        }
        let holder = facts
            .nodes
            .values()
            .find(|n| n.addresses.iter().any(|a| ip(a) == Some(own)));
        Some(match holder {
            Some(n) => Finding::failed(
                &r.name,
                format!("it is offline, and an interface of {} has {own}", n.node),
                advice,
            ),
            None => Finding::passed(&r.name, format!("nobody uses {own}")),
        })
    };
    facts
        .of_type("IP Address")
        .filter(offline)
        .filter_map(look)
        .collect()
}

fn duplicates(facts: &Facts) -> Vec<Finding> {
    let look = |n: &NodeFacts| {
        let detail = format!("another machine has {} too", n.duplicates.join(", "));
        Finding::failed(
            &n.node,
            detail,
            "find the other machine by its hardware address, and take the address from it",
        )
        .unless(n.duplicates.is_empty(), "its addresses are its alone")
    };
    facts.nodes.values().map(look).collect()
}

fn subnets(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for r in facts.of_type("IP Address") {
        let Some(own) = address(r).filter(|a| !a.is_loopback()) else {
            continue;
        };
        for node in facts.possible_nodes(&r.group) {
            let Some(row) = facts.view.interfaces.get(&fold(&node)) else {
                continue;
            };
            let reached = row.interfaces.iter().any(|i| holds(&i.subnet, own));
            let detail = format!(
                "{node} has no interface in the subnet of {own}: it cannot come online there"
            );
            let advice =
                "give the node an address in that subnet, or take it off the possible owners";
            findings.push(
                Finding::failed(&r.name, detail, advice)
                    .unless(reached, format!("{node} reaches it")),
            );
        }
    }
    findings
}

/// Whether the subnet `10.0.0.0/24` holds an address.
fn holds(subnet: &str, address: IpAddr) -> bool {
    let Some((network, prefix)) = subnet.split_once('/') else {
        return false;
    };
    let (Some(network), Ok(prefix)) = (ip(network), prefix.parse::<u32>()) else {
        return false;
    };
    match (network, address) {
        (IpAddr::V4(n), IpAddr::V4(a)) => {
            let gone = 32_u32.saturating_sub(prefix);
            u64::from(n.to_bits()) >> gone == u64::from(a.to_bits()) >> gone
        }
        (IpAddr::V6(n), IpAddr::V6(a)) => {
            let kept = |bits: u128| {
                bits.checked_shr(128_u32.saturating_sub(prefix))
                    .unwrap_or(0)
            };
            kept(n.to_bits()) == kept(a.to_bits())
        }
        _ => false,
    }
}

fn rights(facts: &Facts) -> Vec<Finding> {
    let real: Vec<_> = facts
        .of_type("IP Address")
        .filter(|r| address(r).is_some_and(|a| !a.is_loopback()))
        .collect();
    if real.is_empty() {
        return Vec::new();
    }
    let look = |n: &NodeFacts| {
        let detail = "the agent may not put addresses on interfaces: no IP Address resource comes online here";
        Finding::failed(
            &n.node,
            detail,
            "run the agent with CAP_NET_ADMIN, as the unit of hamq node install does",
        )
        .unless(n.may_set_addresses, "it may set addresses")
    };
    facts.nodes.values().map(look).collect()
}

fn roles(facts: &Facts) -> Vec<Finding> {
    let networks: Vec<_> = facts.view.networks.values().collect();
    if networks.is_empty() {
        return Vec::new();
    }
    let advice = "Set-ClusterNetwork NAME -Role 3 gives a network to the cluster and clients";
    let detail = match (
        networks.iter().any(|n| n.role == 3),
        networks.iter().any(|n| n.role & 1 == 1),
    ) {
        (_, false) => "no network carries the cluster's own traffic",
        (false, true) => "no network is for clients: virtual servers have nowhere to be",
        (true, true) => {
            return vec![Finding::passed(
                "cluster",
                format!("{} network(s)", networks.len()),
            )];
        }
    };
    vec![Finding::failed("cluster", detail, advice)]
}

fn redundancy(facts: &Facts) -> Vec<Finding> {
    if facts.is_loopback() {
        return Vec::new();
    }
    let paths = facts
        .view
        .networks
        .values()
        .filter(|n| n.role & 1 == 1)
        .count();
    vec![
        Finding::warning(
            "cluster",
            format!("{paths} network carries heartbeats: a single point of failure"),
            "give each node an interface in a second network",
        )
        .unless(paths >= 2, format!("{paths} networks carry heartbeats")),
    ]
}

fn interfaces(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (node, row) in &facts.view.interfaces {
        for i in &row.interfaces {
            if network_of(&facts.view, &i.subnet).is_none_or(|n| n.role == 0) {
                continue;
            }
            let state = interface_state(&facts.view, node, i);
            let name = format!("{} {}", facts.view.node_name(node), i.name);
            let fine = i.up && state == InterfaceState::Up;
            findings.push(
                Finding::warning(
                    name,
                    format!("{} is {}", i.address, state.name()),
                    "look at the link and its switch",
                )
                .unless(fine, &*i.address),
            );
        }
    }
    findings
}

fn communication(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (node, row) in &facts.view.interfaces {
        let Some(hears) = &row.hears else {
            continue;
        };
        let others = facts.view.sessions.keys().filter(|other| *other != node);
        for other in others {
            let heard = hears.iter().any(|(from, _)| fold(from) == *other);
            let name = facts.view.node_name(node);
            let peer = facts.view.node_name(other);
            let advice = format!("let UDP and TCP 7800-7803 pass from {peer} to {name}");
            findings.push(
                Finding::failed(&name, format!("it hears {peer} over no network"), advice)
                    .unless(heard, format!("it hears {peer}")),
            );
        }
    }
    findings
}

fn trust(facts: &Facts) -> Vec<Finding> {
    let open = facts
        .nodes
        .values()
        .filter(|n| ip(&n.address).is_some_and(|a| !a.is_loopback()));
    open.map(|n| {
        Finding::failed(
            &n.node,
            "it has no certificate of the cluster",
            "let it join again: New-ClusterJoinToken, then hamq node join",
        )
        .unless(n.has_certificate, "it has a certificate of the cluster")
    })
    .collect()
}

fn binds(facts: &Facts) -> Vec<Finding> {
    let look = |n: &NodeFacts| {
        let detail =
            "net.ipv4.ip_nonlocal_bind is on: a program can listen at an address that is elsewhere";
        Finding::warning(
            &n.node,
            detail,
            "sysctl net.ipv4.ip_nonlocal_bind=0, unless something else needs it",
        )
        .unless(!n.binds_anything, "only its own addresses can be bound")
    };
    facts.nodes.values().map(look).collect()
}

fn ephemeral(facts: &Facts) -> Vec<Finding> {
    let look = |n: &NodeFacts| {
        let (low, high) = n.ephemeral_ports?;
        let taken = PORTS.iter().find(|p| (low..=high).contains(*p));
        Some(match taken {
            Some(port) => Finding::warning(
                &n.node,
                format!("outgoing connections may take port {port} ({low}-{high})"),
                "sysctl net.ipv4.ip_local_reserved_ports=1801,7800-7803",
            ),
            None => Finding::passed(&n.node, format!("{low}-{high}")),
        })
    };
    facts.nodes.values().filter_map(look).collect()
}
