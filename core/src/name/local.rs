//! The local part of a name: what is left when computer and `private$` are taken away.
//!
//! This is what requests to a queue manager carry. Its canonical text:
//!
//! ```text
//!  orders               a queue
//!  orders;retry         a subqueue of it
//!  orders;JOURNAL       its journal
//!  system$;JOURNAL      the computer's journal
//!  system$;DEADLETTER   its dead-letter queue
//!  system$;DEADXACT     its transactional dead-letter queue
//! ```

use std::fmt;

use super::piece::{Grammar, Piece};
use super::queue_name::{QueueName, SubqueueName};
use super::spelled::Spelled;
use crate::error::Result;

/// A queue, a part of one, or a system queue, on a queue manager that is known already.
///
/// Holds the canonical text and where it is to be cut: parsing costs one allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalName {
    text: Spelled,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    Main,
    Journal,
    /// The queue's name ends before this byte.
    Subqueue(usize),
    System(SystemQueue),
}

/// What a [`LocalName`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueRef<'a> {
    /// A queue or a part of it.
    Queue {
        /// The queue's name, as it was spelled.
        name: &'a str,
        /// Which part.
        part: Part<'a>,
    },
    /// One of the computer's own queues.
    System(SystemQueue),
}

/// A part of a queue that can be opened for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The queue itself.
    Main,
    /// Copies of what was received from it.
    Journal,
    /// A subqueue, by its name as it was spelled.
    Subqueue(&'a str),
}

/// The queues that every computer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SystemQueue {
    /// Copies of what was sent with source journaling.
    Journal,
    /// What could not be delivered.
    DeadLetter,
    /// Transactional messages that could not be delivered.
    TransactionalDeadLetter,
}

impl SystemQueue {
    /// Every one, in the order of their suffix numbers.
    pub const ALL: [Self; 3] = [
        Self::Journal,
        Self::DeadLetter,
        Self::TransactionalDeadLetter,
    ];

    /// How the queue is written behind `system$;`.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Journal => "JOURNAL",
            Self::DeadLetter => "DEADLETTER",
            Self::TransactionalDeadLetter => "DEADXACT",
        }
    }

    /// The canonical local name.
    const fn local_text(self) -> &'static str {
        match self {
            Self::Journal => "system$;JOURNAL",
            Self::DeadLetter => "system$;DEADLETTER",
            Self::TransactionalDeadLetter => "system$;DEADXACT",
        }
    }

    pub(super) fn read_suffix(piece: Piece<'_>) -> Result<Self> {
        let fits = |queue: &Self| piece.is(queue.suffix());
        Self::ALL.into_iter().find(fits).ok_or_else(|| {
            piece.error_with(
                "the computer has no such queue",
                "its queues are ;JOURNAL, ;DEADLETTER and ;DEADXACT",
            )
        })
    }
}

impl LocalName {
    /// Reads the local part of a name, in any case.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalQueuePathName`](crate::ErrorKind::IllegalQueuePathName).
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(Piece::new(text, Grammar::LocalName)?)
    }

    pub(super) fn read(piece: Piece<'_>) -> Result<Self> {
        match piece.after("system$;") {
            Some(suffix) => SystemQueue::read_suffix(suffix).map(Self::system),
            None => Self::read_queue(piece),
        }
    }

    /// Reads a queue or a part of one.
    pub(super) fn read_queue(piece: Piece<'_>) -> Result<Self> {
        let (queue, suffix) = piece.split_optional(&[';']);
        QueueName::check(queue)?;
        let Some(suffix) = suffix else {
            return Ok(Self::cut(queue.text(), Form::Main));
        };
        if suffix.is("JOURNAL") {
            return Ok(Self::journal(queue.text()));
        }
        SubqueueName::check(suffix)?;
        Ok(Self::cut(piece.text(), Form::Subqueue(queue.text().len())))
    }

    /// The journal of a queue that has been read.
    pub(super) fn read_journal_of(queue: Piece<'_>) -> Result<Self> {
        QueueName::check(queue)?;
        Ok(Self::journal(queue.text()))
    }

    /// The computer's own queue.
    #[must_use]
    pub fn system(queue: SystemQueue) -> Self {
        Self::cut(queue.local_text(), Form::System(queue))
    }

    /// The journal of `queue`.
    #[must_use]
    pub fn journal_of(queue: &QueueName) -> Self {
        Self::journal(queue.as_str())
    }

    /// The subqueue `subqueue` of `queue`.
    #[must_use]
    pub fn subqueue_of(queue: &QueueName, subqueue: &SubqueueName) -> Self {
        let form = Form::Subqueue(queue.as_str().len());
        Self::cut(format!("{queue};{subqueue}"), form)
    }

    /// The canonical text; names and subqueues as they were spelled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// The form to compare and index by.
    #[must_use]
    pub fn key(&self) -> String {
        self.text.key()
    }

    /// What is named.
    #[must_use]
    pub fn target(&self) -> QueueRef<'_> {
        let text = self.as_str();
        let (name, part) = match self.form {
            Form::System(queue) => return QueueRef::System(queue),
            Form::Main => (text, Part::Main),
            Form::Journal => (&text[..text.len() - ";JOURNAL".len()], Part::Journal),
            Form::Subqueue(end) => (&text[..end], Part::Subqueue(&text[end + 1..])),
        };
        QueueRef::Queue { name, part }
    }

    /// Which part of a queue is named; none for a system queue.
    #[must_use]
    pub fn part(&self) -> Option<Part<'_>> {
        match self.target() {
            QueueRef::Queue { part, .. } => Some(part),
            QueueRef::System(_) => None,
        }
    }

    /// The name of the queue that this is, or is a part of; none for a system queue.
    #[must_use]
    pub fn queue(&self) -> Option<&str> {
        match self.target() {
            QueueRef::Queue { name, .. } => Some(name),
            QueueRef::System(_) => None,
        }
    }

    /// Whether a queue itself is named.
    #[must_use]
    pub const fn is_main(&self) -> bool {
        matches!(self.form, Form::Main)
    }

    /// Whether one of the computer's own queues is named.
    #[must_use]
    pub const fn is_system(&self) -> bool {
        matches!(self.form, Form::System(_))
    }

    fn journal(queue: &str) -> Self {
        Self::cut(format!("{queue};JOURNAL"), Form::Journal)
    }

    fn cut(text: impl Into<String>, form: Form) -> Self {
        Self {
            text: Spelled::new(text),
            form,
        }
    }
}

impl From<QueueName> for LocalName {
    fn from(queue: QueueName) -> Self {
        Self::cut(queue.as_str(), Form::Main)
    }
}

impl PartialEq<QueueName> for LocalName {
    fn eq(&self, other: &QueueName) -> bool {
        other == self
    }
}

impl fmt::Display for LocalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_in_any_case_and_written_in_one() {
        let queue = |name, part| QueueRef::Queue { name, part };
        for (text, canonical, target) in [
            ("Orders", "Orders", queue("Orders", Part::Main)),
            (
                "orders;Retry",
                "orders;Retry",
                queue("orders", Part::Subqueue("Retry")),
            ),
            (
                "orders;journal",
                "orders;JOURNAL",
                queue("orders", Part::Journal),
            ),
            (
                "SYSTEM$;deadLetter",
                "system$;DEADLETTER",
                QueueRef::System(SystemQueue::DeadLetter),
            ),
        ] {
            let name = LocalName::parse(text).unwrap();
            assert_eq!(name.to_string(), canonical);
            assert_eq!(name.target(), target);
            assert_eq!(name, LocalName::parse(&text.to_uppercase()).unwrap());
            assert_eq!(name.key(), text.to_lowercase());
        }
    }

    #[test]
    fn a_queue_is_not_its_journal() {
        let queue = QueueName::parse("Orders").unwrap();
        assert_eq!(LocalName::from(queue.clone()), queue);
        assert_ne!(LocalName::journal_of(&queue), queue);
        assert_eq!(LocalName::journal_of(&queue).queue(), Some("Orders"));
    }
}
