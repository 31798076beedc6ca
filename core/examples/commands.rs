//! Writes the reference of all commands to standard output: `docs/commands.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let text = hamq_core::api::reference::commands_markdown();
    std::io::stdout().lock().write_all(text.as_bytes())
}
