//! Whether the log has room for a round, asked before anything of it is decided.

use super::codec::MESSAGE_OVERHEAD_BYTES;
use super::record::{LIST_ITEM_BYTES, RECORD_BYTES};
use super::request::Request;
use super::worker::{Command, Worker};
use crate::error::{Error, ErrorKind, Result};

impl Worker {
    /// Upper bound of the bytes a command adds to the log.
    pub(super) fn bytes_of(&self, command: &Command) -> usize {
        let Command::Request(_, request, _) = command else {
            return 0;
        };
        let own = match request {
            Request::Send { message, .. } => {
                message.body.len() + message.label.len() + MESSAGE_OVERHEAD_BYTES
            }
            Request::CreateQueue { queue, properties } => queue.len() + properties.label.len(),
            Request::PurgeQueue { queue } => {
                let found = self.state.find_queue(queue);
                // What the same round locks is paid for by those requests.
                found.map_or(0, |(_, queue)| queue.locked.len() * LIST_ITEM_BYTES)
            }
            Request::Commit { transaction } => {
                let open = self.state.transactions.get(transaction);
                open.map_or(0, |t| {
                    t.bytes
                        + t.sent.len() * (MESSAGE_OVERHEAD_BYTES + LIST_ITEM_BYTES)
                        + t.received.len() * LIST_ITEM_BYTES
                })
            }
            _ => 0,
        };
        own + RECORD_BYTES
    }

    /// Makes room in the log for the round: for all of it, or on a full disk for what removes.
    pub(super) fn admit(&mut self, round: &[Command]) -> Result<()> {
        (self.full, self.stuck) = (None, None);
        // A waiting receive may be served, an express send may need a reservation.
        let extra = self.waiting.len() + 1;
        let records = round.len() + extra;
        let bytes: usize = round.iter().map(|c| self.bytes_of(c)).sum();
        match self
            .log
            .prepare(records, bytes + extra * RECORD_BYTES, false)
        {
            Err(error) if error.kind == ErrorKind::InsufficientResources => self.full = Some(error),
            other => return other,
        }
        let removing = round.iter().filter(|c| !adds(c));
        let bytes: usize = removing.map(|c| self.bytes_of(c)).sum();
        match self
            .log
            .prepare(records, bytes + extra * RECORD_BYTES, true)
        {
            Err(error) if error.kind == ErrorKind::InsufficientResources => {
                self.stuck = Some(error);
                Ok(())
            }
            other => other,
        }
    }

    /// Whether the disk has no room for this request.
    pub(super) fn refusal(&self, request: &Request) -> Option<Error> {
        let adding = match request {
            Request::Send { .. } | Request::CreateQueue { .. } => true,
            Request::Commit { transaction } => {
                let open = self.state.transactions.get(transaction);
                open.is_some_and(|t| !t.sent.is_empty())
            }
            _ => false,
        };
        let logs = !matches!(
            request,
            Request::ListQueues | Request::Receive { peek: true, .. }
        );
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

fn adds(command: &Command) -> bool {
    matches!(
        command,
        Command::Request(_, Request::Send { .. } | Request::CreateQueue { .. }, _)
    )
}
