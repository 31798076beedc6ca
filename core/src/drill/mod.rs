//! The rehearsal: a load whose every message is accounted for, faults, and what each of them cost.
//!
//! ```text
//!  load       input -> senders -> virtual server -> consumer          fault -> leash -> processes, disk
//!                         \                          /                   (scene, plan: what it would hit)
//!  history                 +--> ledger, history <---+      timeline: the cluster's decisions + what clients saw
//!  judgement                        \___________ judgement ___________/
//!  report                                            |
//!                                     text, JSON, JUnit, HTML, comparison
//! ```
//!
//! `rehearsal` conducts all of it for Start-Drill; a script may do it step by step. It is a client like any
//! other: it sees the cluster only through [`crate::api::client`], and the processes and disks of this machine
//! only to make faults.

mod input;
mod workload;

mod history;
mod ledger;
mod timeline;

mod fault;
mod kind;
mod leash;
mod plan;
mod scene;
mod victims;
mod wait;

mod judgement;
mod report;

pub mod commands;
mod rehearsal;
mod throwaway;
mod what_if;

pub use leash::run_leash;
pub use ledger::{Ledger, MessageKey, Verdict};
pub use workload::{Workload, WorkloadOptions};
