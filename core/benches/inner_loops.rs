//! The inner loops: what a message costs in processor time, without a socket and without a disk.
//!
//!     cargo bench -p hamq-core --bench inner_loops [-- FILTER]
//!
//! docs/performance.md says how to read them.

#![allow(
    missing_docs,
    reason = "the macro writes a public function; what it runs is documented"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot go on fails; every result here is a success or a mistake of the bench"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hamq_core::api::wire::Kind;
use hamq_core::api::wire::frame::{append, parse};
use hamq_core::queue::manager::{Manager, ManagerOptions};
use hamq_core::queue::message::Message;
use hamq_core::queue::request::{QueueProperties, Request, RequestId, Select, Take, Transaction};
use hamq_core::sys::clock::SystemClock;
use hamq_core::sys::disk_fake::FakeDisk;
use uuid::Uuid;

const BODY_BYTES: usize = 1024;
/// Requests that are under way together, as from a client with a full window.
const LOT: u64 = 1000;

/// A frame around a payload of 1 KiB: the checksum is most of it.
fn frames(criterion: &mut Criterion) {
    let payload = vec![7; BODY_BYTES];
    let mut group = criterion.benchmark_group("frame");
    group.throughput(Throughput::Bytes(BODY_BYTES as u64));
    let mut out = Vec::new();
    group.bench_function("append, 1 KiB", |b| {
        b.iter(|| {
            out.clear();
            let write = |out: &mut Vec<u8>| {
                out.extend_from_slice(black_box(&payload));
                Ok(())
            };
            append(&mut out, Kind::Request, 7, write)
        });
    });
    group.bench_function("parse, 1 KiB", |b| {
        b.iter(|| parse(black_box(&out)).unwrap());
    });
    group.finish();
}

/// A message of 1 KiB in the form in which it travels and is stored.
fn messages(criterion: &mut Criterion) {
    let message = Message::new(vec![7; BODY_BYTES]);
    let encoded = message.encode();
    let mut group = criterion.benchmark_group("message");
    group.throughput(Throughput::Bytes(encoded.len() as u64));
    group.bench_function("encode, 1 KiB", |b| b.iter(|| black_box(&message).encode()));
    group.bench_function("check and verify, 1 KiB", |b| {
        b.iter(|| {
            encoded.verify().unwrap();
            black_box(&encoded).check().unwrap()
        });
    });
    group.finish();
}

/// A manager on a disk in memory, and one client of it.
struct Engine {
    manager: Manager,
    client: Uuid,
    sequence: u64,
}

impl Engine {
    fn new() -> Self {
        let options = ManagerOptions {
            name: ".".into(),
            epoch: None,
            owner: "bench".into(),
            deadline: None,
            on_failure: Box::new(|error| panic!("{error}")),
        };
        let disk = Arc::new(FakeDisk::new());
        let (manager, _) = Manager::open(disk, Arc::new(SystemClock), options).unwrap();
        let properties = QueueProperties::default();
        let queue = "q".to_owned();
        manager
            .call(Request::CreateQueue { queue, properties })
            .unwrap();
        Self {
            manager,
            client: Uuid::from_u128(7),
            sequence: 0,
        }
    }

    /// So many requests under way together, to the last reply.
    fn lot(&mut self, request: impl Fn() -> Request) {
        let (sender, replies) = channel();
        let acknowledged = self.sequence + 1;
        for _ in 0..LOT {
            self.sequence += 1;
            let id = RequestId {
                client: self.client,
                sequence: self.sequence,
                acknowledged,
            };
            let sender = sender.clone();
            let respond = Box::new(move |reply| sender.send(reply).unwrap());
            self.manager.submit(id, request(), respond);
        }
        for _ in 0..LOT {
            replies.recv().unwrap().unwrap();
        }
    }
}

fn send() -> Request {
    Request::Send {
        queue: "q".into(),
        message: Message::new(vec![7; BODY_BYTES]).encode(),
        transaction: Transaction::None,
        body: None,
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

/// Deciding, applying, encoding and the hand-over to and from the manager's thread, a thousand at a time.
/// The disk is memory that counts and copies what it is given, so the figure is above the engine's own cost.
fn engine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(LOT));
    for (name, ahead) in [("short queue", 0), ("100,000 in the queue", 100)] {
        let mut engine = Engine::new();
        (0..ahead).for_each(|_| engine.lot(send));
        group.bench_function(format!("1000 sends, then 1000 receives, {name}"), |b| {
            b.iter(|| {
                engine.lot(send);
                engine.lot(receive);
            });
        });
        engine.manager.close().unwrap();
    }
    group.finish();
}

criterion_group! {
    name = inner_loops;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20);
    targets = frames, messages, engine
}
criterion_main!(inner_loops);
