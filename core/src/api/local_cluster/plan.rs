//! What a new local cluster will be: checked names, defaults, addresses. Pure, except that `free_subnet` is
//! told which ports are free.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::api::cluster::NewCluster;
use crate::api::registry::{ClusterEntry, NodeEntry};
use crate::api::value::Millis;
use crate::cluster::agent::Timing;
use crate::database::Location;
use crate::error::{Error, ErrorKind, Result};
use crate::name::check_object_name;

/// Nodes of a local cluster; their addresses end in 1 to 16, those above 100 are left for virtual servers.
pub(super) const NODES_MAX: usize = 16;
/// Subnets that are tried.
const SUBNETS_TRIED_MAX: u16 = 4096;

/// Checks everything about a new cluster that can be checked without touching anything.
pub(super) fn check(command: &NewCluster) -> Result<()> {
    if !command.local {
        let text = "only clusters on this machine can be made by this version";
        return Err(Error::new(ErrorKind::InvalidRequest, text)
            .hint("add -Local: each node is a process with a loopback address of its own"));
    }
    check_object_name("cluster", &command.name)?;
    if command.nodes.is_empty() || command.nodes.len() > NODES_MAX {
        let text = format!("a cluster of {} nodes cannot be made", command.nodes.len());
        return Err(Error::new(ErrorKind::InvalidParameter, text)
            .hint(format!("name 1 to {NODES_MAX} nodes: -Node n1,n2,n3")));
    }
    for (index, node) in command.nodes.iter().enumerate() {
        check_node_name(node)?;
        if command.nodes[..index]
            .iter()
            .any(|n| n.eq_ignore_ascii_case(node))
        {
            let text = format!("node {node} is named twice");
            return Err(Error::new(ErrorKind::ObjectAlreadyExists, text)
                .hint("each node needs a name of its own"));
        }
    }
    location(&command.quorum, &command.name)?;
    timing(command).check()?;
    fencing(command).map(|_| ())
}

/// A node's name is also a folder and a word of its log.
pub(super) fn check_node_name(node: &str) -> Result<()> {
    check_object_name("node", node)?;
    if node.starts_with('.') || node.contains(char::is_whitespace) || node == "quorum" {
        let text = format!("{node:?} is no name for a node");
        return Err(Error::new(ErrorKind::InvalidParameter, text)
            .hint("use letters, digits and hyphens, as in n1"));
    }
    Ok(())
}

/// The entry of the new cluster, on the subnet `127.A.B`.
pub(super) fn entry(
    command: &NewCluster,
    path: PathBuf,
    subnet: (u8, u8),
    now_ms: u64,
) -> Result<ClusterEntry> {
    let nodes = command
        .nodes
        .iter()
        .enumerate()
        .map(|(index, name)| NodeEntry {
            name: name.clone(),
            address: node_address(subnet, index),
            data: path.join(name.to_lowercase()),
            process: None,
        });
    let timing = timing(command);
    let millis = |of: Duration| u64::try_from(of.as_millis()).unwrap_or(u64::MAX);
    Ok(ClusterEntry {
        name: command.name.clone(),
        nodes: nodes.collect(),
        database: match location(&command.quorum, &command.name)? {
            Some(location) => location,
            None => Location::Sqlite(path.join("quorum").join("cluster.db")),
        },
        path,
        same_subnet_delay: millis(timing.same_subnet_delay),
        same_subnet_threshold: timing.same_subnet_threshold,
        lease_ttl: millis(timing.lease_ttl),
        fencing: fencing(command)?.to_owned(),
        detached: command.detach,
        created_ms: now_ms,
    })
}

/// A place for the database of the cluster `name`, if one was given; an etcd without a prefix gets one. The
/// shell takes the commas between members for those of a list.
pub(super) fn location(parts: &[String], name: &str) -> Result<Option<Location>> {
    if parts.is_empty() {
        return Ok(None);
    }
    let mut location: Location = parts.join(",").parse()?;
    match &mut location {
        Location::Sqlite(path) => *path = crate::sys::folder::absolute(path)?,
        Location::Etcd(etcd) if etcd.prefix.is_empty() => {
            let fit = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if !name.chars().all(fit) {
                let text = format!("the name {name} cannot be a prefix of keys in etcd");
                return Err(Error::new(ErrorKind::InvalidParameter, text)
                    .hint("write one: etcd://…/hamq/lab"));
            }
            etcd.prefix = format!("hamq/{}", name.to_lowercase());
        }
        Location::Etcd(_) => {}
    }
    Ok(Some(location))
}

/// The address of the node with this index.
pub(super) fn node_address((a, b): (u8, u8), index: usize) -> IpAddr {
    let last = u8::try_from(index + 1).unwrap_or(u8::MAX);
    IpAddr::V4(Ipv4Addr::new(127, a, b, last))
}

/// The subnet of a local cluster.
pub(super) fn subnet(entry: &ClusterEntry) -> Option<(u8, u8)> {
    match entry.nodes.first()?.address {
        IpAddr::V4(address) => {
            let [_, a, b, _] = address.octets();
            Some((a, b))
        }
        IpAddr::V6(_) => None,
    }
}

/// A subnet that no known cluster uses and where every node's ports are free. `seed` chooses where the
/// search begins, so that two searches at the same time do not meet.
pub(super) fn free_subnet(
    known: &[ClusterEntry],
    nodes: usize,
    seed: u16,
    is_free: impl Fn(IpAddr) -> Result<()>,
) -> Result<(u8, u8)> {
    let used: Vec<_> = known.iter().filter_map(subnet).collect();
    let mut last_refusal = None;
    for step in 0..SUBNETS_TRIED_MAX {
        let [high, low] = seed.wrapping_add(step).to_be_bytes();
        // 127.16 to 127.239: clear of 127.0 and 127.1, which people use by hand
        let candidate = (16 + high % 224, low);
        if used.contains(&candidate) {
            continue;
        }
        let addresses = (0..nodes).map(|index| node_address(candidate, index));
        match addresses.map(&is_free).find(Result::is_err) {
            None => return Ok(candidate),
            Some(refusal) => last_refusal = refusal.err(),
        }
    }
    Err(last_refusal.unwrap_or_else(|| {
        Error::new(ErrorKind::AddressInUse, "no loopback subnet is free")
            .hint("Remove-Cluster frees that of a cluster that is not needed any more")
    }))
}

/// What the command says, and the defaults for the rest.
fn timing(command: &NewCluster) -> Timing {
    let usual = Timing::default();
    let given = |millis: Option<Millis>| millis.map(|ms| Duration::from_millis(ms.0));
    Timing {
        same_subnet_delay: given(command.same_subnet_delay).unwrap_or(usual.same_subnet_delay),
        same_subnet_threshold: (command.same_subnet_threshold)
            .unwrap_or(usual.same_subnet_threshold),
        lease_ttl: given(command.lease_ttl).unwrap_or(usual.lease_ttl),
        ..usual
    }
}

fn fencing(command: &NewCluster) -> Result<&'static str> {
    let given = command.fencing.as_deref().unwrap_or("Kill");
    let known = ["Kill", "Storage"]
        .into_iter()
        .find(|f| f.eq_ignore_ascii_case(given));
    known.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidParameter,
            format!("-Fencing {given} is none"),
        )
        .hint("use Kill or Storage")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::value::Millis;

    fn command(nodes: &[&str]) -> NewCluster {
        NewCluster {
            name: "lab".into(),
            nodes: nodes.iter().map(|n| (*n).to_owned()).collect(),
            local: true,
            detach: false,
            path: None,
            quorum: Vec::new(),
            same_subnet_delay: None,
            same_subnet_threshold: None,
            lease_ttl: None,
            fencing: None,
        }
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        assert_eq!(check(&command(&["n1", "n2"])), Ok(()));
        let mut far = command(&["n1"]);
        far.local = false;
        let mut odd = command(&["n1"]);
        odd.fencing = Some("Hope".into());
        let mut quick = command(&["n1"]);
        quick.lease_ttl = Some(Millis(1));
        let mut open = command(&["n1"]);
        open.quorum = vec!["etcd://10.0.0.1:2379".into()];
        for (command, kind) in [
            (far, ErrorKind::InvalidRequest),
            (odd, ErrorKind::InvalidParameter),
            (open, ErrorKind::InvalidParameter),
            (quick, ErrorKind::InvalidParameter),
            (command(&[]), ErrorKind::InvalidParameter),
            (command(&["n1", "N1"]), ErrorKind::ObjectAlreadyExists),
            (command(&["../n1"]), ErrorKind::InvalidParameter),
            (command(&["quorum"]), ErrorKind::InvalidParameter),
        ] {
            let error = check(&command).unwrap_err();
            assert_eq!(error.kind, kind, "{error}");
            assert!(error.hint.is_some());
        }
    }

    #[test]
    fn a_database_in_etcd_gets_the_prefix_of_the_cluster() {
        let mut command = command(&["n1"]);
        command.quorum = vec!["etcd://127.0.0.1:1".into(), "127.0.0.2".into()];
        let made = entry(&command, "/x".into(), (16, 0), 0).unwrap();
        assert_eq!(
            made.database.to_string(),
            "etcd://127.0.0.1:1,127.0.0.2:2379/hamq/lab"
        );
    }

    #[test]
    fn a_subnet_that_is_known_or_busy_is_passed_over() {
        let known = entry(&command(&["n1"]), "/x".into(), (16, 0), 0).unwrap();
        let busy: IpAddr = "127.16.1.2".parse().unwrap();
        let found = free_subnet(&[known], 3, 0, |address| {
            if address == busy {
                return Err(Error::new(ErrorKind::AddressInUse, "busy"));
            }
            Ok(())
        });
        assert_eq!(found, Ok((16, 2)));
    }

    #[test]
    fn when_nothing_is_free_the_reason_is_passed_on() {
        let refused = |_| Err(Error::new(ErrorKind::AddressInUse, "port 7800 by nginx"));
        let error = free_subnet(&[], 1, 9, refused).unwrap_err();
        assert_eq!(error.message, "port 7800 by nginx");
    }
}
