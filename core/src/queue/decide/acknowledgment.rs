//! What a message's end brings: acknowledgement messages, dead letters, journal copies (msmq.md 3.5, 3.6).

use crate::error::{Error, ErrorKind, Result};
use crate::name::{QueueName, QueuePath};
use crate::queue::change::{Arrival, Content, Effect};
use crate::queue::encoded::Encoded;
use crate::queue::entry::{Entry, Wishes};
use crate::queue::index::Pages;
use crate::queue::message::{Acknowledge, Delivery, Journal, Message, MessageId, PRIORITY_DEFAULT};
use crate::queue::quota::Staged;
use crate::queue::request::QueueKind;
use crate::queue::state::{DEAD_LETTER, MACHINE_JOURNAL, State, TRANSACTIONAL_DEAD_LETTER};
use crate::queue::stored_queue::{JOURNAL_BIT, Queue};

/// MQMSG_CLASS_ACK_RECEIVE.
pub(super) const RECEIVED: u16 = 0x4000;
/// MQMSG_CLASS_NACK_Q_DELETED.
pub(super) const QUEUE_DELETED: u16 = 0xC000;
/// MQMSG_CLASS_NACK_Q_PURGED.
pub(super) const QUEUE_PURGED: u16 = 0xC001;
/// MQMSG_CLASS_NACK_RECEIVE_TIMEOUT.
pub(super) const RECEIVE_TIMEOUT: u16 = 0xC002;
/// MQMSG_CLASS_NACK_RECEIVE_REJECTED.
pub(super) const RECEIVE_REJECTED: u16 = 0xC004;

/// Negative classes copy the body into the acknowledgement.
const NEGATIVE: u16 = 0x8000;

/// The content of a message, wherever it is.
///
/// # Errors
/// `StoreDamaged` when it cannot be read.
pub(in crate::queue) fn content_of(pages: &dyn Pages, entry: &Entry) -> Result<Encoded> {
    let express = entry.extra.as_ref().and_then(|extra| extra.content.clone());
    match express {
        Some(content) => Ok(content),
        None => pages.read(entry.position).map(Encoded::trusted),
    }
}

impl State {
    /// What happens beside, when a message is received: journal copies and an acknowledgement. `copied`: bytes that
    /// the same change or transaction copies, this message's among them afterwards.
    ///
    /// # Errors
    /// `StoreDamaged` for content that is no message.
    pub(super) fn after_receive(
        &self,
        effects: &mut Vec<Effect>,
        queue: &Queue,
        lookup_id: u64,
        entry: &Entry,
        content: &Encoded,
        copied: &mut Staged,
    ) -> Result<()> {
        let number = queue.number;
        let copy = |to| Effect::Copy {
            queue: number,
            lookup_id,
            to,
            class: 0,
        };
        if let Some(journal) = self.journal_of(queue, entry.body_bytes, copied) {
            *copied.entry(journal).or_default() += entry.body_bytes;
            effects.push(copy(journal));
        }
        if queue.is_journal() {
            return Ok(());
        }
        let transactional = queue.properties.transactional;
        let wanted = entry.wishes.journal().has(Journal::JOURNAL) && transactional;
        if wanted && self.journals_have_room(copied, entry.body_bytes) {
            *copied.entry(MACHINE_JOURNAL).or_default() += entry.body_bytes;
            effects.push(copy(MACHINE_JOURNAL));
        }
        if entry
            .wishes
            .acknowledge()
            .has(Acknowledge::POSITIVE_RECEIVE)
        {
            let id = self.id_of(lookup_id, entry);
            self.acknowledge(effects, number, content, id, RECEIVED, entry.express)?;
        }
        Ok(())
    }

    /// What happens beside, when a message ends without being received: a dead letter and an acknowledgement.
    ///
    /// # Errors
    /// Those of reading its content.
    pub(super) fn after_failure(
        &self,
        effects: &mut Vec<Effect>,
        queue: &Queue,
        (lookup_id, entry): (u64, &Entry),
        class: u16,
        pages: &dyn Pages,
    ) -> Result<()> {
        if queue.is_journal() {
            return Ok(());
        }
        let told = entry
            .wishes
            .acknowledge()
            .has(Acknowledge::NEGATIVE_RECEIVE);
        let kept = entry.wishes.journal().has(Journal::DEAD_LETTER);
        // Who purges or deletes has asked for it: nothing is kept behind his back.
        let asked_for = matches!(class, QUEUE_PURGED | QUEUE_DELETED);
        if kept && !asked_for {
            let to = match queue.properties.transactional {
                true => TRANSACTIONAL_DEAD_LETTER,
                false => DEAD_LETTER,
            };
            effects.push(Effect::Copy {
                queue: queue.number,
                lookup_id,
                // A queue does not keep its own dead.
                to: (self.own_dead_letter_queue(entry, pages)?)
                    .filter(|own| *own != queue.number)
                    .unwrap_or(to),
                class,
            });
        }
        if told {
            let content = content_of(pages, entry)?;
            let id = self.id_of(lookup_id, entry);
            self.acknowledge(effects, queue.number, &content, id, class, entry.express)?;
        }
        Ok(())
    }

    /// PROPID_M_DEADLETTER_QUEUE of a message, if it names a queue that is still there.
    fn own_dead_letter_queue(&self, entry: &Entry, pages: &dyn Pages) -> Result<Option<u32>> {
        let content = content_of(pages, entry)?;
        let name = content.dead_letter_queue()?;
        if name.is_empty() {
            return Ok(None);
        }
        let number = self.local_queue(name);
        let queue = number.and_then(|number| self.queues.get(&number));
        let queue = queue.filter(|q| q.properties.transactional && q.kind == QueueKind::Private);
        Ok(queue.map(|queue| queue.number))
    }

    /// Adds an acknowledgement message for the administration queue of a message. One whose queue is gone
    /// is dropped, as the original does: there is nobody to tell.
    ///
    /// # Errors
    /// `StoreDamaged` for content that is no message.
    pub(super) fn acknowledge(
        &self,
        effects: &mut Vec<Effect>,
        queue: u32,
        content: &Encoded,
        id: MessageId,
        class: u16,
        express: bool,
    ) -> Result<()> {
        let Some(to) = self.local_queue(content.admin_queue()?) else {
            return Ok(());
        };
        let original = content.decode()?;
        let security = original.security.as_ref();
        let encrypted = security.is_some_and(|security| security.privacy_level != 0);
        let mut message = Message::new(match class & NEGATIVE {
            0 => Vec::new(),
            _ if encrypted => Vec::new(),
            _ => original.body,
        });
        message.label = original.label;
        message.correlation_id = id;
        message.journal = Journal::NONE;
        message.app_specific = original.app_specific;
        message.response_queue = self
            .queues
            .get(&queue)
            .map_or_else(String::new, |q| self.path_of(&q.name));
        message.body_type = original.body_type;
        if express {
            message.delivery = Delivery::Express;
        }
        let encoded = message.encode();
        let taken = self.taken_by(effects);
        effects.push(Effect::Arrive(Box::new(Arrival {
            queue: to,
            lookup_id: self.place(PRIORITY_DEFAULT, taken),
            body_bytes: message.body.len() as u64,
            content: Content::New(encoded),
            sender: 0,
            wishes: Wishes::default(),
            expires_ms: 0,
            due_ms: 0,
            correlation_id: Some(id),
            class,
            parts: Vec::new(),
            transaction: None,
            key: Vec::new(),
            express,
        })));
        Ok(())
    }

    /// How many places these effects take. Their arrivals are in order: the last one says it.
    pub(super) fn taken_by(&self, effects: &[Effect]) -> u64 {
        let last = effects.iter().rev().find_map(|effect| match effect {
            Effect::Arrive(arrival) => Some(arrival.lookup_id),
            _ => None,
        });
        last.map_or(0, |last| self.distance(last))
    }

    /// Refuses a dead-letter queue of the sender's own that could not take the message: it would end where its
    /// sender does not look.
    pub(super) fn check_dead_letter_queue(
        &self,
        message: &Encoded,
        journal: Journal,
        transactional: bool,
    ) -> Result<()> {
        let name = message.dead_letter_queue()?;
        if name.is_empty() {
            return Ok(());
        }
        let refused = |text: String, hint: &str| {
            Err(Error::new(ErrorKind::IllegalPropertyValue, text).hint(hint))
        };
        if !transactional || !journal.has(Journal::DEAD_LETTER) {
            let text = format!("the message would never go to its dead-letter queue {name}");
            return refused(
                text,
                "one of its own takes a transactional message that asks for dead letters",
            );
        }
        let queue = self.local_queue(name).and_then(|n| self.queues.get(&n));
        let usable =
            queue.is_some_and(|q| q.properties.transactional && q.kind == QueueKind::Private);
        if usable {
            return Ok(());
        }
        refused(
            format!("{name} cannot be a dead-letter queue"),
            "name a private transactional queue of this computer",
        )
    }

    /// Refuses a message whose administration queue cannot get acknowledgements: better its sender hears of it
    /// now than nobody ever.
    pub(super) fn check_admin_queue(&self, message: &Encoded) -> Result<()> {
        let name = message.admin_queue()?;
        let queue = self.local_queue(name).and_then(|n| self.queues.get(&n));
        let Some(queue) = queue else {
            let text = format!(
                "the administration queue {name} is no queue of {}",
                self.computer
            );
            return Err(Error::new(ErrorKind::QueueNotFound, text)
                .hint("create it on the same computer: New-MsmqQueue"));
        };
        let usable = matches!(queue.kind, QueueKind::Private | QueueKind::Internal);
        if queue.properties.transactional || !usable {
            let text = format!("queue {name} cannot be an administration queue");
            return Err(Error::new(ErrorKind::IllegalPropertyValue, text)
                .hint("use a private queue that is not transactional"));
        }
        Ok(())
    }

    /// The id of a message.
    #[must_use]
    pub fn id_of(&self, lookup_id: u64, entry: &Entry) -> MessageId {
        let own = entry.extra.as_ref().and_then(|extra| extra.id);
        own.unwrap_or_else(|| self.message_id(lookup_id))
    }

    /// The number of the queue that a path or format name means, if it is one of this queue manager.
    pub(super) fn local_queue(&self, name: &str) -> Option<u32> {
        if QueueName::parse(name).is_ok() {
            return self.number_of(name);
        }
        let path = QueuePath::parse(name).ok()?;
        let computer = path.computer();
        let here = [".", "localhost", self.computer.as_str()];
        here.iter()
            .any(|name| name.eq_ignore_ascii_case(computer))
            .then(|| self.number_of(path.queue().as_str()))?
    }

    fn path_of(&self, local: &str) -> String {
        format!("{}\\private$\\{local}", self.computer)
    }

    /// The journal of what is received from a queue, if it wants one and that has room. A subqueue is part of its
    /// queue.
    fn journal_of(&self, queue: &Queue, bytes: u64, copied: &Staged) -> Option<u32> {
        let of = match (queue.kind, queue.name.split_once(';')) {
            (QueueKind::Private, _) => queue,
            (QueueKind::Subqueue, Some((parent, _))) => {
                self.queues.get(&self.number_of(parent)?)?
            }
            _ => return None,
        };
        let journal = self.queues.get(&(of.number | JOURNAL_BIT))?;
        let quota = of.properties.journal_quota_bytes;
        let has_room = || self.journal_has_room(journal, quota, copied, bytes);
        (of.properties.journal && has_room()).then_some(journal.number)
    }
}
