//! The safety leash: who makes a fault also undoes it, whatever becomes of the one who asked for it.
//!
//! ```text
//!  client ─ Leash ──── lines ───> hamq leash ─ makes the fault ─ waits ─ undoes it
//!             "undo" | its end |                  its time | SIGTERM, SIGINT, SIGHUP
//! ```
//!
//! The leash is a process beside the fault, not a part of the client: a client that is killed, cut off or
//! stopped in the middle of a fault leaves nothing frozen and nothing full.

mod grip;
mod hold;
mod order;

pub(super) use grip::Leash;
pub use hold::run_leash;
pub(super) use order::{Deed, LeashOrder};
