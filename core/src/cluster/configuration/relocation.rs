//! A resource into another group, with everything that is tied to it.

use std::collections::BTreeSet;

use super::change::Change;
use super::lookup::{find_group, find_resource};
use super::resource::{check_single, find_type};
use crate::cluster::dependency::{dependents, providers};
use crate::cluster::record::{ResourceConfig, Retired, fold};
use crate::cluster::resource::ResourceState;
use crate::cluster::resource_type::Requires;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// Moves a resource, and what depends on it or it depends on, to another group; all of them must be offline. Answers what
/// moves, too.
///
/// A message store remembers the highest epoch it has seen and refuses a lower one. Where the new group's is lower, that
/// group must be offline as well: it is then owned anew, with an epoch above both.
///
/// # Errors
/// `ResourceNotFound`, `GroupNotFound`, `ResourceOnline`, `InvalidRequest`.
pub fn move_resource(view: &View, name: &str, group: &str) -> Result<(Change, Vec<String>)> {
    let config = find_resource(view, name)?;
    let (source, target) = (config.group.clone(), find_group(view, group)?.name.clone());
    if fold(&source) == fold(&target) {
        return Ok((Change::default(), Vec::new()));
    }
    let moving = tied(view, &fold(&config.name));
    for member in &moving {
        check_offline(view, member)?;
        let rule = find_type(&view.resources[member].resource_type)?;
        check_single(view, &target, rule)?;
    }
    let mut change = Change::default()
        .touch_group(view, &source)
        .touch_group(view, &target)
        .guard(view, "owner", &view.owners, &source)
        .guard(view, "owner", &view.owners, &target);
    for member in &moving {
        let row = ResourceConfig {
            group: target.clone(),
            ..view.resources[member].row.clone()
        };
        change = change
            .guard(view, "resource", &view.resources, member)
            .put("resource", member, &row)
            .delete("state", member);
    }
    let names = moving.iter().map(|m| view.resource_name(m)).collect();
    Ok((
        above_both(view, change, &moving, (&source, &target))?,
        names,
    ))
}

/// A resource and all that hangs together with it by dependencies, in either direction.
fn tied(view: &View, name: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(next) = open.pop() {
        if all.insert(next.clone()) {
            open.extend(providers(view, &next));
            open.extend(dependents(view, &next));
        }
    }
    all.retain(|member| view.resources.contains_key(member));
    all
}

fn check_offline(view: &View, name: &str) -> Result<()> {
    let state = ResourceState::published(view, name);
    if state == ResourceState::Offline {
        return Ok(());
    }
    let config = find_resource(view, name)?;
    let text = format!(
        "{} is {}, and only what is offline changes its group",
        config.name,
        state.name()
    );
    let hint = format!("Stop-ClusterGroup '{}' first", config.group);
    Err(Error::new(ErrorKind::ResourceOnline, text).hint(hint))
}

fn above_both(
    view: &View,
    change: Change,
    moving: &BTreeSet<String>,
    (source, target): (&str, &str),
) -> Result<Change> {
    let epoch = |group: &str| view.owners.get(&fold(group)).map_or(0, |o| o.epoch);
    let stores = moving.iter().any(|member| {
        find_type(&view.resources[member].resource_type)
            .is_ok_and(|rule| rule.satisfies(Requires::Storage))
    });
    if !stores || epoch(target) >= epoch(source) {
        return Ok(change);
    }
    let down = |(name, _): (&String, &ResourceConfig)| {
        ResourceState::published(view, name) == ResourceState::Offline
    };
    if !view.resources_of(target).all(down) {
        let text = format!(
            "group {target} must be offline to take a disk of {source}: it is owned anew, so that a store on the disk \
             takes its owner for a later one"
        );
        return Err(Error::new(ErrorKind::InvalidRequest, text)
            .hint(format!("Stop-ClusterGroup '{target}' first")));
    }
    let known = view.retired.as_ref().map_or(0, |r| r.epoch);
    let retired = Retired {
        epoch: known.max(epoch(source)).max(epoch(target)),
    };
    Ok(change.delete("owner", target).put_retired(view, retired))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Lab, refused};
    use super::super::{add_dependency, start_group};
    use super::*;

    #[test]
    fn a_resource_moves_with_all_that_is_tied_to_it() {
        let mut lab = Lab::new();
        let (_, moved) = move_resource(&lab.0, "VS1-Name", "VS2").unwrap();
        assert_eq!(moved, ["VS1-IP", "VS1-MSMQ", "VS1-Name"]);
        lab.apply(|v| Ok(move_resource(v, "VS1-Name", "VS2")?.0));
        assert_eq!(lab.0.resources_of("VS2").count(), 3);
        assert_eq!(
            lab.0.resources_of("VS1").count(),
            1,
            "the disk is tied to nothing"
        );
        let (change, moved) = move_resource(&lab.0, "VS1-IP", "VS2").unwrap();
        assert!(change.is_empty() && moved.is_empty(), "it is there");
    }

    #[test]
    fn only_what_is_offline_moves() {
        let mut lab = Lab::new();
        lab.apply(|v| add_dependency(v, "VS1-MSMQ", "VS1-Disk"));
        lab.apply(|v| start_group(v, "VS1"));
        lab.state("VS1-MSMQ", ResourceState::Online.number());
        let refusal = move_resource(&lab.0, "VS1-Disk", "VS2");
        refused(
            refusal,
            ErrorKind::ResourceOnline,
            "Stop-ClusterGroup 'VS1'",
        );
        refused(
            move_resource(&lab.0, "VS1-Disk", "VS9"),
            ErrorKind::GroupNotFound,
            "VS",
        );
    }

    #[test]
    fn a_group_holds_one_queue_manager_wherever_it_comes_from() {
        let mut lab = Lab::new();
        lab.add("VS2-MSMQ", "VS2", "MSMQ", &[], &[]);
        let refusal = move_resource(&lab.0, "VS1-MSMQ", "VS2");
        refused(refusal, ErrorKind::InvalidRequest, "group of its own");
    }

    #[test]
    fn a_store_never_meets_a_lower_epoch() {
        let mut lab = Lab::new();
        lab.own("VS1", "n1", 9);
        lab.own("VS2", "n2", 3);
        lab.apply(|v| Ok(move_resource(v, "VS1-Disk", "VS2")?.0));
        assert!(!lab.0.owners.contains_key("vs2"), "owned anew");
        assert_eq!(lab.0.next_epoch("VS2"), 10);

        let mut lab = Lab::new();
        lab.own("VS1", "n1", 9);
        lab.add(
            "VS2-IP",
            "VS2",
            "IP Address",
            &[("Address", "127.0.9.8")],
            &[],
        );
        lab.state("VS2-IP", ResourceState::Online.number());
        let refusal = move_resource(&lab.0, "VS1-Disk", "VS2");
        refused(
            refusal,
            ErrorKind::InvalidRequest,
            "Stop-ClusterGroup 'VS2'",
        );
        lab.own("VS2", "n2", 12);
        let (change, _) = move_resource(&lab.0, "VS1-Disk", "VS2").unwrap();
        lab.apply(|_| Ok(change.clone()));
        assert_eq!(lab.0.owners["vs2"].epoch, 12, "it is above already");
    }
}
