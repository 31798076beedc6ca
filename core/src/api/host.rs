//! Who runs a command that came in over the wire.

use std::future::Future;
use std::pin::Pin;

use super::value::Value;
use crate::error::Result;
use crate::sys::trust::Caller;

/// Runs commands by name: the node agent is one.
pub trait CommandHost: Send + Sync + 'static {
    /// Runs the command `name` with `arguments` (a map of its parameters) to its output: one record or
    /// a list of them.
    fn run(
        &self,
        name: String,
        arguments: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value>> + Send>>;

    /// Whether who has proven to have a certificate of the cluster may give this command.
    ///
    /// # Errors
    /// `AccessDenied` for a node that was evicted, and for a client that may not.
    fn admits(&self, caller: &Caller, command: &str) -> Result<()>;
}
