//! The frames of the data plane that come by the hundred thousand, without a copy of a message more than needed.
//!
//! ```text
//!  request: Send, Receive, ReceiveMany      reply: Sent (many in one), Messages
//! ```

mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use reply::{SentRun, append_messages, append_sent, read_messages, read_sent};
pub use request::{append_hot_request, read_receive, read_receive_many, read_send};

use super::payload::unreadable;
use crate::error::Error;

/// The decoder speaks of the message store, whose code it shares.
fn why(what: &str, error: &Error) -> Error {
    let reason = error.message.rsplit(": ").next().unwrap_or_default();
    unreadable(what, reason)
}
