//! The commands on queues and messages, made of requests to the queue manager.
//!
//! ```text
//!  run ─ queue     New- Get- Set- Remove- Clear-
//!      ─ send      Send-
//!      ─ receive   Receive-, Get-MsmqMessage ─ selection: which message
//!      ─ settle    Complete- Undo- Deny- Update- Move-
//!      ─ access    the ACLs
//!      ─ machine   the queue manager, counters, traces, prepared transactions
//! ```

mod access;
mod machine;
mod queue;
mod receive;
mod selection;
mod send;
mod settle;
mod size;

use super::session::Session;
use super::value::{Value, from_value, to_value};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;

/// Opens the session of a computer.
pub(super) trait Sessions {
    /// The session with this computer's queue manager.
    fn session(&self, computer: &str) -> Result<Session>;
    /// Whether the queue is transactional, as far as it is remembered.
    fn nature(&self, path: &QueuePath) -> Option<bool>;
    /// Remembers whether the queue is transactional; `None` forgets it.
    fn remember(&self, path: &QueuePath, transactional: Option<bool>);
}

/// Runs a command on queues or messages.
pub(super) fn run(on: &dyn Sessions, name: &str, arguments: &Value) -> Result<Vec<Value>> {
    let with = arguments;
    match name {
        "New-MsmqQueue" => one(queue::create(on, from_value(with)?)),
        "Get-MsmqQueue" => many(queue::show(on, &from_value(with)?)),
        "Set-MsmqQueue" => one(queue::set(on, from_value(with)?)),
        "Remove-MsmqQueue" => one(queue::remove(on, &from_value(with)?)),
        "Clear-MsmqQueue" => one(queue::clear(on, &from_value(with)?)),
        "Get-MsmqOutgoingQueue" => many(queue::outgoing(on, &from_value(with)?)),
        "Get-MsmqQueueACL" => many(access::of_queue(on, &from_value(with)?)),
        "Set-MsmqQueueACL" => many(access::set_of_queue(on, from_value(with)?)),
        "Get-MsmqQueueManagerACL" => many(access::of_machine(on, &from_value(with)?)),
        "Set-MsmqQueueManagerACL" => many(access::set_of_machine(on, from_value(with)?)),
        "Get-MsmqQueueManager" => one(machine::show(on, &from_value(with)?)),
        "Set-MsmqQueueManager" => one(machine::set(on, &from_value(with)?)),
        "Get-MsmqCounter" => many(machine::counters(on, &from_value(with)?)),
        "Get-MsmqPreparedTransaction" => many(machine::prepared(on, &from_value(with)?)),
        "Resolve-MsmqPreparedTransaction" => one(machine::resolve(on, from_value(with)?)),
        "Trace-MsmqMessage" => many(machine::trace(on, &from_value(with)?)),
        "Send-MsmqQueue" => one(send::send(on, from_value(with)?)),
        "Receive-MsmqQueue" => many(receive::receive(on, &from_value(with)?)),
        "Get-MsmqMessage" => many(receive::browse(on, &from_value(with)?)),
        "Move-MsmqMessage" => one(settle::move_message(on, &from_value(with)?)),
        "Complete-MsmqMessage" => one(settle::complete(on, &from_value(with)?)),
        "Undo-MsmqMessage" => one(settle::undo(on, &from_value(with)?)),
        "Deny-MsmqMessage" => one(settle::deny(on, &from_value(with)?)),
        "Update-MsmqMessage" => one(settle::extend(on, &from_value(with)?)),
        other => Err(Error::new(
            ErrorKind::Internal,
            format!("{other} is listed as a command of the queue manager, but not known to it"),
        )),
    }
}

/// The error of a value that is none of some words.
fn no_word(parameter: &str, given: &str, words: &[&str]) -> Error {
    let text = format!("-{parameter} {given:?} is none");
    Error::new(ErrorKind::InvalidParameter, text).hint(format!("use one of {}", words.join(", ")))
}

/// A number of 32 bits, as most properties are.
fn number_32(parameter: &str, given: u64) -> Result<u32> {
    u32::try_from(given).map_err(|_| {
        let text = format!("-{parameter} {given} is too large");
        Error::new(ErrorKind::IllegalPropertyValue, text).hint("it is a number of 32 bits")
    })
}

/// Only one of several parameters may be given.
fn exclusive(text: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Usage, text).hint(hint)
}

fn one<T: serde::Serialize>(output: Result<T>) -> Result<Vec<Value>> {
    Ok(vec![to_value(&output?)?])
}

fn many<T: serde::Serialize>(output: Result<Vec<T>>) -> Result<Vec<Value>> {
    output?.iter().map(to_value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::spec::{CommandSpec, RunsAt, ValueKind};

    /// No queue manager can be reached.
    struct Nowhere;

    impl Sessions for Nowhere {
        fn session(&self, _: &str) -> Result<Session> {
            Err(Error::new(ErrorKind::ResolveAddress, "nowhere"))
        }
        fn nature(&self, _: &QueuePath) -> Option<bool> {
            None
        }
        fn remember(&self, _: &QueuePath, _: Option<bool>) {}
    }

    fn arguments(spec: &CommandSpec) -> Value {
        let value = |kind| match kind {
            ValueKind::Int | ValueKind::Duration => Value::from(1),
            _ => Value::from("VS1/private$/q"),
        };
        let required = spec.parameters.iter().filter(|p| p.required);
        Value::Map(required.map(|p| (p.name.into(), value(p.kind))).collect())
    }

    #[test]
    fn every_listed_command_of_the_queue_manager_reaches_for_it() {
        let listed = crate::api::COMMANDS.iter();
        for spec in listed.filter(|spec| spec.runs_at == RunsAt::QueueManager) {
            let error = run(&Nowhere, spec.name, &arguments(spec)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::ResolveAddress, "{}", spec.name);
        }
    }
}
