//! How fast the data plane is by itself: sessions against a server whose engine only appends each message to a file
//! and syncs once for all that came. `plane_speed FOLDER [SECONDS] [BODY_BYTES]`; the server is a process of its own.
//! `plane_speed at ADDRESS [SECONDS] [BODY_BYTES]` measures a queue manager that runs there, and draining and
//! transactions too.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement to be run by hand"
)]

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hamq_core::api::client::{Session, Ticket};
use hamq_core::api::server::plane::{Limits, Plane, ServedManager};
use hamq_core::queue::message::{Message, MessageId};
use hamq_core::queue::request::{
    Answer, Caller, QueueProperties, Reply, Request, RequestId, Select, Take, Transaction,
};
use hamq_core::queue::serve::{Replies, Serve};
use hamq_core::sys::network::Listener;
use uuid::Uuid;

const FILE_BYTES: u64 = 512 << 20;
const WINDOW: usize = 1000;

struct Floor {
    file: File,
    at: u64,
    batch: Vec<u8>,
    owed: Vec<Answer>,
    sent: u32,
}

impl Serve for Floor {
    fn submit(&mut self, _: &Caller, _: RequestId, request: Request, answer: Answer) {
        if let Request::Send { message, .. } = request {
            self.batch.extend_from_slice(&[0; 24]);
            self.batch.extend_from_slice(message.as_bytes());
        }
        self.owed.push(answer);
    }

    fn end_session(&mut self, _: Uuid) {}

    fn step(&mut self, out: &mut Replies) {
        if self.owed.is_empty() {
            return;
        }
        if self.at + self.batch.len() as u64 > FILE_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(&self.batch, self.at).unwrap();
        self.file.sync_data().unwrap();
        self.at += self.batch.len() as u64;
        self.batch.clear();
        for answer in self.owed.drain(..) {
            self.sent = self.sent.wrapping_add(1);
            let id = MessageId {
                manager: Uuid::from_u128(1),
                ordinal: self.sent,
            };
            let lookup_id = self.sent.into();
            out.push((answer, Ok(Reply::Sent { id, lookup_id })));
        }
    }

    fn wake_at(&self) -> Option<Duration> {
        None
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn set_waker(&mut self, _: Arc<dyn Fn() + Send + Sync>) {}
}

fn serve(folder: &str) {
    // It ends with who measures.
    std::thread::spawn(|| {
        drop(std::io::stdin().read_line(&mut String::new()));
        std::process::exit(0);
    });
    let path = format!("{folder}/plane_speed.log");
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .unwrap();
    let zeros = vec![0; 1 << 20];
    for at in (0..FILE_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, at).unwrap();
    }
    file.sync_all().unwrap();
    let engine = Floor {
        file,
        at: 0,
        batch: Vec::new(),
        owed: Vec::new(),
        sent: 0,
    };
    let tcp = Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let unix = Listener::unix(format!("{folder}/plane_speed.sock").as_ref()).unwrap();
    println!("{}", tcp.endpoint().unwrap());
    println!("{}", unix.endpoint().unwrap());
    let served = ServedManager {
        name: "speed".to_owned(),
        epoch: 1,
    };
    let (plane, _control) = Plane::new(vec![tcp, unix], engine, served, Limits::default()).unwrap();
    drop(plane.run().unwrap());
}

fn send(body: usize) -> Request {
    send_to("q", Transaction::None, body)
}

fn send_to(queue: &str, transaction: Transaction, body: usize) -> Request {
    Request::Send {
        queue: queue.to_owned(),
        message: Message::new(vec![7; body]).encode(),
        transaction,
        body: None,
    }
}

fn open(address: &str) -> Session {
    Session::open(address, Duration::from_secs(5)).unwrap()
}

/// Nanoseconds of each call.
fn one_at_a_time(address: &str, time: Duration, body: usize) -> Vec<u128> {
    let session = open(address);
    session.call(send(body)).unwrap();
    let (began, mut all) = (Instant::now(), Vec::new());
    while began.elapsed() < time {
        let request = send(body);
        let sent = Instant::now();
        session.call(request).unwrap();
        all.push(sent.elapsed().as_nanos());
    }
    all
}

fn show(what: &str, mut nanos: Vec<u128>, time: Duration) {
    nanos.sort_unstable();
    let at = |part: usize| nanos[(nanos.len() * part / 1000).min(nanos.len() - 1)] / 1000;
    let rate = nanos.len() as f64 / time.as_secs_f64();
    let (p50, p99, p999) = (at(500), at(990), at(999));
    println!("{what:<28} {rate:>9.0}/s  p50 {p50} us  p99 {p99} us  p99.9 {p999} us");
}

fn pipelined(address: &str, time: Duration, body: usize) -> f64 {
    let session = open(address);
    let (began, mut count, mut tickets) = (Instant::now(), 0_u64, VecDeque::new());
    while began.elapsed() < time {
        for _ in 0..100 {
            if tickets.len() == WINDOW {
                let oldest: Ticket = tickets.pop_front().unwrap();
                oldest.wait().unwrap();
                count += 1;
            }
            tickets.push_back(session.submit(send(body)));
        }
    }
    count as f64 / began.elapsed().as_secs_f64()
}

/// Takes all there are, in batches that are durably taken before the next is asked for, two under way.
fn drain(address: &str) -> f64 {
    let session = open(address);
    let many = || {
        session.submit(Request::ReceiveMany {
            queue: "q".to_owned(),
            after: 0,
            take: Take::Remove,
            count_max: 1000,
            bytes_max: 2 << 20,
            timeout_ms: 0,
            transaction: Transaction::None,
        })
    };
    let (began, mut count) = (Instant::now(), 0);
    let mut tickets = VecDeque::from([many(), many()]);
    while let Some(Ok(Reply::Messages(all))) = tickets.pop_front().map(Ticket::wait) {
        count += all.len();
        tickets.push_back(many());
    }
    f64::from(u32::try_from(count).unwrap()) / began.elapsed().as_secs_f64()
}

/// Transactions that receive one message and send it again; the commit of one travels with the receive of the next.
fn transactions(address: &str, time: Duration, body: usize) -> Vec<u128> {
    let session = open(address);
    let begin = || {
        let transaction = session.begin();
        let received = session.submit(Request::Receive {
            queue: "t".to_owned(),
            select: Select::First,
            take: Take::Remove,
            timeout_ms: 1000,
            transaction: Transaction::In(transaction),
        });
        (transaction, received)
    };
    let (began, mut all) = (Instant::now(), Vec::new());
    let mut start = began;
    let (mut transaction, mut received) = begin();
    loop {
        received.wait().unwrap();
        let sent = session.submit(send_to("t", Transaction::In(transaction), body));
        let committed = session.submit(Request::Commit { transaction });
        let ended = began.elapsed() > time;
        if !ended {
            (transaction, received) = begin();
        } else {
            received = session.submit(Request::Counters);
        }
        committed.wait().unwrap();
        sent.wait().unwrap();
        all.push(start.elapsed().as_nanos());
        start = Instant::now();
        if ended {
            received.wait().unwrap();
            return all;
        }
    }
}

fn in_parallel(count: usize, work: impl Fn() -> Vec<u128> + Clone + Send + 'static) -> Vec<u128> {
    let threads: Vec<_> = (0..count)
        .map(|_| std::thread::spawn(work.clone()))
        .collect();
    threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect()
}

fn measure(address: &str, time: Duration, body: usize) {
    println!("{address}, {body} bytes");
    show("one at a time", one_at_a_time(address, time, body), time);
    let rate = pipelined(address, time, body);
    println!("{:<28} {rate:>9.0}/s", "window 1000");
    let place = address.to_owned();
    let all = in_parallel(16, move || one_at_a_time(&place, time, body));
    show("16 senders, one at a time", all, time);
}

fn create(session: &Session, queue: &str, transactional: bool) {
    let properties = QueueProperties {
        transactional,
        ..QueueProperties::default()
    };
    let queue = queue.to_owned();
    drop(session.call(Request::CreateQueue { queue, properties }));
}

/// All that a real queue manager can do.
fn measure_whole(address: &str, time: Duration, body: usize) {
    let session = open(address);
    create(&session, "q", false);
    create(&session, "t", true);
    measure(address, time, body);
    println!("{:<28} {:>9.0}/s", "drain, batches of 1000", drain(address));
    for _ in 0..100 {
        session
            .call(send_to("t", Transaction::Single, body))
            .unwrap();
    }
    for workers in [1, 8] {
        let place = address.to_owned();
        let all = in_parallel(workers, move || transactions(&place, time, body));
        show(&format!("transactions, {workers} workers"), all, time);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments[1] == "serve" {
        return serve(&arguments[2]);
    }
    let number =
        |at: usize, default: u64| arguments.get(at).map_or(default, |n| n.parse().unwrap());
    if arguments[1] == "at" {
        let (time, body) = (Duration::from_secs(number(3, 2)), number(4, 1024));
        return measure_whole(&arguments[2], time, usize::try_from(body).unwrap());
    }
    let (time, body) = (Duration::from_secs(number(2, 2)), number(3, 1024));
    let mut server = Command::new(&arguments[0])
        .args(["serve", &arguments[1]])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let address = lines.next().unwrap().unwrap();
        measure(&address, time, usize::try_from(body).unwrap());
    }
    server.kill().unwrap();
    server.wait().unwrap();
}
