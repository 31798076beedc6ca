//! The queue manager itself: properties, counters, traces, prepared transactions.

use super::{Asks, Managers, number_32, size};
use crate::api::message::{TraceInfo, TraceMsmqMessage};
use crate::api::queue::{path_of, unexpected};
use crate::api::queue_manager::{
    CounterInfo, GetMsmqCounter, GetMsmqPreparedTransaction, GetMsmqQueueManager, PreparedInfo,
    QueueManagerInfo, ResolveMsmqPreparedTransaction, SetMsmqQueueManager,
};
use crate::api::value::{Millis, Time};
use crate::error::{Error, ErrorKind, Result};
use crate::name::fits;
use crate::queue::message::MessageId;
use crate::queue::request::{BranchId, MachineStatus, Reply, Request};

pub(super) fn show(on: &dyn Managers, command: &GetMsmqQueueManager) -> Result<QueueManagerInfo> {
    let status = ask(&*on.manager(&command.computer)?, Request::GetMachine)?;
    Ok(info(&command.computer, &status))
}

pub(super) fn set(on: &dyn Managers, command: &SetMsmqQueueManager) -> Result<QueueManagerInfo> {
    let manager = on.manager(&command.computer)?;
    let mut properties = ask(&*manager, Request::GetMachine)?.properties;
    if let Some(bytes) = &command.message_quota {
        properties.quota_bytes = size::parse("MessageQuota", bytes)?;
    }
    if let Some(bytes) = &command.journal_quota {
        properties.journal_quota_bytes = size::parse("JournalQuota", bytes)?;
    }
    if let Some(time) = command.long_live_time {
        properties.long_live_seconds = number_32("LongLiveTime", time.0.div_ceil(1000))?;
    }
    let status = ask(&*manager, Request::SetMachine { properties })?;
    Ok(info(&command.computer, &status))
}

pub(super) fn counters(on: &dyn Managers, command: &GetMsmqCounter) -> Result<Vec<CounterInfo>> {
    let manager = on.manager(&command.computer)?;
    let counters = match manager.ask(Request::Counters)? {
        Reply::Counters(counters) => counters,
        other => return Err(unexpected(&other)),
    };
    let instance = command.instance.as_deref().unwrap_or("*");
    let name = command.counter.as_deref().unwrap_or("*");
    let wanted = counters
        .into_iter()
        .filter(|c| fits(instance, &c.instance) && fits(name, &c.counter));
    Ok(wanted
        .map(|counter| CounterInfo {
            object: counter.object.into_owned(),
            instance: counter.instance,
            counter: counter.counter.into_owned(),
            value: counter.value,
            total: counter.total,
        })
        .collect())
}

pub(super) fn trace(on: &dyn Managers, command: &TraceMsmqMessage) -> Result<Vec<TraceInfo>> {
    let manager = on.manager(&command.computer)?;
    let id = MessageId::parse(&command.id)?;
    let steps = match manager.ask(Request::Trace { id })? {
        Reply::Trace(steps) => steps,
        other => return Err(unexpected(&other)),
    };
    if steps.is_empty() {
        let text = format!("{} knows nothing of the message {id}", command.computer);
        return Err(Error::new(ErrorKind::MessageNotFound, text)
            .hint("it was received long ago, or belongs to another queue manager"));
    }
    Ok(steps
        .into_iter()
        .map(|step| TraceInfo {
            time: Time(step.time_ms),
            queue: path_of(&command.computer, &step.queue),
            what: step.what,
            detail: readable(&step.detail),
        })
        .collect())
}

pub(super) fn prepared(
    on: &dyn Managers,
    command: &GetMsmqPreparedTransaction,
) -> Result<Vec<PreparedInfo>> {
    let manager = on.manager(&command.computer)?;
    let branches = match manager.ask(Request::ListPrepared)? {
        Reply::Branches(branches) => branches,
        other => return Err(unexpected(&other)),
    };
    Ok(branches
        .iter()
        .map(|branch| PreparedInfo {
            computer: command.computer.clone(),
            id: hexadecimal(&branch.0),
        })
        .collect())
}

pub(super) fn resolve(
    on: &dyn Managers,
    command: ResolveMsmqPreparedTransaction,
) -> Result<PreparedInfo> {
    let manager = on.manager(&command.computer)?;
    let commit = match command.decision.to_ascii_lowercase().as_str() {
        "commit" => true,
        "abort" => false,
        _ => {
            return Err(super::no_word(
                "Decision",
                &command.decision,
                &["Commit", "Abort"],
            ));
        }
    };
    let branch = BranchId(bytes(&command.id)?);
    match manager.ask(Request::Resolve { branch, commit })? {
        Reply::Done => Ok(PreparedInfo {
            computer: command.computer,
            id: command.id,
        }),
        other => Err(unexpected(&other)),
    }
}

/// A queue manager counts milliseconds since 1970; people do not.
fn readable(detail: &str) -> String {
    let mut before = "";
    let words = detail.split(' ').map(|word| {
        let digits = word.trim_end_matches(',');
        let is_time = matches!(before, "since" | "at" | "until");
        before = word;
        match digits.parse() {
            Ok(ms) if is_time => format!("{}{}", Time(ms), &word[digits.len()..]),
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn ask(manager: &dyn Asks, request: Request) -> Result<MachineStatus> {
    match manager.ask(request)? {
        Reply::Machine(status) => Ok(status),
        other => Err(unexpected(&other)),
    }
}

fn info(computer: &str, status: &MachineStatus) -> QueueManagerInfo {
    let limit = |bytes| (bytes != u64::MAX).then_some(bytes);
    QueueManagerInfo {
        name: computer.to_owned(),
        id: status.id.to_string(),
        message_count: status.message_count,
        bytes_in_queues: status.bytes_in_queues,
        bytes_in_journals: status.bytes_in_journals,
        message_quota: limit(status.properties.quota_bytes),
        journal_quota: limit(status.properties.journal_quota_bytes),
        long_live_time: Millis(u64::from(status.properties.long_live_seconds) * 1000),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn bytes(text: &str) -> Result<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| u8::try_from(c.to_digit(16)?).ok())
        .collect();
    let digits = digits.filter(|digits| !digits.is_empty() && digits.len().is_multiple_of(2));
    let pairs = digits.ok_or_else(|| {
        let text = format!("{text:?} is no id of a prepared transaction");
        Error::new(ErrorKind::InvalidParameter, text)
            .hint("Get-MsmqPreparedTransaction shows them as hexadecimal digits")
    })?;
    Ok(pairs.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_people_read_them() {
        assert_eq!(
            readable("since 1500, expires at 2500"),
            "since 1970-01-01T00:00:01.500Z, expires at 1970-01-01T00:00:02.500Z"
        );
        assert_eq!(readable("lease 131075"), "lease 131075");
        assert_eq!(readable(""), "");
    }

    #[test]
    fn ids_are_written_and_read_as_hexadecimal_digits() {
        assert_eq!(hexadecimal(&[0x0a, 0xff]), "0AFF");
        assert_eq!(bytes("0aFF").unwrap(), [0x0a, 0xff]);
        for bad in ["", "0", "0g", "ß"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
