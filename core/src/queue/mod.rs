//! The queue manager: messages in queues, on disk before they are acknowledged.
//!
//! ```text
//!  Request -> Manager (I/O) -> State (pure: decides, applies records)
//!                 |
//!                 +--------> log (bytes, sync, epoch) -> Reply
//! ```

pub mod manager;
pub mod message;
pub mod request;
