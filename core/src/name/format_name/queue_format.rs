//! The two numbers that say in the binary protocol what kind of name follows (MS-MQMQ 2.2.6, 2.2.7).
//!
//! ```text
//!  0  type     1 public, 2 private, 3 direct, 4 machine, 5 connector, 6 list, 7 multicast, 8 subqueue
//!  1  suffix   low nibble: 0 none, 1 journal, 2 deadletter, 3 deadxact, 4 xactonly, 5 subqueue
//!              0x80: a system queue
//! ```

use super::{DirectName, FormatName};
use crate::error::{Error, ErrorKind, Result};
use crate::name::local::{Part, QueueRef, SystemQueue};

/// The kind of a format name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum QueueFormatType {
    /// No name.
    Unknown = 0,
    /// `PUBLIC=`.
    Public = 1,
    /// `PRIVATE=`.
    Private = 2,
    /// `DIRECT=`, subqueues aside.
    Direct = 3,
    /// `MACHINE=`.
    Machine = 4,
    /// `CONNECTOR=`.
    Connector = 5,
    /// `DL=`.
    DistributionList = 6,
    /// `MULTICAST=`.
    Multicast = 7,
    /// `DIRECT=` with a subqueue.
    Subqueue = 8,
}

impl QueueFormatType {
    /// Every one, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Unknown,
        Self::Public,
        Self::Private,
        Self::Direct,
        Self::Machine,
        Self::Connector,
        Self::DistributionList,
        Self::Multicast,
        Self::Subqueue,
    ];
}

/// The suffix of a format name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum QueueSuffix {
    /// No suffix.
    None = 0,
    /// `;JOURNAL`.
    Journal = 1,
    /// `;DEADLETTER`.
    DeadLetter = 2,
    /// `;DEADXACT`.
    TransactionalDeadLetter = 3,
    /// `;XACTONLY`.
    TransactionalOnly = 4,
    /// `;SUBQUEUE`.
    Subqueue = 5,
}

const SYSTEM_FLAG: u8 = 0x80;

impl QueueSuffix {
    /// Every one, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Journal,
        Self::DeadLetter,
        Self::TransactionalDeadLetter,
        Self::TransactionalOnly,
        Self::Subqueue,
    ];

    /// Whether this is written with the flag of system queues.
    #[must_use]
    pub const fn is_system(self) -> bool {
        matches!(
            self,
            Self::Journal | Self::DeadLetter | Self::TransactionalDeadLetter
        )
    }

    /// Whether a name of this kind can have this suffix.
    #[must_use]
    pub const fn is_legal_for(self, kind: QueueFormatType) -> bool {
        use QueueFormatType as Kind;
        match self {
            Self::None => !matches!(kind, Kind::Machine | Kind::Subqueue),
            Self::Journal => matches!(
                kind,
                Kind::Public | Kind::Private | Kind::Direct | Kind::Machine
            ),
            Self::DeadLetter | Self::TransactionalDeadLetter => {
                matches!(kind, Kind::Direct | Kind::Machine)
            }
            Self::TransactionalOnly => matches!(kind, Kind::Connector),
            Self::Subqueue => matches!(kind, Kind::Subqueue),
        }
    }

    const fn of_system(queue: SystemQueue) -> Self {
        match queue {
            SystemQueue::Journal => Self::Journal,
            SystemQueue::DeadLetter => Self::DeadLetter,
            SystemQueue::TransactionalDeadLetter => Self::TransactionalDeadLetter,
        }
    }

    const fn of_journal(meant: bool) -> Self {
        if meant { Self::Journal } else { Self::None }
    }
}

/// Type and suffix of a name; always a legal pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueueFormat {
    kind: QueueFormatType,
    suffix: QueueSuffix,
}

impl QueueFormat {
    /// Reads the two bytes.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalFormatName`] for unknown numbers, pairs that cannot be, and a flag of
    /// system queues that is missing or does not belong there.
    pub fn from_bytes([kind_byte, suffix_byte]: [u8; 2]) -> Result<Self> {
        let illegal = |why: &str| {
            let text = format!(
                "queue format type {kind_byte} with suffix {suffix_byte:#04x} is none: {why}"
            );
            Error::new(ErrorKind::IllegalFormatName, text)
                .hint("the peer wrote a name that MS-MQMQ 2.2.7 does not allow")
        };
        let kind = QueueFormatType::ALL.get(usize::from(kind_byte));
        let kind = *kind.ok_or_else(|| illegal("there is no such type"))?;
        let suffix = QueueSuffix::ALL.get(usize::from(suffix_byte & !SYSTEM_FLAG));
        let suffix = *suffix.ok_or_else(|| illegal("there is no such suffix"))?;
        if !suffix.is_legal_for(kind) {
            return Err(illegal("the type cannot have that suffix"));
        }
        if suffix.is_system() != (suffix_byte & SYSTEM_FLAG != 0) {
            return Err(illegal("the flag of system queues is off"));
        }
        Ok(Self { kind, suffix })
    }

    /// The two bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 2] {
        let flag = if self.suffix.is_system() {
            SYSTEM_FLAG
        } else {
            0
        };
        [self.kind as u8, self.suffix as u8 | flag]
    }

    /// The kind of the name.
    #[must_use]
    pub const fn kind(self) -> QueueFormatType {
        self.kind
    }

    /// Its suffix.
    #[must_use]
    pub const fn suffix(self) -> QueueSuffix {
        self.suffix
    }
}

impl FormatName {
    /// The numbers of this name.
    #[must_use]
    pub fn queue_format(&self) -> QueueFormat {
        use QueueFormatType as Kind;
        let (kind, suffix) = match self {
            Self::Direct(direct) => direct.numbers(),
            Self::Public { journal, .. } => (Kind::Public, QueueSuffix::of_journal(*journal)),
            Self::Private { journal, .. } => (Kind::Private, QueueSuffix::of_journal(*journal)),
            Self::Machine { queue, .. } => (Kind::Machine, QueueSuffix::of_system(*queue)),
            Self::Connector {
                transactional: true,
                ..
            } => (Kind::Connector, QueueSuffix::TransactionalOnly),
            Self::Connector { .. } => (Kind::Connector, QueueSuffix::None),
            Self::DistributionList { .. } => (Kind::DistributionList, QueueSuffix::None),
            Self::Multicast(_) => (Kind::Multicast, QueueSuffix::None),
        };
        QueueFormat { kind, suffix }
    }
}

impl DirectName {
    fn numbers(&self) -> (QueueFormatType, QueueSuffix) {
        use QueueFormatType as Kind;
        match self.queue().target() {
            QueueRef::System(queue) => (Kind::Direct, QueueSuffix::of_system(queue)),
            QueueRef::Queue { part, .. } => match part {
                Part::Main => (Kind::Direct, QueueSuffix::None),
                Part::Journal => (Kind::Direct, QueueSuffix::Journal),
                Part::Subqueue(_) => (Kind::Subqueue, QueueSuffix::Subqueue),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_all_bytes_exactly_the_legal_pairs_are_read_and_written_back() {
        let mut legal = Vec::new();
        for kind in 0..=255 {
            for suffix in 0..=255 {
                if let Ok(format) = QueueFormat::from_bytes([kind, suffix]) {
                    assert_eq!(format.to_bytes(), [kind, suffix]);
                    legal.push((kind, suffix));
                }
            }
        }
        let expected = [
            (0, vec![0]),
            (1, vec![0, 0x81]),
            (2, vec![0, 0x81]),
            (3, vec![0, 0x81, 0x82, 0x83]),
            (4, vec![0x81, 0x82, 0x83]),
            (5, vec![0, 4]),
            (6, vec![0]),
            (7, vec![0]),
            (8, vec![5]),
        ];
        let expected: Vec<(u8, u8)> = expected
            .into_iter()
            .flat_map(|(kind, suffixes)| suffixes.into_iter().map(move |suffix| (kind, suffix)))
            .collect();
        assert_eq!(legal, expected);
    }
}
