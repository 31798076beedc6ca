//! Dependencies: add, remove, set as an expression.

use super::change::Change;
use super::lookup::find_resource;
use crate::cluster::dependency::{Expression, would_cycle};
use crate::cluster::record::{ResourceConfig, fold};
use crate::cluster::resource::ResourceState;
use crate::cluster::view::{Versioned, View};
use crate::error::{Error, ErrorKind, Result};

/// A provider must be in the same group.
pub(super) fn check_provider(
    view: &View,
    resource: &str,
    group: &str,
    provider: &str,
) -> Result<String> {
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

/// Makes a resource depend on another, beside all it depends on already.
///
/// # Errors
/// `ResourceNotFound`, `InvalidParameter`, `DependencyAlreadyExists`, `CircularDependency`, `ResourceOnline`.
pub fn add_dependency(view: &View, resource: &str, provider: &str) -> Result<Change> {
    let config = find_resource(view, resource)?;
    let provider = check_provider(view, &config.name, &config.group, provider)?;
    if config.depends_on.names(&provider) {
        let text = format!("{} depends on {provider} already", config.name);
        return Err(Error::new(ErrorKind::DependencyAlreadyExists, text));
    }
    let more = Expression::Resource(provider);
    let all = Expression::all([config.depends_on.clone(), more]);
    change_to(view, config, all)
}

/// Ends a dependency; where it was one of alternatives the others stay.
///
/// # Errors
/// `ResourceNotFound`; `DependencyNotFound` when there is none; `ResourceOnline`.
pub fn remove_dependency(view: &View, resource: &str, provider: &str) -> Result<Change> {
    let config = find_resource(view, resource)?;
    if !config.depends_on.names(provider) {
        let text = format!("{} does not depend on {provider}", config.name);
        return Err(
            Error::new(ErrorKind::DependencyNotFound, text).hint(format!(
                "Get-ClusterResourceDependency '{}' shows what it depends on",
                config.name
            )),
        );
    }
    let gone = fold(provider);
    let rest = config.depends_on.without(&|name| name == gone);
    change_to(view, config, rest)
}

/// Sets all that a resource depends on; an empty expression ends all dependencies.
///
/// # Errors
/// `ResourceNotFound`; `InvalidParameter`, `DependencyAlreadyExists` for an expression that is none;
/// `CircularDependency`, `ResourceOnline`.
pub fn set_dependency(view: &View, resource: &str, expression: &str) -> Result<Change> {
    let config = find_resource(view, resource)?;
    let parsed = Expression::parse(expression)?;
    let spell = |name: &str| check_provider(view, &config.name, &config.group, name);
    change_to(view, config, parsed.spelled(&spell)?)
}

fn change_to(
    view: &View,
    config: &Versioned<ResourceConfig>,
    depends_on: Expression,
) -> Result<Change> {
    for provider in depends_on.iter() {
        check_cycle(view, &config.name, provider)?;
    }
    check_state(view, config, &depends_on)?;
    let row = ResourceConfig {
        depends_on,
        ..config.row.clone()
    };
    Ok(Change::default()
        .guard(view, "resource", &view.resources, &config.name)
        .touch_group(view, &config.group)
        .put("resource", &config.name, &row))
}

fn check_cycle(view: &View, resource: &str, provider: &str) -> Result<()> {
    if !would_cycle(view, resource, provider) {
        return Ok(());
    }
    let text = match fold(resource) == fold(provider) {
        true => format!("{provider} cannot depend on itself"),
        false => format!("{provider} depends on {resource} already, directly or not"),
    };
    Err(Error::new(ErrorKind::CircularDependency, text))
}

/// A resource that is online must not come to depend on what is not.
fn check_state(view: &View, config: &ResourceConfig, depends_on: &Expression) -> Result<()> {
    let state = ResourceState::published(view, &config.name);
    let online = |p: &str| ResourceState::published(view, p) == ResourceState::Online;
    let carried = depends_on.holds(&mut |p| online(p));
    if !state.is_pending() && (state != ResourceState::Online || carried) {
        return Ok(());
    }
    let lacks = depends_on.iter().find(|p| !online(p));
    let text = match lacks {
        Some(provider) if !carried => {
            format!(
                "{} is {} and {provider} is not online",
                config.name,
                state.name()
            )
        }
        _ => format!("{} is {}", config.name, state.name()),
    };
    Err(Error::new(ErrorKind::ResourceOnline, text)
        .hint(format!("Stop-ClusterResource {} first", config.name)))
}
