//! Networks of the cluster and the nodes' interfaces in them, with the numbers of MS-CMRP 3.1.4.2.83 and 3.1.4.2.94.
//!
//! A network is a subnet that nodes have interfaces in. Two nodes reach each other in it when each hears the other's
//! heartbeats there: a cable that carries one way only is no connection.

use super::record::{CLUSTER_KEY, Interface, NetworkConfig, NodeInterfaces, encode, fold, key};
use super::view::View;
use crate::database::{Guard, Transaction, Write};
use crate::error::{Error, ErrorKind, Result};

/// The bit of a role that lets heartbeats pass.
const INTERNAL: u64 = 1;
/// The bit that lets clients in.
const CLIENT: u64 = 2;

/// How an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceState {
    /// 0: it is down, or reaches nobody.
    Failed,
    /// 1: it does not reach somebody who is reached by others.
    Unreachable,
    /// 2: its node is down.
    Unavailable,
    /// 3.
    Up,
}

/// How a network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkState {
    /// 0: every node in it is down.
    Unavailable,
    /// 1: nobody reaches everybody.
    Down,
    /// 2: some reach each other and some do not.
    Partitioned,
    /// 3.
    Up,
}

impl InterfaceState {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "Failed",
            Self::Unreachable => "Unreachable",
            Self::Unavailable => "Unavailable",
            Self::Up => "Up",
        }
    }
}

impl NetworkState {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "Unavailable",
            Self::Down => "Down",
            Self::Partitioned => "Partitioned",
            Self::Up => "Up",
        }
    }
}

/// The interfaces in a subnet: node (lower case) and interface.
fn members<'a>(view: &'a View, subnet: &str) -> Vec<(&'a str, &'a Interface)> {
    let of = |(node, row): (&'a String, &'a super::view::Versioned<NodeInterfaces>)| {
        let found = row.row.interfaces.iter().find(|i| i.subnet == subnet)?;
        Some((node.as_str(), found))
    };
    view.interfaces.iter().filter_map(of).collect()
}

/// Whether `node` can be talked about in `subnet` at all: its agent runs and its interface is up.
fn is_ready(view: &View, node: &str, interface: &Interface) -> bool {
    interface.up && view.sessions.contains_key(node)
}

fn reach_each_other(view: &View, subnet: &str, one: &str, other: &str) -> bool {
    let hears = |who: &str, whom: &str| {
        let row = view.interfaces.get(who);
        row.is_some_and(|row| match &row.hears {
            None => true,
            Some(heard) => heard.contains(&(whom.to_owned(), subnet.to_owned())),
        })
    };
    hears(one, other) && hears(other, one)
}

/// The state of the interface of `node` in `subnet`.
#[must_use]
pub fn interface_state(view: &View, node: &str, interface: &Interface) -> InterfaceState {
    let (node, subnet) = (fold(node), interface.subnet.as_str());
    if !view.sessions.contains_key(&node) {
        return InterfaceState::Unavailable;
    }
    if !interface.up {
        return InterfaceState::Failed;
    }
    let ready: Vec<&str> = members(view, subnet)
        .into_iter()
        .filter(|(name, i)| *name != node && is_ready(view, name, i))
        .map(|(name, _)| name)
        .collect();
    let reached = |one: &str| {
        let others = ready.iter().copied().chain([node.as_str()]);
        others
            .into_iter()
            .filter(|other| *other != one)
            .any(|other| reach_each_other(view, subnet, one, other))
    };
    if ready.is_empty() {
        return InterfaceState::Up; // alone is not wrong
    }
    if !reached(&node) {
        return InterfaceState::Failed;
    }
    // Who reaches nobody has failed, and is not missed.
    let misses = |other: &&str| reached(other) && !reach_each_other(view, subnet, &node, other);
    match ready.iter().any(misses) {
        true => InterfaceState::Unreachable,
        false => InterfaceState::Up,
    }
}

/// The state of a network, from those of its interfaces.
#[must_use]
pub fn network_state(view: &View, subnet: &str) -> NetworkState {
    let states: Vec<_> = members(view, subnet)
        .into_iter()
        .map(|(node, interface)| interface_state(view, node, interface))
        .filter(|state| *state != InterfaceState::Unavailable)
        .collect();
    let up = states
        .iter()
        .filter(|state| **state == InterfaceState::Up)
        .count();
    match (states.len(), up) {
        (0, _) => NetworkState::Unavailable,
        (all, up) if all == up => NetworkState::Up,
        (_, 0) => NetworkState::Down,
        _ => NetworkState::Partitioned,
    }
}

/// The network of a subnet.
#[must_use]
pub fn network_of<'a>(view: &'a View, subnet: &str) -> Option<&'a NetworkConfig> {
    let mut all = view.networks.values().map(|row| &row.row);
    all.find(|network| network.subnet == subnet)
}

/// Where heartbeats for a node go: its address, and those in networks with the internal role.
#[must_use]
pub fn heartbeat_addresses(view: &View, node: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    found.extend(view.nodes.get(node).map(|row| row.address.clone()));
    let interfaces = view
        .interfaces
        .get(node)
        .map(|row| row.interfaces.as_slice());
    for interface in interfaces.unwrap_or_default() {
        let internal = network_of(view, &interface.subnet).is_some_and(|n| n.role & INTERNAL != 0);
        if internal && !found.contains(&interface.address) {
            found.push(interface.address.clone());
        }
    }
    found
}

/// Whether clients may use addresses in this network.
#[must_use]
pub const fn admits_clients(network: &NetworkConfig) -> bool {
    network.role & CLIENT != 0
}

/// The transaction by which a node tells its interfaces, and adds the networks that they show first; none when nothing is new.
/// A network is for clients too, unless another interface of the node has the default route and this one has not.
#[must_use]
pub fn publish(view: &View, node: &str, interfaces: &NodeInterfaces) -> Option<Transaction> {
    let known = view.interfaces.get(&fold(node)).map(|row| &row.row);
    let mut guards = vec![view.guard("interfaces", &view.interfaces, node)];
    let mut writes = Vec::new();
    if known != Some(interfaces) {
        writes.push(put(key("interfaces", node), encode(interfaces)));
    }
    let leads_out = interfaces.interfaces.iter().any(|i| i.default_route);
    let mut number = 1;
    let mut added: Vec<&str> = Vec::new();
    for interface in &interfaces.interfaces {
        let subnet = interface.subnet.as_str();
        if network_of(view, subnet).is_some() || added.contains(&subnet) {
            continue;
        }
        let mut name = format!("Cluster Network {number}");
        while view.networks.contains_key(&fold(&name)) {
            number += 1;
            name = format!("Cluster Network {number}");
        }
        number += 1;
        let role = if leads_out && !interface.default_route {
            INTERNAL
        } else {
            INTERNAL | CLIENT
        };
        guards.push(view.guard("network", &view.networks, &name));
        let row = NetworkConfig {
            name: name.clone(),
            subnet: subnet.to_owned(),
            role,
        };
        writes.push(put(key("network", &name), encode(&row)));
        added.push(subnet);
    }
    if !added.is_empty() {
        // Two nodes that add networks at the same time would give one subnet two names.
        let version = view.cluster.as_ref().map_or(0, |c| c.version);
        let cluster = view.cluster.as_ref()?;
        guards.push(Guard {
            key: CLUSTER_KEY.to_owned(),
            version,
        });
        writes.push(put(CLUSTER_KEY.to_owned(), encode(&cluster.row)));
    }
    (!writes.is_empty()).then_some(Transaction { guards, writes })
}

/// The network of this name.
///
/// # Errors
/// `InvalidParameter` with the names there are.
pub fn find_network<'a>(view: &'a View, name: &str) -> Result<&'a NetworkConfig> {
    let found = view.networks.get(&fold(name)).map(|row| &row.row);
    found.ok_or_else(|| {
        let names: Vec<_> = view.networks.values().map(|n| n.name.as_str()).collect();
        let text = format!("the cluster has no network {name:?}");
        Error::new(ErrorKind::InvalidParameter, text)
            .hint(format!("its networks are {}", names.join(", ")))
    })
}

/// Gives a network a role, another name, or both.
///
/// # Errors
/// `InvalidParameter`, `ObjectAlreadyExists`.
pub fn change(
    view: &View,
    name: &str,
    role: Option<u64>,
    new_name: Option<&str>,
) -> Result<Transaction> {
    let mut row = find_network(view, name)?.clone();
    let mut guards = vec![view.guard("network", &view.networks, name)];
    let mut writes = Vec::new();
    if let Some(role) = role {
        if !matches!(role, 0 | INTERNAL | 3) {
            let text = format!("{role} is no role of a network");
            return Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint("0: not used, 1: heartbeats of the cluster, 3: heartbeats and clients"));
        }
        row.role = role;
    }
    if let Some(new_name) = new_name.filter(|new| fold(new) != fold(name)) {
        crate::name::check_object_name("network", new_name)?;
        if view.networks.contains_key(&fold(new_name)) {
            let text = format!("a network {new_name} exists already");
            return Err(
                Error::new(ErrorKind::ObjectAlreadyExists, text).hint("choose another name")
            );
        }
        guards.push(view.guard("network", &view.networks, new_name));
        writes.push(Write::Delete {
            key: key("network", name),
        });
    }
    row.name = new_name.unwrap_or(&row.name).to_owned();
    writes.push(put(key("network", &row.name), encode(&row)));
    Ok(Transaction { guards, writes })
}

fn put(key: String, value: Vec<u8>) -> Write {
    Write::Put {
        key,
        value,
        lease: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::record::{ClusterConfig, FencingMode, Process, Session};
    use super::super::view::Versioned;
    use super::*;

    const LAN: &str = "10.0.0.0/24";

    fn interface(up: bool) -> Interface {
        Interface {
            name: "eth0".into(),
            address: "10.0.0.1".into(),
            subnet: LAN.into(),
            up,
            default_route: false,
        }
    }

    /// Nodes with what each hears: `("n1", "n2 n3")`; a name with ! is down, one with - has no carrier.
    fn view(nodes: &[(&str, &str)]) -> View {
        let mut view = View::default();
        for (name, hears) in nodes {
            let bare = name.trim_end_matches(['!', '-']).to_owned();
            let heard: BTreeSet<_> = hears
                .split(' ')
                .map(|n| (n.to_owned(), LAN.to_owned()))
                .collect();
            let row = NodeInterfaces {
                interfaces: vec![interface(!name.ends_with('-'))],
                hears: Some(heard),
            };
            view.interfaces
                .insert(bare.clone(), Versioned { row, version: 1 });
            if !name.ends_with('!') {
                let row = Session {
                    node: bare.clone(),
                    incarnation: "1".into(),
                    process: Process::default(),
                    address: String::new(),
                    since_ms: 0,
                    lease: None,
                };
                view.sessions.insert(bare, Versioned { row, version: 1 });
            }
        }
        view
    }

    fn states(nodes: &[(&str, &str)]) -> (Vec<&'static str>, &'static str) {
        let view = view(nodes);
        let of = |(name, _): &(&str, &str)| {
            let name = name.trim_end_matches(['!', '-']);
            interface_state(&view, name, &view.interfaces[name].interfaces[0]).name()
        };
        (
            nodes.iter().map(of).collect(),
            network_state(&view, LAN).name(),
        )
    }

    #[test]
    fn interfaces_and_networks_are_as_their_links_are() {
        // The nodes with what each hears; their interfaces' states; the network's.
        type Case = (
            &'static [(&'static str, &'static str)],
            &'static str,
            &'static str,
        );
        let cases: &[Case] = &[
            (
                &[("n1", "n2 n3"), ("n2", "n1 n3"), ("n3", "n1 n2")],
                "Up Up Up",
                "Up",
            ),
            (
                &[("n1", "n2"), ("n2", "n1"), ("n3", "")],
                "Up Up Failed",
                "Partitioned",
            ),
            (
                &[("n1", "n2"), ("n2", "n1"), ("n3-", "")],
                "Up Up Failed",
                "Partitioned",
            ),
            (
                &[("n1", "n2"), ("n2", "n1"), ("n3!", "")],
                "Up Up Unavailable",
                "Up",
            ),
            (
                &[("n1", "n2"), ("n2", "n1 n3"), ("n3", "n2")],
                "Unreachable Up Unreachable",
                "Partitioned",
            ),
            (
                &[("n1", "n2 n3"), ("n2", "n1 n3"), ("n3", "")],
                "Up Up Failed",
                "Partitioned",
            ),
            (&[("n1", ""), ("n2", "")], "Failed Failed", "Down"),
            (&[("n1", "n2"), ("n2-", "n1")], "Up Failed", "Partitioned"),
            (&[("n1", "")], "Up", "Up"),
            (
                &[("n1!", ""), ("n2!", "")],
                "Unavailable Unavailable",
                "Unavailable",
            ),
        ];
        for (nodes, interfaces, network) in cases {
            let (found, state) = states(nodes);
            assert_eq!(
                (found.join(" ").as_str(), state),
                (*interfaces, *network),
                "{nodes:?}"
            );
        }
    }

    #[test]
    fn a_subnet_gets_one_network_and_the_one_without_a_way_out_is_internal() {
        let mut lab = View::default();
        let row = ClusterConfig {
            name: "lab".into(),
            same_subnet_delay_ms: 100,
            same_subnet_threshold: 15,
            lease_ttl_ms: 2000,
            fencing: FencingMode::Kill,
            created_ms: 0,
        };
        lab.cluster = Some(Versioned { row, version: 7 });
        let mut out = interface(true);
        out.default_route = true;
        let mut back = interface(true);
        (back.subnet, back.address) = ("10.0.1.0/24".into(), "10.0.1.1".into());
        let found = NodeInterfaces {
            interfaces: vec![out, back],
            hears: None,
        };
        let transaction = publish(&lab, "n1", &found).unwrap();
        lab.apply(&transaction, 8);
        let of =
            |view: &View, subnet: &str| network_of(view, subnet).map(|n| (n.name.clone(), n.role));
        assert_eq!(of(&lab, LAN), Some(("Cluster Network 1".into(), 3)));
        assert_eq!(
            of(&lab, "10.0.1.0/24"),
            Some(("Cluster Network 2".into(), 1))
        );
        assert_eq!(publish(&lab, "n1", &found), None, "nothing is new");
        assert_eq!(heartbeat_addresses(&lab, "n1"), ["10.0.0.1", "10.0.1.1"]);

        lab.apply(
            &change(&lab, "cluster network 2", Some(0), Some("Storage")).unwrap(),
            9,
        );
        assert_eq!(of(&lab, "10.0.1.0/24"), Some(("Storage".into(), 0)));
        assert_eq!(heartbeat_addresses(&lab, "n1"), ["10.0.0.1"]);
        assert!(change(&lab, "Storage", Some(2), None).is_err());
        assert!(change(&lab, "Storage", None, Some("cluster network 1")).is_err());
        assert!(
            find_network(&lab, "x")
                .unwrap_err()
                .hint
                .unwrap()
                .contains("Storage")
        );
    }
}
