//! The processes that the stories start, and a measurement to be run by hand: `latency FOLDER`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hamq_core::database::{Commit, Database, Guard, SqliteDatabase, Transaction, Write as Change};
use hamq_core::resource_types::{Context, Fencing, LogSink, Provided, create};
use hamq_core::sys::clock::{Clock, SystemClock};
use hamq_core::sys::process::{self, Spawn};

use crate::{PATIENCE, say};

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn open(folder: &Path) -> SqliteDatabase {
    SqliteDatabase::open(folder.join("cluster.db"), Arc::new(SystemClock)).unwrap()
}

pub(crate) fn put(key: &str, value: &str) -> Change {
    Change::Put {
        key: key.to_owned(),
        value: value.as_bytes().to_vec(),
        lease: None,
    }
}

/// Commits for ever, two keys at a time, and says what is committed.
pub(crate) fn writer(folder: &Path) {
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

pub(crate) fn claimer(folder: &Path, name: &str) {
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
pub(crate) fn locker(folder: &Path) {
    let connection = rusqlite::Connection::open(folder.join("cluster.db")).unwrap();
    connection
        .execute_batch("BEGIN IMMEDIATE; UPDATE meta SET value = value + 1000")
        .unwrap();
    say("locked");
    stop_self();
    std::thread::sleep(PATIENCE);
}

pub(crate) fn stop_self() {
    let own = rustix::process::getpid();
    rustix::process::kill_process(own, rustix::process::Signal::STOP).unwrap();
}

pub(crate) fn leaser(folder: &Path) {
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
pub(crate) fn parent(_folder: &Path) {
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

pub(crate) fn sleeper(_folder: &Path) {
    process::die_with_parent().unwrap();
    say("tied");
    loop {
        std::thread::park();
    }
}

pub(crate) fn context(folder: &Path, command_line: &str) -> Context {
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
pub(crate) fn agent(folder: &Path, command_line: &str) {
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

/// How long after a commit of another process the watcher hears of it, and what a commit takes.
pub(crate) fn latency(folder: &Path) {
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

pub(crate) fn latency_writer(folder: &Path) {
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
