//! A message and its properties (MS-MQMQ 2.2, the PROPID_M_* of the documentation).

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};

/// Priority of a message whose sender gives none.
pub const PRIORITY_DEFAULT: u8 = 3;
/// Highest priority.
pub const PRIORITY_MAX: u8 = 7;
/// Longest label, in UTF-16 units.
pub const LABEL_UNITS_MAX: usize = 249;
/// Largest body this version takes, in bytes (a packet of the original is 4 MiB with its headers).
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// PROPID_M_DELIVERY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// 0: in memory only; lost at a restart.
    Express,
    /// 1: on disk before it is acknowledged.
    Recoverable,
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
}

impl Message {
    /// A recoverable message with this body and the default of everything else.
    ///
    /// Recoverable is the default here, express in the original: a message that its sender said
    /// nothing about must not vanish at a restart (DESIGN.md D8).
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
        }
    }

    /// Checks every property against its limit.
    ///
    /// # Errors
    /// [`ErrorKind::LabelTooLong`], [`ErrorKind::IllegalPropertyValue`].
    pub fn check(&self) -> Result<()> {
        let units = self.label.encode_utf16().count();
        if units > LABEL_UNITS_MAX {
            return Err(Error::new(
                ErrorKind::LabelTooLong,
                format!("the label has {units} characters"),
            )
            .hint(format!("a label has at most {LABEL_UNITS_MAX}")));
        }
        if self.priority > PRIORITY_MAX {
            return Err(Error::new(
                ErrorKind::IllegalPropertyValue,
                format!("priority {} is none", self.priority),
            )
            .hint("use 0 to 7"));
        }
        if self.body.len() > BODY_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::IllegalPropertyValue,
                format!("the body has {} bytes", self.body.len()),
            )
            .hint(format!("a body has at most {BODY_BYTES_MAX} bytes")));
        }
        Ok(())
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
    /// What the sender set.
    pub message: Message,
    /// PROPID_M_MSGID.
    pub id: MessageId,
    /// PROPID_M_LOOKUPID: `(7 - priority) << 56 | counter`, the place in the queue.
    pub lookup_id: u64,
    /// PROPID_M_SENTTIME in Unix milliseconds.
    pub sent_ms: u64,
    /// PROPID_M_ARRIVEDTIME in Unix milliseconds.
    pub arrived_ms: u64,
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
