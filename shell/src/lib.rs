//! The `hamq` command: the shell, and the roles a process can take.

/// Runs the command line `arguments` (without the program's name) to its exit code.
#[must_use]
pub fn main(arguments: Vec<std::ffi::OsString>) -> std::process::ExitCode {
    let _ = arguments;
    std::process::ExitCode::SUCCESS
}
