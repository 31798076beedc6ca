//! The `hamq` command under the name that tests start it by.

fn main() -> std::process::ExitCode {
    hamq_shell::main(std::env::args_os().skip(1).collect())
}
