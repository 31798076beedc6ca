//! Subcomponents of Message Queuing, installed per node.

use std::collections::BTreeSet;

use super::change::Change;
use super::group::nodes;
use super::lookup::find_node;
use crate::cluster::record::{ResourceConfig, Uninstalled, fold};
use crate::cluster::resource_type::{self, TypeRule};
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::name::nearest;

/// What can be installed.
pub const FEATURES: [&str; 5] = [
    "MSMQ-Server",
    "MSMQ-Triggers",
    "MSMQ-HTTP-Support",
    "MSMQ-Routing",
    "MSMQ-ADIntegration",
];
/// What the original can install and a cluster cannot have.
const DOWNLEVEL: [&str; 2] = ["MSMQ-DownlevelClientSupport", "MSMQ-DCOMProxy"];

/// Installs subcomponents on nodes, by default MSMQ-Server on all.
///
/// # Errors
/// `NodeNotFound`, `InvalidParameter`; `InvalidRequest` for routing without a directory, downlevel client
/// support, and where nodes would differ although an MSMQ resource is there.
pub fn install_feature(view: &View, on: &[String], features: &[String]) -> Result<Change> {
    let all: Vec<String> = view.nodes.values().map(|n| n.name.clone()).collect();
    let on = match on.is_empty() {
        true => all,
        false => nodes(view, on)?,
    };
    let mut wanted = vec!["MSMQ-Server"]; // every other subcomponent needs it
    for feature in features {
        wanted.push(known(feature)?);
    }
    let mut change = Change::default();
    let mut after: Vec<(String, BTreeSet<String>)> = installed(view);
    for name in on {
        let mut node = find_node(view, &name)?.row.clone();
        let before = node.features.len();
        node.features.extend(wanted.iter().map(|f| (*f).to_owned()));
        check_routing(&name, &node.features)?;
        after.retain(|(n, _)| *n != name);
        after.push((name.clone(), node.features.clone()));
        if node.features.len() > before {
            change = change
                .guard(view, "node", &view.nodes, &name)
                .put("node", &name, &node);
        }
    }
    let needy = view.resources.values().find(|r| needs_feature(r));
    match needy {
        Some(_) => check_alike(&after).map(|()| change),
        None => Ok(change),
    }
}

fn needs_feature(resource: &ResourceConfig) -> bool {
    resource_type::find(&resource.resource_type).is_some_and(|t| t.feature.is_some())
}

/// The nodes with Message Queuing, and what of it they have.
fn installed(view: &View) -> Vec<(String, BTreeSet<String>)> {
    let nodes = view.nodes.values().filter(|n| !n.features.is_empty());
    nodes
        .map(|n| (n.name.clone(), n.features.clone()))
        .collect()
}

/// A resource that needs Message Queuing is added when it is installed, and the same everywhere it is. A
/// node without it is no obstacle: there the resource fails with "device not ready".
pub(super) fn check_installed(view: &View, rule: &TypeRule) -> Result<()> {
    let Some(feature) = rule.feature else {
        return Ok(());
    };
    let nodes = installed(view);
    if !nodes.iter().any(|(_, features)| features.contains(feature)) {
        let text = format!("{feature} is installed on no node; {} needs it", rule.name);
        return Err(
            Error::new(ErrorKind::InvalidRequest, text).hint(match feature {
                "MSMQ-Server" => "Install-MsmqFeature installs it on all nodes".to_owned(),
                other => format!("Install-MsmqFeature -Feature {other} installs it on all nodes"),
            }),
        );
    }
    check_alike(&nodes)
}

/// Where Message Queuing is installed it has the same subcomponents: a virtual server offers the same
/// on each node.
fn check_alike(nodes: &[(String, BTreeSet<String>)]) -> Result<()> {
    let all: BTreeSet<&String> = nodes.iter().flat_map(|(_, features)| features).collect();
    let lacking = nodes
        .iter()
        .find_map(|(node, has)| Some((node, all.iter().find(|f| !has.contains(**f))?)));
    let Some((node, feature)) = lacking else {
        return Ok(());
    };
    let text = format!("{feature} is installed on some nodes and not on {node}");
    Err(Error::new(ErrorKind::InvalidRequest, text).hint(format!(
        "each node has the same subcomponents: Install-MsmqFeature -Feature {feature} installs it on all"
    )))
}

/// Routing needs the directory: a node in workgroup mode has none.
fn check_routing(node: &str, features: &BTreeSet<String>) -> Result<()> {
    let has = |name: &str| features.contains(name);
    if !has("MSMQ-Routing") || has("MSMQ-ADIntegration") {
        return Ok(());
    }
    let text = format!("{node} is in workgroup mode, where there is no routing");
    Err(Error::new(ErrorKind::InvalidRequest, text).hint(
        "install the directory's part with it: -Feature MSMQ-Routing,MSMQ-ADIntegration, or leave it out",
    ))
}

fn known(feature: &str) -> Result<&'static str> {
    if DOWNLEVEL.iter().any(|f| f.eq_ignore_ascii_case(feature)) {
        let text = format!("{feature} cannot be installed: a virtual server cannot run it");
        return Err(Error::new(ErrorKind::InvalidRequest, text)
            .hint("downlevel clients need a server of their own, outside the cluster"));
    }
    let found = FEATURES
        .into_iter()
        .find(|f| f.eq_ignore_ascii_case(feature));
    found.ok_or_else(|| {
        let text = format!("Message Queuing has no subcomponent {feature:?}");
        Error::new(ErrorKind::InvalidParameter, text).hint(match nearest(feature, FEATURES) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("it has {}", FEATURES.join(", ")),
        })
    })
}

/// Removes Message Queuing from a node.
///
/// # Errors
/// `NodeNotFound`; `InvalidRequest` while a resource that needs it could come online there, and while the node's own queue
/// manager runs.
pub fn uninstall_feature(view: &View, node: &str) -> Result<Change> {
    let config = find_node(view, node)?;
    let needy = view.resources.values().find(|r| {
        let possible =
            r.possible_owners.is_empty() || r.possible_owners.iter().any(|n| fold(n) == fold(node));
        needs_feature(r) && possible
    });
    if let Some(resource) = needy {
        let text = format!(
            "{} (group {}) can still come online on {}",
            resource.name, resource.group, config.name
        );
        return Err(Error::new(ErrorKind::InvalidRequest, text).hint(format!(
            "Remove-ClusterResource {0}, or name its other nodes: Set-ClusterOwnerNode -Resource {0} -Owners …",
            resource.name
        )));
    }
    if view.message_service(node).is_some() {
        let text = format!("Message Queuing is running on {}", config.name);
        return Err(Error::new(ErrorKind::InvalidRequest, text)
            .hint(format!("Stop-MsmqService {}", config.name)));
    }
    let mut row = config.row.clone();
    row.features.clear();
    Ok(Change::default()
        .guard(view, "node", &view.nodes, node)
        .guard(view, "service", &view.services, node)
        .put("node", node, &row)
        .put("uninstalled", node, &Uninstalled {}))
}
