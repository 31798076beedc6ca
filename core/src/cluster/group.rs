//! A group's state: computed from its resources, never stored (MS-CMRP 3.1.4.2.46).

use std::collections::BTreeSet;

use super::record::fold;
use super::resource::ResourceState;
use super::view::View;

/// Where a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// 0: every top-level resource is online.
    Online,
    /// 1: every top-level resource is offline, or there is none.
    Offline,
    /// 2: at least one resource failed.
    Failed,
    /// 3: some top-level resources are online, some not.
    PartialOnline,
    /// 4: a resource is on its way.
    Pending,
}

impl GroupState {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Online => 0,
            Self::Offline => 1,
            Self::Failed => 2,
            Self::PartialOnline => 3,
            Self::Pending => 4,
        }
    }

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::Offline => "Offline",
            Self::Failed => "Failed",
            Self::PartialOnline => "PartialOnline",
            Self::Pending => "Pending",
        }
    }

    /// By precedence: failed, pending, partial, online, offline. Each resource comes with whether it is
    /// top-level: nothing depends on it.
    #[must_use]
    pub fn of(resources: &[(ResourceState, bool)]) -> Self {
        if resources.iter().any(|(s, _)| *s == ResourceState::Failed) {
            return Self::Failed;
        }
        if resources.iter().any(|(s, _)| s.is_pending()) {
            return Self::Pending;
        }
        let top: Vec<_> = resources.iter().filter(|(_, top)| *top).collect();
        let online = top
            .iter()
            .filter(|(s, _)| *s == ResourceState::Online)
            .count();
        match online {
            0 => Self::Offline,
            all if all == top.len() => Self::Online,
            _ => Self::PartialOnline,
        }
    }

    /// The state that the view's published states make.
    #[must_use]
    pub fn published(view: &View, group: &str) -> Self {
        let needed: BTreeSet<String> = view
            .resources_of(group)
            .flat_map(|(_, r)| r.depends_on.iter().map(|p| fold(p)))
            .collect();
        let states: Vec<_> = view
            .resources_of(group)
            .map(|(name, _)| (ResourceState::published(view, name), !needed.contains(name)))
            .collect();
        Self::of(&states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ResourceState as R;

    #[test]
    fn each_mix_of_states_is_exactly_one_row_of_the_table() {
        let table: &[(&[(R, bool)], GroupState)] = &[
            (&[], GroupState::Offline),
            (&[(R::Online, true)], GroupState::Online),
            (&[(R::Offline, true)], GroupState::Offline),
            (
                &[(R::Online, false), (R::Offline, true)],
                GroupState::Offline,
            ),
            (
                &[(R::Online, true), (R::Offline, true)],
                GroupState::PartialOnline,
            ),
            (
                &[(R::OnlinePending, false), (R::Offline, true)],
                GroupState::Pending,
            ),
            (
                &[(R::OfflinePending, true), (R::Online, true)],
                GroupState::Pending,
            ),
            (
                &[(R::Failed, false), (R::OnlinePending, true)],
                GroupState::Failed,
            ),
        ];
        for (states, expected) in table {
            assert_eq!(GroupState::of(states), *expected, "{states:?}");
        }
    }
}
