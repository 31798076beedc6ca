//! Subcomponents of Message Queuing, installed per node.

use super::change::Change;
use super::group::nodes;
use super::lookup::find_node;
use crate::cluster::record::fold;
use crate::cluster::resource_type;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::name::nearest;

/// What can be installed.
pub const FEATURES: [&str; 4] = [
    "MSMQ-Server",
    "MSMQ-Triggers",
    "MSMQ-HTTP-Support",
    "MSMQ-Routing",
];

/// Installs subcomponents on nodes, by default MSMQ-Server on all.
///
/// # Errors
/// `NodeNotFound`, `InvalidParameter`.
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
    for name in on {
        let mut node = find_node(view, &name)?.row.clone();
        let before = node.features.len();
        node.features.extend(wanted.iter().map(|f| (*f).to_owned()));
        if node.features.len() > before {
            change = change
                .guard(view, "node", &view.nodes, &name)
                .put("node", &name, &node);
        }
    }
    Ok(change)
}

fn known(feature: &str) -> Result<&'static str> {
    let found = FEATURES
        .into_iter()
        .find(|f| f.eq_ignore_ascii_case(feature));
    found.ok_or_else(|| {
        let text = format!("Message Queuing has no subcomponent {feature:?}");
        Error::new(ErrorKind::InvalidParameter, text).hint(
            match nearest(feature, FEATURES.into_iter()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("it has {}", FEATURES.join(", ")),
            },
        )
    })
}

/// Removes Message Queuing from a node.
///
/// # Errors
/// `NodeNotFound`; `InvalidRequest` while a resource that needs it could come online there.
pub fn uninstall_feature(view: &View, node: &str) -> Result<Change> {
    let config = find_node(view, node)?;
    let needy = view.resources.values().find(|r| {
        let needs = resource_type::find(&r.resource_type).is_some_and(|t| t.feature.is_some());
        let possible =
            r.possible_owners.is_empty() || r.possible_owners.iter().any(|n| fold(n) == fold(node));
        needs && possible
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
    let mut row = config.row.clone();
    row.features.clear();
    Ok(Change::default()
        .guard(view, "node", &view.nodes, node)
        .put("node", node, &row))
}
