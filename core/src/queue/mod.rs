//! The queue manager: messages in queues, on disk before they are acknowledged.
//!
//! ```text
//!  Request -> Engine (rounds) -> State (pure: decide/ -> Change -> apply)
//!                 |
//!                 +------------> log (bytes, sync, epoch) -> Reply
//!
//!  driven by: a server's event loop (api/server), or a thread (manager.rs: embedded)
//! ```

pub mod access;
pub mod encoded;
pub mod message;
pub mod request;

pub mod change;
pub mod decide;
pub mod entry;
pub mod index;
pub mod outcome;
pub mod state;
pub mod stored_queue;
pub mod transaction;

mod absent;
mod apply;
mod change_codec;
pub(crate) mod codec;
pub mod counters;
mod entry_codec;
mod image;
mod keys;
mod places;
mod property_codec;
mod quota;
pub mod trace;

mod admission;
mod background;
mod bound;
mod cache;
mod checkpoint;
mod cleaning;
pub mod engine;
mod execute;
mod flight;
mod notices;
mod opening;
pub mod serve;
mod serving;
mod waiting;

pub mod manager;
pub mod offline;
