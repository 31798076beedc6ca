//! Deciding: what a request comes to. Changes nothing durable; that is the record's part.

use super::entry::{Body, Queue};
use super::message::{Delivery, Message};
use super::outcome::Outcome;
use super::record::{Arrival, Record};
use super::request::{
    QueueProperties, Reply, Request, RequestId, Select, Transaction, TransactionId,
};
use super::state::{State, key};
use super::transaction::OpenTransaction;
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueueName;

/// Open transactions at most.
const TRANSACTIONS_MAX: usize = 10_000;
/// PROPID_Q_LABEL, characters.
const QUEUE_LABEL_CHARS_MAX: usize = 124;

/// What a request comes to.
pub enum Decision {
    /// It was executed before, or just now without a record.
    Known(Outcome),
    /// It only asked.
    Answer(Reply),
    /// This is to be logged and applied.
    Log(Record),
    /// An express message is to be kept in this queue.
    Express(u32, Message),
    /// This message is to be handed out.
    Take(Take),
    /// There is none yet.
    Wait,
}

/// A message that was found for a receive or peek.
pub struct Take {
    /// The queue's number.
    pub queue: u32,
    /// Its place.
    pub lookup_id: u64,
    /// Where its content is.
    pub body: Body,
    /// Unix milliseconds.
    pub arrived_ms: u64,
    /// What becomes of it.
    pub how: How,
}

/// What becomes of a message that is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It stays.
    Peek,
    /// It leaves.
    Remove,
    /// A transaction holds it.
    Lock(TransactionId),
}

impl State {
    /// Decides a request.
    ///
    /// # Errors
    /// Those of the request; then it has had no effect and is not remembered.
    pub fn decide(&mut self, id: &RequestId, request: Request, now_ms: u64) -> Result<Decision> {
        if let Some(outcome) = self.outcomes.find(id)? {
            return Ok(Decision::Known(outcome.clone()));
        }
        let stamp = self.stamp(*id, now_ms);
        match request {
            Request::CreateQueue { queue, properties } => {
                self.check_new_queue(&queue, &properties)?;
                Ok(Decision::Log(Record::CreateQueue {
                    stamp,
                    queue: self.next_queue,
                    name: queue,
                    properties,
                }))
            }
            Request::DeleteQueue { queue } => Ok(Decision::Log(Record::DeleteQueue {
                stamp,
                queue: self.find_queue(&queue)?.0,
            })),
            Request::PurgeQueue { queue } => {
                let (number, queue) = self.find_queue(&queue)?;
                Ok(Decision::Log(Record::PurgeQueue {
                    stamp,
                    queue: number,
                    held: queue.locked.keys().copied().collect(),
                }))
            }
            Request::ListQueues => {
                let queues = self.names.values().filter_map(|n| self.queues.get(n));
                Ok(Decision::Answer(Reply::Queues(
                    queues.map(Queue::status).collect(),
                )))
            }
            Request::Send {
                queue,
                message,
                transaction,
            } => self.decide_send(id, &queue, message, transaction, now_ms),
            Request::Receive {
                queue,
                select,
                peek,
                transaction,
                ..
            } => self.decide_receive(id, &queue, select, peek, transaction),
            Request::Begin => self.begin(id),
            Request::Commit { transaction } => self.decide_commit(id, transaction, now_ms),
            Request::Abort { transaction } => {
                self.open(id, transaction)?;
                // The manager wakes those who wait for what is back.
                Ok(Decision::Known(self.pass(id, Outcome::Done)))
            }
        }
    }

    fn check_new_queue(&self, name: &str, properties: &QueueProperties) -> Result<()> {
        QueueName::parse(name)?;
        if self.names.contains_key(&key(name)) {
            return Err(Error::new(
                ErrorKind::QueueExists,
                format!("queue {name} exists already"),
            ));
        }
        if properties.label.chars().count() > QUEUE_LABEL_CHARS_MAX {
            return Err(Error::new(
                ErrorKind::LabelTooLong,
                format!("the label of queue {name} is too long"),
            )
            .hint(format!(
                "a queue's label has at most {QUEUE_LABEL_CHARS_MAX} characters"
            )));
        }
        Ok(())
    }

    /// The number of a queue and the queue.
    pub(super) fn find_queue(&self, name: &str) -> Result<(u32, &Queue)> {
        let number = self.names.get(&key(name));
        let found = number.and_then(|n| Some((*n, self.queues.get(n)?)));
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::QueueNotFound,
                format!("there is no queue {name}"),
            )
            .hint("Get-MsmqQueue lists the queues, New-MsmqQueue creates one")
        })
    }

    fn open(&mut self, id: &RequestId, transaction: TransactionId) -> Result<&mut OpenTransaction> {
        let open = self.transactions.get_mut(&transaction);
        open.filter(|t| t.client == id.client).ok_or_else(|| {
            Error::new(
                ErrorKind::TransactionAborted,
                format!("transaction {} is not open", transaction.0),
            )
            .hint("it has ended, or its session or the queue manager has, which aborts it: begin a new one")
        })
    }

    fn begin(&mut self, id: &RequestId) -> Result<Decision> {
        if self.transactions.len() >= TRANSACTIONS_MAX {
            return Err(Error::new(
                ErrorKind::InsufficientResources,
                format!("{TRANSACTIONS_MAX} transactions are open"),
            )
            .hint("commit or abort some"));
        }
        let transaction = TransactionId(self.next_transaction);
        self.next_transaction += 1;
        self.transactions
            .insert(transaction, OpenTransaction::new(id.client));
        Ok(Decision::Known(self.pass(id, Outcome::Began(transaction))))
    }

    fn decide_send(
        &mut self,
        id: &RequestId,
        name: &str,
        mut message: Message,
        transaction: Transaction,
        now_ms: u64,
    ) -> Result<Decision> {
        message.check()?;
        let (number, queue) = self.find_queue(name)?;
        check_usage(queue, transaction, "send to")?;
        if queue.properties.transactional {
            message.priority = 0;
            message.delivery = Delivery::Recoverable;
        }
        if let Transaction::In(transaction) = transaction {
            let bytes = message.body.len() + message.label.len();
            let open = self.open(id, transaction)?;
            open.admit(bytes)?;
            open.send(number, message);
            return Ok(Decision::Known(self.pass(id, Outcome::Staged)));
        }
        if message.delivery == Delivery::Express {
            return Ok(Decision::Express(number, message));
        }
        let arrival = Arrival {
            queue: number,
            lookup_id: self.place(message.priority, 0),
            message,
        };
        let stamp = self.stamp(*id, now_ms);
        Ok(Decision::Log(Record::Enqueue { stamp, arrival }))
    }

    fn decide_receive(
        &mut self,
        id: &RequestId,
        name: &str,
        select: Select,
        peek: bool,
        transaction: Transaction,
    ) -> Result<Decision> {
        let (number, queue) = self.find_queue(name)?;
        let how = match transaction {
            _ if peek => How::Peek,
            Transaction::None => How::Remove,
            Transaction::Single => {
                check_usage(queue, transaction, "receive from")?;
                How::Remove
            }
            Transaction::In(transaction_id) => {
                check_usage(queue, transaction, "receive from")?;
                How::Lock(transaction_id)
            }
        };
        let found = queue.find(select).map(|(lookup_id, entry)| Take {
            queue: number,
            lookup_id,
            body: entry.body.clone(),
            arrived_ms: entry.arrived_ms,
            how,
        });
        let missing = match select {
            Select::LookupId(lookup_id) => Some(no_message(queue, lookup_id)),
            _ => None,
        };
        if let How::Lock(transaction) = how {
            self.open(id, transaction)?.admit(0)?;
        }
        match (found, missing) {
            (Some(take), _) => Ok(Decision::Take(take)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(Decision::Wait),
        }
    }

    /// A transaction takes a message that was found.
    pub(super) fn lock(&mut self, id: &RequestId, take: &Take, by: TransactionId) -> Result<()> {
        self.open(id, by)?
            .received
            .push((take.queue, take.lookup_id));
        if let Some(queue) = self.queues.get_mut(&take.queue) {
            queue.lock(take.lookup_id, Some(by));
        }
        Ok(())
    }

    fn decide_commit(
        &mut self,
        id: &RequestId,
        transaction: TransactionId,
        now_ms: u64,
    ) -> Result<Decision> {
        let open = self.open(id, transaction)?;
        let numbers: Vec<u32> = open.sent.iter().map(|s| s.0).collect();
        let received = open.received.clone();
        let queues = numbers.iter().chain(received.iter().map(|r| &r.0));
        if queues.into_iter().any(|n| !self.queues.contains_key(n)) {
            return Err(Error::new(
                ErrorKind::TransactionAborted,
                format!(
                    "transaction {} used a queue that was deleted",
                    transaction.0
                ),
            )
            .hint("it was aborted: its other messages are back in their queues"));
        }
        let sent = self
            .transactions
            .get_mut(&transaction)
            .map(|open| std::mem::take(&mut open.sent));
        let arrivals = sent.unwrap_or_default().into_iter().zip(0..);
        let sent = arrivals
            .map(|((queue, message), taken)| Arrival {
                queue,
                lookup_id: self.place(message.priority, taken),
                message,
            })
            .collect();
        Ok(Decision::Log(Record::Transaction {
            stamp: self.stamp(*id, now_ms),
            received,
            sent,
        }))
    }
}

fn no_message(queue: &Queue, lookup_id: u64) -> Error {
    if queue.locked.contains_key(&lookup_id) {
        return Error::new(
            ErrorKind::MessageAlreadyReceived,
            format!(
                "message {lookup_id} of queue {} is held by a transaction",
                queue.name
            ),
        )
        .hint("it is back if that transaction aborts");
    }
    Error::new(
        ErrorKind::MessageNotFound,
        format!("queue {} has no message {lookup_id}", queue.name),
    )
}

fn check_usage(queue: &Queue, transaction: Transaction, what: &str) -> Result<()> {
    let hint = match (queue.properties.transactional, transaction) {
        (true, Transaction::None) => "it is transactional: use a transaction, for example Single",
        (false, Transaction::Single | Transaction::In(_)) => {
            "it is not transactional: use no transaction, or create the queue with -Transactional"
        }
        _ => return Ok(()),
    };
    Err(Error::new(
        ErrorKind::TransactionUsage,
        format!("cannot {what} queue {} this way", queue.name),
    )
    .hint(hint))
}
