//! Messages: what Python hands in, and the immutable object it gets back.

use hamq_core::api::message::{MessageInfo, acknowledge_text};
use hamq_core::queue::message::{
    Acknowledge, Delivery, Journal, Lifetime, Message as Sent, MessageId, Received, Security,
};
use hamq_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use uuid::Uuid;

use crate::error::raise;

/// How many bytes of a body its `repr` shows.
const REPR_BYTES_MAX: usize = 32;

/// What a sender sets, in the order in which `hamq.queue` passes it; rare properties by name.
#[derive(FromPyObject)]
pub(crate) struct Outgoing(
    PyBackedBytes,
    String,
    u8,
    bool,
    String,
    u32,
    Option<Properties>,
);

/// Properties that most messages do not have, as `hamq.queue` passes them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Properties {
    body_type: u32,
    acknowledge: u8,
    admin_queue: String,
    response_queue: String,
    dead_letter_queue: String,
    journal: u8,
    time_to_reach_queue: u32,
    time_to_be_received: u32,
    delay_ms: u64,
    idempotency_key: PyBackedBytes,
    extension: PyBackedBytes,
    trace: bool,
    message_class: u16,
    soap_header: String,
    soap_body: String,
    sender_id_type: Option<u32>,
    privacy_level: u32,
    authentication_level: u32,
    hash_algorithm: u32,
    encryption_algorithm: u32,
    sender_certificate: PyBackedBytes,
    symmetric_key: PyBackedBytes,
    signature: PyBackedBytes,
    provider_type: u32,
    provider_name: String,
    connector_type: String,
}

impl Outgoing {
    /// As the queue manager takes it.
    ///
    /// # Errors
    /// `IllegalPropertyValue` for a correlation id that is none.
    pub(crate) fn message(&self) -> Result<Sent> {
        let Self(body, label, priority, express, correlation_id, app_specific, rare) = self;
        let mut message = Sent::new(&body[..]);
        message.label.clone_from(label);
        message.priority = *priority;
        if *express {
            message.delivery = Delivery::Express;
        }
        message.correlation_id = MessageId::parse(correlation_id)?;
        message.app_specific = *app_specific;
        if let Some(rare) = rare {
            rare.set(&mut message)?;
        }
        Ok(message)
    }
}

impl Properties {
    fn set(&self, message: &mut Sent) -> Result<()> {
        message.body_type = self.body_type;
        message.acknowledge = Acknowledge(self.acknowledge);
        message.admin_queue.clone_from(&self.admin_queue);
        message.response_queue.clone_from(&self.response_queue);
        message
            .dead_letter_queue
            .clone_from(&self.dead_letter_queue);
        message.journal = Journal(self.journal);
        message.time_to_reach_queue = Lifetime(self.time_to_reach_queue);
        message.time_to_be_received = Lifetime(self.time_to_be_received);
        message.delay_ms = self.delay_ms;
        message.idempotency_key = self.idempotency_key.to_vec();
        message.extension = self.extension.to_vec();
        message.trace = self.trace;
        message.class = self.message_class;
        message.soap_header.clone_from(&self.soap_header);
        message.soap_body.clone_from(&self.soap_body);
        let security = self.security()?;
        message.security = (security != Security::default()).then(|| Box::new(security));
        if message.acknowledge != Acknowledge::NONE && message.admin_queue.is_empty() {
            let text = format!(
                "acknowledge is {}, but no queue is given that it goes to",
                acknowledge_text(message.acknowledge)
            );
            return Err(Error::new(ErrorKind::IllegalPropertyValue, text)
                .hint("admin_queue names one that is not transactional"));
        }
        Ok(())
    }
}

impl Properties {
    fn security(&self) -> Result<Security> {
        let connector_type = match self.connector_type.as_str() {
            "" => None,
            text => Some(Uuid::parse_str(text).map_err(|_| {
                let text = format!("connector_type {text:?} is no GUID");
                Error::new(ErrorKind::IllegalPropertyValue, text)
            })?),
        };
        Ok(Security {
            sender_id_type: self.sender_id_type,
            privacy_level: self.privacy_level,
            authentication_level: self.authentication_level,
            hash_algorithm: self.hash_algorithm,
            encryption_algorithm: self.encryption_algorithm,
            sender_certificate: self.sender_certificate.to_vec(),
            symmetric_key: self.symmetric_key.to_vec(),
            signature: self.signature.to_vec(),
            provider_type: self.provider_type,
            provider_name: self.provider_name.clone(),
            connector_type,
        })
    }
}

/// A message as it was received or peeked. It never changes.
#[pyclass(frozen, module = "hamq")]
pub(crate) struct Message {
    /// The content.
    body: Py<PyBytes>,
    /// Everything else; its body is empty.
    info: MessageInfo,
}

impl Message {
    /// The Python object of `received`; a large body is given as `body`.
    pub(crate) fn new(
        py: Python<'_>,
        queue: String,
        received: &Received,
        body: Option<Py<PyBytes>>,
    ) -> PyResult<Self> {
        let info = MessageInfo::new(queue, received);
        let mut info = info.map_err(|error| raise(py, &error))?;
        let own = std::mem::take(&mut info.body);
        let body = body.unwrap_or_else(|| PyBytes::new(py, &own.0).unbind());
        Ok(Self { body, info })
    }
}

#[pymethods]
impl Message {
    /// The message that `__reduce__` has taken apart.
    #[staticmethod]
    fn _restore(py: Python<'_>, body: Py<PyBytes>, record: &[u8]) -> PyResult<Self> {
        let info = ciborium::from_reader(record).map_err(|error| {
            let text = format!("the pickled bytes are no message: {error}");
            raise(py, &Error::new(ErrorKind::InvalidParameter, text))
        })?;
        Ok(Self { body, info })
    }

    /// The path name of the queue it is or was in.
    #[getter]
    fn queue(&self) -> String {
        self.info.queue.clone()
    }

    /// A free text.
    #[getter]
    fn label(&self) -> String {
        self.info.label.clone()
    }

    /// How many bytes its body has.
    #[getter]
    const fn body_size(&self) -> u64 {
        self.info.body_size
    }

    /// The VARTYPE of the body, as the sender set it; 0 for none.
    #[getter]
    const fn body_type(&self) -> u64 {
        self.info.body_type
    }

    /// 0 to 7; always 0 in a transactional queue.
    #[getter]
    const fn priority(&self) -> u64 {
        self.info.priority
    }

    /// Whether it survives a restart.
    #[getter]
    const fn recoverable(&self) -> bool {
        self.info.recoverable
    }

    /// GUID of the queue manager and a number: unique for ever.
    #[getter]
    fn id(&self) -> String {
        self.info.id.clone()
    }

    /// The id of the message this one answers; empty for none.
    #[getter]
    fn correlation_id(&self) -> String {
        self.info.correlation_id.clone()
    }

    /// Its place in the queue.
    #[getter]
    const fn lookup_id(&self) -> u64 {
        self.info.lookup_id
    }

    /// A number for the application.
    #[getter]
    const fn app_specific(&self) -> u64 {
        self.info.app_specific
    }

    /// 0, or what an acknowledgement or a dead letter says.
    #[getter]
    const fn message_class(&self) -> u64 {
        self.info.class
    }

    /// Which acknowledgements were asked for.
    #[getter]
    fn acknowledge(&self) -> String {
        self.info.acknowledge_type.clone()
    }

    /// Where acknowledgements go; empty: nowhere.
    #[getter]
    fn admin_queue(&self) -> String {
        self.info.admin_queue.clone()
    }

    /// Where answers go; empty: the sender wants none.
    #[getter]
    fn response_queue(&self) -> String {
        self.info.response_queue.clone()
    }

    /// Where a copy in a journal or a dead-letter queue was going; else empty.
    #[getter]
    fn destination_queue(&self) -> String {
        self.info.destination_queue.clone()
    }

    /// The sender's own dead-letter queue; empty: the system's.
    #[getter]
    fn dead_letter_queue(&self) -> String {
        self.info.dead_letter_queue.clone()
    }

    /// Whether a copy is kept in the journal of the sender's computer.
    #[getter]
    const fn journal(&self) -> bool {
        self.info.journaling
    }

    /// Whether it becomes a dead letter when it cannot be delivered.
    #[getter]
    const fn dead_letter(&self) -> bool {
        self.info.dead_letter
    }

    /// Whether reports on its route are sent.
    #[getter]
    const fn trace(&self) -> bool {
        self.info.trace
    }

    /// More of the SOAP header; empty for none.
    #[getter]
    fn soap_header(&self) -> String {
        self.info.soap_header.clone()
    }

    /// More of the SOAP body; empty for none.
    #[getter]
    fn soap_body(&self) -> String {
        self.info.soap_body.clone()
    }

    /// The connector that protected it, a GUID; empty: none.
    #[getter]
    fn connector_type(&self) -> String {
        self.info.connector_type.clone()
    }

    /// How its connector encrypted it: None, Body, BodyEnhanced or BodyAes.
    #[getter]
    fn privacy_level(&self) -> String {
        self.info.privacy_level.clone()
    }

    /// The algorithm of that; empty: not said.
    #[getter]
    fn encryption_algorithm(&self) -> String {
        self.info.encryption_algorithm.clone()
    }

    /// The encrypted key of that.
    #[getter]
    fn symmetric_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.info.symmetric_key.0)
    }

    /// Its connector's signature, which no queue manager has verified.
    #[getter]
    fn signature<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.info.signature.0)
    }

    /// The algorithm of the signature's hash; empty: not said.
    #[getter]
    fn hash_algorithm(&self) -> String {
        self.info.hash_algorithm.clone()
    }

    /// The certificate that its connector gave (X.509, DER).
    #[getter]
    fn sender_certificate<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.info.sender_certificate.0)
    }

    /// Who sent it, as the queue manager saw it; empty: unknown.
    #[getter]
    fn sender(&self) -> String {
        self.info.sender.clone()
    }

    /// Aborted receives since it entered this queue.
    #[getter]
    const fn abort_count(&self) -> u64 {
        self.info.abort_count
    }

    /// How often it was moved.
    #[getter]
    const fn move_count(&self) -> u64 {
        self.info.move_count
    }

    /// The transaction that sent it, or None.
    #[getter]
    const fn transaction_id(&self) -> Option<u64> {
        self.info.transaction
    }

    /// Whether it is the first of its transaction.
    #[getter]
    const fn first_in_transaction(&self) -> bool {
        self.info.first_in_transaction
    }

    /// Whether it is the last of its transaction.
    #[getter]
    const fn last_in_transaction(&self) -> bool {
        self.info.last_in_transaction
    }

    /// The lease that must be settled, or None.
    #[getter]
    fn lease_id(&self) -> Option<String> {
        self.info.lease_id.clone()
    }

    /// The content.
    #[getter]
    fn body(&self, py: Python<'_>) -> Py<PyBytes> {
        self.body.clone_ref(py)
    }

    /// The body as text (UTF-8).
    #[getter]
    fn text<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.body.bind(py).call_method1("decode", ("utf-8",))
    }

    /// The body as what its JSON says.
    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("json")?.call_method1("loads", (&self.body,))
    }

    /// More bytes of the application.
    #[getter]
    fn extension<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.info.extension.0)
    }

    /// A second message with this key is the same message; empty for none.
    #[getter]
    fn idempotency_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.info.idempotency_key.0)
    }

    /// Seconds it may take to reach its queue; None: for ever.
    #[getter]
    fn time_to_reach_queue(&self) -> Option<u64> {
        self.info.time_to_reach_queue.map(|time| time.0 / 1000)
    }

    /// Seconds after its sending in which it may be received; None: for ever.
    #[getter]
    fn time_to_be_received(&self) -> Option<u64> {
        self.info.time_to_be_received.map(|time| time.0 / 1000)
    }

    /// When it was sent, in milliseconds since 1970.
    #[getter]
    const fn sent_ms(&self) -> u64 {
        self.info.sent.0
    }

    /// When it arrived, in milliseconds since 1970.
    #[getter]
    const fn arrived_ms(&self) -> u64 {
        self.info.arrived.0
    }

    /// When it was sent, in UTC.
    #[getter]
    fn sent_time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.sent_ms())
    }

    /// When it arrived, in UTC.
    #[getter]
    fn arrived_time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.arrived_ms())
    }

    /// The four facts one debugs by: where, which, what about, what.
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let body = self.body.bind(py);
        let bytes = body.as_bytes();
        let shown = PyBytes::new(py, &bytes[..bytes.len().min(REPR_BYTES_MAX)]).repr()?;
        let rest = match bytes.len() {
            0..=REPR_BYTES_MAX => String::new(),
            length => format!("... {length} bytes"),
        };
        let label = PyString::new(py, &self.info.label).repr()?;
        let (queue, id) = (&self.info.queue, &self.info.id);
        Ok(format!(
            "<Message {queue} id={id} label={label} body={shown}{rest}>"
        ))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>, py: Python<'_>) -> PyResult<bool> {
        let Ok(other) = other.cast::<Self>() else {
            return Ok(false);
        };
        let other = other.get();
        Ok(self.info == other.info && self.body.as_bytes(py) == other.body.as_bytes(py))
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        let key = (self.info.queue.as_str(), self.info.id.as_str());
        key.into_pyobject(py)?.hash()
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let message = slf.get();
        let mut record = Vec::new();
        ciborium::into_writer(&message.info, &mut record)
            .map_err(|error| raise(py, &Error::new(ErrorKind::Internal, error.to_string())))?;
        let parts = (&message.body, PyBytes::new(py, &record));
        let restore = slf.get_type().getattr("_restore")?;
        Ok((restore, parts.into_pyobject(py)?))
    }
}

/// Exactly so many milliseconds after 1970, as a `datetime` in UTC: a float would lose some.
fn moment(py: Python<'_>, ms: u64) -> PyResult<Bound<'_, PyAny>> {
    let datetime = py.import("datetime")?;
    let utc = datetime.getattr("timezone")?.getattr("utc")?;
    let epoch = datetime
        .getattr("datetime")?
        .call1((1970, 1, 1, 0, 0, 0, 0, utc))?;
    let named = PyDict::new(py);
    named.set_item("milliseconds", ms)?;
    epoch.add(datetime.getattr("timedelta")?.call((), Some(&named))?)
}
