//! Moving a message between a queue and its subqueues (MQMoveMessage), and out of a dead-letter queue.

use super::Decision;
use super::receive::no_message;
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueueName;
use crate::queue::access::Rights;
use crate::queue::change::{Change, Counts, Effect, Tell};
use crate::queue::index::Pages;
use crate::queue::outcome::Outcome;
use crate::queue::request::{Caller, QueueKind, RequestId, Take, Transaction};
use crate::queue::state::{Now, State};
use crate::queue::stored_queue::{Holder, Queue};
use crate::queue::transaction::Operation;

/// Longest name of a subqueue, in characters (MS-MQRR 2.2.5.3: 31 and an end).
const SUBQUEUE_CHARS_MAX: usize = 31;

impl State {
    #[expect(clippy::too_many_arguments, reason = "the fields of one request")]
    pub(super) fn decide_move(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        id: &RequestId,
        (name, lookup_id): (&String, u64),
        to: &str,
        transaction: Transaction,
        now: Now,
    ) -> Result<Decision> {
        let needed = self.rights_to_read(name, Take::Remove);
        let (number, source) = self.open_queue(from, name, needed)?;
        self.check_move(from, source, to)?;
        super::send::check_usage_of_move(source, transaction)?;
        let Some(queue) = self.queues.get_mut(&number) else {
            return Ok(Decision::Wait);
        };
        let due_ms = queue.delayed.get(&lookup_id).map(|delayed| delayed.due_ms);
        if due_ms.is_none() && queue.index.get(pages, lookup_id)?.is_none() {
            return Err(no_message(queue, lookup_id));
        }
        if due_ms.is_some() && matches!(transaction, Transaction::In(_)) {
            let text = format!("message {lookup_id} of queue {name} is not due yet");
            return Err(Error::new(ErrorKind::InvalidState, text)
                .hint("a transaction holds what can be received; move it outside of one"));
        }
        self.check_not_there(pages, number, lookup_id, to)?;
        if let Transaction::In(transaction) = transaction {
            self.open_transaction(from, transaction)?.admit(0)?;
            let by = Holder::Transaction(from.client, transaction);
            if let Some(queue) = self.queues.get_mut(&number) {
                queue.lock(pages, lookup_id, by)?;
            }
            let operation = Operation::Move(number, lookup_id, to.to_owned());
            self.open_transaction(from, transaction)?
                .operations
                .push(operation);
            return Ok(Decision::Known(self.pass(id, Outcome::Done)));
        }
        let mut effects = Vec::new();
        let to = self.subqueue(&mut effects, to)?;
        effects.push(Effect::Move {
            queue: number,
            lookup_id,
            to,
            // It waits there as long as it would have here.
            due_ms: due_ms.unwrap_or_default(),
            // The abort count is of the queue that it is in now (msmq.md 3.9).
            counts: Counts::default(),
        });
        Ok(Decision::Change(Change {
            stamp: self.stamp(*id, now),
            tell: Tell::Done,
            effects,
        }))
    }

    /// A copy comes to no queue that has the message itself, nor to one of its family: both would have one place.
    fn check_not_there(
        &mut self,
        pages: &dyn Pages,
        source: u32,
        lookup_id: u64,
        to: &str,
    ) -> Result<()> {
        let target = self.number_of(to).filter(|target| *target != source);
        if let Some(queue) = target.and_then(|number| self.queues.get_mut(&number))
            && queue.get(pages, lookup_id)?.is_some()
        {
            let text = format!("queue {} has message {lookup_id} already", queue.name);
            return Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint("this one is a copy of it: receive it, if it is not wanted"));
        }
        Ok(())
    }

    fn check_move(&self, from: &Caller, source: &Queue, to: &str) -> Result<()> {
        let base = |name: &str| {
            let base = name.split_once(';').map_or(name, |parts| parts.0);
            base.to_ascii_lowercase()
        };
        let target = self.number_of(to).and_then(|n| self.queues.get(&n));
        if target.is_some_and(|target| target.number == source.number) {
            let text = format!("the message is in queue {to} already");
            return Err(Error::new(ErrorKind::InvalidParameter, text).hint("name another queue"));
        }
        let family = matches!(source.kind, QueueKind::Private | QueueKind::Subqueue);
        if family && base(&source.name) == base(to) && target.is_none_or(|t| !t.is_journal()) {
            return match (target, to.split_once(';')) {
                (None, Some((_, sub))) => check_subqueue_name(sub),
                _ => Ok(()),
            };
        }
        let Some(target) = target.filter(|t| t.kind == QueueKind::Private) else {
            let text = format!("a message cannot be moved from {} to {to}", source.name);
            return Err(Error::new(ErrorKind::UnsupportedFormatNameOperation, text).hint(
                "messages move between a queue and its subqueues, and from journals and dead-letter queues to a queue",
            ));
        };
        if !source.is_journal() {
            let text = format!("{to} is no subqueue of {}", source.name);
            return Err(Error::new(ErrorKind::UnsupportedFormatNameOperation, text)
                .hint("receive it and send it, in one transaction if nothing may be lost"));
        }
        target
            .access
            .check(&from.access, Rights::WRITE, format_args!("queue {to}"))
    }

    /// The number of a queue or subqueue; adds the effect that creates a subqueue that is not there yet.
    pub(super) fn subqueue(&self, effects: &mut Vec<Effect>, name: &str) -> Result<u32> {
        if let Some(number) = self.number_of(name) {
            return Ok(number);
        }
        let created = effects.iter().find_map(|effect| match effect {
            Effect::Create {
                queue, name: new, ..
            } if new.eq_ignore_ascii_case(name) => Some(*queue),
            _ => None,
        });
        if let Some(number) = created {
            return Ok(number);
        }
        let parts = name.split_once(';');
        let (parent, sub) = parts.ok_or_else(|| super::no_queue(name))?;
        let (_, parent) = self.find_queue(parent)?;
        check_subqueue_name(sub)?;
        let before = effects
            .iter()
            .filter(|e| matches!(e, Effect::Create { .. }));
        let number = self.next_queue + u32::try_from(before.count()).unwrap_or_default();
        let effect = Effect::Create {
            queue: number,
            name: format!("{};{sub}", parent.name),
            kind: QueueKind::Subqueue,
            properties: Box::new(parent.properties.clone()),
            access: parent.access.clone(),
        };
        effects.insert(0, effect);
        Ok(number)
    }
}

fn check_subqueue_name(name: &str) -> Result<()> {
    QueueName::parse(name)?;
    let reserved = ["journal", "deadletter", "deadxact", "xactonly"];
    let taken = reserved.iter().any(|word| word.eq_ignore_ascii_case(name));
    if taken || name.chars().count() > SUBQUEUE_CHARS_MAX {
        let text = format!("{name:?} is no name of a subqueue");
        return Err(Error::new(ErrorKind::IllegalQueuePathName, text).hint(format!(
            "use 1 to {SUBQUEUE_CHARS_MAX} characters, and not JOURNAL, DEADLETTER, DEADXACT or XACTONLY"
        )));
    }
    Ok(())
}
