//! A session with one queue manager, through all its failovers.
//!
//! ```text
//!  caller ─ submit ─> window ─ unsent ─> writer ─┐
//!  caller <─ slot  <─ window <─ answer ─ reader ─┴─ connection ─ … lost … ─ connection
//! ```
//!
//! `window` is pure: it knows what is under way and decides what becomes of each request when a reply
//! comes, a connection is lost or the caller gives up. `link` does the I/O: connects, speaks, and comes back.
//! A request keeps its number when it is sent again, so that it is executed once (DESIGN.md D7).

mod handle;
mod link;
mod slot;
mod window;

pub use handle::{Session, Ticket};
pub(crate) use link::{Locate, Located, SessionOptions, connect};
