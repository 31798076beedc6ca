//! Commands on queues.

use super::spec::{command, record};
use super::value::{Millis, Time};
use crate::error::{Error, ErrorKind};
use crate::name::{LocalName, QueuePath};
use crate::queue::request::{PoisonTarget, PrivacyLevel, QueueKind, QueueStatus, Reply};

/// Words of -PrivacyLevel, by their numbers.
pub(super) const PRIVACY: [&str; 3] = ["None", "Optional", "Body"];
/// Words of -ReceiveErrorHandling, by their numbers.
pub(super) const POISON: [&str; 4] = ["Fault", "Drop", "Reject", "Move"];
/// Words of -QueueType.
pub(super) const QUEUE_TYPES: [&str; 5] = [
    "Private",
    "SystemJournal",
    "SystemDeadLetter",
    "SystemTransactionalDeadLetter",
    "All",
];

record! {
    /// A queue.
    QueueInfo as "MsmqQueue", columns ["Name", "Transactional", "MessageCount", "BytesInQueue"], {
        /// Its path name: `VS1\private$\orders`.
        name "Name": String,
        /// Private, Journal, Subqueue, SystemJournal, SystemDeadLetter, SystemTransactionalDeadLetter, Internal or Outgoing.
        queue_type "QueueType": String,
        /// Whether it takes only messages that are sent in a transaction.
        transactional "Transactional": bool,
        /// A free text, up to 124 characters.
        label "Label": String,
        /// Messages in it: available, held by transactions and leases, and delayed ones.
        message_count "MessageCount": u64,
        /// Their bodies together.
        bytes_in_queue "BytesInQueue": u64,
        /// Messages held by transactions and leases that are not finished.
        locked_count "LockedCount": u64,
        /// Messages that are not due yet.
        delayed_count "DelayedCount": u64,
        /// Messages in its journal.
        journal_message_count "JournalMessageCount": u64,
        /// Their bodies together.
        bytes_in_journal "BytesInJournal": u64,
        /// Whether copies of received messages are kept in its journal.
        journaling "Journaling": bool,
        /// Bytes of messages at most; nothing: no limit.
        queue_quota "QueueQuota": Option<u64>,
        /// Bytes of its journal at most; nothing: no limit.
        journal_quota "JournalQuota": Option<u64>,
        /// Whether it takes only signed messages.
        authenticate "Authenticate": bool,
        /// None, Optional or Body: whether its messages must be encrypted.
        privacy_level "PrivacyLevel": String,
        /// Where it listens for multicast messages; empty: nowhere.
        multicast_address "MulticastAddress": String,
        /// What the application takes it for: a GUID.
        service_type "ServiceType": String,
        /// Which queues go first between queue managers.
        base_priority "BasePriority": i64,
        /// Aborted receives in a row before a message is sent round; 0: no poison policy.
        receive_retry_count "ReceiveRetryCount": u64,
        /// How often it goes to the subqueue retry and back.
        max_retry_cycles "MaxRetryCycles": u64,
        /// How long it stays there.
        retry_cycle_delay "RetryCycleDelay": Millis,
        /// What becomes of it then.
        receive_error_handling "ReceiveErrorHandling": String,
        /// How long an idempotency key is remembered.
        duplicate_window "DuplicateWindow": Millis,
        /// The place of a poisonous message that stops all receivers; nothing: there is none.
        faulted "FaultedLookupId": Option<u64>,
        /// Its number on its queue manager.
        number "Number": u64,
        /// When it was created.
        created "CreateTime": Time,
        /// When its properties were set last.
        modified "LastModifyTime": Time,
    }
}

command! {
    /// Creates a private queue on a virtual server.
    NewMsmqQueue = "New-MsmqQueue" => QueueInfo, at QueueManager, risk Low, aliases [],
    {
        /// Its path name.
        name "Name": String, position 0, completes Queue;
        /// Take only messages that are sent in a transaction, each exactly once and in order.
        transactional "Transactional": bool;
        /// A free text, up to 124 characters.
        label "Label": Option<String>;
        /// Keep copies of received messages in the queue's journal.
        journaling "Journaling": bool;
        /// Bytes of messages at most, as 5000000, 5MB or None; by default none.
        queue_quota "QueueQuota": Option<String>;
        /// Bytes of the journal at most, in the same way.
        journal_quota "JournalQuota": Option<String>;
        /// Take only signed messages.
        authenticate "Authenticate": bool;
        /// Whether messages must be encrypted.
        privacy_level "PrivacyLevel": Option<String>, completes Choice(&PRIVACY);
        /// An address to listen at for multicast messages, as 234.1.1.1:8001; empty for none.
        multicast_address "MulticastAddress": Option<String>;
        /// A GUID by which the application knows what the queue is for.
        service_type "ServiceType": Option<String>;
        /// -32768 to 32767: which queues go first between queue managers.
        base_priority "BasePriority": Option<String>;
        /// Aborted receives in a row before a message is sent round; 0: no poison policy.
        receive_retry_count "ReceiveRetryCount": Option<u64>;
        /// How often it goes to the subqueue retry and back (default 2).
        max_retry_cycles "MaxRetryCycles": Option<u64>;
        /// How long it stays there (default 30m).
        retry_cycle_delay "RetryCycleDelay": Option<Millis>;
        /// What becomes of it then: Fault stops its receivers, Move puts it into the subqueue poison.
        receive_error_handling "ReceiveErrorHandling": Option<String>, completes Choice(&POISON);
        /// How long an idempotency key is remembered (default 30m).
        duplicate_window "DuplicateWindow": Option<Millis>;
    }
    examples {
        "New-MsmqQueue VS1/private$/orders -Transactional" => "An exactly-once queue.",
        "New-MsmqQueue VS1/private$/jobs -Journaling -QueueQuota 5MB" => "At most 5 MB, and a journal.",
        "New-MsmqQueue VS1/private$/mail -ReceiveRetryCount 3 -RetryCycleDelay 5m" => "Poisonous messages go round twice, then to mail;poison.",
    }
}

command! {
    /// Changes properties of a queue; what is not given stays.
    ///
    /// Whether a queue is transactional cannot be changed.
    SetMsmqQueue = "Set-MsmqQueue" => QueueInfo, at QueueManager, risk Low, aliases [],
    {
        /// Its path name.
        name "Name": String, position 0, pipeline value, completes Queue;
        /// A free text, up to 124 characters.
        label "Label": Option<String>;
        /// Keep copies of received messages in the queue's journal.
        journaling "Journaling": Option<bool>;
        /// Bytes of messages at most, as 5000000, 5MB or None.
        queue_quota "QueueQuota": Option<String>;
        /// Bytes of the journal at most, in the same way.
        journal_quota "JournalQuota": Option<String>;
        /// Take only signed messages.
        authenticate "Authenticate": Option<bool>;
        /// Whether messages must be encrypted.
        privacy_level "PrivacyLevel": Option<String>, completes Choice(&PRIVACY);
        /// An address to listen at for multicast messages, as 234.1.1.1:8001; empty for none.
        multicast_address "MulticastAddress": Option<String>;
        /// A GUID by which the application knows what the queue is for.
        service_type "ServiceType": Option<String>;
        /// -32768 to 32767: which queues go first between queue managers.
        base_priority "BasePriority": Option<String>;
        /// Aborted receives in a row before a message is sent round; 0: no poison policy.
        receive_retry_count "ReceiveRetryCount": Option<u64>;
        /// How often it goes to the subqueue retry and back.
        max_retry_cycles "MaxRetryCycles": Option<u64>;
        /// How long it stays there.
        retry_cycle_delay "RetryCycleDelay": Option<Millis>;
        /// What becomes of it then: Fault stops its receivers, Move puts it into the subqueue poison.
        receive_error_handling "ReceiveErrorHandling": Option<String>, completes Choice(&POISON);
        /// How long an idempotency key is remembered.
        duplicate_window "DuplicateWindow": Option<Millis>;
    }
    examples {
        "Set-MsmqQueue VS1/private$/orders -Journaling -JournalQuota 10MB" => "Keeps copies of what is received.",
        "Set-MsmqQueue VS1/private$/orders -Journaling:false -QueueQuota None" => "No journal, no limit.",
    }
}

command! {
    /// Shows queues.
    GetMsmqQueue = "Get-MsmqQueue" => Vec<QueueInfo>, at QueueManager, risk None, aliases ["gq"],
    {
        /// A path name, whose last part may be a pattern with * and ?; VS1 alone means all queues of VS1.
        name "Name": String, position 0, pipeline value, completes Queue;
        /// Which kind (default Private); All shows journals, subqueues and the system's own as well.
        queue_type "QueueType": Option<String>, completes Choice(&QUEUE_TYPES);
        /// Show the journals of the queues, not the queues.
        journal "Journal": bool;
        /// Show this subqueue of the queues, or with * every one.
        sub_queue "SubQueue": Option<String>;
    }
    examples {
        "Get-MsmqQueue VS1" => "All private queues of VS1.",
        "Get-MsmqQueue VS1 -QueueType SystemDeadLetter" => "Where its undeliverable messages are.",
        "Get-MsmqQueue VS1/private$/orders -SubQueue *" => "What was set aside from orders.",
    }
}

command! {
    /// Deletes a queue and the messages in it, or a subqueue.
    RemoveMsmqQueue = "Remove-MsmqQueue" => QueueInfo, at QueueManager, risk High, aliases [],
    {
        /// Its path name.
        name "Name": String, position 0, pipeline value, completes Queue;
        /// Do not ask.
        force "Force": bool;
    }
    examples { "Remove-MsmqQueue VS1/private$/old -Force" => "Deletes it." }
}

command! {
    /// Deletes all messages of a queue, a subqueue, a journal or a system queue.
    ///
    /// Those that transactions hold are deleted when they come back.
    ClearMsmqQueue = "Clear-MsmqQueue" => QueueInfo, at QueueManager, risk High, aliases [],
    {
        /// Its path name.
        name "Name": String, position 0, pipeline value, completes Queue;
        /// Do not ask.
        force "Force": bool;
    }
    examples {
        "Clear-MsmqQueue VS1/private$/test -Force" => "Empties it.",
        "Clear-MsmqQueue 'VS1/system$;DEADLETTER' -Force" => "Empties the dead-letter queue.",
    }
}

command! {
    /// Shows the queues in which messages wait for other queue managers.
    GetMsmqOutgoingQueue = "Get-MsmqOutgoingQueue" => Vec<QueueInfo>, at QueueManager, risk None, aliases [],
    {
        /// The virtual server or node.
        computer "ComputerName": String, position 0;
        /// A pattern that their names fit.
        name "Name": Option<String>, position 1;
    }
    examples { "Get-MsmqOutgoingQueue VS1" => "What VS1 has not delivered yet." }
}

impl QueueInfo {
    /// What a queue manager of `computer` says about one of its queues.
    #[must_use]
    pub fn new(computer: &str, status: &QueueStatus) -> Self {
        let (properties, poison) = (&status.properties, &status.properties.poison);
        let limit = |bytes| (bytes != u64::MAX).then_some(bytes);
        Self {
            name: path_of(computer, &status.name),
            queue_type: kind_word(status.kind).to_owned(),
            transactional: properties.transactional,
            label: properties.label.clone(),
            message_count: status.message_count,
            bytes_in_queue: status.bytes_in_queue,
            locked_count: status.locked_count,
            delayed_count: status.delayed_count,
            journal_message_count: status.journal_message_count,
            bytes_in_journal: status.bytes_in_journal,
            journaling: properties.journal,
            queue_quota: limit(properties.quota_bytes),
            journal_quota: limit(properties.journal_quota_bytes),
            authenticate: properties.authenticate,
            privacy_level: privacy_word(properties.privacy).to_owned(),
            multicast_address: properties.multicast_address.clone(),
            service_type: properties.service_type.to_string(),
            base_priority: i64::from(properties.base_priority),
            receive_retry_count: u64::from(poison.receive_retry_count),
            max_retry_cycles: u64::from(poison.retry_cycles_max),
            retry_cycle_delay: Millis(poison.retry_cycle_delay_ms),
            receive_error_handling: poison_word(poison.then).to_owned(),
            duplicate_window: Millis(properties.duplicate_window_ms),
            faulted: status.faulted,
            number: u64::from(status.number),
            created: Time(status.created_ms),
            modified: Time(status.modified_ms),
        }
    }
}

/// The path name of a queue that its queue manager calls `local`.
#[must_use]
pub fn path_of(computer: &str, local: &str) -> String {
    match LocalName::parse(local) {
        Ok(name) => QueuePath::new(computer, name).to_string(),
        // An outgoing queue is called by the format name of its target.
        Err(_) => format!("{computer}\\{local}"),
    }
}

/// The error of an answer that does not fit the request.
#[must_use]
pub fn unexpected(reply: &Reply) -> Error {
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
        Reply::Delayed(_) => "delayed messages",
        Reply::Foreseen(_) => "what would happen",
    };
    let text = format!("the queue manager answered with {what}, which was not asked for");
    Error::new(ErrorKind::Internal, text).hint("client and queue manager must be of one version")
}

const fn kind_word(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Private => "Private",
        QueueKind::Journal => "Journal",
        QueueKind::Subqueue => "Subqueue",
        QueueKind::MachineJournal => "SystemJournal",
        QueueKind::DeadLetter => "SystemDeadLetter",
        QueueKind::TransactionalDeadLetter => "SystemTransactionalDeadLetter",
        QueueKind::Internal => "Internal",
        QueueKind::Outgoing => "Outgoing",
    }
}

const fn privacy_word(privacy: PrivacyLevel) -> &'static str {
    match privacy {
        PrivacyLevel::None => "None",
        PrivacyLevel::Optional => "Optional",
        PrivacyLevel::Body => "Body",
    }
}

const fn poison_word(target: PoisonTarget) -> &'static str {
    match target {
        PoisonTarget::Fault => "Fault",
        PoisonTarget::Drop => "Drop",
        PoisonTarget::Reject => "Reject",
        PoisonTarget::Move => "Move",
    }
}
