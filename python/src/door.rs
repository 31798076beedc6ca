//! The door to one queue manager: queues, messages and transactions, the same in process and remote.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hamq_core::api::cursor::Action;
use hamq_core::api::manage;
use hamq_core::api::message::{SentInfo, lease_id};
use hamq_core::api::queue::{QueueInfo, unexpected as not_asked_for};
use hamq_core::api::value::to_value;
use hamq_core::name::{LocalName, QueuePath};
use hamq_core::queue::message::{MessageId, Received};
use hamq_core::queue::request::{
    BodySource, QueueStatus, Reply, Request, Select, Settle, Take, Transaction, TransactionId,
};
use hamq_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::call::{Asked, Holding, Link};
use crate::choice::Choice;
use crate::cursor::{self, Cursor};
use crate::embedded::Embedded;
use crate::error::{exception, internal, raise};
use crate::fork::Live;
use crate::message::{Message, Outgoing};
use crate::upload::Upload;
use crate::value::{from_python, to_python};

/// Longest wait of one receive request. A longer wait is several requests: between two of them no
/// message is under way, so that Ctrl-C takes none with it.
const RECEIVE_SLICE_MS: u64 = 200;
/// Bytes of one part of a large body.
const PART_BYTES: u32 = 4 * 1024 * 1024;
/// Queues that are asked for at a time.
const LIST_COUNT: u32 = 5_000;
/// How many slices of a lane a receive request has to come back before Ctrl-C cuts it off: it does
/// within its own slice unless the queue manager is failing over.
const RECEIVE_PATIENCE: u32 = 20;

/// The door to one queue manager.
#[pyclass(frozen, module = "hamq._native")]
pub(crate) struct Door {
    computer: String,
    link: Live<Link>,
    /// Which queues are transactional, as far as it was asked for: their messages are sent as
    /// transactions of their own where the sender has none.
    natures: Mutex<HashMap<String, bool>>,
}

#[pymethods]
impl Door {
    /// Opens the store in the folder `path`, in this process.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let opened = py.detach(move || Embedded::open(&path));
        let (embedded, _report) = opened.map_err(|error| raise(py, &error))?;
        Ok(Self::new(".".to_owned(), Link::Embedded(embedded)))
    }

    /// The virtual server or node; `.` in process.
    #[getter]
    fn computer(&self) -> &str {
        &self.computer
    }

    /// Computer and queue of a path name.
    #[staticmethod]
    fn parse_path(py: Python<'_>, path: &str) -> PyResult<(String, String)> {
        let path = QueuePath::parse(path).map_err(|error| raise(py, &error))?;
        Ok((path.computer().to_owned(), path.queue().to_string()))
    }

    /// The path name of a queue behind this door.
    fn path(&self, py: Python<'_>, queue: &str) -> PyResult<String> {
        let name = LocalName::parse(queue).map_err(|error| raise(py, &error))?;
        Ok(QueuePath::new(self.computer.as_str(), name).to_string())
    }

    /// Runs one of the commands that need no cluster ([`hamq_core::api::MANAGEMENT`]) to a list of its records.
    fn manage<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        arguments: &Bound<'py, PyDict>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let arguments = from_python(arguments)?;
        let link = self.link.get(py)?;
        let records = py.detach(|| manage(&Asked(link), name, arguments));
        self.natures().clear();
        let records = records.map_err(|error| raise(py, &error))?;
        records.iter().map(|record| to_python(py, record)).collect()
    }

    /// Moves a message between the queue and its subqueues.
    fn move_message(
        &self,
        py: Python<'_>,
        queue: String,
        lookup_id: u64,
        to: String,
        transaction: Option<u64>,
    ) -> PyResult<()> {
        let transaction = transaction.map_or(Transaction::None, within);
        let request = Request::Move {
            queue,
            lookup_id,
            to,
            transaction,
        };
        self.ask(py, request).map(drop)
    }

    /// Marks a message that the transaction has received as rejected.
    fn reject(
        &self,
        py: Python<'_>,
        transaction: u64,
        queue: String,
        lookup_id: u64,
    ) -> PyResult<()> {
        let transaction = TransactionId(transaction);
        let request = Request::Reject {
            transaction,
            queue,
            lookup_id,
        };
        self.ask(py, request).map(drop)
    }

    /// Ends or extends the lease `LOOKUPID.DELIVERY`.
    fn settle(
        &self,
        py: Python<'_>,
        queue: String,
        lease: &str,
        how: &str,
        extend_ms: u32,
    ) -> PyResult<()> {
        let how = match how {
            "complete" => Settle::Complete,
            "release" => Settle::Release,
            "reject" => Settle::Reject,
            _ => Settle::Extend(extend_ms),
        };
        let lease = lease_id(lease).map_err(|error| raise(py, &error))?;
        let request = Request::Settle {
            queue,
            leases: vec![lease],
            how,
        };
        self.ask(py, request).map(drop)
    }

    fn delete_queue<'py>(&self, py: Python<'py>, queue: &str) -> PyResult<Bound<'py, PyAny>> {
        let record = self.queue_record(
            py,
            Request::DeleteQueue {
                queue: queue.to_owned(),
            },
        )?;
        self.forget_nature(queue);
        Ok(record)
    }

    fn purge<'py>(&self, py: Python<'py>, queue: String) -> PyResult<Bound<'py, PyAny>> {
        self.queue_record(py, Request::PurgeQueue { queue })
    }

    /// One queue.
    fn queue<'py>(&self, py: Python<'py>, queue: String) -> PyResult<Bound<'py, PyAny>> {
        self.queue_record(py, Request::GetQueue { queue })
    }

    /// All queues, in order of their names; with `all` also journals, subqueues and the system's own.
    fn queues<'py>(&self, py: Python<'py>, all: bool) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let queues = self.list(py, all)?;
        let record = |status: &QueueStatus| self.status_record(py, status);
        queues.iter().map(record).collect()
    }

    /// Sends one message.
    fn send<'py>(
        &self,
        py: Python<'py>,
        queue: &str,
        outgoing: Outgoing,
        transaction: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut results = self.send_many(py, queue, vec![outgoing], transaction)?;
        match results.pop() {
            Some((sent, false)) => Ok(sent),
            Some((error, true)) => Err(PyErr::from_value(error)),
            None => Err(raise(py, &internal("a send without an outcome"))),
        }
    }

    /// Sends all, not waiting for one before the next; for each one the record or the exception, and
    /// whether it failed.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "extracted from a Python list, which yields owned items"
    )]
    fn send_many<'py>(
        &self,
        py: Python<'py>,
        queue: &str,
        outgoing: Vec<Outgoing>,
        transaction: Option<u64>,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, bool)>> {
        self.link.get(py)?; // before any lock, which a forked child may find taken for ever
        let results = self.send_all(py, queue, &outgoing, transaction)?;
        let path = self.path(py, queue)?;
        let convert = |result: &Result<Reply>| sent_or_failed(py, &path, result);
        results.iter().map(convert).collect()
    }

    /// Receives or peeks; waits for ever without `timeout_ms`. Without `whole` a large body stays where it is.
    #[expect(clippy::needless_pass_by_value, reason = "pyo3 hands it over")]
    fn receive(
        &self,
        py: Python<'_>,
        queue: &str,
        choice: Choice,
        timeout_ms: Option<u64>,
        transaction: Option<u64>,
        whole: bool,
    ) -> PyResult<Message> {
        let select = choice.select().map_err(|error| raise(py, &error))?;
        let wanted = Wanted {
            queue,
            select,
            take: choice.take(),
            timeout_ms,
            transaction,
        };
        let found = self.find(py, &wanted)?;
        let (received, held) = found.map_err(|error| raise(py, &error))?;
        self.message(py, &wanted, &received, &held, whole)
    }

    /// Does what a cursor is asked for, and moves it.
    fn receive_at(
        &self,
        py: Python<'_>,
        queue: &str,
        cursor: &Cursor,
        action: &str,
        timeout_ms: Option<u64>,
        transaction: Option<u64>,
    ) -> PyResult<Message> {
        let action = cursor::action(action).map_err(|error| raise(py, &error))?;
        let select = cursor.select(action).map_err(|error| raise(py, &error))?;
        let wanted = Wanted {
            queue,
            select,
            take: match action {
                Action::Receive => Take::Remove,
                Action::PeekCurrent | Action::PeekNext => Take::Peek,
            },
            timeout_ms,
            transaction,
        };
        let found = self.find(py, &wanted)?;
        let found = found.map_err(|error| raise(py, &cursor.failed(action, error)));
        let (received, held) = found?;
        cursor.found(action, received.lookup_id);
        self.message(py, &wanted, &received, &held, true)
    }

    /// Sends a message whose body is what the `read(count)` of `body` gives, a few parts of it in memory at a time.
    #[expect(clippy::needless_pass_by_value, reason = "pyo3 hands it over")]
    fn send_stream<'py>(
        &self,
        py: Python<'py>,
        queue: &str,
        outgoing: Outgoing,
        body: &Bound<'py, PyAny>,
        transaction: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let message = outgoing.message().map_err(|error| raise(py, &error))?;
        // Whether it is transactional must be right the first time: a stream cannot be read twice.
        self.forget_nature(queue);
        let transaction = self.transaction_for(py, queue, transaction)?;
        let upload = Upload::new(self.link.get(py)?);
        let sent = upload.write_all(py, body).and_then(|()| {
            let request = Request::Send {
                queue: queue.to_owned(),
                message: message.encode(),
                transaction,
                body: Some(upload.id()),
            };
            self.ask(py, request)
        });
        match sent {
            Ok(Reply::Sent { id, lookup_id }) => {
                sent_record(py, &self.path(py, queue)?, id, lookup_id)
            }
            Ok(other) => Err(unexpected(py, &other)),
            Err(error) => {
                upload.give_up(py);
                Err(error)
            }
        }
    }

    /// A part of the body of a message that is in the queue; empty at its end. Only of a body above 4 MiB.
    fn read_body<'py>(
        &self,
        py: Python<'py>,
        queue: String,
        lookup_id: u64,
        offset: u64,
        length: u32,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let request = Request::ReadBody {
            source: BodySource::Message { queue, lookup_id },
            offset,
            length: length.min(PART_BYTES),
        };
        match self.ask(py, request)? {
            Reply::Bytes(part) => Ok(PyBytes::new(py, &part)),
            other => Err(unexpected(py, &other)),
        }
    }

    /// Starts a transaction.
    fn begin(&self, py: Python<'_>) -> PyResult<u64> {
        let TransactionId(number) = self.link.get(py)?.begin();
        Ok(number)
    }

    fn commit(&self, py: Python<'_>, transaction: u64) -> PyResult<()> {
        let transaction = TransactionId(transaction);
        self.ask(py, Request::Commit { transaction }).map(drop)
    }

    fn abort(&self, py: Python<'_>, transaction: u64) -> PyResult<()> {
        let transaction = TransactionId(transaction);
        self.ask(py, Request::Abort { transaction }).map(drop)
    }

    /// Aborts a transaction that nobody holds any more, without waiting for it.
    fn abandon(&self, py: Python<'_>, transaction: u64) {
        if let Some(link) = self.link.here() {
            let transaction = TransactionId(transaction);
            py.detach(|| link.tell(Request::Abort { transaction }));
        }
    }

    /// Closes the store of an embedded queue manager; waits for it.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if let Link::Embedded(embedded) = self.link.get(py)? {
            let closed = py.detach(|| embedded.close());
            closed.map_err(|error| raise(py, &error))?;
        }
        Ok(())
    }
}

impl Door {
    /// A door behind which is `link`.
    pub(crate) fn new(computer: String, link: Link) -> Self {
        Self {
            computer,
            link: Live::new(link),
            natures: Mutex::default(),
        }
    }

    /// Waits for a message; the inner result is the queue manager's answer.
    fn find(
        &self,
        py: Python<'_>,
        wanted: &Wanted<'_>,
    ) -> PyResult<Result<(Box<Received>, Holding)>> {
        let started = Instant::now();
        let timeout_ms = wanted.timeout_ms;
        loop {
            let left = timeout_ms.map(|timeout| timeout.saturating_sub(elapsed_ms(started)));
            let slice = left.unwrap_or(u64::MAX).min(RECEIVE_SLICE_MS);
            let link = self.link.get(py)?;
            match link.call_held(py, RECEIVE_PATIENCE, wanted.request(slice))? {
                Ok((Reply::Message(received), held)) => return Ok(Ok((received, held))),
                Ok((other, _)) => return Err(unexpected(py, &other)),
                Err(error) if error.kind != ErrorKind::ReceiveTimeout => return Ok(Err(error)),
                Err(_) => {}
            }
            py.check_signals()?;
            if timeout_ms.is_some_and(|timeout| elapsed_ms(started) >= timeout) {
                let path = self.path(py, wanted.queue)?;
                return Ok(Err(nothing_arrived(&path, timeout_ms)));
            }
        }
    }

    /// The Python object of a message, with a large body if that is wanted.
    fn message(
        &self,
        py: Python<'_>,
        wanted: &Wanted<'_>,
        received: &Received,
        held: &Holding,
        whole: bool,
    ) -> PyResult<Message> {
        let body = match whole {
            true => self.large_body(py, wanted, received, held)?,
            false => None,
        };
        Message::new(py, self.path(py, wanted.queue)?, received, body)
    }

    /// The body of a large message, which does not come with it.
    fn large_body(
        &self,
        py: Python<'_>,
        wanted: &Wanted<'_>,
        received: &Received,
        held: &Holding,
    ) -> PyResult<Option<Py<PyBytes>>> {
        if received.body_bytes == received.body().len() as u64 {
            return Ok(None);
        }
        let source = match wanted.take {
            Take::Peek => BodySource::Message {
                queue: wanted.queue.to_owned(),
                lookup_id: received.lookup_id,
            },
            _ => BodySource::Received(held.sequence()),
        };
        let mut body: Vec<u8> = Vec::new();
        while (body.len() as u64) < received.body_bytes {
            let request = Request::ReadBody {
                source: source.clone(),
                offset: body.len() as u64,
                length: PART_BYTES,
            };
            match self.ask(py, request)? {
                Reply::Bytes(part) if !part.is_empty() => body.extend(part),
                Reply::Bytes(_) => return Err(raise(py, &body_ended(&body, received))),
                other => return Err(unexpected(py, &other)),
            }
        }
        Ok(Some(PyBytes::new(py, &body).unbind()))
    }

    fn ask(&self, py: Python<'_>, request: Request) -> PyResult<Reply> {
        let reply = self.link.get(py)?.call(py, 0, request)?;
        reply.map_err(|error| raise(py, &error))
    }

    fn list(&self, py: Python<'_>, all: bool) -> PyResult<Vec<QueueStatus>> {
        let mut queues: Vec<QueueStatus> = Vec::new();
        loop {
            let after = queues.last().map_or_else(String::new, |q| q.name.clone());
            let request = Request::ListQueues {
                after,
                count_max: LIST_COUNT,
                all,
            };
            match self.ask(py, request)? {
                Reply::Queues(some) => {
                    let last = some.len() < LIST_COUNT as usize;
                    queues.extend(some);
                    if last {
                        return Ok(queues);
                    }
                }
                other => return Err(unexpected(py, &other)),
            }
        }
    }

    fn queue_record<'py>(&self, py: Python<'py>, request: Request) -> PyResult<Bound<'py, PyAny>> {
        match self.ask(py, request)? {
            Reply::Queue(status) => self.status_record(py, &status),
            other => Err(unexpected(py, &other)),
        }
    }

    fn status_record<'py>(
        &self,
        py: Python<'py>,
        status: &QueueStatus,
    ) -> PyResult<Bound<'py, PyAny>> {
        let info = QueueInfo::new(&self.computer, status);
        let value = to_value(&info).map_err(|error| raise(py, &error))?;
        to_python(py, &value)
    }

    /// The queue's nature may have changed since it was asked for (deleted and created again): then the
    /// sends that were refused for it are tried once more.
    fn send_all(
        &self,
        py: Python<'_>,
        queue: &str,
        outgoing: &[Outgoing],
        transaction: Option<u64>,
    ) -> PyResult<Vec<Result<Reply>>> {
        let messages: Vec<&Outgoing> = outgoing.iter().collect();
        let mut results = self.send_once(py, queue, &messages, transaction)?;
        let refused: Vec<usize> = (0..results.len())
            .filter(|index| transaction.is_none() && refused_for_nature(&results[*index]))
            .collect();
        if refused.is_empty() {
            return Ok(results);
        }
        self.forget_nature(queue);
        let again: Vec<&Outgoing> = refused.iter().map(|index| &outgoing[*index]).collect();
        let second = self.send_once(py, queue, &again, transaction)?;
        for (index, result) in refused.into_iter().zip(second) {
            results[index] = result;
        }
        Ok(results)
    }

    fn send_once(
        &self,
        py: Python<'_>,
        queue: &str,
        outgoing: &[&Outgoing],
        transaction: Option<u64>,
    ) -> PyResult<Vec<Result<Reply>>> {
        let transaction = self.transaction_for(py, queue, transaction)?;
        let requests = outgoing.iter().map(|outgoing| {
            Ok(Request::Send {
                queue: queue.to_owned(),
                message: outgoing.message()?.encode(),
                transaction,
                body: None,
            })
        });
        let requests: Result<Vec<Request>> = requests.collect();
        let requests = requests.map_err(|error| raise(py, &error))?;
        self.link.get(py)?.call_all(py, requests)
    }

    /// The transaction in which a message is sent: the sender's, or where the queue needs one, one of its own.
    fn transaction_for(
        &self,
        py: Python<'_>,
        queue: &str,
        transaction: Option<u64>,
    ) -> PyResult<Transaction> {
        Ok(match transaction {
            Some(id) => within(id),
            None if self.is_transactional(py, queue)? => Transaction::Single,
            None => Transaction::None,
        })
    }

    fn is_transactional(&self, py: Python<'_>, queue: &str) -> PyResult<bool> {
        let key = queue.to_ascii_lowercase();
        if let Some(known) = self.natures().get(&key) {
            return Ok(*known);
        }
        let request = Request::GetQueue {
            queue: queue.to_owned(),
        };
        // An unknown queue is left to the queue manager's own error.
        let Ok(Reply::Queue(status)) = self.link.get(py)?.call(py, 0, request)? else {
            return Ok(false);
        };
        let transactional = status.properties.transactional;
        self.natures().insert(key, transactional);
        Ok(transactional)
    }

    fn forget_nature(&self, queue: &str) {
        self.natures().remove(&queue.to_ascii_lowercase());
    }

    fn natures(&self) -> std::sync::MutexGuard<'_, HashMap<String, bool>> {
        self.natures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which message somebody waits for, and what becomes of it.
struct Wanted<'a> {
    queue: &'a str,
    select: Select,
    take: Take,
    timeout_ms: Option<u64>,
    transaction: Option<u64>,
}

impl Wanted<'_> {
    fn request(&self, timeout_ms: u64) -> Request {
        Request::Receive {
            queue: self.queue.to_owned(),
            select: self.select,
            take: self.take,
            timeout_ms,
            transaction: self.transaction.map_or(Transaction::None, within),
        }
    }
}

fn body_ended(body: &[u8], received: &Received) -> Error {
    let text = format!(
        "the body of message {} ended after {} of {} bytes",
        received.id,
        body.len(),
        received.body_bytes
    );
    Error::new(ErrorKind::StoreDamaged, text).hint("hamq store check looks closer")
}

fn within(id: u64) -> Transaction {
    Transaction::In(TransactionId(id))
}

fn refused_for_nature(result: &Result<Reply>) -> bool {
    matches!(result, Err(error) if error.kind == ErrorKind::TransactionUsage)
}

fn sent_or_failed<'py>(
    py: Python<'py>,
    path: &str,
    result: &Result<Reply>,
) -> PyResult<(Bound<'py, PyAny>, bool)> {
    match result {
        Ok(Reply::Sent { id, lookup_id }) => Ok((sent_record(py, path, *id, *lookup_id)?, false)),
        Ok(other) => Ok((
            unexpected(py, other)
                .into_value(py)
                .into_bound(py)
                .into_any(),
            true,
        )),
        Err(error) => Ok((exception(py, error)?, true)),
    }
}

fn sent_record<'py>(
    py: Python<'py>,
    path: &str,
    id: MessageId,
    lookup_id: u64,
) -> PyResult<Bound<'py, PyAny>> {
    let info = SentInfo {
        queue: path.to_owned(),
        id: id.to_string(),
        lookup_id,
    };
    let value = to_value(&info).map_err(|error| raise(py, &error))?;
    to_python(py, &value)
}

fn unexpected(py: Python<'_>, reply: &Reply) -> PyErr {
    raise(py, &not_asked_for(reply))
}

fn nothing_arrived(path: &str, timeout_ms: Option<u64>) -> Error {
    let timeout = Duration::from_millis(timeout_ms.unwrap_or(u64::MAX));
    Error::new(
        ErrorKind::ReceiveTimeout,
        format!("no message in {path} within {timeout:?}"),
    )
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
