//! Resources: add, start, stop, dependencies, rehearsed failures.

use std::collections::BTreeMap;

use super::change::Change;
use super::group::nodes;
use super::lookup::{find_group, find_resource};
use super::parameter::check_parameter;
use crate::cluster::dependency::{all_providers, unmet, would_cycle};
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
    /// Its group.
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
    let group = find_group(view, &new.group)?.name.clone();
    let rule = find_type(&new.resource_type)?;
    check_single(view, &group, rule)?;
    let mut parameters = BTreeMap::new();
    for (name, value) in &new.parameters {
        let known = check_parameter(view, rule, &new.name, name, value)?;
        parameters.insert(known.name.to_owned(), value.clone());
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
        resource_type: rule.name.to_owned(),
        parameters,
        depends_on,
        possible_owners: nodes(view, &new.possible_owners)?,
        policy: new.policy,
        persistent_online: false,
    };
    Ok(Change::default()
        .guard(view, "resource", &view.resources, &new.name)
        .touch_group(view, &group)
        .put("resource", &new.name, &config))
}

fn find_type(name: &str) -> Result<&'static TypeRule> {
    resource_type::find(name).ok_or_else(|| {
        let known: Vec<_> = TYPES.iter().map(|t| t.name).collect();
        let near = nearest(name, known.iter().copied());
        let text = format!("there is no resource type {name:?}");
        Error::new(ErrorKind::ResourceTypeNotFound, text).hint(match near {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("the types are {}", known.join(", ")),
        })
    })
}

fn check_single(view: &View, group: &str, rule: &TypeRule) -> Result<()> {
    let other = view
        .resources_of(group)
        .find(|(_, r)| rule.single_group_instance && r.resource_type == rule.name);
    let Some((_, other)) = other else {
        return Ok(());
    };
    let text = format!(
        "group {group} has a resource of type {} already: {}",
        rule.name, other.name
    );
    Err(Error::new(ErrorKind::InvalidRequest, text).hint(format!(
        "a group holds at most one; put the second one into a group of its own: Add-ClusterGroup {group}-2"
    )))
}

/// A provider must be in the same group.
fn check_provider(view: &View, resource: &str, group: &str, provider: &str) -> Result<String> {
    let found = find_resource(view, provider)?;
    if fold(&found.group) == fold(group) {
        return Ok(found.name.clone());
    }
    let text = format!(
        "{resource} (group {group}) cannot depend on {}, which is in group {}",
        found.name, found.group
    );
    Err(Error::new(ErrorKind::InvalidParameter, text)
        .hint("a resource depends on resources of its own group, because groups move on their own"))
}

/// Makes a resource depend on another.
///
/// # Errors
/// `ResourceNotFound`, `InvalidParameter`, `DependencyAlreadyExists`, `CircularDependency`, `ResourceOnline`.
pub fn add_dependency(view: &View, resource: &str, provider: &str) -> Result<Change> {
    let config = find_resource(view, resource)?;
    let provider = check_provider(view, &config.name, &config.group, provider)?;
    if config.depends_on.iter().any(|p| fold(p) == fold(&provider)) {
        let text = format!("{} depends on {provider} already", config.name);
        return Err(Error::new(ErrorKind::DependencyAlreadyExists, text));
    }
    if would_cycle(view, resource, &provider) {
        let text = match fold(resource) == fold(&provider) {
            true => format!("{provider} cannot depend on itself"),
            false => format!(
                "{provider} depends on {} already, directly or not",
                config.name
            ),
        };
        return Err(Error::new(ErrorKind::CircularDependency, text));
    }
    let state = ResourceState::published(view, resource);
    let up = ResourceState::published(view, &provider) == ResourceState::Online;
    if state.is_pending() || (state == ResourceState::Online && !up) {
        let text = format!(
            "{} is {} and {provider} is not online",
            config.name,
            state.name()
        );
        return Err(Error::new(ErrorKind::ResourceOnline, text)
            .hint(format!("Stop-ClusterResource {} first", config.name)));
    }
    let mut row = config.row.clone();
    row.depends_on.push(provider);
    Ok(Change::default()
        .guard(view, "resource", &view.resources, resource)
        .touch_group(view, &config.group)
        .put("resource", resource, &row))
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
fn quoted(name: &str) -> String {
    match name.contains(' ') {
        true => format!("'{name}'"),
        false => name.to_owned(),
    }
}

/// Means a resource, and what it needs, to be online.
///
/// # Errors
/// `ResourceNotFound`, `DependencyNotFound`, `InvalidParameter`.
pub fn start_resource(view: &View, name: &str) -> Result<Change> {
    let start = fold(&find_resource(view, name)?.name);
    let mut change = Change::default();
    for name in all_providers(view, &start).into_iter().chain([start]) {
        check_startable(view, &name)?;
        change = mean(view, change, &name, true)?;
    }
    Ok(change)
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
