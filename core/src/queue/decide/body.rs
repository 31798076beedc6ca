//! Bodies above 4 MiB: written in parts before the message is sent, read in parts after it was received.

use super::Decision;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::access::Rights;
use crate::queue::change::{Arrival, Change, Effect, Tell};
use crate::queue::entry::Entry;
use crate::queue::index::Pages;
use crate::queue::message::{BODY_BYTES_MAX, LARGE_BODY_BYTES_MAX};
use crate::queue::request::{BodyId, BodySource, Caller, RequestId, TransactionId};
use crate::queue::state::{Now, State};

/// Bodies that one client may be writing at the same time.
const UPLOADS_MAX: usize = 64;
/// Bodies that are dropped at a time, about.
const DROPPED_MAX: usize = 1_000;
/// Bytes of one answer at most.
const READ_BYTES_MAX: u32 = 4 * 1024 * 1024;

fn not_contiguous(body: BodyId, offset: u64, so_far: u64) -> Error {
    let text = format!(
        "a part of body {} begins at byte {offset}, but {so_far} bytes of it are there",
        body.0
    );
    Error::new(ErrorKind::InvalidParameter, text).hint(
        "send the body again from its beginning; parts wait ten minutes for a client that is away",
    )
}

impl State {
    pub(super) fn decide_write_body(
        &self,
        from: &Caller,
        id: &RequestId,
        (body, offset): (BodyId, u64),
        bytes: &[u8],
        now: Now,
    ) -> Result<Decision> {
        if bytes.is_empty() {
            return self.decide_give_up_body(from, id, body, now);
        }
        let key = (from.client, body);
        let so_far = self.uploads.get(&key).map_or(0, |upload| upload.bytes);
        if offset != so_far {
            return Err(not_contiguous(body, offset, so_far));
        }
        let of_client = (from.client, BodyId(0))..=(from.client, BodyId(u64::MAX));
        let too_many = so_far == 0 && self.uploads.range(of_client).count() >= UPLOADS_MAX;
        let total = so_far + bytes.len() as u64;
        if bytes.len() > BODY_BYTES_MAX || total > LARGE_BODY_BYTES_MAX {
            let text = format!("a part of {} bytes behind {so_far} others", bytes.len());
            return Err(
                Error::new(ErrorKind::IllegalPropertyValue, text).hint(format!(
                    "a part has 1 to {BODY_BYTES_MAX} bytes, a body at most {LARGE_BODY_BYTES_MAX}"
                )),
            );
        }
        if too_many {
            let text = format!("{UPLOADS_MAX} bodies are being written by this client");
            return Err(Error::new(ErrorKind::InsufficientResources, text)
                .hint("send the messages they belong to first"));
        }
        Ok(Decision::Change(Change::one(
            self.stamp(*id, now),
            Tell::Done,
            Effect::Part {
                client: from.client,
                body: body.0,
                bytes: bytes::Bytes::copy_from_slice(bytes),
            },
        )))
    }

    /// Its client does not need it any more, and says so.
    fn decide_give_up_body(
        &self,
        from: &Caller,
        id: &RequestId,
        body: BodyId,
        now: Now,
    ) -> Result<Decision> {
        let of_client = (from.client, TransactionId(0))..=(from.client, TransactionId(u64::MAX));
        let mut open = self.transactions.range(of_client);
        if open.any(|(_, open)| open.bodies.contains(&body)) {
            let text = format!("body {} is part of an open transaction", body.0);
            return Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint("commit or abort the transaction"));
        }
        Ok(Decision::Change(Change::one(
            self.stamp(*id, now),
            Tell::Done,
            Effect::Parts {
                client: from.client,
                body: body.0,
            },
        )))
    }

    /// Drops what clients wrote that did not come back in time.
    pub(super) fn drop_unfinished_bodies(&mut self, effects: &mut Vec<Effect>, now: Now) {
        // The rest in the next round: a batch has its bound.
        while effects.len() < DROPPED_MAX
            && let Some(client) = self.absent.take_overdue(now.boot_ms)
        {
            let bodies = (client, BodyId(0))..=(client, BodyId(u64::MAX));
            effects.extend(self.uploads.range(bodies).map(|upload| Effect::Parts {
                client,
                body: upload.0.1.0,
            }));
        }
    }

    /// The parts that were written become the body of a message.
    pub(super) fn attach(&self, from: &Caller, body: BodyId, arrival: &mut Arrival) -> Result<()> {
        let upload = self.uploads.get(&(from.client, body)).ok_or_else(|| {
            let text = format!("no body {} was written", body.0);
            Error::new(ErrorKind::InvalidParameter, text).hint(
                "write its parts first, over the same session; it waits ten minutes for a client that is away",
            )
        })?;
        if arrival.body_bytes != 0 {
            return Err(Error::new(
                ErrorKind::IllegalPropertyValue,
                "a message has one body, not a second one in parts",
            )
            .hint("leave the body of the message empty"));
        }
        arrival.body_bytes = upload.bytes;
        arrival.parts.clone_from(&upload.parts);
        Ok(())
    }

    pub(super) fn decide_read_body(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        source: &BodySource,
        offset: u64,
        length: u32,
    ) -> Result<Decision> {
        let entry = self.body_entry(pages, from, source)?;
        let parts = entry.extra.map(|extra| extra.parts).unwrap_or_default();
        if parts.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                "the body came with the message",
            )
            .hint("only a body above 4 MiB is read in parts"));
        }
        Ok(Decision::Read(parts, offset, length.min(READ_BYTES_MAX)))
    }

    fn body_entry(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        source: &BodySource,
    ) -> Result<Entry> {
        match source {
            BodySource::Received(sequence) => {
                let id = RequestId {
                    client: from.client,
                    sequence: *sequence,
                    acknowledged: 0,
                };
                let outcome = self.outcomes.find(&id)?;
                let delivered = outcome.and_then(|outcome| outcome.delivered().first());
                delivered.map(|d| d.entry.clone()).ok_or_else(|| {
                    let text = format!("request {sequence} has received no message");
                    Error::new(ErrorKind::InvalidParameter, text).hint(
                        "receive it again; the body can be read until the receive is acknowledged",
                    )
                })
            }
            BodySource::Message { queue, lookup_id } => {
                let (number, found) = self.open_queue(from, queue, Rights::PEEK)?;
                let error = super::receive::no_message(found, *lookup_id);
                let queue = self.queues.get_mut(&number);
                let entry = match queue {
                    Some(queue) => queue.get(pages, *lookup_id)?.cloned(),
                    None => None,
                };
                entry.ok_or(error)
            }
        }
    }
}
