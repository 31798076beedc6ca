//! Commands that send, receive, move and follow messages.

use super::protection::{self, CIPHER_WORDS, HASH_WORDS, PRIVACY_WORDS, SENDER_WORDS};
use super::spec::{command, record};
use super::value::{Body, Millis, Time};
use crate::error::{Error, ErrorKind, Result};
use crate::queue::message::{Acknowledge, Delivery, Journal, LeaseId, Lifetime, Received};

/// Words of -AcknowledgeType, with their bits.
pub(super) const ACKNOWLEDGE: [(&str, Acknowledge); 8] = [
    ("None", Acknowledge::NONE),
    ("PositiveArrival", Acknowledge::POSITIVE_ARRIVAL),
    ("PositiveReceive", Acknowledge::POSITIVE_RECEIVE),
    ("NotAcknowledgeReachQueue", Acknowledge::NEGATIVE_ARRIVAL),
    ("NegativeReceive", Acknowledge::NEGATIVE_RECEIVE),
    ("NotAcknowledgeReceive", Acknowledge::NACK_RECEIVE),
    ("FullReachQueue", Acknowledge::FULL_REACH_QUEUE),
    ("FullReceive", Acknowledge::FULL_RECEIVE),
];
/// The same words, for completion.
pub(super) const ACKNOWLEDGE_WORDS: [&str; 8] = [
    "None",
    "PositiveArrival",
    "PositiveReceive",
    "NotAcknowledgeReachQueue",
    "NegativeReceive",
    "NotAcknowledgeReceive",
    "FullReachQueue",
    "FullReceive",
];

record! {
    /// A message as it was received or peeked.
    MessageInfo as "MsmqMessage", columns ["Label", "Body", "BodySize", "Priority", "LookupId"], {
        /// The queue it is or was in.
        queue "Queue": String,
        /// A free text, up to 249 characters.
        label "Label": String,
        /// The content: text where it is text, bytes otherwise. Above 4 MiB a -Peek needs -RetrieveBody for it.
        body "Body": Body,
        /// How many bytes the content has.
        body_size "BodySize": u64,
        /// The VARTYPE of the content, as the sender set it; 0 for none.
        body_type "BodyType": u64,
        /// 0 to 7; always 0 in a transactional queue.
        priority "Priority": u64,
        /// Whether it survives a restart.
        recoverable "Recoverable": bool,
        /// GUID of the queue manager and a number: unique for ever.
        id "Id": String,
        /// The id of the message this one answers; empty for none.
        correlation_id "CorrelationId": String,
        /// Its place in the queue: rises in order of priority and arrival.
        lookup_id "LookupId": u64,
        /// What must be settled with Complete-, Undo- or Deny-MsmqMessage; nothing: no lease.
        lease_id "LeaseId": Option<String>,
        /// When it was sent.
        sent "SentTime": Time,
        /// When it arrived.
        arrived "ArrivedTime": Time,
        /// A number for the application.
        app_specific "AppSpecific": u64,
        /// 0 for what applications send; else what an acknowledgement or a dead letter says (MQMSG_CLASS_*).
        class "Class": u64,
        /// Which acknowledgements were asked for.
        acknowledge_type "AcknowledgeType": String,
        /// Where acknowledgements go; empty: nowhere.
        admin_queue "AdminQueuePath": String,
        /// Where answers go; empty: the sender wants none.
        response_queue "ResponseQueuePath": String,
        /// Where it was going, if it is a copy in a journal or a dead-letter queue; else empty.
        destination_queue "DestinationQueue": String,
        /// The sender's own dead-letter queue; empty: the system's.
        dead_letter_queue "DeadLetterQueue": String,
        /// Whether a copy is kept in the journal of the sender's computer.
        journaling "Journaling": bool,
        /// Whether it becomes a dead letter when it cannot be delivered.
        dead_letter "DeadLetter": bool,
        /// How long it may take to reach its queue; nothing: for ever.
        time_to_reach_queue "TimeToReachQueue": Option<Millis>,
        /// How long after its sending it may be received; nothing: for ever.
        time_to_be_received "TimeToBeReceived": Option<Millis>,
        /// More bytes of the application.
        extension "Extension": Body,
        /// A second message with this key is the same message; empty for none.
        idempotency_key "IdempotencyKey": Body,
        /// Whether reports on its route are sent.
        trace "Trace": bool,
        /// Who sent it, as the queue manager saw it; empty: unknown.
        sender "SenderId": String,
        /// Aborted receives since it entered this queue.
        abort_count "AbortCount": u64,
        /// How often it was moved.
        move_count "MoveCount": u64,
        /// When it was moved last; nothing: never.
        last_move "LastMoveTime": Option<Time>,
        /// When it can be received; nothing: at once.
        due "DueTime": Option<Time>,
        /// The transaction that sent it; nothing: none.
        transaction "TransactionId": Option<u64>,
        /// Whether it is the first of its transaction.
        first_in_transaction "IsFirstInTransaction": bool,
        /// Whether it is the last of its transaction.
        last_in_transaction "IsLastInTransaction": bool,
        /// The file that the content was written to; nothing: none.
        out_file "OutFile": Option<String>,
        /// More of the SOAP header; empty for none.
        soap_header "SoapHeader": String,
        /// More of the SOAP body; empty for none.
        soap_body "SoapBody": String,
        /// The connector that protected it, a GUID; empty: none. Nothing below was verified by a queue manager.
        connector_type "ConnectorType": String,
        /// How its connector encrypted it: None, Body, BodyEnhanced or BodyAes.
        privacy_level "PrivacyLevel": String,
        /// The algorithm of that; empty: not said.
        encryption_algorithm "EncryptionAlgorithm": String,
        /// The encrypted key of that.
        symmetric_key "SymmetricKey": Body,
        /// Its connector's signature.
        signature "Signature": Body,
        /// The algorithm of the signature's hash; empty: not said.
        hash_algorithm "HashAlgorithm": String,
        /// The certificate (X.509, DER) that its connector gave.
        sender_certificate "SenderCertificate": Body,
        /// The type of the cryptographic provider; 0: not said.
        provider_type "ProviderType": u64,
        /// The name of the cryptographic provider.
        provider_name "ProviderName": String,
        /// What its sender is called by: None, Sid or QueueManager; empty: not said.
        sender_id_type "SenderIdType": String,
    }
}

record! {
    /// What became of a sent message.
    SentInfo as "MsmqSentMessage", columns ["Queue", "Id", "LookupId"], {
        /// The queue.
        queue "Queue": String,
        /// The id it was given.
        id "Id": String,
        /// Its place in the queue.
        lookup_id "LookupId": u64,
    }
}

record! {
    /// A message that was settled or moved.
    SettledInfo as "MsmqSettledMessage", columns ["Queue", "LookupId", "Outcome"], {
        /// The queue it is or was in.
        queue "Queue": String,
        /// Its place there.
        lookup_id "LookupId": u64,
        /// Completed, Released, Rejected, Extended or Moved.
        outcome "Outcome": String,
    }
}

record! {
    /// One step of a message's life.
    TraceInfo as "MsmqMessageTrace", columns ["Time", "Queue", "What", "Detail"], {
        /// When.
        time "Time": Time,
        /// The queue.
        queue "Queue": String,
        /// What happened, or where it is.
        what "What": String,
        /// Who did it or why; empty: nothing to say.
        detail "Detail": String,
    }
}

command! {
    /// Sends a message; it is on disk when the command returns, unless -Express is given.
    ///
    /// To a transactional queue it is sent as a transaction of its own. From the pipeline it takes a content, or a message: then
    /// its label, priority and what else it says to its receiver as well.
    SendMsmqQueue = "Send-MsmqQueue" => SentInfo, at QueueManager, risk Low, aliases ["send"],
    {
        /// The queue's path name or direct format name.
        name "Name": String, position 0, pipeline property, completes Queue;
        /// The content, up to 1 GiB.
        body "Body": Option<Body>, position 1, pipeline value;
        /// A message (New-MsmqMessage, or one that was received): what is not said here is taken from it.
        message_object "MessageObject": Option<crate::api::value::Value>;
        /// A file with the content, up to 1 GiB.
        body_file "BodyFile": Option<String>, completes File;
        /// A free text, up to 249 characters.
        label "Label": Option<String>, pipeline property;
        /// 0 to 7 (default 3).
        priority "Priority": Option<u64>, pipeline property;
        /// Keep it in memory only: it is lost at a restart or failover.
        express "Express": bool;
        /// Keep it on disk: the default.
        recoverable "Recoverable": bool;
        /// The id of the message this one answers.
        correlation_id "CorrelationId": Option<String>, pipeline property;
        /// A number for the application.
        app_specific "AppSpecific": Option<u64>, pipeline property;
        /// The VARTYPE of the content: 8 for text in UTF-16, 8209 for bytes.
        body_type "BodyType": Option<u64>, pipeline property;
        /// Which acknowledgements -AdminQueuePath gets.
        acknowledge_type "AcknowledgeType": Option<String>, completes Choice(&ACKNOWLEDGE_WORDS);
        /// The queue for acknowledgements; it must not be transactional.
        admin_queue "AdminQueuePath": Option<String>, completes Queue;
        /// The queue for answers.
        response_queue "ResponseQueuePath": Option<String>, pipeline property, completes Queue;
        /// The sender's own queue for what cannot be delivered (default: the system's dead-letter queue).
        dead_letter_queue "DeadLetterQueue": Option<String>, completes Queue;
        /// Keep a copy in the journal of the sender's computer.
        journaling "Journaling": bool;
        /// Keep it as a dead letter when it cannot be delivered (default true).
        dead_letter "DeadLetter": Option<bool>;
        /// How long it may take to reach its queue, in whole seconds (default: for ever).
        time_to_reach_queue "TimeToReachQueue": Option<Millis>;
        /// How long from now it may be received, in whole seconds (default: for ever).
        time_to_be_received "TimeToBeReceived": Option<Millis>;
        /// Not to be received before so much time has passed.
        delay "Delay": Option<Millis>;
        /// A second message with the same key in the queue's window is the same message.
        idempotency_key "IdempotencyKey": Option<Body>;
        /// More bytes of the application.
        extension "Extension": Option<Body>, pipeline property;
        /// Send reports on its route.
        trace "Trace": bool;
        /// Send it as a transaction of its own. A transactional queue needs no such word; another one refuses it.
        transactional "Transactional": bool;
        /// Take part in the transaction of this session (Start-Transaction).
        use_transaction "UseTransaction": bool;
        /// More of the SOAP header.
        soap_header "SoapHeader": Option<String>, pipeline property;
        /// More of the SOAP body.
        soap_body "SoapBody": Option<String>, pipeline property;
        /// Sign it. No queue manager can do that without a directory yet, so it is refused.
        authenticated "Authenticated": bool;
        /// The GUID of a connector: an application that says with it that it has itself protected the message.
        connector_type "ConnectorType": Option<String>;
        /// What an acknowledgement or a dead letter says, if a connector sends it (MQMSG_CLASS_*).
        class "Class": Option<u64>;
        /// How a connector has encrypted the content.
        privacy_level "PrivacyLevel": Option<String>, completes Choice(&PRIVACY_WORDS);
        /// The algorithm of that.
        encryption_algorithm "EncryptionAlgorithm": Option<String>, completes Choice(&CIPHER_WORDS);
        /// The encrypted key of that.
        symmetric_key "SymmetricKey": Option<Body>;
        /// A connector's signature.
        signature "Signature": Option<Body>;
        /// The algorithm of the signature's hash.
        hash_algorithm "HashAlgorithm": Option<String>, completes Choice(&HASH_WORDS);
        /// The certificate (X.509, DER) of the signature.
        sender_certificate "SenderCertificate": Option<Body>;
        /// The type of the cryptographic provider.
        provider_type "ProviderType": Option<u64>;
        /// The name of the cryptographic provider.
        provider_name "ProviderName": Option<String>;
        /// What the sender is called by.
        sender_id_type "SenderIdType": Option<String>, completes Choice(&SENDER_WORDS);
    }
    examples {
        "Send-MsmqQueue VS1/private$/orders 'order 7' -Label new" => "Sends a text.",
        "Send-MsmqQueue VS1/private$/orders -BodyFile big.bin -TimeToBeReceived 5min" => "Sends a file that is worthless in five minutes.",
        "Send-MsmqQueue VS1/private$/jobs 'again' -Delay 30s -IdempotencyKey job7" => "Once, and not before 30 seconds have passed.",
        "Get-MsmqMessage VS1/Deadletter$ | Send-MsmqQueue VS1/private$/jobs" => "Sends dead letters again.",
        "Send-MsmqQueue VS1/private$/jobs 'x' -AcknowledgeType FullReceive -AdminQueuePath VS1/private$/acks" => "Tells acks what became of it.",
    }
}

command! {
    /// Receives a message, or looks at it with -Peek.
    ///
    /// With -Lease the message is only hidden: Complete-MsmqMessage deletes it, Undo-MsmqMessage gives it back, and when
    /// neither comes in time it is back by itself.
    ReceiveMsmqQueue = "Receive-MsmqQueue" => Vec<MessageInfo>, at QueueManager, risk Low, aliases ["recv"],
    {
        /// The queue's path name, also of a subqueue, a journal or a system queue.
        name "Name": String, position 0, pipeline value, completes Queue;
        /// How long to wait for one (default 0: fail at once when there is none).
        timeout "Timeout": Option<Millis>;
        /// Leave it in the queue.
        peek "Peek": bool;
        /// How many at most (default 1); the wait is for the first.
        count "Count": Option<u64>;
        /// The message at this place; with -Next or -Previous the one behind or before it.
        lookup_id "LookupId": Option<u64>;
        /// The one behind -LookupId.
        next "Next": bool;
        /// The one before -LookupId.
        previous "Previous": bool;
        /// The first one: the default.
        first "First": bool;
        /// The last one.
        last "Last": bool;
        /// The first one with this correlation id.
        correlation_id "CorrelationId": Option<String>;
        /// The one with this id.
        id "Id": Option<String>;
        /// Hide it for so long instead of deleting it.
        lease "Lease": Option<Millis>;
        /// Take it in a transaction of its own. A transactional queue needs no such word; another one refuses it.
        transactional "Transactional": bool;
        /// Take part in the transaction of this session (Start-Transaction).
        use_transaction "UseTransaction": bool;
        /// With -Peek: read contents above 4 MiB too, which else stay in the queue.
        retrieve_body "RetrieveBody": bool;
        /// Write the content to this file; the message leaves the queue when the file is on disk.
        out_file "OutFile": Option<String>, completes File;
    }
    examples {
        "Receive-MsmqQueue VS1/private$/orders -Timeout 5s" => "Takes the next message.",
        "Receive-MsmqQueue VS1/private$/orders -Peek -Count 10" => "Looks at the next ten.",
        "Receive-MsmqQueue VS1/private$/jobs -Lease 30s" => "Takes one for half a minute.",
        "Receive-MsmqQueue VS1/private$/jobs -OutFile big.bin" => "Writes its content to a file, however large.",
        "Receive-MsmqQueue 'VS1/system$;DEADLETTER' -Peek" => "Looks at the first dead letter.",
    }
}

command! {
    /// Looks at messages without disturbing them; no messages are no error.
    GetMsmqMessage = "Get-MsmqMessage" => Vec<MessageInfo>, at QueueManager, risk None, aliases [],
    {
        /// The queue's path name.
        name "Name": String, position 0, pipeline value, completes Queue;
        /// How many at most (default 100).
        count "Count": Option<u64>;
        /// Only those behind this place.
        after "After": Option<u64>;
        /// Those that are not due yet, instead of those that can be received.
        delayed "Delayed": bool;
    }
    examples {
        "Get-MsmqMessage VS1/private$/orders | Select-Object Label,Priority" => "What is waiting.",
        "Get-MsmqMessage VS1/private$/jobs -Delayed | Select-Object Label,DueTime,LookupId" => "What will come, and when.",
    }
}

command! {
    /// Tells where a message is and what happened to it, oldest step first.
    TraceMsmqMessage = "Trace-MsmqMessage" => Vec<TraceInfo>, at QueueManager, risk None, aliases [],
    {
        /// The virtual server or node.
        computer "ComputerName": String, position 0;
        /// The message's id.
        id "Id": String, position 1, pipeline property;
    }
    examples { "Trace-MsmqMessage VS1 7f2c1de0-0c52-4bb3-9a3e-3b0a2a35c6f1/12" => "Where number 12 is." }
}

command! {
    /// Moves a message between a queue and its subqueues; it keeps its id.
    MoveMsmqMessage = "Move-MsmqMessage" => SettledInfo, at QueueManager, risk Low, aliases [],
    {
        /// The path name of the queue it is in.
        queue "Queue": String, position 0, pipeline property, completes Queue;
        /// Its place there.
        lookup_id "LookupId": u64, position 1, pipeline property;
        /// The path name of the subqueue, or of the queue it is to go back to.
        destination "DestinationQueue": String, position 2, completes Queue;
        /// Move it in a transaction of its own. A transactional queue needs no such word; another one refuses it.
        transactional "Transactional": bool;
        /// Take part in the transaction of this session (Start-Transaction).
        use_transaction "UseTransaction": bool;
    }
    examples { "Move-MsmqMessage VS1/private$/orders 216172782113783810 'VS1/private$/orders;later'" => "Sets one aside." }
}

command! {
    /// Deletes a message that was received with a lease: it was dealt with.
    CompleteMsmqMessage = "Complete-MsmqMessage" => SettledInfo, at QueueManager, risk Low, aliases [],
    {
        /// The queue's path name.
        queue "Queue": String, position 0, pipeline property, completes Queue;
        /// The lease, as Receive-MsmqQueue shows it.
        lease_id "LeaseId": String, position 1, pipeline property;
    }
    examples { "Complete-MsmqMessage VS1/private$/jobs 216172782113783810.1" => "It was dealt with." }
}

command! {
    /// Gives a message that was received with a lease back to its queue; that counts as an aborted receive.
    UndoMsmqMessage = "Undo-MsmqMessage" => SettledInfo, at QueueManager, risk Low, aliases [],
    {
        /// The queue's path name.
        queue "Queue": String, position 0, pipeline property, completes Queue;
        /// The lease, as Receive-MsmqQueue shows it.
        lease_id "LeaseId": String, position 1, pipeline property;
    }
    examples { "Undo-MsmqMessage VS1/private$/jobs 216172782113783810.1" => "Somebody else may have it." }
}

command! {
    /// Makes a message that was received with a lease a dead letter.
    DenyMsmqMessage = "Deny-MsmqMessage" => SettledInfo, at QueueManager, risk Low, aliases [],
    {
        /// The queue's path name.
        queue "Queue": String, position 0, pipeline property, completes Queue;
        /// The lease, as Receive-MsmqQueue shows it.
        lease_id "LeaseId": String, position 1, pipeline property;
    }
    examples { "Deny-MsmqMessage VS1/private$/jobs 216172782113783810.1" => "Nobody shall have it." }
}

command! {
    /// Extends the lease of a message, from now on.
    UpdateMsmqMessage = "Update-MsmqMessage" => SettledInfo, at QueueManager, risk Low, aliases [],
    {
        /// The queue's path name.
        queue "Queue": String, position 0, pipeline property, completes Queue;
        /// The lease, as Receive-MsmqQueue shows it.
        lease_id "LeaseId": String, position 1, pipeline property;
        /// How long it lasts from now on.
        lease "Lease": Millis, position 2;
    }
    examples { "Update-MsmqMessage VS1/private$/jobs 216172782113783810.1 -Lease 1m" => "A minute more." }
}

impl MessageInfo {
    /// What a queue manager has handed out of `queue`.
    ///
    /// # Errors
    /// `StoreDamaged` when the bytes are no message.
    pub fn new(queue: String, received: &Received) -> Result<Self> {
        let message = received.message()?;
        let security = message.security.unwrap_or_default();
        let protection = protection::Shown::new(&security);
        let in_transaction = received.transaction;
        Ok(Self {
            queue,
            label: message.label,
            body: Body(message.body),
            body_size: received.body_bytes,
            body_type: u64::from(message.body_type),
            priority: u64::from(message.priority),
            recoverable: message.delivery == Delivery::Recoverable,
            id: received.id.to_string(),
            correlation_id: message.correlation_id.to_string(),
            lookup_id: received.lookup_id,
            lease_id: received
                .lease
                .map(|lease| format!("{}.{}", lease.lookup_id, lease.delivery)),
            sent: Time(received.sent_ms),
            arrived: Time(received.arrived_ms),
            app_specific: u64::from(message.app_specific),
            class: u64::from(message.class),
            acknowledge_type: acknowledge_text(message.acknowledge),
            admin_queue: message.admin_queue,
            response_queue: message.response_queue,
            destination_queue: received.destination.clone(),
            dead_letter_queue: message.dead_letter_queue,
            journaling: message.journal.has(Journal::JOURNAL),
            dead_letter: message.journal.has(Journal::DEAD_LETTER),
            time_to_reach_queue: lifetime(message.time_to_reach_queue),
            time_to_be_received: lifetime(message.time_to_be_received),
            extension: Body(message.extension),
            idempotency_key: Body(message.idempotency_key),
            trace: message.trace,
            sender: received.sender.clone(),
            abort_count: u64::from(received.abort_count),
            move_count: u64::from(received.move_count),
            last_move: (received.last_move_ms > 0).then_some(Time(received.last_move_ms)),
            due: None,
            transaction: in_transaction.map(|sent| sent.transaction),
            first_in_transaction: in_transaction.is_some_and(|sent| sent.first),
            last_in_transaction: in_transaction.is_some_and(|sent| sent.last),
            out_file: None,
            soap_header: message.soap_header,
            soap_body: message.soap_body,
            connector_type: protection.connector_type,
            privacy_level: protection.privacy_level,
            encryption_algorithm: protection.encryption_algorithm,
            symmetric_key: Body(security.symmetric_key),
            signature: Body(security.signature),
            hash_algorithm: protection.hash_algorithm,
            sender_certificate: Body(security.sender_certificate),
            provider_type: u64::from(security.provider_type),
            provider_name: security.provider_name,
            sender_id_type: protection.sender_id_type,
        })
    }
}

/// The word for these bits, or their number where there is none.
#[must_use]
pub fn acknowledge_text(bits: Acknowledge) -> String {
    let found = ACKNOWLEDGE.iter().find(|(_, known)| *known == bits);
    found.map_or_else(|| bits.0.to_string(), |(word, _)| (*word).to_owned())
}

fn lifetime(lifetime: Lifetime) -> Option<Millis> {
    lifetime
        .seconds()
        .map(|seconds| Millis(u64::from(seconds) * 1000))
}

/// Reads a lease as [`MessageInfo::lease_id`] shows it: `LOOKUPID.DELIVERY`.
///
/// # Errors
/// `InvalidParameter`.
pub fn lease_id(text: &str) -> Result<LeaseId> {
    let parts = text.split_once('.');
    let lease = parts.and_then(|(lookup_id, delivery)| {
        Some(LeaseId {
            lookup_id: lookup_id.parse().ok()?,
            delivery: delivery.parse().ok()?,
        })
    });
    lease.ok_or_else(|| {
        Error::new(ErrorKind::InvalidParameter, format!("{text:?} is no lease"))
            .hint("Receive-MsmqQueue -Lease 30s shows it as LeaseId")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_a_place_and_a_delivery() {
        let lease = lease_id("216172782113783810.2").unwrap();
        assert_eq!(
            (lease.lookup_id, lease.delivery),
            (216_172_782_113_783_810, 2)
        );
        for bad in ["", "7", "7.", ".1", "7.x", "7.1.2"] {
            assert!(lease_id(bad).is_err(), "{bad}");
        }
    }
}
