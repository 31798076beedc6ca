//! A resource's state, with the numbers of MS-CMRP 3.1.4.2.13.

use super::record::fold;
use super::view::View;

/// Where a resource stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceState {
    /// 2: active and healthy.
    Online,
    /// 3: not active.
    Offline,
    /// 4: failed to reach or keep online.
    Failed,
    /// 129: coming online.
    OnlinePending,
    /// 130: going offline.
    OfflinePending,
}

impl ResourceState {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Online,
        Self::Offline,
        Self::Failed,
        Self::OnlinePending,
        Self::OfflinePending,
    ];

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Online => 2,
            Self::Offline => 3,
            Self::Failed => 4,
            Self::OnlinePending => 129,
            Self::OfflinePending => 130,
        }
    }

    /// The state of a number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.number() == number)
    }

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::Offline => "Offline",
            Self::Failed => "Failed",
            Self::OnlinePending => "OnlinePending",
            Self::OfflinePending => "OfflinePending",
        }
    }

    /// Whether it is on its way.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::OnlinePending | Self::OfflinePending)
    }

    /// The published state of a resource: what a live owner of the present epoch says, else offline.
    #[must_use]
    pub fn published(view: &View, resource: &str) -> Self {
        let known = view.resources.get(&fold(resource)).and_then(|config| {
            let owner = view.live_owner(&config.group)?;
            let status = view.states.get(&fold(resource))?;
            (status.epoch == owner.epoch).then_some(status.state)
        });
        known.and_then(Self::from_number).unwrap_or(Self::Offline)
    }
}
