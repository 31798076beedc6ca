//! What a client asks of a queue manager, and what it gets back.
//!
//! Every request carries a [`RequestId`]. The store remembers the outcome of each request that changed
//! something until the client says it has seen it, so that a request whose reply was lost in a
//! failover can be sent again and is executed once (DESIGN.md D7).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::access::{Access, AccessList};
use super::counters::Counter;
use super::encoded::Encoded;
use super::message::{LeaseId, MessageId, Received};
use super::trace::TraceStep;
use crate::error::{Error, ErrorKind, Result};

/// Who asks, and which of its requests this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestId {
    /// A random identity that the client keeps over reconnections.
    pub client: Uuid,
    /// Counts up by one with each request of that client; the same when it is sent again.
    pub sequence: u64,
    /// The client has seen the replies to all its requests below this one: their outcomes may be forgotten.
    pub acknowledged: u64,
}

/// A transaction of one client on one queue manager, numbered by its client, so that all of its requests can be
/// under way at once. It lives in memory until it commits or is prepared, and ends with an abort when its
/// client's session or the queue manager does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TransactionId(pub u64);

/// How a send or receive takes part in a transaction (MQ_NO_TRANSACTION, MQ_SINGLE_MESSAGE, an object).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transaction {
    /// Not at all. A send to a transactional queue is refused; a receive from one is allowed.
    None,
    /// A transaction of its own.
    Single,
    /// Part of this one.
    In(TransactionId),
}

/// Which message to receive or peek (MQ_ACTION_*, MQ_LOOKUP_*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Select {
    /// The first that is available: highest priority, then earliest arrival.
    First,
    /// The first available behind this lookup id (MQ_LOOKUP_*_NEXT).
    After(u64),
    /// The one with this lookup id (MQ_LOOKUP_*_CURRENT). Does not wait.
    LookupId(u64),
    /// The last available before this lookup id (MQ_LOOKUP_*_PREV). Does not wait.
    Before(u64),
    /// The last that is available (MQ_LOOKUP_*_LAST). Does not wait.
    Last,
    /// The first with this correlation id.
    Correlation(MessageId),
    /// The one with this message id.
    Id(MessageId),
}

/// What becomes of the message that is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Take {
    /// It stays (MQ_ACTION_PEEK_*).
    Peek,
    /// It leaves.
    Remove,
    /// It is hidden for so many milliseconds; unless it is settled by then, it is back.
    Lease(u32),
}

/// How a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settle {
    /// The message was dealt with and leaves the queue.
    Complete,
    /// It is back at once; counts as an aborted receive.
    Release,
    /// It goes to the dead-letter queue, as MQMarkMessageRejected does.
    Reject,
    /// So many milliseconds more.
    Extend(u32),
}

/// What the poison policy of a queue does with a message whose receives keep aborting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoisonPolicy {
    /// ReceiveRetryCount: aborted receives in a row before the message is sent round; 0: no policy.
    pub receive_retry_count: u32,
    /// MaxRetryCycles: how often it is moved to the `retry` subqueue and back.
    pub retry_cycles_max: u32,
    /// RetryCycleDelay in milliseconds: how long it stays there.
    pub retry_cycle_delay_ms: u64,
    /// ReceiveErrorHandling: what becomes of it then.
    pub then: PoisonTarget,
}

impl Default for PoisonPolicy {
    fn default() -> Self {
        Self {
            receive_retry_count: 0,
            retry_cycles_max: 2,
            retry_cycle_delay_ms: 30 * 60 * 1000,
            then: PoisonTarget::Move,
        }
    }
}

/// The end of a poisonous message (ReceiveErrorHandling).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoisonTarget {
    /// 0 Fault: it stays at the head of the queue, which is not received from until somebody acts.
    Fault,
    /// 1 Drop: it is deleted.
    Drop,
    /// 2 Reject: to the dead-letter queue, with a negative acknowledgement.
    Reject,
    /// 3 Move: to the `poison` subqueue.
    Move,
}

/// PROPID_Q_PRIV_LEVEL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrivacyLevel {
    /// 0: only messages that are not encrypted.
    None,
    /// 1: both.
    #[default]
    Optional,
    /// 2: only encrypted ones.
    Body,
}

/// Properties of a queue that its creator sets (PROPID_Q_*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueProperties {
    /// PROPID_Q_TRANSACTION; cannot be changed later.
    pub transactional: bool,
    /// PROPID_Q_LABEL, up to 124 characters.
    pub label: String,
    /// PROPID_Q_TYPE: a tag of the application.
    pub service_type: Uuid,
    /// PROPID_Q_JOURNAL: copies of received messages are kept in the queue's journal.
    pub journal: bool,
    /// PROPID_Q_QUOTA in bytes (KB in the original); `u64::MAX`: none.
    pub quota_bytes: u64,
    /// PROPID_Q_JOURNAL_QUOTA in bytes; `u64::MAX`: none.
    pub journal_quota_bytes: u64,
    /// PROPID_Q_BASEPRIORITY.
    pub base_priority: i16,
    /// PROPID_Q_AUTHENTICATE: only signed messages.
    pub authenticate: bool,
    /// PROPID_Q_PRIV_LEVEL.
    pub privacy: PrivacyLevel,
    /// PROPID_Q_MULTICAST_ADDRESS: `a.b.c.d:port`; empty: none.
    pub multicast_address: String,
    /// What becomes of messages whose receives keep aborting.
    pub poison: PoisonPolicy,
    /// How long an idempotency key is remembered, in milliseconds.
    pub duplicate_window_ms: u64,
}

impl Default for QueueProperties {
    fn default() -> Self {
        Self {
            transactional: false,
            label: String::new(),
            service_type: Uuid::nil(),
            journal: false,
            quota_bytes: u64::MAX,
            journal_quota_bytes: u64::MAX,
            base_priority: 0,
            authenticate: false,
            privacy: PrivacyLevel::default(),
            multicast_address: String::new(),
            poison: PoisonPolicy::default(),
            duplicate_window_ms: 30 * 60 * 1000,
        }
    }
}

/// What kind a queue is (msmq.md 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueKind {
    /// `private$\name`, created by users.
    Private,
    /// `name;JOURNAL` of a private queue.
    Journal,
    /// `name;sub` of a private queue.
    Subqueue,
    /// `system$;JOURNAL`: delivered messages whose senders wanted a copy.
    MachineJournal,
    /// `system$;DEADLETTER`: undeliverable messages that are not transactional.
    DeadLetter,
    /// `system$;DEADXACT`: undeliverable transactional ones.
    TransactionalDeadLetter,
    /// `admin_queue$`, `order_queue$`, `notify_queue$`: the queue managers' own.
    Internal,
    /// Messages on their way to another queue manager.
    Outgoing,
}

/// A queue and its counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// The local name: `orders`, `orders;retry`, `orders;JOURNAL`, `system$;DEADLETTER`.
    pub name: String,
    /// What it is.
    pub kind: QueueKind,
    /// Its number on this queue manager, as PRIVATE= format names have it.
    pub number: u32,
    /// What its creator set.
    pub properties: QueueProperties,
    /// Messages in it: available, held by transactions and leases, and delayed ones.
    pub message_count: u64,
    /// Bytes of their bodies.
    pub bytes_in_queue: u64,
    /// Messages held by open transactions and leases.
    pub locked_count: u64,
    /// Messages that are not due yet.
    pub delayed_count: u64,
    /// Messages in its journal.
    pub journal_message_count: u64,
    /// Bytes of their bodies.
    pub bytes_in_journal: u64,
    /// PROPID_Q_CREATE_TIME in Unix milliseconds.
    pub created_ms: u64,
    /// PROPID_Q_MODIFY_TIME in Unix milliseconds.
    pub modified_ms: u64,
    /// A poisonous message stops its receivers (PoisonTarget::Fault): its lookup id.
    pub faulted: Option<u64>,
}

/// Properties of the queue manager itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineProperties {
    /// Bytes of all messages at most (MachineQuota); `u64::MAX`: none.
    pub quota_bytes: u64,
    /// Bytes of all journals and dead-letter queues at most (MachineJournalQuota); `u64::MAX`: none.
    pub journal_quota_bytes: u64,
    /// LongLiveTime in seconds: the longest TTRQ.
    pub long_live_seconds: u32,
}

impl Default for MachineProperties {
    fn default() -> Self {
        Self {
            quota_bytes: u64::MAX,
            journal_quota_bytes: u64::MAX,
            long_live_seconds: 345_600,
        }
    }
}

/// The queue manager as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineStatus {
    /// Its GUID (QMId).
    pub id: Uuid,
    /// What is set.
    pub properties: MachineProperties,
    /// Messages in all queues.
    pub message_count: u64,
    /// Bytes of their bodies.
    pub bytes_in_queues: u64,
    /// Bytes in journals and dead-letter queues.
    pub bytes_in_journals: u64,
}

/// A body that is sent in parts, numbered by its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BodyId(pub u64);

/// Which body to read a part of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodySource {
    /// That of the message that this request of the same client has received; kept until it is acknowledged.
    Received(u64),
    /// That of a message in a queue.
    Message {
        /// The queue's local name.
        queue: String,
        /// Which message.
        lookup_id: u64,
    },
}

/// A transaction that was prepared for an outside coordinator, by the coordinator's own name for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BranchId(#[serde(with = "serde_bytes")] pub Vec<u8>);

/// What a client asks. `queue` is a local name: without computer and `private$`, with `;sub` or `;JOURNAL`, or
/// `system$;DEADLETTER` and its like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Sends a message. -> [`Reply::Sent`], after it is durable if it is recoverable; in a transaction: staged, with no id yet
    Send {
        /// Where to.
        queue: String,
        /// What. Its body may be [`Request::Send::body`] instead.
        message: Encoded,
        /// In which transaction.
        transaction: Transaction,
        /// A body that was written in parts before.
        body: Option<BodyId>,
    },
    /// Receives or peeks one message. -> [`Reply::Message`], or an error ReceiveTimeout
    Receive {
        /// Where from.
        queue: String,
        /// Which.
        select: Select,
        /// What becomes of it.
        take: Take,
        /// How long to wait for one; 0 does not wait, `u64::MAX` waits for ever.
        timeout_ms: u64,
        /// In which transaction.
        transaction: Transaction,
    },
    /// Receives or peeks as many as there are, at least one. -> [`Reply::Messages`], or an error ReceiveTimeout
    ReceiveMany {
        /// Where from.
        queue: String,
        /// Behind this lookup id; 0: from the first.
        after: u64,
        /// What becomes of them.
        take: Take,
        /// How many at most.
        count_max: u32,
        /// Bytes at most, beyond the first message.
        bytes_max: u32,
        /// How long to wait for the first.
        timeout_ms: u64,
        /// In which transaction.
        transaction: Transaction,
    },
    /// Ends or extends leases, all or none: an error names those that are no longer held. -> [`Reply::Done`]
    Settle {
        /// The queue.
        queue: String,
        /// Which.
        leases: Vec<LeaseId>,
        /// How.
        how: Settle,
    },
    /// Moves a message between a queue and its subqueues (MQMoveMessage). -> [`Reply::Done`]
    Move {
        /// From.
        queue: String,
        /// Which.
        lookup_id: u64,
        /// To.
        to: String,
        /// In which transaction.
        transaction: Transaction,
    },
    /// Marks a message that this transaction has received as rejected (MQMarkMessageRejected): at commit it goes
    /// to the dead-letter queue. -> [`Reply::Done`]
    Reject {
        /// The transaction.
        transaction: TransactionId,
        /// From where it was received.
        queue: String,
        /// Which.
        lookup_id: u64,
    },
    /// Starts a transaction under a number of the client's that it never used before. -> [`Reply::Done`]
    Begin {
        /// The number.
        transaction: TransactionId,
    },
    /// Makes everything done in the transaction durable and visible together. -> [`Reply::Done`]
    ///
    /// Sent again after a failover: Done when the store remembers that it committed, TransactionAborted
    /// when it did not.
    Commit {
        /// Which.
        transaction: TransactionId,
    },
    /// Undoes it: received messages are back in their old place. -> [`Reply::Done`]
    Abort {
        /// Which.
        transaction: TransactionId,
    },
    /// First phase: the transaction survives crash and failover from now on, and waits for `Resolve`. -> [`Reply::Done`]
    Prepare {
        /// Which.
        transaction: TransactionId,
        /// The coordinator's name for it.
        branch: BranchId,
    },
    /// Second phase, from any client. -> [`Reply::Done`], also when it was resolved that way before
    Resolve {
        /// Which.
        branch: BranchId,
        /// Commit, or abort.
        commit: bool,
    },
    /// Transactions that are prepared and not resolved. -> [`Reply::Branches`]
    ListPrepared,
    /// The next part of a large body, in order; an empty one gives the body up. -> [`Reply::Done`]
    ///
    /// What was written outlives the connection and the queue manager, for ten minutes without its client.
    WriteBody {
        /// Which.
        body: BodyId,
        /// How many bytes of it were written before: a body of which something is missing is refused.
        offset: u64,
        /// The part, up to 4 MiB.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Part of a large body. -> [`Reply::Bytes`]
    ReadBody {
        /// Which.
        source: BodySource,
        /// From here.
        offset: u64,
        /// So many bytes at most.
        length: u32,
    },
    /// Creates a queue. -> [`Reply::Queue`]
    CreateQueue {
        /// Its name.
        queue: String,
        /// Its properties.
        properties: QueueProperties,
    },
    /// Sets the properties of a queue, all but `transactional`. -> [`Reply::Queue`]
    SetQueue {
        /// Which.
        queue: String,
        /// The new ones.
        properties: QueueProperties,
    },
    /// Deletes a queue with its messages, subqueues and journal. -> [`Reply::Queue`], as it was
    DeleteQueue {
        /// Its name.
        queue: String,
    },
    /// Deletes all messages of a queue; those that a transaction holds when it ends without a commit. -> [`Reply::Queue`]
    PurgeQueue {
        /// Its name.
        queue: String,
    },
    /// One queue. -> [`Reply::Queue`]
    GetQueue {
        /// Its name.
        queue: String,
    },
    /// Queues, in order of their names. -> [`Reply::Queues`]; a full list of `count_max` means that there are more
    ListQueues {
        /// Behind this name; empty: from the first.
        after: String,
        /// How many at most.
        count_max: u32,
        /// Also journals, subqueues and the system's own.
        all: bool,
    },
    /// Who may do what; an empty name means the queue manager itself. -> [`Reply::Access`]
    GetAccess {
        /// The queue.
        queue: String,
    },
    /// Sets who may do what. -> [`Reply::Access`]
    SetAccess {
        /// The queue; empty: the queue manager itself.
        queue: String,
        /// The new owner and list.
        access: AccessList,
    },
    /// The queue manager itself. -> [`Reply::Machine`]
    GetMachine,
    /// Sets its properties. -> [`Reply::Machine`]
    SetMachine {
        /// The new ones.
        properties: MachineProperties,
    },
    /// Where a message is and what happened to it. -> [`Reply::Trace`]
    Trace {
        /// Its id.
        id: MessageId,
    },
    /// Performance counters, idle queues included. -> [`Reply::Counters`]
    Counters,
    /// Messages that are not due yet, by lookup id; none is no error. -> [`Reply::Delayed`]
    ListDelayed {
        /// The queue.
        queue: String,
        /// Behind this lookup id; 0: from the first.
        after: u64,
        /// How many at most.
        count_max: u32,
        /// Bytes at most, beyond the first message.
        bytes_max: u32,
    },
    /// What a request would come to: decided as if it were meant, with its errors, and not done. -> [`Reply::Foreseen`]
    WhatIf {
        /// The request, as [`Request::what_if`] wrote it: in bytes, because a type that holds itself could be sent so deep
        /// that reading it takes all of the stack.
        #[serde(with = "serde_bytes")]
        request: Vec<u8>,
    },
}

impl Request {
    /// The request that asks what `request` would come to.
    #[must_use]
    pub fn what_if(request: &Self) -> Self {
        // What could not be written is no bytes, and is refused as no request: it never becomes the request itself.
        let request = postcard::to_allocvec(request).unwrap_or_default();
        Self::WhatIf { request }
    }

    /// The request that a question of what would be is about; none for any other request.
    ///
    /// # Errors
    /// `InvalidRequest` for bytes that are no request; `Usage` where it asks about another question of its kind.
    pub fn meant(&self) -> Result<Option<Self>> {
        let Self::WhatIf { request } = self else {
            return Ok(None);
        };
        match postcard::from_bytes(request) {
            Ok(Self::WhatIf { .. }) => {
                let text = "what would be foreseen cannot be foreseen";
                Err(Error::new(ErrorKind::Usage, text))
            }
            Ok(meant) => Ok(Some(meant)),
            Err(e) => {
                let text = format!("what is to be foreseen is no request: {e}");
                Err(Error::new(ErrorKind::InvalidRequest, text))
            }
        }
    }

    /// Whether it may leave a record.
    #[must_use]
    pub const fn changes(&self) -> bool {
        !matches!(
            self,
            Self::ListQueues { .. }
                | Self::GetQueue { .. }
                | Self::GetAccess { .. }
                | Self::GetMachine
                | Self::Counters
                | Self::Trace { .. }
                | Self::ListPrepared
                | Self::ListDelayed { .. }
                | Self::ReadBody { .. }
                | Self::WhatIf { .. }
                | Self::Begin { .. }
                | Self::Receive {
                    take: Take::Peek,
                    ..
                }
                | Self::ReceiveMany {
                    take: Take::Peek,
                    ..
                }
        )
    }
}

/// The answer to a [`Request`] that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done, and nothing to tell.
    Done,
    /// Sent. In a transaction the id is [`MessageId::NONE`] and the lookup id 0: they are given at commit.
    Sent {
        /// The id it was given.
        id: MessageId,
        /// Its place in the queue.
        lookup_id: u64,
    },
    /// A message.
    Message(Box<Received>),
    /// Messages, at least one.
    Messages(Vec<Received>),
    /// Part of a body; shorter than was asked for at its end.
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    /// A queue.
    Queue(Box<QueueStatus>),
    /// Queues.
    Queues(Vec<QueueStatus>),
    /// Who may do what.
    Access(AccessList),
    /// The queue manager.
    Machine(MachineStatus),
    /// Prepared transactions.
    Branches(Vec<BranchId>),
    /// What happened to a message, oldest first.
    Trace(Vec<TraceStep>),
    /// Counters.
    Counters(Vec<Counter>),
    /// Messages that are not due yet.
    Delayed(Vec<DelayedMessage>),
    /// What would happen, in its order.
    Foreseen(Vec<Foreseen>),
}

/// Something that a request would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreseen {
    /// `Delete messages`, `Create queue` …
    pub action: String,
    /// The queue.
    pub object: String,
    /// How many, how much, or what exactly.
    pub note: String,
}

impl Foreseen {
    pub(super) fn new(action: &str, object: &str, note: impl Into<String>) -> Self {
        Self {
            action: action.to_owned(),
            object: object.to_owned(),
            note: note.into(),
        }
    }
}

/// A message that is not due yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelayedMessage {
    /// When it can be received, in Unix milliseconds.
    pub due_ms: u64,
    /// It.
    pub message: Received,
}

/// Who asks: proven by the connection, never by what the request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The client.
    pub client: Uuid,
    /// The user and groups it runs as.
    pub access: std::sync::Arc<Access>,
}

/// What is called with the outcome of a request, once, when it is durable; from the manager's thread,
/// so it must not block.
pub type Respond = Box<dyn FnOnce(Result<Reply>) + Send>;

/// Where the outcome of a request goes.
pub enum Answer {
    /// To a function.
    Call(Respond),
    /// To a connection of the server that runs the engine, which knows it by this number.
    Connection {
        /// The connection.
        connection: u64,
        /// The request's number on it.
        sequence: u64,
    },
    /// To nobody.
    Nobody,
}
