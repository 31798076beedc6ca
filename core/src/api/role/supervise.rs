//! `hamq supervise`: a foreign command that ends with its supervisor.

use std::ffi::OsString;

use crate::error::Result;
use crate::sys::process::{SuperviseOptions, supervise};

/// Runs the command that `arguments` name to its exit code. `program` is all that came before them.
///
/// # Errors
/// `Usage`.
pub fn run_supervise(
    program: Vec<OsString>,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<i32> {
    Ok(supervise(&SuperviseOptions::parse(program, arguments)?))
}
