//! What a client asks of a queue manager, and what it gets back.
//!
//! Every request carries a [`RequestId`]. The store remembers the outcome of each request that changed
//! something until the client says it has seen it, so that a request whose reply was lost in a
//! failover can be sent again and is executed once (DESIGN.md D7).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::message::{Message, MessageId, Received};
use crate::error::Result;

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

/// A transaction of one client on one queue manager. It lives in memory until it commits, and ends
/// with an abort when its client's session or the queue manager does.
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

/// Which message to receive or peek.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Select {
    /// The first that is available: highest priority, then earliest arrival.
    First,
    /// The first available behind this lookup id (for browsing by peek).
    After(u64),
    /// The one with this lookup id.
    LookupId(u64),
}

/// Properties of a queue that its creator sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueProperties {
    /// PROPID_Q_TRANSACTION; cannot be changed later.
    pub transactional: bool,
    /// PROPID_Q_LABEL, up to 124 characters.
    pub label: String,
}

/// A queue and its counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// The name without computer and `private$`.
    pub name: String,
    /// What its creator set.
    pub properties: QueueProperties,
    /// Messages in it, locked ones included.
    pub message_count: u64,
    /// Bytes of their bodies.
    pub bytes_in_queue: u64,
    /// Messages held by open transactions.
    pub locked_count: u64,
    /// Unix milliseconds.
    pub created_ms: u64,
}

/// What a client asks. Queue names are without computer and `private$`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Creates a queue. -> [`Reply::Queue`]
    CreateQueue {
        /// Its name.
        queue: String,
        /// Its properties.
        properties: QueueProperties,
    },
    /// Deletes a queue and its messages. -> [`Reply::Queue`], as it was
    DeleteQueue {
        /// Its name.
        queue: String,
    },
    /// Deletes all messages of a queue that no transaction holds. -> [`Reply::Queue`]
    PurgeQueue {
        /// Its name.
        queue: String,
    },
    /// All queues, in order of their names. -> [`Reply::Queues`]
    ListQueues,
    /// -> [`Reply::Sent`], after it is durable if it is recoverable; in a transaction: staged, with no id yet
    Send {
        /// Where to.
        queue: String,
        /// What.
        message: Message,
        /// In which transaction.
        transaction: Transaction,
    },
    /// Receives or peeks. -> [`Reply::Message`], or an error ReceiveTimeout
    Receive {
        /// Where from.
        queue: String,
        /// Which.
        select: Select,
        /// Leave it there.
        peek: bool,
        /// How long to wait for one; 0 does not wait, `u64::MAX` waits for ever.
        timeout_ms: u64,
        /// In which transaction.
        transaction: Transaction,
    },
    /// Starts a transaction. -> [`Reply::Began`]
    Begin,
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
}

/// The answer to a [`Request`] that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done, and nothing to tell.
    Done,
    /// A queue.
    Queue(QueueStatus),
    /// All queues.
    Queues(Vec<QueueStatus>),
    /// Sent. In a transaction the id is [`MessageId::NONE`] and the lookup id 0: they are given at commit.
    Sent {
        /// The id it was given.
        id: MessageId,
        /// Its place in the queue.
        lookup_id: u64,
    },
    /// A message.
    Message(Box<Received>),
    /// A transaction has begun.
    Began(TransactionId),
}

/// What is called with the outcome of a request, once, when it is durable; from the manager's thread,
/// so it must not block.
pub type Respond = Box<dyn FnOnce(Result<Reply>) + Send>;
