//! Private properties.

use super::change::Change;
use super::lookup::find_resource;
use crate::cluster::dependency::all_dependents;
use crate::cluster::record::{ResourceConfig, fold};
use crate::cluster::resource_type::{self, Parameter, TypeRule};
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
    let rule = resource_type::find(&config.resource_type).ok_or_else(|| {
        let text = format!(
            "this version does not know the type {:?}",
            config.resource_type
        );
        Error::new(ErrorKind::ResourceTypeNotFound, text)
    })?;
    let parameter = check_parameter(view, rule, resource, name, value)?;
    check_mutable(view, config, parameter, value)?;
    let mut row = config.row.clone();
    row.parameters
        .insert(parameter.name.to_owned(), value.to_owned());
    Ok(Change::default()
        .guard(view, "resource", &view.resources, resource)
        .put("resource", resource, &row))
}

/// The property of a type, with a value that fits it and that nobody else uses.
pub(super) fn check_parameter(
    view: &View,
    rule: &TypeRule,
    resource: &str,
    name: &str,
    value: &str,
) -> Result<&'static Parameter> {
    let Some(parameter) = rule.parameter(name) else {
        return Err(unknown_parameter(rule, resource, name));
    };
    if value.trim().is_empty() {
        let text = format!("{} of {resource} cannot be empty", parameter.name);
        return Err(Error::new(ErrorKind::InvalidParameter, text));
    }
    if parameter.number && value.trim().parse::<u32>().is_err() {
        let text = format!(
            "{} of {resource} is a whole number, not {value:?}",
            parameter.name
        );
        return Err(Error::new(ErrorKind::InvalidParameter, text));
    }
    check_form(rule, resource, parameter, value)?;
    check_unused(view, rule, resource, parameter, value)?;
    Ok(parameter)
}

/// A slip in an address or a path is told now, and not when the resource shall come online.
fn check_form(rule: &TypeRule, resource: &str, parameter: &Parameter, value: &str) -> Result<()> {
    let (fits, form) = match (rule.name, parameter.name) {
        ("IP Address", "Address") => {
            let address = value.trim().parse::<std::net::IpAddr>();
            (
                address.is_ok_and(|a| !a.is_unspecified() && !a.is_multicast()),
                "an address, such as 10.0.0.100, fd00::100 or 127.0.9.1",
            )
        }
        ("MSMQ", "MetricsPort") => (
            value.trim().parse::<u16>().is_ok(),
            "a TCP port at which the counters are had, such as 9464; 0 for none",
        ),
        ("Physical Disk", "DiskPath") => (
            value.trim().starts_with('/'),
            "a folder's path from the root, such as /srv/vs1",
        ),
        _ => return Ok(()),
    };
    if fits {
        return Ok(());
    }
    let text = format!("{} of {resource} cannot be {value:?}", parameter.name);
    Err(Error::new(ErrorKind::InvalidParameter, text).hint(format!("give {form}")))
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
    parameter: &Parameter,
    value: &str,
) -> Result<()> {
    let kind = match (rule.name, parameter.name) {
        ("IP Address", "Address") => ErrorKind::AddressInUse,
        ("Network Name", "Name") | ("Physical Disk", "DiskPath") => ErrorKind::ObjectAlreadyExists,
        _ => return Ok(()),
    };
    let plain = |text: &str| text.trim().trim_end_matches('/').to_lowercase();
    let other = view.resources.iter().find(|(name, r)| {
        **name != fold(resource)
            && r.resource_type == rule.name
            && r.parameters
                .get(parameter.name)
                .is_some_and(|v| plain(v) == plain(value))
    });
    let Some((_, other)) = other else {
        return Ok(());
    };
    let text = format!(
        "{} {value} is used by {} in group {}",
        parameter.name, other.name, other.group
    );
    Err(Error::new(kind, text).hint("choose another; each virtual server has its own"))
}

/// The disk and the name of a queue manager cannot change under it: its messages would stay behind.
fn check_mutable(
    view: &View,
    config: &ResourceConfig,
    parameter: &Parameter,
    value: &str,
) -> Result<()> {
    let same = config
        .parameters
        .get(parameter.name)
        .is_none_or(|old| old == value);
    if !parameter.immutable || same {
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
        "{} of {} cannot change: the messages of {} are stored under it",
        parameter.name, config.name, queue_manager.name
    );
    Err(Error::new(ErrorKind::InvalidRequest, text).hint(format!(
        "Remove-ClusterResource {} first; its messages stay on the old disk",
        queue_manager.name
    )))
}
