//! The commands on queues and messages, made of requests to the queue manager.

use super::message::{MessageInfo, ReceiveMsmqQueue, SendMsmqQueue, SentInfo};
use super::queue::{ClearMsmqQueue, GetMsmqQueue, NewMsmqQueue, QueueInfo, RemoveMsmqQueue};
use super::session::Session;
use super::value::{Body, Time, Value, from_value, to_value};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;
use crate::queue::message::{
    Delivery, Message, MessageId, PRIORITY_DEFAULT, PRIORITY_MAX, Received,
};
use crate::queue::request::{
    QueueProperties, QueueStatus, Reply, Request, Select, Take, Transaction,
};

/// Messages of one Receive-MsmqQueue.
const COUNT_MAX: u64 = 10_000;
/// Queues that are asked for at a time.
const LIST_COUNT: u32 = 5_000;
/// Longest label of a queue, in characters.
const QUEUE_LABEL_CHARS_MAX: usize = 124;

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
pub(super) fn run(sessions: &dyn Sessions, name: &str, arguments: &Value) -> Result<Vec<Value>> {
    match name {
        "New-MsmqQueue" => one(new_queue(sessions, from_value(arguments)?)),
        "Get-MsmqQueue" => many(get_queues(sessions, &from_value(arguments)?)),
        "Remove-MsmqQueue" => one(remove_queue(sessions, &from_value(arguments)?)),
        "Clear-MsmqQueue" => one(clear_queue(sessions, &from_value(arguments)?)),
        "Send-MsmqQueue" => one(send(sessions, from_value(arguments)?)),
        "Receive-MsmqQueue" => many(receive(sessions, &from_value(arguments)?)),
        other => Err(Error::new(
            ErrorKind::Internal,
            format!("{other} is listed as a command of the queue manager, but not known to it"),
        )),
    }
}

fn new_queue(sessions: &dyn Sessions, command: NewMsmqQueue) -> Result<QueueInfo> {
    let path = QueuePath::parse(&command.name)?;
    let label = command.label.unwrap_or_default();
    if label.chars().count() > QUEUE_LABEL_CHARS_MAX {
        let text = format!(
            "the label of {path} has {} characters",
            label.chars().count()
        );
        return Err(
            Error::new(ErrorKind::IllegalPropertyValue, text).hint(format!(
                "a queue's label has at most {QUEUE_LABEL_CHARS_MAX}"
            )),
        );
    }
    let request = Request::CreateQueue {
        queue: path.queue().as_str().to_owned(),
        properties: QueueProperties {
            transactional: command.transactional,
            label,
            ..QueueProperties::default()
        },
    };
    sessions.remember(&path, None);
    queue_reply(&path, sessions.session(path.computer())?.call(request)?)
}

fn remove_queue(sessions: &dyn Sessions, command: &RemoveMsmqQueue) -> Result<QueueInfo> {
    let path = QueuePath::parse(&command.name)?;
    let queue = path.queue().as_str().to_owned();
    sessions.remember(&path, None);
    let reply = sessions
        .session(path.computer())?
        .call(Request::DeleteQueue { queue })?;
    queue_reply(&path, reply)
}

fn clear_queue(sessions: &dyn Sessions, command: &ClearMsmqQueue) -> Result<QueueInfo> {
    let path = QueuePath::parse(&command.name)?;
    let queue = path.queue().as_str().to_owned();
    let reply = sessions
        .session(path.computer())?
        .call(Request::PurgeQueue { queue })?;
    queue_reply(&path, reply)
}

fn get_queues(sessions: &dyn Sessions, command: &GetMsmqQueue) -> Result<Vec<QueueInfo>> {
    let wanted = Wanted::parse(&command.name)?;
    let all = list(sessions, &wanted.computer)?;
    let found: Vec<_> = all
        .iter()
        .filter(|status| crate::name::fits(&wanted.pattern, &status.name))
        .map(|status| queue_info(&wanted.computer, status))
        .collect();
    if found.is_empty() && !wanted.is_pattern() {
        let text = format!(
            "there is no queue {}\\private$\\{}",
            wanted.computer, wanted.pattern
        );
        let near = crate::name::nearest(
            &wanted.pattern,
            all.iter().map(|status| status.name.as_str()),
        );
        let hint = match near {
            Some(near) => format!("did you mean {}\\private$\\{near}?", wanted.computer),
            None => format!("Get-MsmqQueue {} shows all of its queues", wanted.computer),
        };
        return Err(Error::new(ErrorKind::QueueNotFound, text).hint(hint));
    }
    Ok(found)
}

fn list(sessions: &dyn Sessions, computer: &str) -> Result<Vec<QueueStatus>> {
    let session = sessions.session(computer)?;
    let mut all: Vec<QueueStatus> = Vec::new();
    loop {
        let after = all
            .last()
            .map_or_else(String::new, |last| last.name.clone());
        let request = Request::ListQueues {
            after,
            count_max: LIST_COUNT,
            all: false,
        };
        match session.call(request)? {
            Reply::Queues(some) if some.len() < LIST_COUNT as usize => {
                all.extend(some);
                return Ok(all);
            }
            Reply::Queues(some) => all.extend(some),
            other => return Err(unexpected(&other)),
        }
    }
}

/// What Get-MsmqQueue shall show.
struct Wanted {
    computer: String,
    pattern: String,
}

impl Wanted {
    fn parse(text: &str) -> Result<Self> {
        if !text.contains(['/', '\\']) && !text.is_empty() {
            return Ok(Self {
                computer: text.to_owned(),
                pattern: "*".to_owned(),
            });
        }
        // `*` and `?` are legal in a queue's name, so a pattern parses like one.
        let path = QueuePath::parse(text)?;
        Ok(Self {
            computer: path.computer().to_owned(),
            pattern: path.queue().as_str().to_owned(),
        })
    }

    fn is_pattern(&self) -> bool {
        self.pattern.contains(['*', '?'])
    }
}

fn send(sessions: &dyn Sessions, command: SendMsmqQueue) -> Result<SentInfo> {
    let path = QueuePath::parse(&command.name)?;
    let message = message(command)?;
    message.check()?;
    let session = sessions.session(path.computer())?;
    let known = sessions.nature(&path);
    let transactional = match known {
        Some(transactional) => transactional,
        None => look_up(sessions, &session, &path)?,
    };
    let reply = match session.call(send_request(&path, message.clone(), transactional)) {
        // It was deleted and made anew with the other nature since it was looked up.
        Err(error) if error.kind == ErrorKind::TransactionUsage && known.is_some() => {
            let transactional = look_up(sessions, &session, &path)?;
            session.call(send_request(&path, message, transactional))?
        }
        Err(error) => {
            sessions.remember(&path, None);
            return Err(error);
        }
        Ok(reply) => reply,
    };
    match reply {
        Reply::Sent { id, lookup_id } => Ok(SentInfo {
            queue: path.to_string(),
            id: id.to_string(),
            lookup_id,
        }),
        other => Err(unexpected(&other)),
    }
}

fn send_request(path: &QueuePath, message: Message, transactional: bool) -> Request {
    Request::Send {
        queue: path.queue().as_str().to_owned(),
        message: message.encode(),
        body: None,
        transaction: if transactional {
            Transaction::Single
        } else {
            Transaction::None
        },
    }
}

/// Asks whether the queue is transactional and remembers it.
fn look_up(sessions: &dyn Sessions, session: &Session, path: &QueuePath) -> Result<bool> {
    let request = Request::GetQueue {
        queue: path.queue().as_str().to_owned(),
    };
    let status = match session.call(request) {
        Ok(Reply::Queue(status)) => status,
        Ok(other) => return Err(unexpected(&other)),
        Err(error) if error.kind == ErrorKind::QueueNotFound => {
            let text = format!("there is no queue {path}");
            return Err(
                Error::new(ErrorKind::QueueNotFound, text).hint(format!("New-MsmqQueue {path}"))
            );
        }
        Err(error) => return Err(error),
    };
    let transactional = status.properties.transactional;
    sessions.remember(path, Some(transactional));
    Ok(transactional)
}

fn message(command: SendMsmqQueue) -> Result<Message> {
    let mut message = Message::new(command.body.0);
    message.label = command.label.unwrap_or_default();
    message.priority = match command.priority {
        None => PRIORITY_DEFAULT,
        Some(priority) => u8::try_from(priority)
            .ok()
            .filter(|p| *p <= PRIORITY_MAX)
            .ok_or_else(|| {
                let text = format!("priority {priority} is none");
                Error::new(ErrorKind::IllegalPropertyValue, text).hint("use 0 to 7")
            })?,
    };
    if command.express {
        message.delivery = Delivery::Express;
    }
    message.correlation_id = MessageId::parse(&command.correlation_id.unwrap_or_default())?;
    message.app_specific = u32::try_from(command.app_specific.unwrap_or(0)).map_err(|_| {
        Error::new(ErrorKind::IllegalPropertyValue, "-AppSpecific is too large")
            .hint("it is a number of 32 bits")
    })?;
    Ok(message)
}

fn receive(sessions: &dyn Sessions, command: &ReceiveMsmqQueue) -> Result<Vec<MessageInfo>> {
    let path = QueuePath::parse(&command.name)?;
    let count = command.count.unwrap_or(1);
    if count == 0 || count > COUNT_MAX {
        let text = format!("-Count {count} is out of range");
        return Err(
            Error::new(ErrorKind::InvalidParameter, text).hint(format!("use 1 to {COUNT_MAX}"))
        );
    }
    let session = sessions.session(path.computer())?;
    let wait = command.timeout.map_or(0, |timeout| timeout.0);
    let mut received = Vec::new();
    let mut select = Select::First;
    while (received.len() as u64) < count {
        let request = Request::Receive {
            queue: path.queue().as_str().to_owned(),
            select,
            take: if command.peek {
                Take::Peek
            } else {
                Take::Remove
            },
            timeout_ms: if received.is_empty() { wait } else { 0 },
            transaction: Transaction::None,
        };
        let message = match session.call(request) {
            Ok(Reply::Message(message)) => message,
            Ok(other) => return Err(unexpected(&other)),
            // What was taken must reach its caller whatever happens to the next one.
            Err(_) if !received.is_empty() => break,
            Err(error) => return Err(error),
        };
        if command.peek {
            select = Select::After(message.lookup_id);
        }
        received.push(message_info(&path, &message)?);
    }
    Ok(received)
}

fn message_info(path: &QueuePath, received: &Received) -> Result<MessageInfo> {
    let message = received.message()?;
    Ok(MessageInfo {
        queue: path.to_string(),
        label: message.label,
        body: Body(message.body),
        priority: u64::from(message.priority),
        recoverable: message.delivery == Delivery::Recoverable,
        id: received.id.to_string(),
        correlation_id: message.correlation_id.to_string(),
        lookup_id: received.lookup_id,
        sent: Time(received.sent_ms),
        arrived: Time(received.arrived_ms),
        app_specific: u64::from(message.app_specific),
    })
}

fn queue_reply(path: &QueuePath, reply: Reply) -> Result<QueueInfo> {
    match reply {
        Reply::Queue(status) => Ok(queue_info(path.computer(), &status)),
        other => Err(unexpected(&other)),
    }
}

fn queue_info(computer: &str, status: &QueueStatus) -> QueueInfo {
    QueueInfo {
        name: format!("{computer}\\private$\\{}", status.name),
        transactional: status.properties.transactional,
        label: status.properties.label.clone(),
        message_count: status.message_count,
        bytes_in_queue: status.bytes_in_queue,
        locked_count: status.locked_count,
        created: Time(status.created_ms),
    }
}

fn unexpected(reply: &Reply) -> Error {
    let what = match reply {
        Reply::Done => "nothing",
        Reply::Queue(_) => "a queue",
        Reply::Queues(_) => "queues",
        Reply::Sent { .. } => "a receipt",
        Reply::Message(_) => "a message",
        Reply::Messages(_) => "messages",
        Reply::Bytes(_) => "bytes",
        Reply::Access(_) => "an access list",
        Reply::Machine(_) => "its own properties",
        Reply::Branches(_) => "prepared transactions",
        Reply::Trace(_) => "a trace",
        Reply::Counters(_) => "counters",
    };
    Error::new(
        ErrorKind::Internal,
        format!("the queue manager answered with {what}, which was not asked for"),
    )
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

    #[test]
    fn every_listed_command_of_the_queue_manager_reaches_for_it() {
        let arguments = Value::Map(vec![("Name".into(), "VS1/private$/q".into())]);
        let listed = crate::api::COMMANDS.iter();
        for spec in listed.filter(|spec| spec.runs_at == crate::api::spec::RunsAt::QueueManager) {
            let error = run(&Nowhere, spec.name, &arguments).unwrap_err();
            assert_eq!(error.kind, ErrorKind::ResolveAddress, "{}", spec.name);
        }
    }

    #[test]
    fn get_queue_takes_a_computer_a_queue_or_a_pattern() {
        let parse = |text| {
            let wanted = Wanted::parse(text).unwrap();
            (
                wanted.computer.clone(),
                wanted.pattern.clone(),
                wanted.is_pattern(),
            )
        };
        assert_eq!(parse("VS1"), ("VS1".into(), "*".into(), true));
        assert_eq!(parse("VS1/private$/a"), ("VS1".into(), "a".into(), false));
        assert_eq!(parse("VS1/private$/a*"), ("VS1".into(), "a*".into(), true));
        assert!(Wanted::parse("VS1/public/a").is_err());
    }

    #[test]
    fn properties_out_of_range_are_refused() {
        let command = |priority, app_specific| SendMsmqQueue {
            name: "a/private$/q".into(),
            body: Body(b"x".to_vec()),
            label: None,
            priority,
            express: true,
            correlation_id: None,
            app_specific,
        };
        let good = message(command(Some(7), Some(1))).unwrap();
        assert_eq!((good.priority, good.delivery), (7, Delivery::Express));
        for bad in [
            command(Some(8), None),
            command(Some(256), None),
            command(None, Some(1 << 32)),
        ] {
            let error = message(bad).unwrap_err();
            assert_eq!(error.kind, ErrorKind::IllegalPropertyValue);
        }
    }
}
