//! A body that is sent in parts, read from a Python stream.

use std::cell::Cell;

use hamq_core::api::client::{WrittenPart, give_up};
use hamq_core::queue::request::{BodyId, Request};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::call::Link;
use crate::error::raise;

/// Bytes of one part.
const PART_BYTES: usize = 1024 * 1024;
/// Parts that are under way together.
const PARTS_MAX: usize = 4;

/// A body under way. What is written stays written when the queue manager fails over.
pub(crate) struct Upload<'a> {
    link: &'a Link,
    id: BodyId,
    offset: Cell<u64>,
}

impl<'a> Upload<'a> {
    pub(crate) fn new(link: &'a Link) -> Self {
        let (id, offset) = (link.new_body(), Cell::new(0));
        Self { link, id, offset }
    }

    pub(crate) const fn id(&self) -> BodyId {
        self.id
    }

    /// Writes what `read(count)` of `body` gives until it gives nothing.
    ///
    /// # Errors
    /// What `read` raises; `IllegalPropertyValue` above 1 GiB; those of the queue manager.
    pub(crate) fn write_all(&self, py: Python<'_>, body: &Bound<'_, PyAny>) -> PyResult<()> {
        let read = body.getattr("read")?;
        loop {
            let parts = self.next_parts(py, &read)?;
            if parts.is_empty() {
                return Ok(());
            }
            let last = parts.len() < PARTS_MAX;
            for reply in self.link.call_all(py, parts)? {
                reply.map_err(|error| raise(py, &error))?;
            }
            if last {
                return Ok(());
            }
        }
    }

    /// Nobody will send it any more.
    pub(crate) fn give_up(&self, py: Python<'_>) {
        let (link, id) = (self.link, self.id);
        py.detach(|| link.tell(give_up(id)));
    }

    fn next_parts(&self, py: Python<'_>, read: &Bound<'_, PyAny>) -> PyResult<Vec<Request>> {
        let mut parts = Vec::with_capacity(PARTS_MAX);
        while parts.len() < PARTS_MAX {
            let bytes = next_part(read)?;
            if bytes.is_empty() {
                break;
            }
            let (body, offset) = (self.id, self.offset.get());
            self.offset.set(offset + bytes.len() as u64);
            let request = WrittenPart { body, offset }.request(bytes);
            parts.push(request.map_err(|error| raise(py, &error))?);
        }
        Ok(parts)
    }
}

/// The next part, full unless it is the last: a pipe gives as little as it has.
fn next_part(read: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let mut part = Vec::new();
    while part.len() < PART_BYTES {
        let bytes: PyBackedBytes = read.call1((PART_BYTES - part.len(),))?.extract()?;
        if bytes.is_empty() {
            break;
        }
        part.extend_from_slice(&bytes);
    }
    Ok(part)
}
