//! What a process of this program can be beside the shell: a queue manager, a node, a look at a store.
//!
//! ```text
//!  hamq queue-manager ─ control (lines on stdin and stdout) ─ Manager ─ serve_queue_manager
//!  hamq store ───────── a store that nobody serves ─────── queue::offline
//!  hamq node ────────── lifeline (stdin) ──────────────────── Agent ─── serve_commands
//! ```

mod control;
mod node;
mod queue_manager;
mod store;
mod supervise;

pub use node::{NodeOptions, run_node};
pub use queue_manager::{QueueManagerOptions, run_queue_manager};
pub use store::{StoreCommand, run_store};
pub use supervise::run_supervise;
