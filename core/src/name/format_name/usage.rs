//! What a format name may be used for (MS-MQDMPR 3.1.7.1.5, 3.1.7.3.8).
//!
//! | name | send | receive, purge | move to | manage |
//! | --- | --- | --- | --- | --- |
//! | DIRECT=TCP, OS | yes | yes | yes | yes |
//! | DIRECT=HTTP(S) | yes | no | no | no |
//! | DIRECT=SPX | no | no | no | no |
//! | PUBLIC, PRIVATE | yes | yes | yes | yes |
//! | MACHINE | no | yes | no | no |
//! | CONNECTOR | no | yes | no | no |
//! | DL, MULTICAST | yes | no | no | no |
//! | any with ;JOURNAL, ;DEADLETTER, ;DEADXACT | no | yes | no | no |
//! | a subqueue | no | yes | yes | no |
//!
//! A DIRECT=HTTP(S) or SPX row wins over those of the suffixes. Whether the queue manager that is
//! asked can do it (a directory may be missing) is found out when the queue is opened.

use std::fmt;

use super::{DirectName, FormatName, Protocol, unsupported};
use crate::error::{Error, Result};
use crate::name::local::Part;
use crate::name::piece::shown;

/// What somebody wants to do with a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// Send messages to it.
    Send,
    /// Receive or peek.
    Receive,
    /// Move messages into it from another part of the same queue.
    Move,
    /// Create, delete, read or set its properties.
    Manage,
    /// Remove all messages at once.
    Purge,
}

impl Use {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Send,
        Self::Receive,
        Self::Move,
        Self::Manage,
        Self::Purge,
    ];

    /// The error of a name that cannot be used so.
    pub(super) fn refuse(self, name: impl fmt::Display, why: &str, hint: &str) -> Error {
        let deed = match self {
            Self::Send => "sent to",
            Self::Receive => "received from",
            Self::Move => "moved to",
            Self::Manage => "managed",
            Self::Purge => "purged",
        };
        let text = format!("{} cannot be {deed}: {why}", shown(&name.to_string()));
        unsupported(text, hint)
    }
}

/// Why a name cannot be used so, and what to do; none where it can.
type Refusal = Option<(&'static str, &'static str)>;

const SYSTEM_WRITES: (&str, &str) = (
    "only the queue manager itself puts messages there",
    "name the queue without its suffix",
);
const NOT_AN_OBJECT: (&str, &str) = (
    "it has no properties of its own",
    "name the queue without its suffix",
);
const MANY_QUEUES: (&str, &str) = ("it stands for many queues", "name one of the queues");

impl FormatName {
    /// Whether the name may be used so.
    #[must_use]
    pub fn allows(&self, usage: Use) -> bool {
        self.refusal(usage).is_none()
    }

    /// Checks that the name may be used so.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedFormatNameOperation`](crate::ErrorKind::UnsupportedFormatNameOperation)
    /// with the reason.
    pub fn check(&self, usage: Use) -> Result<()> {
        match self.refusal(usage) {
            None => Ok(()),
            Some((why, hint)) => Err(usage.refuse(self, why, hint)),
        }
    }

    fn refusal(&self, usage: Use) -> Refusal {
        match self {
            Self::Direct(direct) => direct.refusal(usage),
            Self::Public { journal: false, .. } | Self::Private { journal: false, .. } => None,
            Self::Public { .. } | Self::Private { .. } | Self::Machine { .. } => journal(usage),
            Self::Connector { .. } => connector(usage),
            Self::DistributionList { .. } | Self::Multicast(_) if usage == Use::Send => None,
            Self::DistributionList { .. } | Self::Multicast(_) => Some(MANY_QUEUES),
        }
    }
}

impl DirectName {
    fn refusal(&self, usage: Use) -> Refusal {
        match self.protocol() {
            Protocol::Tcp | Protocol::Os => self.part_refusal(usage),
            Protocol::Http | Protocol::Https if usage == Use::Send => self.part_refusal(usage),
            Protocol::Http | Protocol::Https => Some((
                "messages can only be sent over HTTP",
                "name the queue with DIRECT=OS: or DIRECT=TCP:",
            )),
            Protocol::Spx => Some((
                "no queue manager has spoken SPX since Windows 2000",
                "name the computer with DIRECT=OS: or DIRECT=TCP:",
            )),
        }
    }

    fn part_refusal(&self, usage: Use) -> Refusal {
        match self.queue().part() {
            Some(Part::Main) => None,
            Some(Part::Subqueue(_)) => subqueue(usage),
            Some(Part::Journal) | None => journal(usage),
        }
    }
}

const fn journal(usage: Use) -> Refusal {
    match usage {
        Use::Receive | Use::Purge => None,
        Use::Send | Use::Move => Some(SYSTEM_WRITES),
        Use::Manage => Some(NOT_AN_OBJECT),
    }
}

const fn subqueue(usage: Use) -> Refusal {
    match usage {
        Use::Receive | Use::Purge | Use::Move => None,
        Use::Send => Some((
            "messages come into a subqueue only by moving them",
            "send to the queue itself, then move the message",
        )),
        Use::Manage => Some(NOT_AN_OBJECT),
    }
}

const fn connector(usage: Use) -> Refusal {
    match usage {
        Use::Receive | Use::Purge => None,
        Use::Send | Use::Move => Some((
            "the queue manager puts messages for a foreign system there",
            "send to the foreign queue itself",
        )),
        Use::Manage => Some((
            "it has no properties of its own",
            "manage the foreign queue itself",
        )),
    }
}
