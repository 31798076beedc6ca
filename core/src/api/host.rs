//! Who runs a command that came in over the wire.

use std::future::Future;
use std::pin::Pin;

use super::value::Value;
use crate::error::Result;
use crate::sys::trust::Caller;

/// A command that was given.
#[derive(Clone, Debug)]
pub struct Given {
    /// By whom: a user of this machine, `client alice from 10.0.0.9`, `node n2`.
    pub who: String,
    /// Its name.
    pub command: String,
    /// Its parameters.
    pub arguments: Value,
    /// `-Reason`.
    pub reason: Option<String>,
}

/// Runs commands by name: the node agent is one.
pub trait CommandHost: Send + Sync + 'static {
    /// Runs the command `name` with `arguments` (a map of its parameters) to its output: one record or
    /// a list of them.
    fn run(
        &self,
        name: String,
        arguments: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value>> + Send>>;

    /// Writes down who gave a command that changes something, why, and what came of it.
    fn audit(&self, given: &Given, outcome: &Result<Value>);

    /// Whether who has proven to have a certificate of the cluster may give this command.
    ///
    /// # Errors
    /// `AccessDenied` for a node that was evicted, and for a client that may not.
    fn admits(&self, caller: &Caller, command: &str) -> Result<()>;
}
