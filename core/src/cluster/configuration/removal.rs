//! Removing resources: offline first, dependents with them.

use super::change::Change;
use super::lookup::find_resource;
use super::resource::mean;
use crate::cluster::dependency::all_dependents;
use crate::cluster::record::fold;
use crate::cluster::resource::ResourceState;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// The resource and all that depends on it.
fn doomed(view: &View, name: &str) -> Result<Vec<String>> {
    let name = fold(&find_resource(view, name)?.name);
    let mut list: Vec<String> = all_dependents(view, &name).into_iter().collect();
    list.push(name);
    Ok(list)
}

/// Means a resource and its dependents to be offline, for good.
///
/// # Errors
/// `ResourceNotFound`.
pub fn stop_for_removal(view: &View, name: &str) -> Result<Change> {
    let mut change = Change::default();
    for name in doomed(view, name)? {
        if find_resource(view, &name)?.persistent_online {
            change = mean(view, change, &name, false)?;
        }
    }
    Ok(change)
}

/// Removes a resource and its dependents, which must be offline.
///
/// # Errors
/// `ResourceNotFound`; `ResourceOnline`.
pub fn remove_resource(view: &View, name: &str) -> Result<Change> {
    let group = find_resource(view, name)?.group.clone();
    let mut change =
        Change::default()
            .touch_group(view, &group)
            .guard(view, "owner", &view.owners, &group);
    for name in doomed(view, name)? {
        let config = find_resource(view, &name)?;
        let state = ResourceState::published(view, &name);
        if state != ResourceState::Offline && state != ResourceState::Failed {
            let text = format!("{} is {}", config.name, state.name());
            return Err(Error::new(ErrorKind::ResourceOnline, text)
                .hint(format!("Stop-ClusterResource {} first", config.name)));
        }
        change = change
            .guard(view, "resource", &view.resources, &name)
            .delete("resource", &name)
            .delete("state", &name)
            .delete("failures", &name)
            .delete("fail", &name);
    }
    Ok(change)
}
