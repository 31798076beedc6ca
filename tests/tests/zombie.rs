//! A former owner that wakes up: it may finish a write, it never acknowledges one.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use hamq_core::ErrorKind;
use hamq_core::api::client::{Client, ClientOptions, Session};
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{QueueProperties, Reply, Request, Select, Transaction};
use hamq_tests::process::{signal, wait_until};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

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
        message: Message::new(text),
        transaction: Transaction::None,
    }
}

fn receive() -> Request {
    Request::Receive {
        queue: "q".into(),
        select: Select::First,
        peek: false,
        timeout_ms: 0,
        transaction: Transaction::None,
    }
}

fn drain(session: &Session) -> Vec<String> {
    let mut bodies = Vec::new();
    while let Ok(Reply::Message(received)) = session.call(receive()) {
        bodies.push(String::from_utf8(received.message.body).unwrap());
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
    let properties = QueueProperties::default();
    to_old
        .call(Request::CreateQueue {
            queue: "q".into(),
            properties,
        })
        .unwrap();
    to_old
        .call(send("acknowledged by the first owner"))
        .unwrap();

    // It freezes; what is sent to it now waits in its socket.
    signal(old.child.id(), Signal::STOP);
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
