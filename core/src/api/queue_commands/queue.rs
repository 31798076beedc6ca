//! Creating, showing, changing, emptying and deleting queues.

use uuid::Uuid;

use super::{Asks, Managers, no_word, number_32, size};
use crate::api::queue::{
    ClearMsmqQueue, GetMsmqOutgoingQueue, GetMsmqQueue, NewMsmqQueue, POISON, PRIVACY, QUEUE_TYPES,
    QueueInfo, RemoveMsmqQueue, SetMsmqQueue, unexpected,
};
use crate::api::value::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{LocalName, QueuePath, fits, is_pattern, nearest};
use crate::queue::request::{
    PoisonTarget, PrivacyLevel, QueueKind, QueueProperties, QueueStatus, Reply, Request,
};

/// Queues that are asked for at a time.
const LIST_COUNT: u32 = 5_000;
/// Longest label of a queue, in characters.
const LABEL_CHARS_MAX: usize = 124;

pub(super) fn create(on: &dyn Managers, command: NewMsmqQueue) -> Result<QueueInfo> {
    let path = QueuePath::parse(&command.name)?;
    let mut properties = QueueProperties {
        transactional: command.transactional,
        ..QueueProperties::default()
    };
    Given::from(command).set(&mut properties)?;
    on.remember(&path, None);
    let queue = local(&path);
    ask(on, &path, Request::CreateQueue { queue, properties })
}

pub(super) fn set(on: &dyn Managers, command: SetMsmqQueue) -> Result<QueueInfo> {
    let path = QueuePath::parse(&command.name)?;
    let manager = on.manager(path.computer())?;
    let mut properties = status(&*manager, &path)?.properties;
    Given::from(command).set(&mut properties)?;
    let queue = local(&path);
    ask(on, &path, Request::SetQueue { queue, properties })
}

pub(super) fn remove(on: &dyn Managers, command: &RemoveMsmqQueue) -> Result<QueueInfo> {
    let path = QueuePath::parse(&command.name)?;
    on.remember(&path, None);
    let queue = local(&path);
    ask(on, &path, Request::DeleteQueue { queue })
}

pub(super) fn clear(on: &dyn Managers, command: &ClearMsmqQueue) -> Result<QueueInfo> {
    let path = QueuePath::parse(&command.name)?;
    let queue = local(&path);
    ask(on, &path, Request::PurgeQueue { queue })
}

pub(super) fn show(on: &dyn Managers, command: &GetMsmqQueue) -> Result<Vec<QueueInfo>> {
    let wanted = Wanted::of(command)?;
    let manager = on.manager(&wanted.computer)?;
    let all = list(&*manager, wanted.lists_all())?;
    let found = all.iter().filter(|status| wanted.has(status));
    let found: Vec<_> = found
        .map(|status| QueueInfo::new(&wanted.computer, status))
        .collect();
    if found.is_empty() && !is_pattern(&wanted.pattern) {
        return Err(wanted.not_found(&all));
    }
    Ok(found)
}

pub(super) fn outgoing(
    on: &dyn Managers,
    command: &GetMsmqOutgoingQueue,
) -> Result<Vec<QueueInfo>> {
    let manager = on.manager(&command.computer)?;
    let pattern = command.name.as_deref().unwrap_or("*");
    let all = list(&*manager, true)?;
    let found = all
        .iter()
        .filter(|status| status.kind == QueueKind::Outgoing && fits(pattern, &status.name));
    Ok(found
        .map(|status| QueueInfo::new(&command.computer, status))
        .collect())
}

/// One queue as it is.
///
/// # Errors
/// `QueueNotFound`; those of the session.
pub(super) fn status(manager: &dyn Asks, path: &QueuePath) -> Result<QueueStatus> {
    let queue = local(path);
    match manager.ask(Request::GetQueue { queue }) {
        Ok(Reply::Queue(status)) => Ok(*status),
        Ok(other) => Err(unexpected(&other)),
        Err(error) if error.kind == ErrorKind::QueueNotFound => {
            let text = format!("there is no queue {path}");
            Err(Error::new(ErrorKind::QueueNotFound, text).hint(format!("New-MsmqQueue {path}")))
        }
        Err(error) => Err(error),
    }
}

/// The name by which requests call the queue.
pub(super) fn local(path: &QueuePath) -> String {
    path.queue().as_str().to_owned()
}

fn ask(on: &dyn Managers, path: &QueuePath, request: Request) -> Result<QueueInfo> {
    match on.manager(path.computer())?.ask(request)? {
        Reply::Queue(status) => Ok(QueueInfo::new(path.computer(), &status)),
        other => Err(unexpected(&other)),
    }
}

fn list(manager: &dyn Asks, all: bool) -> Result<Vec<QueueStatus>> {
    let mut queues: Vec<QueueStatus> = Vec::new();
    loop {
        let after = queues
            .last()
            .map_or_else(String::new, |last| last.name.clone());
        let request = Request::ListQueues {
            after,
            count_max: LIST_COUNT,
            all,
        };
        match manager.ask(request)? {
            Reply::Queues(some) if some.len() < LIST_COUNT as usize => {
                queues.extend(some);
                return Ok(queues);
            }
            Reply::Queues(some) => queues.extend(some),
            other => return Err(unexpected(&other)),
        }
    }
}

/// Properties that were given; what is none stays as it is.
struct Given {
    label: Option<String>,
    journaling: Option<bool>,
    queue_quota: Option<String>,
    journal_quota: Option<String>,
    authenticate: Option<bool>,
    privacy_level: Option<String>,
    multicast_address: Option<String>,
    service_type: Option<String>,
    base_priority: Option<String>,
    receive_retry_count: Option<u64>,
    max_retry_cycles: Option<u64>,
    retry_cycle_delay: Option<Millis>,
    receive_error_handling: Option<String>,
    duplicate_window: Option<Millis>,
}

/// The commands spell the same properties; what a new queue is not given is the default.
macro_rules! given_from {
    ($command:ty, $flag:expr) => {
        impl From<$command> for Given {
            fn from(command: $command) -> Self {
                Self {
                    label: command.label,
                    journaling: $flag(command.journaling),
                    queue_quota: command.queue_quota,
                    journal_quota: command.journal_quota,
                    authenticate: $flag(command.authenticate),
                    privacy_level: command.privacy_level,
                    multicast_address: command.multicast_address,
                    service_type: command.service_type,
                    base_priority: command.base_priority,
                    receive_retry_count: command.receive_retry_count,
                    max_retry_cycles: command.max_retry_cycles,
                    retry_cycle_delay: command.retry_cycle_delay,
                    receive_error_handling: command.receive_error_handling,
                    duplicate_window: command.duplicate_window,
                }
            }
        }
    };
}

given_from!(NewMsmqQueue, Some);
given_from!(SetMsmqQueue, std::convert::identity);

impl Given {
    fn set(self, properties: &mut QueueProperties) -> Result<()> {
        if let Some(label) = self.label {
            check_label(&label)?;
            properties.label = label;
        }
        if let Some(bytes) = &self.queue_quota {
            properties.quota_bytes = size::parse("QueueQuota", bytes)?;
        }
        if let Some(bytes) = &self.journal_quota {
            properties.journal_quota_bytes = size::parse("JournalQuota", bytes)?;
        }
        if let Some(word) = &self.privacy_level {
            properties.privacy = privacy(word)?;
        }
        if let Some(text) = &self.service_type {
            properties.service_type = guid(text)?;
        }
        if let Some(text) = &self.base_priority {
            properties.base_priority = priority(text)?;
        }
        let replace = |old: &mut bool, new: Option<bool>| *old = new.unwrap_or(*old);
        replace(&mut properties.journal, self.journaling);
        replace(&mut properties.authenticate, self.authenticate);
        if let Some(address) = self.multicast_address {
            properties.multicast_address = address;
        }
        if let Some(window) = self.duplicate_window {
            properties.duplicate_window_ms = window.0;
        }
        let poison = &mut properties.poison;
        if let Some(count) = self.receive_retry_count {
            poison.receive_retry_count = number_32("ReceiveRetryCount", count)?;
        }
        if let Some(count) = self.max_retry_cycles {
            poison.retry_cycles_max = number_32("MaxRetryCycles", count)?;
        }
        if let Some(delay) = self.retry_cycle_delay {
            poison.retry_cycle_delay_ms = delay.0;
        }
        if let Some(word) = &self.receive_error_handling {
            poison.then = poison_target(word)?;
        }
        Ok(())
    }
}

fn check_label(label: &str) -> Result<()> {
    let chars = label.chars().count();
    if chars <= LABEL_CHARS_MAX {
        return Ok(());
    }
    let text = format!("the label of the queue has {chars} characters");
    Err(Error::new(ErrorKind::IllegalPropertyValue, text)
        .hint(format!("a queue's label has at most {LABEL_CHARS_MAX}")))
}

fn privacy(word: &str) -> Result<PrivacyLevel> {
    match PRIVACY.iter().position(|w| w.eq_ignore_ascii_case(word)) {
        Some(0) => Ok(PrivacyLevel::None),
        Some(1) => Ok(PrivacyLevel::Optional),
        Some(2) => Ok(PrivacyLevel::Body),
        _ => Err(no_word("PrivacyLevel", word, &PRIVACY)),
    }
}

fn poison_target(word: &str) -> Result<PoisonTarget> {
    match POISON.iter().position(|w| w.eq_ignore_ascii_case(word)) {
        Some(0) => Ok(PoisonTarget::Fault),
        Some(1) => Ok(PoisonTarget::Drop),
        Some(2) => Ok(PoisonTarget::Reject),
        Some(3) => Ok(PoisonTarget::Move),
        _ => Err(no_word("ReceiveErrorHandling", word, &POISON)),
    }
}

fn guid(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|_| {
        Error::new(
            ErrorKind::InvalidParameter,
            format!("-ServiceType {text:?} is no GUID"),
        )
        .hint("write it as in 55ee8f33-cce9-11cf-b108-0020afd61ce9")
    })
}

fn priority(text: &str) -> Result<i16> {
    text.trim().parse().map_err(|_| {
        Error::new(
            ErrorKind::InvalidParameter,
            format!("-BasePriority {text:?} is none"),
        )
        .hint("use -32768 to 32767")
    })
}

/// What Get-MsmqQueue shall show.
struct Wanted {
    computer: String,
    /// Of the local name.
    pattern: String,
    /// No kind: all.
    kind: Option<QueueKind>,
}

impl Wanted {
    fn of(command: &GetMsmqQueue) -> Result<Self> {
        let (computer, mut pattern) = computer_and_pattern(&command.name)?;
        let kinds = [
            Some(QueueKind::Private),
            Some(QueueKind::MachineJournal),
            Some(QueueKind::DeadLetter),
            Some(QueueKind::TransactionalDeadLetter),
            None,
        ];
        let word = command.queue_type.as_deref();
        let at = word.map(|w| QUEUE_TYPES.iter().position(|t| t.eq_ignore_ascii_case(w)));
        let mut kind = match at {
            // A part of a queue or a system queue that is named is what is meant.
            None if pattern.contains(';') => None,
            None => Some(QueueKind::Private),
            Some(Some(at)) => kinds[at],
            Some(None) => {
                return Err(no_word("QueueType", word.unwrap_or_default(), &QUEUE_TYPES));
            }
        };
        if command.journal {
            pattern.push_str(";JOURNAL");
            kind = Some(QueueKind::Journal);
        } else if let Some(subqueue) = &command.sub_queue {
            pattern = format!("{pattern};{subqueue}");
            kind = Some(QueueKind::Subqueue);
        }
        Ok(Self {
            computer,
            pattern,
            kind,
        })
    }

    fn lists_all(&self) -> bool {
        self.kind != Some(QueueKind::Private)
    }

    fn has(&self, status: &QueueStatus) -> bool {
        self.kind.is_none_or(|kind| kind == status.kind) && fits(&self.pattern, &status.name)
    }

    fn not_found(&self, all: &[QueueStatus]) -> Error {
        let shown = |local: &str| crate::api::queue::path_of(&self.computer, local);
        let text = format!("there is no queue {}", shown(&self.pattern));
        let near = nearest(&self.pattern, all.iter().map(|status| status.name.as_str()));
        Error::new(ErrorKind::QueueNotFound, text).hint(match near {
            Some(near) => format!("did you mean {}?", shown(near)),
            None => format!("Get-MsmqQueue {} shows all of its queues", self.computer),
        })
    }
}

/// `VS1` alone means all of its queues. `*` and `?` are legal in a queue's name, so a pattern parses like one.
fn computer_and_pattern(text: &str) -> Result<(String, String)> {
    if !text.contains(['/', '\\', '=']) && !text.is_empty() {
        return Ok((text.to_owned(), "*".to_owned()));
    }
    let path = QueuePath::parse(text)?;
    Ok((path.computer().to_owned(), local(&path)))
}

/// A queue's local name, for commands that take the path of another one on the same computer.
///
/// # Errors
/// Those of a path; `InvalidParameter` when it is on another computer.
pub(super) fn beside(path: &QueuePath, other: &str) -> Result<LocalName> {
    let other = QueuePath::parse(other)?;
    if other.computer().eq_ignore_ascii_case(path.computer()) {
        return Ok(other.queue().clone());
    }
    let text = format!("{other} is not on the computer of {path}");
    Err(Error::new(ErrorKind::InvalidParameter, text)
        .hint("a message moves between a queue and its subqueues"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, queue_type: Option<&str>) -> Result<Wanted> {
        Wanted::of(&GetMsmqQueue {
            name: name.into(),
            queue_type: queue_type.map(str::to_owned),
            ..GetMsmqQueue::default()
        })
    }

    #[test]
    fn get_queue_takes_a_computer_a_queue_a_pattern_or_a_part() {
        let parse = |text| {
            let wanted = wanted(text, None).unwrap();
            (wanted.computer, wanted.pattern, wanted.kind)
        };
        let private = Some(QueueKind::Private);
        assert_eq!(parse("VS1"), ("VS1".into(), "*".into(), private));
        assert_eq!(parse("VS1/private$/a"), ("VS1".into(), "a".into(), private));
        assert_eq!(
            parse("VS1/private$/a*"),
            ("VS1".into(), "a*".into(), private)
        );
        assert_eq!(
            parse("VS1/private$/a;retry"),
            ("VS1".into(), "a;retry".into(), None)
        );
        assert_eq!(
            parse("VS1/Deadletter$"),
            ("VS1".into(), "system$;DEADLETTER".into(), None)
        );
        assert!(wanted("VS1/public/a", None).is_err());
        let error = wanted("VS1", Some("Nonsense")).err().unwrap();
        assert!(error.hint.unwrap().contains("SystemDeadLetter"));
    }

    #[test]
    fn only_what_is_given_is_changed() {
        let mut properties = QueueProperties {
            journal: true,
            quota_bytes: 7,
            ..QueueProperties::default()
        };
        let before = properties.clone();
        Given::from(SetMsmqQueue::default())
            .set(&mut properties)
            .unwrap();
        assert_eq!(properties, before);
        let command = SetMsmqQueue {
            journaling: Some(false),
            queue_quota: Some("1KB".into()),
            receive_error_handling: Some("reject".into()),
            ..SetMsmqQueue::default()
        };
        Given::from(command).set(&mut properties).unwrap();
        assert_eq!((properties.journal, properties.quota_bytes), (false, 1024));
        assert_eq!(properties.poison.then, PoisonTarget::Reject);
    }

    #[test]
    fn what_is_no_property_is_refused_before_anything_is_asked() {
        let bad = [
            SetMsmqQueue {
                label: Some("l".repeat(125)),
                ..SetMsmqQueue::default()
            },
            SetMsmqQueue {
                privacy_level: Some("some".into()),
                ..SetMsmqQueue::default()
            },
            SetMsmqQueue {
                service_type: Some("x".into()),
                ..SetMsmqQueue::default()
            },
            SetMsmqQueue {
                base_priority: Some("40000".into()),
                ..SetMsmqQueue::default()
            },
            SetMsmqQueue {
                receive_retry_count: Some(1 << 32),
                ..SetMsmqQueue::default()
            },
        ];
        for command in bad {
            let error = Given::from(command)
                .set(&mut QueueProperties::default())
                .unwrap_err();
            assert!(error.hint.is_some(), "{error}");
        }
    }
}
