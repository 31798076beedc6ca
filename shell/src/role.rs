//! The roles a process can take beside the shell.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs a role when `arguments` name one; `None` for the shell itself.
pub(crate) fn run(arguments: &[OsString]) -> Option<ExitCode> {
    let _ = arguments;
    None
}
