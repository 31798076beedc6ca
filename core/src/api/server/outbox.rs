//! What waits to be written to one client of the command server, and how many of its commands are under way.
//!
//! Invariants: `under_way` counts the commands and pings that were admitted and whose outcome is not written
//! yet. Nothing is admitted beyond the bound, nothing is put in after `close`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio::sync::Notify;

use crate::api::value::Value;
use crate::api::wire::Kind;
use crate::api::wire::frame::append;
use crate::api::wire::payload::append_command_reply;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::trust::Channel;

/// Commands and pings of one connection under way.
const UNDER_WAY_MAX: usize = 128;
/// How long one write to a client may take before it counts as gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// An outcome for the client.
#[derive(Debug)]
pub(super) enum Outcome {
    Command(Result<Value>),
    Pong,
}

#[derive(Debug, Default)]
struct State {
    items: Vec<(u64, Outcome)>,
    under_way: usize,
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
    /// Waits until another command may come in.
    pub(super) async fn room(&self) {
        while self.state().under_way >= UNDER_WAY_MAX {
            self.room.notified().await;
        }
    }

    /// A command or a ping came in.
    pub(super) fn admit(&self) {
        self.state().under_way += 1;
    }

    /// The outcome of what was admitted.
    pub(super) fn put(&self, number: u64, outcome: Outcome) {
        let mut state = self.state();
        if !state.closed {
            state.items.push((number, outcome));
            self.filled.notify_one();
        }
    }

    /// Waits for outcomes and appends their frames to `out`; says how many, for `written`.
    async fn take(&self, out: &mut Vec<u8>) -> Result<usize> {
        loop {
            let items = std::mem::take(&mut self.state().items);
            if !items.is_empty() {
                return encode(items, out);
            }
            self.filled.notified().await;
        }
    }

    /// So many outcomes are on their way: there is room again.
    fn written(&self, count: usize) {
        self.state().under_way -= count;
        self.room.notify_one();
    }

    /// Nobody will read any more; outcomes that still come are dropped.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.items = Vec::new();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encode(items: Vec<(u64, Outcome)>, out: &mut Vec<u8>) -> Result<usize> {
    let count = items.len();
    for (number, outcome) in items {
        match outcome {
            Outcome::Command(reply) => append_command_reply(out, number, &reply)?,
            Outcome::Pong => append(out, Kind::Pong, number, |_| Ok(()))?,
        }
    }
    Ok(count)
}

/// Writes outcomes as they come, all that are there at once.
pub(super) async fn write_outcomes(outbox: &Outbox, mut stream: WriteHalf<Channel>) -> Result<()> {
    loop {
        let mut out = Vec::new();
        let taken = outbox.take(&mut out).await?;
        let sent = async {
            stream.write_all(&out).await?;
            stream.flush().await
        };
        match tokio::time::timeout(WRITE_TIMEOUT, sent).await {
            Ok(Ok(())) => outbox.written(taken),
            Ok(Err(e)) => return Err(Error::system("write to a client", &e)),
            Err(_) => return Err(Error::new(ErrorKind::Timeout, "a client does not read")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_no_room_until_outcomes_are_written() {
        let outbox = Outbox::default();
        for _ in 0..UNDER_WAY_MAX {
            outbox.room().await;
            outbox.admit();
        }
        for number in 0..10 {
            outbox.put(number, Outcome::Pong);
        }
        let mut waiting = Box::pin(outbox.room());
        tokio::select! {
            biased;
            () = &mut waiting => panic!("there is no room yet"),
            () = std::future::ready(()) => {}
        }
        let taken = outbox.take(&mut Vec::new()).await.unwrap();
        assert_eq!(taken, 10);
        outbox.written(taken);
        waiting.await;
    }

    #[test]
    fn after_the_end_nothing_is_kept() {
        let outbox = Outbox::default();
        outbox.close();
        outbox.put(1, Outcome::Pong);
        assert!(outbox.state().items.is_empty());
    }
}
