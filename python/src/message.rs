//! Messages: what Python hands in, and the immutable object it gets back.

use hamq_core::Result;
use hamq_core::queue::message::{Delivery, Message as Sent, MessageId, Received};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

/// How many bytes of a body its `repr` shows.
const REPR_BYTES_MAX: usize = 32;

/// What a sender sets, in the order in which `hamq.queue` passes it.
#[derive(FromPyObject)]
pub(crate) struct Outgoing(PyBackedBytes, String, u8, bool, String, u32);

impl Outgoing {
    /// As the queue manager takes it.
    ///
    /// # Errors
    /// `IllegalPropertyValue` for a correlation id that is none.
    pub(crate) fn message(&self) -> Result<Sent> {
        let Self(body, label, priority, express, correlation_id, app_specific) = self;
        let mut message = Sent::new(&body[..]);
        message.label.clone_from(label);
        message.priority = *priority;
        if *express {
            message.delivery = Delivery::Express;
        }
        message.correlation_id = MessageId::parse(correlation_id)?;
        message.app_specific = *app_specific;
        Ok(message)
    }
}

/// A message as it was received or peeked. It never changes.
#[pyclass(frozen, get_all, module = "hamq")]
pub(crate) struct Message {
    /// The path name of the queue it is or was in.
    queue: String,
    /// The content.
    body: Py<PyBytes>,
    /// A free text.
    label: String,
    /// 0 to 7; always 0 in a transactional queue.
    priority: u8,
    /// Whether it survives a restart.
    recoverable: bool,
    /// GUID of the queue manager and a number: unique for ever.
    id: String,
    /// The id of the message this one answers; empty for none.
    correlation_id: String,
    /// Its place in the queue.
    lookup_id: u64,
    /// A number for the application.
    app_specific: u32,
    /// When it was sent, in milliseconds since 1970.
    sent_ms: u64,
    /// When it arrived, in milliseconds since 1970.
    arrived_ms: u64,
}

impl Message {
    /// The Python object of `received`.
    pub(crate) fn new(py: Python<'_>, queue: String, received: &Received) -> Self {
        let message = &received.message;
        Self {
            queue,
            body: PyBytes::new(py, &message.body).unbind(),
            label: message.label.clone(),
            priority: message.priority,
            recoverable: message.delivery == Delivery::Recoverable,
            id: received.id.to_string(),
            correlation_id: message.correlation_id.to_string(),
            lookup_id: received.lookup_id,
            app_specific: message.app_specific,
            sent_ms: received.sent_ms,
            arrived_ms: received.arrived_ms,
        }
    }
}

#[pymethods]
impl Message {
    /// A message with these properties, as `copy` and `pickle` make one.
    #[new]
    #[expect(
        clippy::too_many_arguments,
        reason = "a message has that many properties"
    )]
    #[pyo3(signature = (queue, body, label, priority, recoverable, id, correlation_id, lookup_id,
        app_specific, sent_ms, arrived_ms))]
    fn make(
        queue: String,
        body: Py<PyBytes>,
        label: String,
        priority: u8,
        recoverable: bool,
        id: String,
        correlation_id: String,
        lookup_id: u64,
        app_specific: u32,
        sent_ms: u64,
        arrived_ms: u64,
    ) -> Self {
        Self {
            queue,
            body,
            label,
            priority,
            recoverable,
            id,
            correlation_id,
            lookup_id,
            app_specific,
            sent_ms,
            arrived_ms,
        }
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

    /// When it was sent, in UTC.
    #[getter]
    fn sent_time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.sent_ms)
    }

    /// When it arrived, in UTC.
    #[getter]
    fn arrived_time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.arrived_ms)
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
        let label = PyString::new(py, &self.label).repr()?;
        let (queue, id) = (&self.queue, &self.id);
        Ok(format!(
            "<Message {queue} id={id} label={label} body={shown}{rest}>"
        ))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>, py: Python<'_>) -> PyResult<bool> {
        let Ok(other) = other.cast::<Self>() else {
            return Ok(false);
        };
        self.properties(py)?.eq(other.get().properties(py)?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.properties(py)?.hash()
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        Ok((slf.get_type().into_any(), slf.get().properties(py)?))
    }
}

impl Message {
    fn properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        (
            self.queue.as_str(),
            &self.body,
            self.label.as_str(),
            self.priority,
            self.recoverable,
            self.id.as_str(),
            self.correlation_id.as_str(),
            self.lookup_id,
            self.app_specific,
            self.sent_ms,
            self.arrived_ms,
        )
            .into_pyobject(py)
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
