//! What only several processes can show: kill -9, frozen processes, orphans, host names.
//!
//! This program is both the test and, by its first argument, the processes that it starts.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test: without the harness clippy cannot know"
)]

use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Duration;

use hamq_core::database::{Commit, Database, Transaction};
use hamq_core::resource_types::create;
use hamq_core::sys::process::{self, ProcessIdentity, SuperviseOptions};

mod roles;
mod support;

use roles::{
    agent, block_on, claimer, context, latency, leaser, locker, open, parent, put, sleeper, writer,
};
use support::{Process, eventually, family, gone};

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
        let mut application = create("Generic Application").unwrap();
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
