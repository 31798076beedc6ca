//! Commands on networks.

use super::{Run, exact, fits};
use crate::api::network::{
    GetClusterNetwork, GetClusterNetworkInterface, NetworkInfo, NetworkInterfaceInfo,
    SetClusterNetwork,
};
use crate::cluster::agent::Agent;
use crate::cluster::configuration::find_node;
use crate::cluster::network::{change, find_network, interface_state, network_of, network_state};
use crate::cluster::record::NetworkConfig;
use crate::cluster::view::View;
use crate::error::Result;

fn record(view: &View, network: &NetworkConfig) -> NetworkInfo {
    NetworkInfo {
        name: network.name.clone(),
        state: network_state(view, &network.subnet).name().to_owned(),
        subnet: network.subnet.clone(),
        role: network.role,
    }
}

impl Run for GetClusterNetwork {
    async fn run(self, agent: &Agent) -> Result<Vec<NetworkInfo>> {
        let view = agent.read().await?;
        let pattern = self.name.as_deref();
        if let Some(name) = exact(pattern) {
            find_network(&view, name)?;
        }
        let networks = view.networks.values().filter(|n| fits(pattern, &n.name));
        Ok(networks.map(|network| record(&view, network)).collect())
    }
}

impl Run for SetClusterNetwork {
    async fn run(self, agent: &Agent) -> Result<NetworkInfo> {
        let decide = |view: &View| {
            Ok((
                change(view, &self.name, self.role, self.new_name.as_deref())?,
                (),
            ))
        };
        agent.change(decide).await?;
        let view = agent.read().await?;
        let name = self.new_name.as_deref().unwrap_or(&self.name);
        Ok(record(&view, find_network(&view, name)?))
    }
}

impl Run for GetClusterNetworkInterface {
    async fn run(self, agent: &Agent) -> Result<Vec<NetworkInterfaceInfo>> {
        let view = agent.read().await?;
        if let Some(name) = exact(self.network.as_deref()) {
            find_network(&view, name)?;
        }
        if let Some(name) = exact(self.node.as_deref()) {
            find_node(&view, name)?;
        }
        let mut records = Vec::new();
        for (node, row) in &view.interfaces {
            for interface in &row.interfaces {
                let network = network_of(&view, &interface.subnet);
                records.push(NetworkInterfaceInfo {
                    name: interface.name.clone(),
                    node: view.node_name(node),
                    network: network.map_or_else(|| interface.subnet.clone(), |n| n.name.clone()),
                    state: interface_state(&view, node, interface).name().to_owned(),
                    address: interface.address.clone(),
                });
            }
        }
        records.retain(|r| {
            fits(self.network.as_deref(), &r.network) && fits(self.node.as_deref(), &r.node)
        });
        Ok(records)
    }
}
