//! Errors of the core as the exceptions of `hamq.errors`: one class per kind.

use hamq_core::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// `hamq.errors.make`, looked up once.
static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// `error` as a Python exception object, to be raised or put into a list of results.
pub(crate) fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let make = MAKE.get_or_try_init(py, || {
        let module = py.import("hamq.errors")?;
        module.getattr("make").map(Bound::unbind)
    })?;
    let kind = error.kind;
    make.bind(py).call1((
        kind.name(),
        error.message.as_str(),
        error.hint.as_deref(),
        kind.code(),
    ))
}

/// `error` as what a function returns in order to raise it.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    match exception(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}

/// A fault of this module itself.
pub(crate) fn internal(message: &str) -> Error {
    Error::new(ErrorKind::Internal, message)
}

/// Every kind of error with its code, so that a test can compare them with the exception classes.
#[pyfunction(name = "_error_kinds")]
pub(crate) fn error_kinds() -> Vec<(&'static str, u32)> {
    ErrorKind::ALL
        .iter()
        .map(|kind| (kind.name(), kind.code()))
        .collect()
}
