//! `hamq-bench`: whole-process figures beside a floor. docs/performance.md says how to read them.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints figures, and its progress beside them"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use hamq_core::{Error, ErrorKind, Result};
use hamq_tests::bench::command_line::{self, Role};
use hamq_tests::bench::floor;
use hamq_tests::bench::plan::{self, Options};

/// Exit code of a wrong call.
const USAGE: u8 = 2;
/// Exit code of a run that was given up.
const TIMEOUT: i32 = 3;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let outcome = match command_line::parse(arguments, hamq_beside_this()) {
        Ok(Role::Run(options)) => run(&options),
        Ok(Role::Floor(options)) => floor::serve(&options).map(|()| ExitCode::SUCCESS),
        Ok(Role::List) => {
            print!("{}", command_line::list());
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(error),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("hamq-bench: {error}");
        if let Some(hint) = &error.hint {
            eprintln!("hint: {hint}");
        }
        match error.kind {
            ErrorKind::Usage => ExitCode::from(USAGE),
            _ => ExitCode::FAILURE,
        }
    })
}

/// The `hamq` that was built with this program.
fn hamq_beside_this() -> PathBuf {
    let this = std::env::current_exe().unwrap_or_default();
    this.with_file_name("hamq")
}

fn run(options: &Options) -> Result<ExitCode> {
    give_up_after(options.timeout)?;
    let outcome = plan::run(options, &mut |what| eprintln!("{what}"))?;
    println!("{}", outcome.report.table());
    let (met, judged) = outcome.report.aims();
    println!(
        "{met} of {judged} aims met; medians of {} rounds",
        options.rounds
    );
    if let Some((median, most)) = outcome.report.disturbance() {
        println!("others used {median:.2} cores meanwhile (median), {most:.2} at most");
    }
    for warning in &outcome.warnings {
        println!("warning: {warning}");
    }
    for failure in &outcome.failures {
        println!("failed: {failure}");
    }
    if let Some(file) = &options.json {
        let text = format!("{:#}\n", outcome.json(options));
        std::fs::write(file, text).map_err(|e| Error::system(file.display(), &e))?;
    }
    Ok(match outcome.failures.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Ends this process when the run takes too long; the servers end with it.
fn give_up_after(time: Duration) -> Result<()> {
    let give_up = move || {
        std::thread::sleep(time);
        eprintln!("hamq-bench: given up after {time:?}");
        eprintln!("hint: choose fewer workloads, or give it more time by --timeout SECONDS");
        std::process::exit(TIMEOUT);
    };
    std::thread::Builder::new()
        .spawn(give_up)
        .map(drop)
        .map_err(|e| Error::system("start a thread", &e))
}
