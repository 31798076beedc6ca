//! What becomes of messages that were received with a lease; moving messages.

use super::queue::{beside, local};
use super::{Sessions, ambient, number_32};
use crate::api::message::{
    CompleteMsmqMessage, DenyMsmqMessage, MoveMsmqMessage, SettledInfo, UndoMsmqMessage,
    UpdateMsmqMessage, lease_id,
};
use crate::api::queue::unexpected;
use crate::error::{ErrorKind, Result};
use crate::name::QueuePath;
use crate::queue::request::{Reply, Request, Settle, Transaction};

pub(super) fn complete(on: &dyn Sessions, command: &CompleteMsmqMessage) -> Result<SettledInfo> {
    settle(on, &command.queue, &command.lease_id, Settle::Complete)
}

pub(super) fn undo(on: &dyn Sessions, command: &UndoMsmqMessage) -> Result<SettledInfo> {
    settle(on, &command.queue, &command.lease_id, Settle::Release)
}

pub(super) fn deny(on: &dyn Sessions, command: &DenyMsmqMessage) -> Result<SettledInfo> {
    settle(on, &command.queue, &command.lease_id, Settle::Reject)
}

pub(super) fn extend(on: &dyn Sessions, command: &UpdateMsmqMessage) -> Result<SettledInfo> {
    let length = number_32("Lease", command.lease.0)?;
    let how = Settle::Extend(length);
    settle(on, &command.queue, &command.lease_id, how)
}

pub(super) fn move_message(on: &dyn Sessions, command: &MoveMsmqMessage) -> Result<SettledInfo> {
    let path = QueuePath::parse(&command.queue)?;
    let to = beside(&path, &command.destination)?.as_str().to_owned();
    let (session, taking_part) = match command.use_transaction {
        true => {
            let (session, transaction) = ambient(on, path.computer(), command.transactional)?;
            (session, Some(transaction))
        }
        false => (on.session(path.computer())?, None),
    };
    let once = |transaction| {
        session.call(Request::Move {
            queue: local(&path),
            lookup_id: command.lookup_id,
            to: to.clone(),
            transaction,
        })
    };
    let moved = match (taking_part, command.transactional) {
        (Some(transaction), _) => once(transaction),
        (None, true) => once(Transaction::Single),
        (None, false) => match once(Transaction::None) {
            // The queue is transactional: then the move is a transaction of its own.
            Err(error) if error.kind == ErrorKind::TransactionUsage => once(Transaction::Single),
            other => other,
        },
    };
    match moved? {
        Reply::Done => Ok(SettledInfo {
            queue: path.to_string(),
            lookup_id: command.lookup_id,
            outcome: "Moved".to_owned(),
        }),
        other => Err(unexpected(&other)),
    }
}

fn settle(on: &dyn Sessions, queue: &str, lease: &str, how: Settle) -> Result<SettledInfo> {
    let path = QueuePath::parse(queue)?;
    let session = on.session(path.computer())?;
    let lease = lease_id(lease)?;
    let request = Request::Settle {
        queue: local(&path),
        leases: vec![lease],
        how,
    };
    let outcome = match how {
        Settle::Complete => "Completed",
        Settle::Release => "Released",
        Settle::Reject => "Rejected",
        Settle::Extend(_) => "Extended",
    };
    match session.call(request)? {
        Reply::Done => Ok(SettledInfo {
            queue: path.to_string(),
            lookup_id: lease.lookup_id,
            outcome: outcome.to_owned(),
        }),
        other => Err(unexpected(&other)),
    }
}
