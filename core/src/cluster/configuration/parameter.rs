//! Private properties.

use super::change::Change;
use super::lookup::find_resource;
use super::resource::{find_type, quoted};
use crate::cluster::dependency::all_dependents;
use crate::cluster::record::{ResourceConfig, fold};
use crate::cluster::resource_type::{Form, Parameter, TypeRule};
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::name::nearest;

/// Takes `Name=Value` apart.
///
/// # Errors
/// `InvalidParameter`.
pub fn parse_pair(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => {
            let text = format!("{text:?} is no private property");
            Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint("write Name=Value, for example Address=127.0.9.1"))
        }
    }
}

/// Sets a private property; it takes effect the next time the resource comes online.
///
/// # Errors
/// `ResourceNotFound`, `InvalidParameter`, `InvalidRequest`, `AddressInUse`, `ObjectAlreadyExists`.
pub fn set_parameter(view: &View, resource: &str, name: &str, value: &str) -> Result<Change> {
    let config = find_resource(view, resource)?;
    let rule = find_type(&config.resource_type)?;
    let known = check_parameter(view, rule, resource, name, value)?;
    check_mutable(view, config, rule, &known, value)?;
    let mut row = config.row.clone();
    row.parameters.insert(known, value.trim().to_owned());
    Ok(Change::default()
        .guard(view, "resource", &view.resources, resource)
        .put("resource", resource, &row))
}

/// Takes a private property back to its default.
///
/// # Errors
/// `ResourceNotFound`, `InvalidParameter`, `InvalidRequest`.
pub fn delete_parameter(view: &View, resource: &str, name: &str) -> Result<Change> {
    let config = find_resource(view, resource)?;
    let rule = find_type(&config.resource_type)?;
    let set = config
        .parameters
        .keys()
        .find(|n| n.eq_ignore_ascii_case(name));
    let Some(set) = set else {
        let text = format!("{name} of {} is not set", config.name);
        return Err(Error::new(ErrorKind::InvalidParameter, text)
            .hint(format!("Get-ClusterParameter {}", quoted(&config.name))));
    };
    if rule.parameter(set).is_some_and(|p| p.required) {
        let text = format!("{} ({}) cannot be without {set}", config.name, rule.name);
        return Err(Error::new(ErrorKind::InvalidParameter, text).hint(format!(
            "Set-ClusterParameter {} {set} VALUE",
            quoted(&config.name)
        )));
    }
    check_mutable(view, config, rule, set, "")?;
    let mut row = config.row.clone();
    row.parameters.remove(set);
    Ok(Change::default()
        .guard(view, "resource", &view.resources, resource)
        .put("resource", resource, &row))
}

/// The name of a property of a type, with a value that fits it and that nobody else uses.
pub(super) fn check_parameter(
    view: &View,
    rule: &TypeRule,
    resource: &str,
    name: &str,
    value: &str,
) -> Result<String> {
    let Some(parameter) = rule.parameter(name) else {
        return match rule.open_parameters {
            true => check_open(resource, name, value),
            false => Err(unknown_parameter(rule, resource, name)),
        };
    };
    if value.trim().is_empty() {
        let text = format!("{} of {resource} cannot be empty", parameter.name);
        return Err(Error::new(ErrorKind::InvalidParameter, text)
            .hint("Set-ClusterParameter … -Delete takes it back to its default"));
    }
    if let Some(form) = parameter.complaint(value) {
        let text = format!("{} of {resource} cannot be {value:?}", parameter.name);
        return Err(Error::new(ErrorKind::InvalidParameter, text).hint(format!("give {form}")));
    }
    check_unused(view, rule, resource, parameter.name, value)?;
    Ok(parameter.name.to_owned())
}

/// A property that only the agent's own description knows: here only that it can be one.
fn check_open(resource: &str, name: &str, value: &str) -> Result<String> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    let is_name = (1..=64).contains(&name.len()) && name.bytes().all(known);
    let any = Parameter {
        name: "",
        about: "",
        form: Form::Text,
        required: false,
        immutable: false,
    };
    if is_name && any.complaint(value).is_none() {
        return Ok(name.to_owned());
    }
    let text = format!("{name:?} of {resource} cannot be {value:?}");
    Err(Error::new(ErrorKind::InvalidParameter, text)
        .hint("names have letters, digits, _ - and .; values are one line of at most 64 KiB"))
}

fn unknown_parameter(rule: &TypeRule, resource: &str, name: &str) -> Error {
    if name.eq_ignore_ascii_case("Name") {
        let text = format!("{resource} ({}) cannot be renamed", rule.name);
        return Error::new(ErrorKind::InvalidRequest, text)
            .hint("remove it and add it again under the new name");
    }
    let known: Vec<_> = rule.parameters.iter().map(|p| p.name).collect();
    let text = format!("{resource} ({}) has no property {name:?}", rule.name);
    let near = nearest(name, known.iter().copied());
    Error::new(ErrorKind::InvalidParameter, text).hint(match near {
        Some(near) => format!("did you mean {near}? it has {}", known.join(", ")),
        None => format!("it has {}", known.join(", ")),
    })
}

/// An address, a network name and a disk belong to one resource each.
fn check_unused(
    view: &View,
    rule: &TypeRule,
    resource: &str,
    parameter: &str,
    value: &str,
) -> Result<()> {
    let kind = match (rule.name, parameter) {
        ("IP Address", "Address") => ErrorKind::AddressInUse,
        ("Network Name", "Name") | ("Physical Disk", "DiskPath" | "Device") => {
            ErrorKind::ObjectAlreadyExists
        }
        _ => return Ok(()),
    };
    let plain = |text: &str| text.trim().trim_end_matches('/').to_lowercase();
    let other = view.resources.iter().find(|(name, r)| {
        **name != fold(resource)
            && r.resource_type == rule.name
            && r.parameters
                .get(parameter)
                .is_some_and(|v| plain(v) == plain(value))
    });
    let Some((_, other)) = other else {
        return Ok(());
    };
    let text = format!(
        "{parameter} {value} is used by {} in group {}",
        other.name, other.group
    );
    Err(Error::new(kind, text).hint("choose another; each virtual server has its own"))
}

/// The disk and the name of a queue manager cannot change under it: its messages would stay behind.
fn check_mutable(
    view: &View,
    config: &ResourceConfig,
    rule: &TypeRule,
    parameter: &str,
    value: &str,
) -> Result<()> {
    let immutable = rule.parameter(parameter).is_some_and(|p| p.immutable);
    let same = match config.parameters.get(parameter) {
        Some(old) => old == value.trim(),
        // A disk that becomes a device is another disk; a name that is given where it was the default too.
        None => parameter != "Device",
    };
    if !immutable || same {
        return Ok(());
    }
    let above = all_dependents(view, &config.name)
        .into_iter()
        .filter_map(|name| view.resources.get(&name))
        .find(|r| r.resource_type == "MSMQ");
    let Some(queue_manager) = above else {
        return Ok(());
    };
    let text = format!(
        "{parameter} of {} cannot change: the messages of {} are stored under it",
        config.name, queue_manager.name
    );
    Err(Error::new(ErrorKind::InvalidRequest, text).hint(format!(
        "Remove-ClusterResource {} first; its messages stay on the old disk",
        queue_manager.name
    )))
}
