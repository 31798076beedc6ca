//! Looking at the machine without changing it, for validation.
//!
//! ```text
//!  machine ─ limits, memory, clocks, rights      volume ─ a folder, its file system, and a trial of it
//!  process ─ who runs a role on which store      service ─ what starts by itself at boot
//! ```

mod machine;
mod process;
mod service;
mod volume;

pub use machine::{Machine, bound_anywhere, ephemeral_ports, machine};
pub use process::{Running, running};
pub use service::automatic;
pub use volume::{Mount, Trial, Volume, trial, volume};
