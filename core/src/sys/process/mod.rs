//! Processes: who they are, how they are started and watched, and how they are ended for certain.
//!
//! ```text
//!  agent ── spawn ──> Child (control pipe in, status lines out, exit event)
//!                       └─ the child calls die_with_parent() first: no orphan, however the agent dies
//!       └─ handover: the agent becomes a newer program, and the child stays its child
//!  supervise ───────> a foreign command with the same guarantees
//!  Companion ───────> one job for its starter, in lines; ends by itself when nobody is there any more
//!  ProcessIdentity ── kill_and_wait(): by pidfd, never a recycled pid
//! ```

mod child;
mod command_line;
mod companion;
mod handover;
mod holders;
mod identity;
mod listing;
mod run;
mod supervise;
mod tree;

pub use child::{
    Child, Exit, Memory, Spawn, adopt, become_program, die_with_parent, spawn, with_spawner_here,
};
pub use command_line::split_command_line;
pub use companion::Companion;
pub use handover::{end_unadopted, take_over};
pub use holders::{FileHolder, file_holders};
pub use identity::{Presence, ProcessIdentity, boot_id};
pub use listing::{arguments, children, is_gone};
pub use run::{Finished, run};
pub use supervise::{SuperviseOptions, supervise};
pub use tree::kill_session;

/// Environment variable by which a child learns the pid of its supervisor.
pub const PARENT_VARIABLE: &str = "HAMQ_PARENT";
