//! Everything that the workloads say to HAMQ, over the API that every client has.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hamq_core::api::client::{Client, ClientOptions, Session, Ticket};
use hamq_core::queue::manager::Tuning;
use hamq_core::queue::message::{Message, Received};
use hamq_core::queue::request::{
    QueueProperties, Reply, Request, Select, Take, Transaction, TransactionId,
};
use hamq_core::{Error, ErrorKind, Result};

use super::bodies::Bodies;
use super::load::Sender;

/// How long a server may take to answer before a run is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a receive waits for the message that was sent just before it.
const EXCHANGE_TIMEOUT_MS: u64 = 10_000;

/// Bytes of a full segment of the store: the unit of "disk after draining".
#[must_use]
pub fn segment_bytes() -> u64 {
    Tuning::default().segment_bytes
}

/// A client process's view of one queue manager; every sender and receiver gets a session of its own.
pub struct Hamq {
    client: Client,
    address: String,
    session: Session,
}

impl Hamq {
    /// A client of the queue manager at `address`; `home` is an empty folder.
    ///
    /// # Errors
    /// When the client cannot start.
    pub fn new(address: SocketAddr, home: &Path) -> Result<Self> {
        let client = Client::new(ClientOptions {
            home: home.to_owned(),
            program: Vec::new(),
            failover_timeout: PATIENCE,
        })?;
        let address = address.to_string();
        let session = client.new_session(&address)?;
        Ok(Self {
            client,
            address,
            session,
        })
    }

    /// Creates a queue.
    ///
    /// # Errors
    /// Those of the queue manager.
    pub fn create_queue(&self, queue: &str, transactional: bool) -> Result<()> {
        self.session.call(create(queue, transactional)).map(drop)
    }

    /// Creates many queues, pipelined.
    ///
    /// # Errors
    /// Those of the queue manager.
    pub fn create_queues(&self, names: impl Iterator<Item = String>) -> Result<()> {
        let mut under_way = VecDeque::new();
        for name in names {
            under_way.push_back(self.session.submit(create(&name, false)));
            wait_for(&mut under_way, super::load::WINDOW)?;
        }
        wait_for(&mut under_way, 0)
    }

    /// A sender to one queue.
    ///
    /// # Errors
    /// Those of the client.
    pub fn sender(&self, queue: &str, transactional: bool) -> Result<HamqSender> {
        Ok(HamqSender {
            session: self.client.new_session(&self.address)?,
            queue: queue.to_owned(),
            transaction: match transactional {
                true => Transaction::Single,
                false => Transaction::None,
            },
            under_way: VecDeque::new(),
        })
    }

    /// A receiver that keeps `ahead` receives under way, each waiting for `timeout`.
    ///
    /// # Errors
    /// Those of the client.
    pub fn receiver(&self, queue: &str, ahead: usize, timeout: Duration) -> Result<Receiver> {
        Ok(Receiver {
            session: self.client.new_session(&self.address)?,
            queue: queue.to_owned(),
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            ahead,
            under_way: VecDeque::new(),
            here: VecDeque::new(),
        })
    }

    /// Sends and receives on one session.
    ///
    /// # Errors
    /// Those of the client.
    pub fn exchange(&self) -> Result<Exchange> {
        self.client.new_session(&self.address).map(Exchange)
    }

    /// Messages in a queue.
    ///
    /// # Errors
    /// Those of the queue manager; when there is no such queue.
    pub fn message_count(&self, queue: &str) -> Result<u64> {
        let Reply::Queues(queues) = self.session.call(Request::ListQueues {
            after: String::new(),
            count_max: 10_000,
            all: false,
        })?
        else {
            return Err(Error::new(ErrorKind::Internal, "ListQueues gave no queues"));
        };
        let found = queues.iter().find(|status| status.name == queue);
        let count = found.map(|status| status.message_count);
        count.ok_or_else(|| Error::new(ErrorKind::QueueNotFound, format!("{queue} is gone")))
    }

    /// A worker that moves messages between two transactional queues.
    ///
    /// # Errors
    /// Those of the queue manager.
    pub fn mover(&self, from: &str, to: &str) -> Result<Mover> {
        let session = self.client.new_session(&self.address)?;
        let first = session.begin();
        let receiving = session.submit(receive(from, 0, Transaction::In(first)));
        Ok(Mover {
            next: session.begin(),
            receiving: Some((first, receiving)),
            session,
            from: from.to_owned(),
            to: to.to_owned(),
        })
    }
}

fn create(queue: &str, transactional: bool) -> Request {
    Request::CreateQueue {
        queue: queue.to_owned(),
        properties: QueueProperties {
            transactional,
            ..QueueProperties::default()
        },
    }
}

fn send(queue: &str, body: impl Into<Vec<u8>>, transaction: Transaction) -> Request {
    Request::Send {
        queue: queue.to_owned(),
        message: Message::new(body).encode(),
        transaction,
        body: None,
    }
}

fn receive(queue: &str, timeout_ms: u64, transaction: Transaction) -> Request {
    Request::Receive {
        queue: queue.to_owned(),
        select: Select::First,
        take: Take::Remove,
        timeout_ms,
        transaction,
    }
}

/// Waits for the oldest until at most `left` are under way.
fn wait_for(under_way: &mut VecDeque<Ticket>, left: usize) -> Result<()> {
    while under_way.len() > left {
        if let Some(oldest) = under_way.pop_front() {
            oldest.wait()?;
        }
    }
    Ok(())
}

fn unexpected(reply: &Reply) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("an unexpected reply: {reply:?}"),
    )
}

/// What a receive got; `None` when nothing was there in time.
fn received(outcome: Result<Reply>) -> Result<Option<Received>> {
    match outcome {
        Ok(Reply::Message(message)) => Ok(Some(*message)),
        Ok(other) => Err(unexpected(&other)),
        Err(error) if error.kind == ErrorKind::ReceiveTimeout => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sends to a queue.
pub struct HamqSender {
    session: Session,
    queue: String,
    transaction: Transaction,
    under_way: VecDeque<Ticket>,
}

impl Sender for HamqSender {
    fn send(&mut self, body: &[u8]) -> Result<()> {
        let request = send(&self.queue, body, self.transaction);
        self.under_way.push_back(self.session.submit(request));
        Ok(())
    }

    fn settle(&mut self, left: usize) -> Result<()> {
        wait_for(&mut self.under_way, left)
    }
}

/// Messages of one receive at most.
const LOT: u32 = 1_000;

/// Receives from a queue in lots, each acknowledged by its removal being durable before it is handed out.
pub struct Receiver {
    session: Session,
    queue: String,
    timeout_ms: u64,
    ahead: usize,
    under_way: VecDeque<Ticket>,
    here: VecDeque<Received>,
}

impl Receiver {
    /// The next message's body; `None` when there was none in time.
    ///
    /// # Errors
    /// Those of the queue manager.
    pub fn receive(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(message) = self.here.pop_front() {
            return Ok(Some(message.body().to_vec()));
        }
        let lots = self.ahead.clamp(1, 4);
        while self.under_way.len() < lots {
            let request = Request::ReceiveMany {
                queue: self.queue.clone(),
                after: 0,
                take: Take::Remove,
                count_max: u32::try_from(self.ahead).unwrap_or(LOT).min(LOT),
                bytes_max: 2 * 1024 * 1024,
                timeout_ms: self.timeout_ms,
                transaction: Transaction::None,
            };
            self.under_way.push_back(self.session.submit(request));
        }
        let Some(oldest) = self.under_way.pop_front() else {
            return Ok(None);
        };
        match oldest.wait() {
            Ok(Reply::Messages(messages)) => self.here = messages.into(),
            Ok(other) => return Err(unexpected(&other)),
            Err(error) if error.kind == ErrorKind::ReceiveTimeout => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(self.here.pop_front().map(|message| message.body().to_vec()))
    }
}

/// Sends and receives on one session, over any queues.
pub struct Exchange(Session);

impl Exchange {
    /// Sends a message to each queue and receives one from it, all under way together; at most half of
    /// [`super::load::WINDOW`] queues at once.
    ///
    /// # Errors
    /// Those of the queue manager; when a queue gave nothing.
    pub fn turn<'q>(
        &self,
        queues: impl Iterator<Item = &'q str>,
        bodies: &mut Bodies,
    ) -> Result<u64> {
        let submit = |queue| {
            let body = bodies.next_body().to_vec();
            let sent = self.0.submit(send(queue, body, Transaction::None));
            let request = receive(queue, EXCHANGE_TIMEOUT_MS, Transaction::None);
            (sent, self.0.submit(request))
        };
        let under_way: Vec<_> = queues.map(submit).collect();
        let mut turns = 0;
        for (sent, receiving) in under_way {
            sent.wait()?;
            if received(receiving.wait())?.is_none() {
                let text = "a queue gave nothing although a message was sent to it";
                return Err(Error::new(ErrorKind::Internal, text));
            }
            turns += 1;
        }
        Ok(turns)
    }
}

/// Receives from one queue and sends to another in one transaction, again and again. The commit of one goes
/// with the receive of the next and the begin of the one after it, as a good client would have it.
pub struct Mover {
    session: Session,
    from: String,
    to: String,
    /// The receive of the next transaction; none once the queue was found empty.
    receiving: Option<(TransactionId, Ticket)>,
    /// The transaction after it.
    next: TransactionId,
}

impl Mover {
    /// Moves one message; `false` when there is none. When it returns, the transaction is durable.
    ///
    /// # Errors
    /// Those of the queue manager.
    pub fn move_one(&mut self) -> Result<bool> {
        let Some((transaction, receiving)) = self.receiving.take() else {
            return Ok(false);
        };
        let Some(message) = received(receiving.wait())? else {
            return Ok(false);
        };
        let part = Transaction::In(transaction);
        let request = send(&self.to, message.body(), part);
        let sent = self.session.submit(request);
        let committed = self.session.submit(Request::Commit { transaction });
        let part = Transaction::In(self.next);
        let receiving = self.session.submit(receive(&self.from, 0, part));
        let after = self.session.begin();
        sent.wait()?;
        committed.wait()?;
        self.receiving = Some((self.next, receiving));
        self.next = after;
        Ok(true)
    }
}
