//! An open transaction: what it will do at its commit, and what it holds.

use std::collections::BTreeMap;

use super::change::{Arrival, Effect};
use super::request::{BodyId, BranchId};
use crate::error::{Error, ErrorKind, Result};

/// Bytes and operations of one transaction at most.
const BYTES_MAX: usize = 64 * 1024 * 1024;
const OPERATIONS_MAX: usize = 100_000;

/// What one operation will do.
#[derive(Clone, Debug)]
pub enum Operation {
    /// A message is sent; its place is given at the commit. Boxed with its priority.
    Send(Box<Arrival>, u8),
    /// A held message is taken: queue and lookup id.
    Receive(u32, u64),
    /// A held message goes to another queue of the same family.
    Move(u32, u64, String),
}

/// Lives in memory until it commits or is prepared.
#[derive(Debug, Default)]
pub struct OpenTransaction {
    /// In order.
    pub operations: Vec<Operation>,
    /// Of received messages, what else happens when they are taken: journal copies, acknowledgements.
    pub aftermath: Vec<(u32, u64, Effect)>,
    /// Messages that were marked as rejected.
    pub rejected: Vec<(u32, u64)>,
    /// Large bodies that its messages use.
    pub bodies: Vec<BodyId>,
    /// Bytes of what it sends.
    pub bytes: usize,
    /// Bytes of bodies that it will bring, by queue.
    pub staged: BTreeMap<u32, u64>,
}

impl OpenTransaction {
    /// Messages it holds.
    pub fn held(&self) -> impl Iterator<Item = (u32, u64)> {
        self.operations
            .iter()
            .filter_map(|operation| match operation {
                Operation::Receive(queue, id) | Operation::Move(queue, id, _) => {
                    Some((*queue, *id))
                }
                Operation::Send(..) => None,
            })
    }

    /// Whether it sends anything.
    #[must_use]
    pub fn sends(&self) -> bool {
        let send = |operation: &Operation| matches!(operation, Operation::Send(..));
        self.operations.iter().any(send) || !self.aftermath.is_empty()
    }

    /// Whether `bytes` more fit.
    ///
    /// # Errors
    /// `InsufficientResources`.
    pub fn admit(&self, bytes: usize) -> Result<()> {
        let operations = self.operations.len();
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
}

/// A transaction that waits for its coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedTransaction {
    /// The coordinator's name for it.
    pub branch: BranchId,
    /// What it holds and will take.
    pub taken: Vec<(u32, u64)>,
    /// What else happens at its commit; contents are in the log.
    pub effects: Vec<Effect>,
    /// Bytes of bodies that it will bring, by queue; follows from `effects`.
    pub staged: BTreeMap<u32, u64>,
}
