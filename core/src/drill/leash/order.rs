//! What a leash is told and what it says, one JSON object a line.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::sys::process::ProcessIdentity;

/// The first line to a leash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::drill) struct LeashOrder {
    /// What to do.
    pub(in crate::drill) deed: Deed,
    /// How long at most.
    pub(in crate::drill) hold_ms: u64,
    /// What puts right what the deed broke for good, when the leash must do it by itself: a program with its arguments.
    pub(in crate::drill) remedy: Vec<PathBuf>,
    /// Where that program finds the clusters.
    pub(in crate::drill) home: PathBuf,
}

/// A fault as a leash makes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::drill) enum Deed {
    /// SIGKILL; undone by the remedy.
    Kill(Vec<ProcessIdentity>),
    /// SIGSTOP; undone by SIGCONT.
    Freeze(Vec<ProcessIdentity>),
    /// Takes all room of the file system of a folder; undone by removing the file.
    Fill(PathBuf),
    /// Keeps the disk of a folder busy with so many writers; undone by ending them.
    Churn(PathBuf, u32),
}

/// What a leash says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::drill) enum Word {
    /// The fault is there.
    Made(Made),
    /// It could not be made, and nothing is left of the attempt.
    Failed(Error),
    /// It is over.
    Undone(Undone),
}

/// When a fault was there, and what it hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::drill) struct Made {
    /// On the clock since boot, which all processes of the machine share.
    pub(in crate::drill) at: Duration,
    /// On the wall clock.
    pub(in crate::drill) wall_ms: u64,
    /// `process 4711, process 4712`.
    pub(in crate::drill) text: String,
}

/// How a fault ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::drill) struct Undone {
    /// On the clock since boot.
    pub(in crate::drill) at: Duration,
    /// What made it end.
    pub(in crate::drill) release: Release,
    /// `2 thawed, 0 had been ended`.
    pub(in crate::drill) text: String,
}

/// What makes a leash end its fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::drill) enum Release {
    /// It was told to.
    Asked,
    /// Its time was over.
    Time,
    /// Who held it is gone.
    Lost,
    /// A signal.
    Signal,
}
