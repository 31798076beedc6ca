//! What becomes of a request, by what happens to it. Tables without state.

use super::{Moment, Pending};
use crate::error::{Error, ErrorKind, Result};
use crate::queue::request::{Reply, Request, Take, Transaction, TransactionId};

/// What becomes of a request when its reply is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AfterReply {
    /// The caller gets it.
    Deliver,
    /// Nothing came yet, and the caller still waits.
    WaitOn,
    /// Nothing came, and the caller does not wait any more.
    Cancelled,
    /// It was not executed, and will not be here: the queue manager has lost its store.
    Leave,
}

pub(super) fn after_reply(pending: &Pending, reply: &Result<Reply>, now: Moment) -> AfterReply {
    let Err(error) = reply else {
        return AfterReply::Deliver;
    };
    match error.kind {
        ErrorKind::Fenced | ErrorKind::MessageStorageFailed | ErrorKind::ServiceNotAvailable => {
            AfterReply::Leave
        }
        // The server ends waits when it believes that the session is over; this one is not.
        ErrorKind::ReceiveTimeout | ErrorKind::OperationCancelled
            if pending.cancelled.is_some() =>
        {
            AfterReply::Cancelled
        }
        ErrorKind::ReceiveTimeout
            if timeout(&pending.request).is_some()
                && pending.deadline.is_none_or(|deadline| now < deadline) =>
        {
            AfterReply::WaitOn
        }
        _ => AfterReply::Deliver,
    }
}

/// What becomes of a request when the connection is lost before its reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AfterLoss {
    /// It is sent again with the same number: executed once, whatever happened to it.
    SendAgain,
    /// Its transaction ended with the session.
    Abort(TransactionId),
}

pub(super) fn after_loss(request: &Request) -> AfterLoss {
    match request {
        // Their outcome is remembered: sent again, it says whether it happened.
        request if ends_transaction(request) => AfterLoss::SendAgain,
        other => transaction_of(other).map_or(AfterLoss::SendAgain, AfterLoss::Abort),
    }
}

/// Whether a transaction is decided by it.
pub(super) const fn ends_transaction(request: &Request) -> bool {
    matches!(request, Request::Commit { .. } | Request::Prepare { .. })
}

/// The transaction that a request belongs to.
pub(super) fn transaction_of(request: &Request) -> Option<TransactionId> {
    match request {
        Request::Send { transaction, .. }
        | Request::Receive { transaction, .. }
        | Request::ReceiveMany { transaction, .. }
        | Request::Move { transaction, .. } => match transaction {
            Transaction::In(id) => Some(*id),
            Transaction::None | Transaction::Single => None,
        },
        Request::Begin { transaction }
        | Request::Commit { transaction }
        | Request::Abort { transaction }
        | Request::Prepare { transaction, .. }
        | Request::Reject { transaction, .. } => Some(*transaction),
        _ => None,
    }
}

/// How long a request that may wait does so, in milliseconds.
pub(super) fn timeout(request: &Request) -> Option<u64> {
    match request {
        Request::Receive { timeout_ms, .. } | Request::ReceiveMany { timeout_ms, .. } => {
            Some(*timeout_ms)
        }
        _ => None,
    }
}

/// Sets how long a request that may wait does so.
pub(super) fn set_timeout(request: &mut Request, ms: u64) {
    if let Request::Receive { timeout_ms, .. } | Request::ReceiveMany { timeout_ms, .. } = request {
        *timeout_ms = ms;
    }
}

/// Whether a message may be gone from its queue when nobody hears the outcome.
pub(super) fn takes_messages(request: &Request) -> bool {
    match request {
        Request::Receive { take, .. } | Request::ReceiveMany { take, .. } => *take != Take::Peek,
        _ => false,
    }
}

pub(super) fn dropped(transaction: TransactionId) -> Error {
    Error::new(
        ErrorKind::TransactionAborted,
        format!(
            "transaction {} ended when the connection to the queue manager was lost",
            transaction.0
        ),
    )
    .hint("nothing of it has happened; begin it again")
}

pub(super) fn cancelled() -> Error {
    Error::new(ErrorKind::OperationCancelled, "cancelled by its caller")
}
