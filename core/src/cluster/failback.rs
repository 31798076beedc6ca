//! Going back to a preferred owner when that returns (AutoFailbackType 1).

use std::collections::BTreeSet;

use super::placement::{missing_feature, obstacle};
use super::record::{Owner, fold};
use super::view::View;

/// Whether an hour of the local day lies in a failback window: from its start up to, and without, its end;
/// a window may span midnight. Without one any hour will do.
#[must_use]
pub const fn in_window(window: Option<(u8, u8)>, hour: u8) -> bool {
    match window {
        None => true,
        Some((start, end)) if start < end => start <= hour && hour < end,
        Some((start, end)) => start <= hour || hour < end,
    }
}

/// The node a group should go back to: the first preferred owner before the present one that is fit for
/// it and whose session began after the group left it. A node it left in this very session - by a move or
/// by failing there - is not gone back to, so there is at most one failback per return of a node.
///
/// `stable` says whether a node's session has been seen long enough; `hour` is that of the local day.
#[must_use]
pub fn target(
    view: &View,
    dead: &BTreeSet<String>,
    group: &str,
    owner: &Owner,
    hour: u8,
    stable: impl Fn(&str) -> bool,
) -> Option<String> {
    let config = view.groups.get(&fold(group)).filter(|g| g.auto_failback)?;
    if !in_window(config.failback_window, hour) {
        return None;
    }
    let better = config
        .preferred_owners
        .iter()
        .map(|n| fold(n))
        .take_while(|n| *n != fold(&owner.node));
    let returned = |node: &String| {
        let session = view.sessions.get(node);
        session.is_some_and(|s| owner.left.get(node) != Some(&s.incarnation))
    };
    let rivals = super::affinity::rivals(view, group);
    let apart = |node: &String| {
        super::affinity::conflict(view, &Default::default(), &rivals, node).is_none()
    };
    better
        .filter(|node| obstacle(view, dead, group, node).is_none())
        .filter(|node| missing_feature(view, group, node).is_none())
        .filter(apart)
        .find(|node| returned(node) && stable(node))
}

#[cfg(test)]
mod tests {
    use super::in_window;

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let table = [
            (None, 0, true),
            (Some((2, 5)), 1, false),
            (Some((2, 5)), 2, true),
            (Some((2, 5)), 4, true),
            (Some((2, 5)), 5, false),
            (Some((22, 6)), 21, false),
            (Some((22, 6)), 22, true),
            (Some((22, 6)), 0, true),
            (Some((22, 6)), 5, true),
            (Some((22, 6)), 6, false),
            (Some((0, 23)), 23, false),
        ];
        for (window, hour, expected) in table {
            assert_eq!(in_window(window, hour), expected, "{window:?} at {hour}");
        }
    }
}
