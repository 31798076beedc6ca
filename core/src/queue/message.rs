//! A message and its properties (MS-MQMQ 2.2, the PROPID_M_* of the documentation).

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::encoded::Encoded;
use crate::error::{Error, ErrorKind, Result};

/// Priority of a message whose sender gives none.
pub const PRIORITY_DEFAULT: u8 = 3;
/// Highest priority.
pub const PRIORITY_MAX: u8 = 7;
/// Longest label, in UTF-16 units.
pub const LABEL_UNITS_MAX: usize = 249;
/// Largest body that is sent and stored in one piece, in bytes (a packet of the original is 4 MiB with its headers).
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest body of all, in bytes: above [`BODY_BYTES_MAX`] it is sent, stored and read in parts.
pub const LARGE_BODY_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// PROPID_M_DELIVERY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// 0: in memory only; lost at a restart.
    Express,
    /// 1: on disk before it is acknowledged.
    Recoverable,
}

/// PROPID_M_ACKNOWLEDGE: which acknowledgement messages the administration queue gets. Bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Acknowledge(pub u8);

impl Acknowledge {
    /// None.
    pub const NONE: Self = Self(0);
    /// 1: it has reached the queue.
    pub const POSITIVE_ARRIVAL: Self = Self(1);
    /// 2: it was received.
    pub const POSITIVE_RECEIVE: Self = Self(2);
    /// 4: it could not reach the queue.
    pub const NEGATIVE_ARRIVAL: Self = Self(4);
    /// 8: it was not received: purged, expired, rejected, or its queue was deleted.
    pub const NEGATIVE_RECEIVE: Self = Self(8);
    /// 5: whether it reached the queue.
    pub const FULL_REACH_QUEUE: Self = Self(5);
    /// 0xC: whether it could not be delivered or received.
    pub const NACK_RECEIVE: Self = Self(0xC);
    /// 0xE: whether it was received.
    pub const FULL_RECEIVE: Self = Self(0xE);

    /// Whether all of `other` is asked for.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// PROPID_M_JOURNAL: which copies the sender's queue manager keeps. Bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Journal(pub u8);

impl Journal {
    /// None: what cannot be delivered is lost.
    pub const NONE: Self = Self(0);
    /// 1: undeliverable messages go to a dead-letter queue.
    pub const DEAD_LETTER: Self = Self(1);
    /// 2: delivered messages go to the computer's journal.
    pub const JOURNAL: Self = Self(2);

    /// Whether all of `other` is asked for.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Default for Journal {
    /// Dead letters are kept: a message must not vanish silently (DESIGN.md D8; 0 in the original).
    fn default() -> Self {
        Self::DEAD_LETTER
    }
}

/// PROPID_M_TIME_TO_REACH_QUEUE and PROPID_M_TIME_TO_BE_RECEIVED: seconds from sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lifetime(pub u32);

impl Lifetime {
    /// 0xFFFFFFFF: for ever.
    pub const INFINITE: Self = Self(u32::MAX);
    /// 0xFFFFFFFE: as long as the queue manager's LongLiveTime.
    pub const LONG_LIVED: Self = Self(u32::MAX - 1);

    /// The seconds, none for `INFINITE` and `LONG_LIVED`.
    #[must_use]
    pub const fn seconds(self) -> Option<u32> {
        match self {
            Self::INFINITE | Self::LONG_LIVED => None,
            Self(seconds) => Some(seconds),
        }
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Self::INFINITE
    }
}

/// Properties that only signing, encrypting and connecting applications set. The queue manager keeps them
/// as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    /// PROPID_M_SENDERID_TYPE: 0 none, 1 SID, 2 queue manager.
    pub sender_id_type: Option<u32>,
    /// PROPID_M_PRIV_LEVEL: 0 none, 1 body with 40 bits, 3 with 128 bits, 5 AES.
    pub privacy_level: u32,
    /// PROPID_M_AUTH_LEVEL: 0 none, 1 always, 2, 4, 8 the signature of MSMQ 1, 2, 3.
    pub authentication_level: u32,
    /// PROPID_M_HASH_ALG (ALG_ID), 0 for the default.
    pub hash_algorithm: u32,
    /// PROPID_M_ENCRYPTION_ALG (ALG_ID), 0 for the default.
    pub encryption_algorithm: u32,
    /// PROPID_M_SENDER_CERT: X.509, DER.
    #[serde(with = "serde_bytes")]
    pub sender_certificate: Vec<u8>,
    /// PROPID_M_DEST_SYMM_KEY.
    #[serde(with = "serde_bytes")]
    pub symmetric_key: Vec<u8>,
    /// PROPID_M_SIGNATURE.
    #[serde(with = "serde_bytes")]
    pub signature: Vec<u8>,
    /// PROPID_M_PROV_TYPE.
    pub provider_type: u32,
    /// PROPID_M_PROV_NAME.
    pub provider_name: String,
    /// PROPID_M_CONNECTOR_TYPE.
    pub connector_type: Option<Uuid>,
}

/// What a sender sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// PROPID_M_BODY.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// PROPID_M_BODY_TYPE: the VARTYPE of the body, 0 for none.
    pub body_type: u32,
    /// PROPID_M_LABEL.
    pub label: String,
    /// PROPID_M_PRIORITY, 0 to 7; forced to 0 in a transaction.
    pub priority: u8,
    /// PROPID_M_DELIVERY; forced to recoverable in a transaction.
    pub delivery: Delivery,
    /// PROPID_M_CORRELATIONID.
    pub correlation_id: MessageId,
    /// PROPID_M_APPSPECIFIC.
    pub app_specific: u32,
    /// PROPID_M_ACKNOWLEDGE; needs `admin_queue`.
    pub acknowledge: Acknowledge,
    /// PROPID_M_JOURNAL.
    pub journal: Journal,
    /// PROPID_M_TIME_TO_REACH_QUEUE.
    pub time_to_reach_queue: Lifetime,
    /// PROPID_M_TIME_TO_BE_RECEIVED.
    pub time_to_be_received: Lifetime,
    /// PROPID_M_RESP_QUEUE or PROPID_M_RESP_FORMAT_NAME: format or path name; empty for none.
    pub response_queue: String,
    /// PROPID_M_ADMIN_QUEUE: format or path name of a queue that is not transactional; empty for none.
    pub admin_queue: String,
    /// PROPID_M_DEADLETTER_QUEUE: the application's own one, transactional, on the sender's computer.
    pub dead_letter_queue: String,
    /// PROPID_M_EXTENSION.
    #[serde(with = "serde_bytes")]
    pub extension: Vec<u8>,
    /// PROPID_M_TRACE: send route reports to the report queue.
    pub trace: bool,
    /// PROPID_M_CLASS: 0 for what applications send; others only with a connector type.
    pub class: u16,
    /// PROPID_M_SOAP_HEADER.
    pub soap_header: String,
    /// PROPID_M_SOAP_BODY.
    pub soap_body: String,
    /// Not receivable before so many milliseconds have passed since it was sent (HAMQ's own).
    pub delay_ms: u64,
    /// A second message with the same key in the queue's window is the same message (HAMQ's own; empty: none).
    #[serde(with = "serde_bytes")]
    pub idempotency_key: Vec<u8>,
    /// PROPID_M_SENTTIME in Unix milliseconds by the sender's clock; 0: the queue manager's arrival time.
    pub sent_ms: u64,
    /// Rarely set ones.
    pub security: Option<Box<Security>>,
}

impl Message {
    /// A recoverable message with this body and the default of everything else.
    ///
    /// Recoverable and dead-lettered are the defaults here, express and lost in the original: a message that its
    /// sender said nothing about must not vanish (DESIGN.md D8).
    #[must_use]
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            body_type: 0,
            label: String::new(),
            priority: PRIORITY_DEFAULT,
            delivery: Delivery::Recoverable,
            correlation_id: MessageId::NONE,
            app_specific: 0,
            acknowledge: Acknowledge::NONE,
            journal: Journal::default(),
            time_to_reach_queue: Lifetime::INFINITE,
            time_to_be_received: Lifetime::INFINITE,
            response_queue: String::new(),
            admin_queue: String::new(),
            dead_letter_queue: String::new(),
            extension: Vec::new(),
            trace: false,
            class: 0,
            soap_header: String::new(),
            soap_body: String::new(),
            delay_ms: 0,
            idempotency_key: Vec::new(),
            sent_ms: 0,
            security: None,
        }
    }

    /// Checks every property against its limit.
    ///
    /// # Errors
    /// [`ErrorKind::LabelTooLong`], [`ErrorKind::IllegalPropertyValue`].
    pub fn check(&self) -> Result<()> {
        self.encode().check().map(drop)
    }

    /// The form in which it travels and is stored.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        Encoded::new(self)
    }
}

/// PROPID_M_MSGID: the queue manager's GUID and a number, 20 bytes, unique for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MessageId {
    /// The queue manager that gave it.
    pub manager: Uuid,
    /// Counts up from 1.
    pub ordinal: u32,
}

impl MessageId {
    /// No message: twenty zero bytes.
    pub const NONE: Self = Self {
        manager: Uuid::nil(),
        ordinal: 0,
    };

    /// Reads `GUID\ordinal`; an empty text is [`MessageId::NONE`].
    ///
    /// # Errors
    /// [`ErrorKind::IllegalPropertyValue`].
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::NONE);
        }
        let parts = text.rsplit_once(['\\', '/']);
        let id = parts.and_then(|(guid, ordinal)| {
            Some(Self {
                manager: Uuid::parse_str(guid).ok()?,
                ordinal: ordinal.parse().ok()?,
            })
        });
        id.ok_or_else(|| {
            Error::new(
                ErrorKind::IllegalPropertyValue,
                format!("{text:?} is no message id"),
            )
            .hint("a message id is GUID\\number, as Receive-MsmqQueue shows it")
        })
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            Ok(())
        } else {
            write!(f, "{}\\{}", self.manager, self.ordinal)
        }
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A message as it is received or peeked: what the sender set, and what the queue manager added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// What the sender set. Of a large message without its body.
    pub content: Encoded,
    /// PROPID_M_MSGID.
    pub id: MessageId,
    /// PROPID_M_LOOKUPID: `(7 - priority) << 56 | counter`, the place in the queue.
    pub lookup_id: u64,
    /// PROPID_M_SENTTIME in Unix milliseconds.
    pub sent_ms: u64,
    /// PROPID_M_ARRIVEDTIME in Unix milliseconds.
    pub arrived_ms: u64,
    /// PROPID_M_DELIVERY as it is kept.
    pub delivery: Delivery,
    /// PROPID_M_CLASS: 0, or what a dead letter or an acknowledgement says.
    pub class: u16,
    /// PROPID_M_SENDERID: who sent it, as the queue manager saw it; empty: unknown.
    pub sender: String,
    /// PROPID_M_DEST_QUEUE: of a copy in a journal or dead-letter queue, where it was going; else empty.
    pub destination: String,
    /// PROPID_M_ABORT_COUNT: aborted receives since it entered this queue.
    pub abort_count: u32,
    /// PROPID_M_MOVE_COUNT.
    pub move_count: u32,
    /// PROPID_M_LAST_MOVE_TIME in Unix milliseconds; 0: never.
    pub last_move_ms: u64,
    /// PROPID_M_XACTID, FIRST_IN_XACT and LAST_IN_XACT: the transaction that sent it, if one did.
    pub transaction: Option<SentIn>,
    /// PROPID_M_BODY_SIZE.
    pub body_bytes: u64,
    /// A lease that must be settled, for a receive with one.
    pub lease: Option<LeaseId>,
}

/// PROPID_M_XACTID, PROPID_M_FIRST_IN_XACT, PROPID_M_LAST_IN_XACT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentIn {
    /// Unique on this queue manager.
    pub transaction: u64,
    /// It is the first of its transaction.
    pub first: bool,
    /// It is the last of its transaction.
    pub last: bool,
}

impl Received {
    /// All that the sender set.
    ///
    /// # Errors
    /// `StoreDamaged` when the bytes are no message.
    pub fn message(&self) -> Result<Message> {
        let mut message = self.content.decode()?;
        message.priority = PRIORITY_MAX
            - u8::try_from(self.lookup_id >> 56)
                .unwrap_or(0)
                .min(PRIORITY_MAX);
        message.delivery = self.delivery;
        message.class = self.class;
        Ok(message)
    }

    /// The body; of a large message empty.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.content.body()
    }
}

/// A message that was received for a time and not settled yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LeaseId {
    /// The message's place.
    pub lookup_id: u64,
    /// Which delivery of it: an older one no longer counts.
    pub delivery: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_written_and_read_as_guid_and_ordinal() {
        let id = MessageId {
            manager: Uuid::from_u128(7),
            ordinal: 42,
        };
        assert_eq!(MessageId::parse(&id.to_string()).unwrap(), id);
        assert_eq!(MessageId::parse("").unwrap(), MessageId::NONE);
        assert!(MessageId::parse("nonsense").is_err());
    }

    #[test]
    fn limits_are_checked() {
        let mut message = Message::new("x");
        message.label = "l".repeat(250);
        assert_eq!(message.check().unwrap_err().kind, ErrorKind::LabelTooLong);
        message.label.clear();
        message.priority = 8;
        assert_eq!(
            message.check().unwrap_err().kind,
            ErrorKind::IllegalPropertyValue
        );
    }
}
