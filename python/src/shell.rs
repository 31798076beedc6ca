//! The `hamq` command inside the Python package: the same `main` as the binary's.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitCode, Termination};

use pyo3::prelude::*;

/// Runs the command line `arguments` (without the program's name) to its exit code. `program` starts
/// this same command again: nodes and queue managers are processes of it.
#[pyfunction]
pub(crate) fn run_shell(py: Python<'_>, arguments: Vec<OsString>, program: Vec<PathBuf>) -> i32 {
    let code = py.detach(|| hamq_shell::main_with(arguments, program));
    number(code)
}

/// `ExitCode` tells its number to nobody but the process that ends with it, so it is compared.
fn number(code: ExitCode) -> i32 {
    let code = code.report();
    (0..=u8::MAX)
        .find(|candidate| ExitCode::from(*candidate) == code)
        .map_or(1, i32::from)
}
