//! The native half of the Python package `hamq`: conversions, and nothing that decides.
//!
//! ```text
//!  hamq (Python)            _native (here)                      hamq-core
//!  connect(), Cluster  ──── Client   ── lane: GIL released ──── api::Client   (commands)
//!  Queue, Transaction  ──── Door     ── lane: GIL released ──── api::Session  (messages)
//!  QueueManager        ──── Door     ── no lane, one channel ── queue::Manager, in this process
//!  __main__            ──── run_shell ───────────────────────── hamq_shell::main_with
//! ```
//!
//! Every call leaves the interpreter free while it waits, ends on Ctrl-C, and refuses to work in a
//! forked child.

mod call;
mod choice;
mod client;
mod cursor;
mod door;
mod embedded;
mod error;
mod fork;
mod lane;
mod message;
mod shell;
mod upload;
mod value;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::client::Client;
    #[pymodule_export]
    use super::cursor::Cursor;
    #[pymodule_export]
    use super::door::Door;
    #[pymodule_export]
    use super::error::error_kinds;
    #[pymodule_export]
    use super::fork::after_fork_in_child;
    #[pymodule_export]
    use super::message::Message;
    #[pymodule_export]
    use super::shell::run_shell;
    #[pymodule_export]
    use super::value::command_names;
    use super::{Bound, PyModule, PyModuleMethods, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
