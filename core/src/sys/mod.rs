//! The outside world, behind small traits: the only place that touches files, sockets, processes and clocks.
//!
//! Each trait has a real implementation and a fake one that tests control.

pub mod ballast;
pub mod clock;
pub mod disk;
pub mod disk_fake;
pub mod event_log;
pub mod file;
pub mod folder;
pub mod image;
pub mod local_node;
pub mod log_file;
pub mod mount;
pub mod network;
pub mod process;
pub mod survey;
pub mod trust;
