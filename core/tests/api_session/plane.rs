//! The server against clients that are many, slow, dead or not what they should be.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;

use bytes::Bytes;
use hamq_core::api::wire::frame::{Frame, Kind, append, parse};
use hamq_core::api::wire::payload::{
    Replies as Answers, append_hello, append_reply, append_request, read_replies, read_request,
};
use hamq_core::api::wire::{Hello, Role, VERSION};
use hamq_core::sys::network::allow_many_connections;

use super::*;

/// One side that speaks the protocol by hand.
pub(super) struct Raw<S> {
    stream: S,
    came: Vec<u8>,
}

fn hello(client: Uuid) -> Vec<u8> {
    let hello = Hello {
        version: VERSION,
        client,
        role: Role::Session,
        wants: "VS1".into(),
    };
    let mut out = Vec::new();
    append_hello(&mut out, &hello).unwrap();
    out
}

fn request(number: u64, request: &Request) -> Vec<u8> {
    let mut out = Vec::new();
    append_request(&mut out, number, 1, request).unwrap();
    out
}

impl Raw<TcpStream> {
    fn silent(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    fn connect(at: SocketAddr) -> Self {
        let mut raw = Self::silent(at);
        raw.greet(Uuid::new_v4());
        raw
    }
}

impl<S: Read + Write> Raw<S> {
    pub(super) fn over(stream: S) -> Self {
        Self {
            stream,
            came: Vec::new(),
        }
    }

    fn greet(&mut self, client: Uuid) {
        self.stream.write_all(&hello(client)).unwrap();
        assert_eq!(self.kind(), Some(Kind::Welcome));
    }

    /// The kind of the next frame; none at the end.
    fn kind(&mut self) -> Option<Kind> {
        self.next(|frame, _| frame.kind)
    }

    /// Replies of the next frame.
    fn replies(&mut self) -> Vec<(u64, Result<Reply>)> {
        let read = |frame: &Frame<'_>, whole: &Bytes| match read_replies(frame, whole).unwrap() {
            Answers::One(number, reply) => vec![(number, reply)],
            Answers::Sent(run) => run.replies().map(|(n, reply)| (n, Ok(reply))).collect(),
        };
        self.next(read).expect("a reply")
    }

    /// Until the other side ends the connection.
    pub(super) fn drain(&mut self) {
        while self.next(|_, _| ()).is_some() {}
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Answers the first request that comes.
    pub(super) fn answer(&mut self, reply: &Result<Reply>) {
        let number = loop {
            let number = self.next(|frame, whole| match frame.kind {
                Kind::Request => Some(read_request(frame, whole).unwrap().0),
                _ => None,
            });
            if let Some(number) = number.unwrap() {
                break number;
            }
        };
        let mut out = Vec::new();
        append_reply(&mut out, number, reply).unwrap();
        self.write(&out);
    }

    pub(super) fn next<T>(&mut self, read: impl FnOnce(&Frame<'_>, &Bytes) -> T) -> Option<T> {
        loop {
            let whole = Bytes::from(self.came.clone());
            if let Some((frame, length)) = parse(&whole).unwrap() {
                self.came.drain(..length);
                return Some(read(&frame, &whole));
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.came.extend_from_slice(&piece[..count]),
            }
        }
    }
}

fn with_limits(limits: Limits) -> Stage {
    let mut stage = Stage::new(PATIENT);
    stage.start_at(vec![Listener::tcp(stage.at).unwrap()], limits);
    let create = open(&stage).call(create());
    assert!(create.is_ok());
    stage
}

fn open(stage: &Stage) -> Session {
    Session::open(&stage.at.to_string(), PATIENT).unwrap()
}

/// Some turns of the server's loop: what it does of itself has been done after them.
fn turns(stage: &Stage) {
    let (control, _) = stage.server.as_ref().unwrap();
    for _ in 0..20 {
        let (sender, receiver) = std::sync::mpsc::channel();
        control.with(move |_| sender.send(()).unwrap());
        receiver.recv().unwrap();
    }
}

#[test]
fn frames_that_come_byte_by_byte_are_understood() {
    let (stage, _session) = Stage::started();
    let mut raw = Raw::silent(stage.at);
    let mut bytes = hello(Uuid::new_v4());
    bytes.extend(request(1, &send("in pieces", Transaction::None)));
    for byte in &bytes {
        raw.stream.write_all(&[*byte]).unwrap();
    }
    assert_eq!(raw.kind(), Some(Kind::Welcome));
    assert!(matches!(raw.replies()[..], [(1, Ok(Reply::Sent { .. }))]));
    assert_eq!(stage.memory.texts(), ["in pieces"]);
}

#[test]
fn who_does_not_speak_the_protocol_is_left_and_nobody_else_suffers() {
    let (stage, session) = Stage::started();
    let mut ping = Vec::new();
    append(&mut ping, Kind::Ping, 1, |_| Ok(())).unwrap();
    let mut damaged = request(1, &create());
    damaged[20] ^= 1;
    let mut welcome = Vec::new();
    append(&mut welcome, Kind::Welcome, 1, |_| Ok(())).unwrap();
    let mut nonsense = Vec::new();
    append(&mut nonsense, Kind::Receive, 1, |out| {
        out.extend_from_slice(&[0xff; 40]);
        Ok(())
    })
    .unwrap();
    for bad in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        u32::MAX.to_le_bytes().to_vec(),
        vec![0; 64],
        damaged,
        welcome,
        nonsense,
    ] {
        let mut raw = Raw::connect(stage.at);
        raw.stream.write_all(&bad).unwrap();
        assert_eq!(raw.kind(), None, "{bad:?}");
    }
    let mut raw = Raw::silent(stage.at);
    raw.stream.write_all(&ping).unwrap();
    assert_eq!(raw.kind(), None, "its first frame is no Hello");
    let mut cut = Raw::connect(stage.at);
    let half = request(1, &send("never sent", Transaction::None));
    cut.stream.write_all(&half[..half.len() - 1]).unwrap();
    cut.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(cut.kind(), None);
    session.call(send("fine", Transaction::None)).unwrap();
    assert_eq!(stage.memory.texts(), ["fine"]);
}

#[test]
fn a_message_that_was_damaged_on_its_way_is_refused_alone() {
    let (stage, _session) = Stage::started();
    let mut raw = Raw::connect(stage.at);
    let mut bytes = request(1, &send("damaged", Transaction::None));
    *bytes.last_mut().unwrap() ^= 1;
    bytes.extend(request(2, &send("whole", Transaction::None)));
    raw.stream.write_all(&bytes).unwrap();
    let first = raw.replies().remove(0);
    assert_eq!(first.1.unwrap_err().kind, ErrorKind::IllegalPropertyValue);
    assert!(matches!(raw.replies()[..], [(2, Ok(_))]));
    assert_eq!(stage.memory.texts(), ["whole"]);
}

#[test]
fn who_says_nothing_is_let_go() {
    let stage = with_limits(Limits {
        hello_timeout: Duration::from_millis(50),
        silence_max: Duration::from_millis(100),
        ..Limits::default()
    });
    assert_eq!(Raw::silent(stage.at).kind(), None, "no Hello came");
    assert_eq!(Raw::connect(stage.at).kind(), None, "no Ping came");
}

#[test]
fn requests_beyond_the_bounds_wait_in_the_socket_and_are_all_answered() {
    let stage = with_limits(Limits {
        requests_max: 10,
        ..Limits::default()
    });
    let before = stage.memory.state.lock().unwrap().executed;
    stage.memory.frozen.store(true, Ordering::SeqCst);
    let mut raw = Raw::connect(stage.at);
    let sends: Vec<u8> = (1..=5000)
        .flat_map(|number| request(number, &send("x", Transaction::None)))
        .collect();
    let mut writer = raw.stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || writer.write_all(&sends).unwrap());
    stage.memory.until(|state| state.executed == before + 10);
    turns(&stage);
    assert_eq!(stage.memory.state.lock().unwrap().executed, before + 10);
    stage.memory.frozen.store(false, Ordering::SeqCst);
    stage.memory.waker.lock().unwrap().as_ref().unwrap()();
    let mut answered = 0;
    while answered < 5000 {
        answered += raw.replies().len();
    }
    writer.join().unwrap();
    assert_eq!(stage.memory.texts().len(), 5000);
}

#[test]
fn who_never_reads_is_dropped_and_holds_no_memory() {
    let stage = with_limits(Limits {
        out_bytes_max: 64 * 1024,
        write_timeout: Duration::from_millis(200),
        ..Limits::default()
    });
    let session = open(&stage);
    session
        .call(send(&"long ".repeat(20_000), Transaction::None))
        .unwrap();
    let mut raw = Raw::connect(stage.at);
    let peek = Request::Receive {
        queue: "q".into(),
        select: Select::First,
        take: Take::Peek,
        timeout_ms: 0,
        transaction: Transaction::None,
    };
    for number in 1..2000 {
        if raw.stream.write_all(&request(number, &peek)).is_err() {
            break;
        }
    }
    stage.memory.until(|state| state.ended > 0);
    let executed = stage.memory.state.lock().unwrap().executed;
    assert!(
        executed < 1000,
        "{executed} replies of 100 kB were made for nobody"
    );
    session
        .call(send("others go on", Transaction::None))
        .unwrap();
}

/// In a process of its own: its memory is measured.
#[test]
fn two_thousand_idle_clients_are_served() {
    let story = "plane::two_thousand_idle_clients_cost_little_and_hold_nobody_up";
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    let ran = alone
        .args(["--exact", story, "--ignored"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by two_thousand_idle_clients_are_served"]
fn two_thousand_idle_clients_cost_little_and_hold_nobody_up() {
    allow_many_connections();
    let mut stage = Stage::new(PATIENT);
    let path = stage.folder().join("hamq.sock");
    stage.start_at(vec![Listener::unix(&path).unwrap()], Limits::default());
    let session = Session::open(&format!("unix:{}", path.display()), PATIENT).unwrap();
    session.call(create()).unwrap();
    let before = resident_bytes();
    let mut idle: Vec<Raw<UnixStream>> = (0..2000_u128)
        .map(|number| {
            let mut raw = Raw::over(UnixStream::connect(&path).unwrap());
            raw.greet(Uuid::from_u128(number));
            raw
        })
        .collect();
    let each = resident_bytes().saturating_sub(before) / 2000;
    assert!(each < 8 * 1024, "an idle connection takes {each} bytes");
    for number in 0..200 {
        session
            .call(send(&number.to_string(), Transaction::None))
            .unwrap();
    }
    assert_eq!(stage.memory.texts().len(), 200);
    for raw in &mut idle {
        raw.stream.write_all(&request(1, &list())).unwrap();
    }
    for raw in &mut idle {
        assert!(matches!(raw.replies()[..], [(1, Ok(Reply::Queues(_)))]));
    }
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn a_client_is_the_user_that_its_process_runs_as() {
    let mut stage = Stage::new(PATIENT);
    let path = stage.folder().join("hamq.sock");
    let listeners = vec![
        Listener::tcp(stage.at).unwrap(),
        Listener::unix(&path).unwrap(),
    ];
    stage.start_at(listeners, Limits::default());
    for address in [stage.at.to_string(), format!("unix:{}", path.display())] {
        let session = Session::open(&address, PATIENT).unwrap();
        session.call(create()).unwrap();
    }
    let callers = stage.memory.state.lock().unwrap().callers.clone();
    assert_eq!(callers.len(), 2);
    for caller in callers {
        assert!(!caller.access.user.is_empty(), "{caller:?}");
        assert!(
            caller.access.administrator,
            "it is the queue manager's own user"
        );
    }
}

#[test]
fn the_newest_connection_of_a_client_speaks_for_it() {
    let (stage, _session) = Stage::started();
    let client = Uuid::new_v4();
    let mut old = Raw::silent(stage.at);
    old.greet(client);
    let begin = Request::Begin {
        transaction: TransactionId(1),
    };
    old.stream.write_all(&request(1, &begin)).unwrap();
    assert!(matches!(old.replies()[..], [(1, Ok(Reply::Done))]));
    let mut new = Raw::silent(stage.at);
    new.greet(client);
    assert!(
        stage.memory.state.lock().unwrap().open.is_empty(),
        "ended before the welcome"
    );
    assert_eq!(old.kind(), None);
    new.stream
        .write_all(&request(2, &send("mine", Transaction::None)))
        .unwrap();
    assert!(matches!(new.replies()[..], [(2, Ok(_))]));
}

#[test]
fn a_message_is_not_taken_for_a_receiver_whose_connection_died() {
    let (stage, session) = Stage::started();
    let mut raw = Raw::connect(stage.at);
    raw.stream
        .write_all(&request(1, &receive(u64::MAX)))
        .unwrap();
    stage.memory.until(|state| !state.waiting.is_empty());
    drop(raw);
    stage.memory.until(|state| state.waiting.is_empty());
    session
        .call(send("for somebody", Transaction::None))
        .unwrap();
    assert_eq!(body(session.call(receive(0))), "for somebody");
}

#[test]
fn requests_that_nobody_waits_for_are_sent_and_answered() {
    let (stage, session) = Stage::started();
    for round in 1..=20 {
        for _ in 0..100 {
            drop(session.submit(send("x", Transaction::None)));
        }
        stage
            .memory
            .until(|state| state.messages.len() == round * 100);
    }
    let tickets: Vec<_> = (0..4000)
        .map(|_| session.submit(send("y", Transaction::None)))
        .collect();
    drop(tickets);
    session.call(list()).unwrap();
    assert_eq!(stage.memory.texts().len(), 6000);
}

#[test]
fn many_threads_share_one_session() {
    let (mut stage, session) = Stage::started();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let session = session.clone();
            std::thread::spawn(move || {
                for _ in 0..300 {
                    session.call(send("x", Transaction::None)).unwrap();
                }
            })
        })
        .collect();
    stage.memory.until(|state| state.messages.len() > 500);
    stage.fail_over();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(stage.memory.texts().len(), 2400);
}

#[test]
fn a_transaction_travels_in_one_piece() {
    let (stage, session) = Stage::started();
    for round in 1..=50 {
        let transaction = session.begin();
        let parts: Vec<_> = (0..3)
            .map(|_| session.submit(send("x", Transaction::In(transaction))))
            .collect();
        session.call(Request::Commit { transaction }).unwrap();
        for part in parts {
            part.wait().unwrap();
        }
        assert_eq!(stage.memory.texts().len(), round * 3);
    }
}

#[test]
fn a_large_body_is_sent_and_read_in_parts_while_its_outcome_is_held() {
    let (stage, session) = Stage::started();
    let large: Vec<u8> = (0..10_000_000_u32).map(|n| (n % 251) as u8).collect();
    let message = Message::new([]);
    session
        .send_large("q", &message, &mut large.as_slice(), Transaction::None)
        .unwrap();
    let (reply, held) = session.submit_held(receive(0)).wait().unwrap();
    assert!(matches!(reply, Reply::Message(_)));
    session.call(send("meanwhile", Transaction::None)).unwrap();
    let mut read = Vec::new();
    let mut reader = session.read_body(held, large.len() as u64);
    reader.read_to_end(&mut read).unwrap();
    assert!(read == large, "the body is another");
    drop(reader);
    session.call(send("afterwards", Transaction::None)).unwrap();
    assert_eq!(stage.memory.state.lock().unwrap().bodies.len(), 1);
}
