//! A resource into another group, with everything that is tied to it.

use std::collections::BTreeSet;

use super::change::Change;
use super::epoch;
use super::lookup::{find_group, find_resource};
use super::resource::{check_single, find_type};
use crate::cluster::dependency::{dependents, providers, wanted};
use crate::cluster::record::{ResourceConfig, fold};
use crate::cluster::resource::ResourceState;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// Moves a resource, and what depends on it or it depends on, to another group; all of them must be offline. Answers what
/// moves, too.
///
/// A message store remembers the highest epoch it has seen and refuses a lower one. Where the new group's is not higher, that
/// group must be offline as well: its owner then goes on with an epoch above both.
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
        .guard(view, "owner", &view.owners, &source);
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
    let types = |member: &String| &view.resources[member].resource_type;
    if moving.iter().any(|member| epoch::is_storage(types(member))) {
        change = epoch::raise_above(view, change, &target, epoch::of_group(view, &source))?;
    }
    Ok((change, names))
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

/// What is offline by the word of the owner of the moment, and meant to be. Without an owner a former one may still be ending
/// it, and one that has only just taken the group may be bringing it online: its states are not those of the rows yet.
pub(super) fn check_offline(view: &View, name: &str) -> Result<()> {
    let config = find_resource(view, name)?;
    let group = &config.group;
    let refused =
        |text: String, hint: String| Err(Error::new(ErrorKind::ResourceOnline, text).hint(hint));
    let stop = format!("Stop-ClusterGroup '{group}' first");
    let state = ResourceState::published(view, name);
    if state != ResourceState::Offline || wanted(view, name) {
        let meant = if wanted(view, name) {
            " and meant to be online"
        } else {
            ""
        };
        let text = format!(
            "{} is {}{meant}, and only what is offline changes its group",
            config.name,
            state.name()
        );
        return refused(text, stop);
    }
    let Some(owner) = view.live_owner(group) else {
        let text = format!(
            "no node owns group {group} now, and it is not known that {} is offline",
            config.name
        );
        return refused(
            text,
            format!("Get-ClusterWhy '{group}' says why; wait until it has an owner"),
        );
    };
    // One that was never said anything of was never online.
    if view
        .states
        .get(&fold(name))
        .is_none_or(|said| said.epoch == owner.epoch)
    {
        return Ok(());
    }
    let text = format!(
        "{} has only just taken group {group}, and has not said yet that {} is offline",
        owner.node, config.name
    );
    refused(text, "try again in a moment".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Lab, refused};
    use super::super::{NewGroup, add_dependency, add_group, start_group};
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
    fn offline_is_what_a_living_owner_has_said_and_nobody_means_otherwise() {
        let offline = ResourceState::Offline.number();
        let asked = |lab: &Lab| move_resource(&lab.0, "VS1-Disk", "VS2").map(drop);
        let mut lab = Lab::new();
        lab.state("VS1-Disk", offline);
        asked(&lab).unwrap();
        // It was taken a moment ago: what the rows say is of the owner before.
        lab.own("VS1", "n2", 2);
        refused(
            asked(&lab),
            ErrorKind::ResourceOnline,
            "try again in a moment",
        );
        // Its owner's session is over; it may still be ending what it ran.
        lab.own("VS1", "n9", 3);
        refused(
            asked(&lab),
            ErrorKind::ResourceOnline,
            "wait until it has an owner",
        );
        // It is about to come online.
        let mut lab = Lab::new();
        lab.apply(|v| add_dependency(v, "VS1-MSMQ", "VS1-Disk"));
        lab.apply(|v| start_group(v, "VS1"));
        lab.state("VS1-Disk", offline);
        refused(
            asked(&lab),
            ErrorKind::ResourceOnline,
            "Stop-ClusterGroup 'VS1'",
        );
    }

    #[test]
    fn a_group_holds_one_queue_manager_wherever_it_comes_from() {
        let mut lab = Lab::new();
        lab.add("VS2-MSMQ", "VS2", "MSMQ", &[], &[]);
        let refusal = move_resource(&lab.0, "VS1-MSMQ", "VS2");
        refused(refusal, ErrorKind::InvalidRequest, "group of its own");
    }

    fn new_group(name: &str) -> NewGroup {
        NewGroup {
            name: name.to_owned(),
            ..NewGroup::default()
        }
    }

    #[test]
    fn a_store_never_meets_a_lower_epoch() {
        let mut lab = Lab::new();
        lab.own("VS1", "n1", 9);
        lab.own("VS2", "n2", 3);
        lab.apply(|v| Ok(move_resource(v, "VS1-Disk", "VS2")?.0));
        let owner = &lab.0.owners["vs2"];
        assert_eq!((owner.node.as_str(), owner.epoch), ("n2", 10));
        // A group that was never owned begins above it.
        lab.apply(|v| add_group(v, &new_group("VS3")));
        lab.apply(|v| Ok(move_resource(v, "VS1-Disk", "VS3")?.0));
        assert_eq!(lab.0.next_epoch("VS3"), 11);

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
