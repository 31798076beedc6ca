//! The name of a queue, and of a subqueue, on its queue manager.

use std::fmt;

use super::local::LocalName;
use super::piece::{Grammar, Piece};
use super::spelled::Spelled;
use crate::error::Result;

/// Longest queue name, in characters (MS-MQMQ 2.1.1).
pub const QUEUE_NAME_CHARS_MAX: usize = 124;
/// Longest name of a subqueue, in characters (MS-MQMQ 2.1.1).
pub const SUBQUEUE_NAME_CHARS_MAX: usize = 32;

/// What a name may not contain. MS-MQMQ counts `+ , "` since MSMQ 2.0; `/` stands for `\` here.
const FORBIDDEN: &str = "\\/;+,\"";
/// MS-MQMQ would allow these as names; they would be taken for a suffix.
const SUFFIXES: [&str; 4] = ["JOURNAL", "DEADLETTER", "DEADXACT", "XACTONLY"];

/// The name of a queue on its queue manager, without computer and `private$`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName(Spelled);

impl QueueName {
    /// Checks a name: 1 to 124 characters of U+0021 to U+007E without `\ / ; + , "`, not `system$`.
    ///
    /// MS-MQMQ counts U+007F too; a name that nobody can see is refused.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalQueuePathName`](crate::ErrorKind::IllegalQueuePathName).
    pub fn parse(text: &str) -> Result<Self> {
        let piece = Piece::new(text, Grammar::QueueName)?;
        Self::check(piece)?;
        Ok(Self(Spelled::new(text)))
    }

    pub(super) fn check(piece: Piece<'_>) -> Result<()> {
        piece.check_letters("a queue name", QUEUE_NAME_CHARS_MAX, FORBIDDEN)?;
        if piece.is("system$") {
            return Err(piece.error_with(
                "system$ stands for the computer's own queues",
                "write system$;JOURNAL, system$;DEADLETTER or system$;DEADXACT",
            ));
        }
        Ok(())
    }

    /// The name as it was spelled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The form to compare and index by.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.key()
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A queue is itself, not its journal nor a subqueue.
impl PartialEq<LocalName> for QueueName {
    fn eq(&self, other: &LocalName) -> bool {
        // Only a part of a queue has a semicolon, and no queue's name has.
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

/// The name of a subqueue within its queue: `retry` in `orders;retry`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubqueueName(Spelled);

impl SubqueueName {
    /// Checks a name: 1 to 32 characters like those of a queue; no suffix such as `JOURNAL`.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalQueuePathName`](crate::ErrorKind::IllegalQueuePathName).
    pub fn parse(text: &str) -> Result<Self> {
        let piece = Piece::new(text, Grammar::QueueName)?;
        Self::check(piece)?;
        Ok(Self(Spelled::new(text)))
    }

    pub(super) fn check(piece: Piece<'_>) -> Result<()> {
        piece.check_letters("a subqueue's name", SUBQUEUE_NAME_CHARS_MAX, FORBIDDEN)?;
        match SUFFIXES.into_iter().find(|suffix| piece.is(suffix)) {
            None => Ok(()),
            Some("JOURNAL") => Err(piece.error_with(
                "a subqueue cannot be called JOURNAL, which is the queue's journal",
                "give the subqueue another name",
            )),
            Some("XACTONLY") => Err(piece.error_with(
                "XACTONLY belongs to a connector queue",
                "leave it out, or write CONNECTOR=GUID;XACTONLY",
            )),
            Some(suffix) => Err(piece.error_with(
                format!("{suffix} belongs to a computer, not to a queue"),
                format!("write VIRTUALSERVER\\system$;{suffix}"),
            )),
        }
    }

    /// The name as it was spelled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for SubqueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
