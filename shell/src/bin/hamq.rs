//! The `hamq` command.

fn main() -> std::process::ExitCode {
    hamq_shell::main(std::env::args_os().skip(1).collect())
}
