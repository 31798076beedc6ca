//! The queue manager: messages in queues, on disk before they are acknowledged.
//!
//! ```text
//!  Request -> Manager (I/O) -> State (pure: decides, applies records)
//!                 |
//!                 +--------> log (bytes, sync, epoch) -> Reply
//! ```

pub mod message;
pub mod request;

mod admission;
mod cache;
pub(crate) mod codec;
pub mod decide;
pub mod entry;
mod image;
pub mod outcome;
pub mod record;
mod serving;
pub mod state;
pub mod transaction;
mod waiting;
mod worker;

pub mod manager;
