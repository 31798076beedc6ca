//! Maintenance mode: the health of a disk is not checked while somebody works on it.

use super::change::Change;
use super::lookup::find_resource;
use super::resource::{find_type, quoted};
use crate::cluster::record::ResourceConfig;
use crate::cluster::resource::ResourceState;
use crate::cluster::resource_type::Class;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// Begins or ends maintenance. It lasts until it is ended: also over a move and a restart.
///
/// # Errors
/// `ResourceNotFound`; `InvalidRequest` for a resource that is no disk; `InvalidState` where it is in that
/// mode already, or is not online when maintenance begins.
pub fn set_maintenance(view: &View, resource: &str, on: bool) -> Result<Change> {
    let config = find_resource(view, resource)?;
    let rule = find_type(&config.resource_type)?;
    if rule.class != Class::Storage {
        let text = format!("{} ({}) has no maintenance mode", config.name, rule.name);
        return Err(Error::new(ErrorKind::InvalidRequest, text)
            .hint("only disks have; Stop-ClusterResource takes any resource offline"));
    }
    if config.maintenance == on {
        let mode = if on {
            "is in maintenance already"
        } else {
            "is not in maintenance"
        };
        return Err(Error::new(
            ErrorKind::InvalidState,
            format!("{} {mode}", config.name),
        ));
    }
    let state = ResourceState::published(view, resource);
    if on && state != ResourceState::Online {
        let text = format!(
            "{} is {}; only an online disk needs it",
            config.name,
            state.name()
        );
        return Err(Error::new(ErrorKind::InvalidState, text)
            .hint(format!("Start-ClusterResource {}", quoted(&config.name))));
    }
    let row = ResourceConfig {
        maintenance: on,
        ..config.row.clone()
    };
    Ok(Change::default()
        .guard(view, "resource", &view.resources, resource)
        .put("resource", resource, &row))
}
