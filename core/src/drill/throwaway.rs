//! A cluster made for one drill: three nodes on this machine and the virtual server VS1.

use crate::api::client::{Client, ClientOptions};
use crate::api::cluster::{ClusterInfo, GetCluster, NewCluster, RemoveCluster, StopCluster};
use crate::api::feature::InstallMsmqFeature;
use crate::api::group::{AddClusterGroup, StartClusterGroup};
use crate::api::resource::AddClusterResource;
use crate::api::value::Millis;
use crate::error::Result;

/// The group that every such cluster has.
pub(super) const GROUP: &str = "VS1";
/// Its nodes.
const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// The cluster, and a client of its own: the caller's keeps the cluster it has chosen.
pub(super) struct Throwaway {
    /// The client.
    pub(super) client: Client,
    name: String,
}

impl Throwaway {
    /// Makes it.
    ///
    /// # Errors
    /// Those of the commands; what was made is gone again then.
    pub(super) fn new(options: &ClientOptions, name: &str) -> Result<Self> {
        let throwaway = Self {
            client: Client::new(options.clone())?,
            name: name.to_owned(),
        };
        throwaway.build()?;
        Ok(throwaway)
    }

    fn build(&self) -> Result<()> {
        let client = &self.client;
        client.run(NewCluster {
            name: self.name.clone(),
            nodes: NODES.map(str::to_owned).to_vec(),
            local: true,
            ..NewCluster::default()
        })?;
        let all = client.run(GetCluster {
            name: Some(self.name.clone()),
        })?;
        client.run(InstallMsmqFeature::default())?;
        client.run(AddClusterGroup {
            name: GROUP.to_owned(),
            preferred_owners: NODES.map(str::to_owned).to_vec(),
            ..AddClusterGroup::default()
        })?;
        let place = all.first().map(Place::of).unwrap_or_default();
        for (name, kind, parameter, providers) in [
            ("Disk", "Physical Disk", Some(place.disk), &[][..]),
            ("IP", "IP Address", Some(place.address), &[]),
            (
                "Name",
                "Network Name",
                Some(format!("Name={GROUP}")),
                &["IP"],
            ),
            ("MSMQ", "MSMQ", None, &["Disk", "Name"]),
        ] {
            client.run(AddClusterResource {
                name: format!("{GROUP}-{name}"),
                group: Some(GROUP.to_owned()),
                resource_type: kind.to_owned(),
                parameters: parameter.into_iter().collect(),
                depends_on: providers.iter().map(|p| format!("{GROUP}-{p}")).collect(),
                restart_delay: Some(Millis(0)),
                ..AddClusterResource::default()
            })?;
        }
        client.run(StartClusterGroup {
            name: GROUP.to_owned(),
            wait: None,
        })?;
        Ok(())
    }
}

/// Where the virtual server goes.
#[derive(Default)]
struct Place {
    disk: String,
    address: String,
}

impl Place {
    fn of(info: &ClusterInfo) -> Self {
        Self {
            disk: format!("DiskPath={}/disks/vs1", info.path),
            address: format!("Address={}.101", info.subnet),
        }
    }
}

impl Drop for Throwaway {
    /// The drill's outcome matters more than a leftover, which Get-Cluster shows.
    fn drop(&mut self) {
        let stop = StopCluster {
            name: Some(self.name.clone()),
        };
        drop(self.client.run(stop));
        let remove = RemoveCluster {
            name: self.name.clone(),
            force: true,
        };
        drop(self.client.run(remove));
        self.client.close();
    }
}
