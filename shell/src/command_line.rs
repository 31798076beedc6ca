//! The command line: what to run, with which cluster, and how it ends.

use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use hamq_core::Error;
use hamq_core::api::client::{Client, ClientOptions};
use rhai::{Array, Dynamic, Map};

use crate::cmdlet::{enter, help};
use crate::context::Contexts;
use crate::manual;
use crate::repl;
use crate::script::Session;
use crate::session::{Invoke, State};
use crate::test_run::{self, TestOptions};

const HELP: &str = "\
hamq                               the prompt
hamq -c 'TEXT'                     one command or script text
hamq run FILE [-NAME VALUE | VALUE]…   a runbook; its param(…) says what it takes, -? shows it
                                   (also without run: a file may begin with #!/usr/bin/env hamq;
                                   without param it reads --NAME VALUE as $ARGS.NAME, the rest as $args)
hamq test FILE… [-JUnit OUT.xml]   tests of runbooks: Describe, It, Assert-…; 0 passed, 1 failed
hamq man FOLDER                    writes manual pages
hamq completions bash|zsh|fish     a script that completes this command
options: --cluster NAME, --context NAME, --read-only, --no-profile, --json (rows as JSON lines), --version, --help
roles:   hamq node | queue-manager | triggers | dtc
stores:  hamq store check FOLDER | dump FOLDER | trace FOLDER MESSAGE-ID | salvage FOLDER TARGET   (reads only; 0 sound, 2 damaged)
";

/// The script's thread needs room for deep recursion: rhai fails with an error before it is used up.
const STACK_BYTES: usize = 64 << 20;
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Options {
    cluster: Option<String>,
    context: Option<String>,
    read_only: bool,
    no_profile: bool,
    json: bool,
    text: Option<(String, String)>,
    arguments: Vec<OsString>,
    tests: Option<TestOptions>,
    print: Option<String>,
}

pub(crate) fn run(arguments: &[OsString], program: Vec<PathBuf>) -> ExitCode {
    let options = match parse(arguments) {
        Ok(options) => options,
        Err(message) => return say(&format!("error: {message}\nhint: hamq --help\n"), 2),
    };
    if let Some(text) = options.print {
        drop(std::io::stdout().write_all(text.as_bytes()));
        return ExitCode::SUCCESS;
    }
    let worker = std::thread::Builder::new()
        .name("script".into())
        .stack_size(STACK_BYTES);
    match worker
        .spawn(move || start(options, program))
        .map(std::thread::JoinHandle::join)
    {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(_)) => say("error: the shell failed inside; please report it\n", 1),
        Err(e) => say(&format!("error: cannot start a thread: {e}\n"), 1),
    }
}

fn say(text: &str, code: u8) -> ExitCode {
    drop(std::io::stderr().write_all(text.as_bytes()));
    ExitCode::from(code)
}

fn parse(arguments: &[OsString]) -> Result<Options, String> {
    use lexopt::prelude::*;
    let mut parser = lexopt::Parser::from_args(arguments.iter().cloned());
    let mut options = Options::default();
    let plain = |e: lexopt::Error| e.to_string();
    while let Some(argument) = parser.next().map_err(plain)? {
        match argument {
            Long("cluster") => {
                options.cluster = Some(parser.value().and_then(|v| v.string()).map_err(plain)?);
            }
            Long("context") => {
                options.context = Some(parser.value().and_then(|v| v.string()).map_err(plain)?);
            }
            Long("read-only") => options.read_only = true,
            Long("no-profile") => options.no_profile = true,
            Long("json") => options.json = true,
            Long("version") => {
                options.print = Some(format!("hamq {}\n", env!("CARGO_PKG_VERSION")));
            }
            Short('h') | Long("help") => options.print = Some(HELP.to_owned()),
            Short('c') => {
                let text = parser.value().and_then(|v| v.string()).map_err(plain)?;
                options.text = Some(("-c".into(), text));
            }
            Value(word) if word == "completions" => {
                let shell = parser.value().and_then(|v| v.string()).map_err(plain)?;
                options.print = Some(manual::completions(&shell)?);
            }
            Value(word) if word == "man" => {
                let folder = parser.value().map_err(plain)?;
                options.print = Some(manual::write_pages(folder.as_ref())?);
            }
            Value(word) if word == "run" => {
                let file = parser.value().map_err(plain)?;
                options.read(&file)?;
                options.arguments = parser.raw_args().map_err(plain)?.collect();
            }
            Value(word) if word == "test" => {
                let words: Vec<String> =
                    words_of(&parser.raw_args().map_err(plain)?.collect::<Vec<_>>());
                options.tests = Some(TestOptions::of(&words)?);
            }
            // So that a runbook may begin with #!/usr/bin/env hamq.
            Value(file) if std::path::Path::new(&file).is_file() => {
                options.read(&file)?;
                options.arguments = parser.raw_args().map_err(plain)?.collect();
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(options)
}

impl Options {
    /// The text to run is that of a file.
    fn read(&mut self, file: &OsStr) -> Result<(), String> {
        let name = file.to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file).map_err(|e| format!("cannot read {name}: {e}"))?;
        self.text = Some((name, text));
        Ok(())
    }
}

fn words_of(words: &[OsString]) -> Vec<String> {
    let word = |w: &OsString| w.to_string_lossy().into_owned();
    words.iter().map(word).collect()
}

/// `--name value` by name (a name alone is true), the rest in the list `_`.
fn script_arguments(words: &[OsString]) -> Map {
    let mut map = Map::new();
    let mut rest = Array::new();
    let mut words = words
        .iter()
        .map(|w| w.to_string_lossy().into_owned())
        .peekable();
    while let Some(word) = words.next() {
        match word.strip_prefix("--") {
            Some(pair) if pair.contains('=') => {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                map.insert(name.into(), value.to_owned().into());
            }
            Some(name) if !name.is_empty() => {
                let value = words.next_if(|next| !next.starts_with("--"));
                map.insert(name.into(), value.map_or(Dynamic::TRUE, Into::into));
            }
            _ => rest.push(word.into()),
        }
    }
    map.insert("_".into(), rest.into());
    map
}

fn home() -> PathBuf {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    set("HAMQ_HOME")
        .or_else(|| set("XDG_STATE_HOME").map(|path| path.join("hamq")))
        .or_else(|| set("HOME").map(|path| path.join(".local/state/hamq")))
        .unwrap_or_else(|| PathBuf::from(".hamq"))
}

/// Where what a person chose lies: contexts and the profile.
fn config() -> PathBuf {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    set("HAMQ_HOME")
        .or_else(|| set("XDG_CONFIG_HOME").map(|path| path.join("hamq")))
        .or_else(|| set("HOME").map(|path| path.join(".config/hamq")))
        .unwrap_or_else(|| PathBuf::from(".hamq"))
}

/// The cluster that was asked for; else the context that was, or was chosen in an earlier session. What was not asked
/// for by name is no reason to fail.
fn choose(
    state: &State,
    cluster: Option<&str>,
    context: Option<String>,
    config: &Path,
) -> Result<(), Error> {
    if let Some(cluster) = cluster {
        return state.invoke.connect(cluster);
    }
    let named = context.or_else(|| {
        std::env::var("HAMQ_CONTEXT")
            .ok()
            .filter(|name| !name.is_empty())
    });
    if let Some(name) = named {
        return enter(state, config, &name).map(drop);
    }
    let current = Contexts::read(config).map(|all| all.current);
    let entered = current.and_then(|name| name.map(|name| enter(state, config, &name)).transpose());
    if let Err(error) = entered {
        state.tell(&format!("warning: the context is not used: {error}"));
    }
    Ok(())
}

/// `profile.rhai` of the config folder, at a prompt only.
fn profile(session: &mut Session, config: &Path) {
    let path = config.join("profile.rhai");
    match std::fs::read_to_string(&path) {
        // What is wrong in it was told; the prompt comes all the same.
        Ok(text) => {
            let _ = session.run(&path.display().to_string(), &text);
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => session
            .state
            .tell(&format!("warning: cannot read {}: {e}", path.display())),
    }
}

fn start(options: Options, program: Vec<PathBuf>) -> u8 {
    let home = home();
    let client = Client::new(ClientOptions {
        home: home.clone(),
        program,
        failover_timeout: FAILOVER_TIMEOUT,
    });
    let client = match client {
        Ok(client) => client,
        Err(e) => {
            say(&format!("error: {e}\n"), 1);
            return 1;
        }
    };
    let file = options.text.is_some() || options.tests.is_some();
    let interactive = !file && std::io::stdin().is_terminal();
    let mut state = State::new(Arc::new(client.clone()), interactive);
    state.json = options.json;
    state.read_only = options.read_only;
    let config = config();
    state.home = Some(home.clone());
    state.config = Some(config.clone());
    listen(Arc::clone(&state.interrupt), Arc::clone(&state.invoke));
    let chosen = choose(&state, options.cluster.as_deref(), options.context, &config);
    let code = match chosen {
        Err(e) => {
            let hint = e
                .hint
                .as_deref()
                .map(|h| format!("hint: {h}\n"))
                .unwrap_or_default();
            say(&format!("error: {e} ({})\n{hint}", e.kind), 1);
            1
        }
        _ if let Some(tests) = &options.tests => test_run::run(tests, || {
            let mut fresh = State::new(Arc::clone(&state.invoke), false);
            fresh.interrupt = Arc::clone(&state.interrupt);
            fresh.json = state.json;
            fresh
        }),
        Ok(()) => {
            let mut session =
                Session::new(Rc::new(state), script_arguments(&options.arguments).into());
            session.words = words_of(&options.arguments);
            match options.text {
                Some((name, text)) if help_wanted(&session.words) => script_help(&name, &text),
                Some((name, text)) => session.run(&name, &text).err().unwrap_or(0),
                None if interactive => {
                    if !options.no_profile {
                        profile(&mut session, &config);
                    }
                    repl::run(&mut session, &home)
                }
                None => piped(&mut session),
            }
        }
    };
    client.close();
    code
}

/// `hamq run FILE -?` asks what the script takes.
fn help_wanted(words: &[String]) -> bool {
    let ask = |w: &String| w == "-?" || w.trim_start_matches('-').eq_ignore_ascii_case("help");
    words.len() == 1 && words.iter().any(|w| w.starts_with('-') && ask(w))
}

fn script_help(name: &str, text: &str) -> u8 {
    match help::script(name, text) {
        Ok(page) => {
            drop(writeln!(std::io::stdout(), "{page}"));
            0
        }
        Err(error) => {
            say(&format!("error: {}\n", error.message), 2);
            2
        }
    }
}

/// Standard input that is not a terminal is a script.
fn piped(session: &mut Session) -> u8 {
    let mut text = String::new();
    match std::io::stdin().read_to_string(&mut text) {
        Ok(_) => session.run("stdin", &text).err().unwrap_or(0),
        Err(e) => {
            say(&format!("error: cannot read the input: {e}\n"), 2);
            2
        }
    }
}

/// Ctrl-C and a request to terminate end what runs; the first by 130, the second by 143. From the return on: who sees
/// the first line of a script may send a signal.
fn listen(interrupt: Arc<AtomicU8>, invoke: Arc<dyn Invoke>) {
    let (installed, ready) = std::sync::mpsc::channel();
    let signals = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async move {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut int), Ok(mut term)) = (
                signal(SignalKind::interrupt()),
                signal(SignalKind::terminate()),
            ) else {
                return;
            };
            drop(installed);
            loop {
                let code = tokio::select! { _ = int.recv() => 130, _ = term.recv() => 143 };
                interrupt.store(code, Ordering::Relaxed);
                invoke.cancel();
            }
        });
    };
    let thread = std::thread::Builder::new().name("signals".into());
    drop(thread.spawn(signals));
    // It ends when the handlers are there, or nobody will install them: without a thread the closure is dropped.
    let _: Result<(), _> = ready.recv();
}
