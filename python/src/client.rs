//! A connection to a cluster: commands by name, and sessions with queue managers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hamq_core::Result;
use hamq_core::api::client::{Client as Core, ClientOptions};
use hamq_core::api::value::to_value;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call::{Link, Remote};
use crate::door::Door;
use crate::error::raise;
use crate::fork::Live;
use crate::lane::Lanes;
use crate::value::{from_python, to_python};

/// A connection to a cluster, chosen or not.
#[pyclass(frozen, module = "hamq._native")]
pub(crate) struct Client {
    parts: Live<Parts>,
}

struct Parts {
    core: Core,
    lanes: Arc<Lanes>,
}

#[pymethods]
impl Client {
    #[new]
    fn new(
        py: Python<'_>,
        home: PathBuf,
        program: Vec<PathBuf>,
        failover_timeout: f64,
    ) -> PyResult<Self> {
        let failover_timeout = Duration::try_from_secs_f64(failover_timeout).map_err(|_| {
            PyValueError::new_err("failover_timeout is a number of seconds, not negative")
        })?;
        let options = ClientOptions {
            home,
            program,
            failover_timeout,
        };
        let core = py
            .detach(|| Core::new(options))
            .map_err(|error| raise(py, &error))?;
        let lanes = Arc::default();
        Ok(Self {
            parts: Live::new(Parts { core, lanes }),
        })
    }

    /// Chooses the cluster that later commands are for.
    fn connect(&self, py: Python<'_>, target: String) -> PyResult<()> {
        self.run(py, move |core| core.connect(&target))
    }

    /// The name of the chosen cluster.
    #[getter]
    fn cluster(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let parts = self.parts.get(py)?;
        Ok(py.detach(|| parts.core.cluster()))
    }

    /// Runs a command to a list of its records.
    fn invoke<'py>(
        &self,
        py: Python<'py>,
        name: String,
        arguments: &Bound<'py, PyDict>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let arguments = from_python(arguments)?;
        let records = self.run(py, move |core| core.invoke(&name, arguments))?;
        records.iter().map(|record| to_python(py, record)).collect()
    }

    /// What a command would do, as a list of its steps.
    fn what_if<'py>(
        &self,
        py: Python<'py>,
        name: String,
        arguments: &Bound<'py, PyDict>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let arguments = from_python(arguments)?;
        let steps = self.run(py, move |core| {
            let steps = core.what_if(&name, arguments)?.unwrap_or_default();
            steps.iter().map(to_value).collect::<Result<Vec<_>>>()
        })?;
        steps.iter().map(|step| to_python(py, step)).collect()
    }

    /// A session with the queue manager of a virtual server or node.
    fn session(&self, py: Python<'_>, computer: String) -> PyResult<Door> {
        let parts = self.parts.get(py)?;
        let named = computer.clone();
        let session = self.run(py, move |core| core.session(&computer))?;
        let remote = Remote {
            client: parts.core.clone(),
            session,
            lanes: Arc::clone(&parts.lanes),
        };
        Ok(Door::new(named, Link::Remote(remote)))
    }

    /// Ends every call that is waiting, from any thread.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        self.parts.get(py)?.core.cancel();
        Ok(())
    }

    /// Ends what this client started and did not detach, and waits for it.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, |core| {
            core.close();
            Ok(())
        })
    }
}

impl Client {
    fn run<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Core) -> Result<T> + Send + 'static,
    ) -> PyResult<T> {
        let parts = self.parts.get(py)?;
        let core = parts.core.clone();
        let cancel = || parts.core.cancel();
        let outcome = parts.lanes.run(py, 0, cancel, move || work(&core))?;
        outcome.map_err(|error| raise(py, &error))
    }
}
