//! The rehearsal: a load whose every message is accounted for, faults, and what each of them cost.
//!
//! ```text
//!  input -> senders -> virtual server -> consumer
//!              \                          /
//!               +------> ledger <--------+   -> verdict
//!  fault -> processes of the owner              timeline: cluster's decisions + what clients saw
//! ```
//!
//! It is a client like any other: it sees the cluster only through [`crate::api::client`], and the
//! processes of a local cluster only to make faults.

pub mod commands;
mod fault;
mod input;
mod ledger;
mod timeline;
mod victims;
mod wait;
mod workload;

pub use ledger::{Ledger, MessageKey, Verdict};
pub use workload::{Workload, WorkloadOptions};
