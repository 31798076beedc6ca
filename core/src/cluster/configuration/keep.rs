//! Whether a node's agent can become a newer program under what it runs.

use crate::cluster::record::{ResourceConfig, fold};
use crate::cluster::resource::ResourceState;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// Checks that every resource a node runs goes on, or comes back without anybody noticing, when its agent's program is
/// replaced: queue managers and applications go on; folders, loopback addresses and names are only held.
///
/// # Errors
/// `InvalidState` with the resource that is on its way, or that cannot be kept.
pub fn check_keepable(view: &View, node: &str) -> Result<()> {
    for (config, state) in resources_of_node(view, node) {
        if state.is_pending() {
            let text = format!("{} is {}", config.name, state.name());
            return Err(Error::new(ErrorKind::InvalidState, text)
                .hint("wait until it is online or offline, and give the command again"));
        }
        if state == ResourceState::Online && !is_keepable(config) {
            let text = format!(
                "{} ({}) cannot be kept while the agent of {node} is restarted",
                config.name, config.resource_type
            );
            return Err(Error::new(ErrorKind::InvalidState, text).hint(format!(
                "Move-ClusterGroup {} first, or Stop-ClusterNode and Start-ClusterNode",
                config.group
            )));
        }
    }
    Ok(())
}

/// Whether nothing that a node runs is on its way up or down.
pub fn is_settled(view: &View, node: &str) -> bool {
    resources_of_node(view, node).all(|(_, state)| !state.is_pending())
}

fn resources_of_node<'v>(
    view: &'v View,
    node: &str,
) -> impl Iterator<Item = (&'v ResourceConfig, ResourceState)> {
    let mine = move |group: &str| {
        let owner = view.live_owner(group);
        owner.is_some_and(|o| fold(&o.node) == fold(node))
    };
    let rows = view.resources.iter().filter(move |(_, r)| mine(&r.group));
    rows.map(|(name, config)| (&**config, ResourceState::published(view, name)))
}

fn is_keepable(config: &ResourceConfig) -> bool {
    let set = |wanted: &str| {
        let mut all = config.parameters.iter();
        all.find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim())
    };
    match config.resource_type.as_str() {
        "MSMQ" | "Generic Application" | "Network Name" => true,
        "Physical Disk" => set("Device").is_none(),
        "IP Address" => {
            let address = set("Address").and_then(|text| text.parse().ok());
            address.is_some_and(|address: std::net::IpAddr| address.is_loopback())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::policy::RestartPolicy;

    #[test]
    fn what_is_only_held_or_goes_on_can_be_kept_and_nothing_else() {
        let config = |kind: &str, name: &str, value: &str| ResourceConfig {
            name: "R".to_owned(),
            group: "G".to_owned(),
            resource_type: kind.to_owned(),
            parameters: [(name.to_owned(), value.to_owned())].into(),
            depends_on: Default::default(),
            possible_owners: Vec::new(),
            policy: RestartPolicy::default(),
            persistent_online: true,
            maintenance: false,
        };
        for (kind, name, value, keepable) in [
            ("MSMQ", "Coherent", "0", true),
            ("Generic Application", "CommandLine", "x", true),
            ("Physical Disk", "DiskPath", "/x", true),
            ("Physical Disk", "device", "/dev/x", false),
            ("IP Address", "Address", "127.0.9.1", true),
            ("IP Address", "address", "10.0.0.1", false),
            ("Generic Script", "ScriptFilepath", "/x", false),
            ("ocf:heartbeat:Dummy", "state", "/x", false),
        ] {
            let found = is_keepable(&config(kind, name, value));
            assert_eq!(found, keepable, "{kind} {name}");
        }
    }
}
