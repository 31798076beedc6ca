//! The queue manager: messages in queues, on disk before they are acknowledged.
//!
//! ```text
//!  Request -> Manager (I/O) -> State (pure: decides, applies records)
//!                 |
//!                 +--------> log (bytes, sync, epoch) -> Reply
//! ```

pub mod message;
pub mod request;

mod cache;
mod codec;
mod decide;
mod entry;
mod image;
mod outcome;
mod record;
mod state;
mod transaction;
mod waiting;
mod worker;

pub mod manager;
