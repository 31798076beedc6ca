//! A node's state, with the numbers of MS-CMRP 3.1.4.2.69.

use super::record::fold;
use super::view::View;

/// Whether a node can host groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// 0: its agent runs.
    Up,
    /// 1: it does not.
    Down,
    /// 2: it runs and takes nothing new.
    Paused,
    /// 1, as the original counts it (refused membership): it left too often, runs, and hosts nothing.
    Quarantined,
}

impl NodeState {
    /// The state of a node in a view; a node that is configured without a session is down.
    #[must_use]
    pub fn of(view: &View, node: &str) -> Self {
        match view.sessions.contains_key(&fold(node)) {
            false => Self::Down,
            true if view.is_quarantined(node) => Self::Quarantined,
            true if view.is_paused(node) => Self::Paused,
            true => Self::Up,
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Up => 0,
            Self::Down | Self::Quarantined => 1,
            Self::Paused => 2,
        }
    }

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "Up",
            Self::Down => "Down",
            Self::Paused => "Paused",
            Self::Quarantined => "Quarantined",
        }
    }
}
