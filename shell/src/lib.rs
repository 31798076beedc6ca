//! The `hamq` command: the shell, and the roles a process can take.

pub mod role;

/// Runs the command line `arguments` (without the program's name) to its exit code.
#[must_use]
pub fn main(arguments: Vec<std::ffi::OsString>) -> std::process::ExitCode {
    role::run(&arguments).unwrap_or(std::process::ExitCode::SUCCESS)
}

/// As [`main`], with the program that starts this command again when it is not this executable.
#[must_use]
pub fn main_with(
    arguments: Vec<std::ffi::OsString>,
    program: Vec<std::path::PathBuf>,
) -> std::process::ExitCode {
    let _ = program;
    main(arguments)
}
