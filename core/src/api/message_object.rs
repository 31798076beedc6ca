//! A message before it is sent: made once, sent as often as one likes.

use serde::Serialize;

use super::message::{ACKNOWLEDGE_WORDS, SendMsmqQueue};
use super::spec::{Record as _, command, record};
use super::value::{Body, Millis, Value, from_value, to_value};
use crate::error::{Error, ErrorKind, Result};

record! {
    /// A message that is not sent yet; what it does not say is as usual.
    MessageObject as "MsmqMessageObject", columns ["Label", "Priority", "Body"], {
        /// The content.
        body "Body": Option<Body>,
        /// A free text.
        label "Label": Option<String>,
        /// 0 to 7.
        priority "Priority": Option<u64>,
        /// Kept in memory only.
        express "Express": Option<bool>,
        /// Kept on disk.
        recoverable "Recoverable": Option<bool>,
        /// A copy is kept in the journal of the sender's computer.
        journaling "Journaling": Option<bool>,
        /// To be signed.
        authenticated "Authenticated": Option<bool>,
        /// The id of the message it answers.
        correlation_id "CorrelationId": Option<String>,
        /// A number for the application.
        app_specific "AppSpecific": Option<u64>,
        /// The VARTYPE of the content.
        body_type "BodyType": Option<u64>,
        /// Which acknowledgements are wanted.
        acknowledge_type "AcknowledgeType": Option<String>,
        /// The queue for acknowledgements.
        admin_queue "AdminQueuePath": Option<String>,
        /// The queue for answers.
        response_queue "ResponseQueuePath": Option<String>,
        /// Milliseconds it may take to reach its queue.
        time_to_reach_queue "TimeToReachQueue": Option<Millis>,
        /// Milliseconds it may be received within.
        time_to_be_received "TimeToBeReceived": Option<Millis>,
        /// More bytes of the application.
        extension "Extension": Option<Body>,
    }
}

command! {
    /// Makes a message, to be sent with Send-MsmqQueue -MessageObject.
    NewMsmqMessage = "New-MsmqMessage" => MessageObject, at Client, risk None, aliases [],
    {
        /// The content, up to 1 GiB.
        body "Body": Option<Body>, position 0;
        /// A free text, up to 249 characters.
        label "Label": Option<String>;
        /// 0 to 7 (default 3).
        priority "Priority": Option<u64>;
        /// Keep it in memory only: it is lost at a restart or failover.
        express "Express": bool;
        /// Keep it on disk: the default.
        recoverable "Recoverable": bool;
        /// Keep a copy in the journal of the sender's computer.
        journaling "Journaling": bool;
        /// Sign it. No queue manager can do that without a directory yet, so it is refused when it is sent.
        authenticated "Authenticated": bool;
        /// The id of the message this one answers.
        correlation_id "CorrelationId": Option<String>;
        /// A number for the application.
        app_specific "AppSpecific": Option<u64>;
        /// The VARTYPE of the content: 8 for text in UTF-16, 8209 for bytes.
        body_type "BodyType": Option<u64>;
        /// Which acknowledgements -AdminQueuePath gets.
        acknowledge_type "AcknowledgeType": Option<String>, completes Choice(&ACKNOWLEDGE_WORDS);
        /// The queue for acknowledgements; it must not be transactional.
        admin_queue "AdminQueuePath": Option<String>, completes Queue;
        /// The queue for answers.
        response_queue "ResponseQueuePath": Option<String>, completes Queue;
        /// How long it may take to reach its queue, in whole seconds (default: for ever).
        time_to_reach_queue "TimeToReachQueue": Option<Millis>;
        /// How long it may be received, in whole seconds (default: for ever).
        time_to_be_received "TimeToBeReceived": Option<Millis>;
        /// More bytes of the application.
        extension "Extension": Option<Body>;
    }
    examples {
        "let m = New-MsmqMessage 'order 7' -Label new -Priority 5; Send-MsmqQueue VS1/private$/orders -MessageObject $m" => "Made once, sent to as many queues as one likes.",
    }
}

/// The message that the command describes.
pub(super) fn make(command: NewMsmqMessage) -> MessageObject {
    let given = |switch: bool| switch.then_some(true);
    MessageObject {
        body: command.body,
        label: command.label,
        priority: command.priority,
        express: given(command.express),
        recoverable: given(command.recoverable),
        journaling: given(command.journaling),
        authenticated: given(command.authenticated),
        correlation_id: command.correlation_id,
        app_specific: command.app_specific,
        body_type: command.body_type,
        acknowledge_type: command.acknowledge_type,
        admin_queue: command.admin_queue,
        response_queue: command.response_queue,
        time_to_reach_queue: command.time_to_reach_queue,
        time_to_be_received: command.time_to_be_received,
        extension: command.extension,
    }
}

/// What a send takes of its message object: what it does not say itself.
///
/// # Errors
/// `InvalidParameter` for something that is no message.
pub(super) fn complete(mut command: SendMsmqQueue) -> Result<SendMsmqQueue> {
    let Some(object) = command.message_object.take() else {
        return Ok(command);
    };
    // What a command has made is a list of one.
    let object = match object {
        Value::Array(mut list) if list.len() == 1 => list.remove(0),
        other => other,
    };
    let Value::Map(object) = object else {
        let text = "-MessageObject is no message";
        return Err(Error::new(ErrorKind::InvalidParameter, text)
            .hint("New-MsmqMessage makes one; one that was received will do as well"));
    };
    let known = |name: &str| MessageObject::SPEC.fields.iter().any(|f| f.name == name);
    let mut fields = map(&command)?;
    // A body that comes from a file is not mixed with another.
    let from_file = command.body_file.is_some();
    for (name, value) in object {
        let wanted = name
            .as_text()
            .is_some_and(|n| known(n) && !(from_file && n == "Body"));
        let place = fields.iter_mut().find(|(own, _)| *own == name);
        if let Some((_, place)) = place.filter(|_| wanted)
            && says_nothing(place)
            && !says_nothing(&value)
        {
            *place = value;
        }
    }
    from_value(&Value::Map(fields))
}

fn map<T: Serialize>(record: &T) -> Result<Vec<(Value, Value)>> {
    Ok(to_value(record)?.into_map().unwrap_or_default())
}

/// Not given: and of a received message, which says everything, what is as usual.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Text(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_says_more_than_its_message() {
        let object = make(NewMsmqMessage {
            body: Some(Body(b"order 7".to_vec())),
            label: Some("new".to_owned()),
            priority: Some(5),
            journaling: true,
            time_to_be_received: Some(Millis(60_000)),
            ..NewMsmqMessage::default()
        });
        let send = SendMsmqQueue {
            name: "VS1/private$/q".to_owned(),
            label: Some("newer".to_owned()),
            message_object: Some(to_value(&object).unwrap()),
            ..SendMsmqQueue::default()
        };
        let sent = complete(send.clone()).unwrap();
        assert_eq!(sent.body.unwrap().0, b"order 7");
        assert_eq!(
            (sent.label.as_deref(), sent.priority),
            (Some("newer"), Some(5))
        );
        assert!(sent.journaling && !sent.express);
        assert_eq!(sent.time_to_be_received, Some(Millis(60_000)));
        let from_file = SendMsmqQueue {
            body_file: Some("x".to_owned()),
            ..send
        };
        assert!(complete(from_file).unwrap().body.is_none());
        let wrong = SendMsmqQueue {
            message_object: Some(Value::from("no message")),
            ..SendMsmqQueue::default()
        };
        assert_eq!(
            complete(wrong).unwrap_err().kind,
            ErrorKind::InvalidParameter
        );
    }
}
