//! What only several processes can show: kill -9, frozen processes, orphans, host names.
//!
//! This program is both the test and, by its first argument, the processes that it starts.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test: without the harness clippy cannot know"
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hamq_core::database::{Commit, Database, Guard, SqliteDatabase, Transaction, Write as Change};
use hamq_core::resource_types::{Context, Fencing, LogSink, Provided, create};
use hamq_core::sys::clock::{Clock, SystemClock};
use hamq_core::sys::process::{self, ProcessIdentity, Spawn, SuperviseOptions};

/// Bound of a wait for an event that must come.
const PATIENCE: Duration = Duration::from_secs(20);

const STORIES: &[(&str, fn())] = &[
    (
        "what_a_killed_writer_was_promised_is_there",
        what_a_killed_writer_was_promised_is_there,
    ),
    (
        "of_many_processes_exactly_one_claims",
        of_many_processes_exactly_one_claims,
    ),
    (
        "a_frozen_process_does_not_keep_the_database",
        a_frozen_process_does_not_keep_the_database,
    ),
    (
        "a_lease_of_a_dead_process_runs_out",
        a_lease_of_a_dead_process_runs_out,
    ),
    (
        "a_frozen_child_dies_with_its_parent",
        a_frozen_child_dies_with_its_parent,
    ),
    (
        "an_application_sees_its_names",
        an_application_sees_its_names,
    ),
    ("an_application_s_end_is_told", an_application_s_end_is_told),
    (
        "an_application_that_cannot_start_says_why",
        an_application_that_cannot_start_says_why,
    ),
    (
        "offline_asks_first_and_then_ends_all",
        offline_asks_first_and_then_ends_all,
    ),
    (
        "a_killed_agent_takes_the_whole_tree",
        a_killed_agent_takes_the_whole_tree,
    ),
    (
        "a_killed_supervisor_takes_the_whole_tree",
        a_killed_supervisor_takes_the_whole_tree,
    ),
];

fn main() {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let role = arguments
        .get(1)
        .and_then(|role| role.to_str())
        .unwrap_or_default();
    let place = || PathBuf::from(arguments.get(2).expect("a place"));
    match role {
        "supervise" => {
            let program = arguments[..2].to_vec();
            let options = SuperviseOptions::parse(program, arguments[2..].to_vec());
            std::process::exit(process::supervise(&options.expect("good arguments")));
        }
        "writer" => writer(&place()),
        "claimer" => claimer(&place(), arguments[3].to_str().expect("a name")),
        "locker" => locker(&place()),
        "leaser" => leaser(&place()),
        "parent" => parent(&place()),
        "sleeper" => sleeper(&place()),
        "agent" => agent(&place(), arguments[3].to_str().expect("a command line")),
        "latency" => latency(&place()),
        filter => run_stories(filter),
    }
}

fn run_stories(filter: &str) {
    let filter = if filter.starts_with('-') { "" } else { filter };
    let chosen = STORIES.iter().filter(|(name, _)| name.contains(filter));
    let mut failed = 0;
    for (name, story) in chosen {
        let outcome = std::panic::catch_unwind(story);
        failed += usize::from(outcome.is_err());
        say(&format!(
            "test {name} ... {}",
            if outcome.is_ok() { "ok" } else { "FAILED" }
        ));
    }
    if failed > 0 {
        std::process::exit(101);
    }
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output");
}

// ---- the roles ----

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn open(folder: &Path) -> SqliteDatabase {
    SqliteDatabase::open(folder.join("cluster.db"), Arc::new(SystemClock)).unwrap()
}

fn put(key: &str, value: &str) -> Change {
    Change::Put {
        key: key.to_owned(),
        value: value.as_bytes().to_vec(),
        lease: None,
    }
}

/// Commits for ever, two keys at a time, and says what is committed.
fn writer(folder: &Path) {
    block_on(async {
        let database = open(folder);
        let name = std::process::id();
        for round in 0.. {
            let writes = vec![
                put(&format!("left/{name}"), &round.to_string()),
                put(&format!("right/{name}"), &round.to_string()),
            ];
            let guards = Vec::new();
            database
                .commit(Transaction { guards, writes })
                .await
                .unwrap();
            say(&round.to_string());
        }
    });
}

fn claimer(folder: &Path, name: &str) {
    block_on(async {
        let database = open(folder);
        say("open");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        let transaction = Transaction {
            guards: vec![Guard {
                key: "owner".to_owned(),
                version: 0,
            }],
            writes: vec![put("owner", name)],
        };
        match database.commit(transaction).await.unwrap() {
            Commit::Done { .. } => say("won"),
            Commit::Refused => say("lost"),
        }
    });
}

/// Freezes in the middle of a write transaction.
fn locker(folder: &Path) {
    let connection = rusqlite::Connection::open(folder.join("cluster.db")).unwrap();
    connection
        .execute_batch("BEGIN IMMEDIATE; UPDATE meta SET value = value + 1000")
        .unwrap();
    say("locked");
    stop_self();
    std::thread::sleep(PATIENCE);
}

fn stop_self() {
    let own = rustix::process::getpid();
    rustix::process::kill_process(own, rustix::process::Signal::STOP).unwrap();
}

fn leaser(folder: &Path) {
    block_on(async {
        let database = open(folder);
        let lease = database.grant(Duration::from_millis(300)).await.unwrap();
        let writes = vec![Change::Put {
            key: "session".to_owned(),
            value: Vec::new(),
            lease: Some(lease),
        }];
        database
            .commit(Transaction {
                guards: vec![],
                writes,
            })
            .await
            .unwrap();
        say("leased");
        std::future::pending::<()>().await;
    });
}

/// Starts a child that ignores its control pipe.
fn parent(_folder: &Path) {
    block_on(async {
        let exe = std::env::current_exe().unwrap();
        let mut child = process::spawn(Spawn {
            command: vec![exe.into(), "sleeper".into(), "x".into()],
            ..Spawn::default()
        })
        .await
        .unwrap();
        assert_eq!(child.status.recv().await.unwrap(), "tied");
        say(&child.pid().to_string());
        std::future::pending::<()>().await;
    });
}

fn sleeper(_folder: &Path) {
    process::die_with_parent().unwrap();
    say("tied");
    loop {
        std::thread::park();
    }
}

fn context(folder: &Path, command_line: &str) -> Context {
    let exe = std::env::current_exe().unwrap();
    let command_line = ("CommandLine".to_owned(), command_line.to_owned());
    Context {
        cluster: "lab".to_owned(),
        node: "n1".to_owned(),
        data: folder.to_owned(),
        resource: "App".to_owned(),
        group: "VS1".to_owned(),
        epoch: 1,
        parameters: BTreeMap::from([command_line]),
        provided: Provided::default(),
        program: vec![exe],
        features: Vec::new(),
        fencing: Fencing::Kill,
        log: LogSink(Arc::new(|_, _| ())),
    }
}

/// Brings an application online and stays.
fn agent(folder: &Path, command_line: &str) {
    block_on(async {
        let mut application = create("Generic Application").unwrap();
        application
            .online(&context(folder, command_line))
            .await
            .unwrap();
        say("online");
        std::future::pending::<()>().await;
    });
}

// ---- what the stories use ----

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(role: &str, folder: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(role)
            .arg(folder)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for something that another process does.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn gone(process: &ProcessIdentity) {
    eventually("the end of a process", || {
        (!process.is_alive()).then_some(())
    });
}

/// A script whose processes write their pids: itself, a child, and a grandchild that left the family.
fn family(folder: &Path) -> (String, impl Fn() -> Vec<ProcessIdentity>) {
    let pids = folder.join("pids");
    let file = pids.display();
    let script = format!(
        "sh -c 'echo $$ >> {file}; (sleep 600 & echo $! >> {file}); sleep 600 & echo $! >> {file}; wait'"
    );
    let read = move || {
        eventually("three pids", || {
            let text = std::fs::read_to_string(&pids).ok()?;
            let pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            (pids.len() == 3).then_some(pids)
        })
        .into_iter()
        .map(|pid| ProcessIdentity::of(pid).unwrap())
        .collect()
    };
    (script, read)
}

// ---- the stories ----

fn what_a_killed_writer_was_promised_is_there() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        let mut writers: Vec<_> = (0..2)
            .map(|_| Process::start("writer", folder.path(), &[]))
            .collect();
        for writer in &mut writers {
            while writer.line() != "20" {}
        }
        for writer in &mut writers {
            writer.kill();
        }
        let said: Vec<u64> = writers.iter_mut().map(last_number).collect();
        block_on(async {
            let database = open(folder.path());
            for (writer, said) in writers.iter().zip(said) {
                let value = async |side: &str| {
                    let key = format!("{side}/{}", writer.child.id());
                    let entry = database.read(&key).await.unwrap().entries.remove(0);
                    String::from_utf8(entry.value)
                        .unwrap()
                        .parse::<u64>()
                        .unwrap()
                };
                let (left, right) = (value("left").await, value("right").await);
                assert_eq!(left, right, "half a transaction");
                assert!(left >= said, "{left} is there, {said} was promised");
            }
        });
    }
    let connection = rusqlite::Connection::open(folder.path().join("cluster.db")).unwrap();
    let check: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}

fn last_number(writer: &mut Process) -> u64 {
    let mut last = 20;
    loop {
        // The last line may be cut off by the kill; it was not promised whole.
        let mut line = String::new();
        writer.output.read_line(&mut line).unwrap();
        match line.strip_suffix('\n') {
            Some(number) => last = number.parse().unwrap(),
            None => return last,
        }
    }
}

fn of_many_processes_exactly_one_claims() {
    let folder = tempfile::tempdir().unwrap();
    let mut claimers: Vec<_> = (0..5)
        .map(|n| Process::start("claimer", folder.path(), &[&format!("n{n}")]))
        .collect();
    for claimer in &mut claimers {
        assert_eq!(claimer.line(), "open");
    }
    for claimer in &mut claimers {
        writeln!(claimer.input, "go").unwrap();
    }
    let outcomes: Vec<_> = claimers.iter_mut().map(Process::line).collect();
    assert_eq!(
        outcomes.iter().filter(|o| *o == "won").count(),
        1,
        "{outcomes:?}"
    );
    assert_eq!(
        outcomes.iter().filter(|o| *o == "lost").count(),
        4,
        "{outcomes:?}"
    );
}

fn a_frozen_process_does_not_keep_the_database() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let database = open(folder.path());
        let mut locker = Process::start("locker", folder.path(), &[]);
        assert_eq!(locker.line(), "locked");
        let identity = ProcessIdentity::of(locker.child.id()).unwrap();
        eventually("the freeze", || identity.is_stopped().then_some(()));
        let transaction = Transaction {
            guards: vec![],
            writes: vec![put("a", "1")],
        };
        let outcome = database.commit(transaction).await.unwrap();
        assert_eq!(
            outcome,
            Commit::Done { revision: 1 },
            "the frozen transaction counted"
        );
        assert!(!identity.is_alive());
    });
}

fn a_lease_of_a_dead_process_runs_out() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let database = open(folder.path());
        let mut watch = database.watch();
        let mut leaser = Process::start("leaser", folder.path(), &[]);
        assert_eq!(leaser.line(), "leased");
        leaser.kill();
        let vanished = async {
            while !database.read("session").await.unwrap().entries.is_empty() {
                watch.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, vanished)
            .await
            .expect("the lease stayed");
    });
}

fn a_frozen_child_dies_with_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let mut parent = Process::start("parent", folder.path(), &[]);
    let child = ProcessIdentity::of(parent.line().parse().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    eventually("the freeze", || child.is_stopped().then_some(()));
    parent.kill();
    gone(&child);
}

fn an_application_sees_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let command_line = "sh -c 'echo $(uname -n) $HOSTNAME $COMPUTERNAME $_CLUSTER_NETWORK_NAME_ \
        $HAMQ_QUEUE_MANAGER $(pwd) ${HAMQ_PARENT-none}; read x || echo no input; exec sleep 600'";
    let mut context = context(folder.path(), command_line);
    let (own, before) = (folder.path().join("own"), rustix::system::uname());
    std::fs::create_dir(&own).unwrap();
    let directory = own.to_str().unwrap().to_owned();
    context
        .parameters
        .insert("CurrentDirectory".to_owned(), directory.clone());
    context
        .parameters
        .insert("UseNetworkName".to_owned(), "1".to_owned());
    block_on(async {
        let mut application = create("genapp").unwrap();
        let error = application.online(&context).await.unwrap_err();
        assert_eq!(error.kind.name(), "DependencyNotFound");
        context.provided.network_name = Some("VS1".to_owned());
        context.provided.queue_manager = Some("127.0.1.9:7801".parse().unwrap());
        application.online(&context).await.unwrap();
        application.looks_alive().await.unwrap();
        let expected = format!("VS1 VS1 VS1 VS1 127.0.1.9:7801 {directory} none\nno input\n");
        eventually("the output", || {
            let log = std::fs::read_to_string(folder.path().join("App.log")).ok()?;
            log.ends_with("input\n").then(|| assert_eq!(log, expected))
        });
        assert_eq!(before.nodename(), rustix::system::uname().nodename());
        application.terminate().await;
        application.looks_alive().await.unwrap_err();
    });
}

fn an_application_s_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let mut application = create("Generic Application").unwrap();
        let command_line = "sh -c 'sleep 0.2; echo out; echo it broke >&2; exit 7'";
        application
            .online(&context(folder.path(), command_line))
            .await
            .unwrap();
        let why = tokio::time::timeout(PATIENCE, application.failed())
            .await
            .unwrap();
        assert_eq!(
            why,
            "the application ended: exit code 7, after saying: it broke"
        );
        application.terminate().await;
        let log = std::fs::read_to_string(folder.path().join("App.log")).unwrap();
        assert_eq!(log, "out\nit broke\n");
    });
}

fn an_application_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let mut application = create("Generic Application").unwrap();
        let error = application
            .online(&context(folder.path(), "no-such-program --now"))
            .await
            .unwrap_err();
        assert!(error.message.contains("start no-such-program"), "{error}");
        let mut lost = context(folder.path(), "true");
        lost.parameters
            .insert("CurrentDirectory".to_owned(), "/no/such/folder".to_owned());
        let error = application.online(&lost).await.unwrap_err();
        assert!(error.message.contains("/no/such/folder"), "{error}");
    });
}

fn offline_asks_first_and_then_ends_all() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let mut application = create("Generic Application").unwrap();
        let (asked, ready) = (folder.path().join("asked"), folder.path().join("ready"));
        let command_line = format!(
            "sh -c 'trap \"echo yes > {}; exit 0\" TERM; touch {}; while :; do sleep 0.05; done'",
            asked.display(),
            ready.display()
        );
        application
            .online(&context(folder.path(), &command_line))
            .await
            .unwrap();
        eventually("the trap", || ready.exists().then_some(()));
        application.offline().await.unwrap();
        assert_eq!(std::fs::read_to_string(asked).unwrap(), "yes\n");
    });
}

fn a_killed_agent_takes_the_whole_tree() {
    let folder = tempfile::tempdir().unwrap();
    let (script, pids) = family(folder.path());
    let mut agent = Process::start("agent", folder.path(), &[&script]);
    assert_eq!(agent.line(), "online");
    let family = pids();
    agent.kill();
    family.iter().for_each(gone);
}

fn a_killed_supervisor_takes_the_whole_tree() {
    let folder = tempfile::tempdir().unwrap();
    let (script, pids) = family(folder.path());
    block_on(async {
        let mut application = create("Generic Application").unwrap();
        application
            .online(&context(folder.path(), &script))
            .await
            .unwrap();
        let family = pids();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", family[0].pid)).unwrap();
        let parent = stat.split(' ').nth(3).unwrap().parse().unwrap();
        let supervisor = ProcessIdentity::of(parent).unwrap();
        let failed = application.failed();
        assert!(supervisor.kill_and_wait(PATIENCE).unwrap());
        gone(&family[0]);
        let why = tokio::time::timeout(PATIENCE, failed).await.unwrap();
        assert!(why.contains("SIGKILL"), "{why}");
        application.terminate().await;
        family.iter().for_each(gone);
    });
}

// ---- a measurement, by hand: processes latency FOLDER ----

/// How long after a commit of another process the watcher hears of it, and what a commit takes.
fn latency(folder: &Path) {
    if std::env::args_os().nth(3).is_some() {
        return latency_writer(folder);
    }
    block_on(async {
        let database = open(folder);
        let mut watch = database.watch();
        let exe = std::env::current_exe().unwrap();
        let mut writer = Command::new(exe)
            .arg("latency")
            .arg(folder)
            .arg("w")
            .spawn()
            .unwrap();
        let mut delays = Vec::new();
        while delays.len() < 200 {
            watch.changed().await.unwrap();
            let heard = SystemClock.boot().as_nanos();
            let range = database.read("t").await.unwrap();
            if let Some(entry) = range.entries.first() {
                let text = String::from_utf8(entry.value.clone()).unwrap();
                delays.push((heard - text.parse::<u128>().unwrap()) / 1000);
            }
        }
        writer.wait().unwrap();
        delays.sort_unstable();
        say(&format!(
            "from before the commit to the other process: p50 {} us, p99 {} us, worst {} us",
            delays[100], delays[198], delays[199]
        ));
    });
}

fn latency_writer(folder: &Path) {
    block_on(async {
        let database = open(folder);
        let mut took = Vec::new();
        for _ in 0..205 {
            tokio::time::sleep(Duration::from_millis(15)).await;
            let start = SystemClock.boot();
            let writes = vec![put("t", &start.as_nanos().to_string())];
            database
                .commit(Transaction {
                    guards: vec![],
                    writes,
                })
                .await
                .unwrap();
            took.push((SystemClock.boot() - start).as_micros());
        }
        took.sort_unstable();
        say(&format!(
            "commit: p50 {} us, p99 {} us",
            took[102], took[202]
        ));
    });
}
