//! kill -9, again and again, under transactional load with a client that reconciles: nothing is lost, doubled or out
//! of order. `HAMQ_KILLS` says how often (20; the night uses 200).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails where it stands, and tells what it counted"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hamq_core::api::client::Session;
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{
    QueueProperties, Reply, Request, Select, Take, Transaction, TransactionId,
};
use hamq_core::{Error, ErrorKind, Result};
use hamq_tests::process::wait_until;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");
const PATIENCE: Duration = Duration::from_secs(60);

/// A queue manager process.
struct Manager(Child);

impl Manager {
    fn start(store: &Path, address: &str, epoch: u64) -> Self {
        let mut child = Command::new(PROGRAM)
            .args([
                "queue-manager",
                "--name",
                "VS1",
                "--supervised",
                "--owner",
                "test",
            ])
            .args([
                "--listen",
                address,
                "--epoch",
                &epoch.to_string(),
                "--store",
            ])
            .arg(store)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert!(line.contains("ready"), "{line}");
        // Somebody reads on, so that it never blocks on its signs of life.
        std::thread::spawn(move || output.lines().for_each(drop));
        Self(child)
    }

    /// kill -9.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn create(queue: &str) -> Request {
    Request::CreateQueue {
        queue: queue.to_owned(),
        properties: QueueProperties {
            transactional: true,
            ..QueueProperties::default()
        },
    }
}

fn send(queue: &str, text: &str, transaction: Transaction) -> Request {
    Request::Send {
        queue: queue.to_owned(),
        message: Message::new(text).encode(),
        transaction,
        body: None,
    }
}

fn receive(session: &Session, queue: &str, transaction: TransactionId) -> Result<Option<String>> {
    let request = Request::Receive {
        queue: queue.to_owned(),
        select: Select::First,
        take: Take::Remove,
        timeout_ms: 50,
        transaction: Transaction::In(transaction),
    };
    match session.call(request) {
        Ok(Reply::Message(message)) => {
            Ok(Some(String::from_utf8(message.body().to_vec()).unwrap()))
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) if error.kind == ErrorKind::ReceiveTimeout => Ok(None),
        Err(error) => Err(error),
    }
}

/// One transaction; an abort because the queue manager died is no error: it is begun again.
fn attempt<T>(work: impl FnOnce() -> Result<Option<T>>) -> Option<T> {
    match work() {
        Ok(done) => done,
        Err(error) if error.kind == ErrorKind::TransactionAborted => None,
        Err(error) => panic!("{error}"),
    }
}

fn move_one(session: &Session) -> Result<Option<()>> {
    let transaction = session.begin();
    let Some(text) = receive(session, "in", transaction)? else {
        session.call(Request::Abort { transaction })?;
        return Ok(None);
    };
    session.call(send("out", &text, Transaction::In(transaction)))?;
    session.call(Request::Commit { transaction })?;
    Ok(Some(()))
}

fn take_one(session: &Session) -> Result<Option<u64>> {
    let transaction = session.begin();
    let Some(text) = receive(session, "out", transaction)? else {
        session.call(Request::Abort { transaction })?;
        return Ok(None);
    };
    session.call(Request::Commit { transaction })?;
    let number = text
        .parse()
        .map_err(|_| Error::new(ErrorKind::Internal, text))?;
    Ok(Some(number))
}

/// Ends the load when its holder panics.
struct Ending<'a>(&'a AtomicBool, &'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(false, Ordering::Release);
            self.1.store(true, Ordering::Release);
        }
    }
}

/// Segments and claims in a store.
fn left_in(store: &Path) -> (usize, usize) {
    let files = std::fs::read_dir(store).unwrap();
    let names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let count = |of: &dyn Fn(&String) -> bool| names.iter().filter(|name| of(name)).count();
    (
        count(&|name| name.ends_with(".seg")),
        count(&|name| name.starts_with("claim-")),
    )
}

#[test]
fn killed_again_and_again_under_load_it_loses_doubles_and_reorders_nothing() {
    let kills = std::env::var("HAMQ_KILLS").map_or(20, |count| count.parse().unwrap());
    let store = tempfile::tempdir().unwrap();
    let process = std::process::id();
    let address = format!(
        "127.{}.{}.77:7801",
        1 + process % 250,
        1 + process / 250 % 250
    );
    let mut manager = Manager::start(store.path(), &address, 1);
    let open = || Session::open(&address, PATIENCE).unwrap();
    let session = open();
    // A crash right after a queue is made must not take it away.
    session.call(create("in")).unwrap();
    session.call(create("out")).unwrap();
    manager.kill();
    manager = Manager::start(store.path(), &address, 2);
    let (sending, done) = (AtomicBool::new(true), AtomicBool::new(false));
    let (sent, taken) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        // Whatever fails, the others end.
        let _end = Ending(&sending, &done);
        scope.spawn(|| {
            let _end = Ending(&sending, &done);
            let session = open();
            while sending.load(Ordering::Acquire) {
                let number = sent.load(Ordering::Acquire) + 1;
                let request = send("in", &number.to_string(), Transaction::Single);
                session.call(request).unwrap();
                sent.store(number, Ordering::Release);
            }
        });
        scope.spawn(|| {
            let session = open();
            while !done.load(Ordering::Acquire) {
                attempt(|| move_one(&session));
            }
        });
        scope.spawn(|| {
            let _end = Ending(&sending, &done);
            let session = open();
            while !done.load(Ordering::Acquire) {
                if let Some(number) = attempt(|| take_one(&session)) {
                    let before = taken.swap(number, Ordering::AcqRel);
                    assert_eq!(number, before + 1, "lost, doubled or out of order");
                }
            }
        });
        for kill in 0..kills {
            // Somewhere in the middle of the work, elsewhere each time.
            std::thread::sleep(Duration::from_millis(30 + (kill * 37) % 90));
            manager.kill();
            manager = Manager::start(store.path(), &address, kill + 3);
        }
        sending.store(false, Ordering::Release);
        let end = std::time::Instant::now() + PATIENCE;
        while taken.load(Ordering::Acquire) < sent.load(Ordering::Acquire) {
            assert!(std::time::Instant::now() < end, "not everything comes out");
            std::thread::sleep(Duration::from_millis(20));
        }
        done.store(true, Ordering::Release);
    });
    let (sent, taken) = (sent.into_inner(), taken.into_inner());
    println!("{kills} kills, {sent} sent, {taken} received in order, 0 lost, 0 doubled");
    assert_eq!(taken, sent);
    // Those that were killed leave nothing for ever: a segment is written, another one prepared.
    wait_until("the store is tidied up", || {
        let (segments, claims) = left_in(store.path());
        segments <= 3 && claims == 1
    });
    manager.kill();
}
