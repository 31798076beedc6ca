//! The `hamq` command: the shell, and the roles a process can take.
//!
//! ```text
//!  main ─ role            node, queue-manager, … (other processes)
//!    └─ repl | -c | run ─ session ─ script (rhai) ─ pipeline ─ cmdlet ─ core's client
//!                            ▲          ▲
//!                          editor     syntax                    render ─> output
//! ```

pub mod audit;
pub mod cmdlet;
mod command_line;
pub mod context;
pub mod editor;
mod manual;
mod monitor;
pub mod pipeline;
pub mod render;
mod repl;
pub mod role;
pub mod script;
pub mod session;
pub mod syntax;
mod test_run;
#[cfg(test)]
mod tests;
pub mod transcript;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the command line `arguments` (without the program's name) to its exit code.
#[must_use]
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let program = std::env::current_exe()
        .map(|path| vec![path])
        .unwrap_or_default();
    main_with(arguments, program)
}

/// The same for an embedding, which says how to start itself: a program and its leading arguments.
#[must_use]
#[expect(
    clippy::needless_pass_by_value,
    reason = "a command line is handed over"
)]
pub fn main_with(arguments: Vec<OsString>, program: Vec<PathBuf>) -> ExitCode {
    match role::run_with(&arguments, &program) {
        Some(code) => code,
        None => command_line::run(&arguments, program),
    }
}
