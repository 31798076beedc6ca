//! The two servers: a queue manager's for sessions, a node agent's for commands.
//!
//! ```text
//!  listener ─ connection ─┬─ reader ─ requests ─> RequestHost / CommandHost
//!             (handshake) └─ writer <─ outbox  <─ outcomes
//! ```
//!
//! A connection is two tasks. The reader stops reading when too much of the client's is under way, so a
//! slow client holds its own requests up and nobody's memory; the writer takes all outcomes that have
//! come and writes them at once.

mod commands;
mod connection;
mod outbox;
mod queue_manager;
mod seats;

pub use commands::serve_commands;
pub use connection::check_listen_address;
pub use queue_manager::{RequestHost, ServedManager, serve_queue_manager};
