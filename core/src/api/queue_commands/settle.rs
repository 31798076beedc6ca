//! What becomes of messages that were received with a lease; moving messages.

use super::queue::{beside, local};
use super::{Sessions, number_32};
use crate::api::message::{
    CompleteMsmqMessage, DenyMsmqMessage, MoveMsmqMessage, SettledInfo, UndoMsmqMessage,
    UpdateMsmqMessage,
};
use crate::api::queue::unexpected;
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;
use crate::queue::message::LeaseId;
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
    let session = on.session(path.computer())?;
    let request = Request::Move {
        queue: local(&path),
        lookup_id: command.lookup_id,
        to: beside(&path, &command.destination)?.as_str().to_owned(),
        transaction: Transaction::None,
    };
    match session.call(request)? {
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

/// Reads `LOOKUPID.DELIVERY`.
fn lease_id(text: &str) -> Result<LeaseId> {
    let parts = text.split_once('.');
    let lease = parts.and_then(|(lookup_id, delivery)| {
        Some(LeaseId {
            lookup_id: lookup_id.parse().ok()?,
            delivery: delivery.parse().ok()?,
        })
    });
    lease.ok_or_else(|| {
        Error::new(ErrorKind::InvalidParameter, format!("{text:?} is no lease"))
            .hint("Receive-MsmqQueue -Lease 30s shows it as LeaseId")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_a_place_and_a_delivery() {
        let lease = lease_id("216172782113783810.2").unwrap();
        assert_eq!(
            (lease.lookup_id, lease.delivery),
            (216_172_782_113_783_810, 2)
        );
        for bad in ["", "7", "7.", ".1", "7.x", "7.1.2"] {
            assert!(lease_id(bad).is_err(), "{bad}");
        }
    }
}
