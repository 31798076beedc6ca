//! Sending: limits, quotas, lifetimes, keys; and what happens at an arrival beside it.

use super::Decision;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::access::Rights;
use crate::queue::change::{Arrival, Change, Content, Effect, Tell};
use crate::queue::encoded::{Encoded, Head};
use crate::queue::entry::Wishes;
use crate::queue::message::{Acknowledge, Delivery, Journal, MessageId};
use crate::queue::outcome::Outcome;
use crate::queue::quota::Staged;
use crate::queue::request::{BodyId, Caller, PrivacyLevel, QueueKind, RequestId, Transaction};
use crate::queue::state::{MACHINE_JOURNAL, Now, State};
use crate::queue::stored_queue::Queue;
use crate::queue::transaction::Operation;

/// MQMSG_CLASS_ACK_REACH_QUEUE.
pub(super) const ACK_REACH_QUEUE: u16 = 0x0002;

impl State {
    #[expect(clippy::too_many_arguments, reason = "the fields of one request")]
    pub(super) fn decide_send(
        &mut self,
        from: &Caller,
        id: &RequestId,
        name: &str,
        message: &Encoded,
        transaction: Transaction,
        body: Option<BodyId>,
        now: Now,
    ) -> Result<Decision> {
        let head = message.check()?;
        let (number, queue) = self.open_queue(from, name, Rights::WRITE)?;
        check_target(queue)?;
        check_usage(queue, transaction, "send to")?;
        check_protection(queue, &head)?;
        let transactional = queue.properties.transactional;
        let mut arrival = self.arrival(number, queue, message, &head, now)?;
        if let Some(body) = body {
            self.attach(from, body, &mut arrival)?;
        }
        arrival.express &= !transactional && body.is_none();
        if arrival.express {
            // A copy of its own: the message may be a slice of much more that came in with it.
            arrival.content = Content::New(Encoded::trusted(message.as_bytes().to_vec()));
        }
        if head.has_admin_queue {
            self.check_admin_queue(message)?;
        }
        if head.has_dead_letter_queue {
            self.check_dead_letter_queue(message, head.journal, transactional)?;
        }
        if head.has_key {
            let key = message.idempotency_key()?;
            let stamp = self.stamp(*id, now);
            if let Some(known) = self.sent_before(number, key, stamp.time_ms) {
                let change = Change {
                    stamp,
                    tell: Tell::SentBefore(known),
                    effects: Vec::new(),
                };
                return Ok(Decision::Change(change));
            }
            arrival.key = key.to_vec();
        }
        self.check_quota(number, arrival.body_bytes)?;
        let priority = if transactional { 0 } else { head.priority };
        if let Transaction::In(transaction) = transaction {
            let bytes = message.len();
            let open = self.open_transaction(from, transaction)?;
            open.admit(bytes)?;
            open.bytes += bytes;
            open.bodies.extend(body);
            let bytes = arrival.body_bytes;
            *open.staged.entry(number).or_default() += bytes;
            open.operations
                .push(Operation::Send(Box::new(arrival), priority));
            self.usage.stage(number, bytes);
            return Ok(Decision::Known(self.pass(id, Outcome::Staged)));
        }
        let mut effects = self.name_sender(from, &mut arrival);
        arrival.lookup_id = self.place(priority, 0);
        self.arrives(&mut effects, arrival, message, transactional)?;
        if let Some(body) = body {
            effects.push(Effect::Parts {
                client: from.client,
                body: body.0,
            });
        }
        Ok(Decision::Change(Change {
            stamp: self.stamp(*id, now),
            tell: Tell::Sent,
            effects,
        }))
    }

    /// An arrival, and what happens at it beside: a copy in the sender's journal, an acknowledgement.
    pub(super) fn arrives(
        &mut self,
        effects: &mut Vec<Effect>,
        arrival: Arrival,
        message: &Encoded,
        transactional: bool,
    ) -> Result<()> {
        let (queue, lookup_id, wishes) = (arrival.queue, arrival.lookup_id, arrival.wishes);
        let (express, body_bytes) = (arrival.express, arrival.body_bytes);
        effects.push(Effect::Arrive(Box::new(arrival)));
        // Of a transactional message when it is received: only then it is delivered.
        if wishes.journal().has(Journal::JOURNAL)
            && !transactional
            && self.journals_have_room(&Staged::new(), body_bytes)
        {
            effects.push(Effect::Copy {
                queue,
                lookup_id,
                to: MACHINE_JOURNAL,
                class: 0,
            });
        }
        if wishes.acknowledge().has(Acknowledge::POSITIVE_ARRIVAL) {
            let id = self.message_id(lookup_id);
            self.acknowledge(effects, queue, message, id, ACK_REACH_QUEUE, express)?;
        }
        Ok(())
    }

    pub(super) fn arrival(
        &self,
        number: u32,
        queue: &Queue,
        message: &Encoded,
        head: &Head,
        now: Now,
    ) -> Result<Arrival> {
        let time_ms = self.time_ms.max(now.wall_ms);
        // Never later than now: a sender whose clock is ahead gets no longer life for its messages.
        let sent_ms = match head.sent_ms {
            0 => time_ms,
            sent_ms => sent_ms.min(time_ms),
        };
        self.check_reach(queue, head, sent_ms, time_ms)?;
        Ok(Arrival {
            queue: number,
            lookup_id: 0,
            content: Content::New(message.clone()),
            body_bytes: head.body_bytes.into(),
            sender: 0,
            wishes: Wishes::new(head.acknowledge, head.journal),
            expires_ms: head
                .time_to_be_received
                .seconds()
                .map_or(0, |seconds| (sent_ms + u64::from(seconds) * 1000).max(1)),
            due_ms: match head.delay_ms {
                0 => 0,
                delay_ms => sent_ms + delay_ms,
            },
            correlation_id: Some(head.correlation_id).filter(|id| *id != MessageId::NONE),
            class: head.class,
            parts: Vec::new(),
            transaction: None,
            key: Vec::new(),
            express: head.delivery == Delivery::Express,
        })
    }

    /// PROPID_M_TIME_TO_REACH_QUEUE: a message that took too long is refused, and its sender told.
    fn check_reach(&self, queue: &Queue, head: &Head, sent_ms: u64, time_ms: u64) -> Result<()> {
        let longest = self.machine.long_live_seconds;
        let seconds = head
            .time_to_reach_queue
            .seconds()
            .unwrap_or(longest)
            .min(longest);
        let late_ms = time_ms.saturating_sub(sent_ms);
        // One with no time at all gets one attempt.
        if seconds == 0 || late_ms <= u64::from(seconds) * 1000 {
            return Ok(());
        }
        let text = format!(
            "the message for queue {} was sent {} s ago and had {seconds} s to reach it",
            queue.name,
            late_ms / 1000
        );
        Err(Error::new(ErrorKind::Timeout, text).hint(
            "nothing was stored; give it more time with -TimeToReachQueue, or look at the clocks",
        ))
    }

    pub(super) fn sent_before(&self, number: u32, key: &[u8], now_ms: u64) -> Option<u64> {
        let queue = self.queues.get(&number)?;
        let window = queue.properties.duplicate_window_ms;
        queue.keys.find(key, now_ms, window)
    }

    /// The number of who sends, if it has one; 0 of nobody.
    pub(super) fn known_sender(&self, from: &Caller) -> Option<u16> {
        let user = &from.access.user;
        if user.is_empty() {
            return Some(0);
        }
        self.principal_numbers.get(user).copied()
    }

    /// Gives the arrival its sender's number; the effect that names one that is new.
    pub(super) fn name_sender(&self, from: &Caller, arrival: &mut Arrival) -> Vec<Effect> {
        if let Some(number) = self.known_sender(from) {
            arrival.sender = number;
            return Vec::new();
        }
        // Beyond so many the sender is not remembered; the message is.
        let Ok(number) = u16::try_from(self.principals.len()) else {
            return Vec::new();
        };
        arrival.sender = number;
        vec![Effect::Principal {
            number,
            name: from.access.user.clone(),
        }]
    }
}

/// Nobody sends to journals, dead-letter queues and subqueues (msmq.md 2.4).
pub(super) fn check_target(queue: &Queue) -> Result<()> {
    let hint = match queue.kind {
        QueueKind::Private | QueueKind::Internal | QueueKind::Outgoing => return Ok(()),
        QueueKind::Subqueue => "send to the queue itself, then move the message: Move-MsmqMessage",
        _ => "only the queue manager puts messages there",
    };
    let text = format!("queue {} cannot be sent to", queue.name);
    Err(Error::new(ErrorKind::UnsupportedFormatNameOperation, text).hint(hint))
}

pub(super) fn check_protection(queue: &Queue, head: &Head) -> Result<()> {
    let refused =
        |text: String, hint: &str| Err(Error::new(ErrorKind::AccessDenied, text).hint(hint));
    if (head.is_signed || head.is_private) && !head.has_connector {
        return Err(unprotected(head));
    }
    // A signature that nobody verifies proves nothing, whoever made it.
    if queue.properties.authenticate {
        let text = format!(
            "queue {} takes only authenticated messages, and no signature can be verified without a directory",
            queue.name
        );
        return refused(
            text,
            "Set-MsmqQueue with -Authenticate:false; its access list still counts",
        );
    }
    match (queue.properties.privacy, head.is_private) {
        (PrivacyLevel::Body, false) => refused(
            format!("queue {} takes only encrypted messages", queue.name),
            "encrypt the content, and say so with a privacy level and a connector type",
        ),
        (PrivacyLevel::None, true) => refused(
            format!("queue {} takes no encrypted messages", queue.name),
            "send without a privacy level",
        ),
        _ => Ok(()),
    }
}

/// A message must not pass for signed or encrypted when nobody has done so.
fn unprotected(head: &Head) -> Error {
    let what = match head.is_signed {
        true => "sign messages or verify signatures",
        false => "encrypt messages",
    };
    let text = format!("a queue manager without a directory cannot {what}");
    Error::new(ErrorKind::UnsupportedOperation, text).hint(
        "an application that does so itself says it with a connector type (-ConnectorType GUID)",
    )
}

pub(super) fn check_usage(queue: &Queue, transaction: Transaction, what: &str) -> Result<()> {
    let hint = match (queue.properties.transactional, transaction) {
        (true, Transaction::None) => "it is transactional: use a transaction, for example Single",
        (false, Transaction::Single | Transaction::In(_)) => {
            "it is not transactional: use no transaction, or create the queue with -Transactional"
        }
        _ => return Ok(()),
    };
    let text = format!("cannot {what} queue {} this way", queue.name);
    Err(Error::new(ErrorKind::TransactionUsage, text).hint(hint))
}

/// A move out of a transactional queue needs a transaction, one of its own if nothing else; dead letters and
/// journals are moved either way.
pub(super) fn check_usage_of_move(queue: &Queue, transaction: Transaction) -> Result<()> {
    if queue.is_journal() {
        return Ok(());
    }
    check_usage(queue, transaction, "move a message of")
}
