//! Bytes that wait to be written to one client.

use std::io;
use std::time::Duration;

use crate::api::wire::Kind;
use crate::api::wire::data::{SentRun, append_sent};
use crate::api::wire::frame::append;
use crate::api::wire::payload::{append_refused, append_reply, append_welcome};
use crate::api::wire::{VERSION, Welcome};
use crate::error::{Error, Result};
use crate::queue::request::Reply;
use crate::sys::network::Stream;

/// See the module. Replies to sends that follow each other become one frame.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
    run: Option<SentRun>,
    /// Since when the client does not take what is written.
    blocked: Option<Duration>,
    /// Whether anything was put in since `rest` was called.
    used: bool,
}

impl Outgoing {
    pub(super) fn reply(&mut self, sequence: u64, reply: &Result<Reply>) -> Result<()> {
        if let Ok(Reply::Sent { id, lookup_id }) = reply {
            let next = SentRun::one(sequence, *id, *lookup_id);
            if !self.run.as_mut().is_some_and(|run| run.extend(next)) {
                self.end_run()?;
                self.run = Some(next);
            }
            return Ok(());
        }
        self.end_run()?;
        append_reply(&mut self.bytes, sequence, reply)
    }

    pub(super) fn pong(&mut self, correlation: u64) -> Result<()> {
        self.end_run()?;
        append(&mut self.bytes, Kind::Pong, correlation, |_| Ok(()))
    }

    pub(super) fn welcome(&mut self, name: &str, epoch: u64) -> Result<()> {
        let welcome = Welcome {
            version: VERSION,
            name: name.to_owned(),
            epoch,
        };
        append_welcome(&mut self.bytes, &welcome)
    }

    pub(super) fn refuse(&mut self, error: &Error) -> Result<()> {
        append_refused(&mut self.bytes, error)
    }

    /// How many bytes wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len() - self.written
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting() == 0 && self.run.is_none()
    }

    /// Since when nothing could be written.
    pub(super) fn blocked_since(&self) -> Option<Duration> {
        self.blocked
    }

    /// Writes as much as fits.
    pub(super) fn write(&mut self, stream: &Stream, now: Duration) -> io::Result<()> {
        self.end_run().map_err(io::Error::other)?;
        self.used = true;
        while self.written < self.bytes.len() {
            match stream.write(&self.bytes[self.written..])? {
                0 => {
                    self.blocked.get_or_insert(now);
                    return Ok(());
                }
                count => {
                    self.written += count;
                    self.blocked = None;
                }
            }
        }
        self.bytes.clear();
        self.written = 0;
        Ok(())
    }

    /// Gives memory back that was not needed since the last call.
    pub(super) fn rest(&mut self) {
        if !std::mem::take(&mut self.used) && self.is_empty() {
            self.bytes = Vec::new();
        }
    }

    fn end_run(&mut self) -> Result<()> {
        match self.run.take() {
            Some(run) => append_sent(&mut self.bytes, &run),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::api::wire::frame::parse;
    use crate::api::wire::payload::{Replies, read_replies};
    use crate::error::ErrorKind;
    use crate::queue::message::MessageId;

    fn sent(ordinal: u32, lookup_id: u64) -> Result<Reply> {
        let id = MessageId {
            manager: uuid::Uuid::from_u128(7),
            ordinal,
        };
        Ok(Reply::Sent { id, lookup_id })
    }

    fn read(mut outgoing: Outgoing) -> (usize, Vec<(u64, Result<Reply>)>) {
        outgoing.end_run().unwrap();
        let whole = Bytes::from(outgoing.bytes);
        let (mut at, mut frames, mut all) = (0, 0, Vec::new());
        while let Some((frame, length)) = parse(&whole[at..]).unwrap() {
            match read_replies(&frame, &whole).unwrap() {
                Replies::One(sequence, reply) => all.push((sequence, reply)),
                Replies::Sent(run) => all.extend(run.replies().map(|(n, reply)| (n, Ok(reply)))),
            }
            at += length;
            frames += 1;
        }
        (frames, all)
    }

    #[test]
    fn replies_to_sends_in_a_row_are_one_frame_and_come_out_as_they_went_in() {
        let fault = Err(Error::new(ErrorKind::QueueNotFound, "x"));
        let in_transaction = || {
            Ok(Reply::Sent {
                id: MessageId::NONE,
                lookup_id: 0,
            })
        };
        let all = vec![
            (4, sent(1, 100)),
            (5, sent(2, 101)),
            (6, sent(3, 102)),
            (8, sent(4, 103)),
            (9, sent(5, 900)),
            (10, fault),
            (11, sent(6, 901)),
            (12, in_transaction()),
            (13, in_transaction()),
        ];
        let mut outgoing = Outgoing::default();
        for (sequence, reply) in &all {
            outgoing.reply(*sequence, reply).unwrap();
        }
        assert_eq!(read(outgoing), (6, all));
    }

    #[test]
    fn what_does_not_fit_waits_and_memory_is_given_back() {
        let (near, far) = Stream::pair().unwrap();
        let mut outgoing = Outgoing {
            bytes: vec![1; 4_000_000],
            ..Outgoing::default()
        };
        outgoing.write(&near, Duration::from_secs(3)).unwrap();
        assert_eq!(outgoing.blocked_since(), Some(Duration::from_secs(3)));
        let mut seen = Vec::new();
        while !outgoing.is_empty() {
            seen.reserve(100_000);
            far.read(&mut seen).unwrap();
            outgoing.write(&near, Duration::from_secs(4)).unwrap();
        }
        outgoing.rest();
        assert!(outgoing.bytes.capacity() > 0, "used a moment ago");
        outgoing.rest();
        assert_eq!(outgoing.bytes.capacity(), 0);
    }
}
