//! The kinds of faults.

use crate::error::{Error, ErrorKind, Result};

/// Something that is done to the owner of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// SIGKILL to the agent and the group's queue manager.
    Kill,
    /// SIGKILL to the queue manager alone.
    KillQueueManager,
    /// SIGSTOP to both.
    Freeze,
    /// No room left on the group's disk.
    DiskFull,
    /// A disk that is busy with others.
    SlowDisk,
    /// A planned move.
    Move,
    /// No network between the node and the rest.
    CutOff,
    /// A wall clock that jumps.
    ClockStep,
}

impl FaultKind {
    /// All of them.
    const ALL: [Self; 8] = [
        Self::Kill,
        Self::KillQueueManager,
        Self::Freeze,
        Self::DiskFull,
        Self::SlowDisk,
        Self::Move,
        Self::CutOff,
        Self::ClockStep,
    ];
    /// What a drill does when it is told nothing else.
    pub(super) const USUAL: [Self; 4] =
        [Self::Kill, Self::Freeze, Self::KillQueueManager, Self::Move];

    /// As it is written.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "Kill",
            Self::KillQueueManager => "KillQueueManager",
            Self::Freeze => "Freeze",
            Self::DiskFull => "DiskFull",
            Self::SlowDisk => "SlowDisk",
            Self::Move => "Move",
            Self::CutOff => "CutOff",
            Self::ClockStep => "ClockStep",
        }
    }

    /// The kind of that name, ignoring case.
    ///
    /// # Errors
    /// `Usage`, with what was meant.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let names = Self::ALL.map(Self::name);
        let found = Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| {
            let hint = match crate::name::nearest(text, names) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("use {}", names.join(", ")),
            };
            Error::new(ErrorKind::Usage, format!("{text:?} is no fault")).hint(hint)
        })
    }

    /// Those of a list; the usual ones when it is empty.
    ///
    /// # Errors
    /// `Usage`.
    pub(super) fn parse_all(texts: &[String]) -> Result<Vec<Self>> {
        match texts {
            [] => Ok(Self::USUAL.to_vec()),
            texts => texts.iter().map(|text| Self::parse(text)).collect(),
        }
    }

    /// Whether the group cannot serve in full before it is undone.
    pub(super) const fn lasts(self) -> bool {
        matches!(self, Self::DiskFull | Self::SlowDisk)
    }
}
