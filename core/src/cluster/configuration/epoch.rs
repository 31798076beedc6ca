//! Epochs that storage has seen: a message store remembers the highest one and refuses a lower, and an equal one would be
//! two owners at once. So wherever storage goes, the group there must be above where it came from.
//!
//! ```text
//!  moved from a group      above the epoch of that group
//!  removed, added again    above /retired, which removal raises to the epoch of the group
//! ```

use super::change::Change;
use super::relocation::check_offline;
use super::resource::find_type;
use crate::cluster::record::{Owner, Retired, fold};
use crate::cluster::resource_type::Requires;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// Whether a resource of this type is storage, which remembers epochs.
pub(super) fn is_storage(resource_type: &str) -> bool {
    find_type(resource_type).is_ok_and(|rule| rule.satisfies(Requires::Storage))
}

/// The epoch of the group's owner; 0 if it never had one.
pub(super) fn of_group(view: &View, group: &str) -> u64 {
    view.owners.get(&fold(group)).map_or(0, |o| o.epoch)
}

/// The highest that was given to what is gone.
pub(super) fn retired(view: &View) -> u64 {
    view.retired.as_ref().map_or(0, |r| r.epoch)
}

/// What goes has seen this epoch, and may come back anywhere.
pub(super) fn retire(view: &View, change: Change, epoch: u64) -> Change {
    if epoch > retired(view) {
        change.put_retired(view, Retired { epoch })
    } else {
        change
    }
}

/// Sees to it that the group's next start is above `seen`, which storage that comes into it may have met. A group that is
/// not above it already must be offline: its owner goes on with a higher epoch.
///
/// # Errors
/// `InvalidRequest` when it is not offline.
pub(super) fn raise_above(view: &View, change: Change, group: &str, seen: u64) -> Result<Change> {
    let change = change.guard(view, "owner", &view.owners, group);
    if of_group(view, group) > seen {
        return Ok(change);
    }
    let Some(owner) = view.owners.get(&fold(group)) else {
        return Ok(retire(view, change, seen));
    };
    for (name, _) in view.resources_of(group) {
        check_offline(view, name).map_err(|error| {
            let text = format!(
                "storage that may have seen epoch {seen} comes into group {group}, whose epoch is {}: the group must be \
                 offline, so that its owner goes on with a higher one; {}",
                owner.epoch, error.message
            );
            Error::new(ErrorKind::InvalidRequest, text).hint(format!(
                "Stop-ClusterGroup '{group}' first, or Move-ClusterGroup '{group}', which gives it a higher epoch"
            ))
        })?;
    }
    let anew = Owner {
        epoch: seen + 1,
        ..owner.row.clone()
    };
    Ok(change.put("owner", group, &anew))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Lab, new, refused};
    use super::super::{NewGroup, add_group, add_resource, remove_group, remove_resource};
    use super::*;
    use crate::cluster::resource::ResourceState;

    const DISK: [(&str, &str); 1] = [("DiskPath", "/srv/vs1")];
    const MORE: [(&str, &str); 1] = [("DiskPath", "/srv/more")];

    #[test]
    fn storage_that_comes_back_meets_a_higher_epoch_in_any_group() {
        let mut lab = Lab::new();
        lab.own("VS1", "n1", 9);
        lab.own("VS2", "n2", 3);
        lab.apply(|v| remove_resource(v, "VS1-Disk"));
        lab.add("Again", "VS2", "Physical Disk", &DISK, &[]);
        let owner = &lab.0.owners["vs2"];
        assert_eq!((owner.node.as_str(), owner.epoch), ("n2", 10));
        // In the group it was in, it could be another's meanwhile.
        lab.apply(|v| remove_resource(v, "Again"));
        lab.add("Once more", "VS1", "Physical Disk", &DISK, &[]);
        assert_eq!(lab.0.owners["vs1"].epoch, 11);
        // And in one that had no owner yet.
        lab.apply(|v| remove_resource(v, "Once more"));
        let name = "VS3".to_owned();
        let group = NewGroup {
            name,
            ..NewGroup::default()
        };
        lab.apply(|v| add_group(v, &group));
        lab.add("Last", "VS3", "Physical Disk", &DISK, &[]);
        assert_eq!(lab.0.next_epoch("VS3"), 12);
    }

    #[test]
    fn a_group_that_is_gone_takes_no_epoch_with_it() {
        let mut lab = Lab::new();
        lab.own("VS2", "n1", 41);
        lab.apply(|v| remove_group(v, "VS2"));
        lab.add("More", "VS1", "Physical Disk", &MORE, &[]);
        assert_eq!(lab.0.owners["vs1"].epoch, 42);
    }

    #[test]
    fn a_group_that_is_not_offline_takes_no_storage_from_above() {
        let mut lab = Lab::new();
        lab.own("VS1", "n1", 9);
        lab.add("More", "VS1", "Physical Disk", &MORE, &[]);
        lab.apply(|v| remove_resource(v, "More"));
        lab.state("VS1-IP", ResourceState::Online.number());
        let again = new("More", "VS1", "Physical Disk", &MORE, &[]);
        let refusal = add_resource(&lab.0, &again);
        refused(refusal, ErrorKind::InvalidRequest, "Move-ClusterGroup");
        let plain = new("Other", "VS1", "Network Name", &[], &["VS1-IP"]);
        add_resource(&lab.0, &plain).unwrap();
        lab.own("VS1", "n2", 10);
        lab.apply(|v| add_resource(v, &again));
        assert_eq!(lab.0.owners["vs1"].epoch, 10, "it is above already");
    }
}
