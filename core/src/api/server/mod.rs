//! The two servers: a queue manager's for sessions, a node agent's for commands.
//!
//! ```text
//!  listener ─ connection ─┬─ reader ─ commands ─> CommandHost          `commands`: tasks
//!             (handshake) └─ writer <─ outbox  <─ outcomes
//!
//!  listeners, connections, control ─ one event loop ─ Serve (the queue engine)    `plane`: one thread
//!  beyond this machine: `guarded` ─ certificate ─^
//! ```

mod commands;
mod connection;
mod guarded;
mod outbox;
pub mod plane;

pub(crate) use commands::JOIN;
pub use commands::serve_commands;
pub use connection::check_metrics_address;
pub use guarded::serve_guarded;
