//! Validation of a cluster: facts in, findings out. Pure.
//!
//! ```text
//!  view, what each node tells of itself, the database ─ Facts ─ Check (a pure function) ─ Finding
//!                                                               CHECKS: one table       └ report
//! ```
//!
//! A check that finds nothing it could look at is not applicable. [`run`] runs those that were chosen.

mod check;
mod facts;
mod report;
mod verdict;

mod configuration;
mod inventory;
mod network;
mod policy;
mod storage;
mod system;

#[cfg(test)]
mod tests;

pub use check::{CATEGORIES, Category, Check, Selection, checks, run};
pub use facts::{
    ClusterFacts, DatabaseFacts, Facts, NodeFacts, ProcessFacts, SyncFacts, VolumeFacts, VolumeUse,
};
pub use report::{html, json};
pub use verdict::{Checked, Finding, Outcome};
