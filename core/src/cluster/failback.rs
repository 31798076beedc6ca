//! Going back to a preferred owner when that returns (AutoFailbackType 1).

use std::collections::BTreeSet;

use super::placement::{missing_feature, obstacle};
use super::record::{Owner, fold};
use super::view::View;

/// The node a group should go back to: the first preferred owner before the present one that is fit for
/// it and whose session began after the group left it. A node it left in this very session - by a move or
/// by failing there - is not gone back to, so there is at most one failback per return of a node.
///
/// `stable` says whether a node's session has been seen long enough.
#[must_use]
pub fn target(
    view: &View,
    dead: &BTreeSet<String>,
    group: &str,
    owner: &Owner,
    stable: impl Fn(&str) -> bool,
) -> Option<String> {
    let config = view.groups.get(&fold(group)).filter(|g| g.auto_failback)?;
    let better = config
        .preferred_owners
        .iter()
        .map(|n| fold(n))
        .take_while(|n| *n != fold(&owner.node));
    let returned = |node: &String| {
        let session = view.sessions.get(node);
        session.is_some_and(|s| owner.left.get(node) != Some(&s.incarnation))
    };
    better
        .filter(|node| obstacle(view, dead, group, node).is_none())
        .filter(|node| missing_feature(view, group, node).is_none())
        .find(|node| returned(node) && stable(node))
}
