//! A former owner that wakes up: it may finish a write, it never acknowledges one.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use hamq_core::ErrorKind;
use hamq_core::api::client::{Client, ClientOptions, Session, Ticket};
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{QueueProperties, Reply, Request, Select, Take, Transaction};
use hamq_tests::process::{freeze, signal, wait_until};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");
/// Messages of a load, if nobody stops it.
const LOAD_MAX: usize = 100_000;

/// A queue manager process on a store, with an epoch, at an address of its own.
struct Manager {
    child: Child,
    input: Option<ChildStdin>,
    address: String,
}

impl Manager {
    fn start(store: &Path, host: u8, epoch: u64) -> Self {
        let process = std::process::id();
        let address = format!(
            "127.{}.{}.{host}:7801",
            1 + process % 250,
            1 + process / 250 % 250
        );
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
                &address,
                "--epoch",
                &epoch.to_string(),
                "--store",
            ])
            .arg(store)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.contains("ready"), "{line}");
        // It goes on reporting that it is alive: somebody must read that.
        std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(drop));
        Self {
            input: child.stdin.take(),
            child,
            address,
        }
    }

    fn session(&self, client: &Client) -> Session {
        client.new_session(&self.address).unwrap()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn client(folder: &Path) -> Client {
    Client::new(ClientOptions {
        home: folder.to_owned(),
        program: vec![PROGRAM.into()],
        failover_timeout: Duration::from_secs(3),
    })
    .unwrap()
}

fn send(text: &str) -> Request {
    Request::Send {
        queue: "q".into(),
        message: Message::new(text).encode(),
        body: None,
        transaction: Transaction::None,
    }
}

fn receive() -> Request {
    Request::Receive {
        queue: "q".into(),
        select: Select::First,
        take: Take::Remove,
        timeout_ms: 0,
        transaction: Transaction::None,
    }
}

fn drain(session: &Session) -> Vec<String> {
    let mut bodies = Vec::new();
    while let Ok(Reply::Message(received)) = session.call(receive()) {
        bodies.push(String::from_utf8(received.message().unwrap().body).unwrap());
    }
    bodies
}

#[test]
fn a_thawed_queue_manager_acknowledges_nothing_after_another_took_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let client = client(folder.path());
    let old = Manager::start(&store, 1, 1);
    let to_old = old.session(&client);
    create(&to_old);
    to_old
        .call(send("acknowledged by the first owner"))
        .unwrap();

    // It freezes; what is sent to it now waits in its socket.
    freeze(old.child.id());
    let waiting = to_old.submit(send("must not be acknowledged by the zombie"));
    let new = Manager::start(&store, 2, 2);
    let to_new = new.session(&client);
    to_new
        .call(send("acknowledged by the second owner"))
        .unwrap();

    // It wakes up with the request in its socket, finds that it is fenced, and ends.
    signal(old.child.id(), Signal::CONT);
    let error = waiting.wait().unwrap_err();
    let refused = [ErrorKind::Fenced, ErrorKind::RemoteMachineNotAvailable];
    assert!(refused.contains(&error.kind), "{:?}: {error}", error.kind);
    wait_until("the zombie has ended", || {
        hamq_core::sys::process::is_gone(old.child.id())
    });
    assert_eq!(
        drain(&to_new),
        [
            "acknowledged by the first owner",
            "acknowledged by the second owner"
        ]
    );

    // Nor is there a trace of it after the next opening.
    drop(new);
    let third = Manager::start(&store, 3, 3);
    assert_eq!(drain(&third.session(&client)), Vec::<String>::new());
}

fn create(session: &Session) {
    let properties = QueueProperties::default();
    let queue = "q".into();
    session
        .call(Request::CreateQueue { queue, properties })
        .unwrap();
}

/// Sends numbered messages without waiting for replies until `stop`; `acknowledged` counts along.
/// Returns how many it handed in and which of them were acknowledged.
fn pipeline(
    session: &Session,
    stop: &AtomicBool,
    acknowledged: &AtomicUsize,
) -> (usize, Vec<usize>) {
    let (handed_in, replies) = sync_channel::<Ticket>(LOAD_MAX);
    std::thread::scope(|scope| {
        let listener = scope.spawn(move || {
            let tickets = replies.iter().enumerate();
            let good = tickets.filter_map(|(n, ticket)| ticket.wait().ok().map(|_| n));
            good.inspect(|_| {
                acknowledged.fetch_add(1, Ordering::SeqCst);
            })
            .collect()
        });
        let mut count = 0;
        while !stop.load(Ordering::SeqCst) && count < LOAD_MAX {
            handed_in
                .send(session.submit(send(&numbered(count))))
                .unwrap();
            count += 1;
        }
        drop(handed_in);
        (count, listener.join().unwrap())
    })
}

fn numbered(n: usize) -> String {
    format!("order {n:06}")
}

/// What is in the queue, without taking it.
fn content(session: &Session) -> Vec<String> {
    let mut bodies = Vec::new();
    let mut select = Select::First;
    let next = |select| Request::Receive {
        queue: "q".into(),
        select,
        take: Take::Peek,
        timeout_ms: 0,
        transaction: Transaction::None,
    };
    while let Ok(Reply::Message(found)) = session.call(next(select)) {
        select = Select::After(found.lookup_id);
        bodies.push(String::from_utf8(found.message().unwrap().body).unwrap());
    }
    bodies
}

/// The client cannot know what became of the requests that were under way when its queue manager froze. It
/// looks what the new owner has and sends the rest there; each message is then there once and in order,
/// so the zombie can have acknowledged none that the new owner did not have.
#[test]
fn a_zombie_frozen_under_load_acknowledges_nothing_and_nothing_of_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let client = client(folder.path());
    let old = Manager::start(&store, 5, 1);
    let to_old = old.session(&client);
    create(&to_old);
    let late_sender = old.session(&client);
    assert_eq!(content(&late_sender), Vec::<String>::new());

    let (stop, acknowledged) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut expected, handed_in, good, new) = std::thread::scope(|scope| {
        let load = scope.spawn(|| pipeline(&to_old, &stop, &acknowledged));
        wait_until("the load runs", || {
            acknowledged.load(Ordering::SeqCst) >= 300
        });
        // In the middle of it, with requests in its memory, in its log and in its socket.
        freeze(old.child.id());
        stop.store(true, Ordering::SeqCst);
        let late = (0..20).map(|n| late_sender.submit(send(&format!("late {n}"))));
        let late: Vec<Ticket> = late.collect();

        let new = Manager::start(&store, 6, 2);
        let to_new = new.session(&client);
        let found = content(&to_new);
        to_new.call(send("by the second owner")).unwrap();
        signal(old.child.id(), Signal::CONT);
        for ticket in late {
            assert!(ticket.wait().is_err(), "the zombie acknowledged");
        }
        let (handed_in, good) = load.join().unwrap();
        (found, handed_in, good, new)
    });
    wait_until("the zombie has ended", || {
        hamq_core::sys::process::is_gone(old.child.id())
    });

    // What the new owner found is the beginning of what was sent, and has all that was acknowledged.
    let found = expected.len();
    assert_eq!(expected, (0..found).map(numbered).collect::<Vec<_>>());
    assert!(good.len() >= 300 && found <= handed_in);
    assert!(good.iter().all(|n| *n < found), "{good:?} of {found}");

    let to_new = new.session(&client);
    expected.push("by the second owner".into());
    for text in (found..handed_in).map(numbered) {
        to_new.call(send(&text)).unwrap();
        expected.push(text);
    }
    drop(new);
    let third = Manager::start(&store, 7, 3);
    assert_eq!(drain(&third.session(&client)), expected);
}

#[test]
fn a_lower_epoch_is_refused_at_the_door() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let mut first = Manager::start(&store, 3, 7);
    first.input.take().unwrap().write_all(b"stop\n").unwrap();
    first.child.wait().unwrap();
    let process = std::process::id();
    let listen = format!(
        "127.{}.{}.4:7801",
        1 + process % 250,
        1 + process / 250 % 250
    );
    let output = Command::new(PROGRAM)
        .args([
            "queue-manager",
            "--name",
            "VS1",
            "--listen",
            &listen,
            "--epoch",
            "6",
            "--store",
        ])
        .arg(&store)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("epoch"), "{said}");
}
