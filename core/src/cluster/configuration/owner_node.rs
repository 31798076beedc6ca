//! Preferred owners of groups, possible owners of resources.

use super::change::Change;
use super::group::nodes;
use super::lookup::{find_group, find_resource};
use crate::cluster::record::fold;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// Sets a group's preferred owners, in order.
///
/// # Errors
/// `GroupNotFound`, `NodeNotFound`.
pub fn set_preferred_owners(view: &View, group: &str, owners: &[String]) -> Result<Change> {
    let mut row = find_group(view, group)?.row.clone();
    row.preferred_owners = nodes(view, owners)?;
    Ok(Change::default()
        .guard(view, "group", &view.groups, group)
        .put("group", group, &row))
}

/// Sets a resource's possible owners; none named means all nodes.
///
/// # Errors
/// `ResourceNotFound`, `NodeNotFound`; `InvalidRequest` when the present owner is not among them.
pub fn set_possible_owners(view: &View, resource: &str, owners: &[String]) -> Result<Change> {
    let mut row = find_resource(view, resource)?.row.clone();
    row.possible_owners = nodes(view, owners)?;
    let owner = view.live_owner(&row.group).map(|o| o.node.clone());
    let allowed = |node: &String| row.possible_owners.iter().any(|n| fold(n) == fold(node));
    if let Some(owner) = owner
        && !row.possible_owners.is_empty()
        && !allowed(&owner)
    {
        let text = format!(
            "{owner} owns group {} now and is not among the possible owners",
            row.group
        );
        return Err(Error::new(ErrorKind::InvalidRequest, text)
            .hint(format!("Move-ClusterGroup {} first", row.group)));
    }
    Ok(Change::default()
        .guard(view, "resource", &view.resources, resource)
        .guard(view, "owner", &view.owners, &row.group)
        .put("resource", resource, &row))
}
