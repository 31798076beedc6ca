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
use crate::queue::request::{Reply, Request, Transaction, TransactionId};

/// A queue manager that can be asked: over a session, or in this process.
pub trait Asks {
    /// Asks and waits.
    ///
    /// # Errors
    /// Those of the request, and of the way to the queue manager.
    fn ask(&self, request: Request) -> Result<Reply>;
}

impl Asks for Session {
    fn ask(&self, request: Request) -> Result<Reply> {
        self.call(request)
    }
}

/// Finds the queue manager of a computer.
pub(super) trait Managers {
    /// This computer's queue manager.
    fn manager(&self, computer: &str) -> Result<Box<dyn Asks + '_>>;
    /// Remembers whether the queue is transactional; `None` forgets it.
    fn remember(&self, path: &QueuePath, transactional: Option<bool>);
}

/// Opens the session of a computer.
pub(super) trait Sessions: Managers {
    /// The session with this computer's queue manager.
    fn session(&self, computer: &str) -> Result<Session>;
    /// Whether the queue is transactional, as far as it is remembered.
    fn nature(&self, path: &QueuePath) -> Option<bool>;
    /// The transaction of this client, and its session with this computer's queue manager.
    fn transaction(&self, computer: &str) -> Result<(Session, TransactionId)>;
}

/// Commands that only ask a queue manager: they work without a session, on an embedded one too.
pub const MANAGEMENT: &[&str] = &[
    "New-MsmqQueue",
    "Get-MsmqQueue",
    "Set-MsmqQueue",
    "Remove-MsmqQueue",
    "Clear-MsmqQueue",
    "Get-MsmqOutgoingQueue",
    "Get-MsmqQueueACL",
    "Set-MsmqQueueACL",
    "Get-MsmqQueueManagerACL",
    "Set-MsmqQueueManagerACL",
    "Get-MsmqQueueManager",
    "Set-MsmqQueueManager",
    "Get-MsmqCounter",
    "Get-MsmqPreparedTransaction",
    "Resolve-MsmqPreparedTransaction",
    "Trace-MsmqMessage",
];

/// Runs one of [`MANAGEMENT`] on the one queue manager there is, whatever computer it names.
///
/// # Errors
/// Those of the command; `Usage` for another one, or a parameter that does not fit.
pub fn manage(asks: &dyn Asks, name: &str, arguments: Value) -> Result<Vec<Value>> {
    let spec = super::find(name).filter(|spec| MANAGEMENT.contains(&spec.name));
    let spec = spec.ok_or_else(|| {
        let text = format!("{name} is no command on queues that works without a cluster");
        Error::new(ErrorKind::Usage, text)
    })?;
    let arguments = super::arguments::check(spec, arguments)?;
    ask_only(&Only(asks), spec.name, &arguments)
}

/// The one queue manager there is.
struct Only<'a>(&'a dyn Asks);

impl Managers for Only<'_> {
    fn manager(&self, _: &str) -> Result<Box<dyn Asks + '_>> {
        Ok(Box::new(Borrowed(self.0)))
    }

    fn remember(&self, _: &QueuePath, _: Option<bool>) {}
}

struct Borrowed<'a>(&'a dyn Asks);

impl Asks for Borrowed<'_> {
    fn ask(&self, request: Request) -> Result<Reply> {
        self.0.ask(request)
    }
}

/// Runs a command on queues or messages.
pub(super) fn run(on: &dyn Sessions, name: &str, arguments: &Value) -> Result<Vec<Value>> {
    let with = arguments;
    match name {
        "Send-MsmqQueue" => one(send::send(on, from_value(with)?)),
        "Receive-MsmqQueue" => many(receive::receive(on, &from_value(with)?)),
        "Get-MsmqMessage" => many(receive::browse(on, &from_value(with)?)),
        "Move-MsmqMessage" => one(settle::move_message(on, &from_value(with)?)),
        "Complete-MsmqMessage" => one(settle::complete(on, &from_value(with)?)),
        "Undo-MsmqMessage" => one(settle::undo(on, &from_value(with)?)),
        "Deny-MsmqMessage" => one(settle::deny(on, &from_value(with)?)),
        "Update-MsmqMessage" => one(settle::extend(on, &from_value(with)?)),
        _ => ask_only(on, name, arguments),
    }
}

fn ask_only(on: &dyn Managers, name: &str, with: &Value) -> Result<Vec<Value>> {
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
pub(super) fn number_32(parameter: &str, given: u64) -> Result<u32> {
    u32::try_from(given).map_err(|_| {
        let text = format!("-{parameter} {given} is too large");
        Error::new(ErrorKind::IllegalPropertyValue, text).hint("it is a number of 32 bits")
    })
}

/// The transaction of this client, for a command that takes part in it.
fn ambient(
    on: &dyn Sessions,
    computer: &str,
    transactional: bool,
) -> Result<(Session, Transaction)> {
    if transactional {
        let text = "-UseTransaction and -Transactional exclude each other";
        return Err(exclusive(
            text,
            "-Transactional is a transaction of its own",
        ));
    }
    let (session, transaction) = on.transaction(computer)?;
    Ok((session, Transaction::In(transaction)))
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

    fn nowhere<T>() -> Result<T> {
        Err(Error::new(ErrorKind::ResolveAddress, "nowhere"))
    }

    impl Asks for Nowhere {
        fn ask(&self, _: Request) -> Result<Reply> {
            nowhere()
        }
    }

    impl Managers for Nowhere {
        fn manager(&self, _: &str) -> Result<Box<dyn Asks + '_>> {
            nowhere()
        }
        fn remember(&self, _: &QueuePath, _: Option<bool>) {}
    }

    impl Sessions for Nowhere {
        fn session(&self, _: &str) -> Result<Session> {
            nowhere()
        }
        fn nature(&self, _: &QueuePath) -> Option<bool> {
            None
        }
        fn transaction(&self, _: &str) -> Result<(Session, TransactionId)> {
            nowhere()
        }
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

    #[test]
    fn what_manages_needs_no_session_and_what_handles_messages_does() {
        let listed = crate::api::COMMANDS.iter();
        for spec in listed.filter(|spec| spec.runs_at == RunsAt::QueueManager) {
            let error = manage(&Nowhere, spec.name, arguments(spec)).unwrap_err();
            let taken = !error.message.contains("without a cluster");
            assert_eq!(taken, MANAGEMENT.contains(&spec.name), "{error}");
            assert_ne!(error.kind, ErrorKind::Internal, "{error}");
        }
    }
}
