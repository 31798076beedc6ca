//! Chaos: a cluster of real processes under a load that is reconciled, and faults that follow from a seed.
//!
//! ```text
//!   dice ─► rehearsal ── strike, heal ──► world ─┬─ machine  three nodes on this machine, SQLite
//!              │                                 └─ hosts    three hosts in namespaces, etcd on three others
//!              ├─ load    senders and receivers, transactional and not, that know what was acknowledged
//!              ├─ owners  each epoch has one owner, and one queue manager at a time
//!              └─ report  what each fault cost a client, and the verdict
//!   crowd: many groups, and a node that is lost
//!   catalogue: which fault of the list is made by what, and why some are not made here
//! ```
//!
//! `tests/tests/chaos.rs` plays a few dozen failovers; `hamq-chaos` as many as one likes, or one fault again and again:
//! that is how the times in docs/performance.md are measured.

pub mod catalogue;
pub mod dice;

pub mod load;
pub mod owners;

pub mod hosts;
pub mod machine;
pub mod world;

pub mod crowd;
pub mod rehearsal;
pub mod report;
