//! What `hamq-bench` is asked for.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hamq_core::{Error, ErrorKind, Result};
use lexopt::{Arg, Parser, ValueExt};

use super::floor::FloorOptions;
use super::plan::Options;
use super::workload::WORKLOADS;

/// How it is called.
pub const USAGE: &str = "\
hamq-bench run [WORKLOAD,...] [--seconds S] [--rounds N] [--big] [--body BYTES]
               [--folder FOLDER] [--program HAMQ] [--json FILE] [--timeout S]
hamq-bench floor --listen ADDRESS:PORT --file FILE [--supervised]
hamq-bench list";

/// A role of this program.
#[derive(Clone, Debug)]
pub enum Role {
    /// Measure.
    Run(Options),
    /// Be the floor.
    Floor(FloorOptions),
    /// Say which workloads there are.
    List,
}

/// Reads the arguments behind the program's name. `program` is the `hamq` beside this one.
///
/// # Errors
/// `Usage`.
pub fn parse(arguments: impl IntoIterator<Item = OsString>, program: PathBuf) -> Result<Role> {
    let mut parser = Parser::from_args(arguments);
    let Some(Word::Value(role)) = next(&mut parser)? else {
        return Err(usage("what to do is missing"));
    };
    match role.as_str() {
        "run" => parse_run(&mut parser, program).map(Role::Run),
        "floor" => parse_floor(&mut parser).map(Role::Floor),
        "list" => Ok(Role::List),
        other => Err(usage(format!("{other} is nothing to do"))),
    }
}

/// The workloads, one a line.
#[must_use]
pub fn list() -> String {
    let line = |w: &super::workload::Workload| format!("{:<9} {}\n", w.letter, w.about);
    WORKLOADS.iter().map(line).collect()
}

enum Word {
    Option(String),
    Value(String),
}

fn usage(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, text).hint(USAGE)
}

fn next(parser: &mut Parser) -> Result<Option<Word>> {
    match parser.next().map_err(|e| usage(e.to_string()))? {
        None => Ok(None),
        Some(Arg::Long(name)) => Ok(Some(Word::Option(format!("--{name}")))),
        Some(Arg::Value(value)) => Ok(Some(Word::Value(value.to_string_lossy().into_owned()))),
        Some(other) => Err(usage(other.unexpected().to_string())),
    }
}

fn value(parser: &mut Parser) -> Result<OsString> {
    parser.value().map_err(|e| usage(e.to_string()))
}

fn number<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    parser: &mut Parser,
) -> Result<T> {
    value(parser)?.parse().map_err(|e| usage(e.to_string()))
}

fn seconds(parser: &mut Parser) -> Result<Duration> {
    let seconds = number(parser)?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if (0.05..=86_400.0).contains(&seconds) => Ok(time),
        _ => Err(usage(format!(
            "{seconds} seconds: 0.05 to 86400 are allowed"
        ))),
    }
}

fn parse_run(parser: &mut Parser, program: PathBuf) -> Result<Options> {
    let mut options = Options {
        workloads: Vec::new(),
        time: Duration::from_secs(2),
        rounds: 3,
        big: false,
        body_bytes: 1024,
        folder: PathBuf::from("target/bench"),
        program,
        json: None,
        timeout: Duration::from_secs(3600),
    };
    while let Some(word) = next(parser)? {
        match word {
            Word::Value(letters) => {
                let letters = letters.split(',').filter(|letter| !letter.is_empty());
                options.workloads.extend(letters.map(str::to_owned));
            }
            Word::Option(option) => match option.as_str() {
                "--seconds" => options.time = seconds(parser)?,
                "--rounds" => options.rounds = number::<u32>(parser)?.clamp(1, 1000),
                "--big" => options.big = true,
                "--body" => options.body_bytes = number::<usize>(parser)?.clamp(8, 1 << 20),
                "--folder" => options.folder = value(parser)?.into(),
                "--program" => options.program = value(parser)?.into(),
                "--json" => options.json = Some(value(parser)?.into()),
                "--timeout" => options.timeout = seconds(parser)?,
                other => return Err(usage(format!("{other} is no option"))),
            },
        }
    }
    Ok(options)
}

fn parse_floor(parser: &mut Parser) -> Result<FloorOptions> {
    let (mut listen, mut file, mut supervised) = (None, None, false);
    while let Some(word) = next(parser)? {
        match word {
            Word::Option(option) if option == "--listen" => {
                listen = Some(number::<SocketAddr>(parser)?);
            }
            Word::Option(option) if option == "--file" => file = Some(value(parser)?.into()),
            Word::Option(option) if option == "--supervised" => supervised = true,
            Word::Option(other) | Word::Value(other) => {
                return Err(usage(format!("{other} is no option")));
            }
        }
    }
    Ok(FloorOptions {
        listen: listen.ok_or_else(|| usage("--listen is missing"))?,
        file: file.ok_or_else(|| usage("--file is missing"))?,
        supervised,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Role> {
        parse(line.split_whitespace().map(OsString::from), "hamq".into())
    }

    #[test]
    fn a_run_is_read() {
        let line = "run a,e1 --seconds 0.5 --rounds 5 --big --body 100 --json out.json b";
        let Ok(Role::Run(options)) = read(line) else {
            panic!("no run");
        };
        assert_eq!(options.workloads, ["a", "e1", "b"]);
        assert_eq!(
            (options.time, options.rounds),
            (Duration::from_millis(500), 5)
        );
        assert!(options.big && options.json.is_some() && options.body_bytes == 100);
    }

    #[test]
    fn what_is_off_is_said_with_the_right_form() {
        for (line, part) in [
            ("", "missing"),
            ("dance", "dance"),
            ("run --seconds never", "never"),
            ("run --seconds 0", "0 seconds"),
            ("run --fast", "--fast"),
            ("floor --file x", "--listen is missing"),
            ("floor --listen nowhere", "socket address"),
            ("run -x", "-x"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.message.contains(part), "{line}: {error}");
            assert!(error.hint.unwrap().contains("hamq-bench run"));
        }
    }
}
