//! Sending one message.

use std::path::Path;

use super::queue::{local, status};
use super::{Sessions, ambient, exclusive, no_word, number_32};
use crate::api::message::{ACKNOWLEDGE, SendMsmqQueue, SentInfo};
use crate::api::message_object;
use crate::api::protection;
use crate::api::queue::unexpected;
use crate::api::session::Session;
use crate::api::value::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;
use crate::queue::message::{
    Acknowledge, BODY_BYTES_MAX, Delivery, Journal, Lifetime, Message, MessageId, PRIORITY_DEFAULT,
    PRIORITY_MAX,
};
use crate::queue::request::{Reply, Request, Transaction};
use crate::sys::file;

/// How a sent body comes.
enum Content {
    /// In the message.
    Whole,
    /// From memory, in parts.
    Parts(Vec<u8>),
    /// From a file, in parts.
    File(String),
}

pub(super) fn send(on: &dyn Sessions, command: SendMsmqQueue) -> Result<SentInfo> {
    let command = message_object::complete(command)?;
    let path = QueuePath::parse(&command.name)?;
    let (wants_transaction, takes_part) = (command.transactional, command.use_transaction);
    let (message, content) = message(command)?;
    message.check()?;
    if takes_part {
        let (session, transaction) = ambient(on, path.computer(), wants_transaction)?;
        return sent(
            &path,
            send_once(&session, &path, &message, &content, transaction)?,
        );
    }
    let session = on.session(path.computer())?;
    let known = on
        .nature(&path)
        .filter(|nature| *nature || !wants_transaction);
    let transactional = match known {
        Some(transactional) => transactional,
        None => look_up(on, &session, &path)?,
    };
    let once = |transactional| {
        let transaction = match transactional || wants_transaction {
            true => Transaction::Single,
            false => Transaction::None,
        };
        send_once(&session, &path, &message, &content, transaction)
    };
    let reply = match once(transactional) {
        // It was deleted and made anew with the other nature since it was looked up.
        Err(error) if error.kind == ErrorKind::TransactionUsage && known.is_some() => {
            once(look_up(on, &session, &path)?)?
        }
        Err(error) => {
            on.remember(&path, None);
            return Err(error);
        }
        Ok(reply) => reply,
    };
    sent(&path, reply)
}

fn sent(path: &QueuePath, reply: Reply) -> Result<SentInfo> {
    match reply {
        Reply::Sent { id, lookup_id } => Ok(SentInfo {
            queue: path.to_string(),
            id: id.to_string(),
            lookup_id,
        }),
        other => Err(unexpected(&other)),
    }
}

fn send_once(
    session: &Session,
    path: &QueuePath,
    message: &Message,
    content: &Content,
    transaction: Transaction,
) -> Result<Reply> {
    let queue = local(path);
    match content {
        Content::Whole => session.call(Request::Send {
            queue,
            message: message.encode(),
            body: None,
            transaction,
        }),
        Content::Parts(bytes) => {
            session.send_large(&queue, message, &mut bytes.as_slice(), transaction)
        }
        Content::File(name) => {
            let mut body = file::open(Path::new(name))?;
            session.send_large(&queue, message, &mut body, transaction)
        }
    }
}

/// Asks whether the queue is transactional and remembers it.
fn look_up(on: &dyn Sessions, session: &Session, path: &QueuePath) -> Result<bool> {
    let transactional = status(session, path)?.properties.transactional;
    on.remember(path, Some(transactional));
    Ok(transactional)
}

fn message(mut command: SendMsmqQueue) -> Result<(Message, Content)> {
    let (body, content) = content(&command)?;
    let security = protection::of(&mut command)?;
    let mut message = Message::new(body);
    message.label = command.label.unwrap_or_default();
    message.priority = priority(command.priority)?;
    message.delivery = match (command.express, command.recoverable) {
        (true, true) => {
            let text = "-Express and -Recoverable exclude each other";
            return Err(exclusive(text, "recoverable is the default"));
        }
        (true, false) => Delivery::Express,
        (false, _) => Delivery::Recoverable,
    };
    message.correlation_id = MessageId::parse(&command.correlation_id.unwrap_or_default())?;
    message.app_specific = number_32("AppSpecific", command.app_specific.unwrap_or(0))?;
    message.body_type = number_32("BodyType", command.body_type.unwrap_or(0))?;
    message.acknowledge = match &command.acknowledge_type {
        None => Acknowledge::NONE,
        Some(word) => acknowledge(word)?,
    };
    message.admin_queue = command.admin_queue.unwrap_or_default();
    if message.acknowledge != Acknowledge::NONE && message.admin_queue.is_empty() {
        let text = "-AcknowledgeType is given, but no queue that the acknowledgements go to";
        return Err(Error::new(ErrorKind::IllegalPropertyValue, text)
            .hint("-AdminQueuePath names one that is not transactional"));
    }
    message.response_queue = command.response_queue.unwrap_or_default();
    message.dead_letter_queue = command.dead_letter_queue.unwrap_or_default();
    message.journal = journal(command.journaling, command.dead_letter);
    message.time_to_reach_queue = lifetime("TimeToReachQueue", command.time_to_reach_queue)?;
    message.time_to_be_received = lifetime("TimeToBeReceived", command.time_to_be_received)?;
    message.delay_ms = command.delay.map_or(0, |delay| delay.0);
    message.idempotency_key = command.idempotency_key.unwrap_or_default().0;
    message.extension = command.extension.unwrap_or_default().0;
    message.trace = command.trace;
    message.soap_header = command.soap_header.unwrap_or_default();
    message.soap_body = command.soap_body.unwrap_or_default();
    message.class = class(command.class)?;
    message.security = security;
    Ok((message, content))
}

/// What fits into one message is sent as one; a larger file or text in parts, a file read while it is sent.
fn content(command: &SendMsmqQueue) -> Result<(Vec<u8>, Content)> {
    let name = match (&command.body, &command.body_file) {
        (body, None) => {
            let bytes = body.clone().unwrap_or_default().0;
            return Ok(match bytes.len() > BODY_BYTES_MAX {
                true => (Vec::new(), Content::Parts(bytes)),
                false => (bytes, Content::Whole),
            });
        }
        (Some(_), Some(_)) => {
            let text = "-Body and -BodyFile exclude each other";
            return Err(exclusive(text, "give one of them"));
        }
        (None, Some(name)) => name,
    };
    match file::read_up_to(Path::new(name), BODY_BYTES_MAX)? {
        Some(bytes) => Ok((bytes, Content::Whole)),
        None => Ok((Vec::new(), Content::File(name.clone()))),
    }
}

fn class(given: Option<u64>) -> Result<u16> {
    let class = given.unwrap_or(0);
    u16::try_from(class).map_err(|_| {
        let text = format!("-Class {class} is none");
        Error::new(ErrorKind::IllegalPropertyValue, text).hint("it is a number of 16 bits")
    })
}

fn priority(given: Option<u64>) -> Result<u8> {
    let Some(priority) = given else {
        return Ok(PRIORITY_DEFAULT);
    };
    let fits = u8::try_from(priority).ok().filter(|p| *p <= PRIORITY_MAX);
    fits.ok_or_else(|| {
        let text = format!("priority {priority} is none");
        Error::new(ErrorKind::IllegalPropertyValue, text).hint("use 0 to 7")
    })
}

fn acknowledge(word: &str) -> Result<Acknowledge> {
    let found = ACKNOWLEDGE
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(word));
    found.map(|(_, bits)| *bits).ok_or_else(|| {
        let words: Vec<&str> = ACKNOWLEDGE.iter().map(|(word, _)| *word).collect();
        no_word("AcknowledgeType", word, &words)
    })
}

fn journal(journaling: bool, dead_letter: Option<bool>) -> Journal {
    let bits = match dead_letter {
        Some(true) => Journal::DEAD_LETTER,
        Some(false) => Journal::NONE,
        None => Journal::default(),
    };
    match journaling {
        true => Journal(bits.0 | Journal::JOURNAL.0),
        false => bits,
    }
}

/// Whole seconds, rounded up: a message never lives for less than was asked for.
fn lifetime(parameter: &str, given: Option<Millis>) -> Result<Lifetime> {
    let Some(time) = given else {
        return Ok(Lifetime::INFINITE);
    };
    let seconds = number_32(parameter, time.0.div_ceil(1000))?;
    match Lifetime(seconds) {
        Lifetime::INFINITE | Lifetime::LONG_LIVED => {
            let text = format!("-{parameter} of {seconds} s is too long");
            Err(Error::new(ErrorKind::IllegalPropertyValue, text)
                .hint("leave it out for a message that lives for ever"))
        }
        lifetime => Ok(lifetime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::value::Body;

    fn command() -> SendMsmqQueue {
        SendMsmqQueue {
            name: "a/private$/q".into(),
            body: Some(Body(b"x".to_vec())),
            ..SendMsmqQueue::default()
        }
    }

    #[test]
    fn every_property_reaches_the_message() {
        let (message, _) = message(SendMsmqQueue {
            priority: Some(7),
            app_specific: Some(1),
            express: true,
            acknowledge_type: Some("fullreceive".into()),
            admin_queue: Some("a/private$/acks".into()),
            journaling: true,
            dead_letter: Some(false),
            time_to_be_received: Some(Millis(1_500)),
            delay: Some(Millis(30_000)),
            idempotency_key: Some(Body(b"k".to_vec())),
            soap_header: Some("<h/>".into()),
            soap_body: Some("<b/>".into()),
            hash_algorithm: Some("SHA256".into()),
            class: Some(0x4000),
            ..command()
        })
        .unwrap();
        let soap = (message.soap_header.as_str(), message.soap_body.as_str());
        assert_eq!(soap, ("<h/>", "<b/>"));
        assert_eq!(message.security.unwrap().hash_algorithm, 0x800C);
        assert_eq!(message.class, 0x4000);
        assert_eq!((message.priority, message.delivery), (7, Delivery::Express));
        assert_eq!(message.acknowledge, Acknowledge::FULL_RECEIVE);
        assert_eq!(message.journal, Journal::JOURNAL);
        assert_eq!(message.time_to_be_received, Lifetime(2));
        assert_eq!(message.time_to_reach_queue, Lifetime::INFINITE);
        assert_eq!(
            (message.delay_ms, message.idempotency_key),
            (30_000, b"k".to_vec())
        );
    }

    #[test]
    fn properties_out_of_range_are_refused() {
        let bad = [
            SendMsmqQueue {
                priority: Some(8),
                ..command()
            },
            SendMsmqQueue {
                priority: Some(256),
                ..command()
            },
            SendMsmqQueue {
                app_specific: Some(1 << 32),
                ..command()
            },
            SendMsmqQueue {
                acknowledge_type: Some("FullReceive".into()),
                ..command()
            },
            SendMsmqQueue {
                class: Some(1 << 16),
                ..command()
            },
            SendMsmqQueue {
                privacy_level: Some("Some".into()),
                ..command()
            },
            SendMsmqQueue {
                time_to_be_received: Some(Millis(u64::MAX)),
                ..command()
            },
            SendMsmqQueue {
                time_to_reach_queue: Some(Millis(0xFFFF_FFFF * 1000)),
                ..command()
            },
        ];
        for command in bad {
            let error = message(command).err().unwrap();
            assert_eq!(error.kind, ErrorKind::IllegalPropertyValue);
            assert!(error.hint.is_some());
        }
    }

    #[test]
    fn what_excludes_each_other_is_refused() {
        let both = SendMsmqQueue {
            express: true,
            recoverable: true,
            ..command()
        };
        let two_bodies = SendMsmqQueue {
            body_file: Some("x".into()),
            ..command()
        };
        for command in [both, two_bodies] {
            assert_eq!(message(command).err().unwrap().kind, ErrorKind::Usage);
        }
    }

    #[test]
    fn a_file_that_fits_is_sent_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = |bytes: usize| {
            let name = folder.path().join(bytes.to_string());
            std::fs::write(&name, vec![7; bytes]).unwrap();
            let (message, content) = message(SendMsmqQueue {
                body: None,
                body_file: Some(name.to_str().unwrap().to_owned()),
                ..command()
            })
            .unwrap();
            (message.body.len(), matches!(content, Content::File(_)))
        };
        assert_eq!(file(10), (10, false));
        assert_eq!(file(BODY_BYTES_MAX), (BODY_BYTES_MAX, false));
        assert_eq!(file(BODY_BYTES_MAX + 1), (0, true));
    }

    #[test]
    fn what_is_too_large_for_one_message_is_sent_in_parts() {
        let (message, content) = message(SendMsmqQueue {
            body: Some(Body(vec![7; BODY_BYTES_MAX + 1])),
            ..command()
        })
        .unwrap();
        assert!(message.body.is_empty());
        assert!(matches!(content, Content::Parts(bytes) if bytes.len() == BODY_BYTES_MAX + 1));
    }
}
