//! The server of a queue manager: one event loop that is also the queue manager's own thread.
//!
//! ```text
//!  wait ─> accept ─> read all that is ready ─> frames ─> Serve::submit
//!    ^                                                        |
//!    '── write, once a connection <── outgoing <── replies <─ Serve::step (write, sync)
//! ```
//!
//! No task or thread a connection, no channel a request: what all clients have sent while one sync ran becomes
//! the next batch. `connection` is one client's side of it, `flow` says how much may be under way, `outgoing` what
//! waits to be written, `seats` which connection speaks for a client, `control` how other threads take part.

mod connection;
mod connections;
mod control;
mod event_loop;
mod flow;
mod outgoing;
mod seats;

pub use control::Control;
pub use event_loop::{Plane, ServedManager};
pub use flow::Limits;
