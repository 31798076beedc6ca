//! Removing resources: offline first, dependents with them.

use std::collections::BTreeSet;

use super::change::Change;
use super::checkpoint::forget_checkpoints;
use super::epoch;
use super::lookup::find_resource;
use super::resource::mean;
use crate::cluster::record::{ResourceConfig, fold};
use crate::cluster::resource::ResourceState;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// The resource and all that cannot be without it; who has an alternative stays.
fn doomed(view: &View, name: &str) -> Result<BTreeSet<String>> {
    let mut list = BTreeSet::from([fold(&find_resource(view, name)?.name)]);
    loop {
        let lost = |r: &ResourceConfig| !r.depends_on.holds(&mut |p| !list.contains(p));
        let more: Vec<String> = view
            .resources
            .iter()
            .filter(|(name, r)| !list.contains(*name) && lost(r))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return Ok(list);
        }
        list.extend(more);
    }
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
    let doomed = doomed(view, name)?;
    let types = |member: &String| &view.resources[member].resource_type;
    if doomed.iter().any(|member| epoch::is_storage(types(member))) {
        change = epoch::retire(view, change, epoch::of_group(view, &group));
    }
    for (name, config) in view.resources_of(&group) {
        if !doomed.contains(name) && config.depends_on.iter().any(|p| doomed.contains(&fold(p))) {
            let row = ResourceConfig {
                depends_on: config.depends_on.without(&|p| doomed.contains(p)),
                ..config.clone()
            };
            change = change
                .guard(view, "resource", &view.resources, name)
                .put("resource", name, &row);
        }
    }
    for name in doomed {
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
        change = forget_checkpoints(change, view, &name);
    }
    Ok(change)
}
