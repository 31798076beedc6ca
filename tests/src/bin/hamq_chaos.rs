//! `hamq-chaos WORLD [--seed N] [--events N] [--failovers N] [--faults A,B] [--seconds N] [--backlog-mib N] [--keep] [--fast]`: faults
//! on a cluster under load, and what they cost; --keep leaves the cluster's folder with its logs, --fast lets hosts notice silence after 300 ms.
//!
//! WORLD is `machine` (three nodes here, SQLite), `small-disk` (the same on a disk that can run full; root) or `hosts` (three
//! hosts in network namespaces, etcd on three others; root). `hamq-chaos crowd [--groups N] [--nodes N] [--events N]` loses one of many
//! nodes with many groups, again and again. The program under test is the
//! `hamq-under-test` beside this one unless --program PATH names another. scripts/measure-failover calls it once for each row of its table.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints figures, and its progress beside them"
)]

use std::process::ExitCode;
use std::time::Duration;

use hamq_core::{Error, ErrorKind, Result};
use hamq_tests::chaos::crowd::{Crowd, Losses};
use hamq_tests::chaos::hosts::Hosts;
use hamq_tests::chaos::machine::Machine;
use hamq_tests::chaos::rehearsal::{Plan, rehearse};
use hamq_tests::chaos::world::World;
use lexopt::{Arg, Parser, ValueExt};

const HELP: &str = "\
hamq-chaos machine|small-disk|hosts [--seed N] [--events N] [--failovers N] [--faults A,B] [--seconds N] [--backlog-mib N]
                                    [--keep] [--fast] [--program PATH]
hamq-chaos crowd [--groups N] [--nodes N] [--events N] [--program PATH]
machine: three nodes here; small-disk: the same on a disk that can run full (root); hosts: three hosts in network namespaces (root)";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hamq-chaos: {error}");
            ExitCode::from(2)
        }
    }
}

/// What the command line says.
struct Asked {
    kind: String,
    program: Option<String>,
    plan: Plan,
    nodes: u8,
    groups: u8,
    keep: bool,
    fast: bool,
}

fn run() -> Result<bool> {
    let usage = |error: lexopt::Error| Error::new(ErrorKind::Usage, error.to_string());
    let asked = read(Parser::from_env()).map_err(usage)?;
    let this = std::env::current_exe().map_err(|e| Error::system("this program", &e))?;
    let beside = || this.with_file_name("hamq-under-test").display().to_string();
    let program = asked.program.clone().unwrap_or_else(beside);
    match asked.kind.as_str() {
        "crowd" => lose_nodes(&asked, &program),
        "help" => {
            println!("{HELP}");
            Ok(true)
        }
        kind => play(kind, &asked, &program),
    }
}

fn lose_nodes(asked: &Asked, program: &str) -> Result<bool> {
    let crowd = Crowd::new(program, asked.nodes, asked.groups)?;
    let mut losses = Losses::default();
    for event in 0..usize::try_from(asked.plan.events).unwrap_or(usize::MAX) {
        let loss = crowd.lose(event)?;
        eprintln!("{event}: {loss:?}");
        losses.0.push(loss);
    }
    println!("{losses}");
    Ok(true)
}

fn play(kind: &str, asked: &Asked, program: &str) -> Result<bool> {
    let mut world: Box<dyn World> = match kind {
        "machine" => Box::new(Machine::new(program, false)?),
        "small-disk" => Box::new(Machine::new(program, true)?),
        "hosts" => Box::new(Hosts::new(program, asked.fast)?),
        other => {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{other:?} is no world: machine, small-disk, hosts, crowd"),
            ));
        }
    };
    if asked.keep {
        eprintln!("kept: {}", world.keep().display());
    }
    let report = rehearse(world.as_mut(), &asked.plan, &mut |line| eprintln!("{line}"))?;
    println!("{report}");
    Ok(report.passed())
}

fn read(mut parser: Parser) -> std::result::Result<Asked, lexopt::Error> {
    let (mut kind, mut program) = (String::new(), None);
    let (mut nodes, mut groups, mut keep, mut fast) = (5, 200, false, false);
    let mut plan = Plan {
        seed: 1,
        events: 100,
        failovers: u64::MAX,
        only: Vec::new(),
        longest: Duration::from_secs(24 * 3600),
        backlog_mib: 0,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(word) => kind = word.string()?,
            Arg::Long("program") => program = Some(parser.value()?.string()?),
            Arg::Long("seed") => plan.seed = parser.value()?.parse()?,
            Arg::Long("events") => plan.events = parser.value()?.parse()?,
            Arg::Long("failovers") => plan.failovers = parser.value()?.parse()?,
            Arg::Long("seconds") => plan.longest = Duration::from_secs(parser.value()?.parse()?),
            Arg::Long("backlog-mib") => plan.backlog_mib = parser.value()?.parse()?,
            Arg::Long("nodes") => nodes = parser.value()?.parse()?,
            Arg::Long("groups") => groups = parser.value()?.parse()?,
            Arg::Long("keep") => keep = true,
            Arg::Long("fast") => fast = true,
            Arg::Long("faults") => {
                let words = parser.value()?.string()?;
                let faults = words
                    .split(',')
                    .map(str::parse)
                    .collect::<std::result::Result<_, String>>();
                plan.only = faults.map_err(|text| lexopt::Error::Custom(text.into()))?;
            }
            Arg::Short('h') | Arg::Long("help") => kind = "help".to_owned(),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Asked {
        kind,
        program,
        plan,
        nodes,
        groups,
        keep,
        fast,
    })
}
