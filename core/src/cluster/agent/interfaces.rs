//! Telling the cluster which interfaces this node has, and whom it hears over which.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Shared;
use crate::cluster::network::{admits_clients, publish};
use crate::cluster::record::{Interface, NetworkConfig, NodeInterfaces, STATE_PREFIX, fold};
use crate::cluster::view::View;
use crate::database::Commit;
use crate::error::{Error, Result};
use crate::sys::network::netlink::{LinkAddress, Monitor, addresses, default_route_links, links};
use crate::sys::network::{Subnet, bits};

/// Changes that come within this time are told together.
const GATHER: Duration = Duration::from_millis(300);
/// Pause after a failure.
const AGAIN: Duration = Duration::from_secs(2);
/// Tries of a transaction that others keep outrunning.
const TRIES_MAX: usize = 20;

/// Keeps the node's row up to date; `own` is told the interfaces.
pub(super) async fn keep_told(shared: Arc<Shared>, own: watch::Sender<Vec<Interface>>) {
    let loopback = shared.options.address.is_loopback();
    let monitor = match Monitor::open() {
        Ok(monitor) => monitor,
        Err(e) => {
            shared.log(
                "ERR",
                "NM",
                &format!("the interfaces cannot be watched: {e}"),
            );
            return;
        }
    };
    let mut heard = shared.links.changes();
    loop {
        heard.borrow_and_update();
        if let Err(e) = tell(&shared, &own, loopback).await {
            shared.log("WARN", "NM", &format!("the interfaces were not told: {e}"));
            tokio::time::sleep(AGAIN).await;
            continue;
        }
        tokio::select! {
            changed = monitor.changed() => if changed.is_err() { return },
            changed = heard.changed(), if !loopback => if changed.is_err() { return },
        }
        tokio::time::sleep(GATHER).await;
    }
}

async fn tell(shared: &Shared, own: &watch::Sender<Vec<Interface>>, loopback: bool) -> Result<()> {
    let interfaces = match loopback {
        true => vec![loopback_interface(shared.options.address)],
        false => read().await?,
    };
    own.send_if_modified(|known| {
        let is_new = *known != interfaces;
        known.clone_from(&interfaces);
        is_new
    });
    let row = NodeInterfaces {
        interfaces,
        hears: (!loopback).then(|| shared.links.hears()),
    };
    let database = &shared.options.database;
    for _ in 0..TRIES_MAX {
        let view = View::parse(&database.read(STATE_PREFIX).await?);
        let Some(transaction) = publish(&view, &shared.options.node, &row) else {
            return Ok(());
        };
        if let Commit::Done { .. } = database.commit(transaction).await? {
            return Ok(());
        }
    }
    Ok(()) // the next change tells it
}

/// The private properties of an IP Address as its resource type wants them: the name of a cluster network is replaced by its
/// subnet.
///
/// # Errors
/// Why the address cannot be in its network, for the cause of the failure.
pub(super) fn with_subnet(
    view: &View,
    parameters: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let mut parameters = parameters.clone();
    let value = |name: &str| {
        let mut all = parameters.iter();
        all.find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(key, value)| (key.clone(), value.trim().to_owned()))
    };
    let networks = || view.networks.values().map(|row| &row.row);
    if let Some((key, name)) = value("Network")
        && let Some(network) = view.networks.get(&fold(&name))
    {
        parameters.insert(key, network.subnet.clone());
        return closed(network).map_or(Ok(parameters), Err);
    }
    let address = value("Address").and_then(|(_, text)| text.parse::<IpAddr>().ok());
    let home = address.and_then(|address| {
        let holds = |network: &&NetworkConfig| {
            let subnet = network.subnet.parse::<Subnet>();
            subnet.is_ok_and(|subnet| subnet.contains(address))
        };
        networks().find(holds)
    });
    home.and_then(closed).map_or(Ok(parameters), Err)
}

/// Why clients may not be in a network, if so.
fn closed(network: &NetworkConfig) -> Option<String> {
    (!admits_clients(network)).then(|| {
        format!(
            "network {} ({}) is not for clients (role {}); Set-ClusterNetwork {:?} -Role 3 opens it",
            network.name, network.subnet, network.role, network.name
        )
    })
}

/// A cluster on one machine has one network: its loopback addresses.
fn loopback_interface(address: IpAddr) -> Interface {
    let prefix = if address.is_ipv4() { 8 } else { 128 };
    Interface {
        name: "lo".to_owned(),
        address: address.to_string(),
        subnet: Subnet::of(address, prefix).to_string(),
        up: true,
        default_route: false,
    }
}

/// This machine's interfaces with their own addresses. What groups bring along is left out: it comes and goes.
async fn read() -> Result<Vec<Interface>> {
    let work = || {
        let out: BTreeSet<u32> = default_route_links()?;
        Ok::<_, std::io::Error>((links()?, addresses()?, out))
    };
    let read = tokio::task::spawn_blocking(work).await;
    let read = read.map_err(std::io::Error::other).and_then(|inner| inner);
    let (links, addresses, out) = read.map_err(|e| Error::system("list the interfaces", &e))?;
    let mut found = Vec::new();
    for address in addresses.iter().filter(|address| is_own(address)) {
        let Some(link) = links
            .iter()
            .find(|link| link.index == address.link && !link.is_loopback)
        else {
            continue;
        };
        found.push(Interface {
            name: link.name.clone(),
            address: address.address.to_string(),
            subnet: Subnet::of(address.address, address.prefix).to_string(),
            up: link.is_up,
            default_route: out.contains(&link.index),
        });
    }
    found.sort_by(|a, b| (&a.name, &a.address).cmp(&(&b.name, &b.address)));
    found.dedup_by(|a, b| a.subnet == b.subnet);
    Ok(found)
}

fn is_own(address: &LinkAddress) -> bool {
    let host = address.prefix == bits(address.address);
    let link_local = matches!(address.address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    !(address.is_labelled || host || link_local || address.is_tentative || address.is_duplicate)
}
