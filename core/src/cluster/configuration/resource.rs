//! Resources: add, start, stop, dependencies, rehearsed failures.

use std::collections::BTreeMap;

use super::change::Change;
use super::dependency::check_provider;
use super::epoch;
use super::feature::check_installed;
use super::group::nodes;
use super::lookup::{find_group, find_resource};
use super::parameter::check_parameter;
use crate::cluster::dependency::{Expression, unmet};
use crate::cluster::record::{FailRequest, ResourceConfig, RestartPolicy, fold};
use crate::cluster::resource::ResourceState;
use crate::cluster::resource_type::{self, Requires, TYPES, TypeRule};
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::name::check_object_name;
use crate::name::nearest;

/// What a new resource is to be.
#[derive(Clone, Debug, Default)]
pub struct NewResource {
    /// Its name.
    pub name: String,
    /// Its group; empty for the first one that fits, where the type knows one.
    pub group: String,
    /// Its type.
    pub resource_type: String,
    /// Private properties.
    pub parameters: Vec<(String, String)>,
    /// What it needs.
    pub depends_on: Vec<String>,
    /// The only nodes that may own it.
    pub possible_owners: Vec<String>,
    /// What happens when it fails.
    pub policy: RestartPolicy,
}

/// Adds a resource; it starts offline.
///
/// # Errors
/// `ObjectAlreadyExists`, `GroupNotFound`, `ResourceTypeNotFound`, `InvalidParameter`, `InvalidRequest`,
/// `ResourceNotFound`, `AddressInUse`.
pub fn add_resource(view: &View, new: &NewResource) -> Result<Change> {
    check_object_name("resource", &new.name)?;
    if let Some(there) = view.resources.get(&fold(&new.name)) {
        let text = format!(
            "a resource named {} exists already, in group {}",
            there.name, there.group
        );
        return Err(Error::new(ErrorKind::ObjectAlreadyExists, text).hint("use another name"));
    }
    let rule = find_type(&new.resource_type)?;
    check_single(view, &new.group, rule)?;
    check_installed(view, rule)?;
    let group = place(view, new, rule)?;
    let mut parameters = BTreeMap::new();
    for (name, value) in &new.parameters {
        let known = check_parameter(view, rule, &new.name, name, value)?;
        parameters.insert(known, value.trim().to_owned());
    }
    let mut depends_on = Vec::new();
    for provider in &new.depends_on {
        let provider = check_provider(view, &new.name, &group, provider)?;
        if !depends_on.contains(&provider) {
            depends_on.push(provider);
        }
    }
    let config = ResourceConfig {
        name: new.name.clone(),
        group: group.clone(),
        resource_type: rule.spelled(&new.resource_type),
        parameters,
        depends_on: Expression::each(depends_on),
        possible_owners: nodes(view, &new.possible_owners)?,
        policy: new.policy,
        persistent_online: false,
        maintenance: false,
    };
    let alone = match rule.single_cluster_instance {
        // Two of them added at once, into two groups, meet at each group's row.
        true => view
            .groups
            .keys()
            .fold(Change::default(), |change, g| change.touch_group(view, g)),
        false => Change::default(),
    };
    let change = alone
        .guard(view, "resource", &view.resources, &new.name)
        .touch_group(view, &group)
        .put("resource", &new.name, &config);
    if rule.satisfies(Requires::Storage) {
        let seen = epoch::retired(view);
        return epoch::raise_above(view, change.guard_retired(view), &group, seen);
    }
    Ok(change)
}

/// The group of a new resource: the one that is named, or the first one that holds what the type needs.
fn place(view: &View, new: &NewResource, rule: &TypeRule) -> Result<String> {
    let holds = |group: &str, needed: &Requires| {
        view.resources_of(group).any(|(_, r)| {
            resource_type::find(&r.resource_type).is_some_and(|t| t.satisfies(*needed))
        })
    };
    if !new.group.is_empty() {
        let group = find_group(view, &new.group)?;
        let lacking = rule
            .group_holds
            .iter()
            .find(|needed| !holds(&group.name, needed));
        let Some(lacking) = lacking else {
            return Ok(group.name.clone());
        };
        let (name, needs) = (&group.name, lacking.name());
        let text = format!(
            "group {name} has no {needs}; a {} needs a group with an IP Address, a Network Name and a \
             Physical Disk",
            rule.name
        );
        return Err(
            Error::new(ErrorKind::DependencyNotFound, text).hint(format!(
                "Add-ClusterResource NAME {} '{needs}'",
                quoted(name)
            )),
        );
    }
    let fits = |group: &str| rule.group_holds.iter().all(|needed| holds(group, needed));
    let first = view
        .groups
        .iter()
        .find(|(name, _)| rule.single_cluster_instance && fits(name));
    first.map(|(_, group)| group.name.clone()).ok_or_else(|| {
        let text = match rule.single_cluster_instance {
            true => format!(
                "no group has the IP Address, Network Name and Physical Disk that a {} needs",
                rule.name
            ),
            false => format!("no group is named for {}", new.name),
        };
        Error::new(ErrorKind::GroupNotFound, text)
            .hint("Add-ClusterGroup NAME makes one; -Group NAME names one")
    })
}

pub(super) fn find_type(name: &str) -> Result<&'static TypeRule> {
    resource_type::find(name).ok_or_else(|| {
        let known: Vec<_> = TYPES.iter().map(|t| t.name).collect();
        let near = nearest(name, known.iter().copied());
        let text = format!("there is no resource type {name:?}");
        Error::new(ErrorKind::ResourceTypeNotFound, text).hint(match near {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("the types are {}, and ocf:PROVIDER:AGENT", known.join(", ")),
        })
    })
}

pub(super) fn check_single(view: &View, group: &str, rule: &TypeRule) -> Result<()> {
    let alike = |r: &ResourceConfig| {
        let here = rule.single_group_instance && fold(&r.group) == fold(group);
        r.resource_type == rule.name && (here || rule.single_cluster_instance)
    };
    let Some(other) = view.resources.values().find(|r| alike(r)) else {
        return Ok(());
    };
    if rule.single_cluster_instance {
        let text = format!(
            "the cluster has its {} already: {} in group {}",
            rule.name, other.name, other.group
        );
        return Err(Error::new(ErrorKind::InvalidRequest, text)
            .hint("there is one in a cluster, and it serves all groups"));
    }
    let text = format!(
        "group {group} has a resource of type {} already: {}",
        rule.name, other.name
    );
    Err(Error::new(ErrorKind::InvalidRequest, text).hint(format!(
        "a group holds at most one; put the second one into a group of its own: Add-ClusterGroup {group}-2"
    )))
}

/// What a resource needs before it can come online.
pub(super) fn check_startable(view: &View, name: &str) -> Result<()> {
    let config = find_resource(view, name)?;
    if let Some(missing) = unmet(view, name).first() {
        return Err(missing_dependency(view, config, *missing));
    }
    let rule = find_type(&config.resource_type)?;
    let missing = rule
        .parameters
        .iter()
        .find(|p| p.required && !config.parameters.contains_key(p.name));
    if let Some(parameter) = missing {
        let text = format!(
            "{} ({}) needs the property {}",
            config.name, rule.name, parameter.name
        );
        return Err(Error::new(ErrorKind::InvalidParameter, text).hint(format!(
            "Set-ClusterParameter {} {} VALUE",
            quoted(&config.name),
            parameter.name
        )));
    }
    Ok(())
}

fn missing_dependency(view: &View, config: &ResourceConfig, missing: Requires) -> Error {
    let (name, needs) = (&config.name, missing.name());
    let text = format!(
        "{name} ({}) must depend on a resource of type {needs}",
        config.resource_type
    );
    let there = view
        .resources_of(&config.group)
        .find(|(_, r)| resource_type::find(&r.resource_type).is_some_and(|t| t.satisfies(missing)));
    let hint = match there {
        Some((_, provider)) => format!(
            "Add-ClusterResourceDependency {} {}",
            quoted(name),
            quoted(&provider.name)
        ),
        None => format!(
            "Add-ClusterResource NAME {} '{needs}', then Add-ClusterResourceDependency {} NAME",
            quoted(&config.group),
            quoted(name)
        ),
    };
    Error::new(ErrorKind::DependencyNotFound, text).hint(hint)
}

/// A name as it is typed.
pub(super) fn quoted(name: &str) -> String {
    match name.contains(' ') {
        true => format!("'{name}'"),
        false => name.to_owned(),
    }
}

/// Means a resource, and what it needs, to be online. An alternative that cannot be started is left
/// alone as long as another can.
///
/// # Errors
/// `ResourceNotFound`, `DependencyNotFound`, `InvalidParameter`.
pub fn start_resource(view: &View, name: &str) -> Result<Change> {
    let start = fold(&find_resource(view, name)?.name);
    let mut names = Vec::new();
    collect_startable(view, &start, &mut names)?;
    names.iter().try_fold(Change::default(), |change, name| {
        mean(view, change, name, true)
    })
}

/// A resource and what it needs, providers first, each once.
fn collect_startable(view: &View, name: &str, names: &mut Vec<String>) -> Result<()> {
    if names.iter().any(|n| n == name) {
        return Ok(());
    }
    check_startable(view, name)?;
    let mut refused = None;
    let depends_on = &find_resource(view, name)?.depends_on;
    let mut startable = Vec::new();
    for provider in depends_on.iter() {
        let mut with = names.clone();
        match collect_startable(view, &fold(provider), &mut with) {
            Ok(()) => {
                *names = with;
                startable.push(fold(provider));
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    match refused {
        Some(error) if !depends_on.holds(&mut |p| startable.iter().any(|s| s == p)) => Err(error),
        _ => {
            names.push(name.to_owned());
            Ok(())
        }
    }
}

/// Means a resource to be offline; those that depend on it go offline with it, and come back with it.
///
/// # Errors
/// `ResourceNotFound`.
pub fn stop_resource(view: &View, name: &str) -> Result<Change> {
    mean(view, Change::default(), name, false)
}

pub(super) fn mean(view: &View, change: Change, name: &str, online: bool) -> Result<Change> {
    let config = ResourceConfig {
        persistent_online: online,
        ..find_resource(view, name)?.row.clone()
    };
    Ok(change
        .guard(view, "resource", &view.resources, name)
        .put("resource", name, &config))
}

/// Asks the owner to let a resource fail. `id` must be unique.
///
/// # Errors
/// `ResourceNotFound`; `ResourceNotAvailable` unless it is online.
pub fn fail_resource(view: &View, name: &str, id: &str) -> Result<Change> {
    let config = find_resource(view, name)?;
    let state = ResourceState::published(view, name);
    let owner = view.live_owner(&config.group);
    let (Some(owner), ResourceState::Online) = (owner, state) else {
        let text = format!(
            "{} is {}; only an online resource can fail",
            config.name,
            state.name()
        );
        return Err(Error::new(ErrorKind::ResourceNotAvailable, text)
            .hint(format!("Start-ClusterResource {}", quoted(&config.name))));
    };
    let request = FailRequest {
        id: id.to_owned(),
        epoch: owner.epoch,
    };
    Ok(Change::default()
        .guard(view, "owner", &view.owners, &config.group)
        .put("fail", name, &request))
}
