//! Whole-process figures: the product beside the least that any durable server must do.
//!
//! ```text
//!  command_line ─ plan ─ workload/* ──┬─ load ─ FloorSender ── TCP ── floor        (a process)
//!                   │                 └──────── hamq ───────── TCP ── queue-manager (a process)
//!                   └─ report: medians of the rounds, ratio to the floor, aims
//! ```
//!
//! Everything that is said to HAMQ is said in `hamq`: a change of its API is a change of that file.
//! docs/performance.md says how to run this and how to read what it prints.

pub mod area;
pub mod command_line;
pub mod plan;
pub mod workload;

pub mod bodies;
pub mod load;

pub mod embedded;
pub mod floor;
pub mod floor_client;
pub mod hamq;
pub mod server;

pub mod latency;
pub mod meter;
pub mod report;
pub mod row;
