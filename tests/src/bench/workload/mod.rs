//! The workloads, each in the letters of the table in docs/performance.md.

use hamq_core::Result;

use super::plan::Bench;

mod draining;
mod embedded;
mod flatness;
mod moving;
mod restart;
mod sending;
mod space;
mod through;

/// How often a workload is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Often {
    /// In every round.
    EveryRound,
    /// In the first round only: it takes long, and its figures hardly spread.
    Once,
}

/// Something that can be measured.
pub struct Workload {
    /// What it is chosen by.
    pub letter: &'static str,
    /// What it does.
    pub about: &'static str,
    /// How often it is run.
    pub often: Often,
    /// Measures and reports.
    pub run: fn(&mut Bench<'_>) -> Result<()>,
}

const fn workload(
    letter: &'static str,
    about: &'static str,
    often: Often,
    run: fn(&mut Bench<'_>) -> Result<()>,
) -> Workload {
    Workload {
        letter,
        about,
        often,
        run,
    }
}

use Often::{EveryRound, Once};

/// All there are, in the order in which they are run.
pub const WORKLOADS: &[Workload] = &[
    workload(
        "a",
        "one sender, one at a time",
        EveryRound,
        sending::single,
    ),
    workload("b", "one sender, pipelined", EveryRound, sending::pipelined),
    workload("c", "16 senders, one at a time", EveryRound, sending::many),
    workload("embedded", "in one process", EveryRound, embedded::batched),
    workload(
        "d",
        "drain what was sent before",
        EveryRound,
        draining::drain,
    ),
    workload(
        "f",
        "receive and send in one transaction",
        EveryRound,
        moving::transactions,
    ),
    workload("e1", "send to receive, paced", EveryRound, through::paced),
    workload(
        "e2",
        "sender and consumer at once",
        EveryRound,
        through::at_once,
    ),
    workload("g", "kill -9 with a full queue", Once, restart::full),
    workload("h", "bytes on the disk", Once, space::bytes),
    workload(
        "i",
        "cost against length and number of queues",
        Once,
        flatness::curves,
    ),
];
