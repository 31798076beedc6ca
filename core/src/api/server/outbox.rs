//! What waits to be written to one client, and how much of that client's is under way.
//!
//! Invariants: `under_way` counts the requests that were admitted and whose outcome is not written yet,
//! `bytes` their estimated cost. Nothing is admitted beyond the bounds, nothing is put in after `close`.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::api::value::Value;
use crate::api::wire::Kind;
use crate::api::wire::frame::append;
use crate::api::wire::payload::{append_command_reply, append_reply};
use crate::error::Result;
use crate::queue::request::Reply;

/// Requests of one connection under way; a client's own window is half of it.
const REQUESTS_MAX: usize = 2048;
/// Bytes of one connection under way, requests and expected replies together.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of one write.
const WRITE_BYTES_MAX: usize = 512 * 1024;

/// An outcome for the client.
#[derive(Debug)]
pub(super) enum Outcome {
    Reply(Result<Reply>),
    Command(Result<Value>),
    Pong,
}

#[derive(Debug)]
struct Item {
    number: u64,
    outcome: Outcome,
    cost: usize,
}

#[derive(Debug, Default)]
struct State {
    items: Vec<Item>,
    under_way: usize,
    bytes: usize,
    closed: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    filled: Notify,
    room: Notify,
}

impl Outbox {
    /// Waits until another request may come in.
    pub(super) async fn room(&self) {
        loop {
            {
                let state = self.state();
                if state.under_way < REQUESTS_MAX && state.bytes < BYTES_MAX {
                    return;
                }
            }
            self.room.notified().await;
        }
    }

    /// A request came in that will cost so many bytes until its outcome is written.
    pub(super) fn admit(&self, cost: usize) {
        let mut state = self.state();
        state.under_way += 1;
        state.bytes += cost;
    }

    /// The outcome of an admitted request.
    pub(super) fn put(&self, number: u64, outcome: Outcome, cost: usize) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        state.items.push(Item {
            number,
            outcome,
            cost,
        });
        let first = state.items.len() == 1;
        drop(state);
        if first {
            self.filled.notify_one();
        }
    }

    /// Waits for outcomes and appends their frames to `out`; gives the number and cost of those, for `written`.
    pub(super) async fn take(&self, out: &mut Vec<u8>) -> Result<(usize, usize)> {
        loop {
            let items = self.some_items();
            if items.is_empty() {
                self.filled.notified().await;
                continue;
            }
            return encode(items, out);
        }
    }

    /// The frames of so many outcomes are on their way: there is room again.
    pub(super) fn written(&self, (count, cost): (usize, usize)) {
        let mut state = self.state();
        state.under_way = state.under_way.saturating_sub(count);
        state.bytes = state.bytes.saturating_sub(cost);
        drop(state);
        self.room.notify_one();
    }

    /// Nobody will read any more; outcomes that still come are dropped.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.items = Vec::new();
    }

    /// As many items as fit into one write; the rest stays and is taken next.
    fn some_items(&self) -> Vec<Item> {
        let mut state = self.state();
        let mut bytes = 0;
        let count = state.items.iter().take_while(|item| {
            let fits = bytes < WRITE_BYTES_MAX;
            bytes += size(&item.outcome);
            fits
        });
        let count = count.count();
        let rest = state.items.split_off(count);
        std::mem::replace(&mut state.items, rest)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A guess at the encoded size: only messages are large.
pub(super) fn size(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Reply(Ok(Reply::Message(received))) => 256 + received.message.body.len(),
        Outcome::Reply(Ok(Reply::Queues(queues))) => 256 + queues.len() * 200,
        _ => 256,
    }
}

fn encode(items: Vec<Item>, out: &mut Vec<u8>) -> Result<(usize, usize)> {
    let (mut count, mut cost) = (0, 0);
    for item in items {
        match item.outcome {
            Outcome::Reply(reply) => append_reply(out, item.number, &reply)?,
            Outcome::Command(reply) => append_command_reply(out, item.number, &reply)?,
            Outcome::Pong => {
                append(out, Kind::Pong, item.number, |_| Ok(()))?;
            }
        }
        count += 1;
        cost += item.cost;
    }
    Ok((count, cost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_no_room_until_outcomes_are_written() {
        let outbox = Outbox::default();
        for _ in 0..REQUESTS_MAX {
            outbox.room().await;
            outbox.admit(10);
        }
        let mut waiting = Box::pin(outbox.room());
        assert!(futures_poll(&mut waiting).await.is_none());
        for number in 0..10 {
            outbox.put(number, Outcome::Reply(Ok(Reply::Done)), 10);
        }
        let mut out = Vec::new();
        let taken = outbox.take(&mut out).await.unwrap();
        assert_eq!(taken, (10, 100));
        outbox.written(taken);
        waiting.await;
    }

    #[tokio::test]
    async fn large_outcomes_are_written_in_pieces_and_in_order() {
        let outbox = Outbox::default();
        for number in 0..4 {
            outbox.admit(0);
            outbox.put(number, big(), 0);
        }
        let mut out = Vec::new();
        assert_eq!(outbox.take(&mut out).await.unwrap().0, 2);
        assert_eq!(outbox.take(&mut out).await.unwrap().0, 2);
    }

    #[test]
    fn after_the_end_nothing_is_kept() {
        let outbox = Outbox::default();
        outbox.close();
        outbox.put(1, big(), 0);
        assert!(outbox.state().items.is_empty());
    }

    fn big() -> Outcome {
        let body = vec![0; WRITE_BYTES_MAX / 2];
        Outcome::Reply(Ok(Reply::Message(Box::new(
            crate::queue::message::Received {
                message: crate::queue::message::Message::new(body),
                id: crate::queue::message::MessageId::NONE,
                lookup_id: 0,
                sent_ms: 0,
                arrived_ms: 0,
            },
        ))))
    }

    async fn futures_poll<F: std::future::Future + Unpin>(future: &mut F) -> Option<F::Output> {
        tokio::select! { biased; output = future => Some(output), () = std::future::ready(()) => None }
    }
}
