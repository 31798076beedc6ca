//! HAMQ core: a durable queue engine and a failover cluster.
//!
//! ```text
//!  message:   api::Client -> queue::Manager -> log -> sys::disk
//!  failover:  cluster::agent -> database -> resource_types
//! ```
//!
//! The two paths meet only in `resource_types::message_queuing`, which starts a queue manager.
//! ARCHITECTURE.md has the map and says what may use what.

pub mod api;
pub mod cluster;
pub mod database;
mod difference;
pub mod drill;
pub mod error;
pub mod log;
pub mod markup;
pub mod name;
pub mod queue;
pub mod resource_types;
pub mod sys;

pub use error::{Error, ErrorKind, Result};
