//! Finding objects by name, with advice when there is none.

use crate::cluster::record::{GroupConfig, NodeConfig, ResourceConfig, fold};
use crate::cluster::view::{Table, Versioned, View};
use crate::error::{Error, ErrorKind, Result};
use crate::name::nearest;

/// The group of a name.
///
/// # Errors
/// `GroupNotFound`.
pub fn find_group<'a>(view: &'a View, name: &str) -> Result<&'a Versioned<GroupConfig>> {
    let names = view.groups.values().map(|g| g.name.as_str());
    find(&view.groups, name).ok_or_else(|| {
        unknown(
            ErrorKind::GroupNotFound,
            "group",
            name,
            names,
            "Get-ClusterGroup",
        )
    })
}

/// The resource of a name.
///
/// # Errors
/// `ResourceNotFound`.
pub fn find_resource<'a>(view: &'a View, name: &str) -> Result<&'a Versioned<ResourceConfig>> {
    let names = view.resources.values().map(|r| r.name.as_str());
    find(&view.resources, name).ok_or_else(|| {
        unknown(
            ErrorKind::ResourceNotFound,
            "resource",
            name,
            names,
            "Get-ClusterResource",
        )
    })
}

/// The node of a name.
///
/// # Errors
/// `NodeNotFound`.
pub fn find_node<'a>(view: &'a View, name: &str) -> Result<&'a Versioned<NodeConfig>> {
    let names = view.nodes.values().map(|n| n.name.as_str());
    find(&view.nodes, name).ok_or_else(|| {
        unknown(
            ErrorKind::NodeNotFound,
            "node",
            name,
            names,
            "Get-ClusterNode",
        )
    })
}

fn find<'a, T>(table: &'a Table<T>, name: &str) -> Option<&'a Versioned<T>> {
    table.get(&fold(name))
}

fn unknown<'a>(
    kind: ErrorKind,
    what: &str,
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
    list: &str,
) -> Error {
    let error = Error::new(
        kind,
        format!("there is no {what} named {name:?} in this cluster"),
    );
    error.hint(advice(name, names, list))
}

fn advice<'a>(name: &str, mut names: impl Iterator<Item = &'a str> + Clone, list: &str) -> String {
    match nearest(name, names.clone()) {
        Some(near) => format!("did you mean {near}? {list} shows all"),
        None if names.next().is_none() => "there is none yet".to_owned(),
        None => format!("{list} shows all"),
    }
}
