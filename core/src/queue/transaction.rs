//! An open transaction: what it will send, and what it holds.

use uuid::Uuid;

use super::message::Message;
use crate::error::{Error, ErrorKind, Result};

/// Bytes and operations of one transaction at most.
const BYTES_MAX: usize = 64 * 1024 * 1024;
const OPERATIONS_MAX: usize = 100_000;

/// Lives in memory until it commits.
#[derive(Debug)]
pub struct OpenTransaction {
    /// Who began it; nobody else may use it.
    pub client: Uuid,
    /// Sends in order: the queue's number and the message.
    pub sent: Vec<(u32, Message)>,
    /// Messages it holds.
    pub received: Vec<(u32, u64)>,
    /// Bytes of what it sends.
    pub bytes: usize,
}

impl OpenTransaction {
    /// One with nothing in it.
    #[must_use]
    pub const fn new(client: Uuid) -> Self {
        Self {
            client,
            sent: Vec::new(),
            received: Vec::new(),
            bytes: 0,
        }
    }

    /// Whether `bytes` more fit.
    ///
    /// # Errors
    /// `InsufficientResources`.
    pub fn admit(&self, bytes: usize) -> Result<()> {
        let operations = self.sent.len() + self.received.len();
        if self.bytes + bytes > BYTES_MAX || operations >= OPERATIONS_MAX {
            return Err(Error::new(
                ErrorKind::InsufficientResources,
                format!("the transaction has {operations} operations and {} bytes", self.bytes),
            )
            .hint(format!(
                "a transaction has at most {OPERATIONS_MAX} operations and {BYTES_MAX} bytes; use more of them"
            )));
        }
        Ok(())
    }

    /// A send becomes part of it.
    pub fn send(&mut self, queue: u32, message: Message) {
        self.bytes += message.body.len() + message.label.len();
        self.sent.push((queue, message));
    }
}
