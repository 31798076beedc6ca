//! Whether the log has room for a round, asked before anything of it is decided.

use super::change::{CHANGE_BYTES, EFFECT_BYTES};
use super::engine::{Asked, Engine};
use super::request::{Caller, Request, Settle};
use super::transaction::{OpenTransaction, Operation};
use crate::error::{Error, ErrorKind, Result};

/// The record that gives a client its number.
const NAME_BYTES: usize = 48;
/// What a round may add beside its requests.
const ROUND_BYTES: usize = 128;
/// What an acknowledgement message and its copies may add.
const ASIDE_BYTES: usize = 512;

impl Engine {
    /// Upper bound of the bytes a request adds to the log.
    pub(super) fn bytes_of(&self, from: &Caller, request: &Request) -> usize {
        let own = match request {
            Request::Send { message, .. } if message.is_acknowledged() => {
                // An acknowledgement has the label, and its queue may acknowledge as well.
                2 * message.len() + 4 * ASIDE_BYTES
            }
            Request::Send { message, .. } => message.len(),
            Request::WriteBody { bytes, .. } => bytes.len(),
            Request::CreateQueue { queue, properties }
            | Request::SetQueue { queue, properties } => {
                4 * (queue.len() + properties.label.len()) + ASIDE_BYTES
            }
            Request::SetAccess { access, .. } => {
                let names = access.entries.iter().map(|entry| entry.trustee.len() + 16);
                access.owner.len() + names.sum::<usize>() + ASIDE_BYTES
            }
            Request::PurgeQueue { queue } | Request::DeleteQueue { queue } => {
                let found = self.state.find_queue(queue);
                // What the same round locks is paid for by those requests.
                found.map_or(0, |(_, queue)| queue.locked.len() * EFFECT_BYTES) + ASIDE_BYTES
            }
            Request::ReceiveMany { count_max, .. } => {
                (*count_max as usize).min(65_536) * EFFECT_BYTES
            }
            Request::Settle { leases, how, .. } => {
                let each = match how {
                    Settle::Extend(_) => 0,
                    // Also a release may bring a dead letter and an acknowledgement.
                    _ => EFFECT_BYTES + ASIDE_BYTES,
                };
                leases.len() * each
            }
            Request::Commit { transaction } => {
                let key = (from.client, *transaction);
                // One that cannot be committed is aborted.
                self.state
                    .commit_bytes(key, 0)
                    .max(self.state.abort_bytes(key))
            }
            Request::Prepare {
                transaction,
                branch,
            } => {
                let key = (from.client, *transaction);
                let prepared = self.state.commit_bytes(key, branch.0.len());
                prepared.max(self.state.abort_bytes(key))
            }
            Request::Abort { transaction } => self.state.abort_bytes((from.client, *transaction)),
            Request::Resolve { branch, .. } => self.state.resolve_bytes(branch),
            Request::Receive { .. } | Request::Move { .. } => ASIDE_BYTES,
            _ => 0,
        };
        own + NAME_BYTES + CHANGE_BYTES + EFFECT_BYTES
    }

    /// Makes room in the log for the round: for all of it, or on a full disk for what removes.
    pub(super) fn admit(&mut self, round: &[Asked]) -> Result<()> {
        (self.full, self.stuck) = (None, None);
        if !round.iter().any(|asked| asked.request.changes()) {
            return Ok(());
        }
        // Waiting receives may be served, an express send may need a reservation, each client a name.
        let waiting = self.waiting.len();
        let extra_bytes = waiting * (CHANGE_BYTES + EFFECT_BYTES + ASIDE_BYTES) + ROUND_BYTES;
        let records = 2 * round.len() + waiting + 2;
        let bytes: usize = round
            .iter()
            .map(|asked| self.bytes_of(&asked.from, &asked.request))
            .sum();
        match self.make_room(records, bytes + extra_bytes, false) {
            Err(error) if error.kind == ErrorKind::InsufficientResources => self.full = Some(error),
            other => return other,
        }
        let removing = round.iter().filter(|asked| !adds(&asked.request));
        let bytes: usize = removing
            .map(|asked| self.bytes_of(&asked.from, &asked.request))
            .sum();
        match self.make_room(records, bytes + extra_bytes, true) {
            Err(error) if error.kind == ErrorKind::InsufficientResources => {
                self.stuck = Some(error);
                Ok(())
            }
            other => other,
        }
    }

    /// Whether the disk has no room for this request.
    pub(super) fn refusal(&self, from: &Caller, request: &Request) -> Option<Error> {
        if self.full.is_none() && self.stuck.is_none() {
            return None;
        }
        let sends = |open: &OpenTransaction| {
            let send = |operation: &Operation| matches!(operation, Operation::Send(..));
            open.operations.iter().any(send)
        };
        let adding = match request {
            Request::Commit { transaction } | Request::Prepare { transaction, .. } => {
                let key = (from.client, *transaction);
                self.state.transactions.get(&key).is_some_and(sends)
            }
            other => adds(other),
        };
        let logs = request.changes();
        let cause = if adding { &self.full } else { &None };
        let cause = cause.as_ref().or(self.stuck.as_ref().filter(|_| logs))?;
        Some(
            Error::new(
                ErrorKind::InsufficientResources,
                format!("the disk of the message store is full: {}", cause.message),
            )
            .hint(
                "nothing was stored; receive messages or free space on the disk, then send again",
            ),
        )
    }
}

fn adds(request: &Request) -> bool {
    if let Ok(Some(meant)) = request.meant() {
        return adds(&meant); // so that it is refused as it would be
    }
    matches!(
        request,
        Request::Send { .. } | Request::CreateQueue { .. } | Request::WriteBody { .. }
    )
}
