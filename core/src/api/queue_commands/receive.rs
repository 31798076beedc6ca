//! Receiving, peeking and browsing.

use std::io::Read;
use std::path::Path;

use super::queue::local;
use super::{Sessions, ambient, exclusive, number_32, selection};
use crate::api::message::{GetMsmqMessage, MessageInfo, ReceiveMsmqQueue};
use crate::api::queue::unexpected;
use crate::api::session::{Held, Session};
use crate::api::value::{Body, Time};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;
use crate::queue::message::Received;
use crate::queue::request::{Reply, Request, Select, Settle, Take, Transaction};
use crate::sys::file;

/// Messages of one command.
const COUNT_MAX: u64 = 10_000;
/// Messages that Get-MsmqMessage shows unless it is told otherwise.
const BROWSE_COUNT: u64 = 100;
/// How long a message is hidden while its body is written to a file.
const FILE_LEASE_MS: u32 = 10 * 60 * 1000;
/// Bytes of one answer.
const LOT_BYTES_MAX: u32 = 1024 * 1024;

pub(super) fn receive(on: &dyn Sessions, command: &ReceiveMsmqQueue) -> Result<Vec<MessageInfo>> {
    let path = QueuePath::parse(&command.name)?;
    let count = checked_count(command.count.unwrap_or(1))?;
    let (select, take) = (selection::of(command)?, take(command)?);
    let (session, transaction) = match (transaction(command)?, command.use_transaction) {
        (_, true) => ambient(on, path.computer(), command.transactional)?,
        (transaction, false) => (on.session(path.computer())?, transaction),
    };
    let reading = Reading {
        session,
        select,
        take,
        timeout_ms: command.timeout.map_or(0, |timeout| timeout.0),
        transaction,
        with_body: command.retrieve_body,
        path,
    };
    match &command.out_file {
        Some(file) if count == 1 => reading.into_file(file).map(|message| vec![message]),
        Some(_) => Err(exclusive(
            "-OutFile takes one message",
            "leave -Count out, or the file",
        )),
        None if count == 1 => reading.one().map(|message| vec![message]),
        None => reading.many(count),
    }
}

pub(super) fn browse(on: &dyn Sessions, command: &GetMsmqMessage) -> Result<Vec<MessageInfo>> {
    let path = QueuePath::parse(&command.name)?;
    let count = checked_count(command.count.unwrap_or(BROWSE_COUNT))?;
    let reading = Reading {
        session: on.session(path.computer())?,
        select: command.after.map_or(Select::First, Select::After),
        take: Take::Peek,
        timeout_ms: 0,
        transaction: Transaction::None,
        with_body: false,
        path,
    };
    if command.delayed {
        return reading.delayed(count);
    }
    match reading.many(count) {
        Err(error) if error.kind == ErrorKind::ReceiveTimeout => Ok(Vec::new()),
        other => other,
    }
}

fn checked_count(count: u64) -> Result<u64> {
    if (1..=COUNT_MAX).contains(&count) {
        return Ok(count);
    }
    let text = format!("-Count {count} is out of range");
    Err(Error::new(ErrorKind::InvalidParameter, text).hint(format!("use 1 to {COUNT_MAX}")))
}

fn take(command: &ReceiveMsmqQueue) -> Result<Take> {
    match (command.peek, command.lease) {
        (true, Some(_)) => Err(exclusive(
            "-Peek and -Lease exclude each other",
            "a peeked message stays where it is",
        )),
        (true, None) => Ok(Take::Peek),
        (false, None) => Ok(Take::Remove),
        (false, Some(lease)) => number_32("Lease", lease.0).map(Take::Lease),
    }
}

/// -Transactional is a transaction of this one receive; what stays in the queue, or is hidden in it, needs none.
fn transaction(command: &ReceiveMsmqQueue) -> Result<Transaction> {
    let word = match (command.transactional, command.use_transaction) {
        (false, false) => return Ok(Transaction::None),
        (true, _) => "-Transactional",
        (false, true) => "-UseTransaction",
    };
    let other = match (command.peek, command.lease.is_some(), &command.out_file) {
        (true, _, _) => "-Peek",
        (_, true, _) => "-Lease",
        (_, _, Some(_)) => "-OutFile",
        _ => return Ok(Transaction::Single),
    };
    let text = format!("{word} and {other} exclude each other");
    let hint = format!("leave {word} out: nothing is lost");
    Err(exclusive(&text, &hint))
}

/// One command's way to read a queue.
struct Reading {
    session: Session,
    path: QueuePath,
    select: Select,
    take: Take,
    timeout_ms: u64,
    transaction: Transaction,
    /// Also bodies above 4 MiB of messages that are only peeked.
    with_body: bool,
}

impl Reading {
    fn one(&self) -> Result<MessageInfo> {
        let (received, held) = self.receive()?;
        self.whole(&received, Some(held))
    }

    /// As many as there are, up to `count`. The queue manager gives them out in lots.
    fn many(&self, count: u64) -> Result<Vec<MessageInfo>> {
        let mut after = match self.select {
            Select::First => 0,
            Select::After(place) => place,
            _ => {
                return Err(exclusive(
                    "-Count takes messages in their order",
                    "it goes with -First, or with -LookupId and -Next",
                ));
            }
        };
        let mut messages = Vec::new();
        while (messages.len() as u64) < count {
            let rest = count - messages.len() as u64;
            let lot = match self.lot(after, rest, messages.is_empty()) {
                Ok(lot) => lot,
                // What was taken must reach its caller whatever happens to the next one.
                Err(_) if !messages.is_empty() => break,
                Err(error) => return Err(error),
            };
            if matches!(self.take, Take::Peek)
                && let Some(last) = lot.last()
            {
                after = last.lookup_id;
            }
            messages.extend(lot);
        }
        Ok(messages)
    }

    fn lot(&self, after: u64, count: u64, first: bool) -> Result<Vec<MessageInfo>> {
        let ticket = self.session.submit_held(Request::ReceiveMany {
            queue: local(&self.path),
            after,
            take: self.take,
            count_max: u32::try_from(count).unwrap_or(u32::MAX),
            bytes_max: LOT_BYTES_MAX,
            timeout_ms: if first { self.timeout_ms } else { 0 },
            transaction: self.transaction,
        });
        let (reply, held) = ticket.wait()?;
        let Reply::Messages(received) = reply else {
            return Err(unexpected(&reply));
        };
        // A large one comes alone, so the held outcome is its own.
        let mut held = Some(held);
        received
            .iter()
            .map(|received| self.whole(received, held.take()))
            .collect()
    }

    /// Messages that are not due yet, in the order of their places.
    fn delayed(&self, count: u64) -> Result<Vec<MessageInfo>> {
        let mut after = match self.select {
            Select::After(place) => place,
            _ => 0,
        };
        let mut messages = Vec::new();
        while (messages.len() as u64) < count {
            let rest = count - messages.len() as u64;
            let reply = self.session.call(Request::ListDelayed {
                queue: local(&self.path),
                after,
                count_max: u32::try_from(rest).unwrap_or(u32::MAX),
                bytes_max: LOT_BYTES_MAX,
            })?;
            let Reply::Delayed(lot) = reply else {
                return Err(unexpected(&reply));
            };
            let Some(last) = lot.last() else {
                break;
            };
            after = last.message.lookup_id;
            for delayed in lot {
                let mut message = self.whole(&delayed.message, None)?;
                message.due = Some(Time(delayed.due_ms));
                messages.push(message);
            }
        }
        Ok(messages)
    }

    fn receive(&self) -> Result<(Received, Held)> {
        let ticket = self.session.submit_held(Request::Receive {
            queue: local(&self.path),
            select: self.select,
            take: self.take,
            timeout_ms: self.timeout_ms,
            transaction: self.transaction,
        });
        match ticket.wait()? {
            (Reply::Message(received), held) => Ok((*received, held)),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// The message with its body. A large body of a peeked one is read when that is asked for.
    fn whole(&self, received: &Received, held: Option<Held>) -> Result<MessageInfo> {
        let mut message = MessageInfo::new(self.path.to_string(), received)?;
        let stays = matches!(self.take, Take::Peek);
        if !is_large(received) || (stays && !self.with_body) {
            return Ok(message);
        }
        let mut body = self.body(received, held);
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes)
            .map_err(|e| Error::system("read the body of the message", &e))?;
        message.body = Body(bytes);
        Ok(message)
    }

    fn body(&self, received: &Received, held: Option<Held>) -> Box<dyn Read> {
        match (is_large(received), held) {
            (false, _) => Box::new(std::io::Cursor::new(received.body().to_vec())),
            (true, Some(held)) if !matches!(self.take, Take::Peek) => {
                Box::new(self.session.read_body(held, received.body_bytes))
            }
            (true, _) => {
                let queue = local(&self.path);
                let (place, bytes) = (received.lookup_id, received.body_bytes);
                Box::new(self.session.read_body_of(&queue, place, bytes))
            }
        }
    }

    /// Leases the message until its body is on disk, and only then lets it leave the queue: a full disk loses nothing.
    fn into_file(mut self, file: &str) -> Result<MessageInfo> {
        let leaves = matches!(self.take, Take::Remove);
        if leaves {
            self.take = Take::Lease(FILE_LEASE_MS);
        }
        let (received, held) = self.receive()?;
        let written = self.write(file, &received, held);
        let Some(lease) = received.lease.filter(|_| leaves) else {
            return written;
        };
        let settle = |how| {
            self.session.call(Request::Settle {
                queue: local(&self.path),
                leases: vec![lease],
                how,
            })
        };
        match written {
            Ok(mut message) => {
                settle(Settle::Complete)?;
                message.lease_id = None;
                Ok(message)
            }
            Err(error) => {
                // It is back by itself as well: what went wrong first is what the caller must see.
                drop(settle(Settle::Release));
                Err(error)
            }
        }
    }

    fn write(&self, file: &str, received: &Received, held: Held) -> Result<MessageInfo> {
        let mut body = self.body(received, Some(held));
        file::write_from(Path::new(file), &mut body)?;
        let mut message = MessageInfo::new(self.path.to_string(), received)?;
        message.body = Body::default();
        message.out_file = Some(file.to_owned());
        Ok(message)
    }
}

fn is_large(received: &Received) -> bool {
    received.body_bytes > received.body().len() as u64
}
