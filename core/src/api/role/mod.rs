//! What a process of this program can be beside the shell: a queue manager, a node, a look at a store.
//!
//! ```text
//!  hamq queue-manager ─ control (lines on stdin and stdout) ─ Manager ─ serve_queue_manager
//!  hamq store ───────── a store that nobody serves ─────── queue::offline
//!  hamq node ────────── lifeline (stdin) ──────────────────── Agent ─── serve_commands
//!  hamq node create, join, install ─ host ─ what a host of a cluster on real addresses has on its disk
//!  hamq leash ───────── a fault of a drill, held beside it ─ drill::leash
//! ```

mod control;
mod host;
mod leash;
mod node;
mod queue_manager;
mod store;
mod supervise;

pub use host::{HostFile, JoinOptions, create_host, install_host, join_host, unit};
pub use leash::run_leash;
pub use node::{NodeOptions, run_node};
pub use queue_manager::{QueueManagerOptions, run_queue_manager};
pub use store::{StoreCommand, run_store};
pub(super) use store::{check as check_store, salvage as salvage_store};
pub use supervise::run_supervise;
