//! The roles a process can take beside the shell: `node`, `queue-manager`, `supervise`, `store`.

use std::ffi::OsString;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use hamq_core::api::arguments::parse_duration;
use hamq_core::api::role::{
    HostFile, JoinOptions, NodeOptions, QueueManagerOptions, StoreCommand, create_host,
    install_host, join_host, run_leash, run_node, run_queue_manager, run_store, run_supervise,
};
use hamq_core::cluster::agent::Timing;
use hamq_core::database::Location;
use hamq_core::{Error, ErrorKind, Result};
use lexopt::{Arg, Parser, ValueExt};

/// Exit code of a role that was called in a wrong way.
const USAGE: u8 = 2;
/// Exit code of a look at a store that is damaged.
const DAMAGED: u8 = 2;
/// Exit code of a supervised role that failed.
const FAILED: u8 = 3;

/// Runs a role when `arguments` name one; `None` for the shell itself. Children are started by the program
/// that this process runs.
#[must_use]
pub fn run(arguments: &[OsString]) -> Option<ExitCode> {
    let program = std::env::current_exe().map(|path| vec![path]);
    run_with(arguments, &program.unwrap_or_default())
}

/// As [`run`], with `program` (and its leading arguments) to start children by.
#[must_use]
pub fn run_with(arguments: &[OsString], program: &[PathBuf]) -> Option<ExitCode> {
    let (role, rest) = arguments.split_first()?;
    let rest = rest.iter().cloned();
    let outcome = match role.to_str()? {
        "node" => node(rest.collect(), program),
        "queue-manager" => match read_queue_manager(Parser::from_args(rest)) {
            Ok(options) => {
                let outcome = run_queue_manager(&options);
                if outcome.is_err() && options.supervised {
                    return Some(ExitCode::from(FAILED));
                }
                outcome
            }
            Err(error) => Err(error),
        },
        "supervise" => {
            let mut program: Vec<OsString> = program.iter().map(OsString::from).collect();
            program.push("supervise".into());
            match run_supervise(program, rest) {
                Ok(code) => return Some(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))),
                Err(error) => Err(error),
            }
        }
        "leash" => run_leash(),
        "store" => return Some(store(Parser::from_args(rest))),
        _ => return None,
    };
    Some(report(outcome))
}

/// `hamq store`: 0 sound, 2 damaged, 1 when it could not look.
fn store(parser: Parser) -> ExitCode {
    let outcome = read_store(parser).and_then(|command| {
        // Not locked for long: a report of a large store goes out as it comes.
        run_store(&command, &mut std::io::stdout())
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DAMAGED),
        Err(error) => {
            report(Err(error));
            ExitCode::FAILURE
        }
    }
}

fn read_store(mut parser: Parser) -> Result<StoreCommand> {
    const HINT: &str = "hamq store check FOLDER [--json] | dump FOLDER [--bodies] | trace FOLDER MESSAGE-ID | salvage FOLDER TARGET";
    let usage = |text: String| Error::new(ErrorKind::Usage, format!("store: {text}")).hint(HINT);
    let (mut words, mut json, mut bodies) = (Vec::new(), false, false);
    while let Some(argument) = parser.next().map_err(|e| usage(e.to_string()))? {
        match argument {
            Arg::Value(word) => words.push(word),
            Arg::Long("json") => json = true,
            Arg::Long("bodies") => bodies = true,
            other => return Err(usage(other.unexpected().to_string())),
        }
    }
    let mut words = words.into_iter();
    let verb = words.next().unwrap_or_default();
    let mut folder = |what: &str| {
        let word = words.next().map(PathBuf::from);
        word.ok_or_else(|| usage(format!("{what} is missing")))
    };
    let command = match verb.to_str() {
        Some("check") if !bodies => StoreCommand::Check {
            folder: folder("FOLDER")?,
            json,
        },
        Some("dump") if !json => StoreCommand::Dump {
            folder: folder("FOLDER")?,
            bodies,
        },
        Some("trace") if !json && !bodies => StoreCommand::Trace {
            folder: folder("FOLDER")?,
            message: folder("MESSAGE-ID")?.to_string_lossy().into_owned(),
        },
        Some("salvage") if !json && !bodies => StoreCommand::Salvage {
            folder: folder("FOLDER")?,
            target: folder("TARGET")?,
        },
        Some("check" | "dump" | "trace" | "salvage") => {
            return Err(usage("--json is for check, --bodies for dump".to_owned()));
        }
        _ => return Err(usage(format!("{} is no verb", verb.to_string_lossy()))),
    };
    match words.next() {
        None => Ok(command),
        Some(more) => Err(usage(format!("{} is too much", more.to_string_lossy()))),
    }
}

/// Says on standard error what went wrong, and what to do about it.
fn report(outcome: Result<()>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "hamq: {}: {error}", error.kind);
    if let Some(hint) = &error.hint {
        let _ = writeln!(out, "hint: {hint}");
    }
    match error.kind {
        ErrorKind::Usage => ExitCode::from(USAGE),
        _ => ExitCode::FAILURE,
    }
}

const NODE_HINT: &str =
    "hamq node create --cluster NAME --name NODE --listen ADDRESS --data FOLDER --database FILE|etcd://…
                       [--same-subnet-delay 100ms] [--same-subnet-threshold 10] [--lease-ttl 2s]
      hamq node join TOKEN --name NODE --listen ADDRESS --data FOLDER [--database FILE|etcd://…]
      hamq node start --data FOLDER
      hamq node install --data FOLDER [--print]";

/// `hamq node VERB …`; without a verb, a node of a local cluster, all of it told by options.
fn node(words: Vec<OsString>, program: &[PathBuf]) -> Result<()> {
    let verb = words
        .first()
        .and_then(|word| word.to_str())
        .unwrap_or_default();
    let arguments = std::iter::once("node".into()).chain(words.iter().cloned());
    let arguments: Vec<OsString> = arguments.collect();
    if verb.is_empty() || verb.starts_with("--") {
        let options = read_node(Parser::from_args(words), program)?;
        return run_node(&NodeOptions {
            arguments,
            ..options
        });
    }
    let parser = Parser::from_args(words.iter().skip(1).cloned());
    let host = read_host(verb, parser)?;
    let out = &mut std::io::stdout();
    match host {
        Host::Create { file, data } => create_host(&file, &data, out),
        Host::Join(options) => join_host(&options, out),
        Host::Start { data, supervised } => {
            let file = HostFile::load(&data)?;
            let options = file.options(data, supervised, program.to_vec())?;
            run_node(&NodeOptions {
                arguments,
                ..options
            })
        }
        Host::Install { data, print } => {
            let program = program.first().cloned().unwrap_or_default();
            install_host(&data, &program, print, out)
        }
    }
}

/// A verb of `hamq node` with what it was told.
#[derive(Debug)]
enum Host {
    Create { file: HostFile, data: PathBuf },
    Join(JoinOptions),
    Start { data: PathBuf, supervised: bool },
    Install { data: PathBuf, print: bool },
}

fn read_host(verb: &str, mut parser: Parser) -> Result<Host> {
    let usage =
        |text: String| Error::new(ErrorKind::Usage, format!("node {verb}: {text}")).hint(NODE_HINT);
    let (mut token, mut cluster, mut name, mut listen) = (None, None, None, None);
    let (mut data, mut database, mut print, mut supervised) = (None, None, false, false);
    let mut timing = Timing::default();
    let duration = |word: &OsString| {
        let millis = parse_duration(&text(word)).map(Duration::from_millis);
        millis.ok_or_else(|| usage(format!("{} is no duration", text(word))))
    };
    while let Some(argument) = parser.next().map_err(|e| usage(e.to_string()))? {
        let option = match argument {
            Arg::Value(word) if verb == "join" && token.is_none() => {
                token = Some(text(&word));
                continue;
            }
            Arg::Long(option) => option.to_owned(),
            other => return Err(usage(other.unexpected().to_string())),
        };
        let mut value = || parser.value().map_err(|e| usage(e.to_string()));
        match (verb, option.as_str()) {
            ("create", "cluster") => cluster = Some(text(&value()?)),
            ("create" | "join", "name") => name = Some(text(&value()?)),
            ("create" | "join", "listen") => listen = Some(text(&value()?)),
            ("create", "same-subnet-delay") => timing.same_subnet_delay = duration(&value()?)?,
            ("create", "lease-ttl") => timing.lease_ttl = duration(&value()?)?,
            ("create", "same-subnet-threshold") => {
                let number = text(&value()?);
                timing.same_subnet_threshold = number
                    .parse()
                    .map_err(|_| usage(format!("{number} is no number of heartbeats")))?;
            }
            ("create" | "join", "database") => database = Some(text(&value()?)),
            (_, "data") => data = Some(PathBuf::from(value()?)),
            ("start", "supervised") => supervised = true,
            ("install", "print") => print = true,
            _ => return Err(usage(format!("--{option} is no option"))),
        }
    }
    let missing = |what: &str| usage(format!("{what} is missing"));
    let address = |text: Option<String>| {
        let text = text.ok_or_else(|| missing("--listen"))?;
        let parsed = text.parse::<IpAddr>();
        parsed.map_err(|_| usage(format!("{text} is no address")))
    };
    let data = data.ok_or_else(|| missing("--data"))?;
    Ok(match verb {
        "create" => Host::Create {
            file: HostFile {
                cluster: cluster.ok_or_else(|| missing("--cluster"))?,
                name: name.ok_or_else(|| missing("--name"))?,
                listen: address(listen)?,
                database: database.ok_or_else(|| missing("--database"))?,
                timing,
            },
            data,
        },
        "join" => Host::Join(JoinOptions {
            token: token.ok_or_else(|| missing("TOKEN"))?,
            name: name.ok_or_else(|| missing("--name"))?,
            listen: address(listen)?,
            database,
            data,
        }),
        "start" => Host::Start { data, supervised },
        "install" => Host::Install { data, print },
        _ => return Err(usage("there is no such verb".to_owned())),
    })
}

fn read_node(mut parser: Parser, program: &[PathBuf]) -> Result<NodeOptions> {
    const HINT: &str = "hamq node --cluster NAME --name NODE --listen ADDRESS --data FOLDER \
                        --database FILE|etcd://… [--supervised] [--level N]";
    let usage = |text: String| Error::new(ErrorKind::Usage, format!("node: {text}")).hint(HINT);
    let (mut cluster, mut name, mut listen) = (None, None, None);
    let (mut data, mut database, mut supervised, mut level) = (None, None, false, None);
    while let Some(option) = next_option(&mut parser).map_err(|e| usage(e.to_string()))? {
        let mut value = || parser.value().map_err(|e| usage(e.to_string()));
        match option.as_str() {
            "--cluster" => cluster = Some(text(&value()?)),
            "--name" => name = Some(text(&value()?)),
            "--listen" => listen = Some(text(&value()?)),
            "--data" => data = Some(PathBuf::from(value()?)),
            "--database" => database = Some(location(value()?)?),
            "--supervised" => supervised = true,
            "--level" => {
                let number = text(&value()?);
                let parsed = number.parse::<u64>();
                level = Some(parsed.map_err(|_| usage(format!("{number} is no level")))?);
            }
            other => return Err(usage(format!("{other} is no option"))),
        }
    }
    let missing = |option: &str| usage(format!("{option} is missing"));
    let listen = listen.ok_or_else(|| missing("--listen"))?;
    Ok(NodeOptions {
        cluster: cluster.ok_or_else(|| missing("--cluster"))?,
        name: name.ok_or_else(|| missing("--name"))?,
        listen: listen
            .parse::<IpAddr>()
            .map_err(|_| usage(format!("{listen} is no address")))?,
        data: data.ok_or_else(|| missing("--data"))?,
        database: database.ok_or_else(|| missing("--database"))?,
        supervised,
        program: program.to_vec(),
        arguments: Vec::new(),
        level,
        timing: Timing::default(),
    })
}

/// Where a cluster database lies: a path that is no text can only be a file's.
fn location(value: OsString) -> Result<Location> {
    match value.to_str() {
        Some(text) => text.parse(),
        None => Ok(Location::Sqlite(PathBuf::from(value))),
    }
}

fn read_queue_manager(mut parser: Parser) -> Result<QueueManagerOptions> {
    const HINT: &str = "hamq queue-manager --name NAME --store FOLDER --listen ADDRESS:PORT \
                        [--tls FOLDER] [--socket PATH] [--metrics ADDRESS:PORT] [--epoch E] [--owner NODE] [--deadline MS] [--supervised]";
    let usage =
        |text: String| Error::new(ErrorKind::Usage, format!("queue-manager: {text}")).hint(HINT);
    let (mut name, mut store, mut listen, mut tls, mut socket) = (None, None, None, None, None);
    let mut metrics: Option<String> = None;
    let (mut epoch, mut owner, mut deadline, mut supervised) = (None, None, None, false);
    while let Some(option) = next_option(&mut parser).map_err(|e| usage(e.to_string()))? {
        let mut value = || parser.value().map_err(|e| usage(e.to_string()));
        match option.as_str() {
            "--name" => name = Some(text(&value()?)),
            "--store" => store = Some(PathBuf::from(value()?)),
            "--listen" => listen = Some(text(&value()?)),
            "--tls" => tls = Some(PathBuf::from(value()?)),
            "--socket" => socket = Some(PathBuf::from(value()?)),
            "--metrics" => metrics = Some(text(&value()?)),
            "--epoch" => epoch = Some(number(&value()?, &usage)?),
            "--owner" => owner = Some(text(&value()?)),
            "--deadline" => deadline = Some(number(&value()?, &usage)?),
            "--supervised" => supervised = true,
            other => return Err(usage(format!("{other} is no option"))),
        }
    }
    let missing = |option: &str| usage(format!("{option} is missing"));
    let listen = listen.ok_or_else(|| missing("--listen"))?;
    let name = name.ok_or_else(|| missing("--name"))?;
    Ok(QueueManagerOptions {
        store: store.ok_or_else(|| missing("--store"))?,
        listen: parse_address(&listen, &usage)?,
        tls,
        socket,
        metrics: metrics
            .map(|address| parse_address(&address, &usage))
            .transpose()?,
        epoch,
        owner: owner.unwrap_or_else(|| name.clone()),
        deadline: deadline.map(Duration::from_millis),
        supervised,
        name,
    })
}

/// The next option as it is spelled. Nothing here is positional and nothing has a short form.
fn next_option(parser: &mut Parser) -> Result<Option<String>, lexopt::Error> {
    match parser.next()? {
        None => Ok(None),
        Some(Arg::Long(name)) => Ok(Some(format!("--{name}"))),
        Some(other) => Err(other.unexpected()),
    }
}

fn parse_address(text: &str, usage: &impl Fn(String) -> Error) -> Result<SocketAddr> {
    let parsed = text.parse();
    parsed.map_err(|_| usage(format!("{text} is no ADDRESS:PORT")))
}

fn text(value: &OsString) -> String {
    value.to_string_lossy().into_owned()
}

fn number(value: &OsString, usage: &impl Fn(String) -> Error) -> Result<u64> {
    value.parse().map_err(|e| usage(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser(line: &str) -> Parser {
        Parser::from_args(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_queue_manager_is_read() {
        let line = "--name VS1 --store /s --listen 127.0.9.1:7801 --epoch 4 --deadline=900";
        let options = read_queue_manager(parser(line)).unwrap();
        assert_eq!((options.epoch, options.owner.as_str()), (Some(4), "VS1"));
        assert_eq!(options.deadline, Some(Duration::from_millis(900)));
        assert!(!options.supervised);
    }

    #[test]
    fn what_is_off_is_said_with_the_right_form() {
        for (line, part) in [
            ("--name VS1", "--listen is missing"),
            (
                "--listen nowhere --name a --store b",
                "nowhere is no ADDRESS:PORT",
            ),
            ("--epoch soon", "soon"),
            ("--frobnicate", "--frobnicate"),
            ("--name", "name"),
        ] {
            let error = read_queue_manager(parser(line)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Usage);
            assert!(error.message.contains(part), "{line}: {error}");
            assert!(error.hint.unwrap().contains("--store FOLDER"));
        }
        let error = read_node(parser("--listen x --cluster a --name b"), &[]).unwrap_err();
        assert!(error.message.contains("x is no address") || error.message.contains("--data"));
    }

    #[test]
    fn what_a_host_shall_do_is_read() {
        let create = "--cluster prod --name n1 --listen 10.0.0.1 --data /d --database /q/c.db";
        let Host::Create { file, .. } = read_host("create", parser(create)).unwrap() else {
            panic!("not a creation");
        };
        assert_eq!(
            (file.cluster.as_str(), file.database.as_str()),
            ("prod", "/q/c.db")
        );
        let join = "hamq-join-00 --name n2 --listen fd00::2 --data /d";
        let Host::Join(options) = read_host("join", parser(join)).unwrap() else {
            panic!("not a joining");
        };
        assert_eq!(
            (options.token.as_str(), options.database),
            ("hamq-join-00", None)
        );
        for (verb, line, part) in [
            ("start", "", "--data is missing"),
            ("start", "--data /d --print", "--print is no option"),
            (
                "join",
                "--name n2 --listen 10.0.0.2 --data /d",
                "TOKEN is missing",
            ),
            (
                "create",
                "--data /d --cluster c --name n --listen x",
                "x is no address",
            ),
            ("mend", "--data /d", "no such verb"),
            ("install", "word --data /d", "word"),
        ] {
            let error = read_host(verb, parser(line)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Usage);
            assert!(error.message.contains(part), "{verb} {line}: {error}");
            assert!(error.hint.unwrap().contains("hamq node join TOKEN"));
        }
    }

    #[test]
    fn a_look_at_a_store_is_read() {
        let read = |line: &str| read_store(parser(line));
        let target = "/b".into();
        let folder = || PathBuf::from("/a");
        let salvage = StoreCommand::Salvage {
            folder: folder(),
            target,
        };
        assert_eq!(read("salvage /a /b").unwrap(), salvage);
        let json = true;
        let check = StoreCommand::Check {
            folder: folder(),
            json,
        };
        assert_eq!(read("check /a --json").unwrap(), check);
        for wrong in [
            "",
            "check",
            "salvage /a",
            "dump /a --json",
            "mend /a",
            "check /a /b",
        ] {
            assert_eq!(read(wrong).unwrap_err().kind, ErrorKind::Usage, "{wrong}");
        }
    }

    #[test]
    fn other_words_are_left_to_the_shell() {
        assert!(run_with(&["run".into()], &[]).is_none());
        assert!(run_with(&[], &[]).is_none());
    }
}
